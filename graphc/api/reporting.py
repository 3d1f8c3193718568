"""`report`: the page on a graph, as a record that shows itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from graphc.api.asked import Graph, asked_of, point_of
from graphc.api.options import CompileOptions
from graphc.records import dataclass
from graphc.views.explain.choices import LAYOUTS

if TYPE_CHECKING:
    from graphc.source import Diagnostic

HEIGHT = 760
"""Pixels of a page in a notebook."""


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """A page on a graph, and the mistakes of the graph; a notebook shows it in a frame."""

    page: str
    diagnostics: tuple[Diagnostic, ...]

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the page as a file; returns its path."""
        file = Path(path)
        file.write_text(self.page, encoding="utf-8", newline="\n")
        return file

    def __repr__(self) -> str:
        return f"<report: {len(self.page.encode()):,} bytes, {len(self.diagnostics)} mistakes>"

    def _repr_html_(self) -> str:
        inside = escape(self.page)
        return f'<iframe srcdoc="{inside}" style="width:100%;height:{HEIGHT}px;border:0"></iframe>'


def report(
    graph: Graph,
    *,
    at: Mapping[str, Any] | None = None,
    seed: int = 0,
    layout: str = "denominator",
    check: bool = True,
    **options: Unpack[CompileOptions],
) -> Report:
    """Write a page on a graph: picture, source, values, derivation, code, schedule, cost, check.

    at         inputs and parameters by name: the point of the numbers; others are drawn
    seed       of the point that is drawn
    layout     "numerator" or "denominator", of the derivation
    check      compares the derivatives with numerical ones

    The options are those of the command, with its defaults: see `CompileOptions`. A graph with
    mistakes has a page as far as it is known; they are in the result, and not raised.
    """
    from graphc.checking.point import Start
    from graphc.compile.stages import Compilation
    from graphc.views.report.reported import PageOptions, reported

    chosen = next((one for one in LAYOUTS if one == layout), None)
    if chosen is None:
        raise ValueError(f"layout: {layout!r} is not {' or '.join(LAYOUTS)}")
    source, folder, said = asked_of(graph, options)
    wish = PageOptions(Start(seed, at), point_of(at, seed), chosen, check)
    found = reported(Compilation(source, said, folder), wish)
    return Report(found.text, found.mistakes)
