"""The steps and adjoints of a graph, and of one step of each of its loops."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from graphc.ad.reverse import float_descendants
from graphc.ir.graph import INPUT, PARAMETER, SOURCES, Node, uses
from graphc.ir.loop import LOOP, RESULT, RULED, STEPS, Loop, result_type
from graphc.ir.order import topological
from graphc.ops.shape.shaping import index
from graphc.views.explain.derivation import AdjointStep, AdjointTerm, Edge, LoopPart, Step
from graphc.views.explain.expression import (
    Expression,
    column,
    symbol,
)
from graphc.views.explain.jacobians import Factor, Jacobian
from graphc.views.explain.local import Local, local
from graphc.views.explain.loops import derive_loop, indices
from graphc.views.explain.setting import Region, Seed, Setting
from graphc.views.explain.stations import below, children_of, reached, read_by, stations
from graphc.views.explain.words import place


def region(
    setting: Setting,
    roots: Sequence[Node],
    seeds: Sequence[Seed],
    wrt: Collection[Node],
    given: Mapping[Node, Expression],
    index: str = "",
) -> Region:
    """Derive what leads to the roots, in terms of what is given.

    Inside of a loop `index` is its own, and what is given comes from outside of the step.
    """
    labels = setting.labels
    order = stations(roots, given, labels)
    steps = frozenset(order)
    active = float_descendants(uses(roots, given=set(given)), wrt)
    active |= {node for node in order if node.op is LOOP and any(a in active for a in node.args)}
    symbols = dict(given)
    for node in order:
        if node not in symbols:
            symbols[node] = symbol(labels.name(node), column(node.shape), index)
    adjoint = {node: setting.total(setting.target, symbols[node]) for node in order}
    known = {one.node: one.formula for one in seeds if one.formula.kind == "number"}
    parents: dict[Node, tuple[Node, ...]] = {}
    locals_: dict[Node, Local] = {}
    edges: dict[Node, dict[Node, Edge]] = {}
    for node in order:
        if node.op in (LOOP, RESULT) or node in given or not node.args:
            continue
        parents[node] = below(node.args, steps)
        if not setting.wants(symbols[one] for one in (node, *parents[node])):
            continue
        found = local(
            node,
            parents[node],
            active,
            symbols,
            setting.laid(adjoint[node]) if node not in known else known[node],
            {one: setting.moving(setting.moved(symbols[one])) for one in parents[node]},
        )
        locals_[node] = found
        edges[node] = {
            parent: setting.partial(
                symbols[node], symbols[parent], jacobian, (node.type.size, parent.type.size)
            )
            for parent, jacobian in found.jacobians.items()
        }
    for node in order:
        if node.op is RESULT and node.attrs["number"] != STEPS:
            edges[node] = _through(setting, node, symbols, active, order)
    skips = _skips(edges, parents)
    adjoints, loops = _adjoints(
        setting, order, seeds, active, symbols, locals_, edges, skips, index
    )
    told = [
        _step(setting, node, symbols, locals_, edges, loops, active, given, index) for node in order
    ]
    return Region(tuple(one for one in told if one is not None), adjoints, edges, symbols)


def _through(
    setting: Setting,
    node: Node,
    symbols: Mapping[Node, Expression],
    active: Collection[Node],
    order: Sequence[Node],
) -> dict[Node, Edge]:
    """Return the edges of a result of a loop: to all that it is computed of."""
    made = {}
    for parent in below(read_by(node), order):
        if parent in active and node in active:
            unknown = Jacobian(None, (Factor("loop", node.args[0].attrs["loop"].index),))
            sizes = (node.type.size, parent.type.size)
            made[parent] = setting.partial(symbols[node], symbols[parent], unknown, sizes)
    return made


# ---- adjoints -----------------------------------------------------------------------------------


def _adjoints(
    setting: Setting,
    order: Sequence[Node],
    seeds: Sequence[Seed],
    active: Collection[Node],
    symbols: Mapping[Node, Expression],
    locals_: Mapping[Node, Local],
    edges: Mapping[Node, Mapping[Node, Edge]],
    skips: Collection[tuple[Node, Node]],
    index: str,
) -> tuple[tuple[AdjointStep, ...], dict[Node, LoopPart]]:
    """Return the adjoints in the order in which they are known, and what loops do in a step."""
    parts: dict[Node, list[AdjointTerm]] = {}
    for seed in seeds:
        parts.setdefault(seed.node, []).append(AdjointTerm(None, None, seed.formula, None))
    behind = set(topological([seed.node for seed in seeds], set()))
    made: list[AdjointStep] = []
    loops: dict[Node, LoopPart] = {}
    for node in reversed(order):
        if node.op is LOOP:
            loops[node], back = derive_loop(
                setting, region, node, order, symbols, active, parts, index
            )
            for parent, part in back:
                parts.setdefault(parent, []).append(part)
            continue
        if node not in active or node not in (parts if setting.only is None else behind):
            continue
        parts.setdefault(node, [])
        made.append(
            AdjointStep(
                setting.total(setting.target, symbols[node]),
                symbols[node],
                node.type,
                tuple(parts[node]),
                node in setting.asked,
            )
        )
        if node in locals_:
            for parent, value in sorted(
                locals_[node].pulled.items(), key=lambda item: item[0].index
            ):
                edge = edges[node][parent]
                part = AdjointTerm(
                    symbols[node],
                    setting.chained(symbols[node], edge),
                    setting.laid(value),
                    edge.jacobian,
                    (parent, node) in skips,
                )
                parts.setdefault(parent, []).append(part)
    return tuple(made), loops


def _skips(
    edges: Mapping[Node, Mapping[Node, Edge]], parents: Mapping[Node, Sequence[Node]]
) -> set[tuple[Node, Node]]:
    """Edges that hand a value on as it is, past a branch that leads to the same place."""
    children = children_of(parents)
    return {
        (parent, child)
        for child, below_ in edges.items()
        for parent, edge in below_.items()
        if all((f.kind, f.operation) == ("identity", "+") for f in edge.jacobian.factors)
        and any(
            child in reached(other, children) for other in children[parent] if other is not child
        )
    }


# ---- steps --------------------------------------------------------------------------------------


def _step(
    setting: Setting,
    node: Node,
    symbols: Mapping[Node, Expression],
    locals_: Mapping[Node, Local],
    edges: Mapping[Node, Mapping[Node, Edge]],
    loops: Mapping[Node, LoopPart],
    active: Collection[Node],
    given: Collection[Node],
    index: str,
) -> Step | None:
    """Return a node as a step; what is given is none."""
    if node in given:
        return None
    role = {INPUT: "input", PARAMETER: "parameter", LOOP: "loop", RULED: "rule"}.get(
        node.op, "value"
    )
    value = locals_[node].value if node in locals_ else None
    if node.op is RESULT:
        value = _ended(setting, node, index)
    found = edges.get(node, {}) if node.op is not RESULT else {}
    pushed = locals_[node].pushed if node in locals_ else {}
    return Step(
        symbols[node],
        node.type,
        role,
        value,
        tuple(found.values()),
        setting.moved(symbols[node]),
        tuple((symbols[p], setting.moving(v)) for p, v in pushed.items()),
        place(node),
        node in active,
        loops.get(node),
        node not in setting.labels.names and _selects(node, found),
    )


def _selects(node: Node, edges: Mapping[Node, Edge]) -> bool:
    """True if a value is a selection of elements of one other."""
    if edges:
        factors = [factor for edge in edges.values() for factor in edge.jacobian.factors]
        return len(edges) == 1 and {factor.kind for factor in factors} == {"selection"}
    one = node
    while one.op is index:
        one = one.args[0]
    return one is not node and one.op in SOURCES


def _ended(setting: Setting, node: Node, index: str) -> Expression:
    """Return a result of a loop: a carried value after the last step, or a stack of all steps."""
    loop: Loop = node.args[0].attrs["loop"]
    number = node.attrs["number"]
    if number == STEPS:
        return Expression("taken", (), (), loop.index)
    now, _, _, last = indices(loop, setting.labels.index(node.args[0]), index)
    if number < len(loop.carried):
        name = setting.labels.carried(node.args[0])[number]
        return symbol(name, column(loop.carried[number].shape), last)
    shape = result_type(loop, number).shape
    item = symbol(setting.labels.name(node), column(shape[1:]), now)
    return Expression("stack", (item,), column(shape), (now, 0, len(shape) - 1))
