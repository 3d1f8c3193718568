"use strict";
// Lets the groups of a picture fold where they stand: a title folds its group, a cover unfolds it.
// What lies in a group that is shut is hidden, for the keyboard and for readers of screens, too.
const foldable = (picture) => {
  const inside = new Map();
  for (const element of picture.querySelectorAll("[data-inside]")) {
    for (const id of element.dataset.inside.split(" ")) {
      if (!inside.has(id)) inside.set(id, []);
      inside.get(id).push(element);
    }
  }
  const covers = [...picture.querySelectorAll(".cover")];
  const titles = new Map();
  for (const title of picture.querySelectorAll(".title")) titles.set(title.parentNode.id, title);
  const shut = new Map();

  const hide = (element, by) => {
    shut.set(element, (shut.get(element) || 0) + by);
    element.classList.toggle("covered", shut.get(element) > 0);
  };

  const fold = (cover, shuts) => {
    if (cover.classList.contains("shut") === shuts) return;
    const title = titles.get(cover.dataset.cover);
    const focused = (shuts ? title : cover).ownerDocument.activeElement;
    cover.classList.toggle("shut", shuts);
    title.setAttribute("aria-expanded", String(!shuts));
    for (const one of [title, ...(inside.get(cover.dataset.cover) || [])]) hide(one, shuts ? 1 : -1);
    if (focused === title) cover.focus();
    if (focused === cover) title.focus();
  };

  for (const cover of covers) {
    for (const [button, shuts] of [[cover, false], [titles.get(cover.dataset.cover), true]]) {
      button.addEventListener("click", () => fold(cover, shuts));
      button.addEventListener("keydown", (event) => {
        if (!["Enter", " "].includes(event.key)) return;
        event.preventDefault();
        fold(cover, shuts);
      });
    }
  }
  return { covers, fold };
};
