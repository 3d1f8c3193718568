"""Exponentials so small that computing with them is slow become 0 on their way to gradients.

Below about 1e-308 (1e-38 in float32) floats lose digits, and what computes with them takes up to
ten times as long. Softmax and its kin make many of them, each beside one near 1, and in sums of
what is linear in them they do not show.
"""

from __future__ import annotations

from collections import defaultdict

from graphc.ir.graph import Graph, Node, with_args
from graphc.ir.mapping import map_graph
from graphc.ir.rebuild import rebuild
from graphc.ir.verify import verified
from graphc.ops.elementwise.arithmetic import minus, negative, over, plus, times
from graphc.ops.elementwise.elementary import exp
from graphc.ops.fused import LARGEST, TINY, entries_added, limit, vdot, vecdot
from graphc.ops.linear.products import matmul
from graphc.ops.reduce.reduction import sum_
from graphc.ops.shape.shaping import expand, in_rows, reshape, transpose

LINEAR = frozenset({plus, minus, negative, times, matmul, vdot, vecdot, entries_added})
SUMS = frozenset({matmul, vdot, vecdot, sum_})

Users = dict[Node, list[Node]]


@verified
def flush(graph: Graph) -> Graph:
    """exp(x - max x) -> itself + TINY - TINY, where it is a factor of what sums are made of.

    Not exact: off by up to 1e-306 (1e-35 in float32) of the largest exponential, which is 1. Where
    anything but linear operations reads it later it stays: a logarithm would see the difference.
    """
    nodes = graph.nodes
    shifted = [node for node in nodes if _is_shifted(node)]
    if not shifted:
        return graph
    users: Users = defaultdict(list)
    for node in nodes:
        for arg in node.args:
            users[arg].append(node)
    results = set(graph.results.values())
    chosen = {
        factor: node
        for node in shifted
        for factor in users[node]
        if factor.op is times and _goes_to_sums(factor, users, results)
    }
    if not chosen:
        return graph

    def flushed(node: Node, args: tuple[Node, ...]) -> Node:
        small = chosen.get(node)
        if small is None:
            return with_args(node, args)
        tiny = limit(**TINY)
        new = (
            minus(plus(arg, tiny), tiny) if before is small else arg
            for before, arg in zip(node.args, args, strict=True)
        )
        return with_args(node, tuple(new))

    return map_graph(graph, rebuild(graph.results.values(), flushed))


def _is_shifted(node: Node) -> bool:
    """Is it the exponential of differences from the largest element?"""
    if node.op is not exp or node.args[0].op is not minus:
        return False
    shift = node.args[0].args[1]
    while shift.op in (expand, reshape, transpose, in_rows):
        shift = shift.args[0]
    return any(arg.op is limit and arg.attrs == LARGEST for arg in shift.args)


def _goes_to_sums(factor: Node, users: Users, results: set[Node]) -> bool:
    """Is all that depends on it linear in it, and each result a sum, or a product of matrices?"""
    pending, seen = [(factor, False)], {(factor, False)}
    while pending:
        node, summed = pending.pop()
        if node in results and not summed:
            return False
        for user in users[node]:
            if not _is_linear(user, node):
                return False
            following = user, summed or user.op in SUMS
            if following not in seen:
                seen.add(following)
                pending.append(following)
    return True


def _is_linear(user: Node, node: Node) -> bool:
    if user.op is over:
        return user.args[1] is not node
    return user.op in LINEAR or user.op.structure == "linear"
