"""What is told of derivatives: the terms of each, the form that these become, and the reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphc.views.explain.derivation import (
    AdjointStep,
    AdjointTerm,
    Derivation,
    LoopPart,
    Step,
)
from graphc.views.explain.document import (
    About,
    Code,
    Equation,
    Inlines,
    Inside,
    Items,
    Paragraph,
)
from graphc.views.explain.document import Block as Piece
from graphc.views.explain.expression import Expression, added
from graphc.views.explain.marks import Mark
from graphc.views.explain.notation import notation
from graphc.views.explain.values import (
    equation_of,
    index_mark,
)
from graphc.views.explain.wanted import REASONS, Wanted
from graphc.views.explain.words import forms


def tell_backward(derivation: Derivation, wanted: Wanted) -> Iterator[Piece]:
    numerator = derivation.layout == "numerator"
    yield Paragraph(
        ("The derivative by a value is the sum of what comes back from its children, the values "
         "that are computed of it: of each, its own derivative ",
         "times the Jacobian." if numerator else "behind the Jacobian.")
    )  # fmt: skip
    yield from tell_adjoints(derivation.adjoints, derivation.steps, derivation, wanted, {})


def tell_adjoints(
    adjoints: Sequence[AdjointStep],
    steps: Sequence[Step],
    derivation: Derivation,
    wanted: Wanted,
    reasons: Reasons,
) -> Iterator[Piece]:
    """Tell derivatives in their order, and loops among these steps where they are come back to."""
    loops = [(step.loop, step) for step in reversed(steps) if step.loop is not None]
    for one in adjoints:
        back = {part.child for part in one.parts if part.product is None}
        for loop, step in [each for each in loops if back & set(each[0].entries)]:
            loops.remove((loop, step))
            yield _loop_backward(loop, step, derivation, wanted, reasons)
        yield tell_adjoint(one, derivation, wanted, reasons)


def _loop_backward(
    loop: LoopPart, step: Step, derivation: Derivation, wanted: Wanted, reasons: Reasons
) -> Inside:
    order = "first to the last" if loop.backwards else "last to the first"
    inner: list[Piece] = [Paragraph((f"The steps go from the {order}; after the last one comes",))]
    inner.append(Items(tuple((equation_of(end, value),) for end, value in loop.ends)))
    inner += tell_adjoints(loop.adjoints, loop.steps, derivation, wanted, reasons)
    return Inside(("Backward through the loop, a step ", index_mark(loop.steps_index), ": ",
                   Code(step.place)), tuple(inner))  # fmt: skip


Reasons = dict[str, Expression]
"""The reasons that were given, and for which derivative."""


def tell_adjoint(
    one: AdjointStep, derivation: Derivation, wanted: Wanted, reasons: Reasons
) -> About:
    return About(one.of.data[0], True, tuple(_tell_terms(one, derivation, wanted, reasons)))


def _tell_terms(
    one: AdjointStep, derivation: Derivation, wanted: Wanted, reasons: Reasons
) -> Iterator[Piece]:
    rights: list[tuple[Mark, Inlines]] = []
    products = [part.product for part in one.parts if part.product is not None]
    whole = len(products) == len(one.parts)
    if products and whole:
        rights.append((notation(added(products)), ("the chain rule",)))
    values = added([part.value for part in one.parts]) if one.parts else None
    if values is not None:
        rights.append((notation(values), ()))
    yield Equation(notation(one.symbol), tuple(rights), shape=_laid(one, derivation))
    if wanted.level < REASONS:
        return
    items: list[Inlines] = [
        _part(part, derivation, reasons, one, len(one.parts) > 1) for part in one.parts
    ]
    if len(one.parts) > 1:
        items.append((f"{len(one.parts)} terms, one for each way out of ", notation(one.of),
                      _shared(one, derivation)))  # fmt: skip
    yield Items(tuple(items))


def _shared(one: AdjointStep, derivation: Derivation) -> str:
    if any(s.symbol == one.of and s.role == "parameter" for s in derivation.every_step()):
        return ": a shared parameter gets the sum"
    return ": what comes back adds up"


def _laid(one: AdjointStep, derivation: Derivation) -> str:
    """Write the shape of a derivative, as the layout has it."""
    axes = [str(axis) for axis in one.symbol.shape]
    if not axes:
        return "a number"
    if one.type.rank == 1:
        return f"[{one.type.shape[0]}], a {'row' if derivation.layout == 'numerator' else 'column'}"
    return f"[{', '.join(axes)}]"


def _part(
    part: AdjointTerm, derivation: Derivation, reasons: Reasons, one: AdjointStep, several: bool
) -> Inlines:
    """Write what is said of a term; a reason that was given already is not said again."""
    if part.child is None:
        if part.value.kind == "number":
            return ("the derivative of the result by itself",)
        if part.value.kind == "seed":
            return ("given: the derivative by this output",)
        return ("from the step after, or from what is collected: ", notation(part.value))
    assert part.jacobian is not None
    name, reason = forms(part.jacobian.factors, derivation.layout)
    if part.skip:
        name = "the skip edge, as it is"
    start: Inlines = ("from ", notation(part.child), ": ") if part.product is not None else ()
    shown: Inlines = (notation(part.value), ": ") if several or part.product is None else ()
    known = reasons.get(reason)
    if known is not None:
        return (*start, *shown, f"{name}, as for ", notation(known), ".")
    reasons[reason] = one.symbol
    return (*start, *shown, f"{name}, since {reason}.")
