"""Permutations and changes of shape: what they do to axes, and how they are done in one."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.graph import Node
from graphc.ir.types import is_one, same_shape
from graphc.ops.shape.shaping import expand, reshape, transpose

Order = tuple[int, ...]


def look_through(node: Node) -> tuple[Node, Order]:
    """Return the node behind permutations, and which of its axes each axis is."""
    axes = tuple(range(node.rank))
    while node.op is transpose or (
        node.op is reshape and same_shape(node.shape, node.args[0].shape)
    ):
        if node.op is transpose:
            axes = tuple(node.attrs["axes"][axis] for axis in axes)
        node = node.args[0]
    return node, axes


def permute(x: Node, order: Sequence[int]) -> Node:
    """Permute the axes of an operand, which may be repeated along axes."""
    if not x.rank:
        return x
    missing = len(order) - x.rank
    full = expand(x, axes=tuple(range(missing))) if missing else x
    if full.op is not expand:
        return _in_order(full, tuple(order))
    new = set(full.attrs["axes"])
    old = [axis for axis in range(full.rank) if axis not in new]
    inner = _in_order(full.args[0], tuple(old.index(axis) for axis in order if axis not in new))
    places = tuple(place for place, axis in enumerate(order) if axis in new)
    in_front = places == tuple(range(len(places))) and not any(map(is_one, inner.shape))
    return inner if missing and in_front else expand(inner, axes=places)


def _in_order(x: Node, order: Order) -> Node:
    """Permute axes: two permutations become one, none where they cancel."""
    if x.op is transpose:
        order, x = tuple(x.attrs["axes"][axis] for axis in order), x.args[0]
    return x if order == tuple(range(x.rank)) else transpose(x, axes=order)
