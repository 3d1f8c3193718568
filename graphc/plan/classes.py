"""Axes that correspond one to one through a graph: which of them one block can run along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphc.graph import Node
from graphc.loop import LOOP, RESULT

Axis = tuple[Node, int]


class Classes:
    """The axes of nodes, joined where slice by slice one becomes the other."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._parent: dict[Axis, Axis] = {}
        for node in nodes:
            if node.op in (LOOP, RESULT):
                continue
            for arg, moved in zip(node.args, node.op.axes(node), strict=False):
                for axis, to in enumerate(moved):
                    if to is not None:
                        self._join((node, to), (arg, axis))

    def of(self, node: Node, axis: int) -> Axis:
        """The axis that stands for all that this one is joined with."""
        here: Axis = (node, axis)
        path = []
        while (up := self._parent.get(here, here)) != here:
            path.append(here)
            here = up
        for one in path:
            self._parent[one] = here
        return here

    def _join(self, one: Axis, other: Axis) -> None:
        self._parent[self.of(*other)] = self.of(*one)

    def axes(self, node: Node, chosen: Axis) -> list[int]:
        """The axes of a node that are of a class."""
        return [axis for axis in range(node.rank) if self.of(node, axis) == chosen]


def along(node: Node, classes: Classes, chosen: Axis) -> int | None:
    """The one axis of a class along which a node is computed slice by slice, if there is one."""
    own = classes.axes(node, chosen)
    if len(own) != 1 or not node.args or node.op in (LOOP, RESULT):
        return None
    for arg, moved in zip(node.args, node.op.axes(node), strict=False):
        theirs = classes.axes(arg, chosen)
        if theirs and [moved[axis] for axis in theirs] != own:
            return None
    return own[0]


def sizes(nodes: Sequence[Node], classes: Classes) -> Mapping[Axis, int]:
    """How many nodes have an axis of each class, in the order in which these are met."""
    count: dict[Axis, int] = {}
    for node in nodes:
        for one in {classes.of(node, axis): None for axis in range(node.rank)}:
            count[one] = count.get(one, 0) + 1
    return count
