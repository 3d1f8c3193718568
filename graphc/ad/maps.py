"""Loops that are maps: steps that read no other step, taken side by side along one axis."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping

from graphc.ad.batch import batch
from graphc.ir.facts import linear_in
from graphc.ir.graph import DIM, Node, arguments_first, stamped, with_args
from graphc.ir.loop import (
    LOOP,
    RESULT,
    RULED,
    Loop,
    body,
    everywhere,
    loop_arguments,
    loop_of,
    loop_on,
    mentions,
    result,
)
from graphc.ops.define.batching import first
from graphc.ops.shape.shaping import arange, broadcast_to
from graphc.records import replace

Chosen = Callable[[Node], bool]
Stacked = MutableMapping[Node, Node]


def vectorise_maps(
    results: Iterable[Node], chosen: Chosen, wrt: Collection[Node] = ()
) -> tuple[dict[Node, Node], Stacked]:
    """Vectorise the maps that results reach: loops that carry nothing, such as are chosen.

    So a position of the axis that they run along is a position of arrays, as everywhere else.
    What is derived by stays what it is. Beside what takes the place of nodes there is what a step
    computed, for all steps.
    """
    stacked: dict[Node, Node] = {}
    return _vectorise(results, {node: node for node in wrt}, chosen, stacked), stacked


def _vectorise(
    results: Iterable[Node], known: Mapping[Node, Node], chosen: Chosen, stacked: Stacked
) -> dict[Node, Node]:
    new = dict(known)
    stacks: dict[Node, list[Node]] = {}
    for node in arguments_first(results, new):
        with stamped(node.origin, node.place):
            if node.op is LOOP:
                loop, moved = _with_body(node, new, chosen, stacked)
                found = _all_steps(node, loop, new) if chosen(node) else None
                if found is None:
                    new.update(moved)
                    new[node] = loop_on(node, loop, new)
                else:
                    stacks[node] = _collected(loop, found)
                    stacked.update((n, found[one]) for n, one in moved.items() if one in found)
            elif node.op is RESULT and node.args[0] in stacks:
                new[node] = stacks[node.args[0]][node.attrs["number"]]
            elif node.op is RESULT:
                new[node] = result(new[node.args[0]], node.attrs["number"])
            else:
                new[node] = with_args(node, tuple(new[arg] for arg in node.args))
    return new


def _with_body(
    node: Node, new: Mapping[Node, Node], chosen: Chosen, stacked: Stacked
) -> tuple[Loop, Mapping[Node, Node]]:
    """Return the loop of a node on new arguments, with the maps in its body vectorised."""
    loop = loop_of(node)
    _, _, outer = loop_arguments(node)
    inside = {n: n for n in loop.bound} | {n: new[n] for n in outer}
    moved = _vectorise(loop.roots, inside, chosen, stacked)
    return replace(loop.map_roots(moved), adjoints=()), moved


def _all_steps(node: Node, loop: Loop, new: Mapping[Node, Node]) -> dict[Node, Node] | None:
    """Compute what a loop collects for all steps at once; None where it is no such map.

    The derivatives that a user states are of one step, and stay in it.
    """
    inside = body(loop)
    if loop.carried or loop.until is not None:
        return None
    if any(below.op is RULED for below in everywhere(loop.collected)):
        return None
    _, sources, _ = loop_arguments(node)
    leading = {
        element.node: first(new[source], element.axis)
        for element, source in zip(loop.elements, sources, strict=True)
    }
    for one in inside:
        linear = linear_in(one.attrs["value"], loop.index) if one.op is DIM else None
        if linear is not None:
            factor, offset = linear
            leading[one] = arange(n=loop.count) * factor + (offset + loop.first * factor)
        elif mentions(one, loop.index) or (one.op not in (LOOP, RESULT) and one.op.batch is None):
            return None
    return batch(loop.collected, leading, loop.count)


def _collected(loop: Loop, found: Mapping[Node, Node]) -> list[Node]:
    """List the stacks of what a loop collects, of what is the same in all steps, too."""
    count = loop.count
    return [found.get(n) or broadcast_to(n, shape=(count, *n.shape)) for n in loop.collected]
