"""Labels moved out of the way of edges and of each other, along the edges that they are of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphc.records import replace
from graphc.views.draw.records.layout import Box, Layout, Point, Route

STEPS = 10
"""Points of a Bézier curve that are looked at."""
BESIDE = 5
"""Pixels from an edge to its label."""

Piece = tuple[Point, Point]


def cleared(layout: Layout) -> Layout:
    """Return the layout with each label where nothing crosses it; those without a place are gone.

    What a lost label says is told where the edge is pointed at.
    """
    curves = [_pieces(route.points) for route in layout.routes]
    taken = [*layout.boxes.values(), *layout.titles.values()]
    routes = []
    for route, own in zip(layout.routes, curves, strict=True):
        if route.label is None:
            routes.append(route)
            continue
        free = next((b for b in _places(route, own) if _is_free(b, taken, curves, layout)), None)
        if free is not None:
            taken.append(free)
            routes.append(replace(route, label=free))
        else:
            edge = route.edge
            told = f"{edge.label}\n{edge.told}" if edge.told else edge.label
            routes.append(Route(replace(edge, told=told), route.points))
    return replace(layout, routes=tuple(routes))


def _places(route: Route, pieces: Sequence[Piece]) -> Iterator[Box]:
    """Yield where a label may be: where it is, then beside its edge, from the middle outward."""
    label = route.label
    assert label is not None
    yield label
    middle = len(pieces) // 2
    for away in range(middle + 1):
        for place in dict.fromkeys((middle + away, middle - away)):
            if 0 <= place < len(pieces):
                (x, y), _ = pieces[place]
                top = round(y - label.height / 2)
                yield Box(round(x) + BESIDE, top, label.width, label.height)
                yield Box(round(x - label.width) - BESIDE, top, label.width, label.height)


def _is_free(
    box: Box, taken: Sequence[Box], curves: Sequence[Sequence[Piece]], layout: Layout
) -> bool:
    inside = box.x >= 0 and box.y >= 0 and box.right <= layout.width and box.bottom <= layout.height
    return (
        inside
        and not any(_overlap(box, other) for other in taken)
        and not any(_overlap(box, f) and not _holds(f, box) for f in layout.frames.values())
        and not any(_meets(piece, box) for pieces in curves for piece in pieces)
    )


def _overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.right
        and other.x < one.right
        and one.y < other.bottom
        and other.y < one.bottom
    )


def _holds(outer: Box, inner: Box) -> bool:
    return (
        outer.x <= inner.x
        and inner.right <= outer.right
        and outer.y <= inner.y
        and inner.bottom <= outer.bottom
    )


def _pieces(points: Sequence[Point]) -> list[Piece]:
    """Return a curve as straight pieces."""
    found: list[Piece] = []
    at, *rest = points
    for one, two, end in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        before = at
        for step in range(1, STEPS + 1):
            t = step / STEPS
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            now = (
                a * at[0] + b * one[0] + c * two[0] + d * end[0],
                a * at[1] + b * one[1] + c * two[1] + d * end[1],
            )
            found.append((before, now))
            before = now
        at = end
    return found


def _meets(piece: Piece, box: Box) -> bool:
    """True if a straight piece goes through a box (Liang and Barsky 1984)."""
    (x0, y0), (x1, y1) = piece
    low, high = 0.0, 1.0
    for start, change, least, most in (
        (x0, x1 - x0, box.x, box.right),
        (y0, y1 - y0, box.y, box.bottom),
    ):
        if not change:
            if not least < start < most:
                return False
            continue
        near, far = sorted(((least - start) / change, (most - start) / change))
        low, high = max(low, near), min(high, far)
    return low < high
