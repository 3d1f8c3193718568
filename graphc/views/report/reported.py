"""A compilation -> its page: every panel as far as the graph is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from graphc.checking.derivatives import LEVELS, check_derivatives
from graphc.checking.point import Start
from graphc.compile.stages import Compilation
from graphc.ir.graph import Node
from graphc.ir.types import FLOAT_BYTES
from graphc.records import dataclass, replace
from graphc.source import Diagnostic, GraphError
from graphc.views.cost import compiled_work, price
from graphc.views.explain.choices import Layout
from graphc.views.explain.explained import crowded, explained
from graphc.views.explain.telling import document
from graphc.views.explain.wanted import Wanted
from graphc.views.numbers.looking import Numbers, look
from graphc.views.report.checks import tell_checked, tell_costs
from graphc.views.report.code import tell_code
from graphc.views.report.derivation import tell_derivation
from graphc.views.report.links import links_of, statements_of
from graphc.views.report.markup import Markup, joined
from graphc.views.report.page import Panel, note, page
from graphc.views.report.picture import tell_picture
from graphc.views.report.schedule import tell_schedule
from graphc.views.report.source import Spans, tell_diagnostics, tell_source
from graphc.views.report.values import paths_of, tell_point, tell_values


@dataclass(frozen=True, slots=True)
class PageOptions:
    """What a page is to show: at which point, in which layout, and whether derivatives are checked.

    `where` is what the point is called.
    """

    place: Start
    where: str
    layout: Layout = "denominator"
    check: bool = True


@dataclass(frozen=True, slots=True)
class Reported:
    """The text of a page, and the mistakes that the graph has."""

    text: str
    mistakes: tuple[Diagnostic, ...]


def reported(compilation: Compilation, wish: PageOptions) -> Reported:
    """Write the page of a compilation; of a source with mistakes as far as it is known."""
    mistakes: dict[Diagnostic, None] = {}
    made: dict[str, Panel] = {}
    numbers: Numbers | None = None
    try:
        numbers = None if crowded(compilation) else look(compilation, wish.place)
    except GraphError as wrong:
        mistakes |= dict.fromkeys(wrong.diagnostics)
    for tell in (_derivation, _code, _schedule, _cost, _check):
        try:
            panel = tell(compilation, wish)
            made[panel.id] = panel
        except GraphError as wrong:
            mistakes |= dict.fromkeys(wrong.diagnostics)
            if not compilation.sound:
                break
    if compilation.sound:
        made["values"] = _values(compilation, wish, numbers)
    beside = [
        Panel("picture", "Picture", tell_picture(compilation, numbers), beside=True),
        Panel("source", "Source", _source(compilation, [*mistakes]), beside=True),
    ]
    if mistakes:
        beside.append(Panel("mistakes", "Mistakes", tell_diagnostics([*mistakes])))
    others = [made[id] for id in ORDER if id in made]
    text = page(_title(compilation), _about(compilation), [*beside, *others])
    return Reported(text, tuple(mistakes))


ORDER = ("values", "derivation", "code", "schedule", "cost", "check")
"""The panels beside picture and source."""


def _title(compilation: Compilation) -> str:
    return compilation.stated.name if compilation.sound else PurePath(compilation.source.name).stem


def _about(compilation: Compilation) -> str:
    if not compilation.sound:
        return "This graph has mistakes: they are marked in the source."
    options = compilation.options
    doc = " ".join(compilation.stated.doc.split())
    return f"{doc}{' · ' if doc else ''}{options.level}, {options.dtype}"


def _source(compilation: Compilation, mistakes: Sequence[Diagnostic]) -> Markup:
    """Tell the source with all that is said of it."""
    if not compilation.sound:
        return tell_source(compilation.source, None, _written(compilation), mistakes)
    model = compilation.stated
    with compilation.open():
        links = links_of(model)
    said = [*mistakes, *model.warnings, *model.notes]
    return tell_source(model.source, links, _written(compilation), said)


def _written(compilation: Compilation) -> Spans:
    """Return the names of the graph where they are written in the source."""
    found = {}
    names = compilation.stated.names if compilation.sound else {}
    for span, entry in compilation.elaborated.occurrences.items():
        if span.source is compilation.source and isinstance(entry.value, Node):
            name = names.get(entry.value)
            if name is not None:
                found[span.start, span.end] = name
    return found


def _values(compilation: Compilation, wish: PageOptions, numbers: Numbers | None) -> Panel:
    model = compilation.stated
    with compilation.open():
        links = links_of(model)
    if crowded(compilation):
        declared = {d.name for d in (*model.inputs, *model.params, *model.outputs)}
        some = replace(links, names=tuple(name for name in links.names if name in declared))
        left = len(links.names) - len(some.names)
        said = note(f"And {left} values more: `graphc show --after elaborate` prints them all.")
        return Panel("values", "Values", joined([tell_values(model, some, None), said]))
    told = [] if numbers is None else [tell_point(numbers, wish.where)]
    return Panel("values", "Values", joined([*told, tell_values(model, links, numbers)]))


def _derivation(compilation: Compilation, wish: PageOptions) -> Panel:
    if crowded(compilation):
        told = note("The graph has more values than a derivation can show as a whole: "
                    "`graphc explain --node NAME` tells one of them.")  # fmt: skip
    else:
        told = tell_derivation(document(explained(compilation, wish.layout), Wanted()))
    return Panel("derivation", "Derivation", told)


def _schedule(compilation: Compilation, wish: PageOptions) -> Panel:
    if crowded(compilation):
        told = note("The graph is large: `graphc show` prints the schedule.")
    else:
        compiled = compilation.programs
        with compilation.open():
            told = tell_schedule(compiled, statements_of(compiled, links_of(compilation.stated)))
    return Panel("schedule", "Schedule", told)


def _code(compilation: Compilation, wish: PageOptions) -> Panel:
    if crowded(compilation):
        told = note("The graph is large: `graphc compile` writes its module.")
    else:
        with compilation.open():
            links = links_of(compilation.stated)
            statements = statements_of(compilation.programs, links)
        told = tell_code(compilation.written, statements)
    return Panel("code", "Code", told)


def _cost(compilation: Compilation, wish: PageOptions) -> Panel:
    width, level = FLOAT_BYTES[compilation.stated.dtype], compilation.options.level
    compiled = {} if crowded(compilation) else compiled_work(compilation.programs)
    return Panel("cost", "Cost", tell_costs(price(compilation), compiled, level, width))


def _check(compilation: Compilation, wish: PageOptions) -> Panel:
    if crowded(compilation):
        told = note("The graph is large: `graphc check --grad` compares its derivatives.")
    elif not wish.check:
        told = note("`graphc check --grad` compares the derivatives with numerical ones.")
    else:
        folder = compilation.folder or Path()
        source, options = compilation.source, compilation.options
        checked = check_derivatives(source, options, folder, LEVELS, wish.place)
        told = tell_checked(checked, paths_of(compilation.stated))
    return Panel("check", "Gradient check", told)
