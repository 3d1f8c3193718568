"""A graph -> a program: the order of its statements, its variables and their lifetimes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import networkx as nx

from graphc.dims import Dim
from graphc.graph import SOURCES, Adjoint, Graph, Node, topological, with_args
from graphc.loop import (
    BOUND,
    LOOP,
    RESULT,
    STEPS,
    Element,
    Loop,
    arguments,
    body,
    limit,
    moved_adjoints,
    rebuild,
    result,
)
from graphc.names import Scope, flat
from graphc.ops.arithmetic import accumulate
from graphc.ops.shaping import index

VIEWS = frozenset({"permute", "expand"})
ALWAYS_INSIDE = VIEWS | {"full"}  # written where they are used: views, and arrays to add to
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
class LoopStep:
    """A loop as a statement: its body is a program of its own.

    `carries` are (variable, first value), `stacks` are (variable, item, loop result); the
    results of the body are the next carried values and the items, in that order. `ends` are
    (variable, carried variable) where the value goes by another name afterwards. `until` ends the
    loop; `steps` is the variable that counts the steps taken.
    """

    node: Node
    body: Program
    carries: tuple[tuple[str, Node], ...]
    stacks: tuple[tuple[str, Node, Node], ...]
    ends: tuple[tuple[str, str], ...] = ()
    until: Node | None = None
    steps: str | None = None
    frees: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """The statements of one function, or of a loop's body.

    `variables` names every node that has a variable, also those that the function is given; a
    node without one is written inside the statement that uses it. `labels` is what comments call
    the nodes that were differentiated.
    """

    name: str
    steps: tuple[Step | LoopStep, ...]
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
    return _planned(graph, given, kept, Scope({*given.values(), *taken}))


def _planned(
    graph: Graph, given: Mapping[Node, str], kept: Collection[Node], scope: Scope
) -> Program:
    order = _order([*graph.results.values(), *kept], given)
    adjoints = _by_value(graph.adjoints)
    needed = {*kept, *(arg for n in order if n.op is LOOP for arg in _named_arguments(n))}
    variables = _variables(graph, order, given, needed, adjoints, scope)
    steps: list[Step | LoopStep] = []
    alive = Counter(arg for node in order for arg in node.args)
    alive.update([*graph.results.values(), *kept, *given])
    for node in order:
        if node.op is LOOP:
            steps.append(_loop_step(graph, node, variables, scope, alive))
        elif node in variables and node.op not in (*SOURCES, RESULT):
            steps.append(Step(variables[node], node, _spoken_of(graph, adjoints.get(node, ()))))
    ends = (*graph.results.values(), *kept)
    held = {variables[n] for n in ends if n in variables}
    held.update(name for n in ends if n not in variables for name in _read(n, variables))
    held.update(given.values())
    freed = _with_frees(steps, variables, held)
    return Program(graph.name, freed, variables, graph.results, _labels(graph, variables))


def _named_arguments(node: Node) -> list[Node]:
    """What a loop reads in every step, which therefore needs a variable; views are written out."""
    _, sources, outer = arguments(node)
    steps = limit(node)
    rest = outer if steps is None else (*outer, steps)
    return [arg for arg in map(_viewed, (*sources, *rest)) if arg.op not in SOURCES]


def _viewed(node: Node) -> Node:
    while node.op.name in VIEWS:
        node = node.args[0]
    return node


def _loop_step(
    graph: Graph, node: Node, variables: dict[Node, str], scope: Scope, alive: Counter[Node]
) -> LoopStep:
    """A loop: variables for what it carries and stacks, then the plan of its body.

    A carried value has its own name in the loop; going backwards it goes on under the name of
    what it starts from, if nothing else reads that.
    """
    loop: Loop = node.attrs["loop"]
    initials, sources, _ = arguments(node)
    ends = [result(node, number) for number in range(len(loop.results))]
    names = dict(graph.names)
    inside: dict[Node, str] = dict(variables)
    for carried, initial, end in zip(loop.carried, initials, ends, strict=False):
        names[carried] = hint = str(carried.attrs["name"])
        same = variables.get(end)
        if loop.backwards and alive[initial] == 1 and initial in variables:
            inside[carried] = variables[initial]
        elif same is not None and (
            same == flat(hint) or (loop.backwards and _is_sum(loop, carried))
        ):
            inside[carried] = same
        else:
            inside[carried] = scope.fresh(flat(hint))
    elements: dict[Node, Node] = {}
    for element, source in zip(loop.elements, sources, strict=True):
        elements[element.node] = read = _element(loop, element, source)
        names.setdefault(read, _element_name(graph, loop, element, variables.get(_viewed(source))))
    new = rebuild(loop.roots, with_args, {**{n: n for n in inside}, **elements})
    for old, moved in new.items():
        if old in names:
            names.setdefault(moved, names[old])
    results = {f"{number}": new[n] for number, n in enumerate(loop.roots)}
    adjoints = moved_adjoints(loop.adjoints, new)
    spoken = [n for a in adjoints for n in (a.of, *(t.child for t in a.terms if t.child))]
    names |= {n: str(n.attrs["name"]) for n in spoken if n.op is BOUND and n not in names}
    labels = {n: names.get(n, "the loop" if n.op is LOOP else "step") for n in spoken}
    body = _planned(Graph("", results, names, adjoints, labels), inside, (), scope)
    count = len(loop.carried)
    return LoopStep(
        node,
        body,
        tuple((inside[c], initial) for c, initial in zip(loop.carried, initials, strict=True)),
        tuple(
            (variables[end], new[item], end)
            for item, end in zip(loop.collected, ends[count:], strict=True)
            if end in variables
        ),
        tuple(
            (variables[end], inside[carried])
            for carried, end in zip(loop.carried, ends, strict=False)
            if end in variables and variables[end] != inside[carried]
        ),
        None if loop.until is None else new[loop.until],
        variables.get(result(node, STEPS)),
    )


def _is_sum(loop: Loop, carried: Node) -> bool:
    """Does this carried value only gather what each step adds to it?"""
    following = loop.nexts[loop.carried.index(carried)]
    return following.op is accumulate and following.args[0] is carried


def _element_name(graph: Graph, loop: Loop, element: Element, source: str | None) -> str:
    """What a step calls an element: as the forward step called it, or `x_t` for x at t."""
    if element.of is not None:
        known = graph.names.get(element.of) or element.of.attrs.get("name")
        return str(known or (source or "saved").split(f"_by_{loop.index}")[0])
    return f"{source or 'element'}_{loop.index}"


def _element(loop: Loop, element: Element, source: Node) -> Node:
    """What an element is in a step: a position of its source."""
    whole = [("slice", (Dim.of(0), size, 1)) for size in source.shape]
    position = ("at", Dim.symbol(loop.index) - loop.first)
    return index(source, items=(*whole[: element.axis], position, *whole[element.axis + 1 :]))


def _labels(graph: Graph, variables: Mapping[Node, str]) -> dict[Node, str]:
    """What a differentiated node is called: its name, else what its adjoint's variable says."""
    labels = {
        node: flat(label) if node.op is not LOOP else label for node, label in graph.labels.items()
    }
    spoken = {adjoint.value for adjoint in graph.adjoints if adjoint.of in graph.names}
    for adjoint in graph.adjoints:
        variable = variables.get(adjoint.value, "")
        if adjoint.value not in spoken and variable.startswith("d_"):
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
    uses.update(arg for node in order if node.op is LOOP for arg in arguments(node)[0])
    for node in order:
        if node in variables or node.op is LOOP:
            continue
        if node.op is RESULT:
            variables[node] = scope.fresh(_end(graph, node))
            length[node] = len(variables[node])
            continue
        inside = len(templates[node]) + sum(length[arg] for arg in node.args)
        short = inside <= LONGEST and "{out}" not in templates[node]
        once = uses[node] == 1 and short and node not in kept
        if node.static or once or node.op.name in ALWAYS_INSIDE:
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


def _end(graph: Graph, node: Node) -> str:
    """A name for what a loop ends with: as in its body, and for a stack with the index behind."""
    loop: Loop = node.args[0].attrs["loop"]
    number = node.attrs["number"]
    if number == STEPS:
        return "steps"
    if number < len(loop.carried):
        return flat(str(loop.carried[number].attrs["name"]))
    return f"{flat(_saved_name(graph, loop.results[number], loop))}_by_{loop.index}"


def _saved_name(graph: Graph, item: Node, loop: Loop) -> str:
    """A name for a value of a step: the user's, else by the named value that it is a part of."""
    known = graph.names.get(item) or item.attrs.get("name")
    if known is not None:
        return str(known)
    owners = _owners(body(loop), {n: flat(name) for n, name in graph.names.items()})
    return f"{owners.get(item, 'step')}_{WORDS.get(item.op.name, item.op.name)}"


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
    steps: Sequence[Step | LoopStep], variables: Mapping[Node, str], held: Collection[str]
) -> tuple[Step | LoopStep, ...]:
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
