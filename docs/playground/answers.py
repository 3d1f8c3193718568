"""What the playground's worker asks of graphc: of a text its mistakes, its page, its numbers.

`mistakes` is asked while one types; `shown`, and then `checked`, where nothing was typed since.
`checked` alone computes: it needs NumPy, which the page loads while the others answer.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from graphc.compile.stages import Compilation, Options
from graphc.source import Diagnostic, Source
from graphc.views.explain.explained import crowded, explained
from graphc.views.explain.telling import document
from graphc.views.explain.wanted import Wanted
from graphc.views.report.code import tell_code
from graphc.views.report.derivation import tell_derivation
from graphc.views.report.links import links_of, statements_of
from graphc.views.report.markup import joined
from graphc.views.report.page import Panel, note, page
from graphc.views.report.picture import tell_picture
from graphc.views.report.values import paths_of, tell_point, tell_values

if TYPE_CHECKING:
    from graphc.views.numbers.looking import Numbers

NAME = "net.graph"
SEED = 0
POINT_NAME = "a point that was drawn (seed 0)"


@lru_cache(maxsize=4)
def compilation(text: str) -> Compilation:
    """Return the compilation of a text; what was asked of it once is kept."""
    return Compilation(Source(NAME, text), Options(level="-O0"))


def mistakes(text: str) -> list[dict[str, Any]]:
    """Return what is wrong with a text, and what it is warned of."""
    made = compilation(text)
    told = [*made.diagnostics]
    if made.sound:
        told += [*made.stated.warnings, *made.stated.notes]
    return [_told(one) for one in told]


def _told(one: Diagnostic) -> dict[str, Any]:
    span = one.span
    at = (0, 0) if span is None else (span.start, max(span.end, span.start + 1))
    # JavaScript counts UTF-16 units.
    start, end = (len(span.source.text[:k].encode("utf-16-le")) // 2 if span else 0 for k in at)
    return {"severity": one.severity, "start": start, "end": end, "text": str(one)}


def shown(text: str) -> str:
    """Return the page on a text: picture, derivation and code; of a wrong one what is known."""
    made = compilation(text)
    if not made.sound:
        picture = Panel("picture", "Picture", tell_picture(made), beside=True)
        return page("net", "This graph has mistakes: this is what is known of it.", [picture])
    return _page(made, [_picture(made), *_derived(made)])


def checked(text: str) -> dict[str, Any]:
    """Return the page on a sound text with its numbers, and what is wrong with its derivatives."""
    from graphc.checking.derivatives import LEVELS, check_derivatives
    from graphc.checking.point import Start
    from graphc.views.numbers.looking import look
    from graphc.views.report.checks import tell_checked

    made = compilation(text)
    if crowded(made):
        return {"page": shown(text), "mistakes": []}
    point = Start(SEED)
    numbers = look(made, point)
    with made.open():
        links = links_of(made.stated)
    values = joined([tell_point(numbers, POINT_NAME), tell_values(made.stated, links, numbers)])
    compared = check_derivatives(made.source, made.options, made.folder, LEVELS[:1], point)
    panels = [
        _picture(made, numbers),
        Panel("values", "Values", values),
        Panel("check", "Gradient check", tell_checked(compared, paths_of(made.stated))),
        *_derived(made),
    ]
    return {"page": _page(made, panels), "mistakes": [_told(one) for one in compared.mistakes]}


def _page(made: Compilation, panels: list[Panel]) -> str:
    return page("net", " ".join(made.stated.doc.split()), panels)


def _picture(made: Compilation, numbers: Numbers | None = None) -> Panel:
    return Panel("picture", "Picture", tell_picture(made, numbers), beside=True)


@lru_cache(maxsize=1)
def _derived(made: Compilation) -> tuple[Panel, ...]:
    """Return the panels that need no numbers."""
    if crowded(made):
        said = note("The graph has more values than are told one by one here.")
        return (Panel("derivation", "Derivation", said),)
    derivation = tell_derivation(document(explained(made, "denominator"), Wanted()))
    with made.open():
        statements = statements_of(made.programs, links_of(made.stated))
    code = tell_code(made.written, statements)
    return Panel("derivation", "Derivation", derivation), Panel("code", "Code", code)
