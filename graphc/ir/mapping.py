"""A graph with its nodes replaced: what every pass ends with."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir.graph import Graph, Node
from graphc.ir.loop import moved_adjoints


def mapped(graph: Graph, new: Mapping[Node, Node]) -> Graph:
    """The graph with its nodes replaced; what it says of nodes that are gone is dropped."""
    names = {new[node]: name for node, name in reversed(list(graph.names.items())) if node in new}
    return Graph(
        graph.name,
        {name: new[node] for name, node in graph.results.items()},
        names,
        moved_adjoints(graph.adjoints, new),
        {new.get(node, node): label for node, label in reversed(list(graph.labels.items()))},
    )
