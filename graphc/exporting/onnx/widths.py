"""Functions that onnxruntime has in one width alone, or in float32 not to the last digits.

ONNX has them in every width, and its reference evaluator, too. Here they are written so that either
computes them, to a few units of the last digit, with the same values at 0, infinity and nan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from graphc.exporting.onnx.writing import Writing

Formula = Callable[..., str]


def _single_or_double(single: Formula, double: Formula) -> Formula:
    def write(w: Writing, *given: str) -> str:
        return (single if w.shared.float == np.float32 else double)(w, *given)

    return write


def _tanh_in_double(w: Writing, x: str) -> str:
    """Write tanh of float32 in float64: that of onnxruntime is off by 4 units of the last digit."""
    return w.cast(w.add("Tanh", w.cast(x, "double")), "float")


def _tan(w: Writing, x: str) -> str:
    return w.add("Div", w.add("Sin", x), w.add("Cos", x))


def _cosh(w: Writing, x: str) -> str:
    """Write (h² + 1/h²) / 2 with h = exp(|x| / 2), which ends where its value does."""
    root = w.add("Exp", w.add("Mul", w.add("Abs", x), w.number(0.5)))
    grows = w.add("Mul", w.add("Mul", root, w.number(0.5)), root)
    falls = w.add("Div", w.add("Div", w.number(0.5), root), root)
    return w.add("Add", grows, falls)


def _sinh(w: Writing, x: str) -> str:
    """Write tanh(x / 2) (1 + cosh x), which loses no digits near 0."""
    half = w.add("Tanh", w.add("Mul", x, w.number(0.5)))
    return w.add("Mul", half, w.add("Add", w.number(1), _cosh(w, x)))


def _arctan(w: Writing, x: str) -> str:
    """Write the angle y of float32, and what is missing: with δ = (a - tan y) / (1 + a tan y) it
    is arctan δ = δ - δ³/3, whose next term is below 1e-36. Of |x| > 1 the angle is that of 1 / x
    from a quarter turn.
    """
    size = w.add("Abs", x)
    beyond = w.add("Greater", size, w.number(1))
    a = w.where(beyond, w.add("Div", w.number(1), size), size)
    near = w.cast(w.add("Atan", w.cast(a, "single")), "float")
    sine, cosine = w.add("Sin", near), w.add("Cos", near)
    above = w.add("Sub", w.add("Mul", a, cosine), sine)
    delta = w.add("Div", above, w.add("Add", cosine, w.add("Mul", a, sine)))
    third = w.add("Div", w.add("Mul", delta, w.add("Mul", delta, delta)), w.number(3))
    angle = w.add("Add", near, w.add("Sub", delta, third))
    turned = w.add("Sub", w.number(math.pi / 2), angle)
    return w.add("Mul", w.add("Sign", x), w.where(beyond, turned, angle))


def _arcsin(w: Writing, x: str) -> str:
    """Write 2 arctan(x / (1 + √((1 - x) (1 + x))))."""
    low, high = w.add("Sub", w.number(1), x), w.add("Add", w.number(1), x)
    cosine = w.add("Sqrt", w.add("Mul", low, high))
    half = w.add("Div", x, w.add("Add", w.number(1), cosine))
    return w.add("Mul", w.number(2), _arctan(w, half))


def _arccos(w: Writing, x: str) -> str:
    """Write 2 arctan √((1 - x) / (1 + x))."""
    low, high = w.add("Sub", w.number(1), x), w.add("Add", w.number(1), x)
    return w.add("Mul", w.number(2), _arctan(w, w.add("Sqrt", w.add("Div", low, high))))


LARGE = 2.0**28
"""From here on 1 + x² is x² to the last digit of float64."""


def _arcsinh(w: Writing, log1p: Formula, x: str) -> str:
    """Write log1p(a + a² / (1 + √(1 + a²))) of a = |x|, of a large one log 2a, with the sign."""
    size = w.add("Abs", x)
    far = w.add("Greater", size, w.number(LARGE))
    a = w.where(far, w.number(1), size)
    square = w.add("Mul", a, a)
    root = w.add("Sqrt", w.add("Add", w.number(1), square))
    part = w.add("Div", square, w.add("Add", w.number(1), root))
    near = log1p(w, w.add("Add", a, part))
    return w.add("Mul", w.add("Sign", x), w.where(far, _log_of_twice(w, size), near))


def _arccosh(w: Writing, log1p: Formula, x: str) -> str:
    """Write log1p(t + √t √(t + 2)) of t = x - 1, which is nan of x < 1, of a large x log 2x."""
    far = w.add("Greater", x, w.number(LARGE))
    t = w.add("Sub", w.where(far, w.number(1), x), w.number(1))
    root = w.add("Mul", w.add("Sqrt", t), w.add("Sqrt", w.add("Add", t, w.number(2))))
    return w.where(far, _log_of_twice(w, x), log1p(w, w.add("Add", t, root)))


def _log_of_twice(w: Writing, x: str) -> str:
    return w.add("Add", w.add("Log", x), w.number(math.log(2)))


def _arctanh(w: Writing, log1p: Formula, x: str) -> str:
    """Write log1p(2a / (1 - a)) / 2 of a = |x|, with the sign."""
    size = w.add("Abs", x)
    ratio = w.add("Div", w.add("Mul", w.number(2), size), w.add("Sub", w.number(1), size))
    half = w.add("Mul", w.number(0.5), log1p(w, ratio))
    return w.add("Mul", w.add("Sign", x), half)


def by_width(plain: Mapping[str, Formula], log1p: Formula, erf: Formula) -> dict[str, Formula]:
    """Return the functions of `plain` that are written otherwise, in one width or the other."""

    def over(formula: Callable[[Writing, Formula, str], str]) -> Formula:
        return lambda w, x: formula(w, log1p, x)

    in_double: dict[str, Formula] = {
        "tan": _tan, "cosh": _cosh, "sinh": _sinh, "arctan": _arctan, "arcsin": _arcsin,
        "arccos": _arccos, "arcsinh": over(_arcsinh), "arccosh": over(_arccosh),
        "arctanh": over(_arctanh), "erf": erf,
    }  # fmt: skip
    return {
        "tanh": _single_or_double(_tanh_in_double, plain["tanh"]),
        **{name: _single_or_double(plain[name], one) for name, one in in_double.items()},
    }
