"""Operations on Python's own floats: what NumPy does element by element, with `math` on one number.

Where `math` raises (an overflow, 1 / 0, log of 0) NumPy has a value: inf or nan. No operation here
gives another number in its place, and nan goes through each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from graphc.ir.graph import Node, Op
from graphc.ir.kernel import Elementwise, X, Y
from graphc.records import replace

LAZY = frozenset({"where", "and", "or", "not", "sign", "maximum", "minimum", "relu", "==", "!="})
"""What may leave an argument alone, whatever it is."""

_AS_ON_ARRAYS = (
    "+", "-", "*", "/", "//", "%", "**", "negative", "==", "!=", "<", "<=", ">", ">=", "and", "or",
    "not", "where", "cast_float", "abs", "floor", "ceil", "trunc", "round", "exp", "expm1", "log",
    "log1p", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "exp2", "log2", "log10", "cbrt",
    "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "atan2", "hypot", "erf", "erfc",
    "isfinite", "isnan", "isinf",
)  # fmt: skip

_X_IS_NAN = Elementwise("not_equal", X, X)
_POSITIVE = Elementwise("greater", X, 0.0)


def _exp(x: Elementwise) -> Elementwise:
    return Elementwise("exp", x)


def _choose(comparison: str) -> Elementwise:
    """x where it compares so with y, or is nan, else y."""
    wins = Elementwise("logical_or", Elementwise(comparison, X, Y), _X_IS_NAN)
    return Elementwise("where", wins, X, Y)


_OWN: Mapping[str, Elementwise] = {
    "sign": Elementwise(
        "where",
        _X_IS_NAN,
        X,
        Elementwise("cast", Elementwise("subtract", _POSITIVE, Elementwise("less", X, 0.0))),
    ),
    "maximum": _choose("greater_equal"),
    "minimum": _choose("less_equal"),
    "sigmoid": Elementwise(
        "divide", 1.0, Elementwise("add", 1.0, _exp(Elementwise("negative", X)))
    ),
    "softplus": Elementwise(
        "add",
        Elementwise("where", _POSITIVE, X, 0.0),
        Elementwise("log1p", _exp(Elementwise("negative", Elementwise("abs", X)))),
    ),
    "relu": Elementwise("where", Elementwise("less_equal", X, 0.0), 0.0, X),
    "softsign": Elementwise("divide", X, Elementwise("add", 1.0, Elementwise("abs", X))),
}
_SQUARE = Elementwise("multiply", X, X)

ON_NUMBERS = (*_AS_ON_ARRAYS, *_OWN)
"""The operations that there are on numbers, by name."""


def on_numbers(node: Node) -> Op | None:
    """Return a node's operation on Python's own floats, if there is one.

    A square is a product; Python's own `**` makes complex numbers of negative ones.
    """
    square = node.op.name == "**" and node.args[1].value == 2
    return _on_numbers(node.op, _SQUARE if square else _OWN.get(node.op.name))


@cache
def _on_numbers(op: Op, own: Elementwise | None) -> Op | None:
    if op.name not in ON_NUMBERS:
        return None
    return replace(op, kernel=own or op.kernel, numbers=True)
