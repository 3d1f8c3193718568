"""A model -> a module that looks at its named values and their adjoints, and what it looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from graphc.ad.functions import build_halves
from graphc.compile.functions import begin_of, sources_of
from graphc.compile.options import Options
from graphc.compile.programs import plan_module, readable_graphs
from graphc.elaborate.names.model import Model
from graphc.ir.graph import Adjoint, Graph, Node, arguments_first, with_args
from graphc.ir.loop import LOOP, body, everywhere, loop_of
from graphc.ir.rebuild import rebuild
from graphc.ir.results import result_number
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.shape.members import family_of
from graphc.optimise.levels import READABLE
from graphc.optimise.loops.fusion import merge_loops
from graphc.optimise.passes import PASSES, rewritten
from graphc.optimise.watch import WATCHED, watch_all, watch_steps
from graphc.plan.watched import lower_watched
from graphc.records import dataclass, replace
from graphc.targets.marks import without_marks

NUMBERS = "numbers"

Place = tuple[int, int]
"""The number of a look, and what of it: 0 is the value, 1 the first of its operands."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What is looked at: the value of this name, or the adjoint of it, which comes from `children`.

    Children are the names of what the value goes into; of an output there may be none.
    """

    name: str
    adjoint: bool
    children: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flowing:
    """What comes back to a named value along the ways from one that is computed of it."""

    parent: str
    child: str


@dataclass(frozen=True, slots=True)
class Probe:
    """The text of a module whose function NUMBERS computes `results`, and looks at `steps`.

    These are inside of loops. `outputs` are differentiated, each with a derivative of ones.
    """

    text: str
    results: tuple[Looked | Flowing, ...]
    steps: tuple[tuple[Place, Looked], ...]
    outputs: tuple[str, ...]


def build_probe(
    model: Model, outputs: Mapping[str, Node], wrt: Mapping[str, Node], options: Options
) -> Probe:
    """Build a module that looks at a model, differentiated by these paths and all its arguments.

    Call it where nodes of the model are made.
    """
    plain = replace(model, derivations=())
    own, looked = _graph(model, outputs, wrt)
    graphs = [*watch_all([*readable_graphs(plain), own])]
    readable = replace(options, level=READABLE.name, memory="", derive=(), trace=True)
    begin = begin_of(model)
    watched = lower_watched(graphs, sources_of(model, begin), begin.taken, readable.to.measure)
    compiled = replace(plan_module(plain, readable), watched=watched)
    steps = tuple(_looks_in_loops(graphs[-1]))
    text = without_marks(readable.to.write(compiled)).text
    return Probe(text, looked, steps, tuple(outputs))


def _graph(
    model: Model, outputs: Mapping[str, Node], wrt: Mapping[str, Node]
) -> tuple[Graph, tuple[Looked | Flowing, ...]]:
    """Build the graph whose results are the named values, their adjoints, and what these sum up."""
    floats = {d.name: d.node for d in (*model.inputs, *model.params) if d.type.dtype == "float"}
    floats |= {path: family_of(node) for path, node in wrt.items()}
    of = [name for name, node in outputs.items() if node.type.dtype == "float"]
    whole = build_halves(outputs, of, floats, model.names)
    ends = [d.node for d in model.outputs]
    values = {node: model.names[node] for node in arguments_first(ends) if node in model.names}
    found: list[tuple[Node, Looked | Flowing]] = []
    found += [(node, Looked(name, False)) for node, name in values.items()]
    children = _children(whole.adjoints, model.names)
    found += [
        (one.value, Looked(values[one.of], True, children[one.of]))
        for one in whole.adjoints
        if one.of in values
    ]
    found += _flowing(whole.adjoints, values)
    results = {result_number(place): node for place, (node, _) in enumerate(found)}
    graph = replace(whole, name=NUMBERS, results=results)
    merged = _name_again(merge_loops(graph))
    watched = watch_steps(merged, {*_in_loops(merged)})  # before rules dissolve what has a name
    return rewritten(watched, PASSES), tuple(one for _, one in found)


def _children(
    adjoints: Iterable[Adjoint], names: Mapping[Node, str]
) -> dict[Node, tuple[str, ...]]:
    """Map each node to the named values that its adjoint comes from, through those without a name.

    Adjoints come in the order in which they flow, children first.
    """
    found: dict[Node, dict[str, None]] = {}
    ends: dict[Node, dict[str, None]] = {}  # of loops, the names of what they end with
    for one in adjoints:
        mine: dict[str, None] = {}
        for term in one.terms:
            child = term.child
            if child is None:
                continue
            if child.op is LOOP:
                mine |= ends.get(child, {})
            elif child in names and names[child] != names.get(one.of):
                mine[names[child]] = None
            else:
                mine |= found.get(child, {})
        found[one.of] = mine
        for arg in one.of.args:
            if arg.op is LOOP:
                named = {names[one.of]: None} if one.of in names else mine
                ends.setdefault(arg, {}).update(named)
    return {node: tuple(mine) for node, mine in found.items()}


def _flowing(
    adjoints: Iterable[Adjoint], names: Mapping[Node, str]
) -> Iterator[tuple[Node, Flowing]]:
    """Yield what comes back to each named value from each other one, where that is told apart."""
    reached: dict[Node, set[str]] = {}  # by node, the named values that it goes into
    for one in adjoints:
        parts: dict[str, list[Node]] = {}
        mine: set[str] = set()
        for term in one.terms:
            if term.child is None:
                continue
            child = names.get(term.child)
            ends = {child} if child is not None else reached.get(term.child, set())
            mine |= ends
            if len(ends) == 1:
                parts.setdefault(next(iter(ends)), []).append(term.value)
            else:
                mine.add("")  # what comes along this way is of several
        reached[one.of] = mine
        if one.of in names and "" not in mine:
            for child, terms in parts.items():
                whole = terms[0] if len(terms) == 1 else accumulate(*terms)
                yield whole, Flowing(names[one.of], child)


# ---- inside of loops ----------------------------------------------------------------------------


def _loops(graph: Graph) -> Iterator[Node]:
    return (node for node in everywhere(graph.results.values()) if node.op is LOOP)


def _name_again(graph: Graph) -> Graph:
    """Name what steps that go back compute again, of what they have saved, as forward steps do."""
    steps = [loop_of(node) for node in _loops(graph)]
    named = [one for loop in steps for one in body(loop) if one in graph.names]
    names = dict(graph.names)
    for loop in steps:
        saved = {one.of: one.node for one in loop.elements if one.of is not None}
        again = rebuild(named, with_args, saved) if saved else {}
        of = {adjoint.of for adjoint in loop.adjoints}
        names |= {again[one]: graph.names[one] for one in named if again.get(one) in of}
    return replace(graph, names=names)


def _in_loops(graph: Graph) -> Iterator[Node]:
    """Yield the named nodes of steps, and the adjoints of a step's nodes."""
    for node in _loops(graph):
        loop = loop_of(node)
        yield from (one for one in body(loop) if one in graph.names)
        yield from (adjoint.value for adjoint in loop.adjoints)


def _looks_in_loops(graph: Graph) -> Iterator[tuple[Place, Looked]]:
    """Yield where the named values of steps are looked at, and their adjoints."""
    for node in _loops(graph):
        loop = loop_of(node)
        places = _places(body(loop))
        if not loop.adjoints:
            named = ((one, graph.names[one]) for one in body(loop) if one in graph.names)
            yield from ((places[one], Looked(name, False)) for one, name in named if one in places)
        names = dict(graph.names)
        for element in loop.elements:  # what the forward steps have saved
            if element.of in names:
                names[element.node] = names[element.of]
        children = _children(loop.adjoints, names)
        for adjoint in loop.adjoints:
            if adjoint.of in names and adjoint.value in places:
                looked = Looked(names[adjoint.of], True, children[adjoint.of])
                yield places[adjoint.value], looked


def _places(nodes: Iterable[Node]) -> dict[Node, Place]:
    """Map nodes to a look at them, or at what they are an operand of: what is carried, say."""
    looks = [node for node in nodes if node.op is WATCHED]
    places = {node: (node.attrs["number"], 0) for node in looks}
    for node in looks:
        for slot, operand in enumerate(node.args[1:], 1):
            places.setdefault(operand, (node.attrs["number"], slot))
    return places
