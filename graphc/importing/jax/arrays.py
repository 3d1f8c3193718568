"""Primitives that move, join and select elements, and products, in the language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.importing.items import Value
from graphc.importing.jax.reading import Given, Reading, of
from graphc.importing.shapes import contraction, put, reshaped
from graphc.ir.dims import Dim
from graphc.ir.types import same_shape


@of("dim_as_value")
def _dim(reading: Reading, equation: Any) -> Given:
    return reading.dim(equation.params["dim"])


@of("iota")
def _iota(reading: Reading, *_: Given, equation: Any) -> Value:
    shape = reading.shape(equation.params["shape"])
    axis, sheet = equation.params["dimension"], reading.sheet
    row = sheet.call("arange", shape[axis])
    if len(shape) == 1:
        return row
    thin = sheet.subscript(row, *[None] * axis, slice(None), *[None] * (len(shape) - axis - 1))
    return _repeated(reading, thin, shape)


def _repeated(reading: Reading, thin: Value, shape: Sequence[Dim]) -> Value:
    """Repeat a value along its axes of length 1, and remember what it is of."""
    if same_shape(thin.shape, shape):
        return thin
    found = reading.sheet.call("broadcast_to", thin, list(shape))
    reading.thin[found.key] = thin
    return found


@of("broadcast_in_dim")
def _broadcast(reading: Reading, x: Given, *_: Given, equation: Any) -> Value:
    shape, places = reading.shape(equation.params["shape"]), equation.params["broadcast_dimensions"]
    value = reading.typed(x)
    parts: list[Any] = [None] * len(shape)
    for place in places:
        parts[int(place)] = slice(None)
    if not value.rank:
        if all(size.constant == 1 for size in shape) and shape:
            return reading.sheet.subscript(value, *[None] * len(shape))
        found = reading.sheet.call("broadcast_to", value, shape)
        reading.thin[found.key] = value
        return found
    ahead = len(shape) - value.rank
    led = [int(place) for place in places] == [*range(ahead, len(shape))]
    if led and all(size.constant != 1 for size in shape[:ahead]):
        return _repeated(reading, value, shape)  # axes ahead are made where they are needed
    thin = reading.sheet.subscript(value, *parts) if None in parts else value
    return _repeated(reading, thin, shape)


@of("reshape")
def _reshape(reading: Reading, x: Given, *_: Given, equation: Any) -> Value:
    return reshaped(reading.sheet, reading.typed(x), reading.shape(equation.params["new_sizes"]))


@of("squeeze")
def _squeeze(reading: Reading, x: Given, equation: Any) -> Given:
    gone = {int(one) for one in equation.params["dimensions"]}
    value = reading.typed(x)
    if value.key in reading.rows and gone == reading.rows[value.key][1]:
        return reading.rows[value.key][0]
    parts = [0 if axis in gone else slice(None) for axis in range(value.rank)]
    while parts and parts[-1] == slice(None):
        parts.pop()
    return reading.sheet.subscript(value, *parts)


@of("expand_dims")
def _expand(reading: Reading, x: Given, equation: Any) -> Value:
    return reading.sheet.call("expand_dims", reading.value(x), list(equation.params["dimensions"]))


@of("transpose")
def _transpose(reading: Reading, x: Given, equation: Any) -> Value:
    order, value = [int(one) for one in equation.params["permutation"]], reading.typed(x)
    if order == sorted(order):
        return value
    if order == [1, 0]:
        return reading.sheet.value(reading.sheet.draw.transposed(value))
    return reading.sheet.call("transpose", value, order)


@of("rev")
def _reverse(reading: Reading, x: Given, equation: Any) -> Value:
    axes = [int(one) for one in equation.params["dimensions"]]
    return reading.sheet.call("flip", reading.value(x), axis=axes if len(axes) > 1 else axes[0])


@of("concatenate")
def _concatenate(reading: Reading, *xs: Given, equation: Any) -> Value:
    values = [reading.typed(one) for one in xs]
    if len(values) == 1:
        return values[0]
    return reading.sheet.call("concat", *values, axis=int(equation.params["dimension"]))


@of("stack")
def _stack(reading: Reading, *xs: Given, equation: Any) -> Value:
    values = [reading.typed(one) for one in xs]
    axis = int(equation.params.get("axis", equation.params.get("dimension", 0)))
    return reading.sheet.call("stack", *values, axis=axis or None)


@of("tile")
def _tile(reading: Reading, x: Given, equation: Any) -> Value:
    return reading.sheet.call("tile", reading.value(x), reading.shape(equation.params["reps"]))


@of("split")
def _split(reading: Reading, x: Given, equation: Any) -> list[Value]:
    before = [slice(None)] * int(equation.params["axis"])
    value, start, found = reading.typed(x), Dim.of(0), []
    for size in reading.shape(equation.params["sizes"]):
        found.append(reading.sheet.subscript(value, *before, slice(start, start + size)))
        start = start + size
    return found


@of("pad")
def _pad(reading: Reading, x: Given, fill: Given, equation: Any) -> Value:
    widths = equation.params["padding_config"]
    if any(inner for _, _, inner in widths):
        raise reading.sheet.mistake("padding between elements has no counterpart in the language")
    value, sheet = reading.typed(x), reading.sheet
    cut = [slice(max(-low, 0) or None, high if high < 0 else None) for low, high, _ in widths]
    if any(one != slice(None) for one in cut):
        value = sheet.subscript(value, *cut)
    if not isinstance(fill, np.ndarray):
        raise sheet.mistake("an array is padded with a number that is computed")
    wide = [[max(low, 0), max(high, 0)] for low, high, _ in widths]
    number = float(fill)
    named = {"constant_values": number} if number else {}
    return sheet.call("pad", value, wide, **named)


@of("slice")
def _slice(reading: Reading, x: Given, equation: Any) -> Value:
    params, value = equation.params, reading.typed(x)
    strides = params["strides"] or [1] * value.rank
    parts = [
        _part(reading, low, high, int(step), size)
        for low, high, step, size in zip(
            params["start_indices"], params["limit_indices"], strides, value.shape, strict=True
        )
    ]
    return _selected(reading, value, parts)


def _part(reading: Reading, low: Any, high: Any, step: int, size: Dim) -> slice:
    start, stop = reading.dim(low), reading.dim(high)
    first = None if start == Dim.of(0) else start
    return slice(first, None if stop == size else stop, step if step > 1 else None)


def _selected(reading: Reading, value: Value, parts: list[Any]) -> Value:
    """Write slices; one of length 1 is remembered as the position that it is."""
    kept = list(parts)
    while kept and isinstance(kept[-1], slice) and kept[-1] == slice(None):
        kept.pop()
    found = reading.sheet.subscript(value, *kept) if kept else value
    single = {
        axis for axis, part in enumerate(parts)
        if part != slice(None) and found.shape[axis].constant == 1 and part.step is None
    }  # fmt: skip
    if single:
        at = [
            (part.start if part.start is not None else 0) if axis in single else part
            for axis, part in enumerate(parts)
        ]
        while at and isinstance(at[-1], slice) and at[-1] == slice(None):
            at.pop()
        reading.rows[found.key] = (reading.sheet.subscript(value, *at), single)
    return found


@of("dynamic_slice")
def _dynamic_slice(reading: Reading, x: Given, *starts: Given, equation: Any) -> Value:
    """Write slices from starts that are known, dims, indices of loops or values."""
    value = reading.typed(x)
    sizes = reading.shape(equation.params["slice_sizes"])
    parts = list[Any]()
    for axis, (start, length, size) in enumerate(
        zip(starts[: value.rank], sizes, value.shape, strict=True)
    ):
        if length == size:
            parts.append(slice(None))
        elif isinstance(start, Value):
            places = reading.sheet.binary("+", start, reading.sheet.call("arange", length))
            value = reading.sheet.call("take", value, places, axis=axis)
            parts.append(slice(None))
        else:
            low = start if isinstance(start, Dim) else Dim.of(int(start))
            stop = low + length
            first = None if low == Dim.of(0) else low
            parts.append(slice(first, None if stop == size else stop))
    return _selected(reading, value, parts)


@of("dynamic_update_slice")
def _dynamic_update(
    reading: Reading, x: Given, update: Given, *starts: Given, equation: Any
) -> Value:
    whole, piece, sheet = reading.typed(x), reading.typed(update), reading.sheet
    bounds = list[Any]()
    for start, size, length in zip(starts, whole.shape, piece.shape, strict=True):
        if length == size:
            bounds.append(slice(None))
        elif isinstance(start, Value) or (isinstance(start, Dim) and reading.is_index(start)):
            return _replaced(reading, whole, piece, starts)
        else:
            low = start if isinstance(start, Dim) else Dim.of(int(start))
            bounds.append(slice(low, low + length))
    axes = [axis for axis, part in enumerate(bounds) if part != slice(None)]
    return put(sheet, whole, bounds, axes, piece) if axes else piece


def _replaced(reading: Reading, whole: Value, piece: Value, starts: tuple[Given, ...]) -> Value:
    """Write what is replaced at a position that a loop or a value says, one along each axis."""
    sheet, mask = reading.sheet, None
    for axis, (start, size, length) in enumerate(
        zip(starts, whole.shape, piece.shape, strict=True)
    ):
        if length == size:
            continue
        if length.constant != 1:
            raise sheet.mistake(
                "several positions from one that is computed on are written at once"
            )
        at = start if isinstance(start, Value | Dim) else int(start)
        here = sheet.binary("==", sheet.call("arange", size), at)
        behind = whole.rank - axis - 1
        here = sheet.subscript(here, slice(None), *[None] * behind) if behind else here
        mask = here if mask is None else sheet.binary("and", mask, here)
    return sheet.broadcast("where", mask, piece, whole)


# ---- products -----------------------------------------------------------------------------------


@of("dot_general")
def _dot(reading: Reading, a: Given, b: Given, equation: Any) -> Value:
    (first, second), batch = equation.params["dimension_numbers"]
    plain = [[int(one) for one in axes] for axes in (first, second, *batch)]
    left, right = reading.typed(a), reading.typed(b)
    return contraction(reading.sheet, left, right, plain[0], plain[1], (plain[2], plain[3]))


@of("cholesky")
def _cholesky(reading: Reading, x: Given, equation: Any) -> Value:
    return reading.sheet.call("cholesky", reading.value(x))


@of("triangular_solve")
def _triangular(reading: Reading, a: Given, b: Given, equation: Any) -> Value:
    params, sheet = equation.params, reading.sheet
    if params["unit_diagonal"]:
        raise sheet.mistake("a triangle with a diagonal of ones has no counterpart in the language")
    matrix, right, lower = reading.typed(a), reading.typed(b), bool(params["lower"])
    turned = bool(params["transpose_a"]) != (not params["left_side"])
    if turned:
        matrix, lower = sheet.call("swapaxes", matrix, -1, -2), not lower
    if not params["left_side"]:
        right = sheet.call("swapaxes", right, -1, -2)
    solved = sheet.call("triangular_solve", matrix, right, lower=None if lower else False)
    return solved if params["left_side"] else sheet.call("swapaxes", solved, -1, -2)


@of("sort")
def _sort(reading: Reading, *xs: Given, equation: Any) -> list[Value]:
    axis, sheet = int(equation.params["dimension"]), reading.sheet
    values = [reading.typed(one) for one in xs]
    if len(values) == 1:
        return [sheet.call("sort", values[0], axis=axis)]
    if equation.params["num_keys"] != 1:
        raise sheet.mistake("arrays are sorted by several keys")
    order = sheet.call("argsort", values[0], axis=axis)
    counted = len(xs) == 2 and _counts(reading, xs[1], values[0].shape[axis])
    moved = [sheet.call("take_along_axis", one, order, axis) for one in values]
    if counted:
        moved[1] = order
    return moved


def _counts(reading: Reading, given: Given, size: Dim) -> bool:
    """True for the positions of a vector, by which a sort becomes one of indices."""
    if isinstance(given, np.ndarray):
        return given.ndim == 1 and np.array_equal(given, np.arange(given.size))
    return reading.origin(given, "iota") is not None


@of("top_k")
def _top_k(reading: Reading, x: Given, equation: Any) -> list[Value]:
    found = reading.sheet.draw.call("top_k", reading.value(x), int(equation.params["k"]))
    return reading.sheet.values(found)
