"""What a `derive` clause asks for -> graphs, one for each mode that it can be computed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import product
from operator import itemgetter

from graphc import kinds
from graphc.ad.functions import gradient, products, value
from graphc.ad.jacobian.matrices import hessian, jacobian
from graphc.ad.jacobian.per_example import gradient_per, hessian_products_per
from graphc.ad.jacobian.sparse import sparse_hessian, sparse_jacobian
from graphc.ad.maps import vectorise_maps
from graphc.ad.products import hessian_products, tangents
from graphc.ad.request import Request
from graphc.elaborate.names.model import Derivation, Model
from graphc.ir.dims import Dim
from graphc.ir.graph import Graph, Node
from graphc.ir.loop import loop_of
from graphc.ir.mapping import map_graph
from graphc.ir.rebuild import rebuild
from graphc.ir.specialise import specialise
from graphc.ir.types import Mismatch, same
from graphc.kinds import Kind
from graphc.ops.cost import Cost, cost_of
from graphc.optimise.passes import PASSES, rewritten
from graphc.records import dataclass, replace
from graphc.source import GraphError, error

GRAPHS: Mapping[Kind, Callable[[Request], Graph]] = {
    kinds.VALUE: value,
    kinds.GRAD: gradient,
    kinds.JACOBIAN: jacobian,
    kinds.JACOBIAN_MATRIX: jacobian,
    kinds.SPARSE_JACOBIAN: sparse_jacobian,
    kinds.VJP: products,
    kinds.JVP: tangents,
    kinds.HVP: hessian_products,
    kinds.HESSIAN: hessian,
    kinds.HESSIAN_MATRIX: hessian,
    kinds.SPARSE_HESSIAN: sparse_hessian,
}
"""What makes the graph of a function, by kind."""

GRAPHS_PER: Mapping[Kind, Callable[[Request, Dim], Graph]] = {
    kinds.GRAD: gradient_per,
    kinds.HVP: hessian_products_per,
}
"""The same where an axis is kept apart, if that takes another."""


@dataclass(frozen=True, slots=True)
class Made:
    """A graph, optimised, and what it costs."""

    graph: Graph
    cost: Cost


def derivatives(model: Model, one: Derivation, modes: Iterable[str]) -> dict[str, Made]:
    """Build the graphs of one function by mode, after `PASSES`, with their costs.

    Raises GraphError where its derivatives cannot be taken.
    """
    graphs = differentiate(model, one, modes)
    done = {mode: rewritten(graph, PASSES) for mode, graph in graphs.items()}
    return {mode: Made(graph, cost_of(graph)) for mode, graph in done.items()}


def differentiate(model: Model, one: Derivation, modes: Iterable[str]) -> dict[str, Graph]:
    """Build the graphs of one function by mode, as differentiated; "" is that of no choice.

    Raises GraphError where its derivatives cannot be taken.
    """
    one, names = (one, model.names) if one.per is None else _with_positions(one, one.per, model)
    kind, wrt = one.kind, dict(one.wrt)
    asked = Request(
        one.name, dict(one.outputs), wrt, names, kind.returns, kind.has_values, {}, one.per
    )
    dims = {d.variable: d.fixed for d in model.dims if d.fixed is not None}
    made: dict[str, Graph] = {}
    refused: list[Mismatch] = []
    for mode in [mode for mode in modes if mode in kind.modes] or kind.modes or [""]:
        try:
            by_path = dict.fromkeys(wrt, mode)
            if mode == "mixed" and one.per is not None:
                by_path = _cheapest_by_path(kind, asked, dims)
            graph = _graph(kind, replace(asked, modes=by_path))
        except Mismatch as wrong:
            refused.append(wrong)  # a surrogate has no forward derivative: another mode may do
            continue
        made[mode] = graph if one.per is None else _with_values(graph, dims)
    if not made:
        why = refused[0]
        raise GraphError([error(why.code, why.message, one.span, help=why.help)])
    return made


def _with_positions(
    one: Derivation, per: Dim, model: Model
) -> tuple[Derivation, Mapping[Node, str]]:
    """Turn steps along the axis into positions of arrays, in a request and the names."""
    roots, wrt = ([node for _, node in pairs] for pairs in (one.outputs, one.wrt))
    try:
        new, _ = vectorise_maps(roots, lambda node: same(loop_of(node).count, per), wrt)
    except Mismatch as why:  # as of a loop in a step, which ends by itself
        raise GraphError([error(why.code, why.message, one.span, help=why.help)]) from None
    outputs = tuple((name, new[node]) for name, node in one.outputs)
    names = {new.get(node, node): name for node, name in reversed(list(model.names.items()))}
    return replace(one, outputs=outputs), names


def cheapest(costs: Mapping[str, Cost]) -> str:
    """Return the mode of least work, with a typical size for each dim that is not known."""
    return min(costs, key=lambda mode: costs[mode].typical())


SIZES = (1, 8, 64, 512, 4096)
MARGIN = 0.9


def winners(costs: Mapping[str, Cost]) -> list[str]:
    """List the cheapest mode, and those that take clearly less work at some sizes of the dims."""
    names = sorted({name for one in costs.values() for name in one.work.symbols})
    alike = ((size,) * len(names) for size in SIZES)
    grid = product(SIZES, repeat=len(names)) if len(names) <= 3 else alike
    points = [dict(zip(names, sizes, strict=True)) for sizes in grid]
    points += [{name: size} for name in names for size in SIZES]
    chosen = [cheapest(costs)]
    for point in points:
        work = {mode: one.typical(point) for mode, one in costs.items()}
        best = min(work, key=lambda mode: work[mode])
        possible = min(work.values()) > 0  # a size that no shape allows costs less than nothing
        if possible and work[best] < MARGIN * min(work[mode] for mode in chosen):
            chosen.append(best)
    return chosen


def _graph(kind: Kind, asked: Request) -> Graph:
    """Build the graph of a function, in its modes by path: equal but where `per` says more."""
    if asked.per is not None and kind.base in GRAPHS_PER:
        return GRAPHS_PER[kind.base](asked, asked.per)
    return GRAPHS[kind.base](asked)


def _cheapest_by_path(kind: Kind, asked: Request, dims: Mapping[str, int]) -> dict[str, str]:
    """For each path the mode in which its own blocks take the least work.

    Backward, the positions that `per` keeps apart are one pass, in which each has its own product
    with what they share; forward, what they share has a pass for each element of the path.
    """
    blocks = replace(asked, returns="blocks", with_values=False)
    work: dict[str, dict[str, int]] = {path: {} for path in asked.wrt}
    for mode in kind.modes:
        try:
            graph = _graph(kind, replace(blocks, modes=dict.fromkeys(asked.wrt, mode)))
        except Mismatch:
            continue
        graph = rewritten(graph, PASSES)
        for path in asked.wrt:
            own = {key: node for key, node in graph.results.items() if key.by == path}
            work[path][mode] = cost_of(replace(graph, results=own)).typical(dims)
    refused = {"mixed": 0}
    return {
        path: min((costs or refused).items(), key=itemgetter(1))[0] for path, costs in work.items()
    }


def _with_values(graph: Graph, dims: Mapping[str, int]) -> Graph:
    """Substitute the values of dims in a graph."""
    new = rebuild(graph.results.values(), lambda node, args: specialise(node, args, dims))
    return map_graph(graph, new)
