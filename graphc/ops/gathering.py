"""Positions chosen by index arrays, and what is added up at such positions."""

from __future__ import annotations

from graphc.dims import Dim
from graphc.graph import AxisMap, Node, Op
from graphc.ops.axes import batch_axes
from graphc.ops.batching import first, ranked, repeated
from graphc.ops.define import linear, to_float
from graphc.ops.shaping import arange, reshape, transpose
from graphc.types import Mismatch, Type, same


def _picked(x: Type, label: Type) -> Type:
    if x.rank < 1 or label.dtype != "int" or len(label.shape) != x.rank - 1:
        raise Mismatch("E301", f"`pick` takes [..., C] and int[...], found {x} and {label}")
    if not all(map(same, x.shape[:-1], label.shape)):
        raise Mismatch("E301", f"shapes do not fit in `pick`: {x} and {label}")
    return x.with_shape(x.shape[:-1])


pick: Op = linear(
    "pick",
    infer=_picked,
    numpy="np.take_along_axis({0}, {1}[..., None], axis=-1)[..., 0]",
    transpose=lambda ct, x, label: (unpick(ct, label, size=x.shape[-1]), None),
    prepare=lambda args: (to_float(args[0]), args[1]),
    signature="x, label",
    axes=batch_axes(1, 0, result=0),
    doc="For each row the element that its label names: x[..., label].",
)
unpick: Op = linear(
    "unpick",
    infer=lambda ct, label, *, size: ct.with_shape((*ct.shape, size)),
    numpy=(
        "{out} = np.zeros({shape}, {float})\n"
        "np.put_along_axis({out}, {1}[..., None], {0}[..., None], axis=-1)"
    ),
    transpose=lambda ct, x, label, size: (pick(ct, label), None),
    public=False,
    axes=batch_axes(0, 0, result=1),
    doc="Zeros, but for the element of each row that its label names: the transpose of `pick`.",
)


def _gathered(x: Type, indices: Type, *, axis: int) -> Type:
    return x.with_shape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def _at(node: Node) -> str:
    return ":, " * int(node.attrs["axis"]) + "{1}"


def _positions(indices: Node, size: Dim, length: Dim) -> Node:
    """Each row's indices of an axis of this length, where all rows' axes are laid end to end.

    Taking them from 0, 1, … counts them from the front, and an index outside is an error.
    """
    inside = gather(arange(n=length), indices, axis=0)
    return inside + ranked(arange(n=size) * length, 1, indices.rank)


def _moved(x: Node, start: int, count: int, to: int) -> Node:
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
    rows = _moved(x, axis + 1, 1, 1)
    length = rows.shape[1]
    rows = reshape(rows, shape=(size * length, *rows.shape[2:]))
    found = gather(rows, _positions(indices, size, length), axis=0)
    return _moved(found, 1, indices.rank - 1, axis + 1)


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
    infer=_gathered,
    numpy=lambda node: f"{{0}}[{_at(node)}]" if node.args[1].rank else "np.take({0}, {1}, {axis})",
    transpose=lambda ct, x, indices, axis: (
        scatter(ct, indices, axis=axis, size=x.shape[axis]),
        None,
    ),
    public=False,
    batch=_gather_batch,
    axes=_gather_axes,
    doc="The positions of one axis that an index array names.",
)


def _scattered(ct: Type, indices: Type, *, axis: int, size: Dim) -> Type:
    return ct.with_shape((*ct.shape[:axis], size, *ct.shape[axis + indices.rank :]))


def _scatter_batch(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
    ct, indices = args
    axis, length = node.attrs["axis"], node.attrs["size"]
    if not leads[1]:
        return scatter(ct, indices, axis=axis + 1, size=length)
    (ct,) = repeated((ct,), leads[:1], size)
    rows = _moved(ct, axis + 1, indices.rank - 1, 1)
    total = scatter(rows, _positions(indices, size, length), axis=0, size=size * length)
    parted = reshape(total, shape=(size, length, *total.shape[1:]))
    return _moved(parted, 1, 1, axis + 1)


def _scatter_axes(node: Node) -> AxisMap:
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
    infer=_scattered,
    numpy="_scatter({0}, {1}, {axis}, {shape})",
    transpose=lambda ct, x, indices, axis, size: (gather(ct, indices, axis=axis), None),
    flops=lambda node: node.args[0].type.size,
    public=False,
    batch=_scatter_batch,
    axes=_scatter_axes,
    doc="Zeros to which each position is added where its index says: the transpose of `gather`.",
)
