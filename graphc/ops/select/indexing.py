"""Elements chosen by index arrays, marked and added up by index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import AxisMap, Node, Op
from graphc.ir.kernel import Put, Take
from graphc.ir.types import Mismatch, Type, demand, same, same_shape, shape_text
from graphc.ops.define.axis_maps import batch_axes, by_name
from graphc.ops.define.batching import first, lead_all, pad_rank
from graphc.ops.define.families import (
    CAST,
    composite,
    linear,
    normal_axis,
    to_int,
)
from graphc.ops.elementwise.arithmetic import equal
from graphc.ops.shape.shaping import (
    arange,
    broadcast_to,
    expand,
    flatten,
    reshape,
    transpose,
)

# ---- positions of one axis ----------------------------------------------------------------------


def _pick_type(x: Type, label: Type) -> Type:
    if x.rank < 1 or label.dtype != "int" or len(label.shape) != x.rank - 1:
        raise Mismatch("E301", f"`pick` takes [..., C] and int[...], found {x} and {label}")
    if not all(map(same, x.shape[:-1], label.shape)):
        raise Mismatch("E301", f"shapes do not fit in `pick`: {x} and {label}")
    return x.with_shape(x.shape[:-1])


def _unpick_type(ct: Type, label: Type, *, size: Dim) -> Type:
    """Infer a row for each label; of a scalar, every label gets the same."""
    if ct.rank and not same_shape(ct.shape, label.shape):
        raise Mismatch("E301", f"shapes do not fit in `unpick`: {ct} and {label}")
    return ct.with_shape((*label.shape, size))


pick: Op = linear(
    "pick",
    infer=_pick_type,
    kernel=Take("label"),
    transpose=lambda ct, x, label: (unpick(ct, label, size=x.shape[-1]), None),
    signature="x, label",
    axes=batch_axes(1, 0, result=0),
    doc="For each row the element that its label names: x[..., label].",
)
unpick: Op = linear(
    "unpick",
    infer=_unpick_type,
    kernel=Put("label"),
    transpose=lambda ct, x, label, size: (pick(ct, label), None),
    public=False,
    axes=batch_axes(0, 0, result=1),
    doc="Zeros, but for the element of each row that its label names: the transpose of `pick`.",
)


def _gather_type(x: Type, indices: Type, *, axis: int) -> Type:
    return x.with_shape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def _positions(indices: Node, size: Dim, length: Dim) -> Node:
    """Number each row's indices in an axis on which all rows are laid end to end.

    Taking them from 0, 1, … counts them from the front, and an index outside is an error.
    """
    inside = gather(arange(n=length), indices, axis=0)
    return inside + pad_rank(arange(n=size) * length, 1, indices.rank)


def _move_axes(x: Node, start: int, count: int, to: int) -> Node:
    """So many axes moved to another place."""
    rest = [i for i in range(x.rank) if not start <= i < start + count]
    rest[to:to] = range(start, start + count)
    return x if rest == list(range(x.rank)) else transpose(x, axes=tuple(rest))


def _gather_batch(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
    x, indices = args
    axis: int = node.attrs["axis"]
    if not leads[1]:
        return gather(x, indices, axis=axis + 1)
    if not leads[0]:
        return first(gather(x, indices, axis=axis), axis)
    rows = _move_axes(x, axis + 1, 1, 1)
    length = rows.shape[1]
    rows = reshape(rows, shape=(size * length, *rows.shape[2:]))
    found = gather(rows, _positions(indices, size, length), axis=0)
    return _move_axes(found, 1, indices.rank - 1, axis + 1)


def _gather_axes(node: Node) -> AxisMap:
    axis, indices = node.attrs["axis"], node.args[1].rank
    return (
        tuple(
            None if i == axis else i if i < axis else i - 1 + indices
            for i in range(node.args[0].rank)
        ),
        tuple(range(axis, axis + indices)),
    )


gather: Op = linear(
    "gather",
    infer=_gather_type,
    kernel=Take("axis"),
    transpose=lambda ct, x, indices, axis: (
        scatter(ct, indices, axis=axis, size=x.shape[axis]),
        None,
    ),
    public=False,
    batch=_gather_batch,
    axes=_gather_axes,
    doc="The positions of one axis that an index array names.",
)


def scatter_type(ct: Type, indices: Type, *, axis: int, size: Dim) -> Type:
    return ct.with_shape((*ct.shape[:axis], size, *ct.shape[axis + indices.rank :]))


def scatter_batch(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
    """Batch what puts each position of an axis where its index says, into an axis of a size."""
    ct, indices = args
    axis, length = node.attrs["axis"], node.attrs["size"]
    if not leads[1]:
        return node.op(ct, indices, axis=axis + 1, size=length)
    (ct,) = lead_all((ct,), leads[:1], size)
    rows = _move_axes(ct, axis + 1, indices.rank - 1, 1)
    total = node.op(rows, _positions(indices, size, length), axis=0, size=size * length)
    parted = reshape(total, shape=(size, length, *total.shape[1:]))
    return _move_axes(parted, 1, 1, axis + 1)


def scatter_axes(node: Node) -> AxisMap:
    axis, indices = node.attrs["axis"], node.args[1].rank
    return (
        tuple(
            i if i < axis else None if i < axis + indices else i - indices + 1
            for i in range(node.args[0].rank)
        ),
        (None,) * indices,
    )


scatter: Op = linear(
    "scatter",
    infer=scatter_type,
    kernel=Put("axis", add=True),
    transpose=lambda ct, x, indices, axis, size: (gather(ct, indices, axis=axis), None),
    prepare=lambda args: (to_int(args[0]), args[1]),
    flops=lambda node: node.args[0].type.size,
    public=False,
    batch=scatter_batch,
    axes=scatter_axes,
    doc="Zeros to which each position is added where its index says: the transpose of `gather`.",
)


def check_indices(indices: Node, what: str) -> None:
    if indices.type.dtype != "int":
        raise Mismatch("E308", f"an index of `{what}` is an integer, found {indices.type}")


def _in_range(indices: Node, x: Type, axis: int) -> None:
    """Indices that are written in the file lie inside an axis; those that are given may not."""
    if indices.value is None or not indices.type.size.constant:
        return
    places = tuple(_numbers(indices.value))
    for place, room in (
        (max(places), x.shape[axis] - 1 - max(places)),
        (min(places), x.shape[axis] + min(places)),
    ):
        demand(room, Mismatch("E308", f"index {place} is outside axis {axis} of {x}"))


def _numbers(value: Any) -> Iterator[int]:
    """Yield the numbers of a nested tuple."""
    if isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
    else:
        yield value


@composite(
    "take",
    "x, indices, axis: axis = none",
    "The positions of an axis that `indices` name; without one, of the flattened array.",
)
def take(x: Node, indices: Node, axis: int | None = None) -> Node:
    check_indices(indices, "take")
    if axis is None:
        x, axis = flatten(x), 0
    place = normal_axis(axis, x.rank, "take")
    _in_range(indices, x.type, place)
    return gather(x, indices, axis=place)


@composite(
    "scatter_add",
    "x, indices, updates, axis: axis = 0",
    "x with each position of `updates` added to the position of an axis that its index names.",
)
def scatter_add(x: Node, indices: Node, updates: Node, axis: int = 0) -> Node:
    check_indices(indices, "scatter_add")
    place = normal_axis(axis, x.rank, "scatter_add")
    shape = (*x.shape[:place], *indices.shape, *x.shape[place + 1 :])
    fitted = broadcast_to(updates, shape=shape)
    return x + scatter(fitted, indices, axis=place, size=x.shape[place])


@composite("one_hot", "ids, n: int", "1 at the place that each id names, of n, else 0.")
def one_hot(ids: Node, n: Dim) -> Node:
    check_indices(ids, "one_hot")
    places = expand(arange(n=n), axes=tuple(range(ids.rank)))
    return CAST(equal(expand(ids, axes=(ids.rank,)), places))


# ---- along an axis, row by row ------------------------------------------------------------------


take_along: Op = linear(
    "take_along",
    infer=lambda x, indices, *, axis, unique: x.with_shape(indices.shape),
    kernel=Take("along"),
    transpose=lambda ct, x, indices, axis, unique: (
        _add_along(ct, indices, axis=axis, unique=unique, size=x.shape[axis]),
        None,
    ),
    public=False,
    axes=lambda node: (by_name(node)[0], tuple(range(node.rank))),
    doc="For each row along an axis the elements that its own indices name.",
)


def _add_along_type(ct: Type, indices: Type, *, axis: int, unique: bool, size: Dim) -> Type:
    return ct.with_shape((*ct.shape[:axis], size, *ct.shape[axis + 1 :]))


_add_along: Op = linear(
    "add_along",
    infer=_add_along_type,
    kernel=Put("along", add=True, unless="unique"),
    transpose=lambda ct, x, indices, axis, unique, size: (
        take_along(ct, indices, axis=axis, unique=unique),
        None,
    ),
    flops=lambda node: node.args[0].type.size,
    public=False,
    doc="Zeros to which each row's elements are added: the transpose of `take_along`.",
)


@composite(
    "take_along_axis",
    "x, indices, axis: axis = -1",
    "For each row along an axis the elements that its own indices name.",
)
def take_along_axis(x: Node, indices: Node, axis: int = -1) -> Node:
    check_indices(indices, "take_along_axis")
    place = normal_axis(axis, x.rank, "take_along_axis")
    fits = x.rank == indices.rank and all(
        i == place or same(a, b)
        for i, (a, b) in enumerate(zip(x.shape, indices.shape, strict=True))
    )
    if not fits:
        raise Mismatch(
            "E301",
            f"`take_along_axis` takes indices of the shape of x but for axis {place},"
            f" found {x.type} and {shape_text(indices.shape)}",
        )
    _in_range(indices, x.type, place)
    return take_along(x, indices, axis=place, unique=False)
