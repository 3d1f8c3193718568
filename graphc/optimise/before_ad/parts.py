"""Parts of arrays along one axis, and which of them follow each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.types import known_facts, same
from graphc.ops.shape.shaping import Item, index

NONE = Dim.of(0)


class Part(NamedTuple):
    """A range of an array's axis; where it is `at` one position, that without the axis.

    `rest` are the items of all axes, that one whole.
    """

    of: Node
    rest: tuple[Item, ...]
    axis: int
    start: Dim
    length: Dim
    at: bool


def part_along(node: Node, along: int | None = None) -> Part | None:
    """Return which part of an array a node is, along this axis or the last that is not whole."""
    if node.op is not index:
        return None
    (of,) = node.args
    items = node.attrs["items"]
    chosen = [axis for axis, item in enumerate(items) if not _is_whole(item, of.shape[axis])]
    if not chosen or (along is not None and along not in chosen):
        return None
    axis = chosen[-1] if along is None else along
    kind, value = items[axis]
    start, length, step = (value, Dim.of(1), 1) if kind == "at" else value
    others = [item for item in (*items[:axis], *items[axis + 1 :]) if item[0] == "at"]
    if step != 1 or others or (kind == "at" and axis):
        return None
    whole: Item = ("slice", (NONE, of.shape[axis], 1))
    rest = (*items[:axis], whole, *items[axis + 1 :])
    return Part(of, rest, axis, known_facts().normal(start), length, kind == "at")


def _is_whole(item: Item, axis: Dim) -> bool:
    kind, value = item
    return kind == "slice" and value[2] == 1 and same(value[0], NONE) and same(value[1], axis)


def taken(part: Part) -> Node:
    """Make the node of a part, which is the array itself where it is all of it."""
    chosen: Item = ("slice", (part.start, part.length, 1))
    item: Item = ("at", part.start) if part.at else chosen
    items = (*part.rest[: part.axis], item, *part.rest[part.axis + 1 :])
    if all(map(_is_whole, items, part.of.shape)):
        return part.of
    return index(part.of, items=items)


def rows(
    parts: dict[Dim, tuple[Dim, Node]],
) -> Iterator[tuple[tuple[Dim, ...], tuple[Dim, ...], tuple[Node, ...]]]:
    """Yield starts, lengths and nodes of parts that follow each other, two or more.

    `parts` has length and node by start.
    """
    normal = known_facts().normal
    follow = {start: normal(start + length) for start, (length, _) in parts.items()}
    behind = {*follow.values()}
    for first in parts:
        if first in behind:
            continue
        row = [first]
        while follow[row[-1]] in parts:
            row.append(follow[row[-1]])
        if len(row) > 1:
            lengths, nodes = zip(*(parts[start] for start in row), strict=True)
            yield tuple(row), lengths, nodes
