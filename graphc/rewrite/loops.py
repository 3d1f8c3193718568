"""Loops as wholes: two that take the same steps become one; what nobody reads is dropped."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
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
    moved_adjoints,
    rebuild,
    result,
)
from graphc.rewrite.mapping import mapped

Numbers = Callable[[Node, int], int]
"""The number that a result of a loop has in the loop that takes its place."""


def merge_loops(graph: Graph) -> Graph:
    """Loops that take the same steps become one that carries and collects what any of them does.

    The forward loop, the same with what the backward one reads, and the same with tangents
    beside its values are such loops. Those of one body are merged after the loops around them.
    """
    return mapped(graph, _merged(graph.results.values()))


def _merged(results: Iterable[Node], given: Collection[Node] = ()) -> dict[Node, Node]:
    """What the results reach beyond what is given, also inside loops, with loops merged."""
    results = list(results)
    nodes = list(arguments_first(results, given))
    hosts = _hosts([node for node in nodes if node.op is LOOP])
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

    known = {node: node for node in given}
    made = _made(_hosts_first(results, given, hosts), unions, numbers, hosts, known)
    new = rebuild(results, with_args, known | made)
    inside = dict(known)
    for node in arguments_first([new[n] for n in results], given):
        with stamped(node.origin, node.index[0]):
            args = tuple(inside[arg] for arg in node.args)
            if node.op is LOOP:
                inside[node] = _with_body(node, inside)
            elif node.op is RESULT:
                inside[node] = result(args[0], node.attrs["number"])
            else:
                inside[node] = with_args(node, args)
    return inside | {old: inside[one] for old, one in new.items() if one in inside}


def _hosts_first(
    results: Iterable[Node], given: Collection[Node], hosts: Mapping[Node, Node]
) -> Iterator[Node]:
    """What the results reach: each node after its arguments, each loop after its host."""
    seen: set[Node] = set(given)
    pending = list(results)[::-1]
    while pending:
        node = pending[-1]
        if node in seen:
            pending.pop()
            continue
        host = hosts.get(node, node)
        missing = [n for n in (*node.args, host) if n not in seen and n is not node]
        if missing:
            pending.extend(reversed(missing))
        else:
            seen.add(node)
            yield pending.pop()


def _with_body(node: Node, new: dict[Node, Node]) -> Node:
    """A loop on new arguments, with the loops of its body merged; its nodes are mapped too."""
    loop: Loop = node.attrs["loop"]
    initials, sources, outer = arguments(node)
    fixed = {n: n for n in loop.bound} | {n: new[n] for n in outer}
    moved = rebuild(loop.roots, with_args, fixed)
    merged = _merged([moved[n] for n in loop.roots], {*fixed.values()})
    body = {old: merged[one] for old, one in moved.items() if one in merged}
    new.update({old: one for old, one in body.items() if old not in new})
    steps = limit(node)
    return make_loop(
        replace(
            loop,
            nexts=tuple(body[n] for n in loop.nexts),
            collected=tuple(body[n] for n in loop.collected),
            until=None if loop.until is None else body[loop.until],
            adjoints=moved_adjoints(loop.adjoints, body),
        ),
        [new[n] for n in initials],
        [new[n] for n in sources],
        None if steps is None else new[steps],
    )


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


def _replaced(graph: Graph, loops: Mapping[Node, Loop], numbers: Numbers) -> Graph:
    """The graph with these loops in the place of others, their results renumbered."""
    new = _made(inside_first(graph.results.values()), loops, numbers, {}, {})
    return mapped(graph, rebuild(graph.results.values(), with_args, new))


def _made(
    nodes: Iterable[Node],
    loops: Mapping[Node, Loop],
    numbers: Numbers,
    hosts: Mapping[Node, Node],
    known: Mapping[Node, Node],
) -> dict[Node, Node]:
    """The results of loops that others take the place of, and what these are made of.

    `loops` are by node; `hosts` says where another node's loop takes a node's place.
    """
    new = dict(known)
    made: dict[Node, Node] = {}
    for node in nodes:
        old = node.args[0] if node.op is RESULT else node
        host = hosts.get(old, old)
        if node.op is not RESULT or host not in loops:
            continue
        if host not in made:
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
    return new
