"""A product with a diagonal beside a product with a matrix -> one with both, before calculus."""

from __future__ import annotations

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.types import is_one, same_shape
from graphc.ir.use_counts import Once
from graphc.ops.elementwise.arithmetic import times
from graphc.ops.linear.diagonals import diagonal_matrix, fill_tril, tril, triu
from graphc.ops.linear.products import matmul
from graphc.ops.shape.shaping import broadcast_to, in_order, reshape
from graphc.optimise.algebra.matrices import elements
from graphc.optimise.algebra.permutations import look_through, permute


def diagonal_beside_matrix(node: Node, once: Once) -> Node | None:
    """q * x + M @ x -> (M + diag(q)) @ x, where the diagonal of M is zero: a strict triangle.

    So nothing is added to q, and each row has the same products. Rounds otherwise.
    """
    for scaled, product in (node.args, node.args[::-1]):
        inner, axes = look_through(product)
        if scaled.op is not times or inner.op is not matmul or not once(product):
            continue
        for x, q in (scaled.args, scaled.args[::-1]):
            for slot in (0, 1):
                whole = _with_diagonal(inner, axes, slot, x, q)
                if whole is not None:
                    return in_order(whole, axes)
    return None


def _with_diagonal(
    product: Node, axes: tuple[int, ...], slot: int, x: Node, q: Node
) -> Node | None:
    """M @ x or x @ M, with the axes of q * x in this order in it, as a product with M + diag(q)."""
    matrix, other = product.args[slot], product.args[1 - slot]
    rank = product.rank
    if not _has_no_diagonal(matrix) or other.rank != rank or not q.rank:
        return None
    (behind, places), (same, seen) = look_through(other), look_through(x)
    if behind is not same or x.rank != rank:
        return None
    mixed, alone = (rank - 2, rank - 1) if slot == 0 else (rank - 1, rank - 2)
    if any(places[axis] != seen[here] for here, axis in enumerate(axes)):
        return None
    order = [axes.index(axis) for axis in (*range(rank - 2), mixed, alone)]
    factors = permute(q, order)
    if factors.rank == rank and not is_one(factors.shape[-1]):
        return None
    factors = reshape(factors, shape=factors.shape[:-1]) if factors.rank == rank else factors
    side = matrix.shape[-1]
    shape = matrix.shape[:-1]
    lead = factors.rank - len(shape)
    if lead > 0 and not all(map(is_one, factors.shape[:lead])):
        return None
    factors = reshape(factors, shape=factors.shape[lead:]) if lead > 0 else factors
    if not same_shape(factors.shape, shape):
        factors = broadcast_to(factors, shape=shape)
    if elements(matrix) > elements(product):
        return None
    both = matrix + diagonal_matrix(factors, offset=0, sides=(side, side))
    return matmul(both, other) if slot == 0 else matmul(other, both)


def _has_no_diagonal(matrix: Node) -> bool:
    """True if the diagonal of a matrix is zero, whatever its elements."""
    inner, axes = look_through(matrix)
    if {*axes[-2:]} != {inner.rank - 2, inner.rank - 1}:
        return False
    k = Dim.of(inner.attrs["k"]).constant if inner.op in (tril, triu) else None
    strict = k is not None and (k < 0 if inner.op is tril else k > 0)
    return inner.op is fill_tril or strict
