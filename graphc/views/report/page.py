"""Panels -> one page: no network, no framework, a style and a script that stand in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

from graphc import __version__
from graphc.provenance import MARK
from graphc.records import dataclass, replace
from graphc.views.colours import COLOURS
from graphc.views.draw.svg import FOLDING
from graphc.views.report.markup import Markup, element, quoting
from graphc.views.report.packing import pack


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of the page; those `beside` the others stay where they are while these scroll."""

    id: str
    title: str
    body: Markup
    beside: bool = False


LARGEST = 1_000_000
"""Bytes of panels that are written out; those of a larger page are packed."""


def page(title: str, about: str, panels: Sequence[Panel]) -> str:
    """Write the page."""
    if sum(len(one.body.encode()) for one in panels) > LARGEST:
        panels = [replace(one, body=pack(one.body)) for one in panels]
    style, script = Markup(COLOURS + _file("report.css")), Markup(FOLDING + _file("report.js"))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        element("title", f"{title} – graphc"),
        element("style", style),
    )
    beside = [one for one in panels if one.beside]
    others = [one for one in panels if not one.beside]
    main = element(
        "main",
        element("div", *map(_panel, beside), class_="beside"),
        element("div", *map(_panel, others), class_="others"),
    )
    body = element(
        "body", _bar(title, about, panels), main, _inspector(), element("script", script)
    )
    by = f"<!-- {MARK}{__version__} -->"
    return f"<!doctype html>\n{by}\n{element('html', head, body, lang='en')}\n"


def _policy(script: str) -> str:
    """Write what the page may do: run this script, show this style, load nothing."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


@cache
def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _bar(title: str, about: str, panels: Sequence[Panel]) -> Markup:
    links = [
        element("a", one.title, href=f"#{one.id}", accesskey=str(number))
        for number, one in enumerate(panels, 1)
    ]
    search = element(
        "div",
        element("input", type="search", id="search", placeholder="Search: /", autocomplete="off",
                role="combobox", aria_expanded="false", aria_controls="found",
                aria_label="Search for a value or a line", spellcheck="false"),
        element("ul", id="found", role="listbox", hidden="", aria_label="Found"),
        class_="search",
    )  # fmt: skip
    return element(
        "header",
        element("h1", title),
        element("p", about),
        search,
        element("nav", *links, aria_label="Panels"),
    )


def _panel(one: Panel) -> Markup:
    return element(
        "details",
        element("summary", element("h2", one.title)),
        element("div", one.body, class_="scroll", tabindex=0, role="region", aria_label=one.title),
        class_="panel",
        id=one.id,
        open="",
    )


KEYS = (
    ("/", "search"),
    ("n, p", "the next value, the one before"),
    ("u, d", "what it is computed of, what is computed of it"),
    ("1 … 9", "go to a panel"),
    ("Esc", "select nothing"),
)


def _inspector() -> Markup:
    rows = [element("li", element("kbd", key), f" {what}") for key, what in KEYS]
    return element(
        "footer",
        element("div", id="selected", aria_live="polite"),
        element(
            "details",
            element("summary", "Keys"),
            element("ul", *rows),
            class_="keys",
        ),
    )


def note(text: str) -> Markup:
    """Write a remark."""
    return element("p", quoting(text), class_="note")
