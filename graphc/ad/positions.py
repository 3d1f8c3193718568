"""Where a node has the positions of an axis, and its slices by position."""

from __future__ import annotations

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.types import product, same
from graphc.ops.define.batching import first
from graphc.ops.elementwise.arithmetic import where
from graphc.ops.linear.diagonals import eye
from graphc.ops.shape.shaping import broadcast_to, expand, reshape
from graphc.records import dataclass, field


@dataclass(frozen=True, slots=True)
class Apart:
    """Where a node has the axis: axis `axis` is outer × P × inner, row by row."""

    axis: int
    outer: Dim = field(default_factory=lambda: Dim.of(1))
    inner: Dim = field(default_factory=lambda: Dim.of(1))

    def at(self, axis: int) -> Apart:
        return Apart(axis, self.outer, self.inner)


def axis_in_reshape(node: Node, place: Apart, per: Dim) -> Apart | None:
    """Return the axis of the result in which the positions lie, whatever else lies in it."""
    before = product(node.args[0].shape[: place.axis]) * place.outer
    for axis, size in enumerate(node.shape):
        lead = product(node.shape[:axis])
        outer = _quotient(before, lead)
        inner = None if outer is None else _quotient(size, outer * per)
        if outer is not None and inner is not None:
            return Apart(axis, outer, inner)
    return None


def _quotient(size: Dim, by: Dim) -> Dim | None:
    """Return size / by where that is whole, else None."""
    if by.constant == 0:
        return None
    quotient = size // by
    return quotient if same(quotient * by, size) else None


def positions_first(x: Node, place: Apart, per: Dim) -> Node:
    """Return [P, …]: the positions first; what else lies in their axis stays in its place."""
    sliced = slices_of(x, place, per)
    if place.outer.constant == 1 and place.inner.constant == 1:
        shape = tuple(n for i, n in enumerate(x.shape) if i != place.axis)
        return reshape(sliced, shape=(per, *shape))
    return sliced


def slices_of(x: Node, place: Apart, per: Dim) -> Node:
    """Return [P, *shape], in which the axis is only what lies in it beside the positions."""
    axis, shape = place.axis, x.shape
    if place.outer.constant == 1 and place.inner.constant == 1:
        front = first(x, axis)
        return expand(front, axes=(axis + 1,))
    parted = reshape(x, shape=(*shape[:axis], place.outer, per, place.inner, *shape[axis + 1 :]))
    front = first(parted, axis + 1)
    rest = place.outer * place.inner
    return reshape(front, shape=(per, *shape[:axis], rest, *shape[axis + 1 :]))


def spread_rows(x: Node, place: Apart, per: Dim) -> Node:
    """Return [P, *shape]: position p of x in row p, and zeros elsewhere."""
    axis, shape = place.axis, x.shape
    parted = (*shape[:axis], place.outer, per, place.inner, *shape[axis + 1 :])
    mask = reshape(
        eye(per),
        shape=(per, *(per if i == axis + 1 else Dim.of(1) for i in range(len(parted)))),
    )
    rows = where(mask > 0, expand(reshape(x, shape=parted), axes=(0,)), 0.0)
    return reshape(broadcast_to(rows, shape=(per, *parted)), shape=(per, *shape))
