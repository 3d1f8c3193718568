"""The functions of a module: their graphs and within a bound, to their programs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from graphc import __version__
from graphc.ad.functions import Split, build_halves, cut, perturb
from graphc.compile.clauses import Made, cheapest, derivatives, winners
from graphc.compile.options import Options
from graphc.elaborate.names.model import Derivation, Model
from graphc.ir.dims import sum_dims
from graphc.ir.graph import COTANGENT, SOURCES, TANGENT, Graph, Node, arguments_first
from graphc.ir.results import Role
from graphc.ir.types import FLOAT_BYTES
from graphc.kinds import BACKWARD, FORWARD, MODES, Kind
from graphc.limits import Exceeded
from graphc.names import Identifiers, flat
from graphc.ops.shape.members import family_of
from graphc.optimise.memory.bound import Bound, Planned
from graphc.optimise.memory.budget import budget
from graphc.optimise.memory.estimate import Sizes, size_of
from graphc.optimise.passes import PASSES, Pass, rewritten
from graphc.plan.buffers.destinations import with_destinations
from graphc.plan.buffers.report import live
from graphc.plan.lower import Program, plan
from graphc.plan.module import Compiled, Derived
from graphc.plan.naming import indices
from graphc.plan.signature import Entry, entry
from graphc.plan.size_limits import beyond_any_machine, refused
from graphc.plan.watched import watched
from graphc.source import Diagnostic, GraphError
from graphc.targets.target import Target


def halves(model: Model, options: Options) -> Split:
    """Forward and backward, by the parameters, or by the float inputs where there are none."""
    whole = rewritten(_both(model), passes_of(options, options.at.halves))
    return cut(whole, options.at.planned)


def passes_of(options: Options, passes: Sequence[Pass]) -> Sequence[Pass]:
    """Return the passes of the level, and those of the target where it has its say."""
    return (*passes, *options.to.lowering) if options.at.planned else passes


def _both(model: Model) -> Graph:
    """Both halves as they are at every level."""
    outputs = {d.name: d.node for d in model.outputs}
    return rewritten(build_halves(outputs, wrt_of(model), model.names), PASSES)


def wrt_of(model: Model) -> dict[str, Node]:
    """Return what `backward` differentiates by; nothing where no output has a derivative."""
    if not any(d.type.dtype == "float" for d in model.outputs):
        return {}
    return {d.name: d.node for d in model.params or model.inputs if d.type.dtype == "float"}


def compiled_of(model: Model, options: Options) -> Compiled:
    """Compile all functions of a module to programs; raises GraphError."""
    begin = begin_of(model)
    bounded = _bounded(model, options, begin) if options.memory else None
    split = bounded.halves if bounded else halves(model, options)
    forward, backward = _planned_halves(model, split, begin, options)
    derived = [_function(model, one, begin, options, bounded) for one in model.derivations]
    compiled = Compiled(
        model, begin, options.at, __version__, forward, backward, split.cached, tuple(derived),
        options.stated,
    )  # fmt: skip
    _check_sizes(compiled)
    if bounded is None:
        return compiled
    return replace(compiled, planned=bounded.planned, warnings=bounded.warnings)


def _check_sizes(compiled: Compiled) -> None:
    """GraphError where an array is larger than any memory."""
    model = compiled.model
    width = FLOAT_BYTES[model.dtype]
    declared = [("an input", d) for d in model.inputs] + [("a parameter", d) for d in model.params]
    found = [x for what, d in declared for x in refused(what, d.node.type, d.span, width)]
    halves = [(one.program, model.outputs[0].span) for one in (compiled.forward, compiled.backward)]
    asked = [clause.span for clause in model.derivations]
    derived = zip((one.program for one in compiled.derived), asked, strict=True)
    found = found or [*beyond_any_machine([*halves, *derived], width)]
    if found:
        raise GraphError(dict.fromkeys(found))


def _planned_halves(
    model: Model, split: Split, begin: Entry, options: Options
) -> tuple[Derived, Derived]:
    """Forward and backward with their programs."""
    outputs = tuple(d.name for d in model.outputs)
    sources = _sources(model, begin)
    forward = _derived(
        split.forward, sources, begin, FORWARD, outputs, {}, split.cached, options=options
    )
    held = {node: forward.program.variables[node] for node in split.cached}
    whole = {adjoint.value for adjoint in split.backward.adjoints}
    read = {*begin.taken, *held.values(), *begin.fields.values()}
    cotangents = _given(split.backward, read, whole)
    backward = _derived(
        split.backward, held | cotangents, begin, BACKWARD, (), wrt_of(model), options=options
    )
    return forward, backward


def _sources(model: Model, begin: Entry) -> dict[Node, str]:
    """Return the variables of inputs and parameters."""
    return {d.node: begin.variables[d.name] for d in (*model.inputs, *model.params)}


def watched_programs(model: Model, target: Target) -> tuple[Program, ...]:
    """Plan all functions at the readable level, with a look at each value."""
    begin = begin_of(model)
    sources = _sources(model, begin)
    whole = _both(model)
    first = {key: node for key, node in whole.results.items() if key.kind == "value"}
    graphs = [replace(whole, name=FORWARD.name, results=first, adjoints=())]
    graphs += [replace(whole, name=BACKWARD.name)] if len(first) < len(whole.results) else []
    for one in model.derivations:
        made = derivatives(model, one, MODES)
        graphs.append(made[cheapest({mode: each.cost for mode, each in made.items()})].graph)
    return watched(graphs, sources, begin.taken, target.measure)


def moved_program(model: Model, target: Target) -> Program | None:
    """Plan the outputs with something added to each node on the way that a path names.
    By these `check` finds the numerical derivatives; None where `wrt` names no such node.
    """
    chosen = {path for d in model.derivations for path, node in d.wrt if d.kind.order}
    ends = {d.name: d.node for d in model.outputs}
    computed = (n for n in arguments_first(ends.values()) if family_of(n).op not in SOURCES)
    nodes = {model.names[n]: n for n in computed if model.names.get(n) in chosen}
    if not nodes or model.surrogate:
        return None
    graph = rewritten(perturb(ends, nodes, model.names), PASSES)
    begin = begin_of(model)
    sources = _sources(model, begin)
    given = _given(graph, {*begin.taken, *sources.values()})
    taken = begin.taken | indices(graph.results.values())
    return plan(graph, given | sources, target.measure, taken=taken)


@dataclass(frozen=True, slots=True)
class _Bounded:
    """The graphs of a module within a bound on its memory, and what that came to.

    `made` are those of derived functions by mode before that, `graphs` after it.
    """

    halves: Split
    made: Mapping[str, Mapping[str, Made]]
    graphs: Mapping[tuple[str, str], Graph]
    planned: tuple[Planned, ...]
    warnings: tuple[Diagnostic, ...]


def _bounded(model: Model, options: Options, begin: Entry) -> _Bounded:
    """As much is computed again as it takes to keep within `options.memory`."""
    whole = _both(model)
    made = {one.name: made_of(model, one, options) for one in model.derivations}
    modes = [
        (name, mode)
        for name, by_mode in made.items()
        for mode in winners({mode: each.cost for mode, each in by_mode.items()})
    ]

    def finish(graph: Graph) -> Graph:
        level = options.at
        whole = graph.role is Role.HALVES
        return rewritten(graph, passes_of(options, level.halves if whole else level.derived))

    sizes = {d.variable: d.fixed for d in model.dims if d.fixed is not None}
    width = FLOAT_BYTES[model.dtype]
    clauses = {one.name: one for one in model.derivations}

    def peaks(graph: Graph) -> dict[str, int]:
        """Return the bytes at the peak of each function; the cache is backward's too."""
        if graph.role is Role.FUNCTION:
            one = _planned_function(clauses[graph.name], "", graph, model, begin, options)
            return {graph.name: live(one.program, width).peak.evaluate(sizes)}
        split = cut(graph)
        forward, backward = _planned_halves(model, split, begin, options)
        found = {forward.name: live(forward.program, width, split.cached).peak.evaluate(sizes)}
        if split.backward.results:
            held = sum(size_of(node.type, width).evaluate(sizes) for node in split.cached)
            found[backward.name] = live(backward.program, width).peak.evaluate(sizes) + held
        return found

    bound = Bound(
        Sizes(sizes, width, options.at.planned),
        begin.taken.union(begin.values),
        [d.name for d in model.dims if d.fixed is None],
        peaks,
        finish if options.at.planned else None,
    )
    parts = [whole, *(made[name][mode].graph for name, mode in modes)]
    found = bound.within(parts, budget(options.memory))
    first, *rest = found.graphs
    graphs = dict(zip(modes, rest, strict=True))
    return _Bounded(cut(first), made, graphs, found.planned, found.warnings)


def made_of(model: Model, one: Derivation, options: Options) -> dict[str, Made]:
    """Build the graphs of a function by mode, in the mode asked for or in all."""
    try:
        return derivatives(model, one, [options.mode] if options.mode else MODES)
    except Exceeded as much:
        much.span = one.span or much.span
        raise


def _function(
    model: Model, one: Derivation, begin: Entry, options: Options, bounded: _Bounded | None
) -> Derived:
    """Plan a function that is asked for, in the mode asked for or the cheapest."""
    made = bounded.made[one.name] if bounded else made_of(model, one, options)

    def in_mode(mode: str) -> Derived:
        if bounded:
            graph = bounded.graphs[one.name, mode]
        else:
            graph = rewritten(made[mode].graph, passes_of(options, options.at.derived))
        found = _planned_function(one, mode, graph, model, begin, options)
        return replace(found, work=made[mode].cost.work)

    first, *others = map(in_mode, winners({mode: each.cost for mode, each in made.items()}))
    if not options.at.planned or others or bounded:
        return replace(first, others=tuple(others))
    return options.to.small(first, made[first.mode].graph, begin)


def _planned_function(
    one: Derivation, mode: str, graph: Graph, model: Model, begin: Entry, options: Options
) -> Derived:
    """Plan a function that is asked for from its graph."""
    sources = _sources(model, begin)
    given = {**_given(graph, {*begin.taken, *sources.values()}), **sources}
    found = _derived(
        graph, given, begin, one.kind, one.names, dict(one.wrt), options=options, mode=mode
    )
    return replace(found, per="" if one.per is None else str(one.per), mode=mode)


_GIVEN = {COTANGENT: "ct", TANGENT: "t"}
"""What the cotangents and tangents that a function is given are called."""


def _given(graph: Graph, taken: Collection[str], whole: Collection[Node] = ()) -> dict[Node, str]:
    """Name cotangents and tangents: `ct_y`, or `d_y` where one is the `whole` adjoint of y.
    They give way to what the user calls so.
    """
    scope = Identifiers(
        {*taken, *indices(graph.results.values()), *map(flat, graph.names.values())}
    )
    return {
        node: scope.fresh(f"{'d' if node in whole else _GIVEN[node.op]}_{flat(node.attrs['name'])}")
        for node in graph.nodes
        if node.op in _GIVEN
    }


def _derived(
    graph: Graph,
    given: Mapping[Node, str],
    begin: Entry,
    kind: Kind,
    outputs: tuple[str, ...],
    wrt: Mapping[str, Node],
    kept: Collection[Node] = (),
    *,
    options: Options,
    mode: str = "",
) -> Derived:
    taken = {*begin.taken, *indices(graph.results.values())}
    planned = options.at.planned
    single = bool(options.memory)
    program = plan(graph, given, options.to.measure, kept, taken, planned, single=single)
    if planned:
        program = replace(program, part=(mode,) if mode else ())
        for stage in options.to.stages:
            program = stage(program, kept, taken)
    places: Mapping[str, str] = {}
    if planned and kind.returns == "gradients":
        program, places = with_destinations(program, wrt, taken)
    flops = sum_dims(n.op.flops(n) for n in arguments_first(graph.results.values(), given))
    return Derived(program, kind, outputs, tuple(wrt.items()), flops, destinations=places)


def begin_of(model: Model) -> Entry:
    """Return the arguments of the module's functions, and what binds the dims."""
    return entry(model, indices(d.node for d in model.outputs))
