"""The chain rule that a statement comes of, with the variables of the derivatives in it."""

from __future__ import annotations

from collections.abc import Container, Mapping

from graphc.ir.chain import Chain, DerivativeName
from graphc.ir.graph import TANGENT, Graph, Node
from graphc.ir.loop import BOUND
from graphc.names import flat
from graphc.records import replace


def chain_of(
    graph: Graph, node: Node, variables: Mapping[Node, str], adjoints: Container[Node]
) -> Chain | None:
    """Return the chain rule that a derivative comes of, with the variables of the derivatives.

    What `adjoints` come of they say themselves: nothing behind them is looked at.
    """
    name = graph.names.get(node)
    if not isinstance(name, DerivativeName):
        return None
    near = _derivatives_near(graph, node, adjoints)
    if any(isinstance(one, DerivativeName) and one.chain == name.chain for one in near):
        return None  # said of what this only arranges
    called = {str(one): variables.get(of, flat(one)) for one, of in near.items()}
    links = [
        replace(link, derivative=called.get(link.derivative, flat(link.derivative)))
        for link in name.chain.links
    ]
    return replace(name.chain, links=tuple(links))


def _derivatives_near(graph: Graph, node: Node, adjoints: Container[Node]) -> dict[str, Node]:
    """Return by name the derivatives that a node is made of."""
    found: dict[str, Node] = {}
    pending, seen = [*node.args], {node}
    while pending:
        one = pending.pop()
        name = f"t_{one.attrs['name']}" if one.op is TANGENT else graph.names.get(one)
        if name:  # a derivative, or a value, behind which others lie
            if one.op in (TANGENT, BOUND) or isinstance(name, DerivativeName):
                found.setdefault(name, one)
            continue
        if one in adjoints:
            continue
        fresh = [arg for arg in one.args if arg not in seen]
        seen.update(fresh)
        pending += fresh
    return found
