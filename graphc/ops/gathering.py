"""Positions chosen by index arrays, and what is added up at such positions."""

from __future__ import annotations

from graphc.dims import Dim
from graphc.graph import Node, Op
from graphc.ops.define import linear, to_float
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
    doc="Zeros, but for the element of each row that its label names: the transpose of `pick`.",
)


def _gathered(x: Type, indices: Type, *, axis: int) -> Type:
    return x.with_shape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def _at(node: Node) -> str:
    return ":, " * int(node.attrs["axis"]) + "{1}"


gather: Op = linear(
    "gather",
    infer=_gathered,
    numpy=lambda node: f"{{0}}[{_at(node)}]" if node.args[1].rank else "np.take({0}, {1}, {axis})",
    transpose=lambda ct, x, indices, axis: (
        scatter(ct, indices, axis=axis, size=x.shape[axis]),
        None,
    ),
    public=False,
    doc="The positions of one axis that an index array names.",
)


def _scattered(ct: Type, indices: Type, *, axis: int, size: Dim) -> Type:
    return ct.with_shape((*ct.shape[:axis], size, *ct.shape[axis + indices.rank :]))


scatter: Op = linear(
    "scatter",
    infer=_scattered,
    numpy="_scatter({0}, {1}, {axis}, {shape})",
    transpose=lambda ct, x, indices, axis, size: (gather(ct, indices, axis=axis), None),
    flops=lambda node: node.args[0].type.size,
    public=False,
    doc="Zeros to which each position is added where its index says: the transpose of `gather`.",
)
