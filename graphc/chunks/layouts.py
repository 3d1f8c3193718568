"""The proof: how each node of a graph lies over an axis, found in one walk, arguments first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from graphc.ad.positions import Apart
from graphc.chunks.layout import (
    COUNT,
    FINISHED,
    LINEAR,
    WHOLE,
    Layout,
    Merged,
    Mixed,
    Rows,
    Whole,
)
from graphc.chunks.nodes import has, is_zero, layout_of
from graphc.chunks.operations import ONE_BY_ONE
from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.loop import LOOP, RESULT, STEPS, Loop, body, limit, loop_arguments, loop_of
from graphc.ir.order import topological

Found = dict[Node, Layout]


def layouts(
    results: Iterable[Node], axis: Dim, start: Mapping[Node, Layout] | None = None
) -> Mapping[Node, Layout]:
    """Map every node that the results reach to how it lies over an axis; `start` is known already.

    Where a chunk has some of the rows, in their order, each node of the graph that it computes of
    them is: the same as of all (`Whole`); those rows of it (`Rows`); or its own statistic, which is
    merged with those of others (`Merged`). The rest is computed of these once they are merged
    (`Finished`), or not of chunks in one pass (`Mixed`). In the body of a loop that holds in every
    step.
    """
    found: Found = dict(start or {})
    _walk(results, axis, found, (), {})
    return found


def _walk(
    results: Iterable[Node],
    axis: Dim,
    found: Found,
    given: Collection[Node],
    ends: dict[Node, list[Layout]],
) -> None:
    """Add what the results reach beyond what is given; `ends` are those of loops, by number."""
    for node in topological(results, {*given, *found}):
        if node in found:
            continue
        if node.op is LOOP:
            ends[node] = _ends(node, axis, found)
            found[node] = _worst(ends[node])
        elif node.op is RESULT:
            number = node.attrs["number"]
            found[node] = WHOLE if number == STEPS else ends[node.args[0]][number]
            if number == STEPS and isinstance(found[node.args[0]], Mixed):
                found[node] = found[node.args[0]]
        else:
            found[node] = layout_of(node, [found[arg] for arg in node.args], axis)


def _worst(lies: Iterable[Layout]) -> Layout:
    """Return that a loop mixes, if something that it ends with does."""
    return next((lie for lie in lies if isinstance(lie, Mixed)), WHOLE)


# ---- loops -------------------------------------------------------------------------------------


def _ends(node: Node, axis: Dim, found: Found) -> list[Layout]:
    """Return how each value lies that a loop ends with: what is carried lies so in every step."""
    loop = loop_of(node)
    initials, sources, outer = loop_arguments(node)
    steps = limit(node)
    results = len(loop.results)
    before = [found[arg] for arg in node.args]
    mixed = next((lie for lie in before if isinstance(lie, Mixed)), None)
    if mixed is not None:
        return [mixed] * results
    known = {captured: found[captured] for captured in outer}
    counted = axis.symbols & (loop.first.symbols | loop.count.symbols)
    inside_has = any(has(one, axis) for one in body(loop))
    if not (counted or inside_has or any(isinstance(lie, Rows) for lie in before)):
        return [WHOLE if all(lie == WHOLE for lie in before) else FINISHED] * results
    if steps is not None and found[steps] != WHOLE:
        return [_of_loop(node, "how many steps there are depends on the rows")] * results
    along = False
    for element, source in zip(loop.elements, sources, strict=True):
        lie = found[source]
        if isinstance(lie, Rows):
            if lie.place.axis == element.axis:
                along, lie = True, WHOLE
            else:
                place = lie.place
                lie = Rows(place.at(place.axis - (place.axis > element.axis)), lie.weight)
        known[element.node] = lie
    if along or counted:
        return _along_the_rows(node, loop, known)
    carried = dict(zip(loop.carried, (found[one] for one in initials), strict=True))
    free = {one for one, initial in zip(loop.carried, initials, strict=True) if is_zero(initial)}
    while True:
        inside: Found = {**known, **carried}
        _walk(loop.roots, axis, inside, (), {})
        after = {
            one: _joined(node, carried[one], inside[following], one in free)
            for one, following in zip(loop.carried, loop.nexts, strict=True)
        }
        if after == carried:
            break
        carried = after
    if loop.until is not None and inside[loop.until] != WHOLE:
        lie = inside[loop.until]
        why = "in which step it ends depends on the rows"
        return [lie if isinstance(lie, Mixed) else _of_loop(node, why)] * results
    collected = [inside[one] for one in loop.collected]
    return [
        *(_ended(node, carried[one]) for one in loop.carried),
        *(_ended(node, _behind(lie)) for lie in collected),
    ]


def _along_the_rows(node: Node, loop: Loop, known: Mapping[Node, Layout]) -> list[Layout]:
    """Return the ends of a loop that goes from row to row: each by itself if nothing is carried."""
    others = any(lie != WHOLE for lie in known.values())
    if loop.carried or loop.until is not None or others or loop.backwards:
        return [_of_loop(node, "the loop goes from row to row")] * len(loop.results)
    return [Rows(Apart(0))] * len(loop.results)


def _joined(node: Node, before: Layout, after: Layout, zero: bool) -> Layout:
    """Return how a carried value lies that lies so before a step, and so after it."""
    if before == after or isinstance(before, Mixed):
        return before
    if isinstance(after, Mixed):
        if zero and isinstance(before, Rows) and before.weight is None:
            return Rows(before.place, COUNT)  # zeros may be divided by whatever the rest is
        return after
    if zero and after == FINISHED and before in SUMS:
        return SUMS[before]  # if it is a sum that begins with nothing, the next step shows it
    if before == WHOLE and (zero or after == Merged("averaged")):
        return after
    rows = isinstance(before, Rows) and isinstance(after, Rows) and before.place == after.place
    if rows and zero:
        return after
    if before == WHOLE and (isinstance(after, Merged) or after == FINISHED):
        fix = "let the loop start from 0.0, and add what it starts from behind it"
        return Mixed(node, "the loop adds the rows to what it starts from", fix)
    return _of_loop(node, "a step reads what all rows have made in the one before")


SUMS: Mapping[Layout, Layout] = {
    WHOLE: Merged("summed"),
    Merged("summed"): Merged("averaged"),
}
"""What a value that begins with zeros is tried as next, where it is not as it was tried before."""


def _ended(node: Node, lie: Layout) -> Layout:
    """Return how a result lies; what is to be finished would have to be so in every step."""
    plain = isinstance(lie, Rows | Whole | Mixed)
    if plain or (isinstance(lie, Merged) and lie.merge in LINEAR):
        return lie
    return _of_loop(node, "a step reads what all rows make together")


def _behind(lie: Layout) -> Layout:
    """Move the rows of an item behind the axis of the steps."""
    return Rows(lie.place.at(lie.place.axis + 1), lie.weight) if isinstance(lie, Rows) else lie


def _of_loop(node: Node, why: str) -> Mixed:
    return Mixed(node, f"{why} (the loop over {loop_of(node).index})", ONE_BY_ONE)
