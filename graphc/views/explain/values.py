"""What is told of values: their formulas, and the Jacobians by their operands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from graphc.ir.types import Type
from graphc.views.explain.choices import Layout
from graphc.views.explain.derivation import (
    Derivation,
    Edge,
    LoopPart,
    Step,
)
from graphc.views.explain.document import (
    About,
    Code,
    Equation,
    Inline,
    Inlines,
    Inside,
    Items,
    Paragraph,
    Table,
)
from graphc.views.explain.document import Block as Piece
from graphc.views.explain.expression import Expression
from graphc.views.explain.marks import Mark, lowered, operator, row
from graphc.views.explain.notation import arithmetic, notation, size_mark
from graphc.views.explain.wanted import REASONS, Wanted
from graphc.views.explain.words import structure


def tell_steps(steps: Sequence[Step], derivation: Derivation, wanted: Wanted) -> Iterator[Piece]:
    sources = [step for step in steps if step.role in ("input", "parameter")]
    if sources:
        yield Table(
            (("given",), ("shape",), ("",)),
            tuple(
                ((notation(step.symbol),), (shape(step.type),), (step.role,)) for step in sources
            ),
            tuple(step.symbol.data[0] for step in sources),
        )
    for part, some in groupby((s for s in steps if s not in sources), key=lambda one: one.part):
        group = tuple(some)
        if part and len(group) > 1:
            yield from _tell_parts(group, derivation, wanted)
        else:
            for step in group:
                yield from tell_step(step, derivation, wanted)


def _tell_parts(parts: Sequence[Step], derivation: Derivation, wanted: Wanted) -> Iterator[Piece]:
    """Tell selections that have no name in the file together: a line for each."""
    if wanted.level >= REASONS:
        factors = [edge.jacobian.factors for one in parts for edge in one.edges]
        words = structure(factors[0], derivation.layout) if factors else ""
        jacobians = f"; the Jacobian of each is a {words}" if factors else ""
        yield Paragraph((f"Parts of other values, which have no name in the file{jacobians}.",))
    yield Items(
        tuple(
            (equation_of(one.symbol, one.value), f"   {shape(one.type)}")
            for one in parts
            if one.value is not None
        )
    )


def shape(type: Type) -> str:
    return str(type) if type.rank else "a number" if type.dtype == "float" else str(type)


def tell_step(step: Step, derivation: Derivation, wanted: Wanted) -> Iterator[Piece]:
    if step.loop is not None:
        yield from _loop_forward(step.loop, step, derivation, wanted)
    elif step.value is not None:
        told = tuple(_tell_value(step, step.value, derivation, wanted))
        yield About(step.symbol.data[0], False, told)


def _tell_value(
    step: Step, value: Expression, derivation: Derivation, wanted: Wanted
) -> Iterator[Piece]:
    words: Inlines = (Code(step.place),) if step.place else ()
    yield Equation(notation(step.symbol), ((notation(value), words),), shape=shape(step.type))
    if wanted.level < REASONS:
        return
    notes = []
    if step.role == "rule":
        notes.append("The graph states the derivative of this value itself, by a rule.")
    if _has(value, "stop"):
        notes.append("What stands in stop(…) counts as constant: nothing flows back through it.")
    if step.symbol.data[0] in derivation.gradients:
        notes.append("It has a gradient in it, by grad: its derivative is a second derivative.")
    if not step.active and step.type.dtype == "float":
        notes.append("It does not depend on what the derivative is by.")
    if notes:
        yield Paragraph((" ".join(notes),))
    if step.edges:
        yield Items(tuple(_edge(edge, derivation.layout) for edge in step.edges))


def _edge(edge: Edge, layout: Layout) -> Inlines:
    size = row([size_mark(edge.rows), operator("×"), size_mark(edge.columns)])
    left = notation(edge.symbol)
    words = structure(edge.jacobian.factors, layout)
    if edge.jacobian.matrix is None:
        return (left, ", ", size, f": {words}")
    return (row([left, operator("="), notation(edge.jacobian.matrix)]), ", ", size, f": {words}")


def _has(of: Expression, name: str) -> bool:
    return (of.kind == "call" and of.data.name == name) or any(_has(a, name) for a in of.args)


def _loop_forward(
    loop: LoopPart, step: Step, derivation: Derivation, wanted: Wanted
) -> Iterator[Piece]:
    inner: list[Piece] = []
    if loop.returning:
        inner.append(Paragraph(_returning(loop)))
    starts = [equation_of(start, value) for start, value in loop.carried]
    if starts:
        inner.append(Items(tuple(("before the first step ", mark) for mark in starts)))
    inner += [Paragraph(words) for words in _positions(loop)]
    inner += tell_steps(loop.steps, derivation, wanted)
    ends = [equation_of(name, value) for name, value in (*loop.nexts, *loop.collected)]
    if ends:
        inner.append(Items(tuple((mark,) for mark in ends)))
    yield Inside(loop_title(loop, step), tuple(inner))


def tell_carried(loop: LoopPart, step: Step, wanted: Wanted) -> Iterator[Piece]:
    """Tell what a loop carries under the name that is wanted: its start, and what it becomes."""
    pairs = zip(loop.carried, loop.nexts, strict=True)
    for (start, first), (now, value) in pairs:
        if wanted.of(start):
            begins = ("before the first step ", equation_of(start, first))
            yield Inside(loop_title(loop, step), (Items((begins, (equation_of(now, value),))),))


def _returning(loop: LoopPart) -> Inlines:
    """Say what is carried by a loop that is not in the file."""
    said: list[Inline] = ["This loop is made by ", Code("grad"), ": "]
    for place, (value, of) in enumerate(loop.returning):
        said += [
            "; " if place else "",
            notation(value),
            " is what has come back to ",
            Code(of),
            " so far",
        ]
    return (*said, ".")


def _positions(loop: LoopPart) -> Iterator[Inlines]:
    """Yield what a step reads of each array: of those with an index on one axis together."""
    index = index_mark(loop.steps_index)
    indexed: dict[int, list[Expression]] = {}
    for item, source, axis, _ in loop.elements:
        if notation(item) == lowered(notation(source), index):
            indexed.setdefault(axis, []).append(source)
        else:
            yield (notation(item), " is position ", index, " of ", notation(source),
                   f" on axis {axis}.")  # fmt: skip
    for axis, sources in indexed.items():
        of = (" position ", index, " of ", *listed(sources), f" on axis {axis}.")
        one = len(sources) == 1
        yield (
            (lowered(notation(sources[0]), index), " is", *of)
            if one
            else ("The index ", index, " says", *of)
        )


def index_mark(index: str) -> Mark:
    return arithmetic(index.rpartition(",")[2])


def loop_title(loop: LoopPart, step: Step) -> Inlines:
    last = loop.first + loop.count - 1
    order = (
        f"from {last} down to {loop.first}" if loop.backwards else f"from {loop.first} to {last}"
    )
    more = ", until its condition holds" if loop.until else ""
    return ("One step of the loop, ", index_mark(loop.steps_index), f" {order}{more}: ",
            Code(step.place))  # fmt: skip


def equation_of(left: Expression, right: Expression) -> Mark:
    return row([notation(left), operator("="), notation(right)])


def listed(values: Sequence[Expression]) -> Inlines:
    found: list[Inline] = []
    for place, value in enumerate(values):
        if place:
            found.append(" and " if place == len(values) - 1 else ", ")
        found.append(notation(value))
    return tuple(found)
