"""Statements -> the same statements in an order in which fewer elements are alive at a time.

Three orders are tried, and the one with the lowest peak is taken: as made; from the first, where
that comes next which frees most beyond what it makes; and from the last, where that comes before
which needs least beyond it. Of equals the order of making decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeVar

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.loop import LOOP, RESULT
from graphc.ir.sizes import typical
from graphc.ir.types import Dtype, known_facts
from graphc.plan.program import LoopStep, Step, reached
from graphc.records import dataclass

NEGLIGIBLE = 64
"""A difference below this part of the largest array is none."""
WORTH = 0.97
"""Another order than that of making has to need less than this share of the memory."""

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class _Uses:
    """By step: the steps that it needs, the arrays that it reads and who reads its own, its size.

    An array is the step that made it; what is kept has a reader that never comes.
    """

    needs: Sequence[Sequence[int]]
    arrays: Sequence[Sequence[int]]
    readers: Sequence[Sequence[int]]
    size: Sequence[int]
    kinds: Sequence[tuple[Dtype, Dim]]
    kept: frozenset[int]


def reorder(
    steps: Sequence[S], nodes: Sequence[Node], ends: Iterable[Node], variables: Mapping[Node, str]
) -> list[S]:
    """Order steps, each of which computes a node, such that fewer elements are alive."""
    uses = _uses(nodes, ends, variables)
    best = list(range(len(nodes)))
    least = _peak(best, uses) * WORTH
    for order in (_from_the_first(uses), _from_the_last(uses)):
        peak = _peak(order, uses)
        if peak < least:
            best, least = order, peak
    return [steps[number] for number in best]


def arguments_first(
    steps: Sequence[Step | LoopStep], variables: Mapping[Node, str]
) -> list[Step | LoopStep]:
    """Order steps such that each comes after what it reads, else as they are.

    Of two nodes that became one only one may have had a variable: what read the other, written
    inside a statement, may come before that variable is set.
    """
    made = {step.node: number for number, step in enumerate(steps)}
    needs = []
    for step in steps:
        items = [source for _, source in step.items] if isinstance(step, LoopStep) else []
        needs.append(_needs((*step.node.args, *items), made, variables))
    order: dict[int, None] = {}
    for number in range(len(steps)):
        pending = [number]
        while pending:
            waiting = [one for one in needs[pending[-1]] if one not in order]
            pending += waiting[::-1]
            if not waiting:
                order[pending.pop()] = None
    return [steps[number] for number in order]


def _uses(nodes: Sequence[Node], ends: Iterable[Node], variables: Mapping[Node, str]) -> _Uses:
    made = {node: number for number, node in enumerate(nodes)}
    needs = [_needs(node.args, made, variables) for node in nodes]
    arrays = [_arrays(below, nodes, needs) for below in needs]
    readers: list[list[int]] = [[] for _ in nodes]
    for number, roots in enumerate(arrays):
        for root in roots:
            readers[root].append(number)
    views = [node.op.view_of is not None or node.op is LOOP for node in nodes]
    sizes = [
        0 if view else max(typical(node.type.size), 0)
        for node, view in zip(nodes, views, strict=True)
    ]
    least = max(sizes, default=0) // NEGLIGIBLE + 1
    kept = _arrays(_needs(ends, made, variables), nodes, needs)
    return _Uses(
        needs,
        arrays,
        readers,
        [one // least for one in sizes],
        [(node.type.dtype, known_facts().normal(node.type.size)) for node in nodes],
        frozenset(kept),
    )


def _needs(
    read: Iterable[Node], made: Mapping[Node, int], variables: Mapping[Node, str]
) -> list[int]:
    """List the steps whose values are read, also in what is written inside a statement."""
    sources = (one.args[0] if one.op is RESULT else one for one in reached(read, variables))
    return sorted({made[one] for one in sources if one in made})


def _arrays(
    below: Iterable[int], nodes: Sequence[Node], needs: Sequence[Sequence[int]]
) -> list[int]:
    """List the steps whose arrays these are: in the place of a view what it is of."""
    found: set[int] = set()
    pending = list(below)
    while pending:
        one = pending.pop()
        if nodes[one].op.view_of is None:
            found.add(one)
        else:
            pending += needs[one]
    return sorted(found)


def _peak(order: Sequence[int], uses: _Uses) -> int:
    """Return the elements alive at the peak, where one array takes the place of another like it."""
    left = [len(one) + (n in uses.kept) for n, one in enumerate(uses.readers)]
    alive: Counter[tuple[Dtype, Dim]] = Counter()
    most: dict[tuple[Dtype, Dim], int] = {}
    for number in order:
        kind = uses.kinds[number]
        alive[kind] += uses.size[number]
        most[kind] = max(most.get(kind, 0), alive[kind])
        for root in uses.arrays[number]:
            left[root] -= 1
            alive[uses.kinds[root]] -= 0 if left[root] else uses.size[root]
    return sum(most.values())


def _from_the_first(uses: _Uses) -> list[int]:
    left = [len(one) + (n in uses.kept) for n, one in enumerate(uses.readers)]
    users: list[list[int]] = [[] for _ in uses.needs]
    for number, below in enumerate(uses.needs):
        for one in below:
            users[one].append(number)
    waiting = [len(below) for below in uses.needs]
    freed = [0] * len(waiting)  # by step, how much only it still reads
    for root, several in enumerate(uses.readers):
        for one in several if left[root] == 1 else ():
            freed[one] += uses.size[root]

    def key(number: int) -> tuple[int, int]:
        return uses.size[number] - freed[number], number

    ready = [key(number) for number, count in enumerate(waiting) if not count]
    heapify(ready)
    done = [False] * len(waiting)
    order: list[int] = []
    while ready:
        number = heappop(ready)[1]
        if done[number]:
            continue
        done[number] = True
        order.append(number)
        changed: list[int] = []
        for root in uses.arrays[number]:
            left[root] -= 1
            if left[root] == 1:
                changed += uses.readers[root]
                for one in uses.readers[root]:
                    freed[one] += uses.size[root]
        for user in users[number]:
            waiting[user] -= 1
        for one in (*users[number], *changed):
            if not waiting[one] and not done[one]:
                heappush(ready, key(one))
    return order


def _from_the_last(uses: _Uses) -> list[int]:
    waiting = [0] * len(uses.needs)  # by step, how many that need it are still to come
    for below in uses.needs:
        for one in below:
            waiting[one] += 1
    alive: set[int] = set()
    fresh = [sum(uses.size[root] for root in roots) for roots in uses.arrays]  # not alive yet

    def key(number: int) -> tuple[int, int]:
        return fresh[number] - uses.size[number], -number

    ready = [key(number) for number, count in enumerate(waiting) if not count]
    heapify(ready)
    done = [False] * len(waiting)
    order: list[int] = []
    while ready:
        number = -heappop(ready)[1]
        if done[number]:
            continue
        done[number] = True
        order.append(number)
        new = [root for root in uses.arrays[number] if root not in alive]
        alive.update(new)
        for root in new:
            for one in uses.readers[root]:
                fresh[one] -= uses.size[root]
        for one in uses.needs[number]:
            waiting[one] -= 1
        for one in (*uses.needs[number], *(n for root in new for n in uses.readers[root])):
            if not waiting[one] and not done[one]:
                heappush(ready, key(one))
    return order[::-1]
