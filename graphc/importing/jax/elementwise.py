"""Primitives element by element, reductions and calls of functions, in the language."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.importing.dtypes import KINDS
from graphc.importing.items import Value
from graphc.importing.jax.forms import known_form
from graphc.importing.jax.reading import PRIMITIVES, Given, Reading, of
from graphc.ir.dims import Dim

OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "eq": "==", "ne": "!=", "lt": "<",
    "le": "<=", "gt": ">", "ge": ">=", "add_any": "+",
}  # fmt: skip
WHOLE: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul,
}  # fmt: skip
NAMED = {
    "max": "maximum", "min": "minimum", "logistic": "sigmoid", "is_finite": "isfinite",
    "erf_inv": "erfinv", "copy": "id", "copy_p": "id", "real": "id", "stop_gradient": "stop",
    "bessel_i0e": "i0e", "bessel_i1e": "i1e", "igamma": "gammainc", "igammac": "gammaincc",
    "regularized_incomplete_beta": "betainc",
}  # fmt: skip
OWN = """
    abs sign floor ceil exp exp2 log log1p expm1 sqrt cbrt sin cos tan asin acos atan sinh cosh tanh
    asinh acosh atanh atan2 erf erfc lgamma digamma polygamma square zeta
"""
NAMED.update((name, name) for name in OWN.split())


def thinned(
    reading: Reading, operands: tuple[Given, ...], equation: Any, beside: Any = None
) -> list[Any]:
    """Return operands without the repetition that broadcasting, also to one beside, makes again."""
    found = [reading.value(one) for one in operands]
    thin = [reading.thin.get(one.key, one) if isinstance(one, Value) else one for one in found]
    wanted = reading.type(equation.outvars[0].aval).shape
    fits = any(isinstance(one, Value) and one.shape == wanted for one in (*thin, beside))
    return thin if fits else found


def _operator(name: str) -> Callable[..., Given]:
    def write(reading: Reading, a: Given, b: Given, equation: Any) -> Given:
        if name in WHOLE and _are_sizes(reading, a, b):
            return reading.dim_or_number(WHOLE[name](_size(a), _size(b)))
        form = known_form(reading, name, a, b)
        if form is not None:
            return form
        left, right = thinned(reading, (a, b), equation)
        integers = name == "div" and np.dtype(equation.outvars[0].aval.dtype).kind in "iu"
        return reading.sheet.binary("//" if integers else OPERATORS[name], left, right)

    return write


def _are_sizes(reading: Reading, *given: Given) -> bool:
    """True if these are whole numbers, at least one of them a dim."""
    whole = all(
        isinstance(one, Dim)
        or (isinstance(one, np.ndarray) and not one.ndim and one.dtype.kind in "iu")
        for one in given
    )
    return whole and any(isinstance(one, Dim) for one in given)


def _size(given: Given) -> Any:
    return given if isinstance(given, Dim) else int(given)


def _named(name: str) -> Callable[..., Value]:
    def write(reading: Reading, *operands: Given, equation: Any) -> Value:
        if name == "max" and isinstance(operands[0], np.ndarray) and np.all(operands[0] == -np.inf):
            return reading.typed(operands[1])  # where a maximum of nothing begins
        return reading.sheet.broadcast(NAMED[name], *thinned(reading, operands, equation))

    return write


PRIMITIVES.update((name, _operator(name)) for name in OPERATORS)
PRIMITIVES.update((name, _named(name)) for name in NAMED)


@of("neg")
def _negative(reading: Reading, x: Given, equation: Any) -> Given:
    return -x if isinstance(x, Dim) else reading.sheet.unary("-", reading.value(x))


@of("not")
def _not(reading: Reading, x: Given, equation: Any) -> Value:
    return reading.sheet.unary("not", _truth(reading, x))


def _logical(name: str) -> Callable[..., Given]:
    def write(reading: Reading, a: Given, b: Given, equation: Any) -> Given:
        for one, other in ((a, b), (b, a)):
            if name == "and" and isinstance(one, np.ndarray) and not one.ndim and bool(one):
                return other
        return reading.sheet.binary(name, _truth(reading, a), _truth(reading, b))

    return write


PRIMITIVES["and"], PRIMITIVES["or"] = _logical("and"), _logical("or")


@of("xor")
def _xor(reading: Reading, a: Given, b: Given, equation: Any) -> Value:
    sides = [reading.sheet.call("where", _truth(reading, one), 1, 0) for one in (a, b)]
    return reading.sheet.binary("!=", *sides)


def _truth(reading: Reading, x: Given) -> Any:
    found = reading.value(x)
    if isinstance(found, Value) and found.dtype != "bool":
        raise reading.sheet.mistake("there are no operations on the bits of integers")
    return found


@of("integer_pow")
def _integer_pow(reading: Reading, x: Given, equation: Any) -> Given:
    if isinstance(x, Dim):
        return x ** equation.params["y"]
    return reading.sheet.binary("**", reading.value(x), equation.params["y"])


@of("rsqrt")
def _rsqrt(reading: Reading, x: Given, equation: Any) -> Value:
    return reading.sheet.binary("/", 1, reading.sheet.call("sqrt", reading.value(x)))


@of("round")
def _round(reading: Reading, x: Given, equation: Any) -> Value:
    given = reading.value(x)
    if int(equation.params["rounding_method"]) == 1:
        return reading.sheet.call("round", given)
    away = reading.sheet.call(
        "floor", reading.sheet.binary("+", reading.sheet.call("abs", given), 0.5)
    )
    return reading.sheet.binary("*", reading.sheet.call("sign", given), away)


@of("rem")
def _rem(reading: Reading, a: Given, b: Given, equation: Any) -> Given:
    """Write the remainder of the sign of what is divided."""
    if _are_sizes(reading, a, b):
        return reading.dim_or_number(_size(a) % _size(b))
    left, right = thinned(reading, (a, b), equation)
    sheet = reading.sheet
    if np.dtype(equation.outvars[0].aval.dtype).kind in "iu":
        return sheet.binary("%", left, right)
    whole = sheet.call("trunc", sheet.binary("/", left, right))
    return sheet.binary("-", left, sheet.binary("*", whole, right))


@of("clamp")
def _clamp(reading: Reading, low: Given, x: Given, high: Given, equation: Any) -> Value:
    """Write a clamp, whose derivative is 0 at the bounds, too."""
    sheet = reading.sheet
    least, given, most = (reading.value(one) for one in (low, x, high))
    below = sheet.broadcast("where", sheet.binary("<=", given, least), least, given)
    return sheet.broadcast("where", sheet.binary(">=", given, most), most, below)


@of("select_n")
def _select(reading: Reading, which: Given, *cases: Given, equation: Any) -> Given:
    if isinstance(which, np.ndarray) and not which.ndim:
        return cases[int(which)]
    if len(cases) > 2:
        found: Any = reading.value(cases[-1])
        for number, one in reversed(list(enumerate(cases[:-1]))):
            chosen = reading.sheet.binary("<=", reading.value(which), number)
            found = reading.sheet.broadcast("where", chosen, reading.value(one), found)
        return found
    wrapped = _wrapped(reading, which, cases)
    if wrapped is not None:
        return wrapped
    condition = reading.value(which)
    if isinstance(condition, Value) and condition.dtype == "int":
        condition = reading.sheet.binary("!=", condition, 0)
    no, yes = thinned(reading, cases, equation, condition)
    return reading.sheet.broadcast("where", condition, yes, no)


def _wrapped(reading: Reading, which: Given, cases: tuple[Given, ...]) -> Given | None:
    """Return an index as it was, where it is counted from the end if it is negative."""
    compared, added = reading.origin(which, "lt"), reading.origin(cases[1], "add")
    if isinstance(cases[0], Dim) and isinstance(cases[1], Dim):
        return cases[0]
    if compared is None or added is None:
        return None
    (index, zero), (moved, size) = compared[0], added[0]
    if not (isinstance(zero, np.ndarray) and not zero.any() and isinstance(size, np.ndarray | Dim)):
        return None
    same = all(isinstance(one, Value) and one.key == cases[0].key for one in (index, moved)
               if isinstance(cases[0], Value))  # fmt: skip
    return cases[0] if isinstance(cases[0], Value) and same else None


@of("convert_element_type")
def _convert(reading: Reading, x: Given, equation: Any) -> Given:
    kind = KINDS.get(np.dtype(equation.params["new_dtype"]).kind)
    if isinstance(x, Dim):
        return x if kind == "int" else reading.sheet.value(reading.sheet.draw.expr(x))
    found, sheet = reading.typed(x), reading.sheet
    match found.dtype, kind:
        case one, other if one == other:
            return found
        case _, "float":
            return sheet.binary("*", 1.0, found)
        case _, "int":
            return sheet.call("to_int", found)
        case _, "bool":
            return sheet.binary("!=", found, 0)
    raise sheet.mistake(f"{found.dtype} does not become {equation.params['new_dtype']}")


# ---- reductions ---------------------------------------------------------------------------------


def _reduction(name: str) -> Callable[..., Value]:
    def write(reading: Reading, x: Given, equation: Any) -> Value:
        given, axes = reading.typed(x), [int(one) for one in equation.params["axes"]]
        if not axes:
            return given
        if given.dtype == "bool" and name == "sum":
            given = reading.sheet.call("where", given, 1, 0)
        whole = len(axes) == given.rank
        axis = None if whole else axes[0] if len(axes) == 1 else axes
        return reading.sheet.call(name, given, axis=axis)

    return write


for _primitive in ("sum", "prod", "max", "min"):
    PRIMITIVES[f"reduce_{_primitive}"] = _reduction(_primitive)
PRIMITIVES["reduce_and"], PRIMITIVES["reduce_or"] = _reduction("all"), _reduction("any")
PRIMITIVES["argmax"], PRIMITIVES["argmin"] = _reduction("argmax"), _reduction("argmin")


def _running(name: str) -> Callable[..., Value]:
    def write(reading: Reading, x: Given, equation: Any) -> Value:
        axis, sheet, found = int(equation.params["axis"]), reading.sheet, reading.typed(x)
        if equation.params["reverse"]:
            back = sheet.call(name, sheet.call("flip", found, axis=axis), axis=axis)
            return sheet.call("flip", back, axis=axis)
        return sheet.call(name, found, axis=axis)

    return write


PRIMITIVES.update(
    (name, _running(name)) for name in ("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")
)
PRIMITIVES["cumlogsumexp"] = _running("logcumsumexp")
