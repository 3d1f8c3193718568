"""Components of directed graphs and dominators of DAGs, against networkx."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.ad.jacobian.elimination import dominators
from graphc.elaborate.names.references import Cycle, order_by_use
from graphc.ir.components import strongly_connected
from graphc.ir.graph import Node, as_node, uses
from graphc.ir.order import topological
from graphc.ir.session import Session
from graphc.source import Source
from graphc.syntax.parse.parser import parse


@st.composite
def graphs(draw: st.DrawFn) -> dict[int, list[int]]:
    nodes = draw(st.permutations(range(draw(st.integers(1, 10)))))
    ends = st.lists(st.sampled_from(nodes), max_size=3)
    return {node: draw(ends) for node in nodes}


@settings(max_examples=300)
@given(graphs())
def test_components_are_those_of_networkx_in_its_order(edges: dict[int, list[int]]) -> None:
    place = {node: number for number, node in enumerate(edges)}
    graph = nx.DiGraph()
    graph.add_nodes_from(edges)
    graph.add_edges_from((one, end) for one, ends in edges.items() for end in ends)
    whole = nx.condensation(graph)
    members = {one: sorted(found, key=place.__getitem__) for one, found in whole.nodes("members")}
    order = nx.lexicographical_topological_sort(whole, lambda one: place[members[one][0]])
    assert list(strongly_connected(edges)) == [members[one] for one in order]


@settings(max_examples=300)
@given(graphs())
def test_statements_that_need_each_other_are_told_by_the_shortest_way_round(
    edges: dict[int, list[int]],
) -> None:
    """`n3 = n1 + n2` for the edges 1 -> 3 and 2 -> 3; a statement that needs itself counts."""
    needs: dict[int, set[int]] = {node: set() for node in edges}
    for one, ends in edges.items():
        for end in ends:
            needs[end].add(one)
    lines = [
        f"n{one} = {' + '.join(f'n{other}' for other in sorted(needs[one])) or '1.0'}"
        for one in sorted(edges)
    ]
    graph = nx.DiGraph((one, end) for one, ends in edges.items() for end in ends)
    statements = parse(Source("a.graph", "\n".join(lines))).statements
    if nx.is_directed_acyclic_graph(graph):
        order_by_use(statements)
        return
    with pytest.raises(Cycle) as raised:
        order_by_use(statements)
    ring = [sorted(edges)[place] for place in raised.value.places]
    inside = {
        one
        for cycle in nx.strongly_connected_components(graph)
        if len(cycle) > 1 or graph.has_edge(*[*cycle] * 2)
        for one in cycle
    }
    assert ring[0] == min(inside)
    assert all(
        graph.has_edge(one, end) for one, end in zip(ring, [*ring[1:], ring[0]], strict=True)
    )
    back = [
        nx.shortest_path_length(graph, end, ring[0])
        for end in graph.successors(ring[0])
        if nx.has_path(graph, end, ring[0])
    ]
    assert len(ring) == 1 + min(back)


@settings(max_examples=100)
@given(st.data())
def test_dominators_are_those_of_networkx(data: st.DataObject) -> None:
    with Session().open():
        start = as_node(1.0)
        nodes: list[Node] = [start]
        for _ in range(data.draw(st.integers(1, 12))):
            left, right = (data.draw(st.sampled_from(nodes[-4:])) for _ in "ab")
            nodes.append(left * right - left)
        end = nodes[-1]
        readers = uses([end])
        between = {node for node in topological([end]) if _comes_from(node, start)}
        edges = [(node, child) for node in between for child, _ in readers[node]]
        graph = nx.DiGraph([edge for edge in edges if edge[1] in between])
        found = dominators(end, start, between)
        expected = nx.immediate_dominators(graph, start)
    assert {node: found[node] for node in between if node is not start} == {
        node: above for node, above in expected.items() if node is not start
    }


def _comes_from(node: Node, start: Node) -> bool:
    return start in uses([node])
