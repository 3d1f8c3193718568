"""Parts by component: what subscripts, diagonals and index arrays choose of arrays, and place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.items import is_whole
from graphc.later import Later
from graphc.ops.select.gathering import gather
from graphc.ops.shape.assemble import bin_vector, take_vector
from graphc.ops.shape.shaping import arange, in_rows, index, transpose, unindex
from graphc.optimise.scalarise.cells import (
    Cells,
    Grid,
    box,
    cells_shape,
    is_structural_zero,
    map_cells,
    repeat,
    zero_cells,
)

if TYPE_CHECKING:
    import numpy as np
else:
    np = Later("numpy")

# ---- by position -------------------------------------------------------------------------------


def _subscripts(items: Sequence[Any], block: int | None) -> list[Any] | None:
    """Return the places that the items choose of each small axis; the block axis whole."""
    found: list[Any] = []
    for axis, (kind, value) in enumerate(items):
        if axis == block:
            found.append(0 if kind == "at" else np.zeros(1, np.int64))
            continue
        start, length, step = (value, 1, 1) if kind == "at" else value
        first, many = Dim.of(start).constant, Dim.of(length).constant
        if first is None or many is None:
            return None
        found.append(first if kind == "at" else first + step * np.arange(many))
    return found


def _choose(cells: Cells, subscripts: Sequence[Any]) -> Cells:
    for axis in reversed(range(len(subscripts))):
        cells = box(np.take(cells, subscripts[axis], axis))
    return cells


def index_cells(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    (grid,) = grids
    items = node.attrs["items"]
    subscripts = _subscripts(items, grid.block)
    short = grid.block is not None and block is None and items[grid.block][0] == "slice"
    if subscripts is None or short:
        return None
    cells = _choose(grid.cells, subscripts)
    if grid.block is None or is_whole(items[grid.block], node.args[0].shape[grid.block]):
        return cells
    item = items[grid.block]
    return map_cells(lambda cell: index(cell, items=(item,)) if cell.rank else cell, cells)


def unindex_cells(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    (grid,) = grids
    items, shape = node.attrs["items"], node.shape
    subscripts = _subscripts(items, block)
    if subscripts is None or node.type.dtype != "float":
        return None
    cells = grid.cells
    if block is not None and not is_whole(items[block], shape[block]):
        kind, value = items[block]
        if kind == "slice" and grid.block is None:
            return None
        length = None if kind == "at" else Dim.of(value[1])

        def widened(cell: Node) -> Node:
            if is_structural_zero(cell):
                return cell
            part = cell if length is None else repeat(cell, length)
            return unindex(part, items=(items[block],), shape=(shape[block],))

        cells = map_cells(widened, cells)
    found = zero_cells(cells_shape(shape, block))
    kept = [np.atleast_1d(one) for one in subscripts]
    found[np.ix_(*kept)] = cells.reshape(tuple(len(one) for one in kept))
    return found


def diagonal_cells(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    (grid,) = grids
    if grid.block is not None and grid.block >= grid.cells.ndim - 2:
        return None
    return np.diagonal(grid.cells, node.attrs["offset"], -2, -1)


def diagonal_matrix_cells(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    if block is not None and block >= node.rank - 2:
        return None
    found = zero_cells(cells_shape(node.shape, block))
    offset, cells = node.attrs["offset"], grids[0].cells
    for i in range(cells.shape[-1]):
        found[..., i + max(-offset, 0), i + max(offset, 0)] = cells[..., i]
    return found


def on_diagonals_cells(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    found = zero_cells(cells_shape(node.shape, block))
    for place, cell in np.ndenumerate(grids[0].cells):
        found[_lettered(node, place)] = cell
    return found


def of_diagonals_cells(node: Node, grids: Sequence[Grid], block: int | None) -> Cells:
    found: Cells = np.empty(cells_shape(node.shape, block), object)
    for place in np.ndindex(found.shape):
        found[place] = grids[0].cells[_lettered(node, place)]
    return found


def _lettered(node: Node, place: Sequence[int]) -> tuple[int, ...]:
    """Return the place in the whole of a place in the part: axes of one letter have one index."""
    by_letter = dict(zip(node.attrs["part"], place, strict=True))
    return tuple(by_letter[letter] for letter in node.attrs["whole"])


def triangle_cells(keep: Any, node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    (grid,) = grids
    offset = Dim.of(node.attrs["k"]).constant
    if offset is None or (block is not None and block >= node.rank - 2):
        return None
    kept = np.broadcast_to(keep(np.ones(grid.cells.shape[-2:], bool), offset), grid.cells.shape)
    found = zero_cells(grid.cells.shape)
    found[kept] = grid.cells[kept]
    return found


# ---- by index ----------------------------------------------------------------------------------


def gather_cells(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    """Vectors of the table, each contiguous, at vectors of indices."""
    if len(grids) > 2:
        return None
    table, indices = grids
    axis: int = node.attrs["axis"]
    chosen = indices.cells
    if table.block != axis or indices.block is None:
        return None
    columns = table.cells.squeeze(axis)  # an array of no axes, where only one column is left
    spread = columns.reshape(*columns.shape[:axis], *(1,) * chosen.ndim, *columns.shape[axis:])
    return map_cells(_take, spread, chosen.reshape(*chosen.shape, *(1,) * (columns.ndim - axis)))


def _take(column: Node, indices: Node) -> Node:
    if not column.rank:
        return column
    if not indices.rank:
        return gather(column, indices, axis=0)
    if column.op is index and column.args[0].rank > 1:
        column = _contiguous(column)
    return take_vector(column, indices)


def _contiguous(column: Node) -> Node:
    """Build a vector of an array's components, which lie one after the other."""
    (whole,), items = column.args, column.attrs["items"]
    block = next(axis for axis, (kind, _) in enumerate(items) if kind == "slice")
    rest = [axis for axis in range(whole.rank) if axis != block]
    if block == whole.rank - 1:
        return column
    moved = in_rows(transpose(whole, axes=(*rest, block)))
    return index(moved, items=(*(items[axis] for axis in rest), items[block]))


def scatter_cells(node: Node, grids: Sequence[Grid], block: int | None) -> Cells | None:
    if len(grids) > 2:
        return None
    ct, indices = grids
    axis, (size,) = node.attrs["axis"], node.attrs["sizes"]
    if node.args[1].rank != 1 or indices.block is None or ct.block != axis or block != axis:
        return None
    (chosen,) = indices.nodes
    if not chosen.rank:
        return None
    rows = gather(arange(n=size), chosen, axis=0)  # counted from the front, and inside
    length = node.args[1].shape[0]

    def added(cell: Node) -> Node:
        return (
            cell
            if is_structural_zero(cell)
            else bin_vector(repeat(cell, length), rows, size=Dim.of(size))
        )

    return map_cells(added, ct.cells)
