"""`rule`: derivatives that a block states for its ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.elaborate.scope import Context, Entry, Scope, mistake
from graphc.elaborate.values import to_node
from graphc.graph import Node, with_args
from graphc.loop import Rule, bound, rebuild, ruled
from graphc.ops import Function, Parameter
from graphc.ops.arithmetic import stop
from graphc.ops.shaping import filled
from graphc.source import did_you_mean
from graphc.syntax import tree
from graphc.types import Mismatch, same_shape

KINDS = ("vjp", "jvp", "surrogate")


def apply_rules(
    context: Context, scope: Scope, block: tree.Block, results: tuple[Node, ...]
) -> tuple[Node, ...]:
    """The results of a block with the derivatives that its rules state.

    A port with a rule is held constant in the value itself, so that the rule alone carries its
    derivative; ports without one keep their own.
    """
    rules = [s for s in block.body if isinstance(s, tree.Rule)]
    if not rules:
        return results
    cotangents = {result: bound("cotangent", result.type) for result in results}
    pulled: dict[str, Node] = {}
    surrogate = False
    for rule in rules:
        port = _port(scope, block, rule)
        if rule.kind.text == "jvp":
            _check_jvp(context, scope, block, rule, results)
            continue
        surrogate = surrogate or rule.kind.text == "surrogate"
        value = _evaluated(context, scope, rule, {"cotangent": cotangents})
        _check_type(rule, value, port)
        if rule.name.text in pulled:
            raise mistake("E221", f"`{rule.name.text}` has two rules", rule.name.span)
        pulled[rule.name.text] = value
    if not pulled:
        return results
    ports = {name: scope.entries[name].value for name in pulled}
    held = rebuild(results, with_args, {node: stop(node) for node in ports.values()})
    context.surrogate = context.surrogate or surrogate
    return tuple(
        _with_rule(result, held[result], results, ports, pulled, cotangents, surrogate)
        for result in results
    )


def run_rule(context: Context, scope: Scope, rule: tree.Rule) -> None:
    """A rule in a block waits for the block's results; elsewhere it has none."""
    if scope.block is None or rule not in scope.block.body:
        raise mistake("E221", "a rule stands in a block, outside of loops and `if`", rule.span)


def _with_rule(
    result: Node,
    held: Node,
    results: Sequence[Node],
    ports: Mapping[str, Node],
    pulled: Mapping[str, Node],
    cotangents: Mapping[Node, Node],
    surrogate: bool,
) -> Node:
    """One result: the rules with the cotangents of the other results at zero."""
    value = bound("value", result.type)
    places = {node: bound("port", node.type) for node in ports.values()}
    others = {
        cotangents[other]: filled(0.0, other.shape) for other in results if other is not result
    }
    start = {cotangents[result]: cotangents[result], result: value, **places, **others}
    new = rebuild(pulled.values(), with_args, start)
    rule = Rule(
        cotangents[result],
        value,
        tuple(places.values()),
        tuple(new[node] for node in pulled.values()),
        surrogate,
    )
    return ruled(held, list(ports.values()), rule)


def _port(scope: Scope, block: tree.Block, rule: tree.Rule) -> Node:
    """The port that a rule is for; a jvp rule names a result instead."""
    if rule.kind.text not in KINDS:
        near = did_you_mean(rule.kind.text, KINDS)
        raise mistake("E221", f"unknown rule `{rule.kind.text}`", rule.kind.span, near)
    names = [p.name.text for p in (block.results if rule.kind.text == "jvp" else block.ports)]
    entry = scope.entries.get(rule.name.text)
    if rule.name.text not in names or entry is None or not isinstance(entry.value, Node):
        what = "result" if rule.kind.text == "jvp" else "tensor port"
        message = f"`{rule.name.text}` is not a {what} of this block"
        near = did_you_mean(rule.name.text, {*names} - {rule.name.text})
        raise mistake("E221", message, rule.name.span, near)
    return entry.value


def _evaluated(
    context: Context, scope: Scope, rule: tree.Rule, functions: Mapping[str, Mapping[Node, Node]]
) -> Node:
    """A rule's expression, in which `cotangent(y)` or `tangent(x)` may be called."""
    inner = Scope(scope.path, scope.space, scope, reusing=scope.reusing, unnamed=scope.unnamed)
    for name, table in functions.items():
        inner.entries[name] = Entry(_lookup(name, table), rule.span)
    return to_node(context.evaluate(context, inner, rule.value), rule.value.span)


def _lookup(name: str, table: Mapping[Node, Node]) -> Function:
    what = "results" if name == "cotangent" else "ports"

    def build(x: Node) -> Node:
        if x not in table:
            raise Mismatch("E221", f"`{name}` takes one of the block's {what}")
        return table[x]

    return Function(name, (Parameter("x", positional_only=True),), build, "", None)


def _check_jvp(
    context: Context, scope: Scope, block: tree.Block, rule: tree.Rule, results: tuple[Node, ...]
) -> None:
    """A forward rule is checked for its type; forward mode will use it."""
    nodes = [scope.entries[port.name.text].value for port in block.ports]
    tangents = {n: bound("tangent", n.type) for n in nodes if isinstance(n, Node)}
    value = _evaluated(context, scope, rule, {"tangent": tangents})
    _check_type(rule, value, scope.entries[rule.name.text].value)


def _check_type(rule: tree.Rule, value: Node, of: Node) -> None:
    if value.type.dtype != "float" or not same_shape(value.shape, of.shape):
        message = f"the rule for `{rule.name.text}`: {of.type} gives {value.type}"
        raise mistake("E221", message, rule.value.span)
