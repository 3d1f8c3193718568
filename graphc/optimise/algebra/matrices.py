"""Products of matrices: all rows at once, transposes inside them, copies only once."""

from __future__ import annotations

from graphc.ir.graph import Node
from graphc.ir.loop import BOUND
from graphc.ir.sizes import typical
from graphc.ir.types import is_one, product, same, same_shape
from graphc.ir.use_counts import Once, Rules
from graphc.ops.elementwise.arithmetic import times
from graphc.ops.linear.products import matmul
from graphc.ops.shape.shaping import expand, in_rows, reshape, swap_last, transpose
from graphc.optimise.algebra.empty import may_stand_outside
from graphc.optimise.algebra.permutations import permute

_WHOLE_VIEWS = (reshape, expand)


def is_contiguous(x: Node) -> bool:
    """True if an array lies row by row in memory, as far as its node tells."""
    while x.op in _WHOLE_VIEWS:
        x = x.args[0]
    return x.op.view_of is None or x.op is in_rows


def rows_as_one(node: Node, once: Once) -> Node | None:
    """x @ w -> all rows of x, over leading axes, by a matrix or vector w at once.

    NumPy would take a matrix of rows after the other.
    """
    x, w = node.args
    if x.rank < 3 or w.rank > 2 or node.type.dtype != "float" or not is_contiguous(x):
        return None
    rows = reshape(x, shape=(product(x.shape[:-1]), x.shape[-1]))
    return reshape(matmul(rows, w), shape=node.shape)


def copied_once(node: Node, once: Once) -> Node | None:
    """Make the rows of a permuted array by a node of their own where they are no view."""
    x = node.args[0]
    if x.op is not transpose or _keeps_order(x, node):
        return None
    return reshape(in_rows(x), shape=node.shape)


def _keeps_order(x: Node, node: Node) -> bool:
    """True if a reshape of a permuted array only adds and drops axes of length 1."""
    before = [n for n in x.shape if not is_one(n)]
    after = [n for n in node.shape if not is_one(n)]
    return len(before) == len(after) and all(map(same, before, after))


def transpose_of_product(node: Node, once: Once) -> Node | None:
    """Move a transpose into a product: (A @ B)ᵀ -> Bᵀ @ Aᵀ."""
    x, axes = node.args[0], node.attrs["axes"]
    if x.op is not matmul or not once(x) or any(arg.rank < 2 for arg in x.args):
        return None
    rows, columns = x.rank - 2, x.rank - 1
    if axes.index(rows) < axes.index(columns):
        return None
    other = matmul(swap_last(x.args[1]), swap_last(x.args[0]))
    exchange = {rows: columns, columns: rows}
    order = tuple(exchange.get(axis, axis) for axis in axes)
    return other if order == tuple(range(x.rank)) else transpose(other, axes=order)


def rows_already(node: Node, once: Once) -> Node | None:
    """Drop the copy to rows of an array that lies row by row. Exact."""
    x = node.args[0]
    return x if x.op is not BOUND and is_contiguous(x) else None


def permuted_axes(node: Node, once: Once) -> Node | None:
    """Permute an array before it gets new axes, not after. Exact."""
    x = node.args[0]
    return permute(x, node.attrs["axes"]) if x.op is expand else None


def scalar_of_matmul(node: Node, once: Once) -> Node | None:
    """s * (A @ B) -> (s * A) @ B where A has fewer elements; (s * A) @ B -> s * (A @ B) likewise.

    Rounds otherwise.
    """
    if node.op is times:
        scalar, x = node.args
        while x.op is reshape and same_shape(x.shape, x.args[0].shape) and once(x):
            x = x.args[0]
        if scalar.rank or x.op is not matmul or not once(x):
            return None
        sizes = [elements(arg) for arg in x.args]
        least = min(sizes)
        if least > elements(node):
            return None
        slot = sizes.index(least)
        if not may_stand_outside(scalar, node.shape, x.args[slot]):
            return None
        return matmul(*(scalar * arg if i == slot else arg for i, arg in enumerate(x.args)))
    for slot, scaled in enumerate(node.args):
        if scaled.op is not times or scaled.args[0].rank or not once(scaled):
            continue
        outside = may_stand_outside(scaled.args[0], scaled.shape, node)
        if outside and elements(node) < elements(scaled):
            inner = [scaled.args[1] if i == slot else arg for i, arg in enumerate(node.args)]
            return scaled.args[0] * matmul(*inner)
    return None


def elements(node: Node) -> int:
    """Count the elements of a node, of a typical size."""
    return typical(node.type.size)


SCALES: Rules = {matmul: (scalar_of_matmul,), times: (scalar_of_matmul,)}
MATRICES: Rules = {
    matmul: (rows_as_one,),
    in_rows: (rows_already,),
    reshape: (copied_once,),
    transpose: (transpose_of_product, permuted_axes),
}
