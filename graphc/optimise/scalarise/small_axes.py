"""Components: arrays with small axes become vectors along their one long axis, or numbers.

NumPy runs an inner loop of length 3 for each row where an array [P, 3] meets one of [P, 1], or is
summed along its last axis. By component everything is a vector of length P, and what structure
makes zero, as in the seeds of Jacobians, is not computed at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING

from graphc.ir.dims import Dim
from graphc.ir.graph import SOURCES, Graph, Node, with_args
from graphc.ir.items import whole
from graphc.ir.loop import LOOP, RESULT
from graphc.ir.mapping import map_graph
from graphc.ir.rebuild import rebuild
from graphc.ir.types import Shape, same_shape
from graphc.ir.verify import verified
from graphc.later import Later
from graphc.ops.shape.members import is_of_family
from graphc.ops.shape.shaping import index
from graphc.optimise.scalarise.cells import Cells, Grid, assembled, cells_shape
from graphc.optimise.scalarise.rules import cell_rule
from graphc.records import dataclass, field, replace

if TYPE_CHECKING:
    import numpy as np
else:
    np = Later("numpy")

SMALL = 32
"""Elements beside the long axis, at most."""

MOST_AXES = 32
"""So many axes NumPy iterates over, which holds the components while they are made."""

LONG = 64
"""From here on an axis of known length is a long one."""

MANY = 1500
"""Operations on components of a region, at most."""

WORTH = 4
"""Operations on vectors for each short inner loop, at most.

A short loop costs some 8 ns a position, a call for a vector 0.5 µs: four calls are as much as one
loop at 250 positions.
"""

ENOUGH = 8
"""Short inner loops of a region, at least."""


@verified
def components(graph: Graph) -> Graph:
    """Compute regions of a graph by component where that pays."""
    chosen = {node for region in _regions(graph) if _pays(region) for node in region}
    if not chosen:
        return graph
    return Expansion(chosen | _constants(graph)).graph(graph)


@dataclass(slots=True)
class Expansion:
    """What is by component, and the grids of new nodes, as far as they are known."""

    chosen: Collection[Node]
    grids: dict[Node, Grid] = field(default_factory=dict)

    def graph(self, graph: Graph) -> Graph:
        """Compute the chosen nodes by component; what others read of them is assembled."""
        new = rebuild(graph.results.values(), self.replaced)
        result = map_graph(graph, new)
        spoken = dict(result.names)
        for node, name in graph.names.items():
            for part, place in self.parts(new.get(node)):
                spoken.setdefault(part, f"{name}{place}")
        for adjoint in graph.adjoints:
            if adjoint.of in graph.names:
                for part, place in self.parts(new.get(adjoint.value)):
                    spoken.setdefault(part, f"d_{graph.names[adjoint.of]}{place}")
        return replace(result, names=spoken)

    def replaced(self, node: Node, args: tuple[Node, ...]) -> Node:
        """Assemble an array of its components in the place of a chosen node."""
        new = with_args(node, args)
        rule = cell_rule(node)
        if node not in self.chosen or rule is None:
            return new
        block = long_axis(node.shape)
        cells = rule(new, [self.grid(arg) for arg in args], block)
        if cells is None:
            return new
        assert cells.shape == cells_shape(node.shape, block), (node, cells.shape)
        grid = Grid(cells, block)
        whole = assembled(grid, node.type) if any(n.args for n in grid.nodes) else new
        self.grids[whole] = grid
        return whole

    def grid(self, node: Node) -> Grid:
        """Return the components of any node: those that it is assembled from, else parts of it."""
        if node not in self.grids:
            block = long_axis(node.shape)
            cells: Cells = np.empty(cells_shape(node.shape, block), object)
            for place in np.ndindex(cells.shape):
                cells[place] = _part(node, place, block)
            self.grids[node] = Grid(cells, block)
        return self.grids[node]

    def parts(self, node: Node | None) -> Iterator[tuple[Node, str]]:
        """Yield the computed parts of an array, each with its place behind `_`."""
        grid = None if node is None else self.grids.get(node)
        if grid is None:
            return
        for place, cell in np.ndenumerate(grid.cells):
            if cell.args:
                inner = [str(i) for axis, i in enumerate(place) if axis != grid.block]
                yield cell, "_" + "_".join(inner) if grid.cells.size > 1 else ""


def _part(node: Node, place: Sequence[int], block: int | None) -> Node:
    if not node.rank or (node.rank == 1 and block == 0):
        return node
    items = tuple(
        whole(node.shape[axis]) if axis == block else ("at", Dim.of(i))
        for axis, i in enumerate(place)
    )
    return index(node, items=items)


def long_axis(shape: Shape) -> int | None:
    """Return the one axis that is long or of unknown length; of several the first."""
    return next((axis for axis, n in enumerate(shape) if _is_long(n)), None)


def _is_long(n: Dim) -> bool:
    return n.constant is None or n.constant >= LONG


# ---- which nodes, and whether it pays ------------------------------------------------------------


def _is_small(node: Node) -> bool:
    """True if an array has no more than one long axis, and few elements beside."""
    small = [n.constant or 0 for n in node.shape if not _is_long(n)]
    return node.rank <= MOST_AXES and len(small) >= node.rank - 1 and prod(small) <= SMALL


def _possible(node: Node) -> bool:
    """True if a node with a long axis can be had by component; a member of a list cannot."""
    if cell_rule(node) is None or node.op in (LOOP, RESULT) or not node.args or is_of_family(node):
        return False
    arrays = (node, *node.args)
    return all(map(_is_small, arrays)) and any(long_axis(one.shape) is not None for one in arrays)


def _constants(graph: Graph) -> set[Node]:
    """Arrays that depend on no source: their components are numbers."""
    found: set[Node] = set()
    for node in graph.nodes:
        made = node.op not in (*SOURCES, LOOP, RESULT) and found.issuperset(node.args)
        if made and _is_small(node) and (node.static or cell_rule(node) is not None):
            found.add(node)
    return found


def _regions(graph: Graph) -> list[list[Node]]:
    """Group the nodes that can be had by component into connected regions."""
    region: dict[Node, list[Node]] = {}
    constant = _constants(graph)
    for node in graph.nodes:
        if node in constant or not _possible(node):
            continue
        region[node] = [node]
        for arg in node.args:
            if arg in region and region[arg] is not region[node]:
                one, other = sorted((region[arg], region[node]), key=len)
                other += one
                region.update(dict.fromkeys(one, other))
    found: dict[int, list[Node]] = {id(nodes): nodes for nodes in region.values()}
    return list(found.values())


def _pays(region: Sequence[Node]) -> bool:
    """True if there are enough short inner loops to make up for the number of operations."""
    work, loops = sum(map(operations, region)), sum(map(_short_loops, region))
    return work <= min(MANY, WORTH * loops) and loops >= ENOUGH


_VIEWS = frozenset({"index", "reshape", "expand", "broadcast_to", "permute", "in_rows"})


def _small_size(shape: Shape) -> int:
    return prod(n.constant or 0 for n in shape if not _is_long(n))


def operations(node: Node) -> int:
    """On components, if none is known to be zero."""
    if not node.args or node.op.name in (*_VIEWS, "concatenate", "unindex"):
        return 0
    size = _small_size(node.shape)
    if node.op.name == "matmul":
        return 2 * size * int(node.args[0].shape[-1].constant or 1)
    return max([size, *(_small_size(arg.shape) for arg in node.args)])


def _short_loops(node: Node) -> int:
    """Inner loops over few elements that NumPy runs for each position of the long axis."""
    widest = max((node, *node.args), key=lambda one: _small_size(one.shape))
    if node.op.name in _VIEWS or not widest.rank or long_axis(widest.shape) == widest.rank - 1:
        return 0
    rows = _small_size(widest.shape[:-1])
    if node.op.name == "cross":
        return 10 * rows
    if node.op.name == "matmul":
        return rows if node.args[1].rank > 2 else 0
    if node.op.structure != "elementwise" and node.op.name != "accumulate":
        return rows
    arrays = [arg for arg in node.args if arg.rank]
    even = all(same_shape(arg.shape, node.shape) and arg.op is not index for arg in arrays)
    return 0 if even else rows
