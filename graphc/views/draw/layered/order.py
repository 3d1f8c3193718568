"""The order of items in their ranks: by barycentres, down and up, for few crossings."""

from __future__ import annotations

from bisect import bisect, insort
from itertools import pairwise

from graphc.views.draw.layered.ranks import Item, Ranks

ROUNDS = 8


def put_in_order(ranks: Ranks) -> None:
    """Order each rank so that few edges cross; the best of several rounds is kept."""
    rows = ranks.rows
    best, fewest = [list(row) for row in rows], crossings(rows)
    place = {id(item): float(number) for row in rows for number, item in enumerate(row)}
    for turn in range(ROUNDS):
        down = turn % 2 == 0
        for row in rows if down else reversed(rows):
            row[:] = _by_centres(row, down, place)
            place.update((id(item), number) for number, item in enumerate(row))
        now = crossings(rows)
        if now < fewest:
            best, fewest = [list(row) for row in rows], now
    for row, kept in zip(rows, best, strict=True):
        row[:] = kept


def _by_centres(row: list[Item], down: bool, place: dict[int, float]) -> list[Item]:
    """Sort a rank by what its items meet; a title stands first."""
    centres = {id(item): -1.0 if item.title else _centre(item, down, place) for item in row}
    return sorted(row, key=lambda item: centres[id(item)])


def _centre(item: Item, down: bool, place: dict[int, float]) -> float:
    """Return the mean place of what an item meets above or below; its own where that is nothing."""
    met = item.above if down else item.below
    if not met:
        return place[id(item)]
    return sum(place[id(other)] + _along(other, number, not down) for number, other in met) / len(
        met
    )


def _along(item: Item, number: int, top: bool) -> float:
    """Return where on a group an edge meets it, as a part of a place."""
    ports = item.tops if top else item.bottoms
    return ports[number] / (item.width + 1) if item.fixed and number in ports else 0.0


def crossings(rows: list[list[Item]]) -> int:
    """Count the pairs of edges that cross between neighbouring ranks."""
    total = 0
    for upper, lower in pairwise(rows):
        place = {id(item): number for number, item in enumerate(lower)}
        ends = [
            sorted(place[id(other)] + _along(other, number, True) for number, other in item.below)
            for item in upper
        ]
        seen: list[float] = []
        for many in ends:
            total += sum(len(seen) - bisect(seen, end) for end in many)
            for end in many:
                insort(seen, end)
    return total
