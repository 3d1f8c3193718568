"""Stacks of many arrays, and their items: calls that only make views of them are left out."""

from __future__ import annotations

from graphc.ir.graph import SOURCES, Node
from graphc.ir.items import extent
from graphc.ir.types import is_one, same_shape
from graphc.ir.use_counts import Once, Rules
from graphc.ops.shape.shaping import concatenate, expand, index, reshape

MANY = 8
"""So many arrays are stacked by one call and two for all, not one for each."""


def position_of_part(node: Node, once: Once) -> Node | None:
    """x[k:k+1] without its axis of one position -> x[k]. Exact."""
    (part,) = node.args
    if part.op is not index or part.rank != node.rank + 1:
        return None
    items = [*part.attrs["items"]]
    kept = [axis for axis, (kind, _) in enumerate(items) if kind == "slice"]
    for place, axis in enumerate(kept):
        start, length, _ = extent(items[axis])
        rest = (*part.shape[:place], *part.shape[place + 1 :])
        if is_one(length) and same_shape(rest, node.shape):
            items[axis] = "at", start
            return index(part.args[0], items=tuple(items))
    return None


def stack_by_rows(node: Node, once: Once) -> Node | None:
    """Join what is stacked along the axis that it begins with, then take it apart. Exact."""
    if node.attrs["axis"] != 0 or len(node.args) < MANY or node.rank < 2:
        return None
    items = [arg.args[0] for arg in node.args if arg.op is expand and arg.attrs["axes"] == (0,)]
    if len(items) < len(node.args) or any(item.op not in SOURCES for item in items):
        return None
    return reshape(concatenate(*items, axis=0), shape=node.shape)


STACKS: Rules = {reshape: (position_of_part,), concatenate: (stack_by_rows,)}
