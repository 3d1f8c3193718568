"""A graph -> a program: the order of its statements, its variables and their lifetimes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from graphc.ir.dims import Dim
from graphc.ir.graph import COTANGENT, SOURCES, Adjoint, Graph, Node, topological, with_args
from graphc.ir.loop import (
    BOUND,
    LOOP,
    RESULT,
    STEPS,
    Element,
    Loop,
    limit,
    loop_arguments,
    loop_of,
    result,
)
from graphc.ir.rebuild import map_adjoints, rebuild
from graphc.ir.results import ResultKey, Role, result_number
from graphc.ir.types import Dtype, Shape
from graphc.names import Identifiers, flat
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.shape.shaping import Item, index
from graphc.ops.storage import grows
from graphc.optimise.memory.running_sums import SUMS
from graphc.plan.hoist import constants, constants_read
from graphc.plan.naming import (
    Measure,
    element_name,
    labels_of,
    look_through,
    loop_labels,
    name_variables,
)
from graphc.plan.order import in_order

Way = Literal[
    "",  # not into an array: what an expression comes to
    "whole",  # every element
    "strided",  # the same, where the array does not lie row by row
    "onto",  # what is put onto the first argument, which the array is
    "head",  # the first row: the others are there
    "rows",  # a stack of products, one after the other
]
"""How a statement computes into an array."""


@dataclass(frozen=True, slots=True)
class Storage:
    """An array by its variable, or a part of it: an item for each axis of the array's shape."""

    array: str
    items: tuple[Item, ...] = ()
    shape: Shape = ()

    @property
    def strided(self) -> bool:
        """True if its elements do not lie row by row: it is a part along another axis than the
        first."""
        if not self.items:
            return False
        kind, value = self.items[0]
        return kind == "slice" and value[0].constant == 0


@dataclass(frozen=True, slots=True)
class Step:
    """One statement, `target = node`.

    `adjoints` are those that it computes: the first gives the target its name, the others have
    the same value. `frees` are the variables that no later statement reads. In a fast module
    `way` says how the node is computed into the array `out`, or into a new one; that may be
    `given`, a variable that holds an array of the caller, or None.
    """

    target: str
    node: Node
    adjoints: tuple[Adjoint, ...] = ()
    frees: tuple[str, ...] = ()
    way: Way = ""
    out: Storage | None = None
    given: str = ""


@dataclass(frozen=True, slots=True)
class LoopStep:
    """A loop as a statement: its body is a program of its own.

    `carries` are (variable, first value), `stacks` are (variable, item, loop result); the
    results of the body are the next carried values and the items, in that order. `ends` are
    (variable, carried variable) where the value goes by another name afterwards. `until` ends the
    loop; `steps` is the variable that counts the steps taken. `places` are the arrays that stacks
    are made in where they are not new, `written` the stacks whose items are computed in place,
    `given` the variables that hold arrays of the caller for stacks, or None.
    A fast loop runs over `items`, (variable, source), and `rows` of stacks, (variable, stack).
    `turns` are (carried variable, spare variable, their arrays): what is carried is computed into
    the spare one, and they change places.
    """

    node: Node
    body: Program
    carries: tuple[tuple[str, Node], ...]
    stacks: tuple[tuple[str, Node, Node], ...]
    ends: tuple[tuple[str, str], ...] = ()
    until: Node | None = None
    steps: str | None = None
    frees: tuple[str, ...] = ()
    places: Mapping[str, Storage] = field(default_factory=dict)
    written: frozenset[str] = frozenset()
    given: Mapping[str, str] = field(default_factory=dict)
    items: tuple[tuple[str, Node], ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    turns: tuple[tuple[str, str, str, str], ...] = ()


Output = tuple[str, Node, Node, tuple[Item, ...]]
"""A variable, the node whose array it is, and the node of a block that fills these items of it."""


@dataclass(frozen=True, slots=True)
class BlockStep:
    """Statements that run block by block along an axis of this length, as a function of their own.

    The block's symbols `start` and `size` say which positions it has. `reads` are nodes from
    outside. `outputs` are arrays that the blocks fill part by part, one of components at several
    places; `totals` are (variable, node, node
    of the block): sums of what the blocks return, which are the results of the body. `places` and
    `given` are as those of a LoopStep, `written` what is computed where it stands.
    """

    name: str
    length: Dim
    start: str
    size: str
    body: Program
    reads: tuple[Node, ...]
    outputs: tuple[Output, ...]
    totals: tuple[tuple[str, Node, Node], ...]
    frees: tuple[str, ...] = ()
    places: Mapping[str, Storage] = field(default_factory=dict)
    written: frozenset[Storage] = frozenset()
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def made(self) -> tuple[Node, ...]:
        """Return the nodes that have a value afterwards."""
        filled, summed = ([one[1] for one in self.outputs], [one[1] for one in self.totals])
        return tuple(dict.fromkeys([*filled, *summed]))


AnyStep = Step | LoopStep | BlockStep


@dataclass(frozen=True, slots=True)
class Scratch:
    """An array that a function computes in, value after value; or `base`, seen in another shape.

    `order` lists its axes as they lie in memory, the slowest first.
    """

    name: str
    dtype: Dtype
    shape: Shape
    order: tuple[int, ...]
    base: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """The statements of one function, or of a loop's body.

    `variables` names every node that has a variable, also those that the function is given; a
    node without one is written inside the statement that uses it. `part` is the mode and the block,
    where the function has several programs. `labels` is what comments call the nodes that were
    differentiated, `adjoints` the variables of their adjoints where these are not called by the
    label. `orders` are how the axes of values lie in memory, the slowest first, where they do not
    lie row by row. `constants` compute what depends on dims only, of which the rest reads `shared`.
    A `sparing` program drops values as soon as nobody reads them, also in loops.
    """

    name: str
    steps: tuple[AnyStep, ...]
    variables: Mapping[Node, str]
    results: Mapping[ResultKey, Node]
    labels: Mapping[Node, str]
    adjoints: Mapping[Node, str]
    scratch: tuple[Scratch, ...] = ()
    part: tuple[str, ...] = ()
    orders: Mapping[Node, tuple[int, ...]] = field(default_factory=dict)
    constants: tuple[Step, ...] = ()
    shared: tuple[str, ...] = ()
    sparing: bool = False

    @property
    def label(self) -> str:
        """Return what tells the programs of a module apart."""
        return "_".join((self.name, *self.part))


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
    array by a statement of its own, but for terms that are written as terms of a longer sum.
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
) -> Program:
    order = _order([*graph.results.values(), *kept], given)
    adjoints = _by_value(graph.adjoints)
    needed = {*kept, *(arg for n in order if n.op is LOOP for arg in _named_arguments(n))}
    inside = {
        term
        for node in (order if single and not fast else ())
        if node.op is accumulate
        for term in node.args[1:]
        if term.op.name in SUMS
    }
    variables = name_variables(
        graph, order, given, needed, adjoints, scope, measure, single, inside, shared
    )
    steps: list[Step | LoopStep] = []
    alive = Counter(arg for node in order for arg in node.args)
    alive.update([*graph.results.values(), *kept, *given])
    for node in order:
        if node.op is LOOP:
            steps.append(_loop_step(graph, node, variables, scope, measure, alive, fast, single))
        elif node in variables and node.op not in (*SOURCES, RESULT):
            steps.append(Step(variables[node], node, _spoken_of(graph, adjoints.get(node, ()))))
    ends = (*graph.results.values(), *kept)
    if fast:
        steps = in_order(steps, [step.node for step in steps], ends, variables)
    freed = with_frees(steps, variables, held_names(ends, given, variables))
    spoken = {a.value for a in graph.adjoints if a.of in graph.names}
    found = {
        a.of: variables[a.value]
        for a in graph.adjoints
        if a.value in variables and (a.value.op in (BOUND, COTANGENT) or a.value not in spoken)
    }
    labels = labels_of(graph, variables)
    sparing = single and not fast
    return Program(graph.name, freed, variables, graph.results, labels, found, sparing=sparing)


def _named_arguments(node: Node) -> list[Node]:
    """List what a loop reads in every step and so needs a variable; views are written out."""
    _, sources, outer = loop_arguments(node)
    steps = limit(node)
    rest = outer if steps is None else (*outer, steps)
    return [arg for arg in map(look_through, (*sources, *rest)) if arg.op not in SOURCES]


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
        elements[element.node] = read = _element(loop, element, source)
        called = element_name(graph, loop, element, variables.get(look_through(source)))
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
    body = _planned(step, inside, (), scope, measure, fast, single)
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
        items=tuple(items),
    )


def _element(loop: Loop, element: Element, source: Node) -> Node:
    """Return what an element is in a step: a position of its source."""
    whole = [("slice", (Dim.of(0), size, 1)) for size in source.shape]
    position = ("at", Dim.symbol(loop.index) - loop.first)
    return index(source, items=(*whole[: element.axis], position, *whole[element.axis + 1 :]))


def _spoken_of(graph: Graph, adjoints: Sequence[Adjoint]) -> tuple[Adjoint, ...]:
    """Return the adjoints of named nodes; where there are none, the first."""
    return tuple(a for a in adjoints if a.of in graph.names) or tuple(adjoints[:1])


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
    found: dict[str, None] = {}
    pending = list(nodes)[::-1]
    while pending:
        node = pending.pop()
        if node in variables:
            found[variables[node]] = None
        else:
            pending.extend(reversed(node.args))
    return list(found)
