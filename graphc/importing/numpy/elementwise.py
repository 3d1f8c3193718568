"""NumPy's functions element by element, and its reductions, in the language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from graphc.importing.items import Value
from graphc.importing.numpy.arrays import Trace
from graphc.ops import FUNCTIONS

Handler = Callable[..., Any]
TABLE: dict[Any, Handler] = {}
"""What each function of NumPy is: called with the trace and its arguments, it gives a value."""

OPERATORS = {
    np.add: "+", np.subtract: "-", np.multiply: "*", np.true_divide: "/", np.floor_divide: "//",
    np.remainder: "%", np.power: "**", np.float_power: "**", np.equal: "==", np.not_equal: "!=",
    np.less: "<", np.less_equal: "<=", np.greater: ">", np.greater_equal: ">=",
}  # fmt: skip
NAMED = {
    "absolute": "abs", "fabs": "abs", "rint": "round", "degrees": "rad2deg", "radians": "deg2rad",
    "arctan2": "atan2", "expit": "sigmoid", "log_expit": "log_sigmoid", "gammaln": "lgamma",
    "loggamma": "lgamma", "psi": "digamma", "conjugate": "id", "positive": "id",
}  # fmt: skip
"""Functions element by element that the language has under another name."""
LOGICAL = {
    np.logical_and: "and", np.logical_or: "or", np.bitwise_and: "and", np.bitwise_or: "or",
}  # fmt: skip


SomeHandler = TypeVar("SomeHandler", bound=Handler)


def of(*functions: Any) -> Callable[[SomeHandler], SomeHandler]:
    """Return a decorator that says what functions of NumPy are."""

    def register(handler: SomeHandler) -> SomeHandler:
        for function in functions:
            TABLE[function] = handler
        return handler

    return register


def refuse(trace: Trace, **given: Any) -> None:
    """Refuse arguments that the language has nothing for, unless they are left out."""
    for name, value in given.items():
        if value is not None and value is not np._NoValue:
            raise trace.sheet.mistake(f"the argument `{name}` has no counterpart in the language")


# ---- element by element -------------------------------------------------------------------------


@of(np.ufunc)
def _ufunc(trace: Trace, function: Any, *given: Any, **named: Any) -> Value:
    """Write down what works element by element."""
    where, _ = named.pop("where", True), named.pop("dtype", None)
    refuse(trace, where=None if where is True else where, **named)
    sheet = trace.sheet
    values = [trace.value(one) for one in given]
    if function is np.add and type(given[0]) is int and given[0] == 0:
        return trace.typed(given[1])  # where `sum` of Python begins
    if function in OPERATORS:
        return sheet.binary(OPERATORS[function], *_counted(trace, OPERATORS[function], values))
    if function in LOGICAL:
        left, right = (_truth(trace, one) for one in values)
        return sheet.binary(LOGICAL[function], left, right)
    name = NAMED.get(function.__name__, function.__name__)
    if name not in FUNCTIONS:
        raise sheet.mistake(f"`{function.__name__}` has no counterpart in the language")
    return sheet.broadcast(name, *values)


def _counted(trace: Trace, operator: str, values: list[Any]) -> list[Any]:
    """Make integers of truth values that are calculated with."""
    if operator in ("==", "!=") or not all(
        isinstance(one, bool) or (isinstance(one, Value) and one.dtype == "bool") for one in values
    ):
        return values
    if operator not in "+-*":
        return values
    return [trace.sheet.call("where", one, 1, 0) for one in values]


def _truth(trace: Trace, value: Any) -> Any:
    if isinstance(value, Value) and value.dtype == "float":
        return trace.sheet.binary("!=", value, 0.0)
    if isinstance(value, Value) and value.dtype == "int":
        raise trace.sheet.mistake("there are no operations on the bits of integers")
    return value


@of(np.negative)
def _negative(trace: Trace, x: Any) -> Value:
    return trace.sheet.unary("-", trace.value(x))


@of(np.logical_not, np.invert)
def _not(trace: Trace, x: Any) -> Value:
    return trace.sheet.unary("not", _truth(trace, trace.value(x)))


@of(np.logical_xor, np.bitwise_xor)
def _either(trace: Trace, a: Any, b: Any) -> Value:
    left, right = (_truth(trace, trace.value(one)) for one in (a, b))
    one, other = (trace.sheet.call("where", side, 1, 0) for side in (left, right))
    return trace.sheet.binary("!=", one, other)


@of(np.matmul)
def _matmul(trace: Trace, a: Any, b: Any, **named: Any) -> Value:
    refuse(trace, **named)
    left, right = trace.typed(a), trace.typed(b)
    if left.rank > 2 or right.rank > 2:
        return trace.sheet.call("matmul", left, right)
    return trace.sheet.value(trace.sheet.draw.binary("@", left, right))


@of(np.logaddexp2)
def _logaddexp2(trace: Trace, a: Any, b: Any) -> Value:
    sheet, log2 = trace.sheet, float(np.log(2.0))
    scaled = [sheet.binary("*", trace.value(one), log2) for one in (a, b)]
    return sheet.binary("/", sheet.broadcast("logaddexp", *scaled), log2)


@of(np.sinc)
def _sinc(trace: Trace, x: Any) -> Value:
    sheet, given = trace.sheet, trace.typed(x)
    inside = sheet.binary("!=", given, 0.0)
    angle = sheet.binary("*", float(np.pi), sheet.call("where", inside, given, 1.0))
    return sheet.call("where", inside, sheet.binary("/", sheet.call("sin", angle), angle), 1.0)


@of(np.divmod)
def _divmod(trace: Trace, a: Any, b: Any) -> tuple[Value, Value]:
    values = [trace.value(one) for one in (a, b)]
    return trace.sheet.binary("//", *values), trace.sheet.binary("%", *values)


@of(np.where)
def _where(trace: Trace, condition: Any, x: Any = None, y: Any = None) -> Value:
    if x is None or y is None:
        raise trace.sheet.mistake(
            "how many positions a condition has depends on values",
            "choose by values: `np.where(condition, a, b)`",
        )
    chosen = _truth(trace, trace.typed(condition))
    return trace.sheet.broadcast("where", chosen, trace.value(x), trace.value(y))


@of(np.select)
def _select(trace: Trace, condlist: Any, choicelist: Any, default: Any = 0) -> Value:
    found = trace.value(default)
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        found = trace.sheet.broadcast("where", trace.value(condition), trace.value(choice), found)
    assert isinstance(found, Value)
    return found


@of(np.clip)
def _clip(
    trace: Trace, a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
) -> Value:
    absent = np._NoValue
    low, high = (
        next((one for one in pair if one is not None and one is not absent), None)
        for pair in ((a_min, min), (a_max, max))
    )
    found, sheet = trace.typed(a), trace.sheet
    bounds = [None if one is None else trace.value(one) for one in (low, high)]
    if all(isinstance(one, int | float) for one in bounds):
        return sheet.call("clip", found, *map(float, bounds))  # type: ignore[arg-type]
    for name, bound in zip(("maximum", "minimum"), bounds, strict=True):
        found = found if bound is None else sheet.broadcast(name, found, bound)
    return found


@of(np.isclose)
def _isclose(trace: Trace, a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8) -> Value:
    sheet, left, right = trace.sheet, trace.value(a), trace.value(b)
    apart = sheet.call("abs", sheet.binary("-", left, right))
    allowed = sheet.binary("*", rtol, sheet.call("abs", right))
    return sheet.binary("<=", apart, sheet.binary("+", atol, allowed))


@of(np.nan_to_num)
def _nan_to_num(trace: Trace, x: Any, copy: bool = True, nan: float = 0.0, **named: Any) -> Value:
    refuse(trace, **named)
    given, largest = trace.typed(x), float(np.finfo(float).max)
    inside = trace.sheet.call("clip", given, -largest, largest)
    return trace.sheet.call("where", trace.sheet.call("isnan", given), nan, inside)


@of("astype")
def _astype(trace: Trace, x: Any, dtype: Any, *_: Any, **__: Any) -> Value:
    found, wanted = trace.typed(x), np.dtype(dtype).kind
    kind = {"f": "float", "i": "int", "u": "int", "b": "bool"}.get(wanted)
    return cast(trace, found, kind, str(np.dtype(dtype)))


def cast(trace: Trace, found: Value, kind: str | None, written: str) -> Value:
    sheet = trace.sheet
    match found.dtype, kind:
        case one, other if one == other:
            return found
        case "bool" | "int", "float":
            return sheet.binary("*", 1.0, found)
        case _, "int":
            return sheet.call("to_int", found)
        case "float" | "int", "bool":
            return sheet.binary("!=", found, 0)
    raise sheet.mistake(f"{found.dtype} does not become {written} in the language")


# ---- reductions ---------------------------------------------------------------------------------


def axes(axis: Any) -> Any:
    """Return an axis, or a list of them, as the language writes it."""
    return list(axis) if isinstance(axis, tuple) else axis


def _reduction(name: str) -> Handler:
    def reduce(
        trace: Trace, a: Any, axis: Any = None, dtype: Any = None, out: Any = None,
        keepdims: Any = False, initial: Any = None, where: Any = None, **named: Any,
    ) -> Value:  # fmt: skip
        refuse(trace, out=out, initial=initial, where=where)
        kept = True if keepdims is True else None
        more = {key: value for key, value in named.items() if value}
        return trace.sheet.call(
            name, _number(trace, name, a), axis=axes(axis), keepdims=kept, **more
        )

    return reduce


def _number(trace: Trace, name: str, a: Any) -> Value:
    """Return what is reduced; truth values are counted."""
    found = trace.typed(a)
    if found.dtype == "bool" and name in ("sum", "prod"):
        return trace.sheet.call("where", found, 1, 0)
    return found


def _extreme(name: str) -> Handler:
    reduce = _reduction(name)

    def extreme(trace: Trace, a: Any, axis: Any = None, out: Any = None, **named: Any) -> Any:
        return reduce(trace, a, axis, None, out, **named)

    return extreme


REDUCTIONS: tuple[tuple[Any, str], ...] = (
    (np.sum, "sum"), (np.mean, "mean"), (np.prod, "prod"), (np.var, "var"), (np.std, "std"),
    ((np.add, "reduce"), "sum"), ((np.multiply, "reduce"), "prod"),
)  # fmt: skip
EXTREMES: tuple[tuple[Any, str], ...] = (
    (np.max, "max"), (np.min, "min"), (np.all, "all"), (np.any, "any"), (np.argmax, "argmax"),
    (np.argmin, "argmin"), (np.count_nonzero, "count_nonzero"), (np.median, "median"),
)  # fmt: skip
TABLE.update((function, _reduction(name)) for function, name in REDUCTIONS)
TABLE.update((function, _extreme(name)) for function, name in EXTREMES)


@of((np.maximum, "reduce"))
def _max_reduce(trace: Trace, a: Any, axis: Any = 0, **named: Any) -> Value:
    return trace.sheet.call("max", trace.value(a), axis=axis)


@of((np.minimum, "reduce"))
def _min_reduce(trace: Trace, a: Any, axis: Any = 0, **named: Any) -> Value:
    return trace.sheet.call("min", trace.value(a), axis=axis)


@of((np.logaddexp, "reduce"))
def _log_sum(trace: Trace, a: Any, axis: Any = 0, keepdims: bool = False, **_: Any) -> Value:
    return trace.sheet.call("logsumexp", trace.value(a), axis=axis, keepdims=keepdims or None)


@of(np.ptp)
def _ptp(trace: Trace, a: Any, axis: Any = None, **named: Any) -> Value:
    high, low = (TABLE[one](trace, a, axis, **named) for one in (np.max, np.min))
    return trace.sheet.binary("-", high, low)


@of(np.average)
def _average(trace: Trace, a: Any, axis: Any = None, weights: Any = None, **named: Any) -> Value:
    if weights is None:
        return trace.sheet.call("mean", trace.value(a), axis=axes(axis), **named)
    refuse(trace, **{name: value or None for name, value in named.items()})
    given, weight = trace.typed(a), trace.typed(weights)
    if weight.rank == 1 and given.rank > 1 and isinstance(axis, int):
        weight = trace.sheet.subscript(weight, ..., *[None] * (given.rank - axis % given.rank - 1))
    products = trace.sheet.call("sum", trace.sheet.binary("*", given, weight), axis=axes(axis))
    along = axes(axis) if weight.rank == given.rank else None
    return trace.sheet.binary("/", products, trace.sheet.call("sum", weight, axis=along))


def _running(name: str) -> Handler:
    def run(trace: Trace, a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Value:
        refuse(trace, out=out)
        return trace.sheet.call(name, trace.value(a), axis=axis)

    return run


TABLE[np.cumsum], TABLE[np.cumprod] = _running("cumsum"), _running("cumprod")


@of((np.add, "accumulate"))
def _accumulate(trace: Trace, a: Any, axis: Any = 0, **_: Any) -> Value:
    return trace.sheet.call("cumsum", trace.value(a), axis=axis)


TABLE[np.sort] = lambda trace, a, axis=-1, **_: trace.sheet.call("sort", trace.value(a), axis=axis)
TABLE[np.argsort] = lambda trace, a, axis=-1, **_: trace.sheet.call(
    "argsort", trace.value(a), axis=axis
)
