"""Parts of what a record shows in a notebook: one block of HTML, whose style is its own."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from graphc.views.colours import COLOURS, within
from graphc.views.report.markup import quoting

RULES = """
body { color: var(--ink); background: var(--paper); line-height: 1.45; max-width: 70rem;
  padding: .3rem .6rem; }
pre { margin: .3rem 0; overflow-x: auto; white-space: pre; color: inherit; background: none; }
code { color: inherit; background: var(--tint); }
table { border-collapse: collapse; margin: .4rem 0; }
td { text-align: left; vertical-align: top; padding: .1rem 1rem .1rem 0; }
summary { cursor: pointer; }
.k, .kn, .kc, .ow { color: var(--keyword); }
.nf, .nb, .fm { color: var(--function); }
.nc, .nd { color: var(--type); }
.mi, .mf, .mh { color: var(--number); }
.s1, .s2, .sd, .sa, .se, .si { color: var(--text); }
.c1 { color: var(--comment); }
"""
"""How a record looks; the tokens of its code are by the classes of Pygments."""

STYLE = f"<style>\n{within('.graphc.record', COLOURS + RULES)}\n</style>"


def frame(title: str, *parts: str) -> str:
    """Return a block of a page: a title, and what stands below it."""
    inside = "\n".join([f"<div>{title}</div>", *(one for one in parts if one)])
    return f'<div class="graphc record">{STYLE}\n{inside}\n</div>'


def details(title: str, inside: str) -> str:
    """Return a part that is opened by a click."""
    return f"<details><summary>{escape(title)}</summary>{inside}</details>"


def listed(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of parts that are HTML, each beside words with code between backticks."""
    cells = "".join(f"<tr><td>{one}</td><td>{quoting(other)}</td></tr>" for one, other in rows)
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
    return str(highlight(text, PythonLexer(), HtmlFormatter()))
