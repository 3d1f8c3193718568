"""Arrays with other values at the positions that index arrays name."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import AxisMap, Node, Op, as_node
from graphc.ir.kernel import Put
from graphc.ir.types import Mismatch, Shape, broadcast, product, same_shape, shape_text
from graphc.ops.define.batching import lead_all
from graphc.ops.define.families import composite, linear, normal_axis, to_common
from graphc.ops.elementwise.arithmetic import equal, where
from graphc.ops.select.gathering import (
    counting,
    gather,
    move_axes,
    named_shape,
    own_axes,
    placed_axes,
    scatter,
    with_own,
)
from graphc.ops.select.indexing import check_indices, in_range
from graphc.ops.shape.shaping import arange, broadcast_to, expand, reshape


def _lasting(indices: Sequence[Node], sizes: Shape) -> Node:
    """Mark the elements of index arrays that no later one, row by row, names again."""
    named = named_shape(indices)
    order = reshape(arange(n=product(named)), shape=named)
    nothing = broadcast_to(as_node(0), shape=sizes)
    return equal(gather(_put(nothing, *indices, order, axis=0), *indices, axis=0), order)


def _put_transpose(ct: Node, x: Node, *rest: Node, axis: int) -> tuple[Node | None, ...]:
    """Give what is replaced nothing; of values for one position the last one gets all."""
    *indices, _ = rest
    after = axis + len(indices)
    lasting = _lasting(indices, x.shape[axis:after])
    behind = tuple(range(lasting.rank, lasting.rank + x.rank - after))
    lasting = expand(lasting, axes=behind) if behind else lasting
    kept = where(lasting, gather(ct, *indices, axis=axis), 0.0)
    return _put(ct, *indices, 0.0, axis=axis), *(None for _ in indices), kept


def _put_batch(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
    axis: int = node.attrs["axis"]
    (x,) = lead_all(args[:1], leads[:1], size)
    values = args[-1]
    if leads[-1] or values.rank:  # one number for all positions stays so
        (values,) = lead_all((values,), leads[-1:], size)
    if not any(leads[1:-1]):
        return _put(x, *args[1:-1], values, axis=axis + 1)
    own, indices = with_own(node.args[1:-1], args[1:-1], leads[1:-1], size)
    rows = move_axes(x, axis + 1, len(indices), 1)
    if values.rank:
        values = move_axes(values, axis + 1, own.rank - 1, 1)
    return move_axes(_put(rows, own, *indices, values, axis=0), 1, len(indices), axis + 1)


def _put_axes(node: Node) -> AxisMap:
    x, *indices, values = node.args
    axis, after = node.attrs["axis"], node.attrs["axis"] + len(indices)
    sizes = x.shape[axis:after]
    own = {axis + number for number in own_axes(indices, sizes)}
    placed, *named = placed_axes(values.rank, indices, axis, sizes)
    kept = (i if not axis <= i < after or i in own else None for i in range(x.rank))
    return tuple(kept), *named, placed


def _ends_to_common(args: tuple[Node, ...]) -> tuple[Node, ...]:
    x, values = to_common((args[0], args[-1]))
    return (x, *args[1:-1], values)


_put: Op = linear(
    "put",
    infer=lambda x, *rest, axis: x,
    kernel=Put("axis", onto=True),
    transpose=_put_transpose,
    prepare=_ends_to_common,
    public=False,
    batch=_put_batch,
    axes=_put_axes,
    counting=lambda node: counting(node.shape, node.args[1:-1], node.attrs["axis"]),
    doc="The first argument with the last one at the positions of axes that the others name.",
)


def _fitted(
    x: Node, values: Node, indices: Sequence[Node], axis: int, what: str
) -> tuple[Node, int]:
    """Return values in the shape of what the indices name of x, and the first axis."""
    if not indices:
        raise Mismatch("E209", f"`{what}` needs an index for each axis that it is about")
    for one in indices:
        check_indices(one, what)
    place = normal_axis(axis, x.rank, what)
    if place + len(indices) > x.rank:
        found = f"{len(indices)} indices from axis {place} on for {x.type}"
        raise Mismatch("E308", f"`{what}` has {found}, which has {x.rank} axes")
    for number, one in enumerate(indices):
        in_range(one, x.type, place + number)
    named = named_shape(indices)
    shape = (*x.shape[:place], *named, *x.shape[place + len(indices) :])
    try:
        fits = same_shape(broadcast([values.shape, shape], what), shape)
    except Mismatch:
        fits = False
    if not fits:
        raise Mismatch(
            "E301", f"`{what}` takes values of {shape_text(shape)} here, found {values.type}"
        )
    if not same_shape(values.shape, shape):
        values = broadcast_to(values, shape=shape)
    return values, place


@composite(
    "put",
    "x, values, *indices, axis: axis = 0",
    "x with `values` in place of x[i, j, …]: the positions that an index for each axis names.",
)
def put(x: Node, values: Node, *indices: Node, axis: int = 0) -> Node:
    values, place = _fitted(x, values, indices, axis, "put")
    return _put(x, *indices, values, axis=place)


@composite(
    "put_add",
    "x, values, *indices, axis: axis = 0",
    "x with `values` added to x[i, j, …]: the positions that an index for each axis names.",
)
def put_add(x: Node, values: Node, *indices: Node, axis: int = 0) -> Node:
    values, place = _fitted(x, values, indices, axis, "put_add")
    sizes = x.shape[place : place + len(indices)]
    return x + scatter(values, *indices, axis=place, sizes=sizes)
