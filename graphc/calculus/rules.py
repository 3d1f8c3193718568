"""Derivatives that the user states, in both modes: what one direction lacks the other gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from graphc.graph import Adjoint, Node, with_args
from graphc.loop import RULED, Rule, rebuild
from graphc.ops.arithmetic import hold
from graphc.ops.shaping import broadcast_to
from graphc.types import Mismatch

Pullback = Callable[..., dict[Node, Adjoint]]


def pull_rule(ct: Node, node: Node, pullback: Pullback) -> Sequence[Node | None]:
    """The cotangents of a ruled node's arguments; those without a vjp by transposing the jvp."""
    rule: Rule = node.attrs["rule"]
    start = _placed(rule, node)
    flown = [one for one in rule.pulled if one is not None]
    new = rebuild(flown, with_args, start | {rule.cotangent: ct})
    transposed: Mapping[Node, Adjoint] = {}
    if rule.pushed is not None and None in rule.pulled:
        pushed = rebuild([rule.pushed], with_args, start | {t: t for t in rule.tangents})
        transposed = pullback([(pushed[rule.pushed], ct)], rule.tangents, given=_given(node))
    pulled: list[Node | None] = []
    for one, tangent in zip(rule.pulled, rule.tangents or rule.places, strict=True):
        if one is not None:
            pulled.append(new[one])
        else:
            pulled.append(transposed[tangent].value if tangent in transposed else None)
    return (ct, *pulled, *(None for _ in node.args[1 + len(rule.places) :]))


def push_rule(tangents: Sequence[Node | None], node: Node, pullback: Pullback) -> list[Node]:
    """The terms of a ruled node's tangent; without a jvp by transposing the vjp."""
    rule: Rule = node.attrs["rule"]
    terms = [tangents[0]] if tangents[0] is not None else []
    moving = dict(zip(rule.places, tangents[1 : 1 + len(rule.places)], strict=True))
    if not any(moving.values()):
        return terms
    start = _placed(rule, node)
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
    adjoints = pullback(seeds, [rule.cotangent], given=_given(node))
    return [*terms, adjoints[rule.cotangent].value] if rule.cotangent in adjoints else terms


def released(values: Iterable[Node]) -> dict[Node, Node]:
    """Derivatives in which what was held is as it was: they may be differentiated by it again.

    A port with a rule is held in the value, so that the rule alone carries its derivative. A
    derivative by another port still depends on it. Ruled nodes stay as they are.
    """
    values = list(values)
    ruled: dict[Node, Node] = {}
    holds: dict[Node, Node] = {}
    pending = list(values)
    seen = set(pending)
    while pending:
        node = pending.pop()
        if node.op is RULED:
            ruled[node] = node
        elif node.op is hold:
            holds[node] = node.args[0]
        else:
            pending += (new := [arg for arg in dict.fromkeys(node.args) if arg not in seen])
            seen.update(new)
    return rebuild(values, with_args, ruled | holds) if holds else {}


def _placed(rule: Rule, node: Node) -> dict[Node, Node]:
    """The value and the arguments in the places that stand for them; what is captured as it is."""
    arguments = node.args[1 : 1 + len(rule.places)]
    captured = node.args[1 + len(rule.places) :]
    return {rule.value: node, **dict(zip(rule.places, arguments, strict=True))} | {
        one: one for one in captured
    }


def _given(node: Node) -> set[Node]:
    return {node, *node.args}
