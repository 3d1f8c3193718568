"""Which nodes of a graph are steps of a derivation, and what they are called."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count

from graphc.ir.graph import SOURCES, Node, reaches_source
from graphc.ir.loop import BOUND, LOOP, RESULT, RULED, loop_arguments, loop_of
from graphc.ir.order import topological
from graphc.records import dataclass, field

LONGEST = 8
"""Operations of one step; what has more is taken apart, as every step is at the finest level."""


@dataclass(slots=True)
class Labels:
    """The names that nodes go by; those without one get `v1`, `v2`, … as they come."""

    names: Mapping[Node, str]
    fine: bool
    taken: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _found: dict[Node, str] = field(default_factory=dict)
    _inside: dict[tuple[Node, int | str], str] = field(default_factory=dict)

    def index(self, loop: Node) -> str:
        """Return what the index of a loop goes by: its own name, if no other loop has that."""
        return self._apart((loop, "index"), loop_of(loop).index)

    def carried(self, loop: Node) -> list[str]:
        """Return what the carried values of a loop go by, unlike those of others."""
        names = [str(one.attrs["name"]) for one in loop_of(loop).carried]
        return [self._apart((loop, place), own) for place, own in enumerate(names)]

    def _apart(self, key: tuple[Node, int | str], own: str) -> str:
        """Return a name that nothing else in a loop has, its own if it can be."""
        if key not in self._inside:
            others = (f"{own}_{number}" for number in count(2))
            known = set(self._inside.values())
            free = (one for one in others if one not in known and one not in self.taken)
            self._inside[key] = own if own not in known else next(free)
        return self._inside[key]

    def name(self, node: Node) -> str:
        if node.op is LOOP:
            return f"loop over {node.attrs['loop'].index}"
        known = self.names.get(node) or self._found.get(node)
        if known is None:
            known = next(n for i in self._numbers if (n := f"v{i}") not in self.taken)
            self._found[node] = known
        return known


def stations(roots: Sequence[Node], given: Collection[Node], labels: Labels) -> tuple[Node, ...]:
    """Return the nodes that are steps: what has a name, what is shared, what is long.

    Loops are one, and so is each of their results; numbers that are known when compiling, and what
    is made of them alone, are written where they are read.
    """
    order = [node for node in topological(roots, set(given)) if not node.static]
    readers = _readers(order, given)
    varies: set[Node] = set()
    found: dict[Node, None] = {}
    weights: dict[Node, int] = {}
    ends = set(roots) | {a for n in order if n.op is LOOP for a in n.args if reaches_source(a)}
    for node in order:
        if node.op in (*SOURCES, BOUND) or node in given or any(a in varies for a in node.args):
            varies.add(node)
        weight = weight_of(node) + sum(weights[a] for a in node.args if a in weights)
        shared = readers.get(node, 0) > 1 and weight_of(node) > 0
        long = weight > LONGEST or (labels.fine and weight_of(node) > 0)
        if (
            node in given
            or node in ends
            or node in labels.names
            or node.op in (*SOURCES, BOUND, LOOP, RESULT, RULED)
            or (node in varies and node.args and (shared or long))
        ):
            found[node] = None
            weight = 0
        if node in varies:
            weights[node] = weight
    return tuple(found)


def _readers(order: Iterable[Node], given: Collection[Node]) -> dict[Node, int]:
    """Count the nodes that read each node."""
    readers: dict[Node, int] = {}
    for node in order:
        for arg in () if node in given else set(node.args):
            readers[arg] = readers.get(arg, 0) + 1
    return readers


def weight_of(node: Node) -> int:
    """Return what an operation adds to the length of a formula: nothing, where it shows in none."""
    plain = node.op.view_of is not None or node.op.name in ("cast_float", "stop", "held")
    return 0 if not node.args or plain else 1


def below(args: Iterable[Node], steps: Collection[Node]) -> tuple[Node, ...]:
    """Return the steps that operands are computed of, by index."""
    found: dict[Node, None] = {}
    pending = list(args)
    seen: set[Node] = set()
    while pending:
        one = pending.pop()
        if one in seen:
            continue
        seen.add(one)
        if one in steps:
            found[one] = None
        else:
            pending.extend(one.args)
    return tuple(sorted(found, key=lambda one: one.index))


def read_by(end: Node) -> tuple[Node, ...]:
    """Return the arguments of a loop that reach a RESULT of it, in some step, through floats."""
    node = end.args[0]
    loop = loop_of(node)
    initials, sources, captured = loop_arguments(node)
    number = end.attrs["number"]
    pending = [loop.results[number], *loop.carried[number : number + 1]]
    found: set[Node] = set()
    while pending:
        one = pending.pop()
        if one in found:
            continue
        found.add(one)
        if one.type.dtype != "float":
            continue
        if one in loop.follow:
            pending.append(loop.follow[one])
        elif one not in captured:
            pending += read_by(one) if one.op is RESULT else one.args
    inside = (*loop.carried, *(element.node for element in loop.elements), *captured)
    outside = (*initials, *sources, *captured)
    return tuple(arg for arg, one in zip(outside, inside, strict=True) if one in found)


def children_of(parents: Mapping[Node, Iterable[Node]]) -> dict[Node, list[Node]]:
    """Turn each edge from a node to what it is computed of around."""
    children: dict[Node, list[Node]] = {}
    for child, below_ in parents.items():
        for parent in below_:
            children.setdefault(parent, []).append(child)
    return children


def reached(start: Node, onward: Mapping[Node, Iterable[Node]]) -> set[Node]:
    """Collect what edges lead to from a node, and that node."""
    found = {start}
    pending = [start]
    while pending:
        for one in onward.get(pending.pop(), ()):
            if one not in found:
                found.add(one)
                pending.append(one)
    return found
