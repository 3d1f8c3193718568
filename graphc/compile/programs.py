"""A model -> the programs of all functions of its module."""

from __future__ import annotations

from collections.abc import Sequence

from graphc import __version__
from graphc.ad.functions import perturb
from graphc.compile.bounded import Bounded, within_bound
from graphc.compile.chunked import plan_chunked
from graphc.compile.clauses import cheapest, derivatives, winners
from graphc.compile.functions import begin_of, given_of, plan_function, plan_halves, sources_of
from graphc.compile.graphs import both_halves, candidates, passes_of, split_halves
from graphc.compile.options import Options
from graphc.elaborate.names.model import Derivation, Model
from graphc.ir.graph import SOURCES, Graph, arguments_first
from graphc.ir.loop import everywhere, symbols_of
from graphc.ir.types import FLOAT_BYTES
from graphc.kinds import BACKWARD, FORWARD, MODES
from graphc.ops.shape.members import family_of
from graphc.optimise.passes import PASSES, rewritten
from graphc.optimise.watch import watch_all
from graphc.plan.lower import plan
from graphc.plan.module import Compiled, Derived
from graphc.plan.naming import indices
from graphc.plan.program import Program
from graphc.plan.signature import Entry, needless
from graphc.plan.size_limits import beyond_any_machine, report_size
from graphc.plan.watched import lower_watched
from graphc.records import replace
from graphc.source import GraphError
from graphc.targets.target import Target


def plan_module(model: Model, options: Options) -> Compiled:
    """Plan all functions of a module; raises GraphError."""
    begin = begin_of(model)
    bounded = within_bound(model, options, begin) if options.memory else None
    split = bounded.halves if bounded else split_halves(model, options)
    forward, backward = plan_halves(model, split, begin, options)
    derived = [_function(model, one, begin, options, bounded) for one in model.derivations]
    compiled = Compiled(
        model, begin, options.at, __version__, forward, backward, split.cached, tuple(derived),
        options.stated,
    )  # fmt: skip
    if options.split:
        compiled = replace(compiled, chunked=plan_chunked(compiled, options))
    _check_sizes(compiled)
    if bounded is None:
        return compiled
    return replace(compiled, planned=bounded.planned, warnings=bounded.warnings)


def _function(
    model: Model, one: Derivation, begin: Entry, options: Options, bounded: Bounded | None
) -> Derived:
    """Plan a derived function, in the mode asked for or in those that are cheapest somewhere."""
    made = bounded.made[one.name] if bounded else candidates(model, one, options)

    def in_mode(mode: str) -> Derived:
        if bounded:
            graph = bounded.graphs[one.name, mode]
        else:
            graph = rewritten(made[mode].graph, passes_of(options, options.at.derived))
        found = plan_function(one, mode, graph, model, begin, options)
        return replace(found, work=made[mode].cost.work)

    first, *others = map(in_mode, winners({mode: each.cost for mode, each in made.items()}))
    first = replace(first, optional=needless(begin, dims_of((first, *others))))
    if not options.at.planned or others or bounded:
        return replace(first, others=tuple(others))
    return options.to.small(first, made[first.mode].graph, begin)


def dims_of(modes: Sequence[Derived]) -> set[str]:
    """Collect the dims that a function reads, in any of its modes, and to choose one."""
    nodes = (n for one in modes for n in everywhere(one.program.results.values()))
    chosen = (one.work.symbols for one in modes) if len(modes) > 1 else ()
    return set().union(*(symbols_of(node) for node in nodes), *chosen)


def _check_sizes(compiled: Compiled) -> None:
    """Raise GraphError where an array is larger than any memory."""
    model = compiled.model
    width = FLOAT_BYTES[model.dtype]
    declared = [("an input", d) for d in model.inputs] + [("a parameter", d) for d in model.params]
    found = [x for what, d in declared for x in report_size(what, d.node.type, d.span, width)]
    halves = [(one.program, model.outputs[0].span) for one in (compiled.forward, compiled.backward)]
    asked = [clause.span for clause in model.derivations]
    derived = zip((one.program for one in compiled.derived), asked, strict=True)
    found = found or [*beyond_any_machine([*halves, *derived], width)]
    if found:
        raise GraphError(dict.fromkeys(found))


def plan_watched(model: Model, target: Target) -> tuple[Program, ...]:
    """Plan all functions at the readable level, with a look at each value."""
    begin = begin_of(model)
    graphs = watch_all(readable_graphs(model))
    return lower_watched(graphs, sources_of(model, begin), begin.taken, target.measure)


def readable_graphs(model: Model) -> list[Graph]:
    """Build the graphs of all functions at the readable level: backward with forward in it."""
    whole = both_halves(model)
    first = {key: node for key, node in whole.results.items() if key.kind == "value"}
    graphs = [replace(whole, name=FORWARD.name, results=first, adjoints=())]
    graphs += [replace(whole, name=BACKWARD.name)] if len(first) < len(whole.results) else []
    for one in model.derivations:
        made = derivatives(model, one, MODES)
        graphs.append(made[cheapest({mode: each.cost for mode, each in made.items()})].graph)
    return graphs


def plan_perturbed(model: Model, target: Target) -> Program | None:
    """Plan the outputs with something added to each node on the way that is named after `wrt`.

    By it `check` finds the numerical derivatives by these; None where there are none.
    """
    chosen = {path for d in model.clauses for path, node in d.wrt if d.kind.order}
    ends = {d.name: d.node for d in model.outputs}
    computed = (n for n in arguments_first(ends.values()) if family_of(n).op not in SOURCES)
    nodes = {model.names[n]: n for n in computed if model.names.get(n) in chosen}
    if not nodes or model.surrogate:
        return None
    graph = rewritten(perturb(ends, nodes, model.names), PASSES)
    begin = begin_of(model)
    sources = sources_of(model, begin)
    given = given_of(graph, {*begin.taken, *sources.values()})
    taken = begin.taken | indices(graph.results.values())
    return plan(graph, given | sources, target.measure, taken=taken)
