"""What an operation is by component: a node and the grids of its arguments -> the cells of its value.

None says that an operation is none here: that the block axis is mixed, that an index is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product as places
from typing import Any

import numpy as np

from graphc.dims import Dim
from graphc.graph import Node, as_node
from graphc.ops.arithmetic import maximum, minimum
from graphc.ops.assembling import bin_vector, take_vector
from graphc.ops.define import normal_axes
from graphc.ops.reduction import count, sum_
from graphc.ops.select import gather
from graphc.ops.shaping import arange, concat, in_rows, index, transpose, unindex
from graphc.rewrite.grids import (
    Cells,
    Grid,
    add,
    boxed,
    cells_shape,
    combined,
    divide,
    each,
    is_structural_zero,
    joined,
    multiply,
    repeated,
    structural_zero,
    subtract,
)

Rule = Callable[[Node, Sequence[Grid], int | None], Cells | None]
"""(node, grids of its arguments, block axis of its value) -> cells."""


def elementwise(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    return each(lambda *args: combined(node, args), *(grid.cells for grid in grids))


def _accumulate(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    total = grids[0].cells
    for grid in grids[1:]:
        total = each(add, total, grid.cells)
    return total


# ---- reductions --------------------------------------------------------------------------------


def _reduction(join: Callable[[Node, Node], Node], nothing: Callable[[], Node]) -> Rule:
    """Cells joined one by one; the vectors that are left are reduced by the operation itself."""

    def rule(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
        (grid,) = grids
        axes = normal_axes(node.attrs["axis"], grid.cells.ndim, node.op.name)
        found = joined(grid.cells, axes, join, nothing())
        if grid.block in axes:
            length = node.args[0].shape[grid.block]
            found = each(lambda cell: _along(node, repeated(cell, length)), found)
        return found.reshape(cells_shape(node.shape, block))

    return rule


def _along(node: Node, vector: Node) -> Node:
    if is_structural_zero(vector) or (vector.args and is_structural_zero(vector.args[0])):
        return structural_zero()
    return node.op(vector, axis=None, keepdims=False)


_sum = _reduction(add, lambda: as_node(0.0))


def _mean(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    (x,) = node.args
    size = count(x, node.attrs["axis"])
    gathered = as_node(size if size.constant is None else float(size.constant))
    total = _sum(sum_(x, **node.attrs), grids, block)
    return each(lambda cell: divide(cell, gathered), total)


# ---- products ----------------------------------------------------------------------------------


def _matmul(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    """Sums of products, unless the block axis is what is summed over."""
    x, y = (grid.cells for grid in grids)
    if grids[0].block == x.ndim - 1 or grids[1].block == max(y.ndim - 2, 0):
        return None
    left = x[None] if x.ndim == 1 else x
    right = y[:, None] if y.ndim == 1 else y
    terms = each(multiply, left[..., :, :, None], right[..., None, :, :])
    return joined(terms, [terms.ndim - 2], add, as_node(0.0)).reshape(
        cells_shape(node.shape, block)
    )


def _outer(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    return each(multiply, grids[0].cells[:, None], grids[1].cells[None, :])


def _cross(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    if any(grid.block == grid.cells.ndim - 1 for grid in grids):
        return None
    (a0, a1, a2), (b0, b1, b2) = (
        [grid.cells[..., i : i + 1] for i in range(3)] for grid in grids
    )
    pairs = ((a1, b2, a2, b1), (a2, b0, a0, b2), (a0, b1, a1, b0))
    minors = [
        each(subtract, each(multiply, a, b), each(multiply, c, d)) for a, b, c, d in pairs
    ]
    return np.concatenate(minors, axis=-1)


# ---- shapes ------------------------------------------------------------------------------------


def _reshape(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    """The block axis has to stay an axis, with as many elements before it."""
    (grid,) = grids
    if (grid.block is None) != (block is None):
        return None
    if grid.block is not None and node.op.axes(node)[0][grid.block] != block:
        return None
    return grid.cells.reshape(cells_shape(node.shape, block))


def _broadcast(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    return np.broadcast_to(grids[0].cells, cells_shape(node.shape, block))


def _permute(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    return grids[0].cells.transpose(node.attrs["axes"])


def _same(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    return grids[0].cells


def _concatenate(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    axis = node.attrs["axis"]
    if axis != block:
        return np.concatenate([grid.cells for grid in grids], axis=axis)
    if any(grid.cells.shape[axis] != 1 for grid in grids):
        return None
    lengths = [arg.shape[axis] for arg in node.args]

    def laid(*cells: Node) -> Node:
        if all(map(is_structural_zero, cells)):
            return structural_zero()
        return concat(*map(repeated, cells, lengths), axis=0)

    return each(laid, *(grid.cells for grid in grids))


# ---- parts -------------------------------------------------------------------------------------


def _subscripts(items: Sequence[Any], block: int | None) -> list[Any] | None:
    """The places that the items choose of each small axis; the block axis whole."""
    found: list[Any] = []
    for axis, (kind, value) in enumerate(items):
        if axis == block:
            found.append(0 if kind == "at" else [0])
            continue
        start, length, step = (value, 1, 1) if kind == "at" else value
        first, many = Dim.of(start).constant, Dim.of(length).constant
        if first is None or many is None:
            return None
        chosen = [first + i * step for i in range(many)]
        found.append(first if kind == "at" else chosen)
    return found


def _chosen(cells: Cells, subscripts: Sequence[Any]) -> Cells:
    for axis in reversed(range(len(subscripts))):
        cells = boxed(np.take(cells, subscripts[axis], axis))
    return cells


def _index(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    (grid,) = grids
    items = node.attrs["items"]
    subscripts = _subscripts(items, grid.block)
    short = grid.block is not None and block is None and items[grid.block][0] == "slice"
    if subscripts is None or short:
        return None
    cells = _chosen(grid.cells, subscripts)
    if grid.block is None or _is_whole(items[grid.block], node.args[0].shape[grid.block]):
        return cells
    item = items[grid.block]
    return each(lambda cell: index(cell, items=(item,)) if cell.rank else cell, cells)


def _is_whole(item: Any, length: Dim) -> bool:
    kind, value = item
    return kind == "slice" and value[0] == Dim.of(0) and value[1] == length and value[2] == 1


def _unindex(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    (grid,) = grids
    items, shape = node.attrs["items"], node.shape
    subscripts = _subscripts(items, block)
    if subscripts is None or node.type.dtype != "float":
        return None
    cells = grid.cells
    if block is not None and not _is_whole(items[block], shape[block]):
        kind, value = items[block]
        if kind == "slice" and grid.block is None:
            return None
        length = None if kind == "at" else Dim.of(value[1])

        def widened(cell: Node) -> Node:
            if is_structural_zero(cell):
                return cell
            part = cell if length is None else repeated(cell, length)
            return unindex(part, items=(items[block],), shape=(shape[block],))

        cells = each(widened, cells)
    found: Cells = np.full(cells_shape(shape, block), structural_zero(), object)
    kept = [np.atleast_1d(one) for one in subscripts]
    found[np.ix_(*kept)] = cells.reshape(tuple(len(one) for one in kept))
    return found


def _diagonal(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    (grid,) = grids
    if grid.block is not None and grid.block >= grid.cells.ndim - 2:
        return None
    return np.diagonal(grid.cells, node.attrs["offset"], -2, -1)


def _diagonal_matrix(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    if block is not None and block >= node.rank - 2:
        return None
    found: Cells = np.full(cells_shape(node.shape, block), structural_zero(), object)
    offset, cells = node.attrs["offset"], grids[0].cells
    for i in range(cells.shape[-1]):
        found[..., i + max(-offset, 0), i + max(offset, 0)] = cells[..., i]
    return found


def _triangle(keep: Any, node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    (grid,) = grids
    offset = Dim.of(node.attrs["k"]).constant
    if offset is None or (block is not None and block >= node.rank - 2):
        return None
    kept = keep(np.ones(grid.cells.shape[-2:], bool), offset)
    found: Cells = np.where(kept, grid.cells, structural_zero())
    return found


# ---- by index ----------------------------------------------------------------------------------


def _gather(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    """Vectors of the table, each contiguous, at vectors of indices."""
    table, indices = grids
    axis: int = node.attrs["axis"]
    chosen = indices.cells
    if table.block != axis or indices.block is None:
        return None
    columns = np.take(table.cells, 0, axis)
    spread = columns.reshape(
        *columns.shape[:axis], *(1,) * chosen.ndim, *columns.shape[axis:]
    )
    return each(_taken, spread, chosen.reshape(*chosen.shape, *(1,) * (columns.ndim - axis)))


def _taken(column: Node, indices: Node) -> Node:
    if not column.rank:
        return column
    if not indices.rank:
        return gather(column, indices, axis=0)
    if column.op is index and column.args[0].rank > 1:
        column = _contiguous(column)
    return take_vector(column, indices)


def _contiguous(column: Node) -> Node:
    """A vector of an array by its components, which lie one after the other."""
    (whole,), items = column.args, column.attrs["items"]
    block = next(axis for axis, (kind, _) in enumerate(items) if kind == "slice")
    rest = [axis for axis in range(whole.rank) if axis != block]
    if block == whole.rank - 1:
        return column
    moved = in_rows(transpose(whole, axes=(*rest, block)))
    return index(moved, items=(*(items[axis] for axis in rest), items[block]))


def _scatter(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    ct, indices = grids
    axis, size = node.attrs["axis"], node.attrs["size"]
    if node.args[1].rank != 1 or indices.block is None or ct.block != axis or block != axis:
        return None
    (chosen,) = indices.nodes
    if not chosen.rank:
        return None
    rows = gather(arange(n=size), chosen, axis=0)  # counted from the front, and inside
    length = node.args[1].shape[0]

    def added(cell: Node) -> Node:
        return cell if is_structural_zero(cell) else bin_vector(
            repeated(cell, length), rows, size=Dim.of(size)
        )

    return each(added, ct.cells)


# ---- made from nothing ---------------------------------------------------------------------------


def _identity(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    offset = Dim.of(node.attrs["k"]).constant
    if offset is None or block is not None:
        return None
    n, m = cells_shape(node.shape, block)
    return np.where(np.eye(n, m, offset, bool), as_node(1.0), structural_zero())


def _full(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    """The zeros that calculus starts from are structure."""
    value = node.attrs["value"]
    cell = structural_zero() if value == 0 else as_node(value)
    return np.full(cells_shape(node.shape, block), cell, object)


def _constant(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    if block is not None:
        return None
    found: Cells = np.empty(cells_shape(node.shape, block), object)
    for place in places(*map(range, found.shape)):
        value = node.value
        for i in place:
            value = value[i]
        found[place] = as_node(float(value) if node.type.dtype == "float" else value)
    return found


def _arange(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    if block is not None:
        return None
    return each(as_node, np.array(range(int(node.shape[0].constant or 0)), object))


RULES: dict[str, Rule] = {
    "accumulate": _accumulate,
    "sum": _sum,
    "mean": _mean,
    "prod": _reduction(multiply, lambda: as_node(1.0)),
    "max": _reduction(maximum, lambda: as_node(0.0)),
    "min": _reduction(minimum, lambda: as_node(0.0)),
    "largest": _reduction(maximum, lambda: as_node(float("-inf"))),
    "matmul": _matmul,
    "outer": _outer,
    "cross": _cross,
    "reshape": _reshape,
    "expand": _reshape,
    "broadcast_to": _broadcast,
    "permute": _permute,
    "in_rows": _same,
    "concatenate": _concatenate,
    "index": _index,
    "unindex": _unindex,
    "diagonal": _diagonal,
    "diagonal_matrix": _diagonal_matrix,
    "tril": partial(_triangle, np.tril),
    "triu": partial(_triangle, np.triu),
    "gather": _gather,
    "scatter": _scatter,
    "identity": _identity,
    "full": _full,
    "constant": _constant,
    "arange": _arange,
}
"""By name; operations element by element have one rule."""


def rule_of(node: Node) -> Rule | None:
    """The rule of an operation, if it has one."""
    found = RULES.get(node.op.name)
    return elementwise if found is None and node.op.structure == "elementwise" else found

