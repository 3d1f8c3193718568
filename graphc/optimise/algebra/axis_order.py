"""Layouts: chains of elementwise operations are computed with their axes in the order in memory
that products and sums before and after them want, so that nothing is read across.

A chain is what elementwise operations and permutations connect. Its arrays get one order of axes;
outside it they are seen as before, through a permutation, which is a view.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphc.ir.graph import SOURCES, Graph, Node, intern, with_args
from graphc.ir.mapping import map_graph
from graphc.ir.rebuild import rebuild
from graphc.ir.sizes import typical
from graphc.ir.types import Type, is_one, same_shape
from graphc.ir.verify import verified
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.fused import peak
from graphc.ops.linear.products import matmul
from graphc.ops.reduce.reduction import max_, min_, sum_
from graphc.ops.shape.shaping import broadcast_to, expand, in_rows, reshape, transpose
from graphc.optimise.algebra.permutations import Order, permute
from graphc.records import dataclass, field

FREE = (expand, sum_, peak, max_, min_)
"""What reads an array in any order as well as in its own."""

MANY = 8
"""An operand that is repeated so often is better copied than read across each time."""


@dataclass(slots=True)
class Chains:
    """Nodes by chain: each leads to a node, with the axes that its own are there."""

    above: dict[Node, tuple[Node, Order]] = field(default_factory=dict)

    def find(self, node: Node) -> tuple[Node, Order]:
        """Return the first node of a node's chain, and the node's axes as axes of that."""
        order = tuple(range(node.rank))
        while self.above[node][0] is not node:
            node, axes = self.above[node]
            order = tuple(axes[axis] for axis in order)
        return node, order

    def join(self, one: Node, other: Node, axes: Order) -> None:
        """Axis i of one is axis axes[i] of the other; where that contradicts, they stay apart."""
        first, a = self.find(one)
        second, b = self.find(other)
        if first is not second:
            self.above[first] = second, tuple(b[axes[a.index(i)]] for i in range(first.rank))


@dataclass(frozen=True, slots=True)
class Wish:
    """An order of a chain's axes that a neighbour computes or reads, and what is as good."""

    order: Order
    weight: float
    swapped: float = 0.0  # with the last two axes exchanged
    last: float = 0.0  # with one of these two last

    def granted(self, order: Order) -> float:
        if order == self.order:
            return self.weight
        if order == _swap_last(self.order):
            return self.swapped
        return self.last if order[-1] in self.order[-2:] else 0.0


def _swap_last(order: Order) -> Order:
    return (*order[:-2], order[-1], order[-2])


@verified
def arrange(graph: Graph) -> Graph:
    """Compute every chain with permutations in the order that most of its neighbours wish."""
    nodes = graph.nodes
    chains = _chains(nodes)
    wishes = _wishes(graph, nodes, chains)
    permuted = {chains.find(node)[0] for node in nodes if node.op is transpose}
    if not permuted:
        return graph
    chosen = {
        chain: order
        for chain, wished in wishes.items()
        if chain in permuted and (order := _best(chain, wished)) is not None
    }

    def reorder(node: Node, args: tuple[Node, ...]) -> Node:
        if node not in chains.above or node.op is transpose:
            return with_args(node, args)
        chain, axes = chains.find(node)
        order = chosen.get(chain, axes)
        return _compute_in_order(node, args, tuple(axes.index(axis) for axis in order))

    return map_graph(graph, rebuild(graph.results.values(), reorder))


def _is_elementwise(node: Node) -> bool:
    chained = node.op.structure == "elementwise" or node.op is accumulate
    return chained and node.rank > 1 and bool(node.args)


def _chains(nodes: Sequence[Node]) -> Chains:
    chains = Chains()
    for node in nodes:
        if _is_elementwise(node) or (node.op is transpose and node.rank > 1):
            chains.above[node] = node, tuple(range(node.rank))
            for arg in _whole(node):
                if arg in chains.above:
                    chains.join(node, arg, _axes(node))
    return chains


def _whole(node: Node) -> Iterator[Node]:
    """Yield the arguments with all elements of the result."""
    for arg in dict.fromkeys(node.args):
        if node.op is transpose or same_shape(arg.shape, node.shape):
            yield arg


def _axes(node: Node) -> Order:
    """Return the axis of a whole argument that each axis of a node is."""
    return tuple(node.attrs["axes"]) if node.op is transpose else tuple(range(node.rank))


def _wishes(graph: Graph, nodes: Sequence[Node], chains: Chains) -> dict[Node, list[Wish]]:
    """Collect the wishes for each chain: by what it is computed from, and by what reads it."""
    wishes: dict[Node, list[Wish]] = {}

    def wish(node: Node, axes: Order, weight: float, swapped: float = 0, last: float = 0) -> None:
        chain, order = chains.find(node)
        wished = Wish(tuple(order[axis] for axis in axes), weight, swapped, last)
        wishes.setdefault(chain, []).append(wished)

    for node in nodes:
        inside = node in chains.above
        for arg in _whole(node) if inside else ():
            if arg not in chains.above and _is_stored(arg):
                axes = _axes(node)
                made = tuple(axes.index(axis) for axis in range(node.rank))
                wish(node, made, 2, 1.5 if arg.op is matmul else 0)
        for slot, arg in enumerate(() if inside else node.args):
            if arg not in chains.above:
                continue
            axes = tuple(range(arg.rank))
            if node.op is matmul:
                alone = node.args[1 - slot].rank > 2 or arg.rank == 2
                wish(arg, axes, 1, 1 if alone else 0, 0.5)
            elif node.op not in FREE and not _drops_ones(arg, node):
                wish(arg, axes, 1)
    for node in graph.results.values():
        if node in chains.above:
            wish(node, tuple(range(node.rank)), 1)
    return wishes


def _is_stored(node: Node) -> bool:
    """True for an array in memory, with an order of its own."""
    return (bool(node.args) or node.op in SOURCES) and node.op is not broadcast_to


def _drops_ones(x: Node, node: Node) -> bool:
    """True if a reshape only adds and drops axes of length 1."""
    if node.op is not reshape:
        return False
    before, after = ([n for n in one.shape if not is_one(n)] for one in (x, node))
    return same_shape(before, after)


def _best(chain: Node, wishes: Sequence[Wish]) -> Order | None:
    """Return the order that most wishes agree on, the first of equals; None for a single axis."""
    if sum(not is_one(n) for n in chain.shape) < 2:
        return None
    orders = dict.fromkeys(wish.order for wish in wishes)
    return max(orders, key=lambda order: sum(wish.granted(order) for wish in wishes))


def _compute_in_order(node: Node, args: tuple[Node, ...], order: Order) -> Node:
    """Compute an elementwise operation with axes in this order; a permutation leads back."""
    if order == tuple(range(node.rank)):
        return with_args(node, tuple(_row_by_row(arg, node) for arg in args))
    shape = tuple(node.shape[axis] for axis in order)
    moved = tuple(_operand(arg, order, node) for arg in args)
    core = intern(node.op, moved, node.attrs, Type(node.type.dtype, shape), node.salt)
    return transpose(core, axes=tuple(order.index(axis) for axis in range(node.rank)))


def _operand(x: Node, order: Order, node: Node) -> Node:
    """Permute an operand, and copy it where it is repeated."""
    found = permute(x, order)
    return found if same_shape(x.shape, node.shape) else _in_rows(found)


def _row_by_row(x: Node, node: Node) -> Node:
    """Copy a permuted operand that is repeated many times."""
    repeated = typical(node.type.size) >= MANY * typical(x.type.size)
    return _in_rows(x) if repeated and sum(not is_one(n) for n in x.shape) > 1 else x


def _in_rows(x: Node) -> Node:
    """Copy what is permuted: cheaper than strided reads, again and again."""
    few = x.args[0] if x.op is expand else x
    if few.op is not transpose:
        return x
    rows = in_rows(few)
    return expand(rows, **x.attrs) if x.op is expand else rows
