"""Holds: what rules keep constant in a value, and its release in derivatives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_

from graphc.ir.graph import Node, stamped, with_args
from graphc.ir.loop import (
    LOOP,
    RULED,
    attach_rule,
    limit,
    loop_arguments,
    loop_of,
    make_loop,
    rule_of,
    ruled_arguments,
)
from graphc.ir.rebuild import map_adjoints
from graphc.ops.elementwise.arithmetic import hold
from graphc.records import replace

Form = tuple[Node, int]
"""A node, and the holds below it that it keeps: a bit for each."""


def release_holds(values: Iterable[Node]) -> dict[Node, Node]:
    """Release what rules hold in derivatives: these may be differentiated by it again.

    A port with a rule is held in the value, so that the rule alone carries its derivative. A
    derivative by another port still depends on it. In the value of a ruled node its own ports stay
    held, and what the rules around it hold is released: so a node has a form for each set of holds
    that it keeps. The answer has every value.
    """
    values = list(values)
    reads = _reads(values)
    if not any(reads.values()):
        return {}
    bits = {node.args[0]: bit for node, bit in _holds(reads).items()}

    def form_of(node: Node, kept: int) -> Form:
        return node, kept & reads[node]

    def parts_of(form: Form) -> list[Form]:
        node, kept = form
        parts = _parts(node)
        if node.op is not RULED:
            return [form_of(part, kept) for part in parts]
        own = (bits.get(place, 0) for place in ruled_arguments(node)[0])
        first = form_of(parts[0], reduce(or_, own, kept))
        return [first, *(form_of(part, kept) for part in parts[1:])]

    found: dict[Form, Node] = {}
    pending = [form_of(node, 0) for node in values]
    while pending:
        form = pending[-1]
        missing = [one for one in parts_of(form) if one not in found]
        if form in found:
            pending.pop()
        elif not reads[form[0]]:
            found[pending.pop()] = form[0]
        elif missing:
            pending += missing
        else:
            node, kept = pending.pop()
            parts = [found[one] for one in parts_of(form)]
            free = node.op is hold and not kept & bits[node.args[0]]
            named = {n: found.get(form_of(n, kept), n) for n in _adjoint_nodes(node) if n in reads}
            found[form] = parts[0] if free else _with_parts(node, parts, named)
    return {node: new for (node, kept), new in found.items() if not kept}


def _reads(values: Iterable[Node]) -> dict[Node, int]:
    """Map every node, also inside loops and rules, to the holds below it: a bit for each."""
    reads: dict[Node, int] = {}
    count = 0
    pending = list(values)
    while pending:
        node = pending[-1]
        missing = [part for part in _parts(node) if part not in reads]
        if node in reads:
            pending.pop()
        elif missing:
            pending += missing
        else:
            reads[pending.pop()] = reduce(or_, (reads[part] for part in _parts(node)), 0)
            if node.op is hold:
                reads[node] |= 1 << count
                count += 1
    return reads


def _holds(reads: Mapping[Node, int]) -> dict[Node, int]:
    """Number the holds in the order in which they were found: a bit for each."""
    holds = [node for node in reads if node.op is hold]
    return {node: 1 << number for number, node in enumerate(holds)}


def _parts(node: Node) -> tuple[Node, ...]:
    """Return the nodes that make up a node: of a loop its body, of a ruled node its rules, too."""
    if node.op is LOOP:
        loop = loop_of(node)
        return (*node.args[: len(node.args) - len(loop_arguments(node)[2])], *loop.roots)
    if node.op is RULED:
        return (node.args[0], *ruled_arguments(node)[0], *rule_of(node).stated)
    return node.args


def _with_parts(node: Node, parts: list[Node], named: Mapping[Node, Node]) -> Node:
    """Rebuild a node of other parts; `named` maps the nodes that the adjoints of a loop name."""
    if tuple(parts) == _parts(node):
        return node
    with stamped(node.origin, node.place):
        if node.op is LOOP:
            return _loop_with_parts(node, parts, named)
        if node.op is RULED:
            rule = rule_of(node)
            stated = iter(parts[1 + len(rule.places) :])
            moved = replace(
                rule,
                pulled=tuple(None if one is None else next(stated) for one in rule.pulled),
                pushed=None if rule.pushed is None else next(stated),
            )
            return attach_rule(parts[0], parts[1 : 1 + len(rule.places)], moved, node.salt)
        return with_args(node, tuple(parts))


def _loop_with_parts(node: Node, parts: list[Node], named: Mapping[Node, Node]) -> Node:
    loop = loop_of(node)
    carried, elements = len(loop.carried), len(loop.elements)
    steps = parts[carried + elements] if limit(node) is not None else None
    roots = parts[carried + elements + loop.limited :]
    moved = replace(
        loop,
        nexts=tuple(roots[:carried]),
        collected=tuple(roots[carried : carried + len(loop.collected)]),
        until=None if loop.until is None else roots[-1],
        adjoints=map_adjoints(loop.adjoints, named),
    )
    return make_loop(moved, parts[:carried], parts[carried : carried + elements], steps)


def _adjoint_nodes(node: Node) -> Iterable[Node]:
    """Yield the nodes that the adjoints of a loop name."""
    loop = node.attrs.get("loop") if node.op is LOOP else None
    for adjoint in loop.adjoints if loop else ():
        yield from (adjoint.of, adjoint.value)
        for term in adjoint.terms:
            yield term.value
            if term.child is not None:
                yield term.child
