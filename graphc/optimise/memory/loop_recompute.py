"""Loops that save less: their readers compute the rest again, step by step."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from graphc.ir.graph import Graph, Node, arguments_first, stamped, with_args
from graphc.ir.loop import Element, bound, limit, loop_arguments, loop_of, make_loop, result
from graphc.ir.rebuild import map_adjoints, rebuild
from graphc.ir.verify import verified
from graphc.optimise.memory.loop_residuals import (
    Replacement,
    Saved,
    copy_for,
    name_of,
    replace_loop,
)
from graphc.records import replace


@verified
def save_only(graph: Graph, saved: Saved, kept: Collection[Node]) -> Graph:
    """Save only the kept items and what the others are computed from; readers recompute those.

    A reader computes the others again in its step: from what is kept, from the values carried
    into the step, which are saved for it, and from what the loop itself reads.
    """
    node, loop = saved.node, saved.loop
    initials, sources, outer = loop_arguments(node)
    others = [item for item in saved.items if item not in kept]
    stacks = items_to_save(saved, kept)
    with stamped(node.origin, node.place):
        collected = (*saved.others, *stacks)
        made = make_loop(replace(loop, collected=collected), initials, sources, limit(node))
        numbers = {item: len(loop.carried) + number for number, item in enumerate(collected)}
        ends = {
            number: result(made, number if number < len(loop.carried) else numbers[item])
            for number, item in enumerate(loop.results)
            if number < len(loop.carried) or item in saved.others
        }

    def reading(reader: Node, new: Mapping[Node, Node]) -> Replacement:
        inner = loop_of(reader)
        starts, taken, captured = loop_arguments(reader)
        read = {item: bound(name_of(item), item.type) for item in stacks}
        again = copy_for([*others, *stacks], reader, {**{n: n for n in outer}, **read})
        pairs = list(zip(inner.elements, taken, strict=True))
        items = {e.node: again[item] for e, s in pairs if (item := saved.item(s)) is not None}
        moved = rebuild(inner.roots, with_args, {**{n: new[n] for n in captured}, **items})
        elements = dict(zip(loop.elements, sources, strict=True))
        elements |= {e: new[source] for e, source in pairs if e.node not in items}
        elements |= {Element(one, 0, of): result(made, numbers[of]) for of, one in read.items()}
        step = replace(
            inner.map_roots(moved),
            elements=tuple(elements),
            adjoints=map_adjoints(inner.adjoints, moved),
        )
        begun = [new[n] for n in starts]
        loop_again = make_loop(step, begun, list(elements.values()), limit(reader))
        results = {number: result(loop_again, number) for number in range(len(inner.results))}
        return Replacement(results, {**again, **moved})

    return replace_loop(graph, saved, Replacement(ends), reading)


def items_to_save(saved: Saved, kept: Collection[Node]) -> tuple[Node, ...]:
    """List what is saved where only these items are kept: with them what the others need."""
    _, _, outer = loop_arguments(saved.node)
    others = [item for item in saved.items if item not in kept]
    reached = arguments_first(others, {*kept, *outer})
    needed = [node for node in reached if node in saved.loop.carried]
    return tuple(dict.fromkeys((*(item for item in saved.items if item in kept), *needed)))
