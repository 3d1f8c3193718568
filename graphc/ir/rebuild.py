"""Graphs once more with other nodes: what takes the place of each, also inside loops and rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from graphc.ir.dims import Dim
from graphc.ir.graph import (
    CONSTANT,
    DIM,
    Adjoint,
    Node,
    Term,
    arguments_first,
    as_node,
    reachable,
    stamped,
    table,
)
from graphc.ir.loop import (
    LOOP,
    RESULT,
    RULED,
    Element,
    Rule,
    attach_rule,
    loop_of,
    loop_on,
    result,
    rule_of,
    ruled_arguments,
)
from graphc.records import replace

Replace = Callable[[Node, tuple[Node, ...]], Node]
Read = Callable[[Node, Node], Node]


def rebuild(
    results: Iterable[Node],
    replace_: Replace,
    start: Mapping[Node, Node] | None = None,
    read: Read | None = None,
) -> dict[Node, Node]:
    """Map every node that the results reach: `replace_` gets it with its new arguments.

    Bodies of loops are rebuilt likewise; `read` gets what a loop binds or ends with, as it was and
    as it is now, and says what is read in its place. `start` holds nodes that are mapped already.
    """
    new: dict[Node, Node] = dict(start or {})
    rebuild_into(new, results, replace_, read=read)
    return new


def rebuild_alone(results: Iterable[Node], replace_: Replace) -> dict[Node, Node]:
    """As `rebuild`, where what takes a node's place depends on it and its new arguments alone.

    So it is found once in a compilation, for whatever graph the node is in.
    """
    new: dict[Node, Node] = {}
    rebuild_into(new, results, replace_, table.get().memo[replace_])
    return new


def rebuild_into(
    new: dict[Node, Node],
    results: Iterable[Node],
    replace_: Replace,
    known: dict[Node, Node] | None = None,
    read: Read | None = None,
) -> None:
    """Add to the mapping what the results reach beyond it."""
    with stamped(None) as stamp:
        for node in arguments_first(results, new) if new else reachable(results):
            if node in new:  # in the body of a loop
                continue
            if known is not None and node in known:
                new[node] = known[node]
                continue
            stamp.move(node.origin, node.place)
            op, args = node.op, tuple([new[arg] for arg in node.args])
            if op is LOOP:
                new[node] = _rebuild_loop(node, new, replace_, known, read)
                continue
            if op is RULED:
                new[node] = _rebuild_rule(node, new, replace_, known)
                continue
            if op is RESULT:
                made = result(args[0], node.attrs["number"])
                made = made if read is None else read(node, made)
            else:
                made = replace_(node, args)
            new[node] = made
            if known is not None:
                known[node] = made


def _rebuild_loop(
    node: Node,
    new: dict[Node, Node],
    replace_: Replace,
    known: dict[Node, Node] | None,
    read: Read | None,
) -> Node:
    """Rebuild a loop with its arguments and body; the body's nodes are mapped too."""
    loop = loop_of(node)
    rebuild_into(new, loop.bound, replace_, known, read)
    bound = {one: new[one] for one in loop.bound}
    if read is not None:  # of what another loop binds, too, `new` has what was read there
        bound = {one: replace_(one, ()) for one in loop.bound}
        new |= {one: read(one, bound[one]) for one in loop.bound}
    rebuild_into(new, loop.roots, replace_, known, read)
    moved = replace(
        loop.map_roots(new),
        first=_map_dim(loop.first, replace_),
        count=_map_dim(loop.count, replace_),
        carried=tuple(bound[n] for n in loop.carried),
        elements=tuple(
            Element(bound[e.node], e.axis, None if e.of is None else new.get(e.of, e.of))
            for e in loop.elements
        ),
        adjoints=map_adjoints(loop.adjoints, new),
    )
    return loop_on(node, moved, new)


def _rebuild_rule(
    node: Node, new: dict[Node, Node], replace_: Replace, known: dict[Node, Node] | None
) -> Node:
    rule = rule_of(node)
    rebuild_into(new, (*rule.bound, *rule.stated), replace_, known)
    moved = Rule(
        new[rule.value],
        tuple(new[n] for n in rule.places),
        new[rule.cotangent],
        tuple(None if n is None else new[n] for n in rule.pulled),
        tuple(new[n] for n in rule.tangents),
        None if rule.pushed is None else new[rule.pushed],
        rule.surrogate,
    )
    covered, _ = ruled_arguments(node)
    return attach_rule(new[node.args[0]], [new[n] for n in covered], moved, node.salt)


def _map_dim(dim: Dim, replace_: Replace) -> Dim:
    """Replace a dim of the loop as nodes are replaced."""
    if dim.constant is not None:
        return dim
    node = replace_(as_node(dim), ())
    return Dim.of(node.attrs["value"]) if node.op is DIM else Dim.of(node.value)


def map_adjoints(adjoints: Iterable[Adjoint], new: Mapping[Node, Node]) -> tuple[Adjoint, ...]:
    """Replace the nodes of adjoints; those whose value is gone are dropped, but for constants."""

    def map_term(term: Term) -> Term:
        child = None if term.child is None else new.get(term.child, term.child)
        return Term(new.get(term.value, term.value), child, term.slot)

    return tuple(
        Adjoint(new.get(a.of, a.of), tuple(map(map_term, a.terms)), new.get(a.value, a.value))
        for a in adjoints
        if a.value in new or a.value.op is CONSTANT
    )
