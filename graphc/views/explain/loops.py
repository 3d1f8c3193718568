"""Loops in a derivation: one step, forward and backward, and what flows back out of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from graphc.ir.graph import Node
from graphc.ir.loop import RESULT, Loop, loop_arguments, loop_of
from graphc.records import replace
from graphc.views.explain.derivation import AdjointStep, AdjointTerm, LoopPart
from graphc.views.explain.expression import (
    Expression,
    column,
    symbol,
)
from graphc.views.explain.jacobians import Factor, Jacobian
from graphc.views.explain.setting import Region, Seed, Setting
from graphc.views.explain.writing import write_formula

Regions = Callable[..., Region]


def derive_loop(
    setting: Setting,
    region: Regions,
    node: Node,
    order: Sequence[Node],
    symbols: Mapping[Node, Expression],
    active: Collection[Node],
    parts: Mapping[Node, list[AdjointTerm]],
    outer_index: str,
) -> tuple[LoopPart, list[tuple[Node, AdjointTerm]]]:
    """Derive a loop as one step, and what flows back to what it reads."""
    loop: Loop = node.attrs["loop"]
    initials, sources, outer = loop_arguments(node)
    label = setting.labels.index(node)
    now, before, first, last = indices(loop, label, outer_index)
    names = setting.labels.carried(node)
    shapes = [column(one.shape) for one in loop.carried]
    carried = [symbol(n, s, before) for n, s in zip(names, shapes, strict=True)]
    following = [symbol(n, s, now) for n, s in zip(names, shapes, strict=True)]
    starting = [symbol(n, s, first) for n, s in zip(names, shapes, strict=True)]
    ending = [symbol(n, s, last) for n, s in zip(names, shapes, strict=True)]
    inside: dict[Node, Expression] = dict(zip(loop.carried, carried, strict=True))
    for element, source in zip(loop.elements, sources, strict=True):
        known = symbols.get(source)
        name = setting.labels.name(source) if known is None else known.data[0]
        inside[element.node] = symbol(name, column(element.node.shape), now)
    inside |= {
        one: symbols[one] if one in symbols else write_formula(one, symbols) for one in outer
    }
    results = {
        one.attrs["number"]: one for one in order if one.op is RESULT and one.args[0] is node
    }
    collected = {
        number: item
        for number, item in enumerate(loop.collected, len(loop.carried))
        if number in results
    }
    stacked = {
        number: symbol(setting.labels.name(results[number]), column(item.shape), now)
        for number, item in collected.items()
    }
    seeds = [
        Seed(following_node, setting.total(setting.target, name))
        for following_node, name, one in zip(loop.nexts, following, loop.carried, strict=True)
        if one.type.dtype == "float" and node in active
    ]
    seeds += [
        Seed(item, setting.total(setting.target, stacked[number]))
        for number, item in collected.items()
        if results[number] in parts
    ]
    shared = [one for one in outer if one in active]
    floats = [one for one in loop.carried if one.type.dtype == "float"]
    elements = [
        (element.node, source)
        for element, source in zip(loop.elements, sources, strict=True)
        if source in active
    ]
    wrt = [*floats, *(inner for inner, _ in elements), *shared]
    unread = {*loop.collected} - {*loop.nexts, *collected.values()}
    roots = tuple(root for root in loop.roots if root not in unread)
    found = region(setting, roots, seeds if node in active else [], wrt, inside, now)
    adjoints = [_shared_in_step(one, shared, inside, now) for one in found.adjoints]
    part = LoopPart(
        label,
        loop.index,
        now,
        loop.first,
        loop.count,
        loop.backwards,
        loop.until is not None,
        tuple(
            (start, symbol_of(initial, symbols))
            for start, initial in zip(starting, initials, strict=True)
        ),
        tuple(
            (inside[e.node], symbol_of(source, symbols), e.axis, e.node.rank)
            for e, source in zip(loop.elements, sources, strict=True)
        ),
        tuple(
            (name, symbol_of(node_, found.symbols))
            for name, node_ in zip(following, loop.nexts, strict=True)
        ),
        tuple(
            (stacked[number], symbol_of(item, found.symbols)) for number, item in collected.items()
        ),
        tuple(inside[one] for one in shared),
        tuple(
            (setting.total(setting.target, end), _end(setting, results.get(number), parts, symbols))
            for number, (end, one) in enumerate(zip(ending, loop.carried, strict=True))
            if one.type.dtype == "float" and node in active
        ),
        found.steps,
        tuple(adjoints),
        tuple(_returning(node, carried)),
    )
    reached = {one.of for one in found.adjoints}
    return part, _back(setting, loop, part, initials, sources, shared, inside, starting, reached)


def _returning(node: Node, carried: Sequence[Expression]) -> Iterator[tuple[Expression, str]]:
    """Yield the carried values that are not in the statement of a loop: those that `grad` makes."""
    said = node.origin.span.text if node.origin is not None else ""
    for bound, value in zip(loop_of(node).carried, carried, strict=True):
        d, _, of = str(bound.attrs["name"]).partition("_")
        if d == "d" and of and not re.search(rf"\bd_{re.escape(of)}\b", said):
            yield symbol(value.data[0], value.shape), of


def _back(
    setting: Setting,
    loop: Loop,
    part: LoopPart,
    initials: Sequence[Node],
    sources: Sequence[Node],
    shared: Sequence[Node],
    inside: Mapping[Node, Expression],
    starting: Sequence[Expression],
    reached: Collection[Expression],
) -> list[tuple[Node, AdjointTerm]]:
    """Return what flows back out of a loop: to its start, to elements, to what steps share."""
    looped = Jacobian(None, (Factor("loop", loop.index),))
    back: list[tuple[Node, AdjointTerm]] = []
    for initial, start, carried in zip(initials, starting, loop.carried, strict=True):
        if carried.type.dtype == "float":
            value = setting.total(setting.target, start)
            back.append((initial, AdjointTerm(start, None, value, looped)))
    for element, source in zip(loop.elements, sources, strict=True):
        if inside[element.node] in reached:
            value = setting.total(setting.target, inside[element.node])
            how = (part.steps_index, element.axis, element.node.rank)
            item = setting.laid(value)
            stack = setting.laid(Expression("stack", (item,), column(source.shape), how))
            back.append((source, AdjointTerm(inside[element.node], None, stack, looped)))
    for one in shared:
        if inside[one] in reached:
            total = setting.total(setting.target, inside[one])
            share = Expression("share", (total,), total.shape, part.steps_index)
            value = Expression("steps", (share,), total.shape, part.steps_index)
            back.append((one, AdjointTerm(inside[one], None, value, looped)))
    return back


def _end(
    setting: Setting,
    result: Node | None,
    parts: Mapping[Node, list[AdjointTerm]],
    symbols: Mapping[Node, Expression],
) -> Expression:
    """Return what comes back to a carried value after the last step: nothing if unread."""
    if result is None or result not in parts:
        return Expression("zero")
    return setting.total(setting.target, symbols[result])


def _shared_in_step(
    one: AdjointStep, shared: Sequence[Node], inside: Mapping[Node, Expression], now: str
) -> AdjointStep:
    """Return in a step what this step contributes to the adjoint of what all share."""
    if any(inside[each] == one.of for each in shared):
        share = Expression("share", (one.symbol,), one.symbol.shape, now)
        return replace(one, symbol=share, asked=False)
    return one


def indices(loop: Loop, label: str, outer: str) -> tuple[str, str, str, str]:
    """Name the steps of a loop: this one, the one before, before the first, the last."""
    lead = f"{outer}," if outer else ""
    first, end = loop.first - 1, loop.first + loop.count - 1
    if loop.backwards:
        first, end = loop.first + loop.count, loop.first
    before = f"{label}+1" if loop.backwards else f"{label}-1"
    return f"{lead}{label}", f"{lead}{before}", f"{lead}{first}", f"{lead}{end}"


def symbol_of(node: Node, symbols: Mapping[Node, Expression]) -> Expression:
    """Return the symbol of what a loop reads; what is known when compiling is a formula."""
    return symbols[node] if node in symbols else write_formula(node, symbols)
