"""The numbers of a graph -> pieces of a document: what went wrong, a table, loops step by step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from graphc.records import replace
from graphc.views.explain.document import (
    Block,
    Code,
    Document,
    Heading,
    Inline,
    Inlines,
    Items,
    Paragraph,
    Table,
)
from graphc.views.numbers.flow import Flow
from graphc.views.numbers.summary import Summary

if TYPE_CHECKING:
    from graphc.views.numbers.looking import Born, Known, Numbers

SHOWN = 8
"""Steps of a loop of which numbers are written side by side."""


def add_numbers(told: Document, numbers: Numbers, where: str, node: str = "") -> Document:
    """Add to a document the numbers at a point that is called `where`, or those of one value."""
    return replace(told, blocks=(*told.blocks, *tell_numbers(numbers, where, node)))


def tell_numbers(numbers: Numbers, where: str, node: str = "") -> Iterator[Block]:
    """Yield what there is to say of a graph at a point that is called `where`; or of one value."""
    known = [one for one in numbers.known.values() if node in ("", one.name)]
    yield Heading(2, (f"The numbers at {where}",))
    yield Paragraph(_about(numbers))
    if numbers.born is not None:
        yield from tell_birth(numbers.born)
    elif not numbers.finite:
        yield Paragraph(("No point was found at which every value is finite.",))
    remarks = [_flow(one) for one in known if one.flow is not None and one.flow.first]
    if remarks:
        yield Items(tuple(remarks))
    yield Table(
        (("",), ("shape",), ("least",), ("most",), ("norm",), ("derivative",), ("factor",), ("",)),
        tuple(tuple((cell,) for cell in _row(one)) for one in known),
        tuple(one.name for one in known),
    )
    looped = [one for one in known if len(one.steps) > 1 or len(one.adjoint_steps) > 1]
    if looped:
        yield Paragraph(
            ("Step by step, in the order computed: the norm of each value, and that of the "
             "derivative by it, which comes back from the last step to the first.",)
        )  # fmt: skip
        yield Items(tuple(_steps(one) for one in looped))


def _about(numbers: Numbers) -> Inlines:
    of: list[Inline] = []
    for name in numbers.outputs:
        of += [", " if of else "", Code(name)]
    summed = "" if numbers.scalar else "the sum of the elements of "
    sizes = ", ".join(f"{name} = {size}" for name, size in numbers.sizes.items())
    return (
        f"{sizes}. " if sizes else "",
        "A norm is the root of the sum of the squares. The derivative of ", summed, *of,
        " by each value is told by its norm; its factor is that norm relative to the largest of "
        "those that it comes from.",
    )  # fmt: skip


def tell_birth(born: Born) -> Iterator[Block]:
    """Yield where the first value that is not finite comes from."""
    kind = "nan" if math.isnan(born.made) else "infinity"
    within = "".join(f", in step {name} = {step}" for name, step in born.steps.items())
    if born.place:
        what: Inlines = (
            Code(born.variable),
            f", made by {born.operation}{within}, at {born.place}",
        )
    else:
        what = f"the {born.operation} ", Code(born.variable)
    yield Paragraph((f"The first {kind} is ", *what, ":"))
    yield Items(tuple((one,) for one in born.values))


def _flow(one: Known) -> Inlines:
    flow = one.flow
    assert flow is not None
    return Code(one.name), f": {remark(flow)}."


def remark(flow: Flow) -> str:
    """Say what became of an adjoint."""
    if flow.kind == "zero":
        return "nothing comes back: the derivative is 0"
    way = "the largest" if flow.kind == "vanishes" else "the smallest"
    return f"the derivative {flow.kind}: {short(flow.ratio)} times {way} on the way there"


def _row(one: Known) -> Sequence[str]:
    value, adjoint = one.value, one.adjoint
    steps = f" × {len(one.steps)}" if len(one.steps) > 1 else ""
    said = [_not_finite("", value)]
    if adjoint is not None:
        said.append(_not_finite("derivative: ", adjoint))
    said.append(f"← {one.flow.kind}" if one.flow is not None else "")
    return (
        one.name,
        f"[{', '.join(map(str, value.shape))}]{steps}",
        short(value.least) if value.finite else "",
        short(value.most) if value.finite else "",
        short(value.norm) if value.finite else "",
        "" if adjoint is None else norm(adjoint),
        "" if one.gain is None else f"× {short(one.gain)}",
        " ".join(filter(None, said)),
    )


def _not_finite(what: str, one: Summary) -> str:
    found = counted(one)
    return f"{what}{found}" if found else ""


def counted(one: Summary) -> str:
    """Say how many elements are not finite; empty where all are."""
    counts = [(one.nans, "nan"), (one.infinities, "infinite")]
    return ", ".join(f"{count} {kind}" for count, kind in counts if count)


def norm(one: Summary) -> str:
    """Write the norm of what is finite; of what has no such element what it is."""
    if one.finite or not one.size:
        return short(one.norm)
    return "nan" if one.nans else "infinite"


def _steps(one: Known) -> Inlines:
    said: list[Inline] = [Code(one.name), ": "]
    if len(one.steps) > 1:
        said.append(f"value {_some(one.steps)}")
    if len(one.adjoint_steps) > 1:
        said.append(f"{'; ' if len(one.steps) > 1 else ''}derivative {_some(one.adjoint_steps)}")
    return tuple(said)


def _some(steps: Sequence[Summary]) -> str:
    """Write norms, of many steps some at equal distances, the first and the last of them."""
    last, between = len(steps) - 1, " … " if len(steps) > SHOWN else ", "
    places = dict.fromkeys(round(i * last / (SHOWN - 1)) for i in range(SHOWN))
    return between.join(norm(steps[place]) for place in places)


def short(number: float) -> str:
    """Write three digits of a number.

    >>> short(0.123456), short(-1234567.0), short(12.0)
    ('0.123', '-1.23e6', '12')
    """
    mantissa, e, exponent = f"{number:.3g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa
