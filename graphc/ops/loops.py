"""From the nodes of one step to a loop: what is read by position becomes an element; and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.facts import linear_in
from graphc.ir.graph import Node, with_args
from graphc.ir.items import Item
from graphc.ir.loop import Element, Loop, bound, changing
from graphc.ir.order import topological
from graphc.ir.rebuild import rebuild
from graphc.ops.shape.shaping import choose, index, part_at


def roll_steps(
    symbol: str,
    first: Dim,
    count: Dim,
    carried: Sequence[Node],
    nexts: Sequence[Node],
    collected: Sequence[Node],
    until: Node | None = None,
) -> tuple[Loop, list[Node], dict[Node, Node]]:
    """Build the loop of a step; returns it, the sources of its elements, and the mapping of nodes.

    `x[:, t, :]` of an unchanging x is an element: its derivative is stacked, where that of an x
    read otherwise is summed over the steps.
    """
    results = (*nexts, *collected, *([] if until is None else [until]))
    changes = changing(results, carried, symbol)
    elements: list[Element] = []
    sources: list[Node] = []
    read: dict[Node, Node] = {}
    for node in topological(results):
        if node in changes and node.op is index and node.args[0] not in changes:
            found = _source(node, symbol, first, count)
            if found is not None:
                source, axis = found
                read[node] = bound("element", node.type)
                elements.append(Element(read[node], axis))
                sources.append(source)
    new = rebuild(results, with_args, read)
    moved = [new[n] for n in results]
    loop = Loop(
        symbol,
        first,
        count,
        False,
        tuple(carried),
        tuple(elements),
        tuple(moved[: len(nexts)]),
        tuple(moved[len(nexts) : len(nexts) + len(collected)]),
        None if until is None else moved[-1],
    )
    return loop, sources, new


def _source(node: Node, symbol: str, first: Dim, count: Dim) -> tuple[Node, int] | None:
    """Return what `node` reads in all steps, and its axis of steps; None where parts overlap."""
    items: list[Item] = list(node.attrs["items"])
    moving = [i for i, (kind, value) in enumerate(items) if _mentions(kind, value, symbol)]
    if len(moving) != 1 or items[moving[0]][0] != "at":
        return None
    position: Dim = items[moving[0]][1]
    linear = linear_in(position, symbol)
    if linear is None or abs(linear[0]) != 1:
        return None
    start = position.substitute({symbol: first})
    items[moving[0]] = ("slice", (start, count, linear[0]))
    x = node.args[0]
    axis = sum(kind == "slice" for kind, _ in items[: moving[0]])
    return choose(x, tuple(items)), axis


def _mentions(kind: str, value: Any, symbol: str) -> bool:
    parts = (value,) if kind == "at" else value[:2]
    return any(symbol in part.symbols for part in parts)


def element_in_step(loop: Loop, element: Element, source: Node) -> Node:
    """Return what an element is in a step: a position of its source."""
    return part_at(source, element.axis, Dim.symbol(loop.index) - loop.first)
