"""Lower bounds of values, known before they are computed; and that they are not tiny."""

from __future__ import annotations

import math

from graphc.ir.graph import CONSTANT, DIM, Node
from graphc.ir.types import known_facts
from graphc.ops.define.families import normal_axes
from graphc.ops.elementwise.arithmetic import (
    absolute,
    accumulate,
    equal,
    maximum,
    minimum,
    minus,
    over,
    plus,
    times,
    where,
)
from graphc.ops.elementwise.elementary import exp, sqrt
from graphc.ops.fused import peak, square
from graphc.ops.reduce.reduction import mean, sum_
from graphc.ops.shape.shaping import broadcast_to, expand, in_rows, reshape, transpose

DEPTH = 6
"""What is looked at is so many arguments away, or nearer."""

TINY = 1e-30
"""From here on 1 / x is a number in float32 too."""

_MOVED = (broadcast_to, expand, reshape, transpose)


def at_least(node: Node, depth: int = DEPTH) -> float:
    """Return a bound that no element is below; nan is left aside, and so are the dims."""
    if node.op is CONSTANT:
        return float(node.value) if node.rank == 0 else -math.inf
    if node.op is DIM:
        return 0.0
    if depth == 0:
        return -math.inf
    below = [at_least(arg, depth - 1) for arg in node.args]
    match node.op:
        case op if op in _MOVED:
            return below[0]
        case op if op in (square, absolute, exp):
            return 0.0
        case op if op is times and node.args[0] is node.args[1]:
            return 0.0
        case op if op in (plus, accumulate):
            return sum(below)
        case op if op in (times, over) and min(below) >= 0:
            return 0.0
        case op if op in (sum_, mean) and below[0] >= 0:
            return 0.0
        case op if op is maximum:
            return max(below)
        case op if op is minimum:
            return min(below)
        case op if op is sqrt:
            return math.sqrt(max(below[0], 0.0))
    return -math.inf


def never_tiny(node: Node) -> bool:
    """True if 1/node cannot overflow, except at exact zeros.

    A root is never tiny, since its square would be no float. The largest term of a sum of shifted
    exponentials is 1, unless the sum is 0 or no number.
    """
    while node.op in _MOVED:
        node = node.args[0]
    if node.op is CONSTANT and node.rank == 0:
        return bool(abs(node.value) >= TINY)
    if node.op in (DIM, sqrt):
        return True
    guarded = _match_guard(node)
    if guarded is not None:  # a sum of nothing, too, is something else than 0 then
        return never_tiny(node.args[1]) and (never_tiny(guarded) or _is_total_of_shifted(guarded))
    return at_least(node) >= TINY or (_is_total_of_shifted(node) and _sums_something(node))


def _match_guard(node: Node) -> Node | None:
    """Match where(x == 0, other, x); returns x."""
    if node.op is not where or node.args[0].op is not equal:
        return None
    x, zero = node.args[0].args
    return x if node.args[2] is x and zero.value == 0 else None


def _is_total_of_shifted(node: Node) -> bool:
    """True for sum(exp(x - m)), with m the largest element of x along the same axes.

    Both may be of the same array with its axes in other orders.
    """
    if node.op is not sum_ or node.args[0].op is not exp or node.args[0].args[0].op is not minus:
        return False
    x, shift = node.args[0].args[0].args
    top = _axes_of_peak(shift)
    if top is None:
        return False
    whole, axes = top
    if x is not whole and (x.op is not transpose or x.args[0] is not whole):
        return False
    own = range(x.rank) if x is whole else x.attrs["axes"]
    gone = normal_axes(node.attrs["axis"], x.rank, "sum")
    return axes == tuple(None if axis in gone else one for axis, one in enumerate(own))


def _axes_of_peak(node: Node) -> tuple[Node, tuple[int | None, ...]] | None:
    """Match the largest elements of an array along axes: it, and its axis that each axis is.

    None is an axis along which the largest were taken, with length 1.
    """
    views: list[Node] = []
    while node.op in (minimum, expand, transpose, in_rows):
        views.append(node)
        node = node.args[0]
    if node.op is not peak:
        return None
    (whole,) = node.args
    gone = normal_axes(node.attrs["axis"], whole.rank, "max")
    kept = node.attrs["keepdims"]
    axes = [None if i in gone else i for i in range(whole.rank) if kept or i not in gone]
    for view in reversed(views):
        if view.op is transpose:
            axes = [axes[axis] for axis in view.attrs["axes"]]
        elif view.op is expand:
            rest = iter(axes)
            axes = [None if i in view.attrs["axes"] else next(rest) for i in range(view.rank)]
        elif view.op is minimum and view.args[1].rank:
            return None
    return whole, tuple(axes)


def _sums_something(node: Node) -> bool:
    """True if a sum has terms at all sizes; 0 divided by it would warn only where it is 0."""
    x = node.args[0]
    axes = normal_axes(node.attrs["axis"], x.rank, "sum")
    return all(known_facts().nonnegative(x.shape[axis] - 1) for axis in axes)
