"""Rewriting: a graph and a table of rules -> an equal graph; lowering of composed operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from graphc.ir.graph import Graph, Node, intern, with_args
from graphc.ir.kernel import SAME
from graphc.ir.loop import everywhere
from graphc.ir.mapping import map_graph
from graphc.ir.memo import memoised
from graphc.ir.rebuild import rebuild_alone
from graphc.ir.types import same_shape
from graphc.ir.verify import verified
from graphc.optimise.exact.identities import RULES
from graphc.optimise.loops.fusion import merge_loops, prune_loops

Pass = Callable[[Graph], Graph]


@verified
def simplify(graph: Graph) -> Graph:
    """Apply the exact rules everywhere, arguments first, until none applies."""
    return map_graph(graph, rebuild_alone(graph.results.values(), _simplified))


@verified
def lower(graph: Graph) -> Graph:
    """Replace operations that are printed as a composition of simpler ones, and those in turn."""
    while any(node.op.lower is not None for node in everywhere(graph.results.values())):
        graph = map_graph(graph, rebuild_alone(graph.results.values(), _lowered))
    return graph


@verified
def unwrap(graph: Graph) -> Graph:
    """Drop what has done its work in calculus: `stop`, stated derivatives, names of equal nodes."""
    return map_graph(graph, rebuild_alone(graph.results.values(), _unwrapped))


PASSES: tuple[Pass, ...] = (merge_loops, simplify, lower, unwrap, simplify, prune_loops)
"""What every module is made with."""


@verified
def rewritten(graph: Graph, passes: Iterable[Pass]) -> Graph:
    """Apply these passes to a graph, one after the other."""
    for rewrite in passes:
        graph = rewrite(graph)
    return graph


def _simplified(node: Node, args: tuple[Node, ...]) -> Node:
    return _simplest(with_args(node, args))


@memoised
def _simplest(node: Node) -> Node:
    applied = True
    while applied:
        applied = False
        for rule in RULES:
            better = rule(node)
            if better is not None and better is not node:
                assert same_shape(better.shape, node.shape), (rule, node, better)
                node, applied = with_args(better, tuple(map(_simplest, better.args))), True
    return node


def _lowered(node: Node, args: tuple[Node, ...]) -> Node:
    if node.op.lower is None:
        return with_args(node, args)
    return node.op.lower(*args, **node.attrs)


def _unwrapped(node: Node, args: tuple[Node, ...]) -> Node:
    if node.op.kernel == SAME:
        return args[0]
    return intern(node.op, args, node.attrs, node.type)
