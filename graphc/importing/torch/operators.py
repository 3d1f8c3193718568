"""Operators of ATen that are arithmetic and reductions, in the language."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from graphc.importing.items import Value
from graphc.importing.torch.reading import KINDS, OPERATORS, Reading, of
from graphc.ir.dims import Dim

BINARY = {
    "mul": "*", "div": "/", "pow": "**", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">",
    "ge": ">=", "true_divide": "/", "remainder": "%",
}  # fmt: skip
SAME = """
    abs sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh exp exp2 expm1 log log2 log10
    log1p sqrt reciprocal floor ceil round trunc sign erf erfc lgamma digamma relu sigmoid silu mish
    relu6 selu softsign hardswish hardsigmoid isnan isinf isfinite square logit
"""
NAMED = {name: name for name in SAME.split()} | {
    "neg": "negative", "clone": "id", "alias": "id", "contiguous": "id", "detach": "stop",
    "log_sigmoid": "log_sigmoid", "lift_fresh_copy": "id", "deg2rad": "deg2rad", "erfinv": "erfinv",
}  # fmt: skip
PAIRS = {
    "maximum": "maximum", "minimum": "minimum", "atan2": "atan2", "hypot": "hypot",
    "logaddexp": "logaddexp", "xlogy": "xlogy",
}  # fmt: skip


def _binary(symbol: str) -> Callable[..., Any]:
    def write(r: Reading, a: Any, b: Any, *_: Any, rounding_mode: Any = None, **__: Any) -> Any:
        found = r.sheet.binary(symbol, a, b)
        if rounding_mode is None:
            return found
        return r.sheet.call({"floor": "floor", "trunc": "trunc"}[rounding_mode], found)

    return write


def _named(name: str) -> Callable[..., Any]:
    return lambda r, x, *_, **__: r.sheet.call(name, x) if name != "id" else x


def _pair(name: str) -> Callable[..., Any]:
    return lambda r, a, b: r.sheet.broadcast(name, a, b)


OPERATORS.update((f"aten.{name}", _binary(symbol)) for name, symbol in BINARY.items())
OPERATORS.update((f"aten.{name}", _named(called)) for name, called in NAMED.items())
OPERATORS.update((f"aten.{name}", _pair(called)) for name, called in PAIRS.items())


def _sizes(make: Callable[[Any, Any], Any], symbol: str) -> Callable[..., Any]:
    def write(r: Reading, a: Any, b: Any) -> Any:
        if all(isinstance(one, int | Dim) for one in (a, b)):
            return make(Dim.of(a), Dim.of(b))
        return r.sheet.binary(symbol, a, b)

    return write


for _name, _make, _symbol in (
    ("add", operator.add, "+"), ("sub", operator.sub, "-"), ("mul", operator.mul, "*"),
    ("floordiv", operator.floordiv, "//"), ("truediv", operator.truediv, "/"),
):  # fmt: skip
    OPERATORS[f"operator.{_name}"] = _sizes(_make, _symbol)


@of("operator.getitem")
def _item(r: Reading, values: Any, place: int) -> Any:
    return values[place]


@of("aten.sym_size")
def _size(r: Reading, x: Value, axis: int) -> Dim:
    return x.shape[axis]


@of("aten._assert_tensor_metadata", "aten._assert_scalar", "aten._assert_async")
def _asserted(r: Reading, *_: Any, **__: Any) -> None:
    return None


def _summed(symbol: str) -> Callable[..., Any]:
    def write(r: Reading, a: Any, b: Any, alpha: Any = 1) -> Any:
        return r.sheet.binary(symbol, a, b if alpha == 1 else r.sheet.binary("*", alpha, b))

    return write


OPERATORS.update({"aten.add": _summed("+"), "aten.sub": _summed("-")})


@of("aten.rsub")
def _rsub(r: Reading, a: Any, b: Any, alpha: Any = 1) -> Any:
    return OPERATORS["aten.sub"](r, b, a, alpha)


@of("aten.rsqrt")
def _rsqrt(r: Reading, x: Any) -> Value:
    return r.sheet.binary("/", 1, r.sheet.call("sqrt", x))


@of("aten.logical_and", "aten.bitwise_and", "aten.__and__")
def _and(r: Reading, a: Any, b: Any) -> Value:
    return r.sheet.binary("and", a, b)


@of("aten.logical_or", "aten.bitwise_or", "aten.__or__")
def _or(r: Reading, a: Any, b: Any) -> Value:
    return r.sheet.binary("or", a, b)


@of("aten.logical_not", "aten.bitwise_not")
def _not(r: Reading, x: Any) -> Value:
    return r.sheet.unary("not", x)


@of("aten.where")
def _where(r: Reading, condition: Any, x: Any, y: Any) -> Value:
    return r.sheet.broadcast("where", condition, x, y)


@of("aten.masked_fill")
def _masked(r: Reading, x: Any, mask: Any, number: Any) -> Value:
    return r.sheet.broadcast("where", mask, number, x)


@of("aten.clamp", "aten.clip")
def _clamp(r: Reading, x: Value, low: Any = None, high: Any = None, **named: Any) -> Value:
    low, high = named.get("min", low), named.get("max", high)
    if all(isinstance(one, int | float) for one in (low, high)):
        return r.sheet.call("clip", x, float(low), float(high))
    for name, bound in (("maximum", low), ("minimum", high)):
        x = x if bound is None else r.sheet.broadcast(name, x, bound)
    return x


OPERATORS["aten.clamp_min"] = lambda r, x, low: r.sheet.broadcast("maximum", x, low)
OPERATORS["aten.clamp_max"] = lambda r, x, high: r.sheet.broadcast("minimum", x, high)


@of("aten._to_copy", "aten.to", "aten.type_as", "prims.convert_element_type")
def _to(r: Reading, x: Value, dtype: Any = None, *_: Any, **named: Any) -> Value:
    wanted = named.get("dtype", dtype)
    kind = KINDS.get(str(wanted), x.dtype)
    match x.dtype, kind:
        case one, other if one == other:
            return x
        case _, "float":
            return r.sheet.binary("*", 1.0, x)
        case _, "int":
            return r.sheet.call("to_int", x)
        case _, "bool":
            return r.sheet.binary("!=", x, 0)
    raise r.sheet.mistake(f"{x.dtype} does not become {wanted} in the language")


# ---- reductions ---------------------------------------------------------------------------------


def axes_of(x: Value, axes: Any) -> Any:
    """Return axes as the language writes them; none are all."""
    if axes is None or axes == []:
        return None
    return axes[0] if isinstance(axes, list) and len(axes) == 1 else axes


def _reduced(name: str) -> Callable[..., Any]:
    def write(r: Reading, x: Value, axes: Any = None, keepdim: bool = False, **named: Any) -> Value:
        axes = named.get("dim", axes)
        kept = True if named.get("keepdim", keepdim) else None
        if x.dtype == "bool" and name == "sum":
            x = r.sheet.call("where", x, 1, 0)
        return r.sheet.call(name, x, axis=axes_of(x, axes), keepdims=kept)

    return write


for _name, _called in (
    ("sum", "sum"), ("mean", "mean"), ("prod", "prod"), ("amax", "max"), ("amin", "min"),
    ("any", "any"), ("all", "all"), ("argmax", "argmax"), ("argmin", "argmin"),
    ("logsumexp", "logsumexp"),
):  # fmt: skip
    OPERATORS[f"aten.{_name}"] = _reduced(_called)


def _or_pair(name: str, pair: str, arg: str) -> Callable[..., Any]:
    def write(r: Reading, x: Value, other: Any = None, keepdim: bool = False) -> Any:
        if other is None:
            return r.sheet.call(name, x)
        if isinstance(other, Value):
            return r.sheet.broadcast(pair, x, other)
        kept = True if keepdim else None
        return [r.sheet.call(one, x, axis=other, keepdims=kept) for one in (name, arg)]

    return write


OPERATORS["aten.max"] = _or_pair("max", "maximum", "argmax")
OPERATORS["aten.min"] = _or_pair("min", "minimum", "argmin")


def _spread(name: str) -> Callable[..., Any]:
    def write(
        r: Reading, x: Value, axes: Any = None, *_: Any, correction: Any = 1, keepdim: bool = False,
        **named: Any,
    ) -> Value:  # fmt: skip
        unbiased = named.get("unbiased", True)
        ddof = int(1 if correction is None else correction) if unbiased else 0
        kept = True if keepdim else None
        along = None if isinstance(axes, bool) else axes_of(x, named.get("dim", axes))
        return r.sheet.call(name, x, axis=along, ddof=ddof or None, keepdims=kept)

    return write


OPERATORS["aten.var"], OPERATORS["aten.std"] = _spread("var"), _spread("std")
OPERATORS["aten.cumsum"] = lambda r, x, axis, **_: r.sheet.call("cumsum", x, axis=axis)
OPERATORS["aten.linalg_vector_norm"] = lambda r, x, order=2, axes=None, keepdim=False, **_: (
    r.sheet.call("norm", x, float(order), axis=axes_of(x, axes), keepdims=keepdim or None)
)
