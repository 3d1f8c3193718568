"""Products of vectors and matrices, over leading batch axes."""

from __future__ import annotations

from graphc.ir.dims import Dim
from graphc.ir.graph import OPERATORS, AxisMap, Node, Op
from graphc.ir.kernel import Call
from graphc.ir.types import Dtype, Mismatch, Shape, Type, broadcast, product, same, same_shape
from graphc.ops.define.axis_maps import broadcast_axes as aligned_axes
from graphc.ops.define.batching import align_operands, first
from graphc.ops.define.families import bilinear
from graphc.ops.shape.shaping import expand, reshape, swap_last

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
    """Merge all leading axes."""
    return x if x.rank <= 2 else reshape(x, shape=(product(x.shape[:-1]), x.shape[-1]))


def _column(x: Node) -> Node:
    return expand(x, axes=(x.rank,))


def _row(y: Node, rank: int) -> Node:
    """Reshape a vector to the last axis of this many."""
    return expand(y, axes=tuple(range(rank - 1)))


def _matmul_left(ct: Node, x: Node, y: Node) -> Node:
    """∂(x y)/∂x transposed: ct yᵀ; an outer product where y is a vector."""
    if x.rank == 1:
        if y.rank == 1:
            return ct * y
        return y @ ct if y.rank == 2 else squeeze_last(y @ _column(ct))
    if y.rank == 1:
        return outer(ct, y) if ct.rank == 1 else _column(ct) * _row(y, ct.rank + 1)
    return ct @ swap_last(y)


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
    return swap_last(x) @ ct


def _matmul_batch(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
    """Multiply once where the right operand is shared or the left one meets vectors.

    NumPy takes many matrices from the left by one as fast as it can: that is not rearranged.
    """
    x, y = args
    left, right = (arg.rank for arg in node.args)
    if not leads[1] and right <= 2:
        return _reshape_to(_rows(x) @ y, (size, *node.shape))
    if not leads[1] and left == 1:
        return first(x @ y, node.rank - 1)
    if not leads[0] and right == 1:
        return _reshape_to(y @ _rows(x).T if left > 1 else y @ x, (size, *node.shape))
    if not leads[0] and left == 1:
        return x @ y
    rows = expand(x, axes=(x.rank - 1,)) if left == 1 else x
    columns = _column(y) if right == 1 else y
    batch = node.shape[: node.rank - (left > 1) - (right > 1)]
    product_ = matmul(*align_operands((rows, columns), leads, batch, core=2))
    return _reshape_to(product_, (size, *node.shape))


def _reshape_to(x: Node, shape: Shape) -> Node:
    return x if same_shape(x.shape, shape) else reshape(x, shape=shape)


def _matmul_axes(node: Node) -> AxisMap:
    """Rows of the left, columns of the right, and the batch axes of both."""
    x, y = node.args
    core = (x.rank > 1) + (y.rank > 1)
    left = aligned_axes(node, 0, min(x.rank, 2), core)
    right = aligned_axes(node, 1, min(y.rank, 2), core)
    return (
        (*left[:-2], node.rank - core, None) if x.rank > 1 else left,
        (*right[:-1], node.rank - 1) if y.rank > 1 else right,
    )


def squeeze_last(x: Node) -> Node:
    return reshape(x, shape=x.shape[:-1])


matmul: Op = bilinear(
    "matmul",
    infer=_matmul_type,
    kernel=Call("matmul"),
    left=_matmul_left,
    right=_matmul_right,
    flops=lambda node: node.type.size * node.args[0].shape[-1],
    batch=_matmul_batch,
    axes=_matmul_axes,
    doc="Matrix product `a @ b`, over leading batch axes.",
)


def _outer_type(a: Type, b: Type) -> Type:
    if a.rank != 1 or b.rank != 1:
        raise Mismatch("E301", f"`outer` takes two vectors, found {a} and {b}")
    return Type("float" if "float" in (a.dtype, b.dtype) else "int", (*a.shape, *b.shape))


def _outer_batch(node: Node, args: tuple[Node, ...], leads: tuple[bool, ...], size: Dim) -> Node:
    x, y = _column(args[0]), expand(args[1], axes=(args[1].rank - 1,))
    return OPERATORS["*"](*align_operands((x, y), leads, node.shape))


outer: Op = bilinear(
    "outer",
    infer=_outer_type,
    kernel=Call("outer"),
    left=lambda ct, a, b: ct @ b,
    right=lambda ct, a, b: ct.T @ a,
    flops=lambda node: node.type.size,
    batch=_outer_batch,
    axes=lambda node: ((0,), (1,)),
    doc="All products of an element of a with an element of b.",
)

OPERATORS["@"] = matmul
