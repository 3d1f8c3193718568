"use strict";
(() => {
  const root = document.currentScript.dataset.root;
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  let at = -1;

  // On wide screens both columns are open; on narrow ones they open by a touch.
  const wide = matchMedia("(min-width: 50.01rem)");
  const unfold = () => {
    for (const column of document.querySelectorAll(".pages")) column.open = wide.matches;
    for (const column of document.querySelectorAll(".headings")) {
      column.open = matchMedia("(min-width: 80.01rem)").matches;
    }
  };
  unfold();
  wide.addEventListener("change", unfold);

  // ---- searching: the words of all pages come as a script, which works from a folder, too --------

  let sections = null;
  const load = () => {
    if (sections) return;
    sections = [];
    const script = document.createElement("script");
    script.src = `${root}/words.js`;
    script.addEventListener("load", () => {
      sections = globalThis.SECTIONS;
      look();
    });
    document.head.append(script);
  };

  const rank = ([, page, title, text], words) => {
    const heading = title.toLowerCase();
    const all = `${page} ${title} ${text}`.toLowerCase();
    if (!words.every((word) => all.includes(word))) return 0;
    const inTitle = words.filter((word) => heading.includes(word)).length;
    const exact = heading.replace(/[^\p{L}\p{N}_]+.*/u, "") === words[0];
    return 1 + 4 * inTitle + (exact ? 8 : 0) + (heading.startsWith(words[0]) ? 2 : 0);
  };

  const near = (text, words) => {
    const place = text.toLowerCase().indexOf(words[0]);
    return (place > 40 ? "… " : "") + text.slice(Math.max(0, place - 40), place + 120);
  };

  const look = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const some = (words.length ? sections || [] : [])
      .map((one) => [rank(one, words), one])
      .filter(([score]) => score)
      .sort(([one], [other]) => other - one)
      .slice(0, 12);
    found.replaceChildren(
      ...some.map(([, [url, page, title, text]], number) => {
        const item = document.createElement("li");
        const about = document.createElement("small");
        item.id = `found-${number}`;
        item.setAttribute("role", "option");
        item.textContent = title === page ? title : `${title} · ${page}`;
        about.textContent = near(text, words);
        item.append(about);
        item.dataset.url = `${root}/${url}`;
        item.addEventListener("mousedown", (event) => {
          event.preventDefault();
          take(item);
        });
        return item;
      }),
    );
    found.hidden = !some.length;
    search.setAttribute("aria-expanded", String(!!some.length));
    point(some.length ? 0 : -1);
  };

  const take = (item) => {
    location.href = item.dataset.url;
    close();
    search.blur();
  };

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

  search.addEventListener("focus", load);
  search.addEventListener("input", look);
  search.addEventListener("blur", close);
  search.addEventListener("keydown", (event) => {
    const count = found.children.length;
    if (event.key === "ArrowDown" && count) point((at + 1) % count);
    else if (event.key === "ArrowUp" && count) point((at + count - 1) % count);
    else if (event.key === "Enter" && at >= 0) take(found.children[at]);
    else if (event.key === "Escape") search.blur();
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.matches("input, textarea");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.key !== "/") return;
    event.preventDefault();
    search.focus();
  });
})();
