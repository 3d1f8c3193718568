"""`explain`: the derivation of a graph, as a record that prints and shows itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphc.api.asked import Graph, asked_of, point_of
from graphc.records import dataclass
from graphc.source import GraphError
from graphc.views.explain.choices import LAYOUTS, MODES, detail_of

if TYPE_CHECKING:
    from graphc.views.explain.document import Document


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """How the derivatives of a graph come about; it prints as text, and shows itself as HTML."""

    document: Document

    def text(self, width: int = 100) -> str:
        from graphc.views.explain.plain import plain

        return plain(self.document, width)

    def markdown(self) -> str:
        from graphc.views.explain.markdown import markdown

        return markdown(self.document)

    def latex(self) -> str:
        """Return a whole document for LaTeX."""
        from graphc.views.explain.latex import paper

        return paper(self.document)

    def html(self) -> str:
        """Return a whole page."""
        from graphc.views.explain.html import page

        return page(self.document)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<explanation: {self.document.title}>"

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_html_(self) -> str:
        from graphc.views.explain.html import fragment

        return fragment(self.document)


def explain(
    graph: Graph,
    node: str = "",
    *,
    layout: str = "denominator",
    mode: str = "reverse",
    level: int | str = "reasons",
    at: Mapping[str, Any] | None = None,
    seed: int | None = None,
    dim: Mapping[str, int] | None = None,
    const: Mapping[str, Any] | None = None,
    dtype: str = "float64",
) -> Explanation:
    """Tell how the derivatives of a graph come about, or those of one `node`.

    layout     "numerator" or "denominator", throughout
    mode       "reverse", "forward" or "both"
    level      1 or "sentence", 2 or "formulas", 3 or "reasons", 4 or "everything"
    at         inputs and parameters by name: adds the numbers there; others are drawn
    seed       of the point that is drawn; adds the numbers there

    Raises GraphError with every mistake of the graph, ValueError where there is no such node.
    """
    from graphc.checking.point import Start
    from graphc.compile.stages import Compilation
    from graphc.views.explain.asked import told
    from graphc.views.explain.wanted import Wanted
    from graphc.views.numbers.looking import look
    from graphc.views.numbers.telling import add_numbers

    chosen = next((one for one in LAYOUTS if one == layout), None)
    if chosen is None or mode not in MODES:
        option, given, words = ("mode", mode, MODES) if chosen else ("layout", layout, LAYOUTS)
        raise ValueError(f"{option}: {given!r} is not {', '.join(words[:-1])} or {words[-1]}")
    wanted = Wanted(detail_of(level), mode, node)
    source, folder, options = asked_of(
        graph, {"dim": dim or {}, "const": const or {}, "dtype": dtype}
    )
    compilation = Compilation(source, options, folder)
    try:
        document = told(compilation, chosen, wanted)
        if at is not None or seed is not None:
            place = Start(seed or 0, at)
            document = add_numbers(document, look(compilation, place), point_of(at, seed), node)
        return Explanation(document)
    except GraphError as wrong:
        raise wrong.with_traceback(None) from None
