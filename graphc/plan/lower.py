"""A graph -> a program: the order of its statements, its variables and their lifetimes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from graphc.ir.graph import CONSTANT, COTANGENT, SOURCES, Adjoint, Graph, Node, with_args
from graphc.ir.loop import (
    BOUND,
    LOOP,
    RESULT,
    STEPS,
    limit,
    loop_arguments,
    loop_of,
    result,
)
from graphc.ir.order import topological
from graphc.ir.rebuild import map_adjoints, rebuild
from graphc.ir.results import Role, result_number
from graphc.names import Identifiers, flat
from graphc.ops.loops import element_in_step
from graphc.ops.storage import grows
from graphc.plan.chains import chain_of
from graphc.plan.hoist import constants, constants_read
from graphc.plan.naming import (
    NO_ENDS,
    SLOPES,
    Ends,
    Measure,
    element_name,
    labels_of,
    look_behind,
    loop_labels,
    name_variables,
)
from graphc.plan.order import reorder
from graphc.plan.program import AnyStep, BlockStep, LoopStep, Program, Step, reached
from graphc.records import replace


def plan(
    graph: Graph,
    given: Mapping[Node, str],
    measure: Measure,
    kept: Collection[Node] = (),
    taken: Collection[str] = (),
    fast: bool = False,
    single: bool = False,
) -> Program:
    """Order a graph's nodes, name them, and say when each value is dropped.

    `given` are nodes that the function has as variables already; `kept` are nodes that need one,
    since they are cached; `taken` are further names that it must not use. What stays short by
    `measure` is written inside the statement that uses it. `single` makes each
    array by a statement of its own.
    """
    order = _order([*graph.results.values(), *kept], given)
    apart = constants(order, [*graph.results.values(), *kept]) if fast else frozenset[Node]()
    if not any(node.rank for node in order):
        apart = frozenset()  # a function of numbers only takes no scratch
    shared = constants_read(order, apart)
    scope = Identifiers({*given.values(), *taken})
    program = _planned(graph, given, kept, scope, measure, fast, single or fast, shared)
    steps = [s for s in program.steps if not isinstance(s, Step) or s.node not in apart]
    return replace(
        program,
        steps=tuple(steps),
        constants=tuple(s for s in program.steps if isinstance(s, Step) and s.node in apart),
        shared=tuple(program.variables[node] for node in shared),
        bounded=single,
    )


def _planned(
    graph: Graph,
    given: Mapping[Node, str],
    kept: Collection[Node],
    scope: Identifiers,
    measure: Measure,
    fast: bool,
    single: bool,
    shared: Collection[Node] = (),
    saved: Mapping[Node, Node] = MappingProxyType({}),
    handed_on: Ends = NO_ENDS,
) -> Program:
    order = _order([*graph.results.values(), *kept], given)
    adjoints = _by_value(graph.adjoints)
    needed = {*kept, *(arg for n in order if n.op is LOOP for arg in _named_arguments(n))}
    variables = name_variables(
        graph, order, given, needed, adjoints, scope, measure, single, shared, handed_on
    )
    steps: list[Step | LoopStep] = []
    alive = Counter(arg for node in order for arg in node.args)
    alive.update([*graph.results.values(), *kept, *given])
    for node in order:
        if node.op is LOOP:
            steps.append(_loop_step(graph, node, variables, scope, measure, alive, fast, single))
        elif node in variables and node.op not in (*SOURCES, RESULT):
            spoken = _spoken_of(graph, adjoints.get(node, ()))
            chain = None if spoken else chain_of(graph, node, variables, adjoints)
            steps.append(Step(variables[node], node, spoken, chain=chain))
    ends = (*graph.results.values(), *kept)
    if fast:
        steps = reorder(steps, [step.node for step in steps], ends, variables)
    freed = with_frees(steps, variables, held_names(ends, given, variables))
    named = {a.value for a in graph.adjoints if a.of in graph.names}
    found = {
        a.of: variables[a.value]
        for a in graph.adjoints
        if a.value in variables and (a.value.op in (BOUND, COTANGENT) or a.value not in named)
    }
    labels = labels_of(graph, variables)
    ones = {labels[a.of] for a in graph.adjoints if _begins_with_one(a)}
    found |= {node: "" for node, label in labels.items() if label in ones and node not in found}
    curves: dict[str, list[Node]] = {}
    for node, label in labels.items():
        if saved.get(node, node).op.name in SLOPES:
            curves.setdefault(label, []).append(node)
    return Program(
        graph.name,
        freed,
        variables,
        graph.results,
        labels,
        found,
        sparing=single and not fast,
        saved=saved,
        curves={label: tuple(nodes) for label, nodes in curves.items()},
    )


def _named_arguments(node: Node) -> list[Node]:
    """List what a loop reads in every step and so needs a variable; views are written out."""
    _, sources, outer = loop_arguments(node)
    steps = limit(node)
    rest = outer if steps is None else (*outer, steps)
    return [arg for arg in map(look_behind, (*sources, *rest)) if arg.op not in SOURCES]


def _loop_step(
    graph: Graph,
    node: Node,
    variables: dict[Node, str],
    scope: Identifiers,
    measure: Measure,
    alive: Counter[Node],
    fast: bool,
    single: bool,
) -> LoopStep:
    """Lower a loop: variables for what it carries and stacks, then its body.

    A carried value has its own name in the loop; going backwards it goes on under the name of
    what it starts from, if nothing else reads that.
    """
    loop = loop_of(node)
    initials, sources, _ = loop_arguments(node)
    ends = [result(node, number) for number in range(len(loop.results))]
    names = dict(graph.names)
    inside: dict[Node, str] = dict(variables)
    for carried, initial, end in zip(loop.carried, initials, ends, strict=False):
        names[carried] = hint = str(carried.attrs["name"])
        same = variables.get(end)
        if loop.backwards and alive[initial] == 1 and initial in variables:
            inside[carried] = variables[initial]
        elif same is not None and (
            same == flat(hint) or (loop.backwards and grows(carried, loop.follow[carried]))
        ):
            inside[carried] = same
        else:
            inside[carried] = scope.fresh(flat(hint))
    elements: dict[Node, Node] = {}
    items: list[tuple[str, Node]] = []
    for element, source in zip(loop.elements, sources, strict=True):
        elements[element.node] = read = element_in_step(loop, element, source)
        called = element_name(graph, loop, element, variables.get(look_behind(source)))
        names.setdefault(read, called)
        if fast and not loop.limited and not element.axis and read not in inside:
            inside[read] = scope.fresh(flat(called))
            items.append((inside[read], source))
    new = rebuild(loop.roots, with_args, {**{n: n for n in inside}, **elements})
    for old, moved in new.items():
        if old in names:
            names.setdefault(moved, names[old])
    results = {result_number(place): new[n] for place, n in enumerate(loop.roots)}
    adjoints = map_adjoints(loop.adjoints, new)
    labels = loop_labels(adjoints, names)
    step = Graph("", results, names, adjoints, labels, Role.STEP)
    saved = {elements[e.node]: e.of for e in loop.elements if e.of is not None}
    count = len(loop.carried)
    handed_on = Ends(
        {new[loop.follow[carried]]: inside[carried] for carried in loop.carried},
        {
            new[item]: variables[end]
            for item, end in zip(loop.collected, ends[count:], strict=True)
            if end in variables
        },
    )
    body = _planned(
        step, inside, (), scope, measure, fast, single, saved=saved, handed_on=handed_on
    )
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
        items=tuple(items),
    )


def _spoken_of(graph: Graph, adjoints: Sequence[Adjoint]) -> tuple[Adjoint, ...]:
    """Return the adjoints of named nodes; where there are none, the first."""
    return tuple(a for a in adjoints if a.of in graph.names) or tuple(adjoints[:1])


def _begins_with_one(adjoint: Adjoint) -> bool:
    """True where nothing comes back but the number 1: by the one output that is differentiated."""
    value = adjoint.value
    begins = all(term.child is None for term in adjoint.terms)
    return begins and value.op is CONSTANT and value.attrs["value"] == 1


def _order(results: Iterable[Node], given: Mapping[Node, str]) -> list[Node]:
    """Order what the results need beyond what is given: arguments first, else as made."""
    return [node for node in topological(results, given) if node not in given]


def _by_value(adjoints: Iterable[Adjoint]) -> dict[Node, list[Adjoint]]:
    grouped: dict[Node, list[Adjoint]] = {}
    for adjoint in adjoints:
        grouped.setdefault(adjoint.value, []).append(adjoint)
    return grouped


def with_frees(
    steps: Sequence[AnyStep], variables: Mapping[Node, str], held: Collection[str]
) -> tuple[AnyStep, ...]:
    """Add to each step the variables that die there: arrays that nobody else holds."""
    scalars = {name for node, name in variables.items() if not node.rank}
    last = {
        name: number for number, step in enumerate(steps) for name in _read(given(step), variables)
    }
    freed: dict[int, list[str]] = {}
    for name, number in last.items():
        if name not in held and name not in scalars:
            freed.setdefault(number, []).append(name)
    return tuple(replace(step, frees=tuple(freed.get(i, ()))) for i, step in enumerate(steps))


def every_name(program: Program) -> set[str]:
    """Collect the variables of a program, also those of its loops and blocks."""
    names: set[str] = set()
    pending = [program]
    while pending:
        one = pending.pop()
        names.update(one.variables.values())
        pending += [step.body for step in one.steps if not isinstance(step, Step)]
    return names


def given(step: AnyStep) -> tuple[Node, ...]:
    """Return what a step reads."""
    return step.reads if isinstance(step, BlockStep) else step.node.args


def made(step: AnyStep) -> tuple[Node, ...]:
    """Return what a step computes."""
    return step.made if isinstance(step, BlockStep) else (step.node,)


def held_names(
    ends: Iterable[Node], given: Mapping[Node, str], variables: Mapping[Node, str]
) -> set[str]:
    """Collect the variables that outlive the statements: what the ends read, what was given."""
    return {*given.values(), *_read(ends, variables)}


def _read(nodes: Iterable[Node], variables: Mapping[Node, str]) -> list[str]:
    """List the variables that expressions of nodes read, also in what is written inside them."""
    named = (variables[node] for node in reached(nodes, variables) if node in variables)
    return list(dict.fromkeys(named))
