"""`rule`: derivatives that a block states for its ports."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.elaborate.calls.axis_labels import label
from graphc.elaborate.names.model import StatedRule
from graphc.elaborate.names.scope import Context, Entry, Scope, mistake
from graphc.elaborate.values.values import to_node
from graphc.ir.graph import Node, with_args
from graphc.ir.loop import Rule, attach_rule, bound
from graphc.ir.rebuild import rebuild
from graphc.ir.types import Mismatch, same_shape
from graphc.kinds import RULES, RuleKind
from graphc.ops import Function, Parameter
from graphc.ops.elementwise.arithmetic import hold
from graphc.ops.shape.shaping import filled
from graphc.records import dataclass
from graphc.source import did_you_mean, near_or_all
from graphc.syntax import tree

MEANT = {
    **dict.fromkeys(("backward", "grad", "gradient", "reverse", "pullback", "adjoint"), "vjp"),
    **dict.fromkeys(("forward", "tangent", "pushforward"), "jvp"),
}
"""What rules are called elsewhere."""


def apply_rules(
    context: Context, scope: Scope, block: tree.Block, results: tuple[Node, ...]
) -> tuple[Node, ...]:
    """Attach the derivatives that a block's rules state to its results.

    A port with a rule is held constant in the value itself, so that the rule alone carries its
    derivative; ports without one keep their own. A jvp rule of a result speaks for all ports.
    """
    rules: list[tuple[tree.Rule, RuleKind]] = []
    for rule in (s for s in block.body if isinstance(s, tree.Rule)):
        kind = _kind_of(rule)
        stated = StatedRule(block.name.text, kind, rule.name.text, rule.span)
        context.rules[str(rule.span)] = stated
        if context.only_rule in ("", str(rule.span)):
            rules.append((rule, kind))
    if not rules:
        return results
    cotangents = {result: bound("cotangent", result.type) for result in results}
    ports = {p.name.text: scope.entries[p.name.text].value for p in block.ports}
    floats = {n: p for n, p in ports.items() if isinstance(p, Node) and p.type.dtype == "float"}
    tangents = {node: bound("tangent", node.type) for node in floats.values()}
    for port, result in zip(block.results, results, strict=True):
        label(scope, result, port.type)
        label(scope, cotangents[result], port.type)
    for port in block.ports:
        if port.name.text in floats:
            label(scope, tangents[floats[port.name.text]], port.type)
    pulled: dict[str, Node] = {}
    pushed: dict[Node, Node] = {}
    given = {"cotangent": cotangents, "tangent": tangents}
    for rule, kind in rules:
        of = _port_of(scope, block, rule, kind)
        value = _evaluate(context, scope, rule, kind.given, given[kind.given])
        _check_type(rule, value, of)
        if of in pushed if kind.of == "result" else rule.name.text in pulled:
            raise mistake("E221", f"`{rule.name.text}` has two rules", rule.name.span)
        if kind.of == "result":
            pushed[of] = value
        else:
            pulled[rule.name.text] = value
    surrogate = any(kind.surrogate for _, kind in rules)
    context.surrogate = context.surrogate or surrogate
    told = _Stated(results, cotangents, pulled, tangents, pushed, surrogate)
    return tuple(
        _attach_rule(result, floats if result in pushed else {n: ports[n] for n in pulled}, told)
        if pulled or result in pushed
        else result
        for result in results
    )


@dataclass(frozen=True, slots=True)
class _Stated:
    """The rules of a block: `pulled` by port name, `pushed` by result."""

    results: tuple[Node, ...]
    cotangents: Mapping[Node, Node]
    pulled: Mapping[str, Node]
    tangents: Mapping[Node, Node]
    pushed: Mapping[Node, Node]
    surrogate: bool


def run_rule(context: Context, scope: Scope, rule: tree.Rule) -> None:
    """Refuse a rule outside of a block's body; one inside waits for the block's results."""
    if scope.block is None or rule not in scope.block.body:
        raise mistake("E221", "a rule stands in a block, outside of loops and `if`", rule.span)


def _attach_rule(result: Node, ports: Mapping[str, Node], stated: _Stated) -> Node:
    """Attach the rules for these ports to a result; cotangents of other results are zero."""
    held = rebuild([result], with_args, {node: hold(node) for node in ports.values()})[result]
    value = bound("value", result.type)
    places = {node: bound("port", node.type) for node in ports.values()}
    others = {
        cotangent: filled(0.0, other.shape)
        for other, cotangent in stated.cotangents.items()
        if other is not result
    }
    own = (stated.cotangents[result], *stated.tangents.values())
    start = {node: node for node in own} | {result: value, **places, **others}
    pushed = stated.pushed.get(result)
    wanted = [*stated.pulled.values(), *([] if pushed is None else [pushed])]
    new = rebuild(wanted, with_args, start)
    flown = [stated.pulled.get(name) for name in ports]
    rule = Rule(
        value=value,
        places=tuple(places.values()),
        cotangent=stated.cotangents[result],
        pulled=tuple(None if one is None else new[one] for one in flown),
        tangents=() if pushed is None else tuple(stated.tangents[n] for n in ports.values()),
        pushed=None if pushed is None else new[pushed],
        surrogate=stated.surrogate,
    )
    return attach_rule(held, list(ports.values()), rule)


def _kind_of(rule: tree.Rule) -> RuleKind:
    """Return the kind that a rule's word names."""
    word = rule.kind.text
    if word not in RULES:
        meant = f"did you mean `{MEANT[word]}`?" if word in MEANT else None
        near = meant or near_or_all(word, RULES, "the rules")
        raise mistake("E221", f"unknown rule `{word}`", rule.kind.span, near)
    return RULES[word]


def _port_of(scope: Scope, block: tree.Block, rule: tree.Rule, kind: RuleKind) -> Node:
    """Return the port that a rule is for, or the result."""
    of_result = kind.of == "result"
    names = [p.name.text for p in (block.results if of_result else block.ports)]
    entry = scope.entries.get(rule.name.text)
    if rule.name.text not in names or entry is None or not isinstance(entry.value, Node):
        what = "result" if of_result else "tensor port"
        message = f"`{rule.name.text}` is not a {what} of this block"
        near = did_you_mean(rule.name.text, {*names} - {rule.name.text})
        others = block.ports if rule.kind.text == "jvp" else block.results
        if rule.name.text in [port.name.text for port in others]:
            near = f"`{rule.kind.text}` is of a {what}: `rule {rule.kind.text} {names[0]} = ...`"
        raise mistake("E221", message, rule.name.span, near)
    return entry.value


def _evaluate(
    context: Context, scope: Scope, rule: tree.Rule, given: str, table: Mapping[Node, Node]
) -> Node:
    """Evaluate a rule's expression, in which `cotangent(y)` or `tangent(x)` may be called."""
    inner = Scope(scope.path, scope.space, scope, reusing=scope.reusing, unnamed=scope.unnamed)
    inner.entries[given] = Entry(_lookup(given, table), rule.span)
    return to_node(context.evaluate(context, inner, rule.value), rule.value.span)


def _lookup(name: str, table: Mapping[Node, Node]) -> Function:
    what = "results" if name == "cotangent" else "ports"

    def build(x: Node) -> Node:
        if x not in table:
            raise Mismatch("E221", f"`{name}` takes one of the block's {what}")
        return table[x]

    return Function(name, (Parameter("x", positional_only=True),), build, "", None)


def _check_type(rule: tree.Rule, value: Node, of: Node) -> None:
    if of.type.dtype != "float":
        message = f"`{rule.name.text}` is {of.type}: only floats have derivatives"
        raise mistake("E221", message, rule.name.span)
    if value.type.dtype != "float" or not same_shape(value.shape, of.shape):
        message = f"the rule for `{rule.name.text}`: {of.type} gives {value.type}"
        raise mistake("E221", message, rule.value.span)
