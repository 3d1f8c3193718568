"""The graphs of a module within a bound on its memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from graphc.ad.functions import CutGraph, cut
from graphc.compile.clauses import Made, winners
from graphc.compile.functions import plan_function, plan_halves
from graphc.compile.graphs import both_halves, candidates, passes_of
from graphc.compile.options import Options
from graphc.elaborate.names.model import Model
from graphc.ir.graph import Graph, Node
from graphc.ir.results import Role
from graphc.ir.types import FLOAT_BYTES, type_bytes
from graphc.optimise.loops.distribution import distribute
from graphc.optimise.memory.bound import Bound, Planned
from graphc.optimise.memory.budget import budget
from graphc.optimise.memory.estimate import Sizes
from graphc.optimise.passes import Pass, rewritten
from graphc.plan.buffers.report import live
from graphc.plan.program import Program
from graphc.plan.signature import Entry
from graphc.records import dataclass
from graphc.source import Diagnostic


@dataclass(frozen=True, slots=True)
class Bounded:
    """The graphs of a module within a bound on its memory, and what that came to.

    `made` are those of derived functions by mode before that, `graphs` after it.
    """

    halves: CutGraph
    made: Mapping[str, Mapping[str, Made]]
    graphs: Mapping[tuple[str, str], Graph]
    planned: tuple[Planned, ...]
    warnings: tuple[Diagnostic, ...]


def within_bound(model: Model, options: Options, begin: Entry) -> Bounded:
    """Compute as much again as it takes to keep within `options.memory`; raises GraphError."""
    whole = both_halves(model)
    made = {one.name: candidates(model, one, options) for one in model.derivations}
    modes = [
        (name, mode)
        for name, by_mode in made.items()
        for mode in winners({mode: each.cost for mode, each in by_mode.items()})
    ]

    def finish(graph: Graph) -> Graph:
        return rewritten(graph, _passes_of(graph, options))

    def finish_in_steps(graph: Graph) -> Graph:
        passes = _passes_of(graph, options)
        return rewritten(graph, [one for one in passes if one is not distribute])

    sizes = {d.variable: d.fixed for d in model.dims if d.fixed is not None}
    width = FLOAT_BYTES[model.dtype]
    clauses = {one.name: one for one in model.derivations}

    def peak_of(program: Program, kept: Collection[Node] = ()) -> int:
        return live(program, width, kept, works=False).peak.evaluate(sizes)

    def peaks(graph: Graph) -> dict[str, int]:
        """Return the bytes at the peak of each function; the cache is backward's too."""
        if graph.role is Role.FUNCTION:
            one = plan_function(clauses[graph.name], "", graph, model, begin, options)
            return {graph.name: peak_of(one.program)}
        split = cut(graph)
        forward, backward = plan_halves(model, split, begin, options)
        found = {forward.name: peak_of(forward.program, split.cached)}
        if split.backward.results:
            held = sum(type_bytes(node.type, width).evaluate(sizes) for node in split.cached)
            found[backward.name] = peak_of(backward.program) + held
        return found

    bound = Bound(
        Sizes(sizes, width, options.at.planned),
        begin.taken.union(begin.values),
        [d.name for d in model.dims if d.fixed is None],
        peaks,
        (finish, finish_in_steps) if options.at.planned else (),
    )
    parts = [whole, *(made[name][mode].graph for name, mode in modes)]
    found = bound.within(parts, budget(options.memory))
    first, *rest = found.graphs
    graphs = dict(zip(modes, rest, strict=True))
    return Bounded(cut(first), made, graphs, found.planned, found.warnings)


def _passes_of(graph: Graph, options: Options) -> Sequence[Pass]:
    level = options.at
    return passes_of(options, level.halves if graph.role is Role.HALVES else level.derived)
