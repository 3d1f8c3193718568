"""Parts of what a record shows in a notebook: one block of HTML, whose style is its own."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

STYLE = """<style>
.graphc { line-height: 1.45; max-width: 70rem; }
.graphc pre { margin: .3rem 0; overflow-x: auto; white-space: pre; }
.graphc table { border-collapse: collapse; margin: .4rem 0; }
.graphc td { text-align: left; vertical-align: top; padding: .1rem 1rem .1rem 0; }
.graphc summary { cursor: pointer; }
</style>"""


def frame(title: str, *parts: str) -> str:
    """Return a block of a page: a title, and what stands below it."""
    inside = "\n".join([f"<div>{title}</div>", *(one for one in parts if one)])
    return f'<div class="graphc">{STYLE}\n{inside}\n</div>'


def details(title: str, inside: str) -> str:
    """Return a part that is opened by a click."""
    return f"<details><summary>{escape(title)}</summary>{inside}</details>"


def listed(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of parts that are HTML, each beside a text."""
    cells = "".join(f"<tr><td>{one}</td><td>{escape(other)}</td></tr>" for one, other in rows)
    return f"<table>{cells}</table>" if cells else ""


def scrolled(picture: str) -> str:
    """Return a picture that is no wider than the page."""
    return f'<div style="overflow-x: auto">{picture}</div>'


def fenced(text: str) -> str:
    return escape(text)


def python(text: str) -> str:
    """Return Python source with its colours."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    if "\n" not in text:
        return f"<code>{escape(text)}</code>"
    return str(highlight(text, PythonLexer(), HtmlFormatter(noclasses=True, nobackground=True)))
