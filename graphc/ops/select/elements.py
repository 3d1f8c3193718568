"""Elements that index arrays name: row by row along an axis, or by lists of positions."""

from __future__ import annotations

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.types import Mismatch, same, shape_text
from graphc.ops.define.families import composite, normal_axis
from graphc.ops.select.gathering import gather
from graphc.ops.select.indexing import check_indices, in_range
from graphc.ops.select.putting import put, put_add
from graphc.ops.shape.shaping import arange, expand, part_at

# ---- row by row along an axis ----------------------------------------------------------------


def _places(x: Node, indices: Node, values: Node, axis: int, name: str) -> list[Node]:
    """Return an index for each axis of x: the given ones along one, and each row by itself."""
    check_indices(indices, name)
    place = normal_axis(axis, x.rank, name)
    shapes_fit = indices.rank == x.rank and (
        not values.rank or (values.rank == x.rank and all(map(same, values.shape, indices.shape)))
    )
    if not shapes_fit:
        found = f"{shape_text(indices.shape)} and {shape_text(values.shape)} for {x.type}"
        raise Mismatch(
            "E301", f"`{name}` takes an index and a value for each of its elements, found {found}"
        )
    in_range(indices, x.type, place)
    return [
        indices if i == place else _along(n, i, indices.rank) for i, n in enumerate(indices.shape)
    ]


def _along(size: Dim, axis: int, rank: int) -> Node:
    """Return the positions of an axis, along it."""
    others = tuple(i for i in range(rank) if i != axis)
    return expand(arange(n=size), axes=others)


@composite(
    "put_along_axis",
    "x, indices, values, axis: axis = -1",
    "x with `values` in place of the elements along an axis that each row's own indices name; of"
    " several for one element the last.",
)
def put_along_axis(x: Node, indices: Node, values: Node, axis: int = -1) -> Node:
    return put(x, values, *_places(x, indices, values, axis, "put_along_axis"))


@composite(
    "add_along_axis",
    "x, indices, values, axis: axis = -1",
    "x with `values` added to the elements along an axis that each row's own indices name.",
)
def add_along_axis(x: Node, indices: Node, values: Node, axis: int = -1) -> Node:
    return put_add(x, values, *_places(x, indices, values, axis, "add_along_axis"))


# ---- by lists of positions -------------------------------------------------------------------


def _columns(x: Node, indices: Node, name: str) -> list[Node]:
    """Return the index of each axis that lists of positions, along the last axis, name."""
    check_indices(indices, name)
    count = indices.shape[-1].constant if indices.rank else None
    if count is None or not 0 < count <= x.rank:
        raise Mismatch(
            "E301",
            f"`{name}` takes lists of at most {x.rank} positions for {x.type}, along the last axis"
            f" and of a known length, found {indices.type}",
        )
    return [part_at(indices, indices.rank - 1, Dim.of(number)) for number in range(count)]


@composite(
    "gather_nd",
    "x, indices",
    "The elements, or parts of x, that lists of positions name: the last axis of `indices` has one"
    " for each of the first axes of x.",
)
def gather_nd(x: Node, indices: Node) -> Node:
    return gather(x, *_columns(x, indices, "gather_nd"), axis=0)


@composite(
    "scatter_nd",
    "x, indices, values",
    "x with `values` in place of the elements, or parts, that lists of positions name; of several"
    " for one the last.",
)
def scatter_nd(x: Node, indices: Node, values: Node) -> Node:
    return put(x, values, *_columns(x, indices, "scatter_nd"))


@composite(
    "scatter_nd_add",
    "x, indices, values",
    "x with `values` added to the elements, or parts, that lists of positions name.",
)
def scatter_nd_add(x: Node, indices: Node, values: Node) -> Node:
    return put_add(x, values, *_columns(x, indices, "scatter_nd_add"))
