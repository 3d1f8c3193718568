"""Parts of arrays along one axis, and which of them follow each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.items import Item, Items, extent, is_whole, whole
from graphc.ir.types import known_facts
from graphc.ops.shape.shaping import choose, index


class Part(NamedTuple):
    """A range of an array's axis; where it is `at` one position, that without the axis.

    `rest` are the items of all axes, that one whole.
    """

    of: Node
    rest: Items
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
    chosen = [axis for axis, item in enumerate(items) if not is_whole(item, of.shape[axis])]
    if not chosen or (along is not None and along not in chosen):
        return None
    axis = chosen[-1] if along is None else along
    at = items[axis][0] == "at"
    start, length, step = extent(items[axis])
    others = [item for item in (*items[:axis], *items[axis + 1 :]) if item[0] == "at"]
    if step != 1 or others or (at and axis):
        return None
    rest = (*items[:axis], whole(of.shape[axis]), *items[axis + 1 :])
    return Part(of, rest, axis, known_facts().normal(start), length, at)


def chosen_part(part: Part) -> Node:
    """Make the node of a part, which is the array itself where it is all of it."""
    some: Item = ("slice", (part.start, part.length, 1))
    item: Item = ("at", part.start) if part.at else some
    return choose(part.of, (*part.rest[: part.axis], item, *part.rest[part.axis + 1 :]))


def adjacent_parts(
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
