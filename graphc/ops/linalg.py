"""Products of vectors and matrices, over leading batch axes."""

from __future__ import annotations

from graphc.graph import OPERATORS, Node, Op
from graphc.ops.define import bilinear
from graphc.ops.shaping import expand, reshape, swapped
from graphc.types import Dtype, Mismatch, Type, broadcast, product, same

_MATMUL_HELP = (
    "`*` is elementwise; "
    "`@` needs the last axis of the left to equal the second-last axis of the right"
)


def _matmul_type(a: Type, b: Type) -> Type:
    inner = b.shape[-2 if b.rank > 1 else -1] if b.rank else None
    if not a.rank or inner is None or not same(a.shape[-1], inner):
        raise Mismatch("E301", f"shapes do not fit in `@`: {a} and {b}", _MATMUL_HELP)
    rows = a.shape[-2:-1] if a.rank > 1 else ()
    columns = b.shape[-1:] if b.rank > 1 else ()
    batch = broadcast([a.shape[:-2], b.shape[:-2]], "@")
    dtype: Dtype = "float" if "float" in (a.dtype, b.dtype) else "int"
    return Type(dtype, (*batch, *rows, *columns))


def _rows(x: Node) -> Node:
    """All leading axes as one."""
    return x if x.rank <= 2 else reshape(x, shape=(product(x.shape[:-1]), x.shape[-1]))


def _column(x: Node) -> Node:
    return expand(x, axes=(x.rank,))


def _row(y: Node, rank: int) -> Node:
    """A vector as the last axis of this many."""
    return expand(y, axes=tuple(range(rank - 1)))


def _matmul_left(ct: Node, x: Node, y: Node) -> Node:
    """∂(x y)/∂x transposed: ct yᵀ; an outer product where y is a vector."""
    if x.rank == 1:
        if y.rank == 1:
            return ct * y
        return y @ ct if y.rank == 2 else squeeze_last(y @ _column(ct))
    if y.rank == 1:
        return outer(ct, y) if ct.rank == 1 else _column(ct) * _row(y, ct.rank + 1)
    return ct @ swapped(y)


def _matmul_right(ct: Node, x: Node, y: Node) -> Node:
    """∂(x y)/∂y transposed: xᵀ ct; for a shared matrix y all rows of the batch at once."""
    if x.rank == 1:
        if y.rank == 1:
            return ct * x
        if ct.rank == 1:
            return outer(x, ct)
        column = expand(x, axes=(*range(ct.rank - 1), ct.rank))
        return column * expand(ct, axes=(ct.rank - 1,))
    if y.rank == 1:
        return _rows(x).T @ reshape(ct, shape=(product(ct.shape),)) if x.rank > 2 else x.T @ ct
    if y.rank == 2:
        return _rows(x).T @ _rows(ct)
    return swapped(x) @ ct


def squeeze_last(x: Node) -> Node:
    return reshape(x, shape=x.shape[:-1])


matmul: Op = bilinear(
    "matmul",
    infer=_matmul_type,
    numpy="{0} @ {1}",
    left=_matmul_left,
    right=_matmul_right,
    flops=lambda node: node.type.size * node.args[0].shape[-1],
    doc="Matrix product `a @ b`, over leading batch axes.",
)


def _outer_type(a: Type, b: Type) -> Type:
    if a.rank != 1 or b.rank != 1:
        raise Mismatch("E301", f"`outer` takes two vectors, found {a} and {b}")
    return Type("float" if "float" in (a.dtype, b.dtype) else "int", (*a.shape, *b.shape))


outer: Op = bilinear(
    "outer",
    infer=_outer_type,
    numpy="np.outer({0}, {1})",
    left=lambda ct, a, b: ct @ b,
    right=lambda ct, a, b: ct.T @ a,
    flops=lambda node: node.type.size,
    doc="All products of an element of a with an element of b.",
)

OPERATORS["@"] = matmul
