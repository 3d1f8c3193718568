"""Expressions: syntax and scope -> a value, without recursion on the depth of the text."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from graphc.elaborate.calls.binding import evaluate_call
from graphc.elaborate.expressions.subscripts import IndexValue, evaluate_subscript
from graphc.elaborate.names.hints import lacking_member_remedy
from graphc.elaborate.names.scope import (
    Context,
    Entry,
    FamilyValue,
    InstanceValue,
    Scope,
    limit_mistake,
    lookup,
    mistake,
    parameter,
    parameter_paths,
)
from graphc.elaborate.values.remedies import explain_shapes
from graphc.elaborate.values.values import describe_value, evaluate_binary, to_node
from graphc.ir.dims import Dim
from graphc.ir.graph import OPERATORS, Node
from graphc.ir.types import Mismatch
from graphc.limits import LISTED, Exceeded
from graphc.source import Span, near_or_all
from graphc.syntax import tree

Task = Generator[tree.Expr, Any, Any]


def evaluate(context: Context, scope: Scope, expr: tree.Expr) -> Any:
    """Evaluate an expression: to a Node, or to what is known at compile time.

    Each kind of expression is a generator that yields its parts and is sent their values, so
    that the depth of the text is limited by memory, not by Python's stack.
    """
    tasks, exprs = [_task(context, scope, expr)], [expr]
    value: Any = None
    while tasks:
        try:
            part = tasks[-1].send(value)
        except StopIteration as done:
            tasks.pop()
            exprs.pop()
            value = done.value
        except Exceeded as much:
            raise limit_mistake(much, exprs[-1].span) from None
        else:
            tasks.append(_task(context, scope, part))
            exprs.append(part)
            value = None
    return value


def evaluate_entry(
    context: Context, scope: Scope, expr: tree.Expr, feeds: str | None = None
) -> tuple[Any, InstanceValue | None]:
    """Evaluate an expression; returns also the instance where it is the use of a block.

    `feeds` is the name that the expression directly defines: it names the block.
    """
    if isinstance(expr, tree.Call):
        return _run_call(context, scope, expr, feeds)
    if isinstance(expr, tree.Name):
        entry = lookup(context, scope, expr)
        return entry.value, entry.instance
    return evaluate(context, scope, expr), None


def _run_call(
    context: Context, scope: Scope, expr: tree.Call, feeds: str | None
) -> tuple[Any, InstanceValue | None]:
    arguments = [(a.name, evaluate(context, scope, a.value), a) for a in expr.arguments]
    return evaluate_call(context, scope, expr, arguments, feeds)


def _task(context: Context, scope: Scope, expr: tree.Expr) -> Task:
    return _TASKS[expr.__class__](context, scope, expr)


def _name(context: Context, scope: Scope, expr: tree.Name) -> Task:
    return lookup(context, scope, expr).value
    yield


def _number(context: Context, scope: Scope, expr: tree.Number) -> Task:
    return Dim.of(expr.value) if isinstance(expr.value, int) else expr.value
    yield


def _literal(context: Context, scope: Scope, expr: tree.Text | tree.Truth) -> Task:
    return expr.value
    yield


def _list(context: Context, scope: Scope, expr: tree.ListOf) -> Task:
    items = []
    for item in expr.items:
        items.append((yield item))
    _count(items)
    return tuple(items)


def _count(items: Sequence[Any]) -> int:
    """Count the numbers of a list; raises Exceeded where they are too many."""
    counts: dict[int, int] = {}  # a list that stands in several places is counted once

    def count(item: Any) -> int:
        if not isinstance(item, tuple):
            return 1
        if id(item) not in counts:
            counts[id(item)] = sum(map(count, item))
        return counts[id(item)]

    total = sum(map(count, items))
    if total > LISTED:
        raise Exceeded(
            f"a list of {total} numbers; at most {LISTED} are known at compile time",
            "make it an input or a parameter",
        )
    return total


def _unary(context: Context, scope: Scope, expr: tree.Unary) -> Task:
    value = yield expr.operand
    if expr.op == "not":
        if isinstance(value, bool):
            return not value
        node = to_node(value, expr.operand.span)
        if node.type.dtype != "bool":
            raise mistake(
                "E307",
                f"`not` takes a truth value, found {describe_value(value)}",
                expr.operand.span,
            )
        return OPERATORS["not"](node)
    if isinstance(value, bool) or not isinstance(value, Dim | float | Node):
        raise mistake(
            "E211",
            f"`{expr.op}` takes a number or a tensor, found {describe_value(value)}",
            expr.span,
        )
    if expr.op == "+":
        return value
    return OPERATORS["neg"](value) if isinstance(value, Node) else -value


def _binary(context: Context, scope: Scope, expr: tree.Binary) -> Task:
    left = yield expr.left
    right = yield expr.right
    try:
        return evaluate_binary(
            context, expr.op, left, right, (expr.span, expr.left.span, expr.right.span)
        )
    except Mismatch as wrong:
        told = mistake(wrong.code, wrong.message, expr.span, wrong.help)
        operands = [(left, expr.left), (right, expr.right)]
        raise explain_shapes(told, scope, operands, expr.op) from None


def _call(context: Context, scope: Scope, expr: tree.Call) -> Task:
    arguments = []
    for argument in expr.arguments:
        arguments.append((argument.name, (yield argument.value), argument))
    return evaluate_call(context, scope, expr, arguments, None)[0]


def _subscript(context: Context, scope: Scope, expr: tree.Subscript) -> Task:
    value = yield expr.value
    parts: list[IndexValue] = []
    for index in expr.indices:
        if isinstance(index, tree.Slice):
            bounds = []
            for bound in (index.start, index.stop, index.step):
                bounds.append(None if bound is None else (yield bound))
            parts.append((index, tuple(bounds)))
        elif isinstance(index, tree.Dots | tree.NewAxis):
            parts.append((index, None))
        else:
            parts.append((index, (yield index)))
    return evaluate_subscript(context, expr, value, parts)


def _member(context: Context, scope: Scope, expr: tree.Member) -> Task:
    words = [expr.name]
    root = expr.value
    while isinstance(root, tree.Member):
        words.insert(0, root.name)
        root = root.value
    if isinstance(root, tree.Name):
        entry = lookup(context, scope, root, of=words[0].text)
        if entry.instance or isinstance(entry.value, InstanceValue | FamilyValue):
            return _parameter(context, entry, root, words, expr.span)
    if expr.name.text == "T":
        return _transpose((yield expr.value), expr.span)
    word = expr.name.text
    said = f"{describe_value((yield expr.value))} has no member `{word}`"
    raise mistake("E211", said, expr.span, lacking_member_remedy(word))


def _parameter(
    context: Context, entry: Entry, root: tree.Name, words: list[tree.Ident], span: Span
) -> Any:
    """Find a parameter by its path below a named instance, perhaps transposed."""
    holder = entry.instance or entry.value
    below = [word.text for word in words]
    path = ".".join([holder.path or "", *below])
    found = parameter(context, path)
    if found is not None:
        return found
    if below[-1] == "T":
        rest = ".".join([holder.path or "", *below[:-1]])
        if len(below) == 1 and isinstance(entry.value, Node):
            return _transpose(entry.value, span)
        found = parameter(context, rest)
        if found is not None:
            return _transpose(found, span)
    shown = ".".join([root.text, *below])
    below_holder = [p for p in parameter_paths(context) if p.startswith(f"{holder.path}.")]
    known = [root.text + p[len(holder.path or "") :] for p in below_holder]
    if len(below) == 1 and below[0] in context.names.values():  # what a loop ends with
        near: str | None = f"it is called `{below[0]}`"
    else:
        near = near_or_all(shown, known, "there are")
        near = near or f"there is none before it is applied: `{root.text}(...)`"
    raise mistake("E210", f"no parameter `{shown}`", span, near)


def _transpose(value: Any, span: Span) -> Node:
    node = to_node(value, span)
    if node.rank != 2:
        raise mistake(
            "E305",
            f"`.T` is for rank 2, found {node.type}",
            span,
            _transpose_help(node.rank),
        )
    return node.T


def _transpose_help(rank: int) -> str:
    """Return the remedy where `.T` is not for this rank."""
    if rank == 0:
        return "a scalar has no axes: leave `.T` out"
    if rank == 1:
        return "leave `.T` out: `x @ x` is the scalar product; a column is `x[:, _]`"
    axes = ", ".join(map(str, [*range(rank - 2), rank - 1, rank - 2]))
    return f"name the axes: transpose(x, [{axes}])"


_TASKS: dict[type, Callable[[Context, Scope, Any], Task]] = {
    tree.Name: _name,
    tree.Number: _number,
    tree.Text: _literal,
    tree.Truth: _literal,
    tree.ListOf: _list,
    tree.Unary: _unary,
    tree.Binary: _binary,
    tree.Call: _call,
    tree.Subscript: _subscript,
    tree.Member: _member,
}
