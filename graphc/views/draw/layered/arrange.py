"""The layered layout of a whole picture: groups from the inside out, then all in one frame."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.views.draw.layered.order import put_in_order
from graphc.views.draw.layered.place import Placed, place
from graphc.views.draw.layered.ranks import ranked
from graphc.views.draw.layered.regions import Region, regions_of
from graphc.views.draw.records.layout import (
    MARGIN,
    TITLE,
    Box,
    Layout,
    Point,
    Route,
    even,
    label_size,
    node_size,
    title_width,
)
from graphc.views.draw.records.picture import Picture

ABOVE = 6
"""From the upper border of a group to its title."""


def arrange(picture: Picture) -> Layout:
    """Lay a picture out in layers; its groups are such that each can be one box."""
    regions = regions_of(picture)
    sizes: dict[str, tuple[float, float]] = {n.id: node_size(n) for n in picture.nodes}
    ports: dict[str, tuple[Mapping[int, float], Mapping[int, float]]] = {}
    labels: dict[int, tuple[float, float]] = {
        number: label_size(edge.label) for number, edge in enumerate(picture.edges) if edge.label
    }
    placed: dict[str, Placed] = {}
    inside_first = sorted(
        picture.groups, key=lambda group: len(picture.around(group.id)), reverse=True
    )
    for group in inside_first:
        title = (title_width(group), TITLE - 4)
        found = _placed(regions[group.id], sizes, ports, labels, title)
        placed[group.id] = found
        wide, high = even(found.width) + 2 * MARGIN, even(found.height) + MARGIN + ABOVE
        sizes[group.id] = wide, high
        ports[group.id] = (
            {number: x + MARGIN - wide / 2 for number, x in found.tops.items()},
            {number: x + MARGIN - wide / 2 for number, x in found.bottoms.items()},
        )
    placed[""] = _placed(regions[""], sizes, ports, labels, None)
    return _layout(picture, regions, placed)


def _placed(
    region: Region,
    sizes: Mapping[str, tuple[float, float]],
    ports: Mapping[str, tuple[Mapping[int, float], Mapping[int, float]]],
    labels: Mapping[int, tuple[float, float]],
    title: tuple[float, float] | None,
) -> Placed:
    ranks = ranked(region, sizes, ports, labels, title)
    put_in_order(ranks)
    return place(ranks, region)


def _layout(
    picture: Picture, regions: Mapping[str, Region], placed: Mapping[str, Placed]
) -> Layout:
    """Move everything to its place in the picture, and join the pieces of edges."""
    boxes: dict[str, Box] = {}
    frames: dict[str, Box] = {}
    titles: dict[str, Box] = {}
    pieces: dict[int, list[tuple[int, tuple[Point, ...]]]] = {}
    labels: dict[int, Box] = {}
    pending = [("", 0.0, 0.0, 1)]
    while pending:
        id, x, y, depth = pending.pop()
        found = placed[id]
        for unit, box in found.boxes.items():
            at = box.moved(x, y)
            if unit in picture.group:
                frames[unit] = at
                wide = title_width(picture.group[unit])
                titles[unit] = Box(at.x + MARGIN, at.y + ABOVE, wide, TITLE - 4)
                pending.append((unit, at.x + MARGIN, at.y + ABOVE, depth + 1))
            else:
                boxes[unit] = at
        for number, way in found.ways.items():
            region = regions[id]
            turn = -depth if number in region.leaving else depth * (number in region.entering)
            moved = tuple((px + x, py + y) for px, py in way)
            pieces.setdefault(number, []).append((turn, moved))
        labels.update((number, box.moved(x, y)) for number, box in found.labels.items())
    routes = tuple(
        Route(edge, _joined(pieces[number]), labels.get(number))
        for number, edge in enumerate(picture.edges)
    )
    whole = placed[""]
    return Layout(picture, whole.width, whole.height, boxes, frames, titles, routes)


def _joined(pieces: list[tuple[int, tuple[Point, ...]]]) -> tuple[Point, ...]:
    """Join the pieces of an edge: out of groups, between them, into groups."""
    points: list[Point] = []
    for _, piece in sorted(pieces, key=lambda one: one[0]):
        if points and points[-1] != piece[0]:
            points += [points[-1], piece[0], piece[0]]
        points += piece if not points else piece[1:]
    return tuple(points)
