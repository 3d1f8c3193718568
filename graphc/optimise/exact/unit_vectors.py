"""Products with unit vectors, which the seeds of Jacobians are: rows and columns as they are."""

from __future__ import annotations

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.types import same, same_shape
from graphc.ops.elementwise.arithmetic import times
from graphc.ops.linear.diagonals import identity_matrix
from graphc.ops.linear.products import matmul
from graphc.ops.shape.shaping import broadcast_to, expand, in_rows, reshape, transpose


def product_of_unit_vectors(node: Node) -> Node | None:
    """E @ w -> the rows of w, and (E * d) @ w -> d times the rows of w, with E[i, …, j] = (i = j).

    The terms that are left out are zeros, where w is finite.
    """
    if node.op is not matmul or node.args[1].rank != 2:
        return None
    x, w = node.args
    units = x.args[0] if x.op is reshape and x.rank == 2 else x
    factor: Node | None = None
    if units.op is times:
        chosen = [i for i, arg in enumerate(units.args) if _is_unit(arg, units.rank)]
        if not chosen:
            return None
        factor = units.args[1 - chosen[0]]
    elif not _is_unit(units, units.rank):
        return None
    n, middle = units.shape[0], units.shape[1:-1]
    if not same(units.shape[-1], n) or (units is not x and not same(x.shape[-1], n)):
        return None
    whole = in_rows(w) if w.op is transpose else w
    rows = expand(whole, axes=tuple(range(1, 1 + len(middle)))) if middle else w
    if factor is not None:
        scale = _last_axis_first(factor, len(middle) + 1)
        if scale is None:
            return None
        rows = scale * rows
    shape = (n, *middle, w.shape[-1])
    if not same_shape(rows.shape, shape):
        rows = broadcast_to(rows, shape=shape)
    return rows if same_shape(rows.shape, node.shape) else reshape(rows, shape=node.shape)


def product_with_unit_columns(node: Node) -> Node | None:
    """x @ E -> the columns of x, with E[i, j, …] = (i = j) and x a matrix."""
    if node.op is not matmul or node.args[0].rank != 2 or node.args[1].rank != 3:
        return None
    x, units = node.args
    core = units.args[0] if units.op is broadcast_to else units
    if core.op is not reshape or core.args[0].op is not identity_matrix or core.rank != 3:
        return None
    n = core.shape[0]
    if not (same(core.shape[1], n) and core.shape[2].constant == 1 and _is_square(core.args[0])):
        return None
    return broadcast_to(expand(x.T, axes=(2,)), shape=node.shape)


def _is_unit(node: Node, rank: int) -> bool:
    """True if E[i, …, j] = (i = j), whatever is between."""
    core = node.args[0] if node.op is broadcast_to else node
    if core.op is reshape:
        inside, core = core, core.args[0]
        if inside.rank != rank or rank < 2 or not same(inside.shape[0], inside.shape[-1]):
            return False
        if any(n.constant != 1 for n in inside.shape[1:-1]):
            return False
    elif node.op is broadcast_to or node.rank != rank:
        return False
    return _is_square(core)


def _is_square(node: Node) -> bool:
    return (
        node.op is identity_matrix
        and same(node.shape[0], node.shape[1])
        and Dim.of(node.attrs["k"]).constant == 0
    )


def _last_axis_first(factor: Node, rank: int) -> Node | None:
    """[…, n] as [n, …, 1], of the rank of the rest of the product; None where it is larger."""
    if factor.rank > rank:
        if factor.rank > rank + 1 or factor.shape[0].constant != 1:
            return None
        factor = reshape(factor, shape=factor.shape[1:])
    if not factor.rank:
        return factor
    missing = tuple(range(rank - factor.rank))
    full = expand(factor, axes=missing) if missing else factor
    moved = in_rows(transpose(full, axes=(rank - 1, *range(rank - 1)))) if rank > 1 else full
    return expand(moved, axes=(rank,))
