"""Scalars: a graph whose arrays are few and tiny -> one of Python's own floats, or None."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from graphc.ir.graph import SOURCES, Graph, Node, intern, with_args
from graphc.ir.mapping import map_graph
from graphc.ir.rebuild import rebuild
from graphc.ir.results import ResultKey
from graphc.ops.elementwise.python_floats import on_numbers
from graphc.ops.shape.shaping import index
from graphc.optimise.scalarise.cells import Grid, map_cells
from graphc.optimise.scalarise.small_axes import LONG, MOST_AXES, Expansion, operations
from graphc.records import dataclass, replace

FEW = 400
"""Operations on numbers, at most: beyond, arrays are faster."""

WHOLE = 10
"""How many times as many there may be before what structure makes zero is left out."""


@dataclass(frozen=True, slots=True)
class InNumbers:
    """A graph of numbers; `arrays` are the original results, by the numbers in their places."""

    graph: Graph
    arrays: Mapping[ResultKey, Grid]


def by_number(graph: Graph) -> InNumbers | None:
    """Rewrite a tiny graph in numbers, where every operation is known on numbers; else None."""
    nodes = graph.nodes
    if not all(map(is_tiny, nodes)) or sum(map(operations, nodes)) > WHOLE * FEW:
        return None
    if any(node.type.dtype != "float" for node in graph.results.values()):
        return None
    expansion = Expansion(set(nodes))
    parted = expansion.graph(graph)
    grids = {key: expansion.grid(node) for key, node in parted.results.items()}
    cells = {
        replace(key, number=number): cell
        for key, grid in grids.items()
        for number, cell in enumerate(grid.nodes)
    }
    flat = replace(parted, results=cells)
    computed = [node for node in flat.nodes if not _is_given(node)]
    if len(computed) > FEW or not all(map(on_numbers, computed)):
        return None
    new = rebuild(cells.values(), _on_numbers)
    moved = {key: Grid(map_cells(new.__getitem__, grid.cells), None) for key, grid in grids.items()}
    return InNumbers(map_graph(flat, new), moved)


def is_tiny(node: Node) -> bool:
    """True if an array has a few axes and a few elements, whose number is known."""
    known = [n.constant for n in node.shape if n.constant is not None and n.constant < LONG]
    return len(known) == node.rank <= MOST_AXES and prod(known) <= WHOLE * FEW


def _is_given(node: Node) -> bool:
    """True for a number that is known, a source, or a part of one."""
    part = node.op is index and node.args[0].op in SOURCES and not node.rank
    return not node.args or part


def _on_numbers(node: Node, args: tuple[Node, ...]) -> Node:
    op = on_numbers(node)
    if op is None or _is_given(node):
        return with_args(node, args)
    return intern(op, args, node.attrs, node.type)
