"""Loops: the indices of a repeat, the scope of each iteration, and what it hands on."""

from __future__ import annotations

from collections.abc import Iterator

from graphc.dims import Dim
from graphc.elaborate.scope import Context, Entry, FamilyValue, Scope, define, mistake
from graphc.elaborate.values import describe, to_node
from graphc.graph import Node
from graphc.ops.shaping import stack
from graphc.source import did_you_mean
from graphc.syntax import tree

MAXIMAL_COPIES = 100_000


def iterations(
    context: Context, scope: Scope, family: tree.Family, path: str | None
) -> Iterator[Scope]:
    """A scope for each index of a family, in order; its parameters are below `path.index`."""
    first, last = bounds(context, scope, family)
    copies = last - first + 1
    if copies > MAXIMAL_COPIES:
        raise mistake(
            "E503", f"{copies} copies; at most {MAXIMAL_COPIES} are written out", family.span
        )
    for index in range(first, last + 1):
        inner = Scope(None if path is None else f"{path}.{index}", scope, reusing=scope.reusing)
        inner.entries[family.index.text] = Entry(Dim.of(index), family.index.span)
        yield inner


def bounds(context: Context, scope: Scope, family: tree.Family) -> tuple[int, int]:
    """The first and the last index: `a..b` includes both, `n` alone is `0..n-1`."""
    if family.last is None:
        return 0, _bound(context, scope, family.first) - 1
    return _bound(context, scope, family.first), _bound(context, scope, family.last)


def _bound(context: Context, scope: Scope, expr: tree.Expr) -> int:
    value = context.evaluate(context, scope, expr)
    known = context.known(value) if isinstance(value, Dim) else None
    if known is None:
        found = "a dim without a value" if isinstance(value, Dim) else describe(value)
        raise mistake(
            "E404", f"the range of a repeat is known at compile time, found {found}", expr.span,
            "give the dim a value: `dim L = 4`, or --dim L=4; for a run-time length use `scan`",
        )  # fmt: skip
    return known


# ---- statements ----------------------------------------------------------------------------


def run_repeat(context: Context, scope: Scope, statement: tree.Repeat) -> None:
    """The body once for each index, the carried values handed on."""
    family = statement.family
    path = scope.join(family.name.text)
    carried = {
        c.name.text: to_node(context.evaluate(context, scope, c.start), c.start.span)
        for c in statement.carries
    }
    collected: dict[str, list[Node]] = {
        s.name.text: [] for s in statement.body if isinstance(s, tree.Collect)
    }
    spans = {carry.name.text: carry.span for carry in statement.carries}
    for inner in iterations(context, scope, family, path):
        inner.carried = frozenset(carried)
        inner.nexts = {}
        for carry in statement.carries:
            inner.entries[carry.name.text] = Entry(carried[carry.name.text], carry.name.span)
        context.body(context, inner, statement.body)
        for name in carried:
            if name not in inner.nexts:
                raise mistake("E206", f"carried `{name}` gets no `next {name} = ...`", spans[name])
            carried[name] = inner.nexts[name]
        for name, items in collected.items():
            items.append(inner.entries[f"collect {name}"].value)
    for carry in statement.carries:
        define(context, scope, carry.name, carried[carry.name.text])
    for inside in statement.body:
        if isinstance(inside, tree.Collect):
            items = collected[inside.name.text]
            if not items:
                raise mistake("E207", "nothing to collect: the range is empty", inside.span)
            define(context, scope, inside.name, stack(*items))
    if path is not None:
        scope.entries[family.name.text] = Entry(FamilyValue(path), family.name.span)


def run_next(context: Context, scope: Scope, statement: tree.Next) -> None:
    """What the next iteration gets as its carried values."""
    if scope.nexts is None:
        raise mistake("E206", "`next` stands in the body of a loop", statement.span)
    values = [context.evaluate(context, scope, value) for value in statement.values]
    flat = list(values[0]) if len(values) == 1 and isinstance(values[0], tuple) else values
    if len(flat) != len(statement.names):
        raise mistake(
            "E214", f"{len(statement.names)} names for {len(flat)} values", statement.span
        )
    for name, value in zip(statement.names, flat, strict=True):
        if name.text not in scope.carried:
            raise mistake(
                "E206",
                f"`next {name.text}` but `{name.text}` is not carried by this loop",
                name.span,
                did_you_mean(name.text, scope.carried) or _only(scope.carried),
            )
        if name.text in scope.nexts:
            raise mistake("E206", f"`{name.text}` has its next value twice", name.span)
        scope.nexts[name.text] = to_node(value, statement.span)


def _only(names: frozenset[str]) -> str | None:
    return f"did you mean `{next(iter(names))}`?" if len(names) == 1 else None


def run_collect(context: Context, scope: Scope, statement: tree.Collect) -> None:
    """One item of what the loop stacks."""
    if scope.nexts is None:
        raise mistake("E207", "`collect` stands in the body of a loop", statement.span)
    value = context.evaluate(context, scope, statement.value)
    scope.entries[f"collect {statement.name.text}"] = Entry(
        to_node(value, statement.value.span), statement.name.span
    )
