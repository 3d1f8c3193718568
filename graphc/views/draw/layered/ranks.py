"""Ranks of a region: units on the even ones, edges with their labels on all between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from graphc.records import dataclass, field
from graphc.views.draw.layered.regions import Region, Unit

Size = tuple[float, float]


@dataclass(slots=True, eq=False)
class Item:
    """A unit, a port of the border, or what is kept free for an edge on its way.

    `above` and `below` are the pieces that meet it, each with the other end; `tops` and `bottoms`
    is where they do, from the middle of the item, `fixed` for a group. `x` is its middle.
    """

    rank: int
    width: float
    height: float
    unit: Unit = ""
    above: list[tuple[int, Item]] = field(default_factory=list)
    below: list[tuple[int, Item]] = field(default_factory=list)
    tops: dict[int, float] = field(default_factory=dict)
    bottoms: dict[int, float] = field(default_factory=dict)
    fixed: bool = False
    label: bool = False
    title: bool = False
    x: float = 0.0


@dataclass(slots=True)
class Ranks:
    """The items of a region rank by rank, and the way of each piece of an edge through them."""

    rows: list[list[Item]]
    units: dict[Unit, Item]
    ways: dict[int, list[Item]]


def ranked(
    region: Region,
    sizes: Mapping[Unit, Size],
    ports: Mapping[Unit, tuple[Mapping[int, float], Mapping[int, float]]],
    labels: Mapping[int, Size],
    title: Size | None,
) -> Ranks:
    """Put the units of a region on ranks, and lead its edges from rank to rank.

    `ports` has where edges meet a unit that is a group, by their number, above and below. The
    `title` stands on the first rank, to the left of what enters.
    """
    layers = _layers(region)
    first = 1 if region.entering or title is not None else 0
    last = max(layers.values(), default=0) + first + (1 if region.leaving else 0)
    units = {}
    rows: list[list[Item]] = [[] for _ in range(2 * last + 1)]
    if title is not None:
        rows[0].append(Item(0, *title, title=True))
    for unit in region.units:
        wide, high = sizes[unit]
        item = Item(2 * (layers[unit] + first), wide, high, unit)
        if unit in ports:
            item.tops.update(ports[unit][0])
            item.bottoms.update(ports[unit][1])
            item.fixed = True
        units[unit] = item
        rows[item.rank].append(item)
    ways: dict[int, list[Item]] = {}
    pieces = [
        *((number, None, units[head]) for number, head in region.entering.items()),
        *((number, units[tail], units[head]) for number, (tail, head) in region.inner.items()),
        *((number, units[tail], None) for number, tail in region.leaving.items()),
    ]
    for number, tail, head in pieces:
        start = tail or Item(0, 2, 0)
        end = head or Item(2 * last, 2, 0)
        way = [start, *(Item(rank, 2, 0) for rank in range(start.rank + 1, end.rank)), end]
        if number in labels and tail is not None and head is not None:
            way[1].width, way[1].height = labels[number]
            way[1].label = True
        for item in way:
            if item is not tail and item is not head:
                rows[item.rank].append(item)
        for upper, lower in pairwise(way):
            upper.below.append((number, lower))
            lower.above.append((number, upper))
        ways[number] = way
    return Ranks(rows, units, ways)


def _layers(region: Region) -> dict[Unit, int]:
    """Put each unit below all that it is made of; what is made of nothing, just above a reader."""
    above: dict[Unit, list[Unit]] = {unit: [] for unit in region.units}
    below: dict[Unit, list[Unit]] = {unit: [] for unit in region.units}
    for tail, head in region.inner.values():
        above[head].append(tail)
        below[tail].append(head)
    layers: dict[Unit, int] = {}
    for unit in _in_order(region.units, above, below):
        layers[unit] = max((layers[one] + 1 for one in above[unit]), default=0)
    returning = {head for _, head in region.back.values()}
    for unit in region.units:
        if not above[unit] and below[unit] and unit not in returning:
            layers[unit] = min(layers[one] for one in below[unit]) - 1
    return layers


def _in_order(
    units: Iterable[Unit],
    above: Mapping[Unit, Sequence[Unit]],
    below: Mapping[Unit, Sequence[Unit]],
) -> list[Unit]:
    """Return the units, each behind all that it is made of."""
    missing = {unit: len(above[unit]) for unit in units}
    found = [unit for unit in units if not missing[unit]]
    for unit in found:
        for one in below[unit]:
            missing[one] -= 1
            if not missing[one]:
                found.append(one)
    return found
