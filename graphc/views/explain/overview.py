"""What there is in a graph of many values: kinds of them, told apart by names without numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from graphc.records import dataclass
from graphc.views.explain.derivation import Derivation, Step
from graphc.views.explain.document import Block, Code, Inlines, Paragraph, Table
from graphc.views.explain.marks import joined
from graphc.views.explain.notation import notation
from graphc.views.explain.values import shape

MANY = 100
"""Values and what they are given of: from so many on they are told by kind first."""

LISTED = 40
"""Rows of the table, at most."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Steps whose names differ in their numbers alone, of the same role and type."""

    steps: tuple[Step, ...]
    within: str


def is_large(derivation: Derivation) -> bool:
    """Return whether a derivation begins with what there is."""
    return sum(1 for _ in derivation.every_step()) >= MANY


def tell_overview(derivation: Derivation) -> Iterator[Block]:
    """Say how many values there are, and of which kinds."""
    steps = [step for step in derivation.every_step() if step.loop is None]
    given = [step for step in steps if is_given(step)]
    inputs = sum(step.role == "input" for step in given)
    values = _counted(len(steps) - len(given), "value")
    parameters = _counted(len(given) - inputs, "parameter")
    said = f"{values}, computed of {_counted(inputs, 'input')} and {parameters}."
    more = " Names that differ in a number are told together here. "
    asking = (Code("graphc explain --node NAME"), " tells one value, ", Code("--level sentence"))
    yield Paragraph((said, more, *asking, " a sentence for each derivative."))
    kinds = kinds_of(derivation)
    rows = tuple(_row(kind) for kind in kinds[:LISTED])
    names = tuple(" ".join(step.symbol.data[0] for step in kind.steps) for kind in kinds[:LISTED])
    yield Table((("name",), ("shape",), ("what",)), rows, names)
    if len(kinds) > LISTED:
        yield Paragraph((f"And {len(kinds) - LISTED} kinds more.",))


def computed(steps: Sequence[Step]) -> list[Step]:
    """Return the steps that are not given."""
    return [step for step in steps if not is_given(step)]


def is_given(step: Step) -> bool:
    return step.role in ("input", "parameter")


def kinds_of(derivation: Derivation) -> list[Kind]:
    """Return what there is by kind, in the order of the first of each."""
    found: dict[tuple[str, str, str, str], list[Step]] = {}
    for step, within in _with_loops(derivation.steps, ""):
        called = re.sub(r"\d+", "#", step.symbol.data[0])
        role = step.role if is_given(step) else "value"
        found.setdefault((called, role, shape(step.type), within), []).append(step)
    return [Kind(tuple(steps), within) for (*_, within), steps in found.items()]


def _with_loops(steps: Sequence[Step], within: str) -> Iterator[tuple[Step, str]]:
    """Yield steps with the loop that they lie in; a loop is told by what is in it."""
    for step in steps:
        if step.loop is None:
            yield step, within
        else:
            yield from _with_loops(step.loop.steps, step.place)


def _row(kind: Kind) -> tuple[Inlines, ...]:
    first, last = kind.steps[0], kind.steps[-1]
    marks = [notation(step.symbol) for step in ((first, last) if first is not last else (first,))]
    count = len(kind.steps)
    if is_given(first):
        what: Inlines = (first.role if count == 1 else _counted(count, first.role),)
    else:
        said = "" if count == 1 else f"{_counted(count, 'value')}, the first "
        what = (said, Code(first.place)) if first.place else (said or "value",)
    where: Inlines = (f"{', ' if what[-1] else ''}in a loop",) if kind.within else ()
    return (joined(marks, "…"),), (shape(first.type),), (*what, *where)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
