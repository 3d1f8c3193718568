"""Functions element by element as ONNX has them, or what they are made of, to the last digits."""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.exporting.onnx.lacking import lacking
from graphc.exporting.onnx.widths import by_width
from graphc.exporting.onnx.writing import Writing

Formula = Callable[..., str]

PLAIN = {
    "abs": "Abs", "negative": "Neg", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "sin": "Sin",
    "cos": "Cos", "tan": "Tan", "arcsin": "Asin", "arccos": "Acos", "arctan": "Atan",
    "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh", "arcsinh": "Asinh", "arccosh": "Acosh",
    "arctanh": "Atanh",
    "floor": "Floor", "ceil": "Ceil", "rint": "Round", "sign": "Sign", "erf": "Erf",
    "isnan": "IsNaN", "isinf": "IsInf", "logical_not": "Not", "subtract": "Sub", "divide": "Div",
    "power": "Pow", "equal": "Equal", "less": "Less", "less_equal": "LessOrEqual",
    "greater": "Greater", "greater_equal": "GreaterOrEqual", "logical_and": "And",
    "logical_or": "Or", "where": "Where",
}  # fmt: skip
MANY = {"add": "Add", "multiply": "Mul", "maximum": "Max", "minimum": "Min"}


def _plain(operator: str) -> Formula:
    return lambda w, *given: w.add(operator, *given)


def _many(operator: str) -> Formula:
    def write(w: Writing, first: str, *others: str) -> str:
        for one in others:
            first = w.add(operator, first, one)
        return first

    return write


def _expm1(w: Writing, x: str) -> str:
    """Write tanh(x/2) (exp(x) + 1), which loses no digits near 0."""
    half = FORMULAS["tanh"](w, w.add("Mul", x, w.number(0.5)))
    found = w.add("Mul", half, w.add("Add", w.add("Exp", x), w.number(1)))
    return found


def _log1p(w: Writing, x: str) -> str:
    """Write log(u) - ((u - 1) - x) / u with u = 1 + x: what rounding takes from u is given back.

    (Kahan; Higham, Accuracy and Stability of Numerical Algorithms, 2002, §1.14.1)
    """
    u = w.add("Add", x, w.number(1))
    lost = w.add("Sub", w.add("Sub", u, w.number(1)), x)
    mended = w.add("Sub", w.add("Log", u), w.add("Div", lost, u))
    plain = w.add("Or", w.add("IsInf", u), w.add("Equal", u, w.number(0)))
    return w.where(plain, w.add("Log", u), mended)


def _logaddexp(w: Writing, a: str, b: str) -> str:
    high = w.add("Max", a, b)
    apart = w.add("Neg", w.add("Abs", w.add("Sub", a, b)))
    found = w.add("Add", high, _log1p(w, w.add("Exp", apart)))
    return w.where(w.add("Equal", a, b), w.add("Add", a, w.number(math.log(2))), found)


def _hypot(w: Writing, a: str, b: str) -> str:
    sizes = w.add("Abs", a), w.add("Abs", b)
    high = w.add("Max", *sizes)
    exact = w.add("Or", w.add("Equal", high, w.number(0)), w.add("IsInf", high))
    safe = w.where(exact, w.number(1), high)
    parts = [w.add("Div", one, safe) for one in sizes]
    squares = [w.add("Mul", one, one) for one in parts]
    return w.add("Mul", high, w.add("Sqrt", w.add("Add", *squares)))


def _atan2(w: Writing, y: str, x: str) -> str:
    """Write the angle from that in the right half plane, and a half turn for the left."""
    zero = w.number(0)
    safe = w.where(w.add("Equal", x, zero), w.number(1), x)
    inside = FORMULAS["arctan"](w, w.add("Div", y, safe))
    turn = w.where(w.add("Less", y, zero), w.number(-math.pi), w.number(math.pi))
    left = w.where(w.add("Less", x, zero), w.add("Add", inside, turn), inside)
    upright = w.add("Mul", w.add("Sign", y), w.number(math.pi / 2))
    return w.where(w.add("Equal", x, zero), upright, left)


def _remainder(w: Writing, a: str, b: str) -> str:
    whole = w.add("Floor", w.add("Div", a, b))
    return w.add("Sub", a, w.add("Mul", whole, b))


def _trunc(w: Writing, x: str) -> str:
    return w.add("Mul", w.add("Sign", x), w.add("Floor", w.add("Abs", x)))


def _cbrt(w: Writing, x: str) -> str:
    """Write the root of the size, once mended by Newton's step, with the sign."""
    size = w.add("Abs", x)
    root = w.add("Pow", size, w.number(1 / 3))
    exact = w.add("Or", w.add("Equal", root, w.number(0)), w.add("IsInf", root))
    safe = w.where(exact, w.number(1), root)
    square = w.add("Mul", safe, safe)
    excess = w.add("Sub", root, w.add("Div", size, square))
    better = w.add("Sub", root, w.add("Div", excess, w.number(3)))
    return w.add("Mul", w.add("Sign", x), w.where(exact, root, better))


FORMULAS: dict[str, Formula] = {}
"""What functions of numbers are, by the names that kernels call them."""

LACKING = lacking(FORMULAS)
"""Those of them that take further operands as numbers."""

FORMULAS |= {
    **LACKING,
    **{name: _plain(operator) for name, operator in PLAIN.items()},
    **{name: _many(operator) for name, operator in MANY.items()},
    "expm1": _expm1,
    "log1p": _log1p,
    "logaddexp": _logaddexp,
    "hypot": _hypot,
    "arctan2": _atan2,
    "remainder": _remainder,
    "floor_divide": lambda w, a, b: w.add("Floor", w.add("Div", a, b)),
    "trunc": _trunc,
    "cbrt": _cbrt,
    "not_equal": lambda w, a, b: w.add("Not", w.add("Equal", a, b)),
    "isfinite": lambda w, x: w.add("Not", w.add("Or", w.add("IsNaN", x), w.add("IsInf", x))),
    "square": lambda w, x: w.add("Mul", x, x),
    "reciprocal": lambda w, x: w.add("Div", w.number(1), x),
    "exp2": lambda w, x: w.add("Pow", w.number(2), x),
    "log2": lambda w, x: w.add("Div", w.add("Log", x), w.number(math.log(2))),
    "log10": lambda w, x: w.add("Div", w.add("Log", x), w.number(math.log(10))),
    "heaviside": lambda w, x, h: w.where(
        w.add("Equal", x, w.number(0)), h,
        w.where(w.add("Less", x, w.number(0)), w.number(0), w.number(1)),
    ),
    "clip": lambda w, x, low, high: w.add("Min", w.add("Max", x, low), high),
}  # fmt: skip
FORMULAS |= by_width(FORMULAS, log1p=_log1p, erf=LACKING["erf"])

WHOLE: dict[str, Formula] = {
    "floor_divide": lambda w, a, b: _floored(w, a, b),
    "remainder": lambda w, a, b: w.add("Mod", a, b),
    "square": lambda w, x: w.add("Mul", x, x),
}
"""The same of integers, where that is another."""


def _floored(w: Writing, a: str, b: str) -> str:
    """Write a quotient of integers rounded down."""
    return w.add("Div", w.add("Sub", a, w.add("Mod", a, b)), b)
