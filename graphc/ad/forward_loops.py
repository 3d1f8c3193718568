"""Forward mode through a loop: the same loop, which carries tangents beside its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphc.ir.graph import Node
from graphc.ir.loop import BOUND, Element, bound, limit, loop_arguments, loop_of, make_loop, result
from graphc.ops.shape.shaping import filled
from graphc.records import replace

Pushforward = Callable[..., dict[Node, Node]]


def push_loop(
    node: Node,
    tangents: Mapping[Node, Node],
    moving: dict[Node, Node],
    pushforward: Pushforward,
) -> list[Node | None]:
    """Return the tangents of a loop's results (by number) from those of its arguments.

    With G the tangent of the carried values, each step does G = ∂step/∂carried · G + … beside its
    own work. The loop that does both takes the place of the loop itself (`merge_loops`).
    """
    loop = loop_of(node)
    initials, sources, outer = loop_arguments(node)

    def tangent_of(n: Node) -> Node:
        if n not in moving:
            moving[n] = bound(f"t_{n.attrs['name']}", n.type)
        return moving[n]

    elements = {
        e.node: Element(tangent_of(e.node), e.axis)
        for e, source in zip(loop.elements, sources, strict=True)
        if source in tangents
    }
    captured = {n: tangents[n] for n in outer if n in tangents}
    carried = {
        c: tangent_of(c)
        for c, initial in zip(loop.carried, initials, strict=True)
        if initial in tangents
    }
    while True:  # what a step makes depend on the seeds carries a tangent from the start
        seeds = {n: e.node for n, e in elements.items()} | captured | carried
        moved = pushforward(seeds, loop.results, {*outer, *loop.bound}, moving)
        more = {
            c: tangent_of(c)
            for c, following in zip(loop.carried, loop.nexts, strict=True)
            if following in moved and c not in carried
        }
        if not more:
            break
        carried |= more

    moving |= {of: tangent for of, tangent in moved.items() if of.op is not BOUND}

    def found(of: Node) -> Node:
        return moved[of] if of in moved else filled(0.0, of.shape)

    both = [(c, f, i) for c, f, i in zip(loop.carried, loop.nexts, initials, strict=True)]
    both = [(c, following, initial) for c, following, initial in both if c in carried]
    stacked = [item for item in loop.collected if item in moved]
    beside = replace(
        loop,
        carried=(*loop.carried, *(carried[c] for c, _, _ in both)),
        elements=(*loop.elements, *elements.values()),
        nexts=(*loop.nexts, *(found(following) for _, following, _ in both)),
        collected=tuple(moved[item] for item in stacked),
        adjoints=loop.adjoints,
    )
    starts = [tangents.get(initial) or filled(0.0, initial.shape) for _, _, initial in both]
    more_sources = [tangents[s] for s in sources if s in tangents]
    made = make_loop(beside, [*initials, *starts], [*sources, *more_sources], limit(node))
    first = len(loop.carried)
    ends = {c: result(made, first + number) for number, (c, _, _) in enumerate(both)}
    stacks = {
        item: result(made, len(beside.carried) + number) for number, item in enumerate(stacked)
    }
    return [
        *(ends.get(c) for c in loop.carried),
        *(stacks.get(item) for item in loop.collected),
    ]
