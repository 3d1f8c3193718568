"""Elements chosen by index arrays, marked and added up by index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import INPUT, Node, Op
from graphc.ir.kernel import Put, Take
from graphc.ir.types import Dtype, Mismatch, Type, demand, same, same_shape, shape_text
from graphc.ops.define.axis_maps import batch_axes, by_name
from graphc.ops.define.families import (
    CAST,
    composite,
    linear,
    normal_axis,
)
from graphc.ops.elementwise.arithmetic import equal
from graphc.ops.select.gathering import gather, scatter
from graphc.ops.shape.shaping import (
    arange,
    broadcast_to,
    expand,
    flatten,
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


def check_indices(indices: Node, what: str) -> None:
    if indices.type.dtype != "int":
        found = indices.type.beside(Type("int", ()))
        message = f"an index of `{what}` is an integer, found {found}"
        raise Mismatch("E308", message, declared_so(indices, "int"))


def declared_so(node: Node, dtype: Dtype) -> str | None:
    """Return the remedy where an input is declared as another kind of number than is taken."""
    if node.op is not INPUT:
        return None
    return f"declare it so: `input {node.attrs['name']}: {Type(dtype, node.shape)}`"


def in_range(indices: Node, x: Type, axis: int) -> None:
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
    in_range(indices, x.type, place)
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
    return x + scatter(fitted, indices, axis=place, sizes=x.shape[place : place + 1])


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
    in_range(indices, x.type, place)
    return take_along(x, indices, axis=place, unique=False)
