"""The order of a graph: nodes behind their arguments, those made first before others."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from heapq import heapify, heappop, heappush
from operator import attrgetter

from graphc.ir.graph import Node


def topological(results: Iterable[Node], given: Container[Node] = ()) -> Iterator[Node]:
    """Yield the nodes of `uses`, arguments before nodes; ties in the order of making."""
    found: set[Node] = set()
    pending = list(results)
    while pending:
        node = pending.pop()
        if node not in found:
            found.add(node)
            if node not in given:
                pending += node.args
    in_order = sorted(found, key=_index)
    inner = (node for node in in_order if node not in given)
    if all(arg.index <= node.index for node in inner for arg in node.args):
        return iter(in_order)  # what is taken as soon as it is ready, the first made first
    return _by_readiness(in_order, given)


_index = attrgetter("index")


def _by_readiness(nodes: Iterable[Node], given: Container[Node]) -> Iterator[Node]:
    """Yield nodes as soon as their arguments are there; of those that can be the first made."""
    users: dict[Node, list[Node]] = {}
    missing: dict[Node, int] = {}  # by node, how many arguments have not been yielded
    for node in nodes:
        args = () if node in given else node.args
        missing[node] = len(args)
        for arg in args:
            users.setdefault(arg, []).append(node)
    ready = [(node.index, node) for node, count in missing.items() if not count]
    heapify(ready)
    while ready:
        _, node = heappop(ready)
        yield node
        for user in users.get(node, ()):
            missing[user] -= 1
            if not missing[user]:
                heappush(ready, (user.index, user))
