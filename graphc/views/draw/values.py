"""Which nodes of a graph are boxes of its picture, and which boxes each is made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from graphc.ir.graph import SOURCES, Node, topological
from graphc.ir.loop import LOOP, RESULT, STEPS, body, loop_arguments, loop_of
from graphc.views.explain.stations import weight_of


@dataclass(slots=True)
class Values:
    """The boxes in the order computed, those of loops among the others.

    `loops` are those around a box, the outermost first. `starts` has what a carried value is
    before the first step, `elements` what an element is a position of, `results` what a step
    computes of a result of a loop, `returns` what it computes of a carried value; `indices` are
    those of the loops of elements.
    """

    boxes: dict[Node, None] = field(default_factory=dict)
    loops: dict[Node, tuple[Node, ...]] = field(default_factory=dict)
    starts: dict[Node, Node] = field(default_factory=dict)
    elements: dict[Node, Node] = field(default_factory=dict)
    results: dict[Node, Node] = field(default_factory=dict)
    returns: dict[Node, Node] = field(default_factory=dict)
    indices: dict[Node, str] = field(default_factory=dict)

    def operands(self, box: Node) -> tuple[Node, ...]:
        """Return what the formula of a box is in terms of: boxes, elements, results; by index."""
        if box in self.starts:
            return self._ends([self.starts[box]])
        if box in self.results:
            return self._ends([self.results[box]])
        return self._ends(box.args)

    def behind(self, operand: Node) -> tuple[Node, ...]:
        """Return the boxes that an operand is, or is part of."""
        found: dict[Node, None] = {}
        pending = [operand]
        while pending:
            one = pending.pop()
            if one in self.boxes:
                found[one] = None
            else:
                inner = self.elements.get(one) or self.results.get(one)
                pending += self._ends(one.args if inner is None else [inner])
        return tuple(found)

    def _ends(self, nodes: Iterable[Node]) -> tuple[Node, ...]:
        found: dict[Node, None] = {}
        seen: set[Node] = set()
        pending = list(nodes)
        while pending:
            one = pending.pop()
            if one in seen or (one.static and one not in self.boxes):
                continue
            seen.add(one)
            if one in self.boxes or one in self.elements or one in self.results:
                found[one] = None
            else:
                pending += one.args
        return tuple(sorted(found, key=lambda one: one.index))


def values_of(roots: Sequence[Node], names: Mapping[Node, str], every: bool) -> Values:
    """Find the boxes that the roots need: what the file names; every operation, if so asked.

    Beside these what enters and leaves a step of a loop, and what stages of a chain hand on to
    several others or add up.
    """
    found = Values()
    _region(found, [*topological(roots)], (), set(roots), names, every)
    return found


def _region(
    found: Values,
    order: Sequence[Node],
    around: tuple[Node, ...],
    ends: Collection[Node],
    names: Mapping[Node, str],
    every: bool,
) -> None:
    readers: dict[Node, list[Node]] = {}
    for node in order:
        for arg in dict.fromkeys(node.args):
            readers.setdefault(arg, []).append(node)
    for node in order:
        if node.op is LOOP:
            _loop(found, node, around, names, every)
            continue
        if node.op is RESULT:
            found.results[node] = _end_of(node)
        if (
            node in names
            or node.op in SOURCES
            or (node in ends and (weight_of(node) or node.op is RESULT or node.static))
            or (every and weight_of(node) and node.op is not RESULT)
            or _is_stage(node, readers.get(node, ()))
        ) and (node in ends or not node.static):
            found.boxes[node] = None
            found.loops[node] = around


def _loop(
    found: Values, node: Node, around: tuple[Node, ...], names: Mapping[Node, str], every: bool
) -> None:
    loop = loop_of(node)
    initials, sources, _ = loop_arguments(node)
    for carried, start, following in zip(loop.carried, initials, loop.nexts, strict=True):
        found.boxes[carried] = None
        found.loops[carried] = (*around, node)
        found.starts[carried] = start
        found.returns[carried] = following
    for element, source in zip(loop.elements, sources, strict=True):
        found.elements[element.node] = source
        found.indices[element.node] = loop.index
    _region(found, body(loop), (*around, node), set(loop.roots), names, every)


def _end_of(result: Node) -> Node:
    """Return what a step computes for a result of a loop."""
    loop, number = loop_of(result.args[0]), result.attrs["number"]
    if number == STEPS:
        return loop.nexts[0] if loop.until is None else loop.until
    computed: Node = loop.results[number]
    return computed


def _is_stage(node: Node, readers: Sequence[Node]) -> bool:
    """True for a value without a name between stages of a chain, which several others read."""
    if node.origin is None or not node.args or not weight_of(node):
        return False
    adds = node.op.name == "+" and any(
        one.op.name != "+" or one.origin != node.origin for one in readers
    )
    return (adds or len(readers) > 1) and is_chain(node.origin.span.text)


@lru_cache(maxsize=4096)
def is_chain(text: str) -> bool:
    """True for the text of a chain: an arrow outside of strings and brackets, and no equation.

    >>> is_chain("x -> dense(3)"), is_chain("y = rearrange(x, 'a b -> b a')")
    (True, False)
    """
    depth, quote = 0, ""
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif not depth and character == "=":
            return False
        elif not depth and text.startswith("->", place):
            return True
    return False
