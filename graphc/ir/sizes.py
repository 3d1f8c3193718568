"""Sizes: limits on those that a file asks for, Exceeded where one passes them; typical ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from itertools import count as counting

from graphc.ir.dims import MEMO_SIZE, NAME_IT, Atom, Dim, from_atom, map_atoms, sum_dims
from graphc.limits import (
    DIM_FACTORS,
    DIM_POWER,
    ELEMENTS,
    INTEGER,
    RANK,
    SIZE_TERMS,
    Exceeded,
)

TYPICAL = 32
"""The size that a dim is taken to have, where equal programs are compared and nothing says it."""


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
    for more in counting():
        try:
            return dim.evaluate({name: size + more for name, size in sizes.items()})
        except ZeroDivisionError:
            continue
    raise AssertionError


def typical(dim: Dim, known: Mapping[str, int] | None = None) -> int:
    """Return a size with 32 for each dim that is not known."""
    if dim.constant is not None:
        return dim.constant
    if not known:
        return _usual(dim)
    return estimate(dim, {**dict.fromkeys(dim.symbols, TYPICAL), **known})


@lru_cache(MEMO_SIZE)
def _usual(dim: Dim) -> int:
    return estimate(dim, dict.fromkeys(dim.symbols, TYPICAL))


def at_most(dim: Dim, index: str, first: Dim, count: Dim) -> Dim:
    """Return what a dim of a step does not exceed in any step of a loop, without its index.

    >>> t, T = Dim.symbol("t"), Dim.symbol("T")
    >>> str(at_most(t, "t", Dim.of(0), T)), str(at_most(T - t, "t", Dim.of(1), T - 1))
    ('T', 'T - 1')
    """
    if index not in dim.symbols:
        return dim
    return _bound(dim.substitute({index: first + Dim.symbol(index)}), index, count, above=True)


def _bound(dim: Dim, index: str, count: Dim, *, above: bool) -> Dim:
    """Bound a dim, whose index goes from 0 to a count, from above or from below."""

    def bound(atom: Atom, above: bool) -> Dim:
        if index not in from_atom(atom).symbols:
            return from_atom(atom)
        if isinstance(atom, str):
            return count if above else Dim.of(0)
        if index in atom.denominator.symbols:
            return _bound(atom.numerator, index, count, above=True) if above else Dim.of(0)
        return _bound(atom.numerator, index, count, above=above) // atom.denominator

    return sum_dims(
        map_atoms(Dim((term,)), partial(bound, above=above == (term[1] > 0))) for term in dim.terms
    )


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
