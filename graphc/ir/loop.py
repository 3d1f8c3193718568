"""Graphs inside nodes: loops and stated derivatives; and rebuilding, which enters them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from graphc.ir.dims import Dim, sum_dims
from graphc.ir.graph import (
    Adjoint,
    Node,
    Op,
    arguments_first,
    intern,
    reachable,
)
from graphc.ir.kernel import SAME
from graphc.ir.memo import memoised
from graphc.ir.order import topological
from graphc.ir.sizes import at_most
from graphc.ir.types import Mismatch, Type, same, same_shape
from graphc.records import dataclass, field, replace


def _source(*, type: Type, **_: Any) -> Type:
    return type


BOUND = Op("bound", _source, None, lambda ct, node: (), "source", lambda node: Dim.of(0))
"""A carried value or an element, inside the body of its loop."""


@dataclass(frozen=True, slots=True)
class Element:
    """In step t, `node` is position t - first on one axis of a source, as long as the loop.

    `of` is the node of the forward step that a saved element brings back.
    """

    node: Node
    axis: int
    of: Node | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Loop:
    """`count` steps with the index first, first + 1, … (the last one first if `backwards`).

    A step computes `nexts` from the `carried` values and the `elements`, and `collected`, each
    of which is stacked by index on a new first axis. What else the body reads is captured: it
    does not change from step to step. The node's arguments are the first carried values, the
    elements' sources, if `limited` the number of steps to take, and what is captured.

    The step in which `until` is true is the last one: then no more than `count` steps are taken,
    and RESULT number STEPS says how many.
    """

    index: str
    first: Dim
    count: Dim
    backwards: bool
    carried: tuple[Node, ...]
    elements: tuple[Element, ...]
    nexts: tuple[Node, ...]
    collected: tuple[Node, ...]
    until: Node | None = None
    limited: bool = False
    adjoints: tuple[Adjoint, ...] = field(default=(), compare=False)

    @property
    def results(self) -> tuple[Node, ...]:
        return (*self.nexts, *self.collected)

    @property
    def follow(self) -> dict[Node, Node]:
        """Map each carried value to what it becomes."""
        return dict(zip(self.carried, self.nexts, strict=True))

    @property
    def roots(self) -> tuple[Node, ...]:
        """Return all that a step computes for."""
        return self.results if self.until is None else (*self.results, self.until)

    @property
    def bound(self) -> tuple[Node, ...]:
        return (*self.carried, *(element.node for element in self.elements))

    def map_roots(self, new: Mapping[Node, Node]) -> Loop:
        """Replace the nodes that a step computes for."""
        return replace(
            self,
            nexts=tuple(new[n] for n in self.nexts),
            collected=tuple(new[n] for n in self.collected),
            until=None if self.until is None else new[self.until],
        )


def all_steps(step: Dim, loop: Loop) -> Dim:
    """Return what all steps take together, where the index makes each as large as it gets."""
    return at_most(step, loop.index, loop.first, loop.count) * loop.count


def _loop_flops(node: Node) -> Dim:
    loop = loop_of(node)
    return all_steps(sum_dims(n.op.flops(n) for n in body(loop)), loop)


def _no_rule(ct: Node, node: Node) -> Sequence[Node | None]:
    raise AssertionError("calculus takes loops and stated derivatives apart itself")


LOOP = Op("loop", lambda *types, loop: Type("float"), None, _no_rule, "general", _loop_flops)
RESULT = Op("result", _source, None, _no_rule, "general", lambda node: Dim.of(0))
"""One of the values that a loop ends with: the carried ones, then the collected ones."""

_numbers: Iterator[int] = count()


def bound(name: str, type: Type) -> Node:
    """Make a new node that stands for a value inside a loop, unlike any other."""
    return intern(BOUND, (), {"name": name, "number": next(_numbers)}, type)


STEPS = -1


def loop_of(node: Node) -> Loop:
    """Return the loop of a LOOP node."""
    found: Loop = node.attrs["loop"]
    return found


def make_loop(
    loop: Loop, initials: Sequence[Node], sources: Sequence[Node], limit: Node | None = None
) -> Node:
    """Make the node of a loop; what its body captures becomes its further arguments."""
    for carried, initial, following in zip(loop.carried, initials, loop.nexts, strict=True):
        for what, node in (("starts as", initial), ("becomes", following)):
            if node.type.dtype != carried.type.dtype or not same_shape(node.shape, carried.shape):
                name = carried.attrs["name"]
                raise Mismatch("E311", f"carried `{name}` is {carried.type} but {what} {node.type}")
    for element, source in zip(loop.elements, sources, strict=True):
        assert same(source.shape[element.axis], loop.count), (source, loop.count)
    limits = () if limit is None else (limit,)
    loop = replace(loop, limited=limit is not None)
    args = (*initials, *sources, *limits, *captures_of(loop))
    return intern(LOOP, args, {"loop": loop}, Type("float"))


def loop_on(node: Node, loop: Loop, new: Mapping[Node, Node]) -> Node:
    """Make the node of a loop on what the arguments of a LOOP node have become."""
    initials, sources, _ = loop_arguments(node)
    steps = limit(node)
    steps = None if steps is None else new[steps]
    return make_loop(loop, [new[n] for n in initials], [new[n] for n in sources], steps)


def result(node: Node, number: int) -> Node:
    """Make the node of a value that a loop ends with."""
    return intern(RESULT, (node,), {"number": number}, result_type(loop_of(node), number))


def result_type(loop: Loop, number: int) -> Type:
    """Return the type of a value that a loop ends with."""
    if number == STEPS:
        return Type("int")
    if number < len(loop.carried):
        return loop.carried[number].type
    item = loop.collected[number - len(loop.carried)].type
    return item.with_shape((loop.count, *item.shape))


def loop_arguments(node: Node) -> tuple[tuple[Node, ...], tuple[Node, ...], tuple[Node, ...]]:
    """Split a loop's arguments: first carried values, sources of elements, what it captures."""
    loop = loop_of(node)
    carried, elements = len(loop.carried), len(loop.elements)
    args = node.args
    rest = args[carried + elements + loop.limited :]
    return args[:carried], args[carried : carried + elements], rest


def limit(node: Node) -> Node | None:
    """Return the number of steps that a loop is to take, where that is a value, else None."""
    loop = loop_of(node)
    return node.args[len(loop.carried) + len(loop.elements)] if loop.limited else None


def same_steps(node: Node) -> Any:
    """Return a key that is equal for loops that take the same steps, whatever they collect."""
    initials, sources, _ = loop_arguments(node)
    return initials, sources, limit(node), replace(loop_of(node), collected=(), adjoints=())


# ---- bodies -----------------------------------------------------------------------------------


def changing(roots: Iterable[Node], inside: Iterable[Node], index: str) -> set[Node]:
    """Collect what the roots reach that depends on nodes of the body or on the index."""
    changes = set(inside)
    for node in arguments_first(roots):
        if any(arg in changes for arg in node.args) or mentions(node, index):
            changes.add(node)
    return changes


def mentions(node: Node, index: str) -> bool:
    """True if a node names the index itself, in an attribute or its shape."""
    return index in symbols_of(node)


def symbols_of(node: Node) -> frozenset[str]:
    """Collect the symbols in a node's attributes and shape; a loop's own index is its own."""
    if not node.attrs and all(dim.constant is not None for dim in node.shape):
        return frozenset()
    return _symbols_of(node)


@memoised
def _symbols_of(node: Node) -> frozenset[str]:
    return frozenset(_symbols((*node.attrs.values(), node.shape)))


def _symbols(value: Any) -> Iterator[str]:
    if isinstance(value, Dim):
        yield from value.symbols
    elif isinstance(value, tuple):
        for item in value:
            yield from _symbols(item)
    elif isinstance(value, Loop):
        yield from value.first.symbols | value.count.symbols
        for node in body(value):
            yield from symbols_of(node) - {value.index}


@memoised
def captures_of(loop: Loop) -> tuple[Node, ...]:
    """Return the unchanging nodes that the body reads, by index."""
    changes = _changes(loop)
    read = {arg for node in changes for arg in node.args} | set(loop.roots)
    return tuple(sorted((n for n in read - changes if not n.static), key=lambda n: n.index))


@memoised
def body(loop: Loop) -> tuple[Node, ...]:
    """Return the nodes that each step computes, arguments first."""
    changes = _changes(loop)
    given = set(loop.bound) | set(captures_of(loop))
    return tuple(n for n in topological(loop.roots, given) if n in changes and n.op is not BOUND)


@memoised
def _changes(loop: Loop) -> set[Node]:
    """Collect what changes from step to step."""
    return changing(loop.roots, loop.bound, loop.index)


def everywhere(roots: Iterable[Node]) -> tuple[Node, ...]:
    """Return every node that the roots reach, also inside loops and rules, however deep."""
    return _everywhere(tuple(roots))


@memoised
def _everywhere(roots: tuple[Node, ...]) -> tuple[Node, ...]:
    found: dict[Node, None] = {}
    pending = list(reversed(reachable(roots)))
    while pending:
        node = pending.pop()
        if node in found:
            continue
        found[node] = None
        if node.op is LOOP:
            pending.extend(reversed(body(loop_of(node))))
        elif node.op is RULED:
            pending.extend(reversed(reachable(rule_of(node).stated)))
    return tuple(found)


def inside_first(roots: Iterable[Node]) -> Iterator[Node]:
    """Yield every node that the roots reach, also inside loops: after arguments and body."""
    seen: set[Node] = set()
    pending = list(roots)[::-1]
    while pending:
        node = pending[-1]
        if node in seen:
            pending.pop()
            continue
        below = [*node.args, *(loop_of(node).roots if node.op is LOOP else ())]
        missing = [one for one in below if one not in seen]
        if missing:
            pending.extend(reversed(missing))
        else:
            seen.add(node)
            yield pending.pop()


# ---- rules ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """A derivative that the user states, in terms of bound nodes.

    `places` stand for the arguments that it covers, `value` for the value. `pulled` are what flows
    back to the places from `cotangent`, None where only the forward rule says it; `pushed` is the
    tangent of the value by `tangents`, those of the places, None where only `pulled` says it.
    Whatever else these read is captured. A `surrogate` is meant to differ from the true derivative.
    """

    value: Node
    places: tuple[Node, ...]
    cotangent: Node
    pulled: tuple[Node | None, ...]
    tangents: tuple[Node, ...]
    pushed: Node | None
    surrogate: bool

    @property
    def bound(self) -> tuple[Node, ...]:
        return (self.value, *self.places, self.cotangent, *self.tangents)

    @property
    def stated(self) -> tuple[Node, ...]:
        """Return every expression of the rule."""
        return tuple(one for one in (*self.pulled, self.pushed) if one is not None)


RULED = Op(
    "ruled",
    lambda *types, rule: types[0],
    SAME,
    _no_rule,
    "general",
    lambda node: Dim.of(0),
    view_of=0,
)
"""A value whose derivative by some arguments the user states; the first argument is the value."""


def rule_of(node: Node) -> Rule:
    """Return the rule of a RULED node."""
    found: Rule = node.attrs["rule"]
    return found


def ruled_arguments(node: Node) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """Split a ruled node's arguments behind its value: those with a rule, and what it captures."""
    end = 1 + len(rule_of(node).places)
    return node.args[1:end], node.args[end:]


def attach_rule(value: Node, arguments: Sequence[Node], rule: Rule, salt: str = "") -> Node:
    """Give a value this rule for these arguments."""
    changes = changing(rule.stated, rule.bound, "")
    read = {arg for node in changes for arg in node.args} | set(rule.stated)
    rest = tuple(sorted((n for n in read - changes if not n.static), key=lambda n: n.index))
    return intern(RULED, (value, *arguments, *rest), {"rule": rule}, value.type, salt)
