"""Which nodes of a graph are boxes of its picture, and which boxes each is made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from graphc.ir.dims import Dim
from graphc.ir.graph import SOURCES, Node
from graphc.ir.loop import LOOP, RESULT, STEPS, body, loop_arguments, loop_of
from graphc.ir.order import topological
from graphc.ir.types import same
from graphc.ops.shape.shaping import index
from graphc.paths import is_family
from graphc.records import dataclass, field
from graphc.views.explain.stations import weight_of

Place = Dim | str
"""A position on an axis, or the text of a slice."""
WHOLE = ":"


@dataclass(frozen=True, slots=True)
class Selection:
    """Places on the axes of a node, chosen by the steps of loops."""

    of: Node
    places: tuple[Place, ...]
    loops: tuple[Node, ...]

    @property
    def subscript(self) -> str:
        """Write the places; whole axes behind the others go without saying."""
        texts = [str(place) for place in self.places]
        while texts and texts[-1] == WHOLE:
            texts.pop()
        return ", ".join(texts)

    @property
    def is_step(self) -> bool:
        """True for what is at the index of each loop, and otherwise whole."""
        steps = [Dim.symbol(loop_of(loop).index) for loop in self.loops]
        return all(place == WHOLE or place in steps for place in self.places)


def _inside(node: Node, places: Sequence[Place]) -> tuple[Place, ...] | None:
    """Return places of a subscript as those of what it is of; None for a slice of a slice."""
    found: list[Place] = []
    rest = iter(places)
    for (kind, value), size in zip(node.attrs["items"], node.args[0].shape, strict=True):
        if kind == "at":
            found.append(value)
            continue
        (start, length, step), place = value, next(rest)
        if isinstance(place, Dim):
            found.append(start + place * step)
        elif step == 1 and same(length, size):
            found.append(place)
        elif place == WHOLE and step > 0:
            found.append(f"{start}:{start + length * step}" + (f":{step}" if step > 1 else ""))
        else:
            return None
    return tuple(found)


@dataclass(slots=True)
class Values:
    """The boxes in the order computed, those of loops among the others.

    `loops` are those around a box, the outermost first. `starts` has what a carried value is
    before the first step, `elements` what an element is a position of, `results` what a step
    computes of a result of a loop, `returns` what it computes of a carried value; `axes` has the
    axis of an element in what it is a position of, and its loop. Members of `families` are
    counted as the steps are.
    """

    boxes: dict[Node, None] = field(default_factory=dict)
    loops: dict[Node, tuple[Node, ...]] = field(default_factory=dict)
    starts: dict[Node, Node] = field(default_factory=dict)
    elements: dict[Node, Node] = field(default_factory=dict)
    results: dict[Node, Node] = field(default_factory=dict)
    returns: dict[Node, Node] = field(default_factory=dict)
    axes: dict[Node, tuple[int, Node]] = field(default_factory=dict)
    families: frozenset[Node] = frozenset()

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

    def part(self, operand: Node) -> Selection:
        """Return what an operand is a part of, followed through elements and subscripts."""
        of, loops = operand, []
        places: tuple[Place, ...] = (WHOLE,) * of.rank
        while of not in self.boxes:
            if of in self.elements:
                axis, node = self.axes[of]
                loop = loop_of(node)
                of = self.elements[of]
                first = 0 if of in self.families else loop.first
                places = (*places[:axis], Dim.symbol(loop.index) - first, *places[axis:])
                loops.append(node)
            else:
                inside = _inside(of, places) if of.op is index and loops else None
                if inside is None:
                    break
                (of,), places = of.args, inside
        return Selection(of, places, tuple(loops))

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
    several others or add up, and what many read.
    """
    found = Values(families=frozenset(node for node, path in names.items() if is_family(path)))
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
            or _is_hub(node, readers.get(node, ()))
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
        found.axes[element.node] = element.axis, node
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


HUB = 3
"""How many read a value without a name that is a box of its own, if it is no short formula."""


def _is_hub(node: Node, readers: Sequence[Node]) -> bool:
    """True for a value without a name, of several operations, that many read: gates share one."""
    if len(readers) < HUB or not weight_of(node) or not node.rank:
        return False
    return any(weight_of(arg) for arg in node.args if not arg.static)


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
