"use strict";
(() => {
  // The panels of a large page are data: the form of each line, and the numbers in it.
  for (const packed of document.querySelectorAll("script.packed")) {
    const { forms, rows } = JSON.parse(packed.textContent);
    const write = (row) => {
      const [form, ...numbers] = row.split(" ");
      return forms[form].map((part) => (typeof part === "number" ? numbers[part] : part)).join("");
    };
    packed.parentElement.innerHTML = rows.split(";").map(write).join("");
  }

  // What an element is of: values in data-node, derivatives in data-derivative, names with blanks.
  const values = new Map();
  const derivatives = new Map();
  const listed = (text) => (text ? text.split(" ") : []);
  const collect = (attribute, found) => {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      for (const name of listed(element.getAttribute(attribute))) {
        if (!found.has(name)) found.set(name, []);
        found.get(name).push(element);
      }
    }
  };
  collect("data-node", values);
  collect("data-derivative", derivatives);

  const rows = new Map();
  for (const row of document.querySelectorAll("#values-of tbody tr")) {
    rows.set(row.getAttribute("data-node"), row);
  }
  const order = [...rows.keys()];
  const panels = [...document.querySelectorAll("details.panel")];
  const bar = document.getElementById("selected");
  const pictures = [...document.querySelectorAll(".graphc-picture")].map(foldable);
  let selected = "";
  let lit = [];

  // ---- selecting -------------------------------------------------------------------------------

  const light = (elements, style) => {
    for (const element of elements || []) {
      element.classList.add(style);
      lit.push([element, style]);
    }
  };

  const show = (element) => {
    for (let around = element.parentElement; around; around = around.parentElement) {
      if (around.tagName === "DETAILS" && !around.classList.contains("panel")) around.open = true;
    }
    const area = element.closest(".scroll");
    if (!area) return;
    const inside = element.getBoundingClientRect();
    const frame = area.getBoundingClientRect();
    if (inside.top < frame.top || inside.bottom > frame.bottom) {
      area.scrollTop += inside.top - frame.top - frame.height / 4;
    }
    const wide = inside.width > frame.width;
    if (!wide && (inside.left < frame.left || inside.right > frame.right)) {
      area.scrollLeft += inside.left - frame.left - frame.width / 4;
    }
  };

  // In a picture the edges of what is selected light up, and what covers it is taken away.
  const trace = (element) => {
    const picture = element.closest(".graphc-picture");
    if (!picture || !element.id) return;
    const id = CSS.escape(element.id);
    light(picture.querySelectorAll(`[data-from="${id}"], [data-to="${id}"]`), "near");
    const groups = listed(element.dataset.inside);
    for (const { covers, fold } of pictures) {
      for (const cover of covers) if (groups.includes(cover.dataset.cover)) fold(cover, false);
    }
  };

  const firstIn = (panel) => {
    const found = lit
      .map(([element]) => element)
      .filter((element) => panel.contains(element) && !element.closest("[hidden], .edge"));
    return found.find((element) => !element.matches("a.name, .bar")) || found[0];
  };

  const select = (name, from) => {
    for (const [element, style] of lit) element.classList.remove(style);
    lit = [];
    selected = values.has(name) || derivatives.has(name) ? name : "";
    light(values.get(selected), "lit");
    light(derivatives.get(selected), "lit-back");
    for (const [element] of lit.slice()) trace(element);
    for (const panel of panels) {
      const first = panel === from || !panel.open ? null : firstIn(panel);
      if (first) show(first);
    }
    describe();
    const hash = selected ? `#node=${encodeURIComponent(selected)}` : " ";
    if (location.protocol === "about:") return; // in the frame of a notebook
    history.replaceState(null, "", selected ? hash : location.pathname + location.search);
  };

  const made = (tag, text, attributes) => {
    const element = document.createElement(tag);
    if (text) element.textContent = text;
    return Object.assign(element, attributes || {});
  };

  const links = (title, names) => {
    const span = made("span", names.length ? `${title} ` : "");
    names.forEach((name, place) => {
      if (place) span.append(", ");
      const button = made("button", name, { type: "button" });
      button.dataset.go = name;
      span.append(button);
    });
    return span;
  };

  const describe = () => {
    bar.replaceChildren();
    if (!selected) {
      bar.append(made("span", "Select a value: click it anywhere, search for it, or press n."));
      return;
    }
    bar.append(made("b", selected));
    const row = rows.get(selected);
    if (row) {
      bar.append(made("span", [1, 2].map((at) => row.cells[at].textContent).join(" ")));
      bar.append(links("of", listed(row.dataset.parents)));
      bar.append(links("into", listed(row.dataset.children)));
    }
    const places = made("span", "in ");
    let any = false;
    for (const panel of panels) {
      if (!firstIn(panel)) continue;
      if (any) places.append(", ");
      any = true;
      const button = made("button", panel.querySelector("h2").textContent, { type: "button" });
      button.dataset.panel = panel.id;
      places.append(button);
    }
    if (any) bar.append(places);
  };

  const go = (panel, element) => {
    panel.open = true;
    panel.scrollIntoView({ block: "start" });
    if (element) show(element);
    panel.querySelector(".scroll").focus({ preventScroll: true });
  };

  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (!target) return;
    const button = target.closest("button[data-go], button[data-panel]");
    if (button && button.dataset.go) return select(button.dataset.go, null);
    if (button) {
      const panel = document.getElementById(button.dataset.panel);
      return go(panel, firstIn(panel));
    }
    if (String(getSelection())) return; // some text is being copied
    const element = target.closest("[data-node], [data-derivative]");
    if (!element || target.closest("summary, #found")) return;
    const names = [...listed(element.getAttribute("data-node")),
                   ...listed(element.getAttribute("data-derivative"))];
    const next = names[(names.indexOf(selected) + 1) % names.length];
    select(next, element.closest("details.panel"));
  });

  // ---- pictures --------------------------------------------------------------------------------

  const drawn = [...document.querySelectorAll(".drawn")];
  const tools = document.querySelector(".tools");

  // A picture that is wider than its place begins with its topmost box.
  const turnTo = (which) => {
    for (const figure of drawn) figure.hidden = !figure.classList.contains(which);
    for (const button of tools.querySelectorAll("[data-show]")) {
      button.setAttribute("aria-pressed", String(button.dataset.show === which));
    }
    const figure = drawn.find((one) => !one.hidden);
    const area = figure.closest(".scroll").getBoundingClientRect();
    const boxes = [...figure.querySelectorAll(".node")].map((box) => box.getBoundingClientRect());
    const top = Math.min(...boxes.map((box) => box.top));
    const first = boxes.find((box) => box.top === top);
    if (!first || first.right < area.right) return;
    figure.closest(".scroll").scrollLeft += first.left - area.left - area.width / 4;
  };

  const tool = (text, act, shows) => {
    const button = made("button", text, { type: "button" });
    if (shows) button.dataset.show = shows;
    button.addEventListener("click", () => act(button));
    tools.append(button);
  };

  if (tools) {
    if (drawn.length > 1) {
      tool("Forward", () => turnTo("forward"), "forward");
      tool("Backward", () => turnTo("backward"), "backward");
    }
    const foldAll = (shuts) => {
      for (const { covers, fold } of pictures) for (const cover of covers) fold(cover, shuts);
    };
    if (pictures.some(({ covers }) => covers.length)) {
      tool("Fold all", () => foldAll(true));
      tool("Unfold all", () => foldAll(false));
    }
    const shapes = drawn.map((figure) => figure.querySelector("svg"));
    const natural = shapes.map((shape) => Number(shape.getAttribute("width")));
    let scale = 1;
    const zoom = (to) => {
      scale = Math.min(4, Math.max(0.1, to));
      shapes.forEach((shape, at) => { shape.style.width = `${natural[at] * scale}px`; });
    };
    const fit = () => {
      const at = drawn.findIndex((figure) => !figure.hidden);
      zoom(drawn[at].clientWidth / natural[at]);
    };
    tool("Smaller", () => zoom(scale / 1.25));
    tool("Larger", () => zoom(scale * 1.25));
    tool("Fit", fit);
    tool("Whole window", (button) => {
      const large = document.querySelector("main").classList.toggle("large");
      button.setAttribute("aria-pressed", String(large));
    });
    tools.parentElement.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoom(scale * (event.deltaY < 0 ? 1.1 : 1 / 1.1));
    }, { passive: false });
    turnTo("forward");
  }

  // ---- searching -------------------------------------------------------------------------------

  const search = document.getElementById("search");
  const found = document.getElementById("found");
  let at = -1;

  const candidates = [
    ...order.map((name) => {
      const row = rows.get(name);
      return { text: name, more: `${row.cells[1].textContent} ${row.cells[2].textContent}`, name };
    }),
    ...[...document.querySelectorAll("#source .l")].map((line) => ({
      text: line.textContent.trim(),
      more: line.id.replace("-", " "),
      line,
    })),
  ].filter((one) => one.text);

  const point = (place) => {
    at = place;
    [...found.children].forEach((item, number) => {
      item.setAttribute("aria-selected", String(number === at));
      if (number === at) {
        search.setAttribute("aria-activedescendant", item.id);
        item.scrollIntoView({ block: "nearest" });
      }
    });
    if (at < 0) search.removeAttribute("aria-activedescendant");
  };

  const close = () => {
    found.hidden = true;
    search.setAttribute("aria-expanded", "false");
    point(-1);
  };

  const look = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (one) => words.every((word) => `${one.text} ${one.more}`.toLowerCase().includes(word));
    const rank = (one) => (one.text.toLowerCase().startsWith(words[0]) ? 0 : 1) + (one.line ? 2 : 0);
    const some = words.length ? candidates.filter(fits) : [];
    some.sort((one, other) => rank(one) - rank(other));
    found.replaceChildren(
      ...some.slice(0, 12).map((one, number) => {
        const item = made("li", one.text, { id: `found-${number}` });
        item.setAttribute("role", "option");
        item.append(" ", made("small", one.more));
        item.addEventListener("mousedown", (event) => {
          event.preventDefault();
          take(one);
        });
        item.taken = one;
        return item;
      }),
    );
    found.hidden = !some.length;
    search.setAttribute("aria-expanded", String(!!some.length));
    point(some.length ? 0 : -1);
  };

  const take = (one) => {
    close();
    search.blur();
    const names = one.line ? listed(one.line.getAttribute("data-node")) : [one.name];
    select(names[0] || "", null);
    if (one.line) show(one.line);
  };

  search.addEventListener("input", look);
  search.addEventListener("focus", look);
  search.addEventListener("blur", close);
  search.addEventListener("keydown", (event) => {
    const count = found.children.length;
    if (event.key === "ArrowDown" && count) point((at + 1) % count);
    else if (event.key === "ArrowUp" && count) point((at + count - 1) % count);
    else if (event.key === "Enter" && at >= 0) take(found.children[at].taken);
    else if (event.key === "Escape") search.blur();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  // ---- keys ------------------------------------------------------------------------------------

  const along = (step) => {
    const place = order.indexOf(selected);
    const next = place < 0 ? (step > 0 ? 0 : order.length - 1) : place + step;
    if (next >= 0 && next < order.length) select(order[next], null);
  };

  const neighbour = (which) => {
    const row = rows.get(selected);
    const names = row ? listed(row.dataset[which]) : [];
    if (names.length) select(names[0], null);
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.matches("input, textarea");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const number = Number(event.key);
    if (event.key === "/") search.focus();
    else if (event.key === "n") along(1);
    else if (event.key === "p") along(-1);
    else if (event.key === "u") neighbour("parents");
    else if (event.key === "d") neighbour("children");
    else if (event.key === "Escape") select("", null);
    else if (number >= 1 && number <= panels.length) go(panels[number - 1], firstIn(panels[number - 1]));
    else return;
    event.preventDefault();
  });

  for (const link of document.querySelectorAll("nav a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const panel = document.querySelector(link.getAttribute("href"));
      go(panel, firstIn(panel));
    });
  }

  // ---- printing, and what the address asks for ---------------------------------------------------

  addEventListener("beforeprint", () => {
    for (const panel of panels) panel.open = true;
  });

  const asked = new URLSearchParams(location.hash.slice(1)).get("node");
  if (asked) select(asked, null);
  else describe();
})();
