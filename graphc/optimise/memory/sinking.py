"""Sinking: a computation moves to its first reader where this does not raise the peak."""

from __future__ import annotations

from graphc.ir.graph import Graph, Node, intern, stamped, with_args
from graphc.ir.loop import LOOP, RESULT
from graphc.ir.mapping import map_graph
from graphc.ir.rebuild import rebuild
from graphc.ir.verify import verified
from graphc.ops.storage import holder
from graphc.optimise.memory.estimate import Sizes, liveness


@verified
def sink(graph: Graph, sizes: Sizes) -> Graph:
    """Move each node to its first reader, where it is not smaller than what dies with it.

    A node moves to its first reader where what it makes is not smaller than what dies with it.
    """
    live = liveness(graph, sizes)
    dies = {one.node: one.last for one in live.spans}
    number = {node: n for n, node in enumerate(live.order)}
    reader: dict[Node, int] = {}
    moved: dict[Node, Node] = {}  # by node, the reader before which it stands
    for node in reversed(live.order):
        at = number[node]
        first = reader.get(node, len(live.order))
        if first < len(live.order) and node.args and node.op not in (LOOP, RESULT):
            goal = moved.get(live.order[first], live.order[first])
            dying = {holder(arg) for arg in node.args}
            longer = [arg for arg in dying if dies.get(arg, number[goal]) < number[goal]]
            later = number[goal] > at + 1 and goal.place > node.place
            if later and not node.static and sum(map(sizes.of, longer)) <= sizes.of(node):
                moved[node] = goal
        for arg in node.args:
            reader[arg] = min(reader.get(arg, at), at)

    def place_node(node: Node, args: tuple[Node, ...]) -> Node:
        if node not in moved:
            return with_args(node, args)
        place = moved[node].place
        with stamped(node.origin, place):
            return intern(node.op, args, node.attrs, node.type, f"{node.salt}@{place}")

    return map_graph(graph, rebuild(graph.results.values(), place_node)) if moved else graph
