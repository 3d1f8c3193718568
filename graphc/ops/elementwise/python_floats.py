"""Operations on Python's own floats: what NumPy does element by element, with `math` on one number.

`math_exp` is `math.exp`: a name of one word is found faster.

Where `math` raises (an overflow, 1 / 0, log of 0) NumPy has a value: inf or nan. No operation here
gives another number in its place, and nan goes through each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from graphc.ir.graph import Node, Op

Template = str | Callable[[Node], str]


def _power(node: Node) -> str:
    """A square is a product; Python's own `**` makes complex numbers of negative ones."""
    exponent = node.args[1].value
    return "{0} * {0}" if exponent == 2 else "math_pow({0}, {1})"


LAZY = frozenset({"where", "and", "or", "not", "sign", "maximum", "minimum", "relu", "==", "!="})
"""What may leave an argument alone, whatever it is."""

_POSITIVE_PART = "({0} if {0} > 0.0 else 0.0)"
_AS_WRITTEN = ("+", "-", "*", "/", "//", "%", "negative", "==", "!=", "<", "<=", ">", ">=")
_OF_MATH = {
    "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "sqrt": "sqrt", "sin": "sin",
    "cos": "cos", "tan": "tan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "exp2": "exp2",
    "log2": "log2", "log10": "log10", "cbrt": "cbrt", "arcsin": "asin", "arccos": "acos",
    "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "erf": "erf",
    "erfc": "erfc", "isfinite": "isfinite", "isnan": "isnan", "isinf": "isinf",
}  # fmt: skip

SCALAR: dict[str, Template] = {
    **dict.fromkeys(_AS_WRITTEN, ""),
    **{name: f"math_{function}({{0}})" for name, function in _OF_MATH.items()},
    "**": _power,
    "and": "{0} and {1}",
    "or": "{0} or {1}",
    "not": "not {0}",
    "atan2": "math_atan2({0}, {1})",
    "hypot": "math_hypot({0}, {1})",
    "where": "{1} if {0} else {2}",
    "cast_float": "float({0})",
    "abs": "abs({0})",
    "sign": "{0} if {0} != {0} else float(({0} > 0.0) - ({0} < 0.0))",
    "maximum": "{0} if {0} >= {1} or {0} != {0} else {1}",
    "minimum": "{0} if {0} <= {1} or {0} != {0} else {1}",
    "floor": "float(math_floor({0}))",
    "ceil": "float(math_ceil({0}))",
    "trunc": "float(math_trunc({0}))",
    "round": "float(round({0}))",
    "sigmoid": "1.0 / (1.0 + math_exp(-{0}))",
    "softplus": f"{_POSITIVE_PART} + math_log1p(math_exp(-abs({{0}})))",
    "relu": "0.0 if {0} <= 0.0 else {0}",
    "softsign": "{0} / (1.0 + abs({0}))",
}
"""Templates by name; "" is the one that the operation has for arrays."""


@cache
def on_numbers(op: Op) -> Op | None:
    """The operation on Python's own floats, if there is one."""
    template = SCALAR.get(op.name)
    return None if template is None else replace(op, numpy=template or op.numpy, numbers=True)
