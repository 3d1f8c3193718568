"""Where sizes and shapes do not fit: what would, and where they come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from graphc.elaborate.names.scope import Mistake, Scope
from graphc.ir.dims import Dim
from graphc.ir.graph import Node, reaches_source
from graphc.ir.types import Mismatch, Type, broadcast
from graphc.ops.elementwise.arithmetic import over
from graphc.ops.linear.products import matmul
from graphc.records import replace
from graphc.source import Note
from graphc.syntax import tree
from graphc.syntax.format.canonical import one_line_of

POSTFIX = re.compile(r"[\w.]+(\([^()]*\)|\[[^\[\]]*\])?")
LONGEST = 40  # characters of an operand that a remedy repeats
ABOUT_SHAPES = ("E301", "E306")


def quotient_remedy(value: Any) -> str | None:
    """Return the remedy for a size, or a list with one, that `/` has made a float."""
    for one in value if isinstance(value, tuple) else (value,):
        if isinstance(one, Node) and one.op is over and not reaches_source(one):
            a, b = map(_write, one.args)
            exact = f"`require {a} % {b} == 0` says that nothing is left over"
            return f"sizes are divided by `//`: write `{a} // {b}`; {exact}"
    return None


def _write(node: Node) -> str:
    value = node.attrs.get("value", "...")
    return f"{value:g}" if isinstance(value, float) else str(value)


def explain_shapes(
    wrong: Mistake,
    scope: Scope,
    operands: Iterable[tuple[Any, tree.Expr | None]],
    operator: str = "",
) -> Mistake:
    """Add to a mistake about shapes what would fit, and where named operands are defined."""
    if wrong.diagnostic.code not in ABOUT_SHAPES:
        return wrong
    pairs = [(value, expr) for value, expr in operands if expr is not None]
    fits = _fitting(operator, pairs) if operator else None
    helps = [] if fits is None else [Note("help", fits)]
    notes = (*wrong.diagnostic.notes, *helps, *_origins(scope, pairs))
    return Mistake(replace(wrong.diagnostic, notes=notes))


def _origins(scope: Scope, operands: Iterable[tuple[Any, tree.Expr]]) -> Iterator[Note]:
    """Say where the operands that are names are defined, each once."""
    names = {expr.text: value for value, expr in operands if isinstance(expr, tree.Name)}
    for name, value in names.items():
        entry = scope.find(name)
        if entry is not None and isinstance(value, Node) and value.rank:
            yield Note("note", f"`{name}`: {value.type} is defined at {entry.span}")


def _fitting(operator: str, operands: list[tuple[Any, tree.Expr]]) -> str | None:
    """Say what is like `a operator b` and fits, where operands are plain enough to be repeated."""
    if len(operands) != 2 or not all(isinstance(value, Node) for value, _ in operands):
        return None
    (left, _), (right, _) = operands
    a, b = (one_line_of(expr.span) for _, expr in operands)
    if not all(POSTFIX.fullmatch(text) and len(text) <= LONGEST for text in (a, b)):
        return None
    if operator == "*" and min(left.rank, right.rank) > 1 and _multiply(left.type, right.type):
        return f"the product of matrices is `{a} @ {b}`"
    if operator == "@":
        return _product(left.type, right.type, a, b)
    if left.rank == right.rank:
        return None
    low, high, text = (left, right, a) if left.rank < right.rank else (right, left, b)
    return _with_axes(low.type, high.type, text)


def _product(left: Type, right: Type, a: str, b: str) -> str | None:
    """Turn a product of matrices round, or transpose one of them."""
    turned = {
        f"{b} @ {a}": (right, left),
        f"{a} @ {b}.T": (left, _transpose(right)),
        f"{a}.T @ {b}": (_transpose(left), right),
    }
    for text, (one, other) in turned.items():
        if one is not None and other is not None and _multiply(one, other):
            return f"`{text}` fits: {one} and {other}"
    if left.rank == right.rank == 1:
        return f"the product of all with all is `outer({a}, {b})`"
    return None


def _multiply(one: Type, other: Type) -> bool:
    try:
        matmul.infer(one, other)
    except Mismatch:
        return False
    return True


def _transpose(type: Type) -> Type | None:
    return type.with_shape(type.shape[::-1]) if type.rank == 2 else None


def _with_axes(low: Type, high: Type, text: str) -> str | None:
    """Give an operand of lower rank one new axis, where one place for it makes it fit."""
    fitting = []
    for place in range(low.rank + 1):
        shape = (*low.shape[:place], Dim.of(1), *low.shape[place:])
        try:
            broadcast([shape, high.shape], "+")
        except Mismatch:
            continue
        parts = [":"] * low.rank
        parts.insert(place, "_")
        fitting.append(f"`{text}[{', '.join(parts)}]` fits: {low.with_shape(shape)} and {high}")
    return fitting[0] if len(fitting) == 1 else None
