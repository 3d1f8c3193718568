"""The verifier: checks what every pass may assume of a graph, and names the one that breaks it.

Under `GRAPHC_VERIFY=1`, as in the tests, each graph that a pass makes is verified.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from typing import ParamSpec, TypeVar

from graphc.ir.constants import number_of
from graphc.ir.graph import (
    CONSTANT,
    DIM,
    SOURCES,
    Adjoint,
    Graph,
    Node,
    arguments_first,
    intern,
)
from graphc.ir.loop import (
    BOUND,
    LOOP,
    RESULT,
    RULED,
    body,
    captures_of,
    limit,
    loop_arguments,
    loop_of,
    result_type,
    rule_of,
    ruled_arguments,
    symbols_of,
)
from graphc.ir.memo import memoised
from graphc.ir.results import Role
from graphc.ir.types import Mismatch, Type, demanding, same_shape
from graphc.records import dataclass

P = ParamSpec("P")
R = TypeVar("R")

SHOWN = 5
"""So many faults of a graph are told."""


class Broken(AssertionError):
    """A graph that is not well formed: a bug of the pass that made it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A node, and what is wrong with it."""

    node: Node
    message: str

    def __str__(self) -> str:
        origin = self.node.origin
        made = "" if origin is None else f"\n    made for {origin.span}: {origin.span.text}"
        return f"  {self.node!r}: {self.message}{made}"


def is_verifying() -> bool:
    """True if every graph is to be verified."""
    return os.environ.get("GRAPHC_VERIFY") == "1"


def verifying(
    graphs: Callable[[R], Iterable[Graph]],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate what makes something with these graphs: under `GRAPHC_VERIFY=1` all are verified."""

    def decorated(make: Callable[P, R]) -> Callable[P, R]:
        @wraps(make)
        def made(*args: P.args, **kwargs: P.kwargs) -> R:
            found = make(*args, **kwargs)
            if is_verifying():
                for graph in graphs(found):
                    verify(graph, make.__name__)
            return found

        return made

    return decorated


def verified(make: Callable[P, Graph]) -> Callable[P, Graph]:
    """Decorate what makes a graph: a pass, a derivative."""
    return verifying(_itself)(make)


def _itself(graph: Graph) -> tuple[Graph]:
    return (graph,)


def verify(graph: Graph, after: str) -> None:
    """Raise Broken where a graph is not well formed, in the name of the pass that it comes from."""
    found = list(dict.fromkeys(faults(graph)))
    if found:
        of = "both halves" if graph.role is Role.HALVES else f"`{graph.name}`"
        more = [f"  and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        told = "\n".join([*map(str, found[:SHOWN]), *more])
        raise Broken(f"after `{after}` the graph of {of} is not well formed:\n{told}")


def faults(graph: Graph) -> Iterator[Fault]:
    """Yield everything that is wrong with the nodes of a graph, its loops and its adjoints."""
    nodes = graph.nodes
    for node in nodes:
        yield from _faults_of(node)
    yield from _escapes(nodes)
    yield from _adjoint_faults(graph.adjoints)
    for node in (*graph.names, *graph.labels):
        yield from _stranger(node)


# ---- nodes ---------------------------------------------------------------------------------------


@memoised
def _faults_of(node: Node) -> tuple[Fault, ...]:
    """Return what is wrong with a node and inside of it, memoised."""
    if strange := _stranger(node):
        return strange
    if node.op is LOOP:
        return tuple(_loop_faults(node))
    if node.op is RULED:
        return tuple(_rule_faults(node))
    try:
        with demanding():
            type = _infer(node)
    except (Mismatch, AssertionError, ValueError, LookupError) as why:
        types = ", ".join(str(arg.type) for arg in node.args)
        return (Fault(node, f"cannot be of {types}: {why}"),)
    return () if _agree(type, node.type) else (Fault(node, f"is {type} by its own rule"),)


@memoised
def _stranger(node: Node) -> tuple[Fault, ...]:
    """Return a fault where a node is not the one of its structure in this compilation."""
    known = intern(node.op, node.args, node.attrs, node.type, node.salt) is node
    return () if known else (Fault(node, "is not interned"),)


def _infer(node: Node) -> Type:
    """Infer the type that a node has by what it is made of."""
    if node.op in (BOUND, *SOURCES):
        return node.type
    if node.op is CONSTANT:
        return number_of(node.value)[1]
    if node.op is DIM:
        return Type("int")
    if node.op is RESULT:
        return result_type(loop_of(node.args[0]), node.attrs["number"])
    return node.op.infer(*(arg.type for arg in node.args), **node.attrs)


def _agree(one: Type, other: Type) -> bool:
    return one.dtype == other.dtype and same_shape(one.shape, other.shape)


# ---- loops and rules -----------------------------------------------------------------------------


def _loop_faults(node: Node) -> Iterator[Fault]:
    loop = loop_of(node)
    initials, sources, _ = loop_arguments(node)
    steps = limit(node)
    expected = (*initials, *sources, *((steps,) if steps else ()), *captures_of(loop))
    if node.args != expected:
        yield Fault(node, f"captures {captures_of(loop)}")
    for carried, first, following in zip(loop.carried, initials, loop.nexts, strict=True):
        for what, one in (("starts as", first), ("becomes", following)):
            if not _agree(one.type, carried.type):
                yield Fault(one, f"is what {carried!r} {what}")
    for element, source in zip(loop.elements, sources, strict=True):
        shape = list(element.node.shape)
        shape.insert(element.axis, loop.count)
        if not _agree(source.type, element.node.type.with_shape(shape)):
            what = f"is read of {source!r} along axis {element.axis} in {loop.count} steps"
            yield Fault(element.node, what)
    for end, type in ((steps, Type("int")), (loop.until, Type("bool"))):
        if end is not None and end.type != type:
            yield Fault(end, f"ends a loop, and is no {type}")
    if any(one.op is not BOUND for one in loop.bound) or len(set(loop.bound)) < len(loop.bound):
        yield Fault(node, f"binds {loop.bound}")
    for one in body(loop):
        for part in (*(arg for arg in one.args if arg.static), one):
            yield from _faults_of(part)
    yield from _adjoint_faults(loop.adjoints)


def _rule_faults(node: Node) -> Iterator[Fault]:
    rule = rule_of(node)
    value, (covered, _) = node.args[0], ruled_arguments(node)
    pairs = [(rule.value, value), (rule.cotangent, value), (node, value)]
    pairs += zip(rule.places, covered, strict=True)
    pairs += zip(rule.tangents, covered, strict=True) if rule.tangents else ()
    pairs += [(one, arg) for one, arg in zip(rule.pulled, covered, strict=True) if one]
    pairs += [(rule.pushed, value)] if rule.pushed else []
    for one, of in pairs:
        if not _agree(one.type, of.type):
            yield Fault(one, f"stands for {of!r}")
    for one in arguments_first(rule.stated):
        yield from _faults_of(one)


# ---- scopes --------------------------------------------------------------------------------------


def _escapes(nodes: Sequence[Node]) -> Iterator[Fault]:
    """Yield faults of what stands for a value or names an index of a loop, outside of it.

    A loop has what its body reads of outside as arguments, and names what its body names, so that
    it is enough to look outside of all loops.
    """
    indices = frozenset[str]().union(*(_indices_in(one) for one in nodes if one.op is LOOP))
    for node in nodes:
        if node.op is BOUND:
            yield Fault(node, "stands for a value of a loop that it is outside of")
        for index in sorted(indices & symbols_of(node)) if indices else ():
            yield Fault(node, f"names the index `{index}` outside of its loop")


@memoised
def _indices_in(node: Node) -> frozenset[str]:
    """Collect the indices of a loop and of those in its body."""
    inner = (_indices_in(one) for one in body(loop_of(node)) if one.op is LOOP)
    return frozenset({loop_of(node).index}).union(*inner)


def _adjoint_faults(adjoints: Iterable[Adjoint]) -> Iterator[Fault]:
    for adjoint in adjoints:
        value, of = adjoint.value, adjoint.of
        for node in (of, value, *(term.value for term in adjoint.terms)):
            yield from _stranger(node)
        lead = value.rank - of.rank
        if lead < 0 or not same_shape(value.shape[lead:], of.shape):
            yield Fault(adjoint.value, f"is the derivative by {adjoint.of!r}")
