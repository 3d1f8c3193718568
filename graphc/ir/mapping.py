"""A graph with its nodes replaced: what every pass ends with."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir.graph import Graph, Node
from graphc.ir.rebuild import map_adjoints
from graphc.records import replace


def map_graph(graph: Graph, new: Mapping[Node, Node]) -> Graph:
    """Replace a graph's nodes; what it says of nodes that are gone is dropped."""
    names = {new[node]: name for node, name in reversed(list(graph.names.items())) if node in new}
    labels = {new.get(node, node): label for node, label in reversed(list(graph.labels.items()))}
    results = {key: new[node] for key, node in graph.results.items()}
    alike = all(new[node] is node for node in graph.results.values())
    kept = alike and all(adjoint.value in new for adjoint in graph.adjoints)
    adjoints = graph.adjoints if kept else map_adjoints(graph.adjoints, new)
    return replace(graph, results=results, names=names, adjoints=adjoints, labels=labels)
