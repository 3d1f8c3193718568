"""A graph -> a program: the order of its statements, its variables and their lifetimes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import networkx as nx

from graphc.graph import SOURCES, Adjoint, Graph, Node, topological
from graphc.names import Scope, flat

VIEWS = frozenset({"permute", "expand"})  # written where they are used: they cost nothing
LONGEST = 60  # characters of an expression that is still written inside another

WORDS = {
    "+": "sum", "-": "difference", "*": "product", "/": "quotient", "**": "power",
    "//": "quotient", "%": "remainder", "==": "equal", "!=": "unequal", "<": "less",
    "<=": "less", ">": "greater", ">=": "greater", "and": "both", "or": "either", "not": "not",
    "accumulate": "total",
}  # fmt: skip
"""What the result of an operator is called."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement, `target = node`.

    `adjoints` are those that it computes: the first gives the target its name, the others have
    the same value. `frees` are the variables that no later statement reads.
    """

    target: str
    node: Node
    adjoints: tuple[Adjoint, ...] = ()
    frees: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """The statements of one function.

    `variables` names every node that has a variable, also those that the function is given; a
    node without one is written inside the statement that uses it. `labels` is what comments call
    the nodes that were differentiated.
    """

    name: str
    steps: tuple[Step, ...]
    variables: Mapping[Node, str]
    results: Mapping[str, Node]
    labels: Mapping[Node, str]


def template(node: Node) -> str:
    """The NumPy source of a node, with places for its arguments."""
    return node.op.numpy if isinstance(node.op.numpy, str) else node.op.numpy(node)


def plan(
    graph: Graph,
    given: Mapping[Node, str],
    kept: Collection[Node] = (),
    taken: Collection[str] = (),
) -> Program:
    """Order a graph's nodes, name them, and say when each value is dropped.

    `given` are nodes that the function has as variables already; `kept` are nodes that need one,
    since they are cached; `taken` are further names that it must not use.
    """
    order = _order(graph.results.values(), given)
    adjoints = _by_value(graph.adjoints)
    scope = Scope({*given.values(), *taken})
    variables = _variables(graph, order, given, kept, adjoints, scope)
    steps = [
        Step(variables[node], node, _spoken_of(graph, adjoints.get(node, ())))
        for node in order
        if node in variables and node.op not in SOURCES
    ]
    held = {variables[n] for n in (*graph.results.values(), *kept) if n in variables}
    held.update(given.values())
    steps_ = _with_frees(steps, variables, held)
    return Program(graph.name, steps_, variables, graph.results, _labels(graph, variables))


def _labels(graph: Graph, variables: Mapping[Node, str]) -> dict[Node, str]:
    """What a differentiated node is called: its name, else what its adjoint's variable says."""
    labels = {node: flat(label) for node, label in graph.labels.items()}
    for adjoint in graph.adjoints:
        variable = variables.get(adjoint.value, "")
        if adjoint.of not in graph.names and variable.startswith("d_"):
            labels[adjoint.of] = variable.removeprefix("d_")
    return labels


def _spoken_of(graph: Graph, adjoints: Sequence[Adjoint]) -> tuple[Adjoint, ...]:
    """The adjoints of named nodes; where there are none, the first."""
    return tuple(a for a in adjoints if a.of in graph.names) or tuple(adjoints[:1])


def _order(results: Iterable[Node], given: Mapping[Node, str]) -> list[Node]:
    """What the results need beyond what is given: arguments first, else as made."""
    needed: nx.MultiDiGraph[Node] = nx.MultiDiGraph()
    pending = [node for node in results if node not in given]
    needed.add_nodes_from(pending)
    seen = set(pending)
    while pending:
        node = pending.pop()
        for slot, arg in enumerate(node.args):
            if arg in given:
                continue
            needed.add_edge(arg, node, key=slot)
            if arg not in seen:
                seen.add(arg)
                pending.append(arg)
    return list(topological(needed))


def _by_value(adjoints: Iterable[Adjoint]) -> dict[Node, tuple[Adjoint, ...]]:
    grouped: dict[Node, tuple[Adjoint, ...]] = {}
    for adjoint in adjoints:
        grouped[adjoint.value] = (*grouped.get(adjoint.value, ()), adjoint)
    return grouped


def _variables(
    graph: Graph,
    order: Sequence[Node],
    given: Mapping[Node, str],
    kept: Collection[Node],
    adjoints: Mapping[Node, Sequence[Adjoint]],
    scope: Scope,
) -> dict[Node, str]:
    """The nodes that get a variable: what the user named, adjoints of that, and what is used twice.

    The rest is written inside its one use, while that stays short.
    """
    variables = dict(given)
    for node in order:
        if node in graph.names and not node.static:
            variables[node] = scope.fresh(flat(graph.names[node]))
    for node in order:
        named = [a for a in adjoints.get(node, ()) if a.of in graph.names]
        if named and node not in variables and not node.static:
            variables[node] = scope.fresh("d_" + flat(graph.names[named[0].of]))
    owners = _owners(order, variables)
    templates = {node: template(node) for node in order}
    uses = Counter(arg for node in order for arg in _mentions(node, templates[node]))
    uses.update(graph.results.values())
    length = {node: len(name) for node, name in variables.items()}
    for node in order:
        if node in variables:
            continue
        inside = len(templates[node]) + sum(length[arg] for arg in node.args)
        short = inside <= LONGEST and "{out}" not in templates[node]
        once = uses[node] == 1 or node.op.name in VIEWS
        if node.static or (short and once and node not in kept):
            length[node] = inside
        else:
            variables[node] = scope.fresh(_temporary(graph, node, adjoints, owners))
            length[node] = len(variables[node])
    return variables


def _temporary(
    graph: Graph, node: Node, adjoints: Mapping[Node, Sequence[Adjoint]], owners: Mapping[Node, str]
) -> str:
    """A name for a value that the user has not named: by what it is a part of, and what it is."""
    if node in adjoints:
        of = adjoints[node][0].of
        return f"d_{flat(graph.labels[of])}_{WORDS.get(of.op.name, of.op.name)}"
    return f"{owners.get(node, 'value')}_{WORDS.get(node.op.name, node.op.name)}"


def _mentions(node: Node, text: str) -> list[Node]:
    """The arguments of a node, each as often as its source mentions it."""
    return [arg for slot, arg in enumerate(node.args) for _ in range(text.count(f"{{{slot}}}"))]


def _owners(order: Sequence[Node], variables: Mapping[Node, str]) -> dict[Node, str]:
    """For a node without a name, the named node that its value goes into."""
    owners: dict[Node, str] = {}
    for node in reversed(order):
        owner = variables.get(node) or owners.get(node)
        for arg in node.args:
            if owner and arg not in variables:
                owners[arg] = owner
    return owners


def _with_frees(
    steps: Sequence[Step], variables: Mapping[Node, str], held: Collection[str]
) -> tuple[Step, ...]:
    """Each step with the variables that die there: arrays that nobody else holds."""
    scalars = {name for node, name in variables.items() if not node.rank}
    last = {
        name: number for number, step in enumerate(steps) for name in _read(step.node, variables)
    }
    freed: dict[int, list[str]] = {}
    for name, number in last.items():
        if name not in held and name not in scalars:
            freed.setdefault(number, []).append(name)
    return tuple(replace(step, frees=tuple(freed.get(i, ()))) for i, step in enumerate(steps))


def _read(node: Node, variables: Mapping[Node, str]) -> list[str]:
    """The variables that the statement of a node reads, also in what is written inside it."""
    found: dict[str, None] = {}
    pending = list(reversed(node.args))
    while pending:
        arg = pending.pop()
        if arg in variables:
            found[variables[arg]] = None
        else:
            pending.extend(reversed(arg.args))
    return list(found)
