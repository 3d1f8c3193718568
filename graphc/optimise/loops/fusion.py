"""Loops as wholes: two that take the same steps become one; what nobody reads is dropped."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from graphc.ir.graph import Graph, Node, arguments_first, stamped, uses, with_args
from graphc.ir.loop import (
    LOOP,
    RESULT,
    STEPS,
    Loop,
    captures_of,
    inside_first,
    limit,
    loop_arguments,
    loop_of,
    loop_on,
    make_loop,
    result,
)
from graphc.ir.mapping import map_graph
from graphc.ir.rebuild import map_adjoints, rebuild
from graphc.ir.verify import verified
from graphc.records import replace

Group = tuple[Node, ...]
"""Loops that one loop computes, the first of them with all that it carries."""

Numbers = Callable[[Node, int], int]
"""The number that a result of a loop has in the loop that takes its place."""


@verified
def merge_loops(graph: Graph) -> Graph:
    """Loops that take the same steps become one that carries and collects what any of them does.

    The forward loop, the same with what the backward one reads, and the same with tangents
    beside its values are such loops. Those of one body are merged after the loops around them.
    """
    if not _has_loops(graph):
        return map_graph(graph, {node: node for node in graph.nodes})
    return map_graph(graph, _merge(graph.results.values()))


def _has_loops(graph: Graph) -> bool:
    return any(node.op is LOOP for node in graph.nodes)


def _merge(results: Iterable[Node], given: Collection[Node] = ()) -> dict[Node, Node]:
    """Merge loops in what the results reach beyond what is given, also inside loops."""
    results = list(results)
    groups = _groups(results, given)
    unions = {group: _union(group) for group in groups.values()}
    new = {node: node for node in given}
    for node in _groups_first(results, given, groups):
        with stamped(node.origin, node.place):
            if node.op is LOOP:
                group = groups[node]
                made = _with_body(group[0], unions[group], new)
                new.update(dict.fromkeys(group, made))
            elif node.op is RESULT:
                number = _number(node, unions[groups[node.args[0]]])
                new[node] = result(new[node.args[0]], number)
            else:
                new[node] = with_args(node, tuple(new[arg] for arg in node.args))
    return new


def _union(group: Group) -> Loop:
    """Return the first loop, collecting what any of them does."""
    first = loop_of(group[0])
    items = dict.fromkeys(item for node in group for item in loop_of(node).collected)
    return replace(first, collected=tuple(items))


def _number(node: Node, union: Loop) -> int:
    """Return the number of a loop's result in the union that takes its place."""
    number: int = node.attrs["number"]
    loop = loop_of(node.args[0])
    if number == STEPS:
        return number
    if number < len(loop.carried):
        return union.carried.index(loop.carried[number])
    return len(union.carried) + union.collected.index(loop.results[number])


def _groups_first(
    results: Iterable[Node], given: Collection[Node], groups: Mapping[Node, Group]
) -> Iterator[Node]:
    """Yield what results reach, nodes after their arguments; of a group of loops the first one.

    A group comes after the arguments of all of its loops.
    """
    seen: set[Node] = set(given)
    pending = list(results)[::-1]
    while pending:
        node = pending[-1]
        if node in seen:
            pending.pop()
            continue
        group = groups.get(node, (node,))
        missing = [arg for one in group for arg in one.args if arg not in seen]
        if missing:
            pending.extend(reversed(missing))
        else:
            seen.update(group)
            pending.pop()
            yield group[0]


def _with_body(node: Node, loop: Loop, new: dict[Node, Node]) -> Node:
    """Make a loop on the new arguments of a node, its body merged; its nodes are mapped too."""
    fixed = {n: n for n in loop.bound} | {n: new[n] for n in captures_of(loop)}
    moved = rebuild(loop.roots, with_args, fixed)
    merged = _merge([moved[n] for n in loop.roots], {*fixed.values()})
    body = {old: merged[one] for old, one in moved.items() if one in merged}
    new.update({old: one for old, one in body.items() if old not in new})
    both = {**new, **body}  # steps that go back say what they are of, in the forward ones
    step = replace(
        loop.map_roots(body),
        elements=tuple(
            replace(e, of=None if e.of is None else both.get(e.of, e.of)) for e in loop.elements
        ),
        adjoints=map_adjoints(loop.adjoints, both),
    )
    return loop_on(node, step, new)


def _groups(results: Sequence[Node], given: Collection[Node]) -> dict[Node, Group]:
    """For each loop those that one loop computes: the first takes the steps of all of them.

    A loop joins another that takes all its steps and carries no less, unless a third has to stand
    between the two, counting what has been joined so far (Kennedy and McKinley 1993: a path that
    prevents fusion).
    """
    needs = _needs(results, given)
    groups: dict[Node, Group] = {node: (node,) for node in needs}

    def leads(start: Group, end: Group) -> bool:
        """True if a group needs another."""
        seen = {start}
        pending = [start]
        while pending:
            group = pending.pop()
            above = {groups[loop] for node in group for loop in needs[node]} - seen
            if end in above:
                return True
            seen |= above
            pending += above
        return False

    alike: dict[Any, list[Node]] = {}
    for node in needs:
        alike.setdefault(_frame(node), []).append(node)
    for nodes in alike.values():
        parts = {node: _parts(node) for node in nodes}
        hosts: list[Node] = []
        for node in sorted(nodes, key=lambda node: -len(parts[node])):
            for host in hosts:
                wide, narrow = groups[host], groups[node]
                if parts[node] <= parts[host] and not (leads(wide, narrow) or leads(narrow, wide)):
                    groups.update(dict.fromkeys((*wide, node), (*wide, node)))
                    break
            else:
                hosts.append(node)
    return groups


def _needs(results: Iterable[Node], given: Collection[Node]) -> dict[Node, set[Node]]:
    """Map the loops that results reach to those that each reads without another between."""
    needs: dict[Node, set[Node]] = {}
    read: dict[Node, set[Node]] = {}
    for node in arguments_first(results, given):
        above: set[Node] = set()
        for arg in node.args:
            above |= {arg} if arg.op is LOOP else read.get(arg, set())
        (needs if node.op is LOOP else read)[node] = above
    return needs


def _frame(node: Node) -> Any:
    """Return a key of what two loops must share for one to take the steps of the other."""
    loop = loop_of(node)
    own = loop.carried[:1] or tuple(e.node for e in loop.elements[:1])
    return own, loop.index, loop.first, loop.count, loop.backwards, loop.until, limit(node)


def _parts(node: Node) -> set[Any]:
    """Return what a loop starts from, reads by position, and hands on."""
    loop = loop_of(node)
    initials, sources, _ = loop_arguments(node)
    carried = set(zip(loop.carried, loop.nexts, initials, strict=True))
    read = {(e.node, e.axis, source) for e, source in zip(loop.elements, sources, strict=True)}
    return carried | read


@verified
def prune_loops(graph: Graph) -> Graph:
    """Drop what a loop carries or collects and nothing reads."""
    while _has_loops(graph):
        read: dict[Node, set[int]] = {}
        for node in inside_first(graph.results.values()):
            if node.op is RESULT:
                found = read.setdefault(node.args[0], set())
                found.update({node.attrs["number"]} - {STEPS})
        kept = {node: _needed(loop_of(node), numbers) for node, numbers in read.items()}
        smaller = {
            node: _smaller(loop_of(node), alive)
            for node, alive in kept.items()
            if len(alive) < len(loop_of(node).results)
        }
        if not smaller:
            return graph
        graph = _replace_loops(graph, smaller, partial(_position, kept))
    return graph


def _position(kept: Mapping[Node, Sequence[int]], node: Node, number: int) -> int:
    return number if number == STEPS else kept[node].index(number)


def _ending(loop: Loop) -> list[Node]:
    return [] if loop.until is None else [loop.until]


def _needed(loop: Loop, read: set[int]) -> list[int]:
    """List the numbers of the results that are read, or carried into what is."""
    count = len(loop.carried)
    alive = set(read)
    while True:
        reached = set(uses([loop.results[i] for i in sorted(alive)] + _ending(loop)))
        more = {i for i in range(count) if loop.carried[i] in reached} - alive
        if not more:
            return sorted(alive)
        alive |= more


def _smaller(loop: Loop, alive: Sequence[int]) -> Loop:
    count = len(loop.carried)
    carried = [i for i in alive if i < count]
    reached = set(uses([loop.results[i] for i in alive] + _ending(loop)))
    return replace(
        loop,
        carried=tuple(loop.carried[i] for i in carried),
        nexts=tuple(loop.nexts[i] for i in carried),
        collected=tuple(loop.collected[i - count] for i in alive if i >= count),
        elements=tuple(e for e in loop.elements if e.node in reached),
    )


def _replace_loops(graph: Graph, loops: Mapping[Node, Loop], numbers: Numbers) -> Graph:
    """Put these loops in the place of others, their results renumbered."""
    new: dict[Node, Node] = {}
    made: dict[Node, Node] = {}
    for node in inside_first(graph.results.values()):
        old = node.args[0] if node.op is RESULT else node
        if node.op is not RESULT or old not in loops:
            continue
        if old not in made:
            loop = loops[old]
            initials, sources, _ = loop_arguments(old)
            before = loop_of(old)
            start = [i for c, i in zip(before.carried, initials, strict=True) if c in loop.carried]
            taken = [s for e, s in zip(before.elements, sources, strict=True) if e in loop.elements]
            steps = limit(old)
            limits = [] if steps is None else [steps]
            with stamped(old.origin, old.place):
                new.update(rebuild([*start, *taken, *limits, *loop.roots], with_args, new))
                made[old] = make_loop(
                    loop.map_roots(new),
                    [new[n] for n in start],
                    [new[n] for n in taken],
                    None if steps is None else new[steps],
                )
        new[node] = result(made[old], numbers(old, node.attrs["number"]))
    return map_graph(graph, rebuild(graph.results.values(), with_args, new))
