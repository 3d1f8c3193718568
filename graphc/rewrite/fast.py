"""The rules of the fast module: a graph -> a graph of fewer, cheaper nodes, equal up to rounding.

Each rule sees one node, and may ask whether an argument is read only once. Those of a round see
the graph as the round before left it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from graphc.graph import Graph, Node, Op, with_args
from graphc.loop import LOOP, Loop, everywhere, rebuild
from graphc.rewrite.mapping import mapped
from graphc.rewrite.matrices import MATRICES
from graphc.rewrite.powers import POWERS
from graphc.rewrite.primitives import PRIMITIVES
from graphc.rewrite.reductions import FUSED, SUMS
from graphc.rewrite.rules import RULES
from graphc.rewrite.scalars import SCALARS, Once
from graphc.types import same_shape

Rule = Callable[[Node, Once], Node | None]
Rules = Mapping[Op, tuple[Rule, ...]]
ROUNDS = 12
"""Enough for rules that enable one another; more would only be spent on two that disagree."""


def _table(*tables: Mapping[Op, tuple[Callable[..., Node | None], ...]]) -> Rules:
    """Rules by operation, those of the first table first."""
    joined: dict[Op, tuple[Rule, ...]] = {}
    for table in tables:
        for op, rules in table.items():
            joined[op] = (*joined.get(op, ()), *map(_asking, rules))
    return joined


@cache
def _asking(rule: Callable[..., Node | None]) -> Rule:
    """A rule that does not ask how often its arguments are read, as one that could."""
    code: Any = rule.__code__  # type: ignore[attr-defined]
    return rule if code.co_argcount == 2 else lambda node, once: rule(node)


FAST_RULES: Rules = _table(PRIMITIVES, POWERS, SCALARS, SUMS, MATRICES)
"""What makes the graph smaller."""

LAST_RULES: Rules = _table(FUSED, MATRICES)
"""What hides the structure that the others look for."""


def strengthen(graph: Graph) -> Graph:
    """Apply the rules of the fast module, first those that keep sums as sums."""
    for rules in (FAST_RULES, LAST_RULES):
        for _ in range(ROUNDS):
            new = _round(graph, rules)
            if new is graph:
                break
            graph = new
    return graph


def _round(graph: Graph, rules: Rules) -> Graph:
    roots = graph.results.values()
    uses = _uses(roots)

    def once(node: Node) -> bool:
        return uses[node] == 1

    def replaced(node: Node, args: tuple[Node, ...]) -> Node:
        return _applied(with_args(node, args), rules, once)

    new = rebuild(roots, replaced)
    return graph if all(new[node] is node for node in roots) else mapped(graph, new)


def _applied(node: Node, rules: Rules, once: Once) -> Node:
    """A node after every rule that applies, as long as one does."""
    applied = True
    while applied:
        applied = False
        for exact in RULES:
            better = exact(node)
            if better is not None and better is not node:
                node, applied = better, True
        for rule in rules.get(node.op, ()):
            better = rule(node, once)
            if better is not None and better is not node:
                assert same_shape(better.shape, node.shape), (rule, node, better)
                assert better.type.dtype == node.type.dtype, (rule, node, better)
                node, applied = better, True
                break
    return node


def _uses(roots: Iterable[Node]) -> Counter[Node]:
    """How often each node is read, also inside loops; what a loop captures is read there and by
    the loop, so more than once."""
    roots = list(roots)
    uses = Counter(roots)
    for node in dict.fromkeys(everywhere(roots)):
        uses.update(node.args)
        if node.op is LOOP:
            loop: Loop = node.attrs["loop"]
            uses.update(loop.roots)
    return uses
