"""The rules of the fast module: a graph -> a graph of fewer, cheaper nodes, equal up to rounding.

Each rule sees one node, and may ask whether an argument is read only once.
"""

from __future__ import annotations

from graphc.ir.graph import Graph, Node, Op, table, with_args
from graphc.ir.loop import LOOP, everywhere, loop_of
from graphc.ir.mapping import map_graph
from graphc.ir.memo import memoised
from graphc.ir.rebuild import rebuild
from graphc.ir.types import same_shape
from graphc.ir.use_counts import Once, Rule, Rules, exchange, move, reads_of
from graphc.ir.verify import is_verifying, verified
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.shape.shaping import transpose
from graphc.optimise.algebra.factors import SCALARS
from graphc.optimise.algebra.matrices import SCALES, transpose_of_product
from graphc.optimise.algebra.powers import POWERS
from graphc.optimise.algebra.reductions import SUMS
from graphc.optimise.exact.identities import RULES
from graphc.optimise.exact.primitives import PRIMITIVES
from graphc.optimise.passes import simplify

PATIENT = 12
"""So many rounds a node whose arguments have changed waits for the next, whose rules may fit it
better. What is left then is a chain, along which one round carries a change all the way."""


def joined(*tables: Rules) -> Rules:
    """Join rules by operation, those of the first table first."""
    joined: dict[Op, tuple[Rule, ...]] = {}
    for rules_of in tables:
        for op, rules in rules_of.items():
            joined[op] = (*joined.get(op, ()), *rules)
    return joined


FAST_RULES: Rules = joined(PRIMITIVES, POWERS, SCALARS, SUMS, SCALES)
"""What makes the graph smaller."""


@verified
def strengthen(graph: Graph) -> Graph:
    """Apply what makes the graph smaller, until nothing does."""
    return applied_everywhere(graph, FAST_RULES)


@verified
def turn_products(graph: Graph) -> Graph:
    """Move transposes that loops stack into their products: stacked as they are asked for.

    Elsewhere a product lies as suits those that read it.
    """
    roots = graph.results.values()
    loops = [loop_of(node) for node in everywhere(roots) if node.op is LOOP]
    stacked = {one for loop in loops for one in loop.collected if one.op is transpose}
    if not stacked:
        return graph
    reads = reads_of(roots)

    def turned(node: Node, args: tuple[Node, ...]) -> Node:
        made = with_args(node, args)
        alone = node in stacked and reads[node.args[0]] == 1
        return (alone and transpose_of_product(made, lambda _: True)) or made

    return simplify(map_graph(graph, rebuild(roots, turned)))


def applied_everywhere(graph: Graph, rules: Rules) -> Graph:
    """Apply every rule that applies, round by round until none does."""
    at_rest = table.get().memo[applied_everywhere, id(rules)]
    for number in range(PATIENT + len(graph.nodes)):
        roots = tuple(graph.results.values())
        if roots in at_rest:
            return graph
        before, graph = graph, _round(graph, rules, number < PATIENT)
        if graph is before:
            at_rest[roots] = True
    assert not is_verifying(), "rules that undo one another: there is no end to them"
    return graph


def _round(graph: Graph, rules: Rules, patient: bool) -> Graph:
    """Apply rules to every node; returns the same graph where none applies.

    What takes a node's place is read as often as that was, and what only that has read no more;
    what a rule makes below it is rewritten first. Of a sum of many terms rules join two at a time,
    and what these share may be read only once from then on: they are counted one by one.
    """
    roots = graph.results.values()
    reads = reads_of(roots)
    normal: dict[Node, Node] = {}
    waiting: set[Node] = set()

    def once(node: Node) -> bool:
        return reads[node] == 1 and node not in waiting

    def replaced(node: Node, args: tuple[Node, ...]) -> Node:
        last = with_args(node, args)
        if last is not node:
            move(reads, node, last)
            if patient:
                waiting.add(last)
        same, new = last, _normal(last, rules, once, normal)
        while new is not last:
            exchange(reads, last, new)
            if new.op is not accumulate:
                break
            normal.pop(new)
            last, new = new, _normal(new, rules, once, normal)
        normal[same] = new
        return new

    new = rebuild(roots, replaced)
    return graph if all(new[node] is node for node in roots) else map_graph(graph, new)


def _normal(node: Node, rules: Rules, once: Once, normal: dict[Node, Node]) -> Node:
    """Apply rules to a node, to what they make of it, and below that, until none applies.

    `normal` has what is known, and is filled.
    """
    made: dict[Node, Node] = {}  # by node, what a rule made of it
    pending = [node]
    while pending:
        top = pending[-1]
        if top in normal:
            pending.pop()
        elif top in made and made[top] in normal:
            normal[top] = normal[made[top]]
        elif top in made:
            pending.append(made[top])
        elif top is not node and (below := [arg for arg in top.args if arg not in normal]):
            pending += below
        else:
            args = top.args if top is node else tuple(normal[arg] for arg in top.args)
            same = with_args(top, args)
            better = _rewritten(same, rules, once)
            assert better not in made, ("rules that undo one another", same, better)
            if better is same:
                normal[top] = normal[same] = same
            else:
                made[top] = better
    return normal[node]


def _rewritten(node: Node, rules: Rules, once: Once) -> Node:
    """Apply the first rule that applies to a node, the exact ones before all."""
    better = _by_exact_rules(node)
    if better is node:
        for rule in rules.get(node.op, ()):
            found = rule(node, once)
            if found is not None and found is not node:
                better = found
                break
    assert better.type.dtype == node.type.dtype, (node, better)
    assert same_shape(better.shape, node.shape), (node, better)
    return better


@memoised
def _by_exact_rules(node: Node) -> Node:
    for rule in RULES:
        better = rule(node)
        if better is not None and better is not node:
            return better
    return node
