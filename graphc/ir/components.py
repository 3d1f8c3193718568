"""Strongly connected components of small directed graphs, in an order that their edges allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import TypeVar

T = TypeVar("T")


def strongly_connected(edges: Mapping[T, Collection[T]]) -> Iterator[list[T]]:
    """Yield the components, each after those that lead to it, their nodes in the given order.

    Of several that may come next it is the one whose first node is given first. Two searches find
    them, the second against the edges (Sharir 1981).

    >>> list(strongly_connected({"a": "b", "b": "c", "c": "b", "d": "b"}))
    [['a'], ['d'], ['b', 'c']]
    """
    place = {node: number for number, node in enumerate(edges)}
    against: dict[T, list[T]] = {node: [] for node in edges}
    for node, ends in edges.items():
        for end in ends:
            against[end].append(node)
    of: dict[T, int] = {}
    members: dict[int, list[T]] = {}
    for start in reversed(list(_finished(edges, edges, {}))):
        found = sorted(_finished([start], against, of), key=place.__getitem__)
        if found:
            members[place[found[0]]] = found
            of.update(dict.fromkeys(found, place[found[0]]))
    leads = {
        one: {of[end] for node in nodes for end in edges[node]} - {one}
        for one, nodes in members.items()
    }
    missing = Counter(later for following in leads.values() for later in following)
    ready = [one for one in members if not missing[one]]
    heapify(ready)
    while ready:
        one = heappop(ready)
        yield members[one]
        for later in leads[one]:
            missing[later] -= 1
            if not missing[later]:
                heappush(ready, later)


def _finished(
    starts: Iterable[T], edges: Mapping[T, Collection[T]], done: Collection[T]
) -> Iterator[T]:
    """Yield what the starts lead to and is not done, in the order that a deep search leaves it."""
    seen = set(done)
    for start in starts:
        if start in seen:
            continue
        seen.add(start)
        pending = [(start, iter(edges[start]))]
        while pending:
            node, rest = pending[-1]
            following = next((end for end in rest if end not in seen), None)
            if following is None:
                pending.pop()
                yield node
            else:
                seen.add(following)
                pending.append((following, iter(edges[following])))
