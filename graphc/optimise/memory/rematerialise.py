"""Rematerialisation: values computed again where they are read later, so as not to keep them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import accumulate as running

from graphc.ir.graph import Graph, Node, arguments_first, intern, stamped, with_args
from graphc.ir.loop import LOOP, RESULT
from graphc.ir.rebuild import map_adjoints, rebuild
from graphc.ir.verify import verified
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.storage import holder, seen_in
from graphc.optimise.memory.estimate import Liveness, Sizes
from graphc.records import replace

SOON = 8
"""So many statements after the place what is read there is kept."""

Allowed = Callable[[Node], bool]
"""Which operations may be computed a second time."""


def cheap(node: Node) -> bool:
    """True for a node that takes a few operations for each of its elements."""
    return node.op.structure in ("elementwise", "constant") or node.op is accumulate


def anything(node: Node) -> bool:
    """True for any operation."""
    return True


def droppable(
    live: Liveness, place: int, sizes: Sizes, allowed: Allowed, run: int, until: int
) -> tuple[list[Node], set[Node]]:
    """Choose what to compute again of what is alive before a place in the order and after it.

    What comes before the place is cut into segments that keep about `run` bytes alive; of these
    only what the next segment reads is kept (Chen et al. 2016, "Training deep nets with sublinear
    memory cost", for any graph), the rest is computed from that. Nothing is dropped that is made
    from `until` on, that the statement at the place reads, or that is read soon. Gives the
    dropped, and what is kept to compute them from.
    """
    across = {one.node for one in live.across(place)}
    held = {*map(holder, live.order[place].args), *_read_soon(live, place)}
    free = [node in across and node not in held for node in live.order[:place]]
    kept = _boundaries(live, place, sizes, free, run)
    again: dict[Node, bool] = {}  # is it there, or can it be computed again?
    dropped: list[Node] = []
    for number, node in enumerate(live.order[:place]):
        possible = all(again[arg] for arg in node.args)
        if not node.args or node.static or node in kept:
            again[node] = True
        elif node.op in (LOOP, RESULT):
            again[node] = node in across
        elif seen_in(node) is not None:
            again[node] = possible
        elif free[number] and number < until and possible and allowed(node):
            again[node] = True
            dropped.append(node)
        else:
            again[node] = node in across or (possible and allowed(node))
    return dropped, kept


def _boundaries(
    live: Liveness, place: int, sizes: Sizes, free: Sequence[bool], run: int
) -> set[Node]:
    """Choose what segments read of those before them, where they are cut best.

    A cut is looked for in the second half of a segment, where the next ones read least.
    """
    order = live.order[:place]
    number = {node: n for n, node in enumerate(order)}
    last = {node: n for node, n in number.items() if node.args}
    for user in order:
        for whole in map(holder, user.args):
            if whole in last:
                last[whole] = max(last[whole], number[user])
    change = [0] * (place + 1)
    for node, end in last.items():
        change[number[node]] += sizes.of(node)
        change[end] -= sizes.of(node)
    widths = list(running(change))
    cuts: list[int] = []
    since, half = 0, 0
    for n, node in enumerate(order):
        since += sizes.of(node) if free[n] else 0
        if 2 * since <= run:
            half = n
        if since >= run:
            cut = min(range(half, n + 1), key=lambda at: (widths[at], -at))
            cuts.append(cut)
            since = sum(sizes.of(order[k]) for k in range(cut + 1, n + 1) if free[k])
            half = cut + 1
    kept: set[Node] = set()
    for node, end in last.items():
        if sizes.of(node) and node.op is not LOOP:
            following = bisect_left(cuts, number[node])
            if following < len(cuts) and cuts[following] < end:
                kept.add(node)
    return kept


def _read_soon(live: Liveness, place: int) -> Iterator[Node]:
    """Yield what the statements right after a place read: dropping it would not help."""
    for user in live.order[place + 1 : place + 1 + SOON]:
        yield from map(holder, user.args)


@verified
def rematerialise(
    graph: Graph, live: Liveness, place: int, dropped: Collection[Node], kept: Collection[Node]
) -> Graph:
    """Replace the dropped nodes by equal ones after a place in the order.

    They stand where the first of them is read, and read what is alive or kept.
    """
    across = {one.node for one in live.across(place)}
    before = live.order[: place + 1]
    known = {
        node: node
        for node in before
        if not node.args
        or node.static
        or node.op in (LOOP, RESULT)
        or node in kept
        or node is before[-1]
        or (node in across and node not in dropped)
    }
    earlier = set(before)
    known |= {node: node for node in map(holder, graph.results.values()) if node in earlier}
    names = dict(graph.names)
    for user in live.order[place + 1 :]:
        for arg in user.args:
            if arg not in earlier:
                continue
            for node in arguments_first([arg], known):
                args = tuple(known[one] for one in node.args)
                with stamped(node.origin, user.place):
                    if seen_in(node) is not None:
                        known[node] = with_args(node, args)
                    else:
                        salt = f"{node.salt}@{user.place}"
                        known[node] = intern(node.op, args, node.attrs, node.type, salt)
                if node in names:
                    names.setdefault(known[node], names[node])
    own = {node: node for node in before}
    new = rebuild(graph.results.values(), with_args, {**own, **known})
    after = {**new, **own}
    names |= {after[node]: name for node, name in graph.names.items() if node in after}
    return replace(
        graph,
        results={
            name: node if node in earlier else new[node] for name, node in graph.results.items()
        },
        names=names,
        adjoints=map_adjoints(graph.adjoints, after),
        labels={after.get(node, node): label for node, label in graph.labels.items()},
    )
