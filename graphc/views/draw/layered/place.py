"""Coordinates of a region: items as straight below each other as may be, ranks below ranks."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.records import dataclass
from graphc.views.draw.layered.ranks import Item, Ranks
from graphc.views.draw.layered.regions import Region, Unit
from graphc.views.draw.layered.spread import spread
from graphc.views.draw.layered.straighten import plumb, straighten
from graphc.views.draw.records.layout import Box, Point

ROUNDS = 24
BETWEEN = 16
"""Pixels between items of a rank."""
DOWN = 14
"""Pixels from a rank to the next, where edges turn."""
LANE = 12
"""Pixels between edges that return."""
BESIDE = 6
"""Pixels from an edge to its label."""
FAR = 1e4
"""Pixels, more than any picture has."""
PORT = 14
"""Pixels between edges that meet a box."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A region with its coordinates, from the left and the top of what is in it.

    `ways` are curves by the number of an edge, `labels` the boxes of their labels; `tops` and
    `bottoms` is where edges go through the border.
    """

    width: float
    height: float
    boxes: Mapping[Unit, Box]
    ways: Mapping[int, tuple[Point, ...]]
    labels: Mapping[int, Box]
    tops: Mapping[int, float]
    bottoms: Mapping[int, float]


def place(ranks: Ranks, region: Region) -> Placed:
    """Give each item its place, and each piece of an edge its curve."""
    _meet(ranks, region)
    _align(ranks.rows)
    straighten(ranks)
    left = min((item.x - item.width / 2 for row in ranks.rows for item in row), default=0.0)
    for row in ranks.rows:
        for item in row:
            item.x = round(item.x - left) if not item.title else item.width / 2
    plumb(ranks)
    right = max((item.x + item.width / 2 for row in ranks.rows for item in row), default=0.0)
    bands, bottom = _bands(ranks, region)
    boxes = {
        unit: Box(item.x - item.width / 2, _top(item, bands), item.width, item.height)
        for unit, item in ranks.units.items()
    }
    ways = {number: _curve(number, way, bands, bottom) for number, way in ranks.ways.items()}
    returning, right = _returning(ranks, region, boxes, bands, right)
    labels = {
        number: Box(
            one.x - one.width / 2 + BESIDE, bands[one.rank][0], one.width - BESIDE, one.height
        )
        for number, way in ranks.ways.items()
        for one in way
        if one.label
    }
    tops = {number: ranks.ways[number][0].x for number in region.entering}
    bottoms = {number: ranks.ways[number][-1].x for number in region.leaving}
    return Placed(right, bottom, boxes, ways | returning, labels, tops, bottoms)


# ---- across -------------------------------------------------------------------------------------


def _meet(ranks: Ranks, region: Region) -> None:
    """Spread the edges that meet a box along it, in the order of what they lead to."""
    place = {id(item): number for row in ranks.rows for number, item in enumerate(row)}
    for number, way in ranks.ways.items():
        for item in way:
            if item.label:
                item.tops[number] = item.bottoms[number] = 1 - item.width / 2
    back_tops: dict[Unit, list[int]] = {}
    back_bottoms: dict[Unit, list[int]] = {}
    for number, (tail, head) in region.back.items():
        back_tops.setdefault(head, []).append(number)
        back_bottoms.setdefault(tail, []).append(number)
    for unit, item in ranks.units.items():
        if item.fixed:
            continue
        for met, back, ports in (
            (item.above, back_tops.get(unit, []), item.tops),
            (item.below, back_bottoms.get(unit, []), item.bottoms),
        ):
            numbers = [number for number, other in sorted(met, key=lambda one: place[id(one[1])])]
            numbers += back
            step = min(PORT, (item.width - 12) / max(len(numbers), 1))
            for turn, number in enumerate(numbers):
                ports[number] = round((turn - (len(numbers) - 1) / 2) * step)


def _align(rows: list[list[Item]]) -> None:
    """Move the items of each rank, in their order, to below or above of what they meet."""
    for row in rows:
        middles = spread([0.0] * len(row), [1.0] * len(row), [i.width for i in row], BETWEEN)
        for item, middle in zip(row, middles, strict=True):
            item.x = middle
    for turn in range(ROUNDS):
        down = turn % 2 == 0
        for row in rows if down else reversed(rows):
            wanted, weights = [], []
            for item in row:
                want, weight = _wanted(item)
                wanted.append(want)
                weights.append(weight)
            middles = spread(wanted, weights, [item.width for item in row], BETWEEN)
            for item, middle in zip(row, middles, strict=True):
                item.x = middle


def _wanted(item: Item) -> tuple[float, float]:
    """Return where an item wants to be, by what it meets above and below, and how much.

    By one side alone a small pull would add up from layer to layer.
    """
    total = weight = 0.0
    for number, other in item.above:
        pull = _pull(item, other)
        total += pull * (other.x + other.bottoms.get(number, 0) - item.tops.get(number, 0))
        weight += pull
    for number, other in item.below:
        pull = _pull(item, other)
        total += pull * (other.x + other.tops.get(number, 0) - item.bottoms.get(number, 0))
        weight += pull
    if not weight:  # a title keeps near to what enters to the right of it
        return (item.x + FAR, 1e-9) if item.title else (item.x, 0.01)
    return total / weight, weight


def _pull(item: Item, other: Item) -> float:
    """Return how straight an edge should be: most of all where it passes several ranks."""
    return (1.0, 2.0, 8.0)[(not item.unit) + (not other.unit)]


# ---- down ---------------------------------------------------------------------------------------

Bands = list[tuple[float, float]]
"""By rank where it begins and ends."""


def _bands(ranks: Ranks, region: Region) -> tuple[Bands, float]:
    """Return the bands of the ranks, and where the last one ends."""
    extra = [0] * (len(ranks.rows) + 1)  # lanes above a rank
    for tail, head in region.back.values():
        extra[ranks.units[tail].rank + 1] += 1
        extra[ranks.units[head].rank] += 1
    bands: Bands = []
    y = float(extra[0] * LANE)
    for number, row in enumerate(ranks.rows):
        if number:
            y += _gap(ranks.rows[number - 1], row) + extra[number] * LANE
        height = max((item.height for item in row), default=0.0)
        bands.append((y, y + height))
        y += height
    return bands, y + extra[-1] * LANE


def _gap(row: list[Item], lower: list[Item]) -> float:
    """Return the distance to the rank below: larger where edges go far aside."""
    flat = not any(item.height for item in row) or not any(item.height for item in lower)
    aside = max((abs(item.x - other.x) for item in row for _, other in item.below), default=0.0)
    return (DOWN // 2 if flat else DOWN) + min(26, round(aside / 14))


def _top(item: Item, bands: Bands) -> float:
    """Return the top of an item, which stands in the middle of its band."""
    top, bottom = bands[item.rank]
    return round(top + (bottom - top - item.height) / 2)


def _curve(number: int, way: list[Item], bands: Bands, bottom: float) -> tuple[Point, ...]:
    """Draw an edge: straight down along what is kept free for it, bent between ranks."""
    straight: list[tuple[float, float, float]] = []
    for place, item in enumerate(way):
        top, end = bands[item.rank]
        if item.unit and not place:
            straight.append((item.x + item.bottoms[number], _top(item, bands) + item.height, end))
        elif item.unit:
            straight.append((item.x + item.tops[number], top, _top(item, bands)))
        elif place == len(way) - 1:
            straight.append((item.x, top, bottom))
        else:
            x = item.x + item.tops.get(number, 0.0)
            straight.append((x, top if item.rank else 0.0, end))
    points: list[Point] = [straight[0][:2]]
    for place, (x, top, end) in enumerate(straight):
        if place:
            before, last = points[-1]
            if before == x and len(points) > 1:
                points[-2:] = [(x, end), (x, end)]
                continue
            middle = (last + top) / 2
            points += [(before, middle), (x, middle), (x, top)]
        points += [points[-1], (x, end), (x, end)]
    return tuple(points)


def _returning(
    ranks: Ranks, region: Region, boxes: Mapping[Unit, Box], bands: Bands, right: float
) -> tuple[dict[int, tuple[Point, ...]], float]:
    """Lead edges back: down from the tail, up along a lane beside all else, down into the head."""
    used = [0] * (len(ranks.rows) + 1)
    ways: dict[int, tuple[Point, ...]] = {}
    for turn, (number, (tail, head)) in enumerate(region.back.items()):
        lower, upper = ranks.units[tail], ranks.units[head]
        used[lower.rank + 1] += 1
        down = bands[lower.rank][1] + used[lower.rank + 1] * LANE
        used[upper.rank] += 1
        up = bands[upper.rank][0] - used[upper.rank] * LANE
        lane = right + LANE * (turn + 1)
        ways[number] = _rounded(
            [
                (lower.x + lower.bottoms[number], boxes[tail].bottom),
                (lower.x + lower.bottoms[number], down),
                (lane, down),
                (lane, up),
                (upper.x + upper.tops[number], up),
                (upper.x + upper.tops[number], boxes[head].y),
            ]
        )
    return ways, right + LANE * len(region.back) if region.back else right


def _rounded(corners: list[Point]) -> tuple[Point, ...]:
    """Draw straight lines with round corners."""
    points = [corners[0]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        enter, leave = _toward(corner, before), _toward(corner, after)
        points += [points[-1], enter, enter, corner, corner, leave]
    return (*points, points[-1], corners[-1], corners[-1])


def _toward(start: Point, end: Point) -> Point:
    """Return the point a little on the way from one to another."""
    (x, y), (to_x, to_y) = start, end
    length = max(abs(to_x - x), abs(to_y - y)) or 1.0
    part = min(6.0, length / 2) / length
    return x + (to_x - x) * part, y + (to_y - y) * part
