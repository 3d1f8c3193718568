"""Operators of ATen that are arithmetic, shapes and positions, in the language."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from graphc.importing.shapes import reshaped
from graphc.importing.sheet import Value
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
        case "bool", "int":
            return r.sheet.call("where", x, 1, 0)
        case _, "bool":
            return r.sheet.binary("!=", x, 0)
    raise r.sheet.mistake(f"{x.dtype} does not become {wanted} in the language")


# ---- reductions ---------------------------------------------------------------------------------


def _axes(x: Value, axes: Any) -> Any:
    if axes is None or axes == []:
        return None
    return axes[0] if isinstance(axes, list) and len(axes) == 1 else axes


def _reduced(name: str) -> Callable[..., Any]:
    def write(r: Reading, x: Value, axes: Any = None, keepdim: bool = False, **named: Any) -> Value:
        axes = named.get("dim", axes)
        kept = True if named.get("keepdim", keepdim) else None
        if x.dtype == "bool" and name == "sum":
            x = r.sheet.call("where", x, 1, 0)
        return r.sheet.call(name, x, axis=_axes(x, axes), keepdims=kept)

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
        along = None if isinstance(axes, bool) else _axes(x, named.get("dim", axes))
        return r.sheet.call(name, x, axis=along, ddof=ddof or None, keepdims=kept)

    return write


OPERATORS["aten.var"], OPERATORS["aten.std"] = _spread("var"), _spread("std")
OPERATORS["aten.cumsum"] = lambda r, x, axis, **_: r.sheet.call("cumsum", x, axis=axis)
OPERATORS["aten.linalg_vector_norm"] = lambda r, x, order=2, axes=None, keepdim=False, **_: (
    r.sheet.call("norm", x, float(order), axis=_axes(x, axes), keepdims=keepdim or None)
)


# ---- shapes -------------------------------------------------------------------------------------


@of("aten.view", "aten.reshape", "aten._unsafe_view")
def _view(r: Reading, x: Value, shape: Any) -> Value:
    return reshaped(r.sheet, x, r.sizes(shape))


@of("aten.flatten")
def _flatten(r: Reading, x: Value, first: int = 0, last: int = -1) -> Value:
    first, last = first % x.rank, last % x.rank
    total = Dim.of(1)
    for size in x.shape[first : last + 1]:
        total = total * size
    return reshaped(r.sheet, x, [*x.shape[:first], total, *x.shape[last + 1 :]])


@of("aten.unflatten")
def _unflatten(r: Reading, x: Value, axis: int, sizes: Any) -> Value:
    place = axis % x.rank
    return reshaped(r.sheet, x, [*x.shape[:place], *r.sizes(sizes), *x.shape[place + 1 :]])


@of("aten.unbind")
def _unbind(r: Reading, x: Value, axis: int = 0) -> list[Value]:
    count = x.shape[axis].constant
    if count is None:
        raise r.sheet.mistake("into how many parts an array is split is open")
    before = [slice(None)] * (axis % x.rank)
    return [r.sheet.subscript(x, *before, at) for at in range(count)]


@of("aten.permute")
def _permute(r: Reading, x: Value, order: Any) -> Value:
    return r.sheet.call("transpose", x, [one % x.rank for one in order])


@of("aten.transpose")
def _transpose(r: Reading, x: Value, one: int, other: int) -> Value:
    if x.rank == 2:
        return r.sheet.value(r.sheet.draw.transposed(x))
    return r.sheet.call("swapaxes", x, one, other)


@of("aten.t", "aten.numpy_T")
def _t(r: Reading, x: Value) -> Value:
    return r.sheet.value(r.sheet.draw.transposed(x)) if x.rank == 2 else x


@of("aten.unsqueeze")
def _unsqueeze(r: Reading, x: Value, axis: int) -> Value:
    place = axis % (x.rank + 1)
    return r.sheet.subscript(x, *[slice(None)] * place, None)


@of("aten.squeeze")
def _squeeze(r: Reading, x: Value, axes: Any = None) -> Value:
    listed = range(x.rank) if axes is None else [axes] if isinstance(axes, int) else axes
    gone = [one % x.rank for one in listed if x.shape[one].constant == 1]
    return r.sheet.call("squeeze", x, gone) if gone else x


@of("aten.expand")
def _expand(r: Reading, x: Value, shape: Any, **_: Any) -> Value:
    sizes = list(shape)
    ahead = len(sizes) - x.rank
    wanted = [x.shape[at - ahead] if isinstance(one, int) and one == -1 else r.dim(one)
              for at, one in enumerate(sizes)]  # fmt: skip
    return x if tuple(wanted) == x.shape else r.sheet.call("broadcast_to", x, wanted)


@of("aten.cat", "aten.concat")
def _cat(r: Reading, xs: Any, axis: int = 0) -> Value:
    return r.sheet.call("concat", *xs, axis=axis) if len(xs) > 1 else xs[0]


@of("aten.stack")
def _stack(r: Reading, xs: Any, axis: int = 0) -> Value:
    return r.sheet.call("stack", *xs, axis=axis or None)


@of("aten.slice")
def _slice(
    r: Reading, x: Value, axis: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Value:
    size = x.shape[axis]
    if isinstance(end, int) and end > 2**31:
        end = None
    if size.constant is not None and not isinstance(start, Dim) and not isinstance(end, Dim):
        found = range(*slice(start, end, step).indices(size.constant))
        if len(found) == size.constant:
            return x
        start, end = found.start or None, max(found.stop, found.start)
        end = None if end == size.constant else end
    elif not start and end is None and step == 1:
        return x
    parts = [slice(None)] * (axis % x.rank)
    return r.sheet.subscript(x, *parts, slice(start or None, end, step if step > 1 else None))


@of("aten.select")
def _select(r: Reading, x: Value, axis: int, place: Any) -> Value:
    return r.sheet.subscript(x, *[slice(None)] * (axis % x.rank), place)


def _parts(r: Reading, x: Value, lengths: list[Any], axis: int) -> list[Value]:
    found, start = list[Value](), Dim.of(0)
    before = [slice(None)] * (axis % x.rank)
    for length in lengths:
        found.append(r.sheet.subscript(x, *before, slice(start, start + length)))
        start = start + length
    return found


@of("aten.split", "aten.split_with_sizes")
def _split_by(r: Reading, x: Value, sizes: Any, axis: int = 0) -> list[Value]:
    if isinstance(sizes, int):
        total = x.shape[axis].constant
        if total is None:
            raise r.sheet.mistake("into how many parts an array is split is open")
        sizes = [min(sizes, total - at) for at in range(0, total, sizes)]
    return _parts(r, x, sizes, axis)


@of("aten.chunk")
def _chunk(r: Reading, x: Value, count: int, axis: int = 0) -> list[Value]:
    length = (x.shape[axis] + count - 1) // count
    return _parts(r, x, [length] * (count - 1) + [x.shape[axis] - length * (count - 1)], axis)


@of("aten.flip")
def _flip(r: Reading, x: Value, axes: Any) -> Value:
    return r.sheet.call("flip", x, axis=_axes(x, axes))


@of("aten.repeat")
def _repeat(r: Reading, x: Value, times: Any) -> Value:
    return r.sheet.call("tile", x, times)


OPERATORS["aten.tril"] = lambda r, x, k=0: r.sheet.call("tril", x, k=k or None)
OPERATORS["aten.triu"] = lambda r, x, k=0: r.sheet.call("triu", x, k=k or None)
OPERATORS["aten.roll"] = lambda r, x, shift, axes=None: r.sheet.call(
    "roll", x, shift[0] if len(shift) == 1 else shift, axis=_axes(x, axes)
)


def _of_number(number: float) -> Callable[..., Any]:
    name = "ones" if number else "zeros"
    return lambda r, shape, *_, **__: r.sheet.call(name, r.sizes(shape))


OPERATORS["aten.zeros"], OPERATORS["aten.ones"] = _of_number(0.0), _of_number(1.0)
OPERATORS["aten.zeros_like"] = lambda r, x, **_: r.sheet.call("zeros_like", x)
OPERATORS["aten.ones_like"] = lambda r, x, **_: r.sheet.call("ones_like", x)
OPERATORS["aten.full"] = lambda r, shape, number, **_: (
    r.sheet.call("full", r.sizes(shape), number) if shape else r.typed(number)
)
OPERATORS["aten.full_like"] = lambda r, x, number, **_: r.sheet.call("full", list(x.shape), number)
OPERATORS["aten.scalar_tensor"] = lambda r, number, **_: r.typed(number)


@of("aten.arange")
def _arange(r: Reading, first: Any, end: Any = None, step: Any = 1, **named: Any) -> Value:
    low, high = (0, first) if end is None else (first, end)
    count = r.dim(high) - r.dim(low)
    if step != 1:
        raise r.sheet.mistake("a range has the step 1")
    found = r.sheet.call("arange", count)
    return found if low == 0 else r.sheet.binary("+", found, low)


# ---- by position --------------------------------------------------------------------------------


@of("aten.index")
def _index(r: Reading, x: Value, indices: Any) -> Value:
    parts = [slice(None) if one is None else one for one in indices]
    if any(isinstance(one, Value) and one.dtype == "bool" for one in parts):
        raise r.sheet.mistake("a mask selects as many elements as its values say")
    return r.sheet.subscript(x, *parts)


@of("aten.gather")
def _gather(r: Reading, x: Value, axis: int, ids: Value, **_: Any) -> Value:
    return r.sheet.call("take_along_axis", x, ids, axis)


@of("aten.index_select")
def _index_select(r: Reading, x: Value, axis: int, ids: Value) -> Value:
    return r.sheet.call("take", x, ids, axis=axis)


@of("aten.embedding")
def _embedding(r: Reading, table: Value, ids: Value, *_: Any, **__: Any) -> Value:
    return r.sheet.subscript(table, ids)


@of("aten.index_add")
def _index_add(r: Reading, x: Value, axis: int, ids: Value, new: Value, **_: Any) -> Value:
    return r.sheet.call("scatter_add", x, ids, new, axis=axis or None)


@of("aten.sort")
def _sort(r: Reading, x: Value, axis: int = -1, descending: bool = False, **_: Any) -> list[Value]:
    order = r.sheet.call("argsort", r.sheet.unary("-", x) if descending else x, axis=axis)
    return [r.sheet.call("take_along_axis", x, order, axis), order]
