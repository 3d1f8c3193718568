"""Residual edges: those that hand a value on as it is, past a branch to the same place."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from graphc.ir.graph import Node
from graphc.ir.types import same_shape
from graphc.views.draw.values import Values

FARTHEST = 150
"""Boxes that are looked through for a branch, the nearest first."""


def skips_of(values: Values, parents: Mapping[Node, Sequence[Node]]) -> set[tuple[Node, Node]]:
    """Return the (parent, box) whose parent is added to the box, and reaches it otherwise, too."""
    place = {box: number for number, box in enumerate(values.boxes)}
    children: dict[Node, list[Node]] = {}
    for box, above in parents.items():
        for parent in above:
            if place[parent] < place[box]:
                children.setdefault(parent, []).append(box)
    found = set()
    for box in values.boxes:
        for term in _terms(values, box):
            for parent in values.behind(term):
                if same_shape(parent.shape, box.shape) and _leads(parent, box, children, place):
                    found.add((parent, box))
    return found


def _terms(values: Values, box: Node) -> list[Node]:
    """Return the operands that are added up in a box, each as it is.

    A function of the sum, as `relu(h + f)`, may be over it.
    """
    operands = set(values.operands(box))
    root = box
    while root.op.name != "+" and root.op.structure == "elementwise":
        varying = [arg for arg in root.args if not arg.static]
        if len(varying) != 1 or varying[0] in operands:
            break
        root = varying[0]
    found = []
    pending = [root] if root.op.name == "+" else []
    while pending:
        for arg in pending.pop().args:
            if arg in operands:
                found.append(arg)
            elif arg.op.name == "+":
                pending.append(arg)
    return found


def _leads(
    parent: Node, box: Node, children: Mapping[Node, Sequence[Node]], place: Mapping[Node, int]
) -> bool:
    """True if a way leads from the parent to the box through another one."""
    seen = {box}
    pending = deque(one for one in children.get(parent, ()) if one is not box)
    while pending and len(seen) < FARTHEST:
        one = pending.popleft()
        if box in children.get(one, ()):
            return True
        if one not in seen and place[one] < place[box]:
            seen.add(one)
            pending += children.get(one, ())
    return False
