"""The graphs of functions -> their programs, with the names of what they are given."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from graphc.ad.functions import CutGraph
from graphc.compile.options import Options
from graphc.elaborate.names.model import Derivation, Model
from graphc.ir.graph import COTANGENT, TANGENT, Graph, Node
from graphc.kinds import BACKWARD, FORWARD, Kind
from graphc.names import Identifiers, flat
from graphc.ops.cost import cost_of
from graphc.plan.buffers.destinations import with_destinations
from graphc.plan.lower import plan
from graphc.plan.module import Derived
from graphc.plan.naming import indices
from graphc.plan.signature import Entry, entry
from graphc.records import replace


def begin_of(model: Model) -> Entry:
    """Name the arguments of the module's functions, and find what binds the dims."""
    return entry(model, indices(d.node for d in model.outputs))


def sources_of(model: Model, begin: Entry) -> dict[Node, str]:
    """Return the variables of inputs and parameters."""
    return {d.node: begin.variables[d.name] for d in (*model.inputs, *model.params)}


def plan_halves(
    model: Model, split: CutGraph, begin: Entry, options: Options
) -> tuple[Derived, Derived]:
    """Plan forward and backward."""
    outputs, asked = tuple(d.name for d in model.outputs), model.backward
    sources = sources_of(model, begin)
    forward = plan_graph(
        split.forward, sources, begin, FORWARD, outputs, {}, split.cached, options=options
    )
    held = {node: forward.program.variables[node] for node in split.cached}
    whole = {adjoint.value for adjoint in split.backward.adjoints}
    read = {*begin.taken, *held.values(), *begin.fields.values()}
    cotangents = given_of(split.backward, read, whole)
    backward = plan_graph(
        split.backward, held | cotangents, begin, BACKWARD, asked.names, dict(asked.wrt),
        options=options,
    )  # fmt: skip
    return forward, backward


def plan_function(
    one: Derivation, mode: str, graph: Graph, model: Model, begin: Entry, options: Options
) -> Derived:
    """Plan a derived function of this graph."""
    sources = sources_of(model, begin)
    given = {**given_of(graph, {*begin.taken, *sources.values()}), **sources}
    found = plan_graph(
        graph, given, begin, one.kind, one.names, dict(one.wrt), options=options, mode=mode
    )
    return replace(found, per="" if one.per is None else str(one.per), mode=mode)


_GIVEN = {COTANGENT: "ct", TANGENT: "t"}
"""What the cotangents and tangents that a function is given are called."""


def given_of(graph: Graph, taken: Collection[str], whole: Collection[Node] = ()) -> dict[Node, str]:
    """Name the cotangents and tangents of a graph: `ct_y`, or `d_y` for a `whole` adjoint of y.

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


def plan_graph(
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
    """Plan the function that computes this graph of what it is given."""
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
    work = cost_of(graph, given).multiply_adds
    return Derived(program, kind, outputs, tuple(wrt.items()), work, destinations=places)
