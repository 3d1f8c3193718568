"""Gathers and scatters: the forms of indexing that the language has, told by their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.importing.items import Value
from graphc.importing.jax.reading import Given, Reading, of
from graphc.importing.shapes import put
from graphc.ir.dims import Dim


def _starts(reading: Reading, indices: Given, count: int) -> list[Given]:
    """Return the start along each axis that is indexed, without the last axis of the indices."""
    if isinstance(indices, np.ndarray):
        return [indices[..., place] for place in range(count)]
    joined = reading.origin(indices, "concatenate")
    last = joined is not None and int(joined[1]["dimension"]) == indices.rank - 1
    if joined is not None and last and len(joined[0]) == count > 1:
        return [_starts(reading, one, 1)[0] for one in joined[0]]
    if count == 1:
        before = reading.origin(indices, "broadcast_in_dim", "reshape", "expand_dims")
        if before is not None and isinstance(before[0][0], Value | Dim):
            inner = before[0][0]
            rank = inner.rank if isinstance(inner, Value) else 0
            if rank == indices.rank - 1 and _is_last(before[1], indices.rank):
                return [inner]
    return [reading.sheet.subscript(indices, ..., place) for place in range(count)]


def _is_last(params: dict[str, Any], rank: int) -> bool:
    """True if a new axis stands behind all others."""
    places = params.get("broadcast_dimensions")
    return places is None or tuple(int(one) for one in places) == tuple(range(rank - 1))


@of("gather")
def _gather(reading: Reading, x: Given, indices: Given, equation: Any) -> Given:
    params, value, sheet = equation.params, reading.typed(x), reading.sheet
    numbers = params["dimension_numbers"]
    sizes = reading.shape(params["slice_sizes"])
    mapped = [int(one) for one in numbers.start_index_map]
    batching = [int(one) for one in numbers.operand_batching_dims]
    collapsed = {int(one) for one in numbers.collapsed_slice_dims}
    starts = _starts(reading, indices, len(mapped))
    if all(
        isinstance(one, Dim) or (isinstance(one, np.ndarray) and not one.ndim) for one in starts
    ):
        return _window(reading, value, mapped, starts, sizes, collapsed)
    full = all(
        sizes[axis] == value.shape[axis] for axis in range(value.rank)
        if axis not in mapped and axis not in batching
    )  # fmt: skip
    if batching and len(mapped) == 1 and full:
        ids = reading.typed(starts[0])
        if len(batching) == value.rank - 1 and ids.rank == value.rank:
            return sheet.call("take_along_axis", value, ids, mapped[0])
    if not batching and full and set(mapped) == collapsed:
        return _taken(reading, value, mapped, starts, numbers.offset_dims)
    raise sheet.mistake("this form of indexing has no counterpart in the language")


def _window(
    reading: Reading, value: Value, mapped: list[int], starts: list[Given], sizes: list[Dim],
    collapsed: set[int],
) -> Value:  # fmt: skip
    parts: list[Any] = [slice(None)] * value.rank
    for axis, start in zip(mapped, starts, strict=True):
        low = start if isinstance(start, Dim) else int(start)
        stop = low + sizes[axis]
        if axis in collapsed:
            parts[axis] = low
        elif sizes[axis] != value.shape[axis]:
            end = stop if isinstance(stop, Dim) else Dim.of(stop)
            first = None if low == 0 or low == Dim.of(0) else low
            parts[axis] = slice(first, None if end == value.shape[axis] else end)
    while parts and isinstance(parts[-1], slice) and parts[-1] == slice(None):
        parts.pop()
    return reading.sheet.subscript(value, *parts) if parts else value


def _taken(
    reading: Reading, value: Value, mapped: list[int], starts: list[Given], offsets: Any
) -> Value:
    """Write a gather by arrays of positions, whose axes stand together."""
    sheet, ids = reading.sheet, [reading.typed(one) for one in starts]
    rank = max(one.rank for one in ids)
    if len(mapped) == 1:
        found, first = sheet.call("take", value, ids[0], axis=mapped[0]), mapped[0]
        if not sheet.is_known(ids[0]):
            found = sheet.subscript(value, *[slice(None)] * mapped[0], ids[0])
    else:
        parts: list[Any] = [slice(None)] * value.rank
        for axis, one in zip(mapped, ids, strict=True):
            parts[axis] = one
        while isinstance(parts[-1], slice):
            parts.pop()
        adjacent = mapped == list(range(mapped[0], mapped[0] + len(mapped)))
        found, first = sheet.subscript(value, *parts), mapped[0] if adjacent else 0
    total = found.rank
    free = [axis for axis in range(total) if axis not in map(int, offsets)]
    now = list(range(first, first + rank))
    if free == now or not rank:
        return found
    others = [axis for axis in range(total) if axis not in now]
    order = [0] * total
    for place, axis in zip(free, now, strict=True):
        order[place] = axis
    for place, axis in zip(map(int, offsets), others, strict=True):
        order[place] = axis
    return sheet.call("transpose", found, order)


@of("scatter", "scatter-add", "scatter-mul", "scatter_add", "scatter_mul")
def _scatter(reading: Reading, x: Given, indices: Given, updates: Given, equation: Any) -> Value:
    params, value, sheet = equation.params, reading.typed(x), reading.sheet
    numbers = params["dimension_numbers"]
    mapped = [int(one) for one in numbers.scatter_dims_to_operand_dims]
    inserted = {int(one) for one in numbers.inserted_window_dims}
    windows = [int(one) for one in numbers.update_window_dims]
    starts = _starts(reading, indices, len(mapped))
    piece = reading.typed(updates)
    operator = {"add": "+", "mul": "*"}.get(equation.primitive.name[8:], "")
    known = all(isinstance(one, Dim) or (isinstance(one, np.ndarray) and not one.ndim)
                for one in starts)  # fmt: skip
    if known and not any(isinstance(one, Dim) and reading.is_index(one) for one in starts):
        return _put(reading, value, piece, mapped, starts, inserted, windows, operator)
    if len(mapped) == 1 and operator == "+" and inserted == {mapped[0]}:
        ids, axis = reading.typed(starts[0]), mapped[0]
        if windows == [*range(axis), *range(axis + ids.rank, piece.rank)]:
            return sheet.call("scatter_add", value, ids, piece, axis=axis or None)
    if len(mapped) == 1 and inserted == {mapped[0]} and reading.typed(starts[0]).rank == 0:
        axis = mapped[0]
        at = starts[0] if isinstance(starts[0], Value | Dim) else int(starts[0])
        here = sheet.binary("==", sheet.call("arange", value.shape[axis]), at)
        if value.rank - axis - 1:
            here = sheet.subscript(here, slice(None), *[None] * (value.rank - axis - 1))
        new = sheet.subscript(piece, *[slice(None)] * axis, None) if value.rank > 1 else piece
        new = sheet.binary(operator, value, new) if operator else new
        return sheet.broadcast("where", here, new, value)
    behind = [*range(piece.rank - (value.rank - len(mapped)), piece.rank)]
    adjacent = mapped == list(range(mapped[0], mapped[0] + len(mapped)))
    if inserted == {*mapped} and adjacent and windows == behind and mapped[0] == 0 and operator in (
        "", "+",
    ):  # fmt: skip
        several = [reading.typed(one) for one in starts]
        if not any(map(sheet.is_known, several)):
            return sheet.call("put_add" if operator else "put", value, piece, *several)
    raise sheet.mistake("this form of writing at positions has no counterpart in the language")


def _put(
    reading: Reading, value: Value, piece: Value, mapped: list[int], starts: list[Given],
    inserted: set[int], windows: list[int], operator: str,
) -> Value:  # fmt: skip
    """Write a window that begins at a known place."""
    parts: list[Any] = [slice(None)] * value.rank
    kept = [axis for axis in range(value.rank) if axis not in inserted]
    lengths = dict(zip(kept, (piece.shape[axis] for axis in windows), strict=True))
    for axis, start in zip(mapped, starts, strict=True):
        low = start if isinstance(start, Dim) else int(start)
        if axis in inserted:
            parts[axis] = low
        elif lengths[axis] != value.shape[axis]:
            parts[axis] = slice(low, low + lengths[axis])
    axes = [axis for axis, part in enumerate(parts) if part != slice(None)]
    if operator:
        trimmed = list(parts)
        while trimmed and isinstance(trimmed[-1], slice) and trimmed[-1] == slice(None):
            trimmed.pop()
        before = reading.sheet.subscript(value, *trimmed) if trimmed else value
        piece = reading.sheet.binary(operator, before, piece)
    return put(reading.sheet, value, parts, axes, piece) if axes else piece
