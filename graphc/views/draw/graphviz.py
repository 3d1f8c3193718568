"""The layout that Graphviz's `dot` gives a picture, by pygraphviz or by a `dot` on the PATH."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from graphc.views.draw.dot import sized_dot, title_of
from graphc.views.draw.records.layout import (
    TITLE,
    Box,
    Layout,
    Point,
    Route,
    label_size,
    node_size,
    title_width,
)
from graphc.views.draw.records.picture import Picture

PATIENCE = 60
"""Seconds after which a `dot` is not waited for."""


class NoGraphviz(Exception):
    """There is no Graphviz here, or it did not finish; says what to do."""


def arrange_by_dot(picture: Picture) -> Layout:
    """Lay a picture out by Graphviz; raises NoGraphviz where that cannot be."""
    return _layout(picture, json.loads(_laid_out(sized_dot(picture))))


def _laid_out(text: str) -> bytes:
    """Let Graphviz add places to a text of its language, as JSON."""
    try:
        pygraphviz = import_module("pygraphviz")  # the extra `draw`: there or not
    except ImportError:
        return _by_program(text)
    found: bytes = pygraphviz.AGraph(string=text).draw(format="json0", prog="dot")
    return found


def _by_program(text: str) -> bytes:
    program = shutil.which("dot")
    if program is None:
        why = "there is no Graphviz; `pip install 'graphc[draw]'` brings it, or --layout own"
        raise NoGraphviz(why)
    try:
        done = subprocess.run(
            [program, "-Tjson0"], input=text.encode(), capture_output=True, timeout=PATIENCE,
            check=True,
        )  # fmt: skip
    except (subprocess.SubprocessError, OSError) as wrong:
        raise NoGraphviz(f"`dot` failed: {wrong}; --layout own") from None
    return done.stdout


def _layout(picture: Picture, found: Mapping[str, Any]) -> Layout:
    """Read places, whose origin is at the lower left, in points of 72 to an inch."""
    _, _, width, height = map(float, found["bb"].split(","))
    objects = {one["name"]: one for one in found.get("objects", ())}
    boxes: dict[str, Box] = {}
    for node in picture.nodes:
        wide, high = node_size(node)
        x, y = _point(objects[node.id]["pos"])
        boxes[node.id] = Box(round(x - wide / 2), round(height - y - high / 2), wide, high)
    frames: dict[str, Box] = {}
    titles: dict[str, Box] = {}
    for group in picture.groups:
        one = objects.get(f"cluster_{group.id}")
        if one is None or "bb" not in one:
            continue
        left, low, right, top = map(float, one["bb"].split(","))
        frames[group.id] = Box(
            round(left), round(height - top), round(right - left), round(top - low)
        )
        x, y = _point(objects[title_of(group.id)]["pos"])
        wide = title_width(group)
        titles[group.id] = Box(round(x - wide / 2), round(height - y - TITLE / 2), wide, TITLE)
    curves = {
        int(one["number"]): one for one in found.get("edges", ()) if one.get("number") is not None
    }
    routes = []
    for number, edge in enumerate(picture.edges):
        one = curves[number]
        label = None
        if "lp" in one:
            x, y = _point(one["lp"])
            wide, high = label_size(edge.label)
            label = Box(round(x - wide / 2) + 3, round(height - y - high / 2), wide - 6, high)
        points = _curve(one["pos"], height)
        routes.append(Route(edge, points[::-1] if edge.returns else points, label))
    return Layout(picture, round(width), round(height), boxes, frames, titles, tuple(routes))


def _point(text: str) -> Point:
    x, y = text.split(",")
    return float(x), float(y)


def _curve(text: str, height: float) -> tuple[Point, ...]:
    """Read a spline: where the arrow ends, then Bézier curves."""
    end = None
    points: list[Point] = []
    for word in text.split(";")[0].split():
        if word.startswith("e,"):
            end = _point(word[2:])
        elif not word.startswith("s,"):
            points.append(_point(word))
    if end is not None:
        points += [points[-1], end, end]
    return tuple((x, height - y) for x, y in points)
