"""Edges with as few bends as the room around them allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.views.draw.layered.ranks import Item, Ranks

APART = 8
"""Pixels that an edge keeps from what is beside it."""
JOG = 14
"""Pixels of a bend that is worth a move of where an edge meets a box."""


def straighten(ranks: Ranks) -> None:
    """Move what is kept free for each edge, so that long stretches of it are straight.

    An edge goes straight as long as some place is free in every rank of the stretch; that is the
    fewest bends that there can be while all else stays where it is.
    """
    beside = {id(item): (row, place) for row in ranks.rows for place, item in enumerate(row)}
    for number, way in ranks.ways.items():
        free = [item for item in way if not item.unit]
        start = way[0].x + way[0].bottoms.get(number, 0) if way[0].unit else None
        end = way[-1].x + way[-1].tops.get(number, 0) if way[-1].unit else None
        rooms = [_room(item, number, *beside[id(item)]) for item in free]
        stretches = _stretches(rooms)
        for turn, (first, last, low, high) in enumerate(stretches):
            along = [free[place].x + _offset(free[place], number) for place in range(first, last)]
            x = _chosen(
                sum(along) / len(along),
                low,
                high,
                start if not turn else None,
                end if turn == len(stretches) - 1 else None,
            )
            for item in free[first:last]:
                item.x = x - _offset(item, number)


def _offset(item: Item, number: int) -> float:
    """Return where an edge passes an item, from its middle."""
    return item.tops.get(number, 0.0)


def _room(item: Item, number: int, row: Sequence[Item], place: int) -> tuple[float, float]:
    """Return how far to the left and right an edge can pass, if nothing else moves."""
    low, high = float("-inf"), float("inf")
    if place:
        other = row[place - 1]
        low = other.x + (other.width + item.width) / 2 + APART
    if place + 1 < len(row):
        other = row[place + 1]
        high = other.x - (other.width + item.width) / 2 - APART
    if low > high:
        low = high = item.x
    return low + _offset(item, number), high + _offset(item, number)


def _stretches(rooms: Sequence[tuple[float, float]]) -> list[tuple[int, int, float, float]]:
    """Return stretches, each as long as its rooms have a place in common, which is given."""
    found: list[tuple[int, int, float, float]] = []
    for place, (low, high) in enumerate(rooms):
        if found:
            first, _, lowest, highest = found[-1]
            both = max(low, lowest), min(high, highest)
            if both[0] <= both[1]:
                found[-1] = first, place + 1, *both
                continue
        found.append((place, place + 1, low, high))
    return found


def _chosen(mean: float, low: float, high: float, start: float | None, end: float | None) -> float:
    """Return where a stretch goes: below its start, or above its end, or near where it was."""
    for wanted in (start, end):
        if wanted is not None and low <= wanted <= high:
            return wanted
    return min(max(mean, low), high)


def plumb(ranks: Ranks) -> None:
    """Move where edges meet boxes, a little, so that they need not bend."""
    for item in ranks.units.values():
        if not item.fixed:
            above = {n: other.x + other.bottoms.get(n, 0.0) for n, other in item.above}
            below = {n: other.x + other.tops.get(n, 0.0) for n, other in item.below}
            _hang(item, item.tops, above)
            _hang(item, item.bottoms, below)


def _hang(item: Item, ports: dict[int, float], wanted: Mapping[int, float]) -> None:
    """Move the ports of one side to what is wanted, in their order, where there is room."""
    order = sorted(ports, key=ports.__getitem__)
    widest = item.width / 2 - APART
    for place, number in enumerate(order):
        if number not in wanted:
            continue
        there = wanted[number] - item.x
        low = ports[order[place - 1]] + APART if place else -widest
        high = ports[order[place + 1]] - APART if place + 1 < len(order) else widest
        if abs(there - ports[number]) <= JOG and low <= there <= high:
            ports[number] = there
