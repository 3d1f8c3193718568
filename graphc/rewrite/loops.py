"""Loops as wholes: two that take the same steps become one; what nobody reads is dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from graphc.graph import Graph, Node, arguments_first, dag, stamped, with_args
from graphc.loop import (
    LOOP,
    RESULT,
    STEPS,
    Loop,
    arguments,
    inside_first,
    limit,
    make_loop,
    rebuild,
    result,
)
from graphc.rewrite.mapping import mapped


def merge_loops(graph: Graph) -> Graph:
    """Loops that take the same steps become one that carries and collects what any of them does.

    The forward loop, the same with what the backward one reads, and the same with tangents
    beside its values are such loops, also inside the body of another one.
    """
    hosts = _hosts([n for n in inside_first(graph.results.values()) if n.op is LOOP])
    guests: dict[Node, list[Node]] = {}
    for node, host in hosts.items():
        guests.setdefault(host, []).append(node)
    unions = {
        host: replace(
            host.attrs["loop"],
            collected=tuple(dict.fromkeys(n for one in group for n in one.attrs["loop"].collected)),
        )
        for host, group in guests.items()
        if len(group) > 1
    }

    def numbers(node: Node, number: int) -> int:
        union = unions.get(hosts[node])
        if union is None or number == STEPS:
            return number
        loop: Loop = node.attrs["loop"]
        if number < len(loop.carried):
            same: int = union.carried.index(loop.carried[number])
            return same
        item: int = union.collected.index(loop.results[number])
        return len(union.carried) + item

    return _replaced(graph, unions, numbers, hosts) if unions else graph


def _hosts(loops: Sequence[Node]) -> dict[Node, Node]:
    """For each loop the one that takes all its steps and carries the most, perhaps itself."""
    alike: dict[Any, list[Node]] = {}
    for node in loops:
        alike.setdefault(_frame(node), []).append(node)
    hosts = {node: node for node in loops}
    for group in alike.values():
        widest = sorted(group, key=lambda node: -len(_parts(node)))
        for node in group:
            hosts[node] = next(
                host
                for host in widest
                if host is node
                or (_parts(node) <= _parts(host) and node not in arguments_first(host.args))
            )
    return hosts


def _frame(node: Node) -> Any:
    """What two loops must share for one to take the steps of the other."""
    loop: Loop = node.attrs["loop"]
    own = loop.carried[:1] or tuple(e.node for e in loop.elements[:1])
    return own, loop.index, loop.first, loop.count, loop.backwards, loop.until, limit(node)


def _parts(node: Node) -> set[Any]:
    """What a loop starts from, reads by position, and hands on."""
    loop: Loop = node.attrs["loop"]
    initials, sources, _ = arguments(node)
    carried = set(zip(loop.carried, loop.nexts, initials, strict=True))
    read = {(e.node, e.axis, source) for e, source in zip(loop.elements, sources, strict=True)}
    return carried | read


def prune_loops(graph: Graph) -> Graph:
    """What a loop carries or collects is dropped where nothing reads it."""
    while True:
        read: dict[Node, set[int]] = {}
        for node in inside_first(graph.results.values()):
            if node.op is RESULT:
                found = read.setdefault(node.args[0], set())
                found.update({node.attrs["number"]} - {STEPS})
        kept = {node: _kept(node.attrs["loop"], numbers) for node, numbers in read.items()}
        smaller = {
            node: _smaller(node.attrs["loop"], alive)
            for node, alive in kept.items()
            if len(alive) < len(node.attrs["loop"].results)
        }
        if not smaller:
            return graph
        graph = _replaced(graph, smaller, partial(_position, kept))


def _position(kept: Mapping[Node, Sequence[int]], node: Node, number: int) -> int:
    return number if number == STEPS else kept[node].index(number)


def _ending(loop: Loop) -> list[Node]:
    return [] if loop.until is None else [loop.until]


def _kept(loop: Loop, read: set[int]) -> list[int]:
    """The numbers of the results that are read, or carried into what is."""
    count = len(loop.carried)
    alive = set(read)
    while True:
        reached = set(dag([loop.results[i] for i in sorted(alive)] + _ending(loop)))
        more = {i for i in range(count) if loop.carried[i] in reached} - alive
        if not more:
            return sorted(alive)
        alive |= more


def _smaller(loop: Loop, alive: Sequence[int]) -> Loop:
    count = len(loop.carried)
    carried = [i for i in alive if i < count]
    reached = set(dag([loop.results[i] for i in alive] + _ending(loop)))
    return replace(
        loop,
        carried=tuple(loop.carried[i] for i in carried),
        nexts=tuple(loop.nexts[i] for i in carried),
        collected=tuple(loop.collected[i - count] for i in alive if i >= count),
        elements=tuple(e for e in loop.elements if e.node in reached),
    )


def _replaced(
    graph: Graph,
    loops: Mapping[Node, Loop],
    numbers: Any,
    hosts: Mapping[Node, Node] = MappingProxyType({}),
) -> Graph:
    """The graph with these loops in the place of others, their results renumbered.

    `loops` are by node; `hosts` says where another node's loop takes a node's place.
    """
    new: dict[Node, Node] = {}
    made: dict[Node, Node] = {}
    for node in inside_first(graph.results.values(), hosts):
        old = node.args[0] if node.op is RESULT else node
        host = hosts.get(old, old)
        if node.op is not RESULT or host not in loops:
            continue
        if host in made:
            new[node] = result(made[host], numbers(old, node.attrs["number"]))
            continue
        loop = loops[host]
        initials, sources, _ = arguments(host)
        before: Loop = host.attrs["loop"]
        start = [i for c, i in zip(before.carried, initials, strict=True) if c in loop.carried]
        taken = [s for e, s in zip(before.elements, sources, strict=True) if e in loop.elements]
        steps = limit(host)
        limits = [] if steps is None else [steps]
        with stamped(host.origin, host.index[0]):
            new.update(rebuild([*start, *taken, *limits, *loop.roots], with_args, new))
            made[host] = make_loop(
                replace(
                    loop,
                    nexts=tuple(new[n] for n in loop.nexts),
                    collected=tuple(new[n] for n in loop.collected),
                    until=None if loop.until is None else new[loop.until],
                ),
                [new[n] for n in start],
                [new[n] for n in taken],
                None if steps is None else new[steps],
            )
        new[node] = result(made[host], numbers(old, node.attrs["number"]))
    return mapped(graph, rebuild(graph.results.values(), with_args, new)) if new else graph
