"""Operations by component: a node and the grids of its arguments -> the cells of its value.

None says that an operation is none here: that the block axis is mixed, or an index is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product as places
from typing import TYPE_CHECKING

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, as_node
from graphc.later import Later
from graphc.ops.define.families import normal_axes
from graphc.ops.elementwise.arithmetic import maximum, minimum, negative
from graphc.ops.fused import LARGEST, limit
from graphc.ops.reduce.reduction import count, sum_
from graphc.ops.shape.shaping import concat
from graphc.optimise.scalarise import index_rules as parts
from graphc.optimise.scalarise.cells import (
    Cells,
    Grid,
    add,
    cells_shape,
    combine,
    divide,
    is_structural_zero,
    join_along,
    map_cells,
    multiply,
    repeat,
    structural_zero,
    subtract,
    zero_cells,
)

if TYPE_CHECKING:
    import numpy as np
else:
    np = Later("numpy")

Rule = Callable[[Node, Sequence[Grid], int | None], Cells | None]
"""(node, grids of its arguments, block axis of its value) -> cells."""


def elementwise(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    return map_cells(lambda *args: combine(node, args), *(grid.cells for grid in grids))


def _accumulate(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    total = grids[0].cells
    for grid in grids[1:]:
        total = map_cells(add, total, grid.cells)
    return total


# ---- reductions --------------------------------------------------------------------------------


def _reduction(
    join: Callable[[Node, Node], Node], nothing: Callable[[], Node] | None = None
) -> Callable[[Node, Sequence[Grid], int | None], Cells]:
    """Cells joined one by one; the vectors that are left are reduced by the operation itself.

    Where there is nothing to join it is `nothing`; without one the operation refuses that.
    """

    def rule(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
        (grid,) = grids
        axes = normal_axes(node.attrs["axis"], grid.cells.ndim, node.op.name)
        found = join_along(grid.cells, axes, join, None if nothing is None else nothing())
        if grid.block in axes:
            length = node.args[0].shape[grid.block]
            found = map_cells(lambda cell: _along(node, cell, length), found)
        return found.reshape(cells_shape(node.shape, block))

    return rule


def _along(node: Node, cell: Node, length: Dim) -> Node:
    if is_structural_zero(cell):
        return cell
    return node.op(repeat(cell, length), axis=None, keepdims=False)


_sum = _reduction(add, lambda: as_node(0.0))


def _mean(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    (x,) = node.args
    size = count(x, node.attrs["axis"])
    gathered = as_node(size if size.constant is None else float(size.constant))
    total = _sum(sum_(x, **node.attrs), grids, block)
    return map_cells(lambda cell: divide(cell, gathered), total)


def _peak(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    found = _reduction(maximum, lambda: negative(limit(**LARGEST)))(node, grids, block)
    return map_cells(lambda cell: maximum(cell, negative(limit(**LARGEST))), found)


# ---- products ----------------------------------------------------------------------------------


def _matmul(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    """Sums of products, unless the block axis is what is summed over."""
    x, y = (grid.cells for grid in grids)
    if grids[0].block == x.ndim - 1 or grids[1].block == max(y.ndim - 2, 0):
        return None
    left = x[None] if x.ndim == 1 else x
    right = y[:, None] if y.ndim == 1 else y
    terms = map_cells(multiply, left[..., :, :, None], right[..., None, :, :])
    return join_along(terms, [terms.ndim - 2], add, as_node(0.0)).reshape(
        cells_shape(node.shape, block)
    )


def _outer(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    return map_cells(multiply, grids[0].cells[:, None], grids[1].cells[None, :])


def _cross(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    if any(grid.block == grid.cells.ndim - 1 for grid in grids):
        return None
    (a0, a1, a2), (b0, b1, b2) = ([grid.cells[..., i : i + 1] for i in range(3)] for grid in grids)
    pairs = ((a1, b2, a2, b1), (a2, b0, a0, b2), (a0, b1, a1, b0))
    minors = [
        map_cells(subtract, map_cells(multiply, a, b), map_cells(multiply, c, d))
        for a, b, c, d in pairs
    ]
    return np.concatenate(minors, axis=-1)


# ---- shapes ------------------------------------------------------------------------------------


def _reshape(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    """Reshape cells; the block axis stays an axis, with as many elements before it."""
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
        return concat(*map(repeat, cells, lengths), axis=0)

    return map_cells(laid, *(grid.cells for grid in grids))


# ---- made from nothing ---------------------------------------------------------------------------


def _identity(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    offset = Dim.of(node.attrs["k"]).constant
    if offset is None or block is not None:
        return None
    found = zero_cells(cells_shape(node.shape, block))
    found[np.eye(found.shape[0], found.shape[1], offset) == 1] = as_node(1.0)
    return found


def _full(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    """Make structural zeros of the zeros that differentiation starts from."""
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
    return map_cells(as_node, np.array(range(int(node.shape[0].constant or 0)), object))


RULES: dict[str, Rule] = {
    "accumulate": _accumulate,
    "sum": _sum,
    "mean": _mean,
    "prod": _reduction(multiply, lambda: as_node(1.0)),
    "max": _reduction(maximum),
    "min": _reduction(minimum),
    "peak": _peak,
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
    "index": parts.index_cells,
    "unindex": parts.unindex_cells,
    "diagonal": parts.diagonal_cells,
    "diagonal_matrix": parts.diagonal_matrix_cells,
    "on_diagonals": parts.on_diagonals_cells,
    "of_diagonals": parts.of_diagonals_cells,
    "tril": lambda *given: parts.triangle_cells(np.tril, *given),
    "triu": lambda *given: parts.triangle_cells(np.triu, *given),
    "gather": parts.gather_cells,
    "scatter": parts.scatter_cells,
    "identity": _identity,
    "full": _full,
    "constant": _constant,
    "arange": _arange,
}
"""By name; operations element by element have one rule."""


def cell_rule(node: Node) -> Rule | None:
    """Return the rule of an operation, if it has one."""
    found = RULES.get(node.op.name)
    return elementwise if found is None and node.op.structure == "elementwise" else found
