"""Subscripts of traced arrays, read and written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.importing.items import Value
from graphc.importing.numpy.arrays import Size, Trace, Traced, is_own
from graphc.importing.numpy.elementwise import of
from graphc.importing.numpy.storage import Storage, fitted_to
from graphc.ir.dims import Dim

MASK = "shapes do not depend on values: `np.where(mask, x, 0)` keeps all of them"


def parts_of(trace: Trace, key: Any, shape: Sequence[Dim]) -> tuple[Any, ...]:
    """Return the parts of a subscript, one for each axis and new axis."""
    given = list(key) if isinstance(key, tuple) else [key]
    used = sum(_axes(one) for one in given)
    dots = [place for place, one in enumerate(given) if one is Ellipsis]
    missing: list[Any] = [slice(None)] * (len(shape) - used)
    if dots:
        given[dots[0] : dots[0] + 1] = missing
    else:
        given += missing
    found, axis = list[Any](), 0
    for part in given:
        size = shape[axis] if axis < len(shape) else Dim.of(0)
        found.append(_part(trace, part, size))
        axis += _axes(part)
    return tuple(found)


def _axes(part: Any) -> int:
    if part is None or part is Ellipsis:
        return 0
    if isinstance(part, np.ndarray) and not is_own(part) and part.dtype == bool:
        return part.ndim
    return 1


def _part(trace: Trace, part: Any, size: Dim) -> Any:
    """Return a part in the words of the language: None, an integer, a dim, a slice or a value."""
    if part is None or type(part) is bool:
        return part
    if isinstance(part, slice):
        return _slice(trace, part, size)
    if isinstance(part, Size):
        return part.dim
    if type(part) is Traced:
        known = part.storage.known if part.root is None else None
        if known is not None and not known.ndim and known.dtype.kind in "iu":
            return int(known)
        if part.value.dtype == "bool":
            raise trace.sheet.mistake("a mask selects as many elements as its values say", MASK)
        return part.value
    if isinstance(part, list | np.ndarray):
        array = np.asarray(part)
        if array.dtype == bool:
            (array,) = np.nonzero(array)
        return trace.sheet.array(array.astype(np.int64), "positions")
    if hasattr(part, "__index__"):
        return int(part)
    raise trace.sheet.mistake(f"`{part!r}` is no position")


def _slice(trace: Trace, part: slice, size: Dim) -> Any:
    bounds: list[Any] = [
        one.dim if isinstance(one, Size) else None if one is None else int(one)
        for one in (part.start, part.stop)
    ]
    step = 1 if part.step is None else int(part.step)
    if bounds == [None, None]:
        return slice(None) if step == 1 else slice(None, None, step)
    if size.constant is not None and not any(isinstance(one, Dim) for one in bounds):
        found = range(*slice(bounds[0], bounds[1], step).indices(size.constant))
        if step < 0:
            if not found:
                return slice(0, 0)
            return _Reversed(slice(found[-1], found[0] + 1), -step)
        if len(found) == size.constant:
            return slice(None)
        start, stop = found.start, max(found.stop, found.start)
        return slice(
            start or None, stop if stop < size.constant else None, step if step > 1 else None
        )
    if step < 0:
        raise trace.sheet.mistake("a slice goes backwards over an axis of open size")
    return slice(bounds[0], bounds[1], step if step > 1 else None)


class _Reversed:
    """A slice that is taken the other way round."""

    def __init__(self, forward: slice, step: int) -> None:
        self.forward, self.step = forward, step


@of("getitem")
def _getitem(trace: Trace, array: Traced, key: Any) -> Any:
    if isinstance(key, str):
        raise trace.sheet.mistake("arrays have no fields in the language")
    known = array.storage.known if array.root is None else None
    if known is not None and type(key) is int and known.dtype.kind in "iub":
        return known[key]
    rows = array.storage.rows if array.root is None else {}
    shape = array.storage.base.shape if rows else array.value.shape
    parts = parts_of(trace, key, shape)
    if rows and isinstance(parts[0], int):
        row = array.storage.row(trace.sheet, parts[0] % (shape[0].constant or 1))
        if row is not None:
            rest = parts[1:]
            whole = all(one == slice(None) for one in rest)
            return trace.wrap(row if whole else trace.sheet.subscript(row, *rest))
    if any(isinstance(one, Value) for one in parts):
        return trace.wrap(_gathered(trace, array.value, parts))
    found = selected(trace, array.value, parts)
    if not found.rank:
        return trace.wrap(found)
    writable = (
        parts if not any(one is None or isinstance(one, _Reversed) for one in parts) else None
    )
    view = Traced(trace, array.storage, array, lambda x: selected(trace, x, parts), writable)
    view.seen = view.version, found
    return view


def selected(trace: Trace, value: Value, parts: Sequence[Any]) -> Value:
    """Write a subscript without arrays in it."""
    forward = [one.forward if isinstance(one, _Reversed) else one for one in parts]
    while forward and isinstance(forward[-1], slice) and forward[-1] == slice(None):
        forward.pop()
    found = trace.sheet.subscript(value, *forward) if forward else value
    if any(isinstance(one, _Reversed) for one in parts):
        kept = [one for one in parts if not isinstance(one, int | Dim)]
        back = [
            slice(None, None, -one.step) if isinstance(one, _Reversed) else slice(None)
            for one in kept
        ]
        found = trace.sheet.subscript(found, *back)
    return found


def _gathered(trace: Trace, value: Value, parts: Sequence[Any]) -> Value:
    """Write a subscript with integer arrays, whose axes stand where NumPy puts them.

    Integers beside them count as arrays: where something stands between two of these, their common
    axes come first.
    """
    advanced = [place for place, one in enumerate(parts) if isinstance(one, Value | int | Dim)]
    apart = advanced[-1] - advanced[0] + 1 != len(advanced)
    arrays = [place for place in advanced if isinstance(parts[place], Value)]
    found = (
        _taken(trace, value, parts, arrays[0])
        if len(arrays) == 1
        else _by_several(trace, value, parts)
    )
    between = parts[arrays[0] : arrays[-1] + 1]
    if not apart or not all(isinstance(one, Value | int | Dim) for one in between):
        return found
    rank = max(parts[place].rank for place in arrays)
    before = sum(not isinstance(one, int | Dim | Value) for one in parts[: arrays[0]])
    if not before or not rank:
        return found
    source, destination = list(range(before, before + rank)), list(range(rank))
    return trace.sheet.call("moveaxis", found, *(
        (source[0], 0) if rank == 1 else (source, destination)
    ))  # fmt: skip


def _by_several(trace: Trace, value: Value, parts: Sequence[Any]) -> Value:
    """Write a subscript with several arrays, whose common axes the language puts as NumPy does."""
    kept = [node_of(trace, one) if isinstance(one, Value) else one for one in parts]
    while isinstance(kept[-1], slice) and kept[-1] == slice(None):
        kept.pop()
    return trace.sheet.subscript(value, *kept)


def _taken(trace: Trace, value: Value, parts: Sequence[Any], place: int) -> Value:
    """Write a subscript with one array in it; what is known when compiling is a list to `take`."""
    ids = parts[place]
    if not trace.sheet.is_known(ids) and not any(isinstance(one, _Reversed) for one in parts):
        kept = list(parts)
        while kept and isinstance(kept[-1], slice) and kept[-1] == slice(None):
            kept.pop()
        return trace.sheet.subscript(value, *kept)
    others = [slice(None) if at == place else one for at, one in enumerate(parts)]
    axis = sum(not isinstance(one, int | Dim) for one in parts[:place])
    return trace.sheet.call("take", selected(trace, value, others), ids, axis=axis)


@of("setitem")
def _setitem(trace: Trace, array: Traced, key: Any, given: Any) -> None:
    sheet = trace.sheet
    if type(key) is Traced and key.value.dtype == "bool":
        new = trace.value(_floating(array, given))
        if isinstance(new, Value) and new.rank:
            raise sheet.mistake("as many values as a mask selects are written", MASK)
        array.assign(sheet.broadcast("where", key.value, new, array.value))
        return
    parts = parts_of(trace, key, array.value.shape)
    value = trace.typed(_floating(array, given))
    if any(isinstance(one, Value) for one in parts):
        array.assign(_scattered(trace, array.value, parts, value))
        return
    if any(one is None or isinstance(one, _Reversed) for one in parts):
        raise sheet.mistake("what is written goes through a new axis or backwards")
    like = selected(trace, array.value, parts)
    array.put(parts, fitted_to(sheet, value, like))


def _floating(array: Traced, given: Any) -> Any:
    """Return a number as the array will hold it."""
    whole = isinstance(given, int | np.integer) and array.value.dtype == "float"
    return float(given) if whole else given


def _scattered(trace: Trace, whole: Value, parts: Sequence[Any], value: Value) -> Value:
    """Write values at the positions that arrays of integers name; of several for one the last."""
    indices, axis = _indices(trace, parts)
    return trace.sheet.call("put", whole, _shaped(trace, whole, parts, value), *indices, axis=axis)


def added(trace: Trace, whole: Value, key: Any, value: Value) -> Value:
    """Write values added at the positions that a subscript names; all of several for one."""
    parts = parts_of(trace, key, whole.shape)
    indices, axis = _indices(trace, parts)
    shaped = _shaped(trace, whole, parts, value)
    return trace.sheet.call("put_add", whole, shaped, *indices, axis=axis)


def _indices(trace: Trace, parts: Sequence[Any]) -> tuple[list[Value], int | None]:
    """Return the arrays of positions, and the first of the axes that they are of, which follow."""
    places = [at for at, one in enumerate(parts) if isinstance(one, Value | int | Dim)]
    others = [one for at, one in enumerate(parts) if at not in places]
    whole = all(isinstance(one, slice) and one == slice(None) for one in others)
    if not whole or places[-1] - places[0] + 1 != len(places):
        raise trace.sheet.mistake("positions by arrays beside ranges are written to")
    return [node_of(trace, parts[at]) for at in places], places[0] or None


def _shaped(trace: Trace, whole: Value, parts: Sequence[Any], value: Value) -> Value:
    """Return values in the shape of what the subscript selects."""
    like = _gathered(trace, whole, parts)
    return fitted_to(trace.sheet, value, like)


def node_of(trace: Trace, part: Any) -> Value:
    """Return positions as a tensor, also those that are known when compiling."""
    sheet = trace.sheet
    if not isinstance(part, Value):
        return sheet.value(sheet.draw.expr(part))
    if not sheet.is_known(part) or not part.rank:
        return part
    return sheet.call("take", part, sheet.call("arange", part.shape[0]), axis=0)


__all__ = ["Storage", "parts_of", "selected"]
