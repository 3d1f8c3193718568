"""NumPy's functions of shapes, of positions and of linear algebra, in the language."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from graphc.importing.items import Value
from graphc.importing.numpy.arrays import Size, Trace, Traced
from graphc.importing.numpy.elementwise import TABLE, of, refuse
from graphc.importing.numpy.positions import added
from graphc.importing.shapes import reshaped


def whole(trace: Trace, size: Any) -> Any:
    """Return an integer or a dim."""
    if isinstance(size, Size):
        return size.dim
    return int(size)


def sizes(trace: Trace, shape: Any) -> list[Any]:
    given = shape if isinstance(shape, list | tuple) else (shape,)
    return [whole(trace, one) for one in given]


def view(trace: Trace, a: Any, select: Any) -> Any:
    """Return a view of an array, or a value of what is none."""
    if type(a) is Traced and a.value.rank:
        return Traced(trace, a.storage, a, select)
    return select(trace.typed(a))


@of(np.reshape)
def _reshape(trace: Trace, a: Any, *shape: Any, order: str = "C", **named: Any) -> Any:
    if order != "C":
        raise trace.sheet.mistake("arrays are in row-major order: `order` is C")
    given = named.pop("shape", shape[0] if len(shape) == 1 else shape)
    named.pop("copy", None)
    wanted = sizes(trace, given)
    return view(trace, a, lambda x: reshaped(trace.sheet, x, wanted))


@of(np.ravel, "flatten")
def _ravel(trace: Trace, a: Any, order: str = "C") -> Any:
    return view(trace, a, lambda x: trace.sheet.call("flatten", x) if x.rank != 1 else x)


@of(np.transpose)
def _transpose(trace: Trace, a: Any, *axes: Any, **named: Any) -> Any:
    given = named.pop("axes", axes[0] if len(axes) == 1 else axes or None)

    def turn(x: Value) -> Value:
        if given is None and x.rank == 2:
            return trace.sheet.value(trace.sheet.draw.transposed(x))
        if x.rank < 2:
            return x
        order = None if given is None else [int(one) % x.rank for one in given]
        return trace.sheet.call("transpose", x, order)

    return view(trace, a, turn) if given is not None else view(trace, a, lambda x: (
        turn(x) if x.rank == 2 or x.rank < 2 else trace.sheet.call("transpose", x)
    ))  # fmt: skip


@of(np.swapaxes)
def _swapaxes(trace: Trace, a: Any, axis1: int, axis2: int) -> Any:
    return view(trace, a, lambda x: trace.sheet.call("swapaxes", x, axis1, axis2))


@of(np.matrix_transpose)
def _matrix_transpose(trace: Trace, a: Any) -> Any:
    return _swapaxes(trace, a, -2, -1)


@of(np.moveaxis)
def _moveaxis(trace: Trace, a: Any, source: Any, destination: Any) -> Any:
    return view(trace, a, lambda x: trace.sheet.call("moveaxis", x, source, destination))


@of(np.expand_dims)
def _expand_dims(trace: Trace, a: Any, axis: Any) -> Any:
    return view(trace, a, lambda x: trace.sheet.call("expand_dims", x, axis))


@of(np.squeeze)
def _squeeze(trace: Trace, a: Any, axis: Any = None) -> Any:
    return view(trace, a, lambda x: trace.sheet.call("squeeze", x, axis))


@of(np.broadcast_to)
def _broadcast_to(trace: Trace, array: Any, shape: Any, subok: bool = False) -> Value:
    return trace.sheet.call("broadcast_to", trace.value(array), sizes(trace, shape))


@of(np.atleast_1d)
def _atleast_1d(trace: Trace, a: Any) -> Any:
    return view(trace, a, lambda x: x if x.rank else trace.sheet.subscript(x, None))


@of(np.atleast_2d)
def _atleast_2d(trace: Trace, a: Any) -> Any:
    def raised(x: Value) -> Value:
        return x if x.rank > 1 else trace.sheet.subscript(x, *[None] * (2 - x.rank), ...)

    return view(trace, a, raised)


@of("copy", np.copy, "conj")
def _copy(trace: Trace, a: Any, *_: Any, **__: Any) -> Any:
    return trace.typed(a)


# ---- joined, split, repeated --------------------------------------------------------------------


def listed(trace: Trace, arrays: Any) -> list[Value]:
    """Return the arrays of a list; an array is the list of its rows."""
    return [trace.typed(one) for one in arrays]


def concat(trace: Trace, arrays: list[Value], axis: int) -> Value:
    return arrays[0] if len(arrays) == 1 else trace.sheet.call("concat", *arrays, axis=axis)


@of(np.concatenate)
def _concatenate(trace: Trace, arrays: Any, axis: Any = 0, **named: Any) -> Value:
    named.pop("casting", None)
    refuse(trace, **named)
    values = listed(trace, arrays)
    if axis is None:
        return concat(trace, [trace.sheet.call("flatten", one) for one in values], 0)
    return concat(trace, values, axis)


@of(np.stack)
def _stack(trace: Trace, arrays: Any, axis: int = 0, **named: Any) -> Value:
    return trace.sheet.call("stack", *listed(trace, arrays), axis=axis or None)


def _raised(trace: Trace, arrays: Any, rank: int, behind: bool = False) -> list[Value]:
    found = listed(trace, arrays)
    return [
        one if one.rank >= rank
        else trace.sheet.subscript(one, ..., *[None] * (rank - one.rank)) if behind
        else trace.sheet.subscript(one, *[None] * (rank - one.rank), ...)
        for one in found
    ]  # fmt: skip


@of(np.vstack)
def _vstack(trace: Trace, tup: Any, **_: Any) -> Value:
    return concat(trace, _raised(trace, tup, 2), 0)


@of(np.hstack)
def _hstack(trace: Trace, tup: Any, **_: Any) -> Value:
    values = _raised(trace, tup, 1)
    return concat(trace, values, 0 if values[0].rank == 1 else 1)


@of(np.column_stack)
def _column_stack(trace: Trace, tup: Any) -> Value:
    return concat(trace, _raised(trace, tup, 2, behind=True), 1)


@of(np.append)
def _append(trace: Trace, arr: Any, values: Any, axis: Any = None) -> Value:
    return _concatenate(trace, (np.atleast_1d(arr), np.atleast_1d(values)), axis)


@of(np.split, np.array_split)
def _split(trace: Trace, ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    given = trace.typed(ary)
    axis = axis % given.rank
    size = given.shape[axis]
    if isinstance(indices_or_sections, int):
        if size.constant is not None and size.constant % indices_or_sections:
            parts = indices_or_sections
            ends = np.cumsum([len(one) for one in np.array_split(range(size.constant), parts)])
            bounds: list[Any] = [0, *map(int, ends)]
        else:
            step = size // indices_or_sections
            bounds = [step * number for number in range(indices_or_sections + 1)]
    else:
        bounds = [0, *(whole(trace, one) for one in indices_or_sections), size]
    before = [slice(None)] * axis
    return [
        trace.sheet.subscript(given, *before, slice(start, stop))
        for start, stop in pairwise(bounds)
    ]


TABLE[np.hsplit] = lambda trace, ary, parts: _split(trace, ary, parts, min(1, ary.ndim - 1))
TABLE[np.vsplit] = lambda trace, ary, parts: _split(trace, ary, parts, 0)


@of(np.tile)
def _tile(trace: Trace, A: Any, reps: Any) -> Value:
    return trace.sheet.call("tile", trace.value(A), sizes(trace, reps))


@of(np.repeat)
def _repeat(trace: Trace, a: Any, repeats: Any, axis: Any = None) -> Value:
    given = trace.typed(a)
    if axis is None:
        given, axis = (given if given.rank == 1 else trace.sheet.call("flatten", given)), 0
    return trace.sheet.call("repeat_elements", given, whole(trace, repeats), axis)


def _renamed(name: str, **fixed: Any) -> Any:
    def call(trace: Trace, a: Any, *given: Any, **named: Any) -> Value:
        kept = {key: list(one) if isinstance(one, tuple) else one for key, one in named.items()}
        plain = [list(one) if isinstance(one, tuple) else one for one in given]
        return trace.sheet.call(name, trace.value(a), *plain, **fixed, **kept)

    return call


RENAMED: tuple[tuple[Any, str], ...] = (
    (np.flip, "flip"), (np.roll, "roll"), (np.tril, "tril"), (np.triu, "triu"), (np.diag, "diag"),
    (np.zeros_like, "zeros_like"), (np.ones_like, "ones_like"), (np.empty_like, "zeros_like"),
    (np.linalg.inv, "inv"), (np.linalg.det, "det"), (np.i0, "i0"),
    (np.linalg.cholesky, "cholesky"), (np.linalg.matrix_power, "matrix_power"),
    (np.linalg.pinv, "pinv"), (np.linalg.eigvalsh, "eigvalsh"),
)  # fmt: skip
TABLE.update((function, _renamed(name)) for function, name in RENAMED)
TABLE[np.flipud] = _renamed("flip", axis=0)
TABLE[np.fliplr] = _renamed("flip", axis=1)


@of(np.interp)
def _interp(trace: Trace, x: Any, xp: Any, fp: Any, **named: Any) -> Value:
    refuse(trace, **named)
    return trace.sheet.call("interp", *(trace.value(one) for one in (x, xp, fp)))


@of(np.searchsorted)
def _searchsorted(trace: Trace, a: Any, v: Any, side: str = "left", sorter: Any = None) -> Value:
    refuse(trace, sorter=sorter)
    shown = None if side == "left" else side
    return trace.sheet.call("searchsorted", trace.value(a), trace.value(v), side=shown)


@of(np.quantile)
def _quantile(trace: Trace, a: Any, q: Any, axis: Any = None, **named: Any) -> Value:
    refuse(trace, **{name: value or None for name, value in named.items()})
    return trace.sheet.call("quantile", trace.value(a), trace.value(q), axis=axis)


TABLE[np.percentile] = lambda trace, a, q, axis=None, **named: _quantile(
    trace, a, q / 100, axis, **named
)
TABLE[(np.maximum, "accumulate")] = lambda trace, a, axis=0, **_: trace.sheet.call(
    "cummax", trace.value(a), axis=axis
)
TABLE[(np.minimum, "accumulate")] = lambda trace, a, axis=0, **_: trace.sheet.call(
    "cummin", trace.value(a), axis=axis
)


@of(np.diff)
def _diff(trace: Trace, a: Any, n: int = 1, axis: int = -1, **named: Any) -> Value:
    refuse(trace, **named)
    found = trace.typed(a)
    before = [slice(None)] * (axis % found.rank)
    for _ in range(n):
        later = trace.sheet.subscript(found, *before, slice(1, None))
        found = trace.sheet.binary("-", later, trace.sheet.subscript(found, *before, slice(-1)))
    return found


@of(np.full_like)
def _full_like(trace: Trace, a: Any, fill_value: Any, **_: Any) -> Value:
    ones = trace.sheet.call("ones_like", trace.value(a))
    return trace.sheet.binary("*", trace.value(fill_value), ones)


@of(np.diagonal)
def _diagonal(trace: Trace, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    given = trace.typed(a)
    if given.rank > 2 and (axis1 % given.rank, axis2 % given.rank) != (
        given.rank - 2,
        given.rank - 1,
    ):
        given = trace.sheet.call("moveaxis", given, [axis1, axis2], [-2, -1])
    return trace.sheet.call("diagonal", given, offset or None)


@of(np.trace)
def _trace(
    trace: Trace, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, **_: Any
) -> Value:
    return trace.sheet.call("sum", _diagonal(trace, a, offset, axis1, axis2), axis=-1)


@of(np.pad)
def _pad(trace: Trace, array: Any, pad_width: Any, mode: str = "constant", **named: Any) -> Value:
    width = pad_width.tolist() if isinstance(pad_width, np.ndarray) else pad_width
    rank = trace.typed(array).rank
    pairs: Any = width
    if isinstance(width, int):
        pairs = [[width, width]] * rank
    elif isinstance(width[0], int):
        pairs = [list(width) if len(width) == 2 else [width[0]] * 2] * rank
    elif len(width) == 1:
        pairs = [list(width[0])] * rank
    return trace.sheet.call("pad", trace.value(array), [list(one) for one in pairs],
                            mode=None if mode == "constant" else mode, **named)  # fmt: skip


@of(np.meshgrid)
def _meshgrid(trace: Trace, *xi: Any, indexing: str = "xy", **_: Any) -> list[Value]:
    given = listed(trace, xi)
    places = list(range(len(given)))
    if indexing == "xy" and len(given) > 1:
        places[:2] = 1, 0
    shape = [given[places.index(axis)].shape[0] for axis in range(len(given))]
    return [
        trace.sheet.call(
            "broadcast_to",
            trace.sheet.subscript(one, slice(None), *[None] * (len(given) - place - 1)),
            shape,
        )
        for one, place in zip(given, places, strict=True)
    ]


# ---- by position --------------------------------------------------------------------------------


@of(np.take)
def _take(trace: Trace, a: Any, indices: Any, axis: Any = None, **_: Any) -> Value:
    return trace.sheet.call("take", trace.value(a), trace.value(indices), axis=axis)


@of(np.take_along_axis)
def _take_along(trace: Trace, arr: Any, indices: Any, axis: Any = -1) -> Value:
    return trace.sheet.call("take_along_axis", trace.value(arr), trace.value(indices), axis)


@of((np.add, "at"))
def _add_at(trace: Trace, a: Any, indices: Any, b: Any = None) -> None:
    a.assign(added(trace, a.value, indices, trace.typed(b)))


@of((np.subtract, "at"))
def _subtract_at(trace: Trace, a: Any, indices: Any, b: Any = None) -> None:
    _add_at(trace, a, indices, trace.wrap(trace.sheet.unary("-", trace.typed(b))))


@of(np.shape)
def _shape(trace: Trace, a: Any) -> tuple[Any, ...]:
    return tuple(a.shape)


TABLE[np.ndim] = lambda trace, a: a.ndim
TABLE[np.size] = lambda trace, a, axis=None: a.size if axis is None else a.shape[axis]
TABLE[np.real] = lambda trace, val: val
TABLE[np.iscomplexobj] = lambda trace, x: False


@of(np.result_type)
def _result_type(trace: Trace, *given: Any) -> Any:
    kinds = [one.dtype if isinstance(one, np.ndarray) else one for one in given]
    return np.result_type(*kinds)
