"""The order of axes in memory: nodes that run together -> how their values lie.

NumPy runs over arrays in loops along the innermost axes that all operands share: where these are
short, as those of [P, 3] beside [P, 1], it is the loops that take the time. Where all values have
one order, and an axis innermost that is long, none is read against its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import permutations
from math import prod

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.sizes import typical
from graphc.ir.types import is_one
from graphc.ops.define.families import normal_axes
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.linear.products import matmul
from graphc.ops.shape.shaping import (
    broadcast_to,
    concatenate,
    expand,
    in_rows,
    index,
    reshape,
    transpose,
)
from graphc.plan.buffers.kernels import filling
from graphc.plan.tiles.axis_classes import Axis, Classes, heaviest

Order = tuple[int, ...]

POSITIONS = 256
"""How many positions a block may have."""
MARGIN = 0.8
"""Another order than that of rows has to take less time than this share."""
CLASSES = 3
"""So many classes of axes are tried in every order."""
ELEMENT, MIXED, AGAINST, LOOP, ROW, COPY, ROWS = 0.3, 0.6, 2.0, 2.5, 13.0, 1.0, 0.25
"""Nanoseconds: an element; one read, or written, against the order of the others; a start of the
innermost loop, of one that reduces; an element of a copy that a view needs; one of a small matrix
whose rows are multiplied with rows."""


def row_by_row(node: Node) -> Order:
    """Return the order of rows: the last axis innermost."""
    return tuple(range(node.rank))


def orders(
    computed: Sequence[Node],
    classes: Classes,
    chosen: Axis,
    known: Mapping[Node, Order],
    bound: Collection[Node] = (),
) -> dict[Node, Order]:
    """Choose how values lie in memory that are computed together in blocks of an axis.

    `known` are those from outside that do not lie row by row; what is `bound` has to.
    """
    best = {node: row_by_row(node) for node in computed}
    movable = {node for node in computed if node not in bound and _is_placed(node)}
    weights = {node: typical(node.type.size) for node in computed if node.rank > 1}
    ranked = heaviest(weights, classes, 1, CLASSES)
    sizes = _Sizes(classes, chosen)
    least = MARGIN * _cost(computed, best, sizes, known) if weights else 0.0
    for permuted in permutations(ranked) if weights else ():
        found = {
            node: _sort(node, permuted, classes) if node in movable else row_by_row(node)
            for node in computed
        }
        cost = _cost(computed, found, sizes, known)
        if cost < least:
            best, least = found, cost
    return best


def _is_placed(node: Node) -> bool:
    """True for what is computed where and as we like; the rest lies as NumPy makes it."""
    return node.op is not in_rows and (filling(node) is not None or _is_elementwise(node))


def _sort(node: Node, permuted: Sequence[Axis], classes: Classes) -> Order:
    """Order the axes of these classes, the last innermost; the others outside of them."""
    ranks = {one: rank for rank, one in enumerate(permuted)}
    order = sorted(row_by_row(node), key=lambda axis: ranks.get(classes.all(node)[axis], -1))
    long = [axis for axis in order if not is_one(node.shape[axis])]
    return row_by_row(node) if long == sorted(long) else tuple(order)


# ---- what an order costs ------------------------------------------------------------------------


class _Sizes:
    """Typical lengths of axes in a block, which are the same in every order."""

    def __init__(self, classes: Classes, chosen: Axis) -> None:
        self.classes, self.extents = classes, classes.extents(chosen)
        self._lengths: dict[Node, tuple[int, ...]] = {}

    def lengths(self, node: Node) -> tuple[int, ...]:
        found = self._lengths.get(node)
        if found is None:
            axes = zip(node.shape, self.classes.all(node), strict=True)
            found = self._lengths[node] = tuple(self._length(n, one) for n, one in axes)
        return found

    def _length(self, n: Dim, one: Axis) -> int:
        extent = self.extents.get(one)
        return typical(n) if extent is None else typical(extent.outer * extent.inner) * POSITIONS


class _Cost:
    def __init__(
        self, orders: Mapping[Node, Order], sizes: _Sizes, known: Mapping[Node, Order]
    ) -> None:
        self.orders, self.sizes, self.known = orders, sizes, known
        self.copies = 0.0
        self._lies: dict[Node, Order] = {}

    def length(self, node: Node, axis: int) -> int:
        return self.sizes.lengths(node)[axis]

    def size(self, node: Node) -> int:
        return prod(self.sizes.lengths(node))

    def lies(self, node: Node) -> Order:
        """Return the axes of a value as they lie in memory, but those of length 1 or repeated."""
        chain = [node]
        while (one := chain[-1]) not in self._lies and self._is_view(one):
            chain.append(one.args[0])
        for one in reversed(chain):
            if one not in self._lies:
                self._lies[one] = self._viewed(one) if self._is_view(one) else self._made(one)
        return self._lies[node]

    def _is_view(self, node: Node) -> bool:
        made = node in self.orders or node in self.known
        return not made and node.op in (transpose, expand, broadcast_to, index, reshape)

    def _made(self, node: Node) -> Order:
        order = self.orders.get(node) or self.known.get(node) or row_by_row(node)
        return tuple(axis for axis in order if not is_one(node.shape[axis]))

    def _viewed(self, node: Node) -> Order:
        """As its argument lies; where a reshape has to copy that, row by row."""
        (moved,) = node.op.axes(node)
        below = self._lies[node.args[0]]
        if node.op is index:
            moved = _positions(node)
        kept = tuple(to for axis in below if (to := moved[axis]) is not None)
        if node.op is reshape:
            whole = tuple(axis for axis in row_by_row(node) if not is_one(node.shape[axis]))
            if sorted(kept) != list(whole):
                if list(below) != sorted(below):
                    self.copies += self.size(node) * COPY
                return whole
        return kept


def _positions(node: Node) -> tuple[int | None, ...]:
    """Return the axis of the whole that each axis of a part becomes."""
    kept = [kind == "slice" for kind, _ in node.attrs["items"]]
    return tuple(sum(kept[:axis]) if one else None for axis, one in enumerate(kept))


def _cost(
    computed: Sequence[Node],
    orders: Mapping[Node, Order],
    sizes: _Sizes,
    known: Mapping[Node, Order],
) -> float:
    """Nanoseconds, with a typical size for each dim that is not known."""
    cost = _Cost(orders, sizes, known)
    total = 0.0
    for node in computed:
        kind = _KINDS.get(node.op.name, _elementwise if _is_elementwise(node) else None)
        if kind is not None:
            total += kind(node, cost)
    return total + cost.copies


def _is_elementwise(node: Node) -> bool:
    return (
        node.op.structure == "elementwise"
        or node.op is accumulate
        or bool(
            node.args
            and all(arg.rank in (0, node.rank) for arg in node.args)
            and node.op.name in ("where", "kept", "square")
        )
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
    per = ELEMENT + MIXED * sum(one[-1] != own[-1] for one in full)
    if full and all(one[-1] != own[-1] for one in full):
        per = ELEMENT + AGAINST
    loops = 1 if run == len(own) else size / max(length, 1)
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
    return size * ELEMENT / 2 + size / max(length, 1) * ROW


def _rows_of_products(node: Node, cost: _Cost) -> float:
    """Products of rows: one call of BLAS each."""
    straight = all(cost.lies(arg)[-1:] == (arg.rank - 1,) for arg in node.args)
    size = max(map(cost.size, node.args))
    return size * (0.1 if straight else 0.7) + cost.size(node) * LOOP


def _product(node: Node, cost: _Cost) -> float:
    """Estimate a product: what BLAS cannot take is copied, rows with rows are its slowest."""
    total = 0.0
    for one in (*node.args, node):
        lies = cost.lies(one)
        matrix = {one.rank - 1, one.rank - 2} if one.rank > 1 else {0}
        if lies and lies[-1] not in matrix:
            total += cost.size(one) * AGAINST
    left, right = node.args
    if min(left.rank, right.rank) > 1 and node.rank > 2:
        inner = cost.lies(left)[-1:], cost.lies(right)[-1:]
        if inner == ((left.rank - 1,), (right.rank - 2,)):
            total += (cost.size(left) + cost.size(right)) * ROWS
    return total


def _cost_of_joining(node: Node, cost: _Cost) -> float:
    """Copies of parts, in runs along the axes inside of the one that they are joined along."""
    own = cost.orders[node]
    length = 1
    for axis in reversed(own):
        length *= min(cost.length(node, axis), *(cost.length(arg, axis) for arg in node.args))
        if axis == node.attrs["axis"]:
            break
    against = sum(cost.lies(arg)[-1:] != own[-1:] for arg in node.args)
    size = cost.size(node)
    return size * (ELEMENT + MIXED * against / len(node.args)) + size / max(length, 1) * LOOP


_KINDS: Mapping[str, Callable[[Node, _Cost], float]] = {
    "sum": _reduction,
    "max": _reduction,
    "min": _reduction,
    "mean": _reduction,
    "peak": _reduction,
    "vecdot": _rows_of_products,
    matmul.name: _product,
    concatenate.name: _cost_of_joining,
}
