"""Operations with a leading axis: the rules that a family gives to all of its operations.

A rule gets a node, the arguments that stand for the node's own, which of these have the leading
axis, and its size. It gives the node of the results one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import OPERATORS, BatchRule, Node
from graphc.ir.items import whole
from graphc.ir.types import Shape, same_shape


def over_elements(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
    """Batch what broadcasts: an argument without the leading axis stays as it is."""
    return node.op(*align_operands(args, leads, node.shape), **node.attrs)


def over_rows(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
    """Batch what speaks of axes by `axis`, `items` and `shape`, or only of the last ones.

    Every argument gets the leading axis, which is a view.
    """
    rank = node.args[0].rank
    attrs = {
        name: SHIFTED[name](value, rank, size) if name in SHIFTED else value
        for name, value in node.attrs.items()
    }
    return node.op(*lead_all(args, leads, size), **attrs)


def with_attrs(shift: Callable[..., dict[str, Any]]) -> BatchRule:
    """Batch by attributes: `shift(size, x, …, **attrs)` gives them for the leading axis."""

    def rule(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
        return node.op(*lead_all(args, leads, size), **shift(size, *node.args, **node.attrs))

    return rule


# ---- attributes ------------------------------------------------------------------------------


def _axis(axis: Any, rank: int, size: Dim) -> Any:
    """Shift one axis, several, or None for all: those counted from the right stay."""
    if axis is None:
        return tuple(range(1, rank + 1))
    if isinstance(axis, tuple):
        return tuple(_axis(one, rank, size) for one in axis)
    return axis + 1 if axis >= 0 else axis


SHIFTED: dict[str, Callable[[Any, int, Dim], Any]] = {
    "axis": _axis,
    "items": lambda items, rank, size: (whole(size), *items),
    "shape": lambda shape, rank, size: (size, *shape),
}
"""What becomes of the attributes that count axes from the left."""


# ---- arguments -------------------------------------------------------------------------------


def lead_all(args: Sequence[Node], leads: Sequence[bool], size: Dim) -> list[Node]:
    """Give all arguments the leading axis."""
    return [
        arg if led else OPERATORS["broadcast_to"](arg, shape=(size, *arg.shape))
        for arg, led in zip(args, leads, strict=True)
    ]


def align_operands(
    args: Sequence[Node], leads: Sequence[bool], shape: Shape, core: int = 0
) -> list[Node]:
    """Reshape arguments that broadcast to `shape` to do so with the leading axis before it.

    The last `core` axes of each are no part of that. Axes of length 1 come after the leading one.
    Where one of that rank is stretched, the others need that rank too, since types let only the
    lower of two ranks stretch.
    """
    rank = len(shape) + 1 + core
    full = [pad_rank(arg, 1, rank) if led else arg for arg, led in zip(args, leads, strict=True)]
    batches = [arg.shape[1 : rank - core] for arg, led in zip(full, leads, strict=True) if led]
    if all(same_shape(batch, shape) for batch in batches):
        return full
    return [pad_rank(arg, 0, rank) if arg.rank > core else arg for arg in full]


def pad_rank(x: Node, place: int, rank: int) -> Node:
    """Insert as many axes of length 1 from this place on as give the rank."""
    missing = tuple(range(place, place + rank - x.rank))
    return OPERATORS["expand"](x, axes=missing) if missing else x


def first(x: Node, axis: int) -> Node:
    """Move an axis to the front."""
    rest = (i for i in range(x.rank) if i != axis)
    return OPERATORS["permute"](x, axes=(axis, *rest)) if axis else x
