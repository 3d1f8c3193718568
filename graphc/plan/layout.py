"""The order of axes in memory: nodes that run together -> which of their axes lies innermost.

NumPy runs over an array in loops along the innermost axes that all operands share: where these are
short, as those of [P, 3] beside [P, 1], it is the loops that take the time. An axis that is long
for all lies best innermost, and an order that all have costs no operand a walk against its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from graphc.graph import Node
from graphc.ops.arithmetic import accumulate
from graphc.ops.contraction import typical
from graphc.ops.define import normal_axes
from graphc.ops.linalg import matmul
from graphc.ops.shaping import broadcast_to, concatenate, expand, in_rows, index, reshape, transpose
from graphc.plan.classes import Axis, Classes
from graphc.types import is_one

Order = tuple[int, ...]

POSITIONS = 256
"""How many positions a block may have."""
MARGIN = 0.8
"""Another order than that of rows has to take less time than this share."""
CANDIDATES = 4
ELEMENT, MIXED, AGAINST, LOOP, ROW, COPY = 0.3, 0.6, 2.0, 4.0, 13.0, 1.0
"""Nanoseconds: an element; one read, or written, against the order of the others; a start of the
innermost loop, of one that reduces; an element of a copy that a view needs."""


def rows(node: Node) -> Order:
    """The order of rows: the last axis innermost."""
    return tuple(range(node.rank))


def orders(
    computed: Sequence[Node],
    classes: Classes,
    chosen: Axis,
    known: Mapping[Node, Order],
    bound: Collection[Node] = (),
) -> dict[Node, Order]:
    """How the values lie in memory that are computed together in blocks of an axis.

    `known` are those from outside that do not lie row by row; what is `bound` has to.
    """
    weights: dict[Axis, int] = {}
    for node in computed:
        for one in dict.fromkeys(classes.all(node)):
            weights[one] = weights.get(one, 0) + typical(node.type.size)
    candidates = sorted(weights, key=lambda one: (one != chosen, -weights[one]))[:CANDIDATES]
    best = {node: rows(node) for node in computed}
    if not any(node.rank > 1 for node in computed):
        return best
    least = MARGIN * _cost(computed, best, classes, chosen, known)
    for inner in candidates:
        found = {
            node: rows(node) if node in bound else _inside(node, inner, classes)
            for node in computed
        }
        if any(order != rows(node) for node, order in found.items()):
            cost = _cost(computed, found, classes, chosen, known)
            if cost < least:
                best, least = found, cost
    return best


def _inside(node: Node, inner: Axis, classes: Classes) -> Order:
    """The axes of a class innermost, the others in their order."""
    if node.op is in_rows:
        return rows(node)
    mine = classes.axes(node, inner)
    return (*(axis for axis in range(node.rank) if axis not in mine), *mine)


# ---- what an order costs ------------------------------------------------------------------------


class _Cost:
    def __init__(
        self,
        orders: Mapping[Node, Order],
        classes: Classes,
        chosen: Axis,
        known: Mapping[Node, Order],
    ) -> None:
        self.orders, self.classes, self.chosen, self.known = orders, classes, chosen, known
        self.copies = 0.0
        self._lies: dict[Node, Order] = {}

    def length(self, node: Node, axis: int) -> int:
        if self.classes.all(node)[axis] == self.chosen:
            return POSITIONS
        return typical(node.shape[axis])

    def size(self, node: Node) -> int:
        total = 1
        for axis in range(node.rank):
            total *= self.length(node, axis)
        return total

    def lies(self, node: Node) -> Order:
        """The axes of a value as they lie in memory, without those of length 1 or repeated."""
        if node not in self._lies:
            self._lies[node] = self._found(node)
        return self._lies[node]

    def _found(self, node: Node) -> Order:
        if node in self.orders or node in self.known or not node.args:
            order = self.orders.get(node) or self.known.get(node) or rows(node)
            return tuple(axis for axis in order if not is_one(node.shape[axis]))
        if node.op not in (transpose, expand, broadcast_to, index, reshape):
            return tuple(axis for axis in rows(node) if not is_one(node.shape[axis]))
        (moved,) = node.op.axes(node)
        below = self.lies(node.args[0])
        if node.op is reshape:
            whole = [axis for axis in rows(node) if not is_one(node.shape[axis])]
            kept = [moved[axis] for axis in below]
            if sorted(axis for axis in kept if axis is not None) == whole:
                return tuple(axis for axis in kept if axis is not None)
            if list(below) != sorted(below):
                self.copies += self.size(node) * COPY
            return tuple(whole)
        if node.op is index:
            moved = _positions(node)
        return tuple(to for axis in below if (to := moved[axis]) is not None)


def _positions(node: Node) -> tuple[int | None, ...]:
    """Which axis of a part each axis of the whole becomes."""
    kept = [kind == "slice" for kind, _ in node.attrs["items"]]
    return tuple(sum(kept[:axis]) if one else None for axis, one in enumerate(kept))


def _cost(
    computed: Sequence[Node],
    orders: Mapping[Node, Order],
    classes: Classes,
    chosen: Axis,
    known: Mapping[Node, Order],
) -> float:
    """Nanoseconds, with a typical size for each dim that is not known."""
    cost = _Cost(orders, classes, chosen, known)
    total = 0.0
    for node in computed:
        kind = _KINDS.get(node.op.name, _elementwise if _is_elementwise(node) else None)
        if kind is not None:
            total += kind(node, cost)
    return total + cost.copies


def _is_elementwise(node: Node) -> bool:
    return node.op.structure == "elementwise" or node.op is accumulate or bool(
        node.args and all(arg.rank in (0, node.rank) for arg in node.args)
        and node.op.name in ("where", "kept", "square")
    )


def _elementwise(node: Node, cost: _Cost) -> float:
    """Along the innermost axes that each operand either lies in as the result does, or lacks."""
    own = [axis for axis in cost.orders[node] if not is_one(node.shape[axis])]
    if not own:
        return LOOP
    operands = []
    for arg in node.args:
        shift = node.rank - arg.rank
        operands.append([axis + shift for axis in cost.lies(arg)])
    run = 0
    while run < len(own) and all(
        one[len(one) - run - 1 :] == own[len(own) - run - 1 :]
        or not set(one) & set(own[len(own) - run - 1 :])
        for one in operands
    ):
        run += 1
    size = cost.size(node)
    length = 1
    for axis in own[len(own) - max(run, 1) :]:
        length *= cost.length(node, axis)
    full = [one for one in operands if len(one) == len(own)]
    against = [one for one in operands if own[-1] in one and one[-1] != own[-1]]
    per = ELEMENT + MIXED * len(against)
    if full and all(one[-1] != own[-1] for one in full):
        per = ELEMENT + AGAINST
    loops = 1 if run == len(own) else size / length
    return size * per + loops * LOOP


def _reduction(node: Node, cost: _Cost) -> float:
    """Row by row where what is summed lies innermost, else row upon row."""
    x = node.args[0]
    gone = set(normal_axes(node.attrs["axis"], x.rank, node.op.name))
    lies = cost.lies(x)
    length, size = 1, cost.size(x)
    for axis in reversed(lies):
        if (axis in gone) != (lies[-1] in gone):
            break
        length *= cost.length(x, axis)
    return size * ELEMENT / 2 + size / length * ROW


def _rows_of_products(node: Node, cost: _Cost) -> float:
    """Products of rows: one call of BLAS each."""
    x = node.args[0]
    straight = all(cost.lies(arg)[-1:] == (arg.rank - 1,) for arg in node.args)
    return cost.size(x) * (0.1 if straight else 0.7) + cost.size(node) * LOOP


def _product(node: Node, cost: _Cost) -> float:
    """What BLAS cannot take as it lies is copied."""
    total = 0.0
    for one in (*node.args, node):
        lies = cost.orders[node] if one is node else cost.lies(one)
        matrix = {one.rank - 1, one.rank - 2} if one.rank > 1 else {0}
        if lies and lies[-1] not in matrix:
            total += cost.size(one) * AGAINST
    return total


def _joined(node: Node, cost: _Cost) -> float:
    """Copies of parts, in runs along the axes inside of the one that they are joined along."""
    own = cost.orders[node]
    length = 1
    for axis in reversed(own):
        length *= min(cost.length(node, axis), *(cost.length(arg, axis) for arg in node.args))
        if axis == node.attrs["axis"]:
            break
    against = sum(cost.lies(arg)[-1:] != own[-1:] for arg in node.args)
    size = cost.size(node)
    return size * (ELEMENT + MIXED * against / len(node.args)) + size / length * LOOP


_KINDS: Mapping[str, Callable[[Node, _Cost], float]] = {
    "sum": _reduction,
    "max": _reduction,
    "min": _reduction,
    "mean": _reduction,
    "peak": _reduction,
    "vecdot": _rows_of_products,
    matmul.name: _product,
    concatenate.name: _joined,
}
