"""Derivatives that the user states, in both modes: what one direction lacks the other gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphc.ir.graph import Adjoint, Node, with_args
from graphc.ir.loop import Rule, rule_of, ruled_arguments
from graphc.ir.rebuild import rebuild
from graphc.ir.types import Mismatch
from graphc.ops.shape.shaping import broadcast_to

Pullback = Callable[..., dict[Node, Adjoint]]


def pull_rule(ct: Node, node: Node, pullback: Pullback) -> Sequence[Node | None]:
    """Return the cotangents of a ruled node's arguments; without a vjp by transposing the jvp."""
    rule = rule_of(node)
    start = _substitution(rule, node)
    flown = [one for one in rule.pulled if one is not None]
    new = rebuild(flown, with_args, start | {rule.cotangent: ct})
    transposed: Mapping[Node, Adjoint] = {}
    if rule.pushed is not None and None in rule.pulled:
        pushed = rebuild([rule.pushed], with_args, start | {t: t for t in rule.tangents})
        transposed = pullback([(pushed[rule.pushed], ct)], rule.tangents, given=_boundary(node))
    pulled: list[Node | None] = []
    for one, tangent in zip(rule.pulled, rule.tangents or rule.places, strict=True):
        if one is not None:
            pulled.append(new[one])
        else:
            pulled.append(transposed[tangent].value if tangent in transposed else None)
    return (ct, *pulled, *(None for _ in ruled_arguments(node)[1]))


def push_rule(tangents: Sequence[Node | None], node: Node, pullback: Pullback) -> list[Node]:
    """Return the terms of a ruled node's tangent; without a jvp by transposing the vjp."""
    rule = rule_of(node)
    terms = [tangents[0]] if tangents[0] is not None else []
    moving = dict(zip(rule.places, tangents[1 : 1 + len(rule.places)], strict=True))
    if not any(moving.values()):
        return terms
    start = _substitution(rule, node)
    if rule.pushed is not None:
        given = {
            t: broadcast_to(0.0, shape=t.shape) if tangent is None else tangent
            for t, tangent in zip(rule.tangents, moving.values(), strict=True)
        }
        new = rebuild([rule.pushed], with_args, start | given)
        return [*terms, new[rule.pushed]]
    if rule.surrogate:
        raise Mismatch(
            "E221",
            "a surrogate has no forward derivative: forward modes need a `rule jvp`",
            "state one beside `rule surrogate`, or use grad or vjp",
        )
    flown = [one for one in rule.pulled if one is not None]
    new = rebuild(flown, with_args, start | {rule.cotangent: rule.cotangent})
    seeds = [
        (new[one], moving[place])
        for one, place in zip(rule.pulled, rule.places, strict=True)
        if one is not None and moving[place] is not None
    ]
    adjoints = pullback(seeds, [rule.cotangent], given=_boundary(node))
    return [*terms, adjoints[rule.cotangent].value] if rule.cotangent in adjoints else terms


def _substitution(rule: Rule, node: Node) -> dict[Node, Node]:
    """Map the places of a rule to the value and arguments; what is captured stays."""
    covered, captured = ruled_arguments(node)
    places = dict(zip(rule.places, covered, strict=True))
    return {rule.value: node} | places | {one: one for one in captured}


def _boundary(node: Node) -> set[Node]:
    return {node, *node.args}
