"""What is the same in every call with the same dims: it need not be computed again."""

from __future__ import annotations

from graphc.graph import SOURCES, Graph, Node, arguments_first
from graphc.loop import BOUND, LOOP, RESULT, changing, everywhere


def of_dims_only(graph: Graph) -> frozenset[Node]:
    """The nodes, also inside loops, that are made of numbers and dims alone."""
    nodes = list(dict.fromkeys(everywhere(graph.results.values())))
    indices = sorted({node.attrs["loop"].index for node in nodes if node.op is LOOP})
    apart = {node for index in indices for node in changing(nodes, (), index)}
    found: set[Node] = set()
    for node in arguments_first(nodes):
        changes = node in apart or node.op in (*SOURCES, BOUND, LOOP, RESULT)
        if not changes and all(arg in found for arg in node.args):
            found.add(node)
    return frozenset(found)
