"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const told = JSON.parse($("told").textContent); // lessons, and the words of the language
  const text = $("text");
  const paint = $("paint");
  const status = $("status");

  // ---- the worker: one question at a time, so that what is typed meanwhile waits for little ------

  const pyodide = new URL(told.pyodide, document.baseURI).href;
  const script = $("worker").textContent.replaceAll("PYODIDE", pyodide);
  const worker = new Worker(
    URL.createObjectURL(new Blob([script], { type: "text/javascript" })),
    { type: "module" },
  );
  const waiting = new Map();
  let count = 0;
  let ready = false;

  const ask = (method, ...given) =>
    new Promise((resolve, reject) => {
      const number = ++count;
      waiting.set(number, { resolve, reject });
      worker.postMessage({ number, method, given });
    });

  worker.onmessage = ({ data }) => {
    if (data.broken !== undefined) return broken(data.broken);
    if (data.progress !== undefined) return begun(data.progress);
    const { resolve, reject } = waiting.get(data.number);
    waiting.delete(data.number);
    if (data.failed === undefined) resolve(data.answer);
    else reject(new Error(data.failed));
  };
  worker.onerror = (event) => broken(event.message ?? `${pyodide} cannot be read`);

  const broken = (why) => {
    status.textContent = `Python cannot be started here: ${why}`;
    status.className = "broken";
  };

  const begun = (what) => {
    status.textContent = what ? `Loading ${what} …` : "";
    if (what) return;
    ready = true;
    update();
  };

  const bytes = Uint8Array.from(atob($("bundle").textContent), (one) => one.charCodeAt(0));
  worker.postMessage({ bundle: bytes.buffer }, [bytes.buffer]);

  // ---- what is asked of a text: its mistakes, then its page, then its numbers --------------------

  const lastLine = (wrong) => wrong.message.trim().split("\n").pop();
  let running = false;

  const update = async () => {
    if (!ready || running) return;
    running = true;
    for (let asked = null; asked !== text.value; ) {
      asked = text.value;
      const now = () => asked === text.value;
      const since = performance.now();
      try {
        status.textContent = "";
        const mistakes = await ask("mistakes", asked);
        if (!now()) continue;
        tellMistakes(mistakes, asked);
        status.textContent = "Drawing …";
        const page = await ask("shown", asked);
        if (!now()) continue;
        show(page);
        if (mistakes.some((one) => one.severity === "error")) {
          status.textContent = "";
          continue;
        }
        status.textContent = "Numbers …";
        const checked = await ask("checked", asked).catch((why) => ({ why }));
        if (checked.why && now()) {
          status.textContent = `Without numbers: ${lastLine(checked.why)}`;
          continue;
        }
        if (!now()) continue;
        show(checked.page);
        tellMistakes([...mistakes, ...checked.mistakes], asked);
        status.textContent = `${((performance.now() - since) / 1000).toFixed(1)} s`;
      } catch (wrong) {
        status.textContent = `graphc has failed: ${lastLine(wrong)}`;
      }
    }
    running = false;
  };

  let pause;
  const changed = () => {
    colour();
    clearTimeout(pause);
    pause = setTimeout(() => {
      update();
      keep();
    }, 150);
  };
  text.addEventListener("input", changed);

  // ---- the editor: text below a copy of it that has the colours ----------------------------------

  const { keywords, name, number, string } = told.language;
  const tokens = new RegExp(`(#[^\\n]*)|(${string})|(${number})|(${name})`, "gu");
  const words = new Set(keywords);
  let wrong = [];

  const escaped = (part) =>
    part.replace(/[&<>]/g, (one) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[one]);

  const colour = () => {
    const given = text.value;
    let html = "";
    let at = 0;
    const put = (part, kind) => {
      // Cut where a mistake begins or ends.
      for (let start = 0; start < part.length; ) {
        const place = at + start;
        const inside = wrong.some((one) => one.start <= place && place < one.end);
        const edges = wrong.flatMap((one) => [one.start, one.end]).filter((one) => one > place);
        const end = Math.min(part.length, Math.min(...edges, Infinity) - at);
        const kinds = [kind, inside && part[start] !== "\n" ? "wr" : ""].filter(Boolean).join(" ");
        const piece = escaped(part.slice(start, end));
        html += kinds ? `<i class="${kinds}">${piece}</i>` : piece;
        start = end;
      }
      at += part.length;
    };
    for (const match of given.matchAll(tokens)) {
      put(given.slice(at, match.index), "");
      const [whole, comment, quoted, digits] = match;
      const kind = comment ? "co" : quoted ? "te" : digits ? "nu" : words.has(whole) ? "ke" : "";
      const called = !kind && /^\s*\(/.test(given.slice(match.index + whole.length));
      put(whole, kind || (called ? "fu" : ""));
    }
    put(given.slice(at), "");
    paint.innerHTML = `${html}\n`;
    const lines = given.split("\n").length;
    $("lines").textContent = Array.from({ length: lines }, (_, line) => line + 1).join("\n");
    text.style.height = `${paint.scrollHeight}px`;
    text.style.width = `${Math.max(paint.scrollWidth, $("editor").clientWidth - 60)}px`;
  };

  const tellMistakes = (mistakes, of) => {
    wrong = of === text.value ? mistakes.filter((one) => one.severity === "error" && one.end) : [];
    colour();
    const list = mistakes.map((one) => {
      const item = document.createElement("li");
      const said = document.createElement("pre");
      said.textContent = one.text;
      item.className = one.severity;
      item.append(said);
      if (one.end) {
        item.tabIndex = 0;
        const go = () => {
          text.focus();
          text.setSelectionRange(one.start, one.end);
        };
        item.addEventListener("click", go);
        item.addEventListener("keydown", (event) => event.key === "Enter" && go());
      }
      return item;
    });
    $("mistakes").replaceChildren(...list);
  };

  // ---- the page: a new one takes the place of the old when it is there ---------------------------

  const show = (page) => {
    const frames = $("shown");
    const next = document.createElement("iframe");
    next.title = "The graph: picture, derivation, code, gradient";
    next.srcdoc = page;
    next.className = "coming";
    next.addEventListener("load", () => {
      const old = frames.querySelector("iframe:not(.coming)");
      const before = old?.contentWindow;
      if (before) {
        for (const panel of before.document.querySelectorAll("details.panel:not([open])")) {
          const same = next.contentDocument.getElementById(panel.id);
          if (same) same.open = false;
        }
        next.contentWindow.scrollTo(0, before.scrollY);
      }
      next.className = "";
      while (next.previousSibling) next.previousSibling.remove(); // those after it are newer
    });
    frames.append(next);
  };

  // ---- sharing: the text in the address ----------------------------------------------------------

  const packed = async (bytes, stream) =>
    new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());

  const toAddress = async (given) => {
    const small = await packed(new TextEncoder().encode(given), new CompressionStream("deflate-raw"));
    const base = btoa(String.fromCharCode(...small));
    return base.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  };

  const fromAddress = async (given) => {
    const base = atob(given.replaceAll("-", "+").replaceAll("_", "/"));
    const small = Uint8Array.from(base, (one) => one.charCodeAt(0));
    return new TextDecoder().decode(await packed(small, new DecompressionStream("deflate-raw")));
  };

  const keep = async () => {
    const address = `#graph=${await toAddress(text.value)}`;
    history.replaceState(null, "", address);
  };

  $("share").addEventListener("click", async () => {
    await keep();
    try {
      await navigator.clipboard.writeText(location.href);
      status.textContent = "The address is copied: it holds the graph.";
    } catch {
      status.textContent = "The address of this page holds the graph: copy it.";
    }
  });

  // ---- lessons -----------------------------------------------------------------------------------

  const lessons = $("lessons");
  for (const group of told.lessons) {
    const shown = document.createElement("optgroup");
    shown.label = group.title;
    for (const lesson of group.lessons) {
      const option = document.createElement("option");
      option.textContent = lesson.title;
      option.value = lesson.id;
      shown.append(option);
    }
    lessons.append(shown);
  }
  const all = new Map(told.lessons.flatMap((group) => group.lessons.map((one) => [one.id, one])));

  const write = (given) => {
    text.value = given;
    wrong = [];
    colour();
    text.setSelectionRange(0, 0);
    $("editor").scrollTo(0, 0);
    update();
  };

  const piece = (part, id) => {
    if (part.html) {
      const prose = document.createElement("div");
      prose.innerHTML = part.html; // of the documents, made with the page
      return prose;
    }
    if (part.folded) {
      const details = document.createElement("details");
      const summary = document.createElement("summary");
      summary.textContent = part.label;
      details.append(summary, ...part.folded.map((one) => piece(one, id)));
      return details;
    }
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = part.label;
    button.addEventListener("click", () => {
      write(part.graph);
      history.replaceState(null, "", `#lesson=${id}`);
    });
    return button;
  };

  const teach = (id) => {
    const lesson = all.get(id);
    lessons.value = lesson ? id : "";
    $("lesson").hidden = !lesson;
    if (!lesson) return;
    $("about").replaceChildren(...lesson.parts.map((part) => piece(part, id)));
    $("lesson").scrollTo(0, 0);
    write(lesson.parts.find((one) => one.graph).graph);
    history.replaceState(null, "", `#lesson=${id}`);
  };
  lessons.addEventListener("change", () => teach(lessons.value));
  $("close").addEventListener("click", () => teach(""));

  const open = async () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    if (asked.has("graph")) {
      try {
        return write(await fromAddress(asked.get("graph")));
      } catch {
        status.textContent = "The address holds no graph that can be read.";
      }
    }
    if (all.has(asked.get("lesson"))) return teach(asked.get("lesson"));
    write(told.first);
  };
  addEventListener("hashchange", open);
  open();
})();
