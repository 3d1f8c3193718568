"""Loops as wholes: two that take the same steps become one; what nobody reads is dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from graphc.graph import Graph, Node, arguments_first, dag, with_args
from graphc.loop import LOOP, RESULT, STEPS, Loop, arguments, limit, make_loop, rebuild, result
from graphc.rewrite.mapping import mapped


def merge_loops(graph: Graph) -> Graph:
    """Loops that take the same steps and collect different values become one that collects all.

    The forward loop and the same loop with what the backward one reads are such a pair.
    """
    groups: dict[Any, list[Node]] = {}
    for node in _loops(graph.results.values()):
        groups.setdefault(_steps(node), []).append(node)
    chosen = {node: group for group in groups.values() if len(group) > 1 for node in group}
    unions = {
        node: tuple(dict.fromkeys(n for one in group for n in one.attrs["loop"].collected))
        for node, group in chosen.items()
    }

    def numbers(node: Node, number: int) -> int:
        loop: Loop = node.attrs["loop"]
        if node not in unions or number < len(loop.carried):  # also STEPS
            return number
        item = loop.collected[number - len(loop.carried)]
        return len(loop.carried) + unions[node].index(item)

    loops: dict[Node, Loop] = {
        node: replace(node.attrs["loop"], collected=union) for node, union in unions.items()
    }
    return _replaced(graph, loops, numbers)


def prune_loops(graph: Graph) -> Graph:
    """What a loop carries or collects is dropped where nothing reads it."""
    while True:
        read: dict[Node, set[int]] = {}
        for node in graph.nodes:
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


def _loops(results: Iterable[Node]) -> list[Node]:
    return [node for node in arguments_first(results) if node.op is LOOP]


def _steps(node: Node) -> Any:
    """What makes two loops take the same steps."""
    initials, sources, _ = arguments(node)
    return initials, sources, limit(node), replace(node.attrs["loop"], collected=(), adjoints=())


def _replaced(graph: Graph, loops: Mapping[Node, Loop], numbers: Any) -> Graph:
    """The graph with these loops in the place of others, their results renumbered."""
    new: dict[Node, Node] = {}
    made: dict[Node, Node] = {}
    for node in graph.nodes:
        if node.op is not RESULT or node.args[0] not in loops:
            continue
        old, loop = node.args[0], loops[node.args[0]]
        if old in made:
            new[node] = result(made[old], numbers(old, node.attrs["number"]))
            continue
        initials, sources, _ = arguments(old)
        before: Loop = old.attrs["loop"]
        start = [i for c, i in zip(before.carried, initials, strict=True) if c in loop.carried]
        taken = [s for e, s in zip(before.elements, sources, strict=True) if e in loop.elements]
        steps = limit(old)
        limits = [] if steps is None else [steps]
        new.update(rebuild([*start, *taken, *limits, *loop.roots], with_args, new))
        made[old] = make_loop(
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
        new[node] = result(made[old], numbers(old, node.attrs["number"]))
    return mapped(graph, rebuild(graph.results.values(), with_args, new)) if new else graph
