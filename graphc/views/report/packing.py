"""The body of a panel -> the same as data: lines that differ in their numbers alone stand once.

Of hundreds of values the lines of a page are much alike. The script of the page writes them out.
"""

from __future__ import annotations

import json
import re

from graphc.views.report.markup import Markup, element

NUMBER = re.compile(r"[0-9]+|[₀-₉]+")

LINE = re.compile(r"(?<=\n)|(?=<(?:span class=\"l\"|tr|pre|section|g |path|rect|text))")
"""Where a line begins: what is repeated for each value, statement, box or edge."""

Form = tuple[str | int, ...]
"""Pieces of text, and between them which of the different numbers of a line stands there."""


def pack(body: Markup) -> Markup:
    """Write a body as data; NOSCRIPT is what is read where no script runs."""
    forms: dict[Form, int] = {}
    rows = [_row(line, forms) for line in LINE.split(body)]
    data = {"forms": [*forms], "rows": ";".join(rows)}
    said = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    script = element("script", Markup(said), type="application/json", class_="packed")
    return Markup(script + element("noscript", NOSCRIPT))


NOSCRIPT = "This panel is long: the script of the page writes it."


def _row(line: str, forms: dict[Form, int]) -> str:
    """Return the number of the form of a line, and the different numbers in it."""
    numbers: dict[str, int] = {}
    form: list[str | int] = []
    end = 0
    for found in NUMBER.finditer(line):
        form += [line[end : found.start()], numbers.setdefault(found[0], len(numbers))]
        end = found.end()
    form.append(line[end:])
    return " ".join([str(forms.setdefault(tuple(form), len(forms))), *numbers])
