"""The memory of a graph's values: how much of it lives at each statement, and what that is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import (
    CONSTANT,
    COTANGENT,
    INPUT,
    PARAMETER,
    TANGENT,
    Graph,
    Node,
)
from graphc.ir.loop import BOUND, LOOP, RESULT, Loop, body, loop_arguments, loop_of
from graphc.ir.order import topological
from graphc.ir.types import Type, type_bytes
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.shape.shaping import full_array
from graphc.ops.storage import holder, results_to_copy, seen_in
from graphc.ops.workspace import NOTHING, whole_arrays
from graphc.records import dataclass, field, replace

NOWHERE = frozenset({INPUT, PARAMETER, BOUND, CONSTANT, LOOP})
"""Operations that take no memory themselves."""

COPIED_AT_ENTRY = (COTANGENT, TANGENT)
"""Of these a function has copies, for as long as it runs."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What bytes depend on: the sizes of the dims, the bytes of a float, and who writes in place.

    `in_place` says that an elementwise result takes the memory of an operand that dies there.
    """

    dims: Mapping[str, int]
    width: int = 8
    in_place: bool = False
    found: dict[Any, int] = field(default_factory=dict, compare=False, repr=False)

    def of(self, node: Node) -> int:
        """Return the bytes that making a node takes; KeyError where a dim has no size."""
        known = self.found.get(node)
        if known is None:
            known = 0 if takes_nothing(node) else self.of_type(node.type)
            self.found[node] = known
        return known

    def meanwhile(self, node: Node) -> int:
        """Return the bytes that a node holds while it is computed, beside its result."""
        key = whole_arrays, node
        known = self.found.get(key)
        if known is None:
            held = NOTHING if node.static else whole_arrays(node, self._bytes)
            known = self.found[key] = held.evaluate(self.dims)
        return known

    def _bytes(self, node: Node) -> Dim:
        return type_bytes(node.type, self.width) if node.rank else NOTHING

    def of_type(self, type: Type) -> int:
        """Return the bytes of an array of this type."""
        known = self.found.get(type)
        if known is None:
            known = type_bytes(type, self.width).evaluate(self.dims)
            self.found[type] = known
        return known

    def inside(self, loop: Loop) -> Sizes:
        """Return the sizes in the last step of a loop, whose index may be part of a shape."""
        last = (loop.first + loop.count).evaluate(self.dims) - 1
        return Sizes({**self.dims, loop.index: last}, self.width, self.in_place, self.found)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A value that takes memory, from the statement that makes it to the last that reads it."""

    node: Node
    bytes: int
    born: int
    last: int


@dataclass(frozen=True, slots=True)
class Liveness:
    """A graph's statements in order, the bytes alive in each, and the values by their memory.

    `end` is what is alive where the function returns.
    """

    order: tuple[Node, ...]
    live: tuple[int, ...]
    spans: tuple[Lifetime, ...]
    end: int

    @property
    def peak(self) -> int:
        return max(self.end, *self.live) if self.live else self.end

    @property
    def highest(self) -> int:
        """Return the first statement in which most is alive."""
        return self.live.index(max(self.live)) if self.live else 0

    def across(self, place: int) -> list[Lifetime]:
        """List what is alive before a statement and after it."""
        return [one for one in self.spans if one.born < place < one.last]


def takes_nothing(node: Node) -> bool:
    """True for a view, a number of Python, or somebody else's memory."""
    return node.op in NOWHERE or node.static or seen_in(node) is not None


def liveness(
    graph: Graph,
    sizes: Sizes,
    kept: Collection[Node] = (),
    given: Collection[Node] = (),
    first: Collection[Node] = (),
) -> Liveness:
    """Compute the liveness of a function: inputs, parameters and what is `given` are the caller's.

    Results and `kept` live to the end. Statements are in the order of `plan`: arguments first,
    else as made; those in `first` before all others. KeyError where a dim that matters has no
    size.
    """
    ends = [*graph.results.values(), *kept]
    order = [node for node in topological(ends, given) if node not in given]
    if first:
        order.sort(key=lambda node: node not in first)
    live = _sweep(order, ends, sizes)
    copied = [graph.results[key] for key in results_to_copy(graph.results, kept)]
    copied += [node for node in kept if not node.args]
    return replace(live, end=live.end + sum(sizes.of_type(node.type) for node in copied))


def _sweep(
    order: Sequence[Node], ends: Iterable[Node], sizes: Sizes, grown: Collection[Node] = ()
) -> Liveness:
    """`grown` are sums that are added to in place."""
    place = {node: number for number, node in enumerate(order)}
    size = {node: 0 if node in grown else sizes.of(node) for node in order}
    last = _last_uses(order, place, ends)
    change = [0] * (len(order) + 2)
    spans = []
    read: dict[Node, set[int]] = {node: set() for node in order if node.op is LOOP}
    for node in order:
        if node.op is RESULT and node.args[0] in read:
            read[node.args[0]].add(node.attrs["number"])
    inside = {
        node: _inside(node, place[node], numbers, last, sizes) for node, numbers in read.items()
    }
    for node in order:
        if not size[node]:
            continue
        born = place[node.args[0] if node.op is RESULT else node]
        end = max(last[node], born)
        spans.append(Lifetime(node, size[node], born, end))
        taken = sizes.in_place and _takes(node, born, last, size)
        change[born + taken] += size[node]
        change[end + 1] -= size[node]
    live, total = [], 0
    for number, node in enumerate(order):
        total += change[number]
        live.append(total + inside.get(node, 0) + sizes.meanwhile(node))
    end = sum(one.bytes for one in spans if one.last == len(order))
    return Liveness(tuple(order), tuple(live), tuple(spans), end)


def _last_uses(
    order: Sequence[Node], place: Mapping[Node, int], ends: Iterable[Node]
) -> dict[Node, int]:
    """For what holds memory the last statement that reads it, perhaps by a view."""
    last = {node: place[node] for node in order}
    for node in order:
        for arg in node.args:
            whole = holder(arg)
            if whole in place:
                last[whole] = max(last[whole], place[node])
    last.update((holder(node), len(order)) for node in ends)
    last.update((node, len(order)) for node in order if node.op in COPIED_AT_ENTRY)
    return last


def _takes(node: Node, at: int, last: Mapping[Node, int], size: Mapping[Node, int]) -> bool:
    """True if the result takes the memory of an operand that dies with it."""
    if node.op.structure != "elementwise" and node.op is not accumulate:
        return False
    dying = (arg for arg in node.args if last.get(arg) == at and seen_in(arg) is None)
    return any(size.get(arg) == size[node] for arg in dying)


def _inside(node: Node, at: int, read: Collection[int], last: dict[Node, int], sizes: Sizes) -> int:
    """Return the bytes of a loop beyond what it hands on: a step, and what is carried unread.

    A carried value takes the memory that it starts from where that is its own.
    """
    loop = loop_of(node)
    initials, _, _ = loop_arguments(node)
    within = sizes.inside(loop)
    key = ("step", node)
    if key not in sizes.found:
        sizes.found[key] = _step(loop, within)
    taken = sizes.found[key]
    for number, (carried, initial) in enumerate(zip(loop.carried, initials, strict=True)):
        if number not in read:
            taken += within.of_type(carried.type)
        own = sizes.in_place or loop.backwards or initial.op is full_array
        if own and last.get(initial) == at and initials.count(initial) == 1:
            last[initial] = at - 1
    return taken


def _step(loop: Loop, sizes: Sizes) -> int:
    """Return the peak of one step, beyond what is carried."""
    grown = {
        following
        for carried, following in zip(loop.carried, loop.nexts, strict=True)
        if following.op is accumulate and following.args[0] is carried
    }
    return _sweep(body(loop), loop.roots, sizes, grown).peak
