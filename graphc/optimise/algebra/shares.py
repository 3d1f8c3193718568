"""Division by a count of elements, which stays finite where there are none.

The derivative of a mean goes to each of D elements as a D-th. Where D is 0 it goes to none, and
what is summed over them is 0. Later rules take a factor out of such a sum if it is finite there.
"""

from __future__ import annotations

from graphc.ir.dims import Dim
from graphc.ir.graph import DIM, Graph, Node, with_args
from graphc.ir.loop import RESULT
from graphc.ir.mapping import map_graph
from graphc.ir.rebuild import rebuild
from graphc.ir.verify import verified
from graphc.ops.elementwise.arithmetic import negative, over, times
from graphc.ops.fused import at_least_one
from graphc.ops.shape.shaping import broadcast_to, expand, reshape
from graphc.optimise.algebra.empty import vanishes

DEPTH = 6
"""What is looked at is so many arguments away, or nearer."""

_LINEAR = (times, over, negative, broadcast_to, expand, reshape)


@verified
def share_finitely(graph: Graph) -> Graph:
    """x / D -> x / max(D, 1) in what has no elements where D is 0. Exact."""

    def guard(node: Node, args: tuple[Node, ...]) -> Node:
        new = with_args(node, args)
        dims = new.type.size.constant is None and new.op is not RESULT
        return _make_finite(new, new.type.size, DEPTH) if dims else new

    roots = graph.results.values()
    new = rebuild(roots, guard)
    return graph if all(new[node] is node for node in roots) else map_graph(graph, new)


def _make_finite(node: Node, size: Dim, depth: int) -> Node:
    """Make a node, or an argument of it, finite where so many elements are none."""
    if node.rank and depth < DEPTH and vanishes(size, node.type.size):
        return node  # it has been looked at
    if node.op is over and node.args[1].op is DIM and vanishes(node.args[1].attrs["value"], size):
        return over(_make_finite(node.args[0], size, depth - 1), at_least_one(node.args[1]))
    if not depth or not (depth == DEPTH or node.op in _LINEAR):
        return node
    return with_args(node, tuple(_make_finite(arg, size, depth - 1) for arg in node.args))
