"""Positions of axes that index arrays name: taken, and added up where they are named."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import AxisMap, Node, Op
from graphc.ir.kernel import Put, Take
from graphc.ir.types import Shape, Type, broadcast, is_one, same
from graphc.ops.define.batching import first, lead_all, pad_rank
from graphc.ops.define.families import linear, to_int
from graphc.ops.shape.shaping import arange, expand, transpose


def _gather_type(x: Type, *indices: Type, axis: int) -> Type:
    named = broadcast([one.shape for one in indices], "x[i, j]")
    return x.with_shape((*x.shape[:axis], *named, *x.shape[axis + len(indices) :]))


def move_axes(x: Node, start: int, count: int, to: int) -> Node:
    """Move so many axes to another place."""
    rest = [i for i in range(x.rank) if not start <= i < start + count]
    rest[to:to] = range(start, start + count)
    return x if rest == list(range(x.rank)) else transpose(x, axes=tuple(rest))


def named_shape(indices: Sequence[Node]) -> Shape:
    """Return the shape that index arrays have together."""
    return broadcast([one.shape for one in indices], "x[i, j]")


def with_own(
    plain: Sequence[Node], indices: Sequence[Node], leads: Sequence[bool], size: Dim
) -> tuple[Node, list[Node]]:
    """Index a leading axis, each position by itself, and align with it what stands for `plain`."""
    rank = 1 + len(named_shape(plain))
    aligned = [
        pad_rank(one, 1 if led else 0, rank) if one.rank else one
        for one, led in zip(indices, leads, strict=True)
    ]
    return pad_rank(arange(n=size), 1, rank), aligned


def _gather_batch(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
    x, *indices = args
    axis: int = node.attrs["axis"]
    if not any(leads[1:]):
        return gather(x, *indices, axis=axis + 1)
    own, indices = with_own(node.args[1:], indices, leads[1:], size)
    if not leads[0]:
        return first(gather(x, *indices, axis=axis), axis)
    rows = move_axes(x, axis + 1, len(indices), 1)
    found = gather(rows, own, *indices, axis=0)
    return move_axes(found, 1, own.rank - 1, axis + 1)


def own_axes(indices: Sequence[Node], sizes: Shape) -> dict[int, int]:
    """Return by the number of an index array that counts an axis through the axis it counts along.

    Each position of that axis is then by itself: what is named has it where the array has it.
    """
    rank = len(named_shape(indices))
    found: dict[int, int] = {}
    for number, (one, size) in enumerate(zip(indices, sizes, strict=True)):
        counted = one.args[0] if one.op is expand else one
        along = [i for i, n in enumerate(one.shape) if not is_one(n)]
        if counted.op is arange and same(counted.attrs["n"], size) and len(along) == 1:
            found[number] = rank - one.rank + along[0]
    return found


def counting(x: Shape, indices: Sequence[Node], axis: int) -> list[Node]:
    """Return the index arrays by which each position of an axis of this shape is by itself."""
    return [indices[i] for i in own_axes(indices, x[axis : axis + len(indices)])]


def _gather_axes(node: Node) -> AxisMap:
    x, *indices = node.args
    axis, after = node.attrs["axis"], node.attrs["axis"] + len(indices)
    more = node.rank - x.rank
    own = own_axes(indices, x.shape[axis:after])
    inside = [axis + own[i] if i in own else None for i in range(len(indices))]
    return (
        (*range(axis), *inside, *(i + more for i in range(after, x.rank))),
        *(_named_axes(one, axis, after + more, node.shape) for one in indices),
    )


def _named_axes(indices: Node, first: int, after: int, shape: Shape) -> tuple[int | None, ...]:
    """Map the axes of an index array to those of what all of them name, `first` to `after`."""
    lead = after - indices.rank
    assert lead >= first
    return tuple(
        lead + i if same(size, shape[lead + i]) else None for i, size in enumerate(indices.shape)
    )


gather: Op = linear(
    "gather",
    infer=_gather_type,
    kernel=Take("axis"),
    transpose=lambda ct, x, *indices, axis: (
        scatter(ct, *indices, axis=axis, sizes=x.shape[axis : axis + len(indices)]),
        *(None for _ in indices),
    ),
    public=False,
    batch=_gather_batch,
    axes=_gather_axes,
    counting=lambda node: counting(node.args[0].shape, node.args[1:], node.attrs["axis"]),
    doc="The positions of axes, from one on, that an index array for each of them names.",
)


def scatter_type(ct: Type, *indices: Type, axis: int, sizes: Shape) -> Type:
    named = broadcast([one.shape for one in indices], "x[i, j]")
    return ct.with_shape((*ct.shape[:axis], *sizes, *ct.shape[axis + len(named) :]))


def scatter_batch(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
    """Batch what puts each position where its indices say, into axes of these sizes."""
    ct, *indices = args
    axis, sizes = node.attrs["axis"], node.attrs["sizes"]
    if not any(leads[1:]):
        return node.op(ct, *indices, axis=axis + 1, sizes=sizes)
    own, indices = with_own(node.args[1:], indices, leads[1:], size)
    (ct,) = lead_all((ct,), leads[:1], size)
    rows = move_axes(ct, axis + 1, own.rank - 1, 1)
    total = node.op(rows, own, *indices, axis=0, sizes=(size, *sizes))
    return move_axes(total, 1, len(sizes), axis + 1)


def scatter_axes(node: Node) -> AxisMap:
    ct, *indices = node.args
    axis, sizes = node.attrs["axis"], node.attrs["sizes"]
    return placed_axes(ct.rank, indices, axis, sizes)


def placed_axes(rank: int, indices: Sequence[Node], axis: int, sizes: Shape) -> AxisMap:
    """Map the axes of what is placed by index arrays, and those of the arrays."""
    named = len(named_shape(indices))
    after, more = axis + named, len(sizes) - named
    own = {along: axis + number for number, along in own_axes(indices, sizes).items()}
    inside = [own.get(i) for i in range(named)]
    return (
        (*range(axis), *inside, *(i + more for i in range(after, rank)))[:rank],
        *(
            tuple(
                None if is_one(n) else inside[named - one.rank + i] for i, n in enumerate(one.shape)
            )
            for one in indices
        ),
    )


scatter: Op = linear(
    "scatter",
    infer=scatter_type,
    kernel=Put("axis", add=True),
    transpose=lambda ct, x, *indices, axis, sizes: (
        gather(ct, *indices, axis=axis),
        *(None for _ in indices),
    ),
    prepare=lambda args: (to_int(args[0]), *args[1:]),
    flops=lambda node: node.args[0].type.size,
    public=False,
    batch=scatter_batch,
    axes=scatter_axes,
    doc="Zeros to which each position is added where its indices say: the transpose of `gather`.",
)
