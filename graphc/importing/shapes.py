"""Shapes and contractions, as several importers write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.importing.items import Value
from graphc.importing.sheet import Sheet
from graphc.ir.dims import Dim
from graphc.ir.types import known_facts, product, same_shape

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def reshaped(sheet: Sheet, value: Value, shape: Sequence[int | Dim]) -> Value:
    """Write a reshape; -1 is what is left, new axes of length 1 are a subscript."""
    wanted = [Dim.of(one) for one in shape]
    unknown = [place for place, one in enumerate(wanted) if one.constant == -1]
    if unknown:
        rest = product([one for place, one in enumerate(wanted) if place not in unknown])
        wanted[unknown[0]] = known_facts().normal(value.type.size // rest)
    if same_shape(wanted, value.shape):
        return value
    parts = _new_axes(value.shape, wanted)
    if parts is not None:
        return sheet.subscript(value, *parts)
    if len(wanted) == 1:
        return sheet.call("flatten", value)
    return sheet.call("reshape", value, wanted)


def _new_axes(before: Sequence[Dim], after: Sequence[Dim]) -> list[Any] | None:
    """Return the subscript that makes axes of length 1, where that is all."""
    parts, at = list[Any](), 0
    for axis in after:
        if at < len(before) and before[at] == axis:
            parts.append(slice(None))
            at += 1
        elif axis.constant == 1:
            parts.append(None)
        else:
            return None
    return parts if at == len(before) else None


def put(
    sheet: Sheet, whole: Value, parts: Sequence[Any], axes: Sequence[int], value: Value
) -> Value:
    """Return an array in which what the parts select is replaced."""
    axis = axes[0]
    part = parts[axis]
    before: list[Any] = [slice(None)] * axis
    if len(axes) > 1:  # what one part selects, with the others written into it
        inner = sheet.subscript(whole, *before, part)
        gone = isinstance(part, int | Dim)
        rest = (*parts[:axis], *(() if gone else (slice(None),)), *parts[axis + 1 :])
        places = [place - gone for place in axes[1:]]
        value = put(sheet, inner, rest, places, value)
    if isinstance(part, int | Dim):
        start, stop = part, part + 1 if part != -1 else None
        value = sheet.subscript(value, *before, None)
    else:
        start, stop = part.start, part.stop
        if part.step not in (None, 1):
            count = sheet.call("arange", value.shape[axis])
            every = sheet.binary("*", count, part.step)
            named = sheet.binary("+", every, start) if start else every
            return sheet.call("put", whole, value, named, axis=axis or None)
    pieces: list[Any] = [value]
    if start not in (None, 0):
        pieces.insert(0, sheet.subscript(whole, *before, slice(None, start)))
    if stop is not None and stop != whole.shape[axis]:
        pieces.append(sheet.subscript(whole, *before, slice(stop, None)))
    return sheet.call("concat", *pieces, axis=axis) if len(pieces) > 1 else value


def contraction(
    sheet: Sheet, left: Value, right: Value, first: Sequence[int], second: Sequence[int],
    batch: tuple[Sequence[int], Sequence[int]] = ((), ()),
) -> Value:  # fmt: skip
    """Write the product over pairs of axes: those of a batch in front, the free ones behind."""
    names = iter(LETTERS)
    words: list[dict[int, str]] = [{}, {}]
    for one, other in zip((*batch[0], *first), (*batch[1], *second), strict=True):
        words[0][one] = words[1][other] = next(names)
    free = [
        [axis for axis in range(value.rank) if axis not in mine]
        for value, mine in zip((left, right), words, strict=True)
    ]
    for axes, mine in zip(free, words, strict=True):
        mine.update((axis, next(names)) for axis in axes)
    plain = _as_product(sheet, left, right, first, second, batch)
    if plain is not None:
        return plain
    operands = ", ".join(
        " ".join(mine[axis] for axis in range(value.rank))
        for value, mine in zip((left, right), words, strict=True)
    )
    result = [words[0][axis] for axis in (*batch[0], *free[0])] + [words[1][a] for a in free[1]]
    return sheet.call("einsum", f"{operands} -> {' '.join(result)}".strip(), left, right)


def _as_product(
    sheet: Sheet, left: Value, right: Value, first: Sequence[int], second: Sequence[int],
    batch: tuple[Sequence[int], Sequence[int]],
) -> Value | None:  # fmt: skip
    """Return the contraction of matrices and vectors as `@`, transposed where needed."""
    if batch[0] or len(first) != 1 or not 0 < left.rank <= 2 or not 0 < right.rank <= 2:
        return None
    one, other = left, right
    draw = sheet.draw
    if left.rank == 2 and first[0] == 0:
        one = sheet.value(draw.transposed(left))
    if right.rank == 2 and second[0] == 1:
        other = sheet.value(draw.transposed(right))
    return sheet.value(draw.binary("@", one, other))
