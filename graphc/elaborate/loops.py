"""Repeated parts of a graph: their indices and the scope of each iteration."""

from __future__ import annotations

from collections.abc import Iterator

from graphc.dims import Dim
from graphc.elaborate.scope import Context, Entry, Scope, mistake
from graphc.elaborate.values import describe
from graphc.syntax import tree

MAXIMAL_COPIES = 100_000


def iterations(
    context: Context, scope: Scope, family: tree.Family, path: str | None
) -> Iterator[Scope]:
    """A scope for each index of a family, in order; its parameters are below `path.index`."""
    first, last = bounds(context, scope, family)
    copies = last - first + 1
    if copies > MAXIMAL_COPIES:
        raise mistake("E503", f"{copies} copies; at most {MAXIMAL_COPIES} are written out", family.span)
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
