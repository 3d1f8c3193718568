"""Limits on the dims and shapes that a file asks for: Exceeded where one passes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from graphc.ir.dims import NAME_IT, Dim
from graphc.limits import (
    DIM_FACTORS,
    DIM_POWER,
    ELEMENTS,
    INTEGER,
    RANK,
    SIZE_TERMS,
    Exceeded,
)


def check_dim(dim: Dim) -> Dim:
    """Return a dim that may be written in a file; raises Exceeded for any other."""
    for monomial, coefficient in dim.terms:
        if abs(coefficient) > INTEGER:
            raise Exceeded(
                f"an integer here is beyond int64, whose largest is {INTEGER}",
                "write numbers of that size as floats: `1e20`",
            )
        if sum(power for _, power in monomial) > DIM_POWER:
            raise Exceeded(f"a dim is raised to a power beyond {DIM_POWER}")
    if dim.factors > DIM_FACTORS:
        message = f"a dim has {dim.factors} factors when it is written out"
        raise Exceeded(f"{message}; at most {DIM_FACTORS}", NAME_IT)
    return dim


def estimate(dim: Dim, sizes: Mapping[str, int]) -> int:
    """Evaluate at these sizes, or near them where one divides by zero."""
    for more in count():
        try:
            return dim.evaluate({name: size + more for name, size in sizes.items()})
        except ZeroDivisionError:
            continue
    raise AssertionError


def check_shape(shape: Sequence[Dim]) -> None:
    """Raise Exceeded for an array that no machine holds, or whose size is long to reckon with."""
    elements = terms = 1
    for axis in shape:
        terms *= len(axis.terms) or 1
        elements *= axis.offset if axis.constant is not None else 1
    if len(shape) > RANK:
        raise Exceeded(f"an array here has {len(shape)} axes; NumPy has at most {RANK}")
    if elements > ELEMENTS:
        message = f"an array here has more than 2**{ELEMENTS.bit_length() - 1} elements"
        raise Exceeded(message, "check the sizes")
    if terms > SIZE_TERMS:
        message = f"the size of an array here has {terms} terms when it is written out"
        raise Exceeded(f"{message}; at most {SIZE_TERMS}", NAME_IT)
