"""Storage: the owners of a value's memory, through views and what loops hand on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from graphc.ir.graph import Node, Op
from graphc.ir.items import choose_all
from graphc.ir.loop import RESULT, body, loop_arguments, loop_of, result
from graphc.ir.memo import memoised
from graphc.ir.results import BLOCKS, ResultKey
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.shape.shaping import (
    broadcast_to,
    expand,
    full_array,
    in_rows,
    index,
    leading,
    reshape,
    transpose,
)

WHOLE_VIEWS = (reshape, expand, leading)  # all of an array, or nearly, in its own order
ANY_ORDER = (*WHOLE_VIEWS, transpose)

COPIED = (transpose, broadcast_to)
"""What a reshape makes a copy of: elements that do not lie row by row."""

Owners = frozenset[Node]
"""Nodes that may have made the memory that a value lies in."""


def seen_in(node: Node) -> Node | None:
    """Return the argument whose memory a node is a view of; None where it is a copy."""
    if node.op.view_of is None or node.op is in_rows:
        return None
    argument = node.args[node.op.view_of]
    return None if node.op is reshape and argument.op in COPIED else argument


def holder(node: Node) -> Node:
    """Return the node that made the memory of a value, seen through views."""
    while (argument := seen_in(node)) is not None:
        node = argument
    return node


def owners(node: Node, known: dict[Node, Owners]) -> Owners:
    """Return the nodes whose memory a value may lie in, itself among them where it may be its own.

    Numbers have none, a view of one is an array. `known` is filled with what is found on the way.
    """
    pending = [node]
    while pending:
        one = pending[-1]
        if one in known:
            pending.pop()
            continue
        below = _memory_sources(one)
        missing = [n for n in below if n not in known]
        if missing:
            pending += missing
            continue
        known[one] = frozenset({one} if _has_own(one) else ()).union(*(known[n] for n in below))
        pending.pop()
    return known[node]


def _has_own(node: Node) -> bool:
    """True if a value may have memory that no other value has made."""
    if node.op.view_of is None or node.op is in_rows:
        return bool(node.rank)
    return bool(node.rank) and not node.args[node.op.view_of].rank


def owners_of_all(nodes: Iterable[Node]) -> Owners:
    """Return the nodes whose memory one of these values may lie in."""
    known: dict[Node, Owners] = {}
    return frozenset[Node]().union(*(owners(node, known) for node in nodes))


def _memory_sources(node: Node) -> Collection[Node]:
    """Return the nodes whose memory a node may be a view of, or be handed on."""
    if node.op.view_of is not None:
        return [node.args[node.op.view_of]]
    if node.op is RESULT and 0 <= node.attrs["number"] < len(loop_of(node.args[0]).carried):
        number: int = node.attrs["number"]
        return _carried_owners(node.args[0])[number]
    return ()


@memoised
def _carried_owners(node: Node) -> tuple[Owners, ...]:
    """Return by carried value of a loop the nodes outside whose memory it may end in.

    That is what it starts from, where a step may hand that on or add to it, or none may be taken;
    a source of elements; what the body captures; and a stack, where an item is computed in its
    place.
    """
    loop = loop_of(node)
    initials, sources, captured = loop_arguments(node)
    count, inside = len(loop.carried), set(body(loop))
    outer: dict[Node, set[Node]] = {}
    for element, source in zip(loop.elements, sources, strict=True):
        outer[element.node] = {source}
    for number, item in enumerate(loop.collected, count):
        if item in inside:  # others are copied
            outer.setdefault(item, set()).add(result(node, number))
    # Whose memory the captured ones lie in is for who asks: a view may have an array of its own.
    known = {one: frozenset({one}) for one in captured}
    read = [
        owners(following, known) | (frozenset({carried}) if grows(carried, following) else Owners())
        for carried, following in loop.follow.items()
    ]
    held = {c: frozenset({initial}) for c, initial in zip(loop.carried, initials, strict=True)}
    while True:
        ends = []
        for roots in read:
            found: set[Node] = set()
            for root in roots:
                found |= held.get(root) or outer.get(root) or ({root} - inside)
            ends.append(frozenset(found))
        after = {c: held[c] | end for c, end in zip(loop.carried, ends, strict=True)}
        if after == held:
            break
        held = after
    return tuple(ends) if (loop.count.constant or 0) > 0 else tuple(held.values())


def grows(carried: Node, following: Node) -> bool:
    """True if a step only adds to a carried value, which may be done in its place."""
    return following.op is accumulate and following.args[0] is carried


def is_new(node: Node, views: Collection[Op]) -> bool:
    """True if the memory of a value is made by the computation itself, and all of it the value's.

    It may be seen through these `views`; what is handed on by a loop has to be new as well.
    """
    pending = [node]
    while pending:
        one = pending.pop()
        while one.op in views:
            one = one.args[0]
        if one.op is RESULT:
            loop = loop_of(one.args[0])
            number = one.attrs["number"]
            if 0 <= number < len(loop.carried):
                pending.append(loop.nexts[number])
                if not (loop.count.constant or 0) > 0:
                    pending.append(one.args[0].args[number])
        elif one.op is not full_array and (one.op.view_of is not None or not one.args):
            return False
    return True


def results_to_copy(
    results: Mapping[ResultKey, Node], taken: Iterable[Node] = ()
) -> set[ResultKey]:
    """Choose the results to copy: none has memory of inputs, `taken` nodes or earlier results.

    Views of all of an array that nobody else has are returned as they are; blocks of Jacobians and
    Hessians also where their axes have changed places; and items of an array all of which are
    results.
    """
    known: dict[Node, Owners] = {}
    seen = {owner for node in taken for owner in owners(node, known)}
    items = _items_of_all(results.values())
    opened: set[Node] = set()  # arrays whose items are handed out
    found: set[ResultKey] = set()
    for key, node in results.items():
        mine = owners(node, known)
        views = ANY_ORDER if key.kind in BLOCKS else WHOLE_VIEWS
        whole = items.pop(node, None)  # an item that comes again is copied
        if node.rank and (whole is None or whole not in opened):
            given = node if whole is None else whole
            if not (is_new(given, views) and seen.isdisjoint(mine)):
                found.add(key)
            elif whole is not None:
                opened.add(whole)
        seen |= mine if node.rank else set()
    return found


def _items_of_all(results: Iterable[Node]) -> dict[Node, Node]:
    """Map the items of arrays all of whose items are results to these arrays."""
    items: dict[Node, dict[int, Node]] = {}
    for node in results:
        if node.op is index:
            (whole,) = node.args
            (kind, position), *rest = node.attrs["items"]
            number = position.constant if kind == "at" else None
            if number is not None and choose_all(rest, whole.shape[1:]):
                items.setdefault(whole, {})[number] = node
    return {
        node: whole
        for whole, numbered in items.items()
        if len(numbered) == whole.shape[0].constant
        for node in numbered.values()
    }
