"""Where everything of a picture is, in pixels; and how large its boxes and labels are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.records import dataclass
from graphc.views.draw.records.measure import LARGE, SMALL, width
from graphc.views.draw.records.picture import Edge, Group, Node, Picture

Point = tuple[float, float]

LINE = 15
"""Pixels from one line of a box to the next."""
PADDING = 9
TITLE = 22
"""Height of the title of a group."""
MARGIN = 12
"""From the border of a group to what is in it, and around a picture."""

WITH_SHAPE = ("input", "parameter", "output", "carried", "mistake")
"""Kinds of boxes that always show their shape: not all have an edge that could."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2

    def moved(self, x: float, y: float) -> Box:
        return Box(self.x + x, self.y + y, self.width, self.height)


@dataclass(frozen=True, slots=True)
class Route:
    """The curve of an edge from its tail to its head: Bézier curves, as a point and triples.

    The label is written in its box.
    """

    edge: Edge
    points: tuple[Point, ...]
    label: Box | None = None


@dataclass(frozen=True)
class Layout:
    """A picture with the place of each box, group and title by id, and the way of each edge."""

    picture: Picture
    width: float
    height: float
    boxes: Mapping[str, Box]
    frames: Mapping[str, Box]
    titles: Mapping[str, Box]
    routes: Sequence[Route]


def heading(node: Node) -> tuple[str, str]:
    """Return what stands on the first line of a box: its name, and its shape where it shows one."""
    return node.label, node.shape if node.shaped or node.kind in WITH_SHAPE else ""


def node_size(node: Node) -> tuple[int, int]:
    """Return the width and height of a box."""
    label, shape = heading(node)
    first = width(label, LARGE, bold=True) + (width(shape, SMALL) + 8 if shape else 0)
    widest = max([first, *(width(one, SMALL) for one in node.lines)])
    return even(max(widest + 2 * PADDING, 34)), even(LINE * (1 + len(node.lines)) + 2 * 6)


def label_size(text: str) -> tuple[int, int]:
    """Return the width and height of the label of an edge; nothing where there is none."""
    return (even(width(text, SMALL) + 8), 16) if text else (0, 0)


def title_width(group: Group) -> int:
    """Return how wide the title of a group is."""
    return even(width(group.title, SMALL, bold=True) + 6)


def even(number: float) -> int:
    """Round up to an even number, whose half is whole."""
    return -int(-number // 2) * 2
