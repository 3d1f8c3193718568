"""Grids: an array by its components, a cell for each place of its small axes; and their algebra.

A zero that stems from structure (off the diagonal of an identity, beside what an index chose, the
start of a derivative) is told from a number 0: whatever it is multiplied with, the product is that
zero, as if it had never been written down. A number 0 times infinity stays nan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from graphc.ir.dims import Dim
from graphc.ir.graph import CONSTANT, Node, intern
from graphc.ir.types import Shape, Type
from graphc.later import Later
from graphc.ops.elementwise.arithmetic import minus, negative, over, plus, times, where
from graphc.ops.shape.assemble import assemble
from graphc.ops.shape.shaping import broadcast_to
from graphc.optimise.exact.identities import folded
from graphc.records import dataclass

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Cells = npt.NDArray[np.object_]
    """An array of nodes."""
else:
    np, Cells = Later("numpy"), Any

_STRUCTURAL = "a zero of structure"


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of an array: the block axis, where there is one, has length 1 there.

    A cell is a vector along the block axis, or a number that is the same all along it.
    """

    cells: Cells
    block: int | None

    @property
    def nodes(self) -> list[Node]:
        return list(self.cells.reshape(-1))


def structural_zero() -> Node:
    return intern(CONSTANT, (), {"value": 0.0}, Type("float"), _STRUCTURAL)


def is_structural_zero(node: Node) -> bool:
    return node.salt == _STRUCTURAL


def zero_cells(shape: tuple[int, ...]) -> Cells:
    """Structural zeros everywhere."""
    cells: Cells = np.empty(shape, object)
    cells.fill(structural_zero())
    return cells


def cells_shape(shape: Shape, block: int | None) -> tuple[int, ...]:
    """Return the shape of the cells of an array."""
    return tuple(1 if axis == block else int(n.constant or 0) for axis, n in enumerate(shape))


# ---- arrays of nodes ---------------------------------------------------------------------------


def box(value: Any) -> Cells:
    """Return cells as they are; one node as cells without axes."""
    if isinstance(value, np.ndarray):
        return value
    cells: Cells = np.empty((), object)
    cells[()] = value
    return cells


def map_cells(function: Callable[..., Node], *cells: Cells) -> Cells:
    """Apply a function to every cell, of several cells as they broadcast."""
    return box(np.frompyfunc(function, len(cells), 1)(*cells))


def join_along(
    cells: Cells, axes: Iterable[int], join: Callable[[Node, Node], Node], nothing: Node | None
) -> Cells:
    """Join the cells along some axes one by one, in their order."""
    gone = sorted(axes)
    rest = [axis for axis in range(cells.ndim) if axis not in gone]
    shape = tuple(cells.shape[axis] for axis in rest)
    count = int(np.prod([cells.shape[axis] for axis in gone], dtype=np.int64))
    rows = cells.transpose(*rest, *gone).reshape(*shape, count)
    assert count or nothing is not None, "nothing to compare"
    found: Cells = np.empty(shape, object)
    for place in np.ndindex(shape):
        found[place] = reduce(join, rows[place]) if count else nothing
    return found


# ---- arithmetic of cells -----------------------------------------------------------------------


def combine(node: Node, args: Sequence[Node]) -> Node:
    """Apply a node's operation to cells; structural zeros and ones are not computed with."""
    simple = _ALGEBRA.get(node.op)
    found = None if simple is None else simple(*args)
    if found is None:
        found = node.op(*args, **node.attrs)
    return folded(found) or found


def add(one: Node, other: Node) -> Node:
    return _plus(one, other) or _known(plus(one, other))


def multiply(one: Node, other: Node) -> Node:
    return _times(one, other) or _known(times(one, other))


def subtract(one: Node, other: Node) -> Node:
    return _minus(one, other) or _known(minus(one, other))


def divide(one: Node, other: Node) -> Node:
    return _over(one, other) or _known(over(one, other))


def _known(node: Node) -> Node:
    return folded(node) or node


def _plus(one: Node, other: Node) -> Node | None:
    """0 + x -> x."""
    if is_structural_zero(one) and other.type.dtype == "float":
        return other
    if is_structural_zero(other) and one.type.dtype == "float":
        return one
    if other.op is negative:
        return minus(one, other.args[0])
    return None


def _minus(one: Node, other: Node) -> Node | None:
    """x - 0 -> x; 0 - x -> -x."""
    if is_structural_zero(other) and one.type.dtype == "float":
        return one
    if is_structural_zero(one) and other.type.dtype == "float":
        return _negative(other) or negative(other)
    if other.op is negative:
        return plus(one, other.args[0])
    return None


def _times(one: Node, other: Node) -> Node | None:
    """0 * x -> 0; 1 * x -> x; -1 * x -> -x."""
    if is_structural_zero(one) or is_structural_zero(other):
        return structural_zero()
    for number, rest in ((one, other), (other, one)):
        if number.rank or rest.type.dtype != "float" or number.value not in (1, -1):
            continue
        return rest if number.value == 1 else _negative(rest) or negative(rest)
    return None


def _over(one: Node, other: Node) -> Node | None:
    """0 / x -> 0; x / 1 -> x."""
    if is_structural_zero(one):
        return one
    if other.value == 1 and not other.rank and one.type.dtype == "float":
        return one
    return None


def _negative(x: Node) -> Node | None:
    """-0 -> 0; -(-x) -> x."""
    if is_structural_zero(x):
        return x
    return x.args[0] if x.op is negative else None


def _where(condition: Node, one: Node, other: Node) -> Node | None:
    """x, where both are x; a zero of the one is one of both, where the other is the number 0."""
    if one is other:
        return one
    zeros = [is_structural_zero(x) or (not x.rank and x.value == 0) for x in (one, other)]
    if all(zeros) and (is_structural_zero(one) or is_structural_zero(other)):
        return structural_zero()
    return None


_ALGEBRA: dict[Any, Callable[..., Node | None]] = {
    plus: _plus,
    minus: _minus,
    times: _times,
    over: _over,
    negative: _negative,
    where: _where,
}


# ---- from cells to arrays ------------------------------------------------------------------------


def assembled(grid: Grid, type: Type) -> Node:
    """Build the array of a grid: the cell itself where that is the array."""
    nodes = grid.nodes
    if len(nodes) == 1 and nodes[0].type == type:
        return nodes[0]
    if nodes and not nodes[0].rank and all(node is nodes[0] for node in nodes):
        return broadcast_to(nodes[0], shape=type.shape)
    places = []
    cells = []
    for place, cell in np.ndenumerate(grid.cells):
        if not is_structural_zero(cell):
            cells.append(cell)
            places.append(tuple(i for axis, i in enumerate(place) if axis != grid.block))
    attrs = {"dtype": type.dtype, "shape": type.shape, "block": grid.block, "places": tuple(places)}
    return assemble(*cells, **attrs)


def repeat(cell: Node, length: Dim) -> Node:
    """Repeat a cell as a vector."""
    return cell if cell.rank else broadcast_to(cell, shape=(length,))
