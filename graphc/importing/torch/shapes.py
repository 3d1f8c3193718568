"""Operators of ATen that are shapes and positions, in the language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.importing.items import Value
from graphc.importing.shapes import reshaped
from graphc.importing.torch.operators import axes_of
from graphc.importing.torch.reading import OPERATORS, Reading, of
from graphc.ir.dims import Dim


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
    return r.sheet.call("flip", x, axis=axes_of(x, axes))


@of("aten.repeat")
def _repeat(r: Reading, x: Value, times: Any) -> Value:
    return r.sheet.call("tile", x, times)


OPERATORS["aten.tril"] = lambda r, x, k=0: r.sheet.call("tril", x, k=k or None)
OPERATORS["aten.triu"] = lambda r, x, k=0: r.sheet.call("triu", x, k=k or None)
OPERATORS["aten.roll"] = lambda r, x, shift, axes=None: r.sheet.call(
    "roll", x, shift[0] if len(shift) == 1 else shift, axis=axes_of(x, axes)
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
