"""Sums: moved inside what they sum, where there is less of it, and fused into products.

The terms of a sum are added in another order, so all but a few of these round otherwise.
"""

from __future__ import annotations

from graphc.ir.graph import Node, as_node
from graphc.ir.sizes import typical
from graphc.ir.types import Shape, product, same_shape
from graphc.ir.use_counts import Once, Rules
from graphc.ops.define.families import normal_axes, stretched_axes
from graphc.ops.elementwise.arithmetic import negative, over, times
from graphc.ops.fused import peak, square, vdot, vecdot
from graphc.ops.linear.products import matmul
from graphc.ops.reduce.reduction import max_, min_, sum_
from graphc.ops.shape.shaping import broadcast_to, expand, full_array, in_order, reshape, transpose
from graphc.optimise.algebra.empty import may_stand_outside
from graphc.optimise.algebra.matrices import is_contiguous

Axes = tuple[int, ...]

NARROW = 16
"""Over an axis shorter than this, a product and a sum cost less than a product for each row."""


def _axes(node: Node) -> Axes:
    return normal_axes(node.attrs["axis"], node.args[0].rank, "sum")


def _sum(x: Node, axes: Axes) -> Node:
    """Sum over axes, which go; of none return x as it is."""
    if not axes:
        return x
    return sum_(x, axis=None if len(axes) == x.rank else axes, keepdims=False)


def _with_axes(x: Node, node: Node) -> Node:
    """Reshape a result without the summed axes to the shape that it has, perhaps with them."""
    if same_shape(x.shape, node.shape):
        return x
    if not x.rank:
        return broadcast_to(x, shape=node.shape)
    return expand(x, axes=_axes(node)) if node.attrs["keepdims"] else reshape(x, shape=node.shape)


def _is_float_sum(node: Node) -> bool:
    return node.type.dtype == "float" and node.args[0].type.dtype == "float"


def sum_of_signed(node: Node, once: Once) -> Node | None:
    """Move signs and scalar factors out: sum(-x) -> -sum(x), sum(s x) -> s sum(x), sum(x / s)."""
    x = node.args[0]
    if not _is_float_sum(node) or not x.args or not once(x):
        return None
    if x.op is negative:
        return negative(sum_(x.args[0], **node.attrs))
    summed = [x.shape[axis] for axis in _axes(node)]
    if x.op is times and not x.args[0].rank and x.args[1].rank:
        if not may_stand_outside(x.args[0], summed, node):
            return None
        return times(x.args[0], sum_(x.args[1], **node.attrs))
    if x.op is over and not x.args[1].rank and x.args[0].rank:
        if not may_stand_outside(over(1.0, x.args[1]), summed, node):
            return None
        return over(sum_(x.args[0], **node.attrs), x.args[1])
    return None


def sum_of_view(node: Node, once: Once) -> Node | None:
    """Sum an array along its own axes rather than a view of it.

    Exact where the terms are added in the same order.
    """
    view, axes = node.args[0], _axes(node)
    if not _is_float_sum(node) or view.op not in (expand, broadcast_to, reshape):
        return None
    x = view.args[0]
    if not x.rank or (view.op is reshape and len(axes) < view.rank):
        return _sum_repeated(node, view, axes) if view.op is broadcast_to else None
    if view.op is reshape:
        return _with_axes(_sum(x, tuple(range(x.rank))), node)
    if view.op is broadcast_to:
        return _sum_repeated(node, view, axes)
    new = view.attrs["axes"]
    old = [axis for axis in range(view.rank) if axis not in new]
    summed = _sum(x, tuple(old.index(axis) for axis in axes if axis not in new))
    return reshape(summed, shape=node.shape) if summed.rank else _with_axes(summed, node)


def sum_of_sum(node: Node, once: Once) -> Node | None:
    """Sum over some axes and then over others: over all of them at once."""
    inner = node.args[0]
    if not _is_float_sum(node) or inner.op is not sum_ or not once(inner):
        return None
    x, gone = inner.args[0], _axes(inner)
    left = [axis for axis in range(x.rank) if inner.attrs["keepdims"] or axis not in gone]
    summed = _sum(x, tuple(sorted({*gone, *(left[axis] for axis in _axes(node))})))
    if same_shape(summed.shape, node.shape):
        return summed
    shaped = reshape if summed.rank else broadcast_to
    return shaped(summed, shape=node.shape)


def of_permuted(node: Node, once: Once) -> Node | None:
    """Reduce an array along its own axes rather than a permutation of it.

    Exact where it is not a sum, or one of terms in the same order.
    """
    view = node.args[0]
    if view.op is not transpose:
        return None
    order, axes = view.attrs["axes"], _axes(node)
    inner = tuple(sorted(order[axis] for axis in axes))
    whole = None if len(inner) == view.rank else inner
    reduced = node.op(view.args[0], axis=whole, keepdims=False)
    left = [order[axis] for axis in range(view.rank) if axis not in axes]
    moved = in_order(reduced, [sorted(left).index(axis) for axis in left])
    return _with_axes(moved, node)


def _sum_repeated(node: Node, view: Node, axes: Axes) -> Node | None:
    """Replace a sum over axes along which an array is repeated by a multiple of a smaller sum."""
    x = view.args[0]
    stretched = [axis for axis in stretched_axes(x.type, view.type) if axis in axes]
    if not stretched:
        return None
    if not may_stand_outside(x, [view.shape[axis] for axis in stretched], node):
        return None
    times_ = as_node(product([view.shape[axis] for axis in stretched]))
    lead = view.rank - x.rank
    kept = x if x.rank else None
    if kept is None:
        value = times(times_, x)
        return value if not node.rank else broadcast_to(value, shape=node.shape)
    rest = tuple(axis - lead for axis in axes if axis >= lead)
    summed = times(times_, _sum(kept, rest))
    full = tuple(n for axis, n in enumerate(view.shape) if axis not in axes)
    if not same_shape(summed.shape, full):
        summed = broadcast_to(summed, shape=full)
    return _with_axes(summed, node)


def sum_of_product(node: Node, once: Once) -> Node | None:
    """sum(q * x) -> q * sum(x), and sum(x / q) -> sum(x) / q, over axes that q does not have."""
    x, axes = node.args[0], _axes(node)
    if not _is_float_sum(node) or x.op not in (times, over) or not once(x):
        return None
    pairs = ((x.args, 0), (x.args[::-1], 1)) if x.op is times else ((x.args[::-1], 1),)
    for (factor, other), slot in pairs:
        if not factor.rank or not same_shape(other.shape, x.shape):
            continue
        outside = tuple(axis for axis in axes if axis in stretched_axes(factor.type, x.type))
        alone = factor if x.op is times else over(1.0, factor)
        if not outside or not may_stand_outside(alone, [x.shape[axis] for axis in outside], node):
            continue
        inside = tuple(axis for axis in axes if axis not in outside)
        summed = _sum(other, outside)
        fitted = _without(factor, x, outside)
        args = (fitted, summed) if slot == 0 else (summed, fitted)
        left = [axis for axis in range(x.rank) if axis not in outside]
        scaled = x.op(*args)
        return _with_axes(_sum(scaled, tuple(left.index(axis) for axis in inside)), node)
    return None


def _without(factor: Node, x: Node, gone: Axes) -> Node:
    """Return a factor as it multiplies x when these axes, along which it is repeated, are gone."""
    lead = x.rank - factor.rank
    shape: Shape = tuple(n for axis, n in enumerate(factor.shape) if axis + lead not in gone)
    return factor if len(shape) == factor.rank else reshape(factor, shape=shape)


def sum_of_matmul(node: Node, once: Once) -> Node | None:
    """sum(A @ B) over rows -> sum(A) @ B, over columns -> A @ sum(B)."""
    x, axes = node.args[0], _axes(node)
    if not _is_float_sum(node) or x.op is not matmul or not once(x) or len(axes) != 1:
        return None
    a, b = x.args
    if a.rank < 2 or b.rank < 2 or (a.rank != b.rank and 2 not in (a.rank, b.rank)):
        return None
    kept = a if axes[0] == x.rank - 1 else b
    if not may_stand_outside(kept, [x.shape[axes[0]]], node):
        return None
    if axes[0] == x.rank - 1:
        column = _sum(b, (b.rank - 1,))
        if b.rank == 2:
            return _with_axes(matmul(a, column), node)
        return _with_axes(_squeeze(matmul(a, expand(column, axes=(column.rank,))), -1), node)
    if axes[0] == x.rank - 2:
        row = _sum(a, (a.rank - 2,))
        if a.rank == 2:
            return _with_axes(matmul(row, b), node)
        return _with_axes(_squeeze(matmul(expand(row, axes=(row.rank - 1,)), b), -2), node)
    return None


def _squeeze(x: Node, axis: int) -> Node:
    place = axis % x.rank
    return reshape(x, shape=(*x.shape[:place], *x.shape[place + 1 :]))


def sum_of_all_products(node: Node, once: Once) -> Node | None:
    """sum(x * y) -> vdot(x, y), of all elements of arrays of one shape."""
    if len(_axes(node)) != node.args[0].rank or node.rank:
        return None
    pair = _factors(node, once)
    if pair is None:
        return _of_transposed_product(node, once)
    return vdot(*pair)


def _of_transposed_product(node: Node, once: Once) -> Node | None:
    """sum((A @ B) * y.T) -> vdot(B.T @ A.T, y)."""
    x = node.args[0]
    if not _is_float_sum(node) or x.op is not times or not once(x):
        return None
    for product_, y in (x.args, x.args[::-1]):
        if product_.op is matmul and once(product_) and y.op is transpose and y.rank == 2:
            a, b = product_.args
            if a.rank == b.rank == 2:
                return vdot(matmul(b.T, a.T), y.args[0])
    return None


def vdot_of_flat(node: Node, once: Once) -> Node | None:
    """x @ y of arrays of one shape in a row -> vdot(x, y)."""
    if node.rank or any(arg.op is not reshape for arg in node.args):
        return None
    x, y = (arg.args[0] for arg in node.args)
    return vdot(x, y) if x.type == y.type and x.type.dtype == "float" else None


def vdot_of_smallest_product(node: Node, once: Once) -> Node | None:
    """vdot(A @ B, y) -> vdot(B, Aᵀ @ y) or vdot(A, y @ Bᵀ), where that is smaller."""
    for product_, y in (node.args, node.args[::-1]):
        if product_.op is not matmul or product_ is y or not once(product_):
            continue
        a, b = product_.args
        if a.rank != 2 or b.rank != 2:
            continue
        whole, left, right = (typical(one.type.size) for one in (product_, a, b))
        if right < whole and right <= left:
            return vdot(b, matmul(a.T, y))
        if left < whole:
            return vdot(a, matmul(y, b.T))
    return None


def sum_of_row_products(node: Node, once: Once) -> Node | None:
    """sum(x * y) over the last axis -> vecdot(x, y), unless that is narrow."""
    pair, x = _factors(node, once), node.args[0]
    if pair is None or x.rank < 2 or _axes(node) != (x.rank - 1,):
        return None
    width = x.shape[-1].constant
    return _with_axes(vecdot(*pair), node) if width is None or width >= NARROW else None


def _factors(node: Node, once: Once) -> tuple[Node, Node] | None:
    """Return the two factors, which have all axes, of what is summed and not read elsewhere."""
    x = node.args[0]
    if not _is_float_sum(node) or x.op not in (times, square) or not once(x):
        return None
    one, other = x.args[0], x.args[-1]
    if any(arg.op in (transpose, broadcast_to) for arg in (one, other)):
        return None
    if any(not same_shape(arg.shape, x.shape) or arg.type != x.type for arg in (one, other)):
        return None
    return one, other


def sum_by_product(node: Node, once: Once) -> Node | None:
    """sum(x) over the first axes or the one before the last -> ones @ x, over the last ones ->
    x @ ones."""
    x, axes = node.args[0], _axes(node)
    if not _is_float_sum(node) or x.rank < 2 or not 0 < len(axes) < x.rank:
        return None
    count, rank = len(axes), x.rank
    if axes == (rank - 2,) and is_contiguous(x):
        return _with_axes(matmul(_ones(x.shape[-2]), x), node)
    if x.op is broadcast_to or (rank > 2 and not is_contiguous(x)):
        return None
    if axes == tuple(range(count)):
        rows, columns = product(x.shape[:count]), product(x.shape[count:])
        summed = matmul(_ones(rows), _matrix(x, (rows, columns)))
        return _with_axes(_in_shape(summed, x.shape[count:]), node)
    if axes == tuple(range(rank - count, rank)):
        rows, columns = product(x.shape[:-count]), product(x.shape[-count:])
        summed = matmul(_matrix(x, (rows, columns)), _ones(columns))
        return _with_axes(_in_shape(summed, x.shape[:-count]), node)
    return None


def _ones(size: object) -> Node:
    return full_array(shape=(size,), value=1.0)


def _matrix(x: Node, shape: Shape) -> Node:
    return x if x.rank == 2 else reshape(x, shape=shape)


def _in_shape(x: Node, shape: Shape) -> Node:
    return x if same_shape(x.shape, shape) else reshape(x, shape=shape)


SUMS: Rules = {
    sum_: (sum_of_sum, sum_of_signed, of_permuted, sum_of_view, sum_of_product, sum_of_matmul),
    peak: (of_permuted,),
    max_: (of_permuted,),
    min_: (of_permuted,),
}
FUSED: Rules = {
    sum_: (sum_of_all_products, sum_of_row_products),
    matmul: (vdot_of_flat,),
    vdot: (vdot_of_smallest_product,),
}
BY_PRODUCT: Rules = {sum_: (sum_by_product,)}
