"""Running sums: each term of a sum of many is added as soon as it is there."""

from __future__ import annotations

from functools import reduce

from graphc.ir.graph import Graph, Node, stamped, with_args
from graphc.ir.loop import BOUND
from graphc.ir.mapping import map_graph
from graphc.ir.rebuild import rebuild
from graphc.ir.verify import verified
from graphc.ops.elementwise.arithmetic import LONGEST_SUM, accumulate
from graphc.records import replace


@verified
def add_as_computed(graph: Graph) -> Graph:
    """Add contributions to a cotangent one after the other, in their order: the same bits.

    A sum of many terms keeps all of them until the last one is there.
    """
    new = rebuild(graph.results.values(), _one_by_one)
    split = {node for node, one in new.items() if one is not node and _is_long(node)}
    names = {
        new[a.value]: f"d_{graph.names[a.of]}"
        for a in graph.adjoints
        if a.value in split and a.of in graph.names
    }
    rest = tuple(a for a in graph.adjoints if a.value not in split)
    done = map_graph(replace(graph, adjoints=rest), new)
    return replace(done, names={**names, **done.names})


def _is_long(node: Node) -> bool:
    many = node.op is accumulate and len(node.args) > 2 and node.args[0].op is not BOUND
    return many and all(arg.type == node.type for arg in node.args)


def _one_by_one(node: Node, args: tuple[Node, ...]) -> Node:
    """Build a sum from left to right; of very many terms in groups, as it is written."""
    if not _is_long(node):
        return with_args(node, args)
    groups = [args[n : n + LONGEST_SUM] for n in range(0, len(args), LONGEST_SUM)]
    return reduce(_add, (reduce(_add, group) for group in groups))


def _add(total: Node, term: Node) -> Node:
    with stamped(term.origin, max(total.place, term.place)):
        return accumulate(total, term)
