"""Sums that may have no terms: which of their factors may stand before them.

A sum of nothing is 0, whatever it is of. A factor before it has to be finite: a mean, a maximum or
1 / D of no elements is not, and would make the sum nan.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphc.ir.dims import Dim
from graphc.ir.graph import CONSTANT, DIM, Node, arguments_first
from graphc.ir.loop import BOUND, LOOP
from graphc.ir.memo import memoised
from graphc.ir.types import known_facts
from graphc.ops.elementwise.arithmetic import minus, negative, over, plus, times
from graphc.ops.fused import at_least_one
from graphc.ops.shape.shaping import broadcast_to, expand, reshape, transpose

DEPTH = 6
"""What is looked at is so many arguments away, or nearer."""

_FINITE_OF_FINITE = (times, plus, minus, negative, broadcast_to, expand, reshape, transpose)


def may_stand_outside(factor: Node, sizes: Iterable[Dim], outside: Node) -> bool:
    """Return whether a factor is finite where one of the sizes is 0 and `outside` is not empty.

    What data alone make infinite may stand there: the user's own values are as they are.
    """
    names: set[str] = set()
    for size in sizes:
        if not (never_empty(size) or vanishes(size, outside.type.size)):
            names.update(size.symbols)
    return not names or _is_finite(factor, names, DEPTH)


def never_empty(size: Dim) -> bool:
    """Return whether a size is at least 1, as far as it is known."""
    value = size.constant
    return value > 0 if value is not None else bool(known_facts().nonnegative(size - 1))


def vanishes(count: Dim, size: Dim) -> bool:
    """Return whether a size is 0 wherever a count, a product of dims, is."""
    if len(count.terms) != 1:
        return False
    within = [{atom for atom, _ in monomial} for monomial, _ in size.terms]
    return all(atom in atoms for atom in count.atoms for atoms in within)


def _is_finite(node: Node, names: set[str], depth: int) -> bool:
    """True if a node is finite where these dims may be 0: it is made of what is, or lacks them."""
    if node.op in (CONSTANT, DIM, at_least_one):
        return True
    if depth and node.op in _FINITE_OF_FINITE:
        return all(_is_finite(arg, names, depth - 1) for arg in node.args)
    if depth and node.op is over and node.args[1].op in (CONSTANT, at_least_one):
        return _is_finite(node.args[0], names, depth - 1)
    depends_on = _dims_below(node)
    return depends_on is not None and not depends_on & names


def _dims_below(node: Node) -> frozenset[str] | None:
    """Return the dims on which a value depends, by numbers and shapes; None behind a loop."""
    known = _known_below("")
    for one in arguments_first([node], known):
        found = set(one.attrs["value"].symbols) if one.op is DIM else set[str]()
        found.update(name for size in one.shape for name in size.symbols)
        unknown = one.op in (BOUND, LOOP)
        for arg in one.args:
            below = known[arg]
            unknown = unknown or below is None
            found.update(below or ())
        known[one] = None if unknown else frozenset(found)
    return known[node]


@memoised
def _known_below(_: str) -> dict[Node, frozenset[str] | None]:
    return {}
