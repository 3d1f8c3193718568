"""What is wrong with a picture, read from its SVG alone: overlaps, crossings, cut and small text.

Nothing of graphc is used: widths of text are those of the font itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
from PIL import ImageFont

SVG = "{http://www.w3.org/2000/svg}"
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
SMALLEST = 9
STEPS = 12
"""Points of a Bézier curve that are looked at."""


STRETCH = 40


@dataclass(frozen=True)
class Rectangle:
    left: float
    top: float
    right: float
    bottom: float
    what: str = ""

    def overlaps(self, other: Rectangle, by: float = 0.5) -> bool:
        return (
            self.left < other.right - by
            and other.left < self.right - by
            and self.top < other.bottom - by
            and other.top < self.bottom - by
        )

    def contains(self, other: Rectangle, by: float = 0.5) -> bool:
        return (
            self.left <= other.left + by
            and self.top <= other.top + by
            and self.right >= other.right - by
            and self.bottom >= other.bottom - by
        )


@dataclass(frozen=True)
class Curve:
    tail: str
    head: str
    points: tuple[tuple[float, float], ...]
    role: str = ""

    @cached_property
    def heights(self) -> tuple[float, float]:
        down = [y for _, y in self.points]
        return min(down), max(down)

    @cached_property
    def pieces(self) -> dict[int, list[tuple[float, float, float, float]]]:
        """Its straight pieces by the stretches of height that they lie in."""
        found: dict[int, list[tuple[float, float, float, float]]] = {}
        for (x0, y0), (x1, y1) in zip(self.points, self.points[1:], strict=False):
            low, high = sorted((y0, y1))
            for stretch in range(int(low // STRETCH), int(high // STRETCH) + 1):
                found.setdefault(stretch, []).append((x0, y0, x1, y1))
        return found


@dataclass(frozen=True)
class Seen:
    """What is in an SVG: boxes by id, frames of groups, labels, texts in boxes, and curves."""

    page: Rectangle
    boxes: dict[str, Rectangle]
    frames: dict[str, Rectangle]
    labels: list[Rectangle]
    inside: list[tuple[str, Rectangle]]
    curves: list[Curve]
    sizes: set[float]


@cache
def _font(size: float, bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"), size)


def read_svg(text: str) -> Seen:
    """Read the shapes of a picture; a group that moves others is followed."""
    root = ElementTree.fromstring(text)
    style = root.findtext(f"{SVG}style") or ""
    sizes = {float(size) for size in re.findall(r"font-size: ([\d.]+)px", style)}
    _, _, wide, high = map(float, root.attrib["viewBox"].split())
    assert float(root.attrib["width"]) == wide
    assert float(root.attrib["height"]) == high
    seen = Seen(Rectangle(0, 0, wide, high, "page"), {}, {}, [], [], [], sizes)
    _read(root, 0.0, 0.0, seen)
    return seen


def _read(element: ElementTree.Element, dx: float, dy: float, seen: Seen) -> None:
    for one in element:
        kind = one.attrib.get("class", "").split()
        if one.tag == f"{SVG}text":
            seen.labels.append(_text(one, dx, dy, bold=False))
        elif one.tag == f"{SVG}g" and "node" in kind:
            seen.boxes[one.attrib["id"]] = _rectangle(one, dx, dy)
            seen.inside.extend(
                (one.attrib["id"], _text(text, dx, dy, bold=False))
                for text in one.iter(f"{SVG}text")
            )
        elif one.tag == f"{SVG}g" and "group" in kind:
            seen.frames[one.attrib["id"]] = _rectangle(one, dx, dy)
            seen.labels.extend(_text(text, dx, dy, bold=True) for text in one.iter(f"{SVG}text"))
        elif one.tag == f"{SVG}g" and "edge" in kind:
            seen.labels.extend(_text(text, dx, dy, bold=False) for text in one.iter(f"{SVG}text"))
            path = one.find(f"{SVG}path")
            assert path is not None
            points = tuple((x + dx, y + dy) for x, y in points_of(path.attrib["d"]))
            ends = one.attrib["data-from"], one.attrib["data-to"]
            seen.curves.append(Curve(*ends, points, kind[1]))
        elif one.tag == f"{SVG}g" and "cover" not in kind:
            moved = re.fullmatch(r"translate\(([\d.-]+) ([\d.-]+)\)", one.attrib["transform"])
            assert moved is not None
            _read(one, dx + float(moved[1]), dy + float(moved[2]), seen)


def _rectangle(element: ElementTree.Element, dx: float, dy: float) -> Rectangle:
    rect = element.find(f"{SVG}rect")
    assert rect is not None
    x, y, w, h = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
    return Rectangle(x + dx, y + dy, x + w + dx, y + h + dy, element.attrib["id"])


def _text(element: ElementTree.Element, dx: float, dy: float, bold: bool) -> Rectangle:
    """The rectangle of a line of text, from its base line and its anchor."""
    whole = "".join(element.itertext())
    wide = 0.0
    pieces = [(element.text or "", 11, bold)]
    for part in element:
        kind = part.attrib.get("class", "")
        wide += float(part.attrib.get("dx", 0))
        size = {"name": 13, "low": 9}.get(kind, 11)
        pieces.append((part.text or "", size, bold or kind == "name"))
    wide += sum(_font(size, heavy).getlength(text) for text, size, heavy in pieces)
    x, y = float(element.attrib["x"]) + dx, float(element.attrib["y"]) + dy
    if element.attrib.get("text-anchor") == "middle":
        x -= wide / 2
    return Rectangle(x, y - 9, x + wide, y + 2, whole)


def points_of(path: str) -> Iterator[tuple[float, float]]:
    """Points along a path of lines and Bézier curves."""
    at = (0.0, 0.0)
    for command, numbers in re.findall(r"([MLC])([^MLC]*)", path):
        values = [float(number) for number in numbers.split()]
        points = list(zip(values[::2], values[1::2], strict=True))
        if command == "M":
            yield points[0]
        else:
            one, two, end = points if command == "C" else (at, points[0], points[0])
            for step in range(1, STEPS + 1):
                t = step / STEPS
                weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                yield tuple(
                    sum(w * p[axis] for w, p in zip(weights, (at, one, two, end), strict=True))
                    for axis in (0, 1)
                )  # type: ignore[misc]
        at = points[-1]


def crosses(curve: Curve, box: Rectangle, by: float = 1.0) -> bool:
    """True if a piece of a curve goes through a rectangle, its border apart."""
    left, top, right, bottom = box.left + by, box.top + by, box.right - by, box.bottom - by
    highest, lowest = curve.heights
    if lowest < top or bottom < highest:
        return False
    stretches = range(int(top // STRETCH), int(bottom // STRETCH) + 1)
    near = {piece for one in stretches for piece in curve.pieces.get(one, ())}
    for x0, y0, x1, y1 in near:
        low, high = 0.0, 1.0
        for start, change, least, most in ((x0, x1 - x0, left, right), (y0, y1 - y0, top, bottom)):
            if change == 0:
                if not least < start < most:
                    low = 2.0
                continue
            a, b = sorted(((least - start) / change, (most - start) / change))
            low, high = max(low, a), min(high, b)
        if low < high:
            return True
    return False


def faults(text: str) -> list[str]:
    """Everything that is wrong with a picture."""
    seen = read_svg(text)
    found = [f"text of {size} px" for size in seen.sizes if size < SMALLEST]
    for one, other in combinations(seen.boxes.values(), 2):
        if one.overlaps(other):
            found.append(f"boxes {one.what} and {other.what} overlap")
    rectangles = [*seen.boxes.values(), *seen.frames.values()]
    for frame in seen.frames.values():
        for box in rectangles:
            apart = box is frame or not frame.overlaps(box)
            if not (apart or frame.contains(box) or box.contains(frame)):
                found.append(f"{box.what} sticks out of {frame.what}")
    for id, line in seen.inside:
        if not seen.boxes[id].contains(line):
            found.append(f"`{line.what}` is wider than its box")
    for one, other in combinations(seen.labels, 2):
        if one.overlaps(other):
            found.append(f"labels `{one.what}` and `{other.what}` overlap")
    for label in seen.labels:
        found += [
            f"`{label.what}` lies on the border of {frame.what}"
            for frame in seen.frames.values()
            if frame.overlaps(label) and not frame.contains(label)
        ]
        found += [
            f"`{label.what}` lies on {b.what}" for b in seen.boxes.values() if b.overlaps(label)
        ]
        found += [
            f"`{label.what}` is crossed by {c.tail} -> {c.head}"
            for c in seen.curves
            if crosses(c, label)
        ]
    for curve in seen.curves:
        for id, box in seen.boxes.items():
            if id not in (curve.tail, curve.head) and crosses(curve, box):
                found.append(f"{curve.tail} -> {curve.head} goes through {id}")
    everything = [*rectangles, *seen.labels]
    found += [f"{one.what} is cut off" for one in everything if not seen.page.contains(one)]
    found += [
        f"{c.tail} -> {c.head} is cut off"
        for c in seen.curves
        for x, y in c.points
        if not (0 <= x <= seen.page.right and 0 <= y <= seen.page.bottom)
    ]
    return found
