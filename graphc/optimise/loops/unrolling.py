"""Unrolling: a short loop of few operations on long arrays is written out, step by step.

What its steps stack for others is read where it is computed, so that stacks vanish, and blocks of
an axis need no room for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import Graph, Node, arguments_first, stamped, with_args
from graphc.ir.loop import LOOP, RESULT, Loop, body, loop_arguments, loop_of, loop_on, result
from graphc.ir.mapping import map_graph
from graphc.ir.specialise import specialise
from graphc.ir.verify import verified
from graphc.ops.cost import LONG
from graphc.ops.linear.products import matmul
from graphc.ops.shape.shaping import part_at, stack

MOST = 200
"""So many operations may the steps of loops come to that are written out together."""


@verified
def unroll(graph: Graph) -> Graph:
    """Write out the steps of short loops on long arrays."""
    short = _short_loops([node for node in graph.nodes if node.op is LOOP])
    new: dict[Node, Node] = {}
    ends: dict[Node, Sequence[Node]] = {}
    items: dict[Node, Sequence[Node]] = {}  # by stack, what it is of
    for node in arguments_first(graph.results.values()):
        with stamped(node.origin, node.place):
            if node in short:
                ends[node] = _written_out(node, new, items)
            elif node.op is LOOP:
                new[node] = loop_on(node, loop_of(node), new)
            elif node.op is RESULT and node.args[0] in ends:
                new[node] = ends[node.args[0]][node.attrs["number"]]
            elif node.op is RESULT:
                new[node] = result(new[node.args[0]], node.attrs["number"])
            else:
                new[node] = with_args(node, tuple(new[arg] for arg in node.args))
    return map_graph(graph, new) if ends else graph


def _short_loops(loops: Sequence[Node]) -> set[Node]:
    """Choose loops whose steps come to few operations, with those that read each other's stacks.

    A stack that a loop reads is an array: of such loops all are written out, or none.
    """
    up = {node: node for node in loops}  # towards one that stands for all of them
    for node in loops:
        for other in _read_by(node):
            up[_top(other, up)] = _top(node, up)
    total: dict[Node, int] = {}
    for node in loops:
        top, count = _top(node, up), _count(node)
        total[top] = total.get(top, 0) + (MOST + 1 if count is None else count)
    return {node for node in loops if total[_top(node, up)] <= MOST}


def _top(node: Node, up: dict[Node, Node]) -> Node:
    while up[node] is not node:
        up[node] = node = up[up[node]]
    return node


def _read_by(node: Node) -> Iterator[Node]:
    """Yield the loops that a loop reads the results of."""
    return (arg.args[0] for arg in node.args if arg.op is RESULT)


def _count(node: Node) -> int | None:
    """Count the operations of all steps of a loop; None where it has to stay one.

    That is where products of matrices are better done for all steps at once, where arrays are
    small, and where the number of steps is not known.
    """
    loop = loop_of(node)
    count, inside = loop.count.constant, body(loop)
    if loop.until is not None or loop.limited or not count:
        return None
    if any(one.op in (LOOP, RESULT, matmul) for one in inside):
        return None
    sizes = (one.type.size.constant for one in loop.results)
    if all(size is not None and size <= LONG for size in sizes):
        return None
    return count * sum(one.op.view_of is None and not one.static for one in inside)


def _written_out(
    node: Node, new: dict[Node, Node], items: dict[Node, Sequence[Node]]
) -> Sequence[Node]:
    """Return the results of a loop, computed step by step; its stacks are noted as `items`."""
    loop = loop_of(node)
    initials, sources, outer = loop_arguments(node)
    carried = [new[one] for one in initials]
    collected: list[list[Node]] = [[] for _ in loop.collected]
    for position in _positions(loop):
        inside = {one: new[one] for one in outer}
        inside |= dict(zip(loop.carried, carried, strict=True))
        for element, source in zip(loop.elements, sources, strict=True):
            inside[element.node] = _at(new[source], element.axis, position, items)
        fixed = {loop.index: loop.first + position}
        for one in body(loop):
            with stamped(one.origin, one.place):
                inside[one] = specialise(one, tuple(inside.get(a, a) for a in one.args), fixed)
        carried = [inside.get(one, one) for one in loop.nexts]
        for several, item in zip(collected, loop.collected, strict=True):
            several.append(inside.get(item, item))
    found = list(carried)
    for several in collected:
        ordered = several[::-1] if loop.backwards else several
        made = stack(*ordered, axis=0)
        items[made] = ordered
        found.append(made)
    return found


def _positions(loop: Loop) -> Iterator[int]:
    count = loop.count.constant or 0
    return iter(range(count - 1, -1, -1) if loop.backwards else range(count))


def _at(source: Node, axis: int, position: int, items: Mapping[Node, Sequence[Node]]) -> Node:
    """Return what is at a position of an axis: an item itself, where that is known."""
    if axis == 0 and source in items:
        return items[source][position]
    return part_at(source, axis, Dim.of(position))
