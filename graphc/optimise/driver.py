"""The rules of the fast module: a graph -> a graph of fewer, cheaper nodes, equal up to rounding.

Each rule sees one node, and may ask whether an argument is read only once.
"""

from __future__ import annotations

from graphc.ir.graph import Graph, Node, Op, with_args
from graphc.ir.mapping import map_graph
from graphc.ir.memo import memoised
from graphc.ir.rebuild import rebuild
from graphc.ir.types import same_shape
from graphc.ir.use_counts import Once, Rule, Rules, reads_of
from graphc.ir.verify import verified
from graphc.optimise.algebra.factors import SCALARS
from graphc.optimise.algebra.matrices import SCALES
from graphc.optimise.algebra.powers import POWERS
from graphc.optimise.algebra.reductions import SUMS
from graphc.optimise.exact.identities import RULES
from graphc.optimise.exact.primitives import PRIMITIVES

ROUNDS = 12
"""Enough for rules that enable one another; more would only be spent on two that disagree."""


def joined(*tables: Rules) -> Rules:
    """Rules by operation, those of the first table first."""
    joined: dict[Op, tuple[Rule, ...]] = {}
    for table in tables:
        for op, rules in table.items():
            joined[op] = (*joined.get(op, ()), *rules)
    return joined


FAST_RULES: Rules = joined(PRIMITIVES, POWERS, SCALARS, SUMS, SCALES)
"""What makes the graph smaller."""


@verified
def strengthen(graph: Graph) -> Graph:
    """Apply what makes the graph smaller, until nothing does."""
    return applied_everywhere(graph, FAST_RULES)


@verified
def applied_everywhere(graph: Graph, rules: Rules) -> Graph:
    """The graph after every rule that applies, round by round until none does."""
    for _ in range(ROUNDS):
        before, graph = graph, _round(graph, rules)
        if graph is before:
            break
    return graph


def _round(graph: Graph, rules: Rules) -> Graph:
    """Every node after the rules that apply to it; the same graph where none does.

    What takes a node's place is read as often as that was, so that one round carries a factor
    all the way along a chain.
    """
    roots = graph.results.values()
    reads = reads_of(roots)

    def once(node: Node) -> bool:
        return reads[node] == 1

    def replaced(node: Node, args: tuple[Node, ...]) -> Node:
        new = _applied(with_args(node, args), rules, once)
        if new is not node:
            reads[new] += reads[node]
        return new

    new = rebuild(roots, replaced)
    return graph if all(new[node] is node for node in roots) else map_graph(graph, new)


def _applied(node: Node, rules: Rules, once: Once) -> Node:
    """A node after every rule that applies, the exact ones first, as long as one does."""
    while True:
        better = _by_exact_rules(node)
        for rule in rules.get(better.op, ()):
            found = rule(better, once)
            if found is not None and found is not better:
                better = found
                break
        if better is node:
            return node
        assert better.type.dtype == node.type.dtype, (node, better)
        assert same_shape(better.shape, node.shape), (node, better)
        node = better


@memoised
def _by_exact_rules(node: Node) -> Node:
    for rule in RULES:
        better = rule(node)
        if better is not None and better is not node:
            return better
    return node
