"""Axis maps: for each argument and each of its axes the axis of the result that it becomes.

Slice i of the result along that axis depends, through this argument, on slice i of the argument
alone, and both axes have one size. None says that the operation mixes, selects or repeats there.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.dims import Dim, only_floor
from graphc.ir.graph import AxisMap, AxisRule, Node
from graphc.ir.types import Shape, product, same


def by_name(node: Node) -> AxisMap:
    """Axes that are not named stay, and move up where named ones before them go."""
    if "axis" not in node.attrs:
        return tuple((None,) * arg.rank for arg in node.args)
    return tuple(_but_named(node.attrs["axis"], arg.rank, node.rank) for arg in node.args)


def _but_named(axis: Any, rank: int, left: int) -> tuple[int | None, ...]:
    if axis is None:
        return (None,) * rank
    named = {one % rank for one in (axis if isinstance(axis, tuple) else (axis,))}
    gone = named if left < rank else set()
    return tuple(None if i in named else i - sum(other < i for other in gone) for i in range(rank))


def from_the_right(node: Node) -> AxisMap:
    """Map the axes of what broadcasts: an axis that is stretched is no axis of the result."""
    return tuple(broadcast_axes(node, slot, 0, 0) for slot in range(len(node.args)))


def batch_axes(*cores: int, result: int) -> AxisRule:
    """Map all axes but the last `cores` of each argument, the last `result` of the result."""

    def rule(node: Node) -> AxisMap:
        return tuple(broadcast_axes(node, slot, core, result) for slot, core in enumerate(cores))

    return rule


def per_window(before: int, after: int) -> AxisRule:
    """As `batch_axes`, of arguments and results with so many axes for each axis of windows."""

    def rule(node: Node) -> AxisMap:
        windows = len(node.attrs["stride"])
        return batch_axes(before * windows, result=after * windows)(node)

    return rule


def broadcast_axes(node: Node, slot: int, core: int, last: int) -> tuple[int | None, ...]:
    """Map an argument's axes but the last ones, as they broadcast."""
    arg = node.args[slot]
    shift = (node.rank - last) - (arg.rank - core)
    return tuple(
        i + shift if i < arg.rank - core and same(size, node.shape[i + shift]) else None
        for i, size in enumerate(arg.shape)
    )


def reshape_help(size: Dim, shape: Shape) -> str | None:
    """For the axis of -1 that NumPy computes, and for a division that need not be exact."""
    for place, axis in enumerate(shape):
        others = product((*shape[:place], *shape[place + 1 :]))
        if axis.constant == -1:
            missing = size // others if others.terms else Dim.of(0)
            here = f", here `{missing}`" if same(missing * others, size) else ""
            return f"there is no -1: write the size{here}"
        floor = only_floor(axis)
        if floor and same(others * floor.numerator, size * floor.denominator):
            sides = (floor.numerator, floor.denominator)
            over, under = (f"{side}" if side.is_atomic else f"({side})" for side in sides)
            return f"state that it is exact: `require {over} % {under} == 0`"
    return None
