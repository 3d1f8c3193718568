"""HTML that is well-formed and escaped by the way it is made."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from unicodedata import category

VOID = frozenset({"meta", "input", "br"})


class Markup(str):
    """Text that is HTML already; every other text is escaped where it goes into an element."""

    __slots__ = ()


def element(tag: str, /, *children: str, **attributes: str | int | None) -> Markup:
    """Make an element; `class_` and `data_node` are the attributes `class` and `data-node`.

    >>> element("p", "a < b", element("br"), class_="x", id=None)
    '<p class="x">a &lt; b<br></p>'
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(visible(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if tag in VOID:
        return Markup(f"<{tag}{said}>")
    return Markup(f"<{tag}{said}>{joined(children)}</{tag}>")


def joined(children: Iterable[str]) -> Markup:
    """Join what goes into an element."""
    parts = (
        one if isinstance(one, Markup) else escape(visible(one), quote=False) for one in children
    )
    return Markup("".join(parts))


def visible(text: str) -> str:
    """Return a text whose control characters are replaced: none turns the text round, or is lost.

    >>> visible("a\\u202eb\\0\\n") == "a\\ufffdb\\ufffd\\n"
    True
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in "\n\t" or category(c) == "Zs" else LOST for c in text
    )


LOST = "\N{REPLACEMENT CHARACTER}"


def quoting(text: str) -> Markup:
    """Write words whose quotes from the language, between backticks, are code.

    >>> quoting("no `x < y`")
    'no <code>x &lt; y</code>'
    """
    parts = text.split("`")
    return joined(element("code", one) if place % 2 else one for place, one in enumerate(parts))
