"""Rewriting: a graph and a table of rules -> an equal graph; lowering of composed operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from graphc.graph import Adjoint, Graph, Node, Term, rebuild, with_args
from graphc.rewrite.rules import RULES
from graphc.types import same_shape

Pass = Callable[[Graph], Graph]


def simplify(graph: Graph) -> Graph:
    """Apply the exact rules everywhere, arguments first, until none applies."""
    return mapped(graph, rebuild(graph.results.values(), _simplified))


def lower(graph: Graph) -> Graph:
    """Replace operations that are printed as a composition of simpler ones."""
    return mapped(graph, rebuild(graph.results.values(), _lowered))


PASSES: tuple[Pass, ...] = (simplify, lower, simplify)


def mapped(graph: Graph, new: Mapping[Node, Node]) -> Graph:
    """The graph with its nodes replaced; what it says of nodes that are gone is dropped."""
    adjoints = [
        Adjoint(a.of, tuple(replace(t, value=new[t.value]) for t in a.terms), new[a.value])
        for a in graph.adjoints
        if a.value in new and all(term.value in new for term in a.terms)
    ]
    names = {new[node]: name for node, name in reversed(list(graph.names.items())) if node in new}
    children = {old: new.get(old, old) for old in graph.labels}
    return Graph(
        graph.name,
        {name: new[node] for name, node in graph.results.items()},
        names,
        tuple(
            Adjoint(children[a.of], tuple(_moved(t, children) for t in a.terms), a.value)
            for a in adjoints
        ),
        {children[node]: label for node, label in graph.labels.items()},
    )


def _moved(term: Term, new: Mapping[Node, Node]) -> Term:
    return replace(term, child=None if term.child is None else new[term.child])


def _simplified(node: Node, args: tuple[Node, ...]) -> Node:
    result = with_args(node, args)
    applied = True
    while applied:
        applied = False
        for rule in RULES:
            better = rule(result)
            if better is not None and better is not result:
                assert same_shape(better.shape, result.shape), (rule, result, better)
                result, applied = better, True
    return result


def _lowered(node: Node, args: tuple[Node, ...]) -> Node:
    if node.op.lower is None:
        return with_args(node, args)
    return node.op.lower(*args, **node.attrs)
