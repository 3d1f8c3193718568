"""Operators that choose or write elements by position, in the language."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.importing.items import Value
from graphc.importing.onnx.reading import Given, Node, of
from graphc.importing.onnx.shapes import is_dims
from graphc.ir.types import same

OPERATORS_BY = {"add": "+", "mul": "*"}


@of("Gather")
def _gather(node: Node, x: Given, indices: Given) -> Given:
    axis = node.get("axis", 0)
    if is_dims(x):
        return np.asarray(x)[np.asarray(node.known(indices, "the position")).astype(int)]
    found = node.typed(x)
    axis %= found.rank
    if isinstance(indices, Value):
        return node.sheet.subscript(found, *[slice(None)] * axis, indices)
    array = np.asarray(indices)
    if not array.ndim:
        at = array.item()
        return node.sheet.subscript(found, *[slice(None)] * axis, at)
    return node.sheet.call("take", found, node.value(array), axis=axis)


@of("GatherElements")
def _gather_elements(node: Node, x: Given, indices: Given) -> Value:
    found, ids = node.typed(x), node.typed(indices)
    axis = node.get("axis", 0) % found.rank
    parts = [
        slice(None) if place == axis or same(one, other) else slice(None, other)
        for place, (one, other) in enumerate(zip(found.shape, ids.shape, strict=True))
    ]
    if any(part != slice(None) for part in parts):
        found = node.sheet.subscript(found, *parts)
    return node.sheet.call("take_along_axis", found, ids, axis)


@of("OneHot")
def _one_hot(node: Node, indices: Given, depth: Given, values: Given) -> Value:
    sheet, count = node.sheet, int(node.number(depth, "the depth"))
    off, on = (one.item() for one in np.asarray(node.known(values, "the values")).ravel())
    ids = node.typed(indices)
    if ids.dtype != "int":
        raise node.mistake("positions are floats", "cast them to integers before the model")
    axis = node.get("axis", -1) % (ids.rank + 1)
    wrapped = sheet.call("where", sheet.binary("<", ids, 0), sheet.binary("+", ids, count), ids)
    behind = ids.rank - axis
    places = sheet.call("arange", count)
    places = sheet.subscript(places, slice(None), *[None] * behind) if behind else places
    wide = sheet.subscript(wrapped, *[slice(None)] * axis, None)
    return sheet.call("where", sheet.binary("==", wide, places), on, off)


@of("TopK")
def _top_k(node: Node, x: Given, k: Given = None) -> list[Value]:
    found, sheet = node.typed(x), node.sheet
    count = node.get("k") if k is None else int(node.number(k, "the number of results"))
    axis = node.get("axis", -1) % found.rank
    largest = node.get("largest", 1)
    smallest = None if largest else False
    named = {"axis": axis, "largest": smallest}
    return sheet.values(sheet.draw.call("top_k", found, count, **named))


@of("GatherND")
def _gather_nd(node: Node, x: Given, indices: Given) -> Value:
    batches = node.get("batch_dims", 0)
    if batches:
        held, ids = node.typed(x), node.typed(indices)
        count = held.shape[0].constant
        if batches > 1 or count is None:
            raise node.mistake("positions differ from batch to batch")
        rows = [
            node.sheet.call("gather_nd", *(node.sheet.subscript(one, at) for one in (held, ids)))
            for at in range(count)
        ]
        return node.sheet.call("stack", *rows)
    return node.sheet.call("gather_nd", node.value(x), node.value(indices))


@of("ScatterND")
def _scatter_nd(node: Node, x: Given, indices: Given, updates: Given) -> Value:
    names = {"none": "scatter_nd", "add": "scatter_nd_add"}
    how = node.get("reduction", "none")
    if how not in names:
        raise node.mistake(f"there is no scatter by {how}")
    given = (node.value(one) for one in (x, indices, updates))
    return node.sheet.call(names[how], *given)


@of("ScatterElements", "Scatter")
def _scatter_elements(node: Node, x: Given, indices: Given, updates: Given) -> Value:
    """Write what is set or added at positions along an axis, each row by its own."""
    found, ids, new, sheet = *map(node.typed, (x, indices, updates)), node.sheet
    axis = node.get("axis", 0) % found.rank
    how = node.get("reduction", "none")
    rest = [(one, other) for place, (one, other) in
            enumerate(zip(found.shape, ids.shape, strict=True)) if place != axis]  # fmt: skip
    if not all(same(one, other) for one, other in rest):
        raise node.mistake("there is a position for some of the rows alone")
    size, count = found.shape[axis], ids.shape[axis]
    wrapped = sheet.binary("%", ids, size)
    places = sheet.subscript(
        sheet.call("arange", size), slice(None), *[None] * (found.rank - axis - 1)
    )
    total: Any = found
    if count.constant is None:
        raise node.mistake("how many positions are written is open")
    for at in range(count.constant):
        before = [slice(None)] * axis
        here = sheet.binary("==", places, sheet.subscript(wrapped, *before, slice(at, at + 1)))
        value = sheet.subscript(new, *before, slice(at, at + 1))
        if how in OPERATORS_BY:
            value = sheet.binary(OPERATORS_BY[how], total, value)
        elif how != "none":
            value = sheet.broadcast({"max": "maximum", "min": "minimum"}[how], total, value)
        total = sheet.broadcast("where", here, value, total)
    return total  # type: ignore[no-any-return]


@of("Compress")
def _compress(node: Node, x: Given, condition: Given) -> Value:
    (chosen,) = np.nonzero(np.asarray(node.known(condition, "the choice")))
    found, axis = node.typed(x), node.get("axis")
    if axis is None:
        found, axis = node.sheet.call("flatten", found), 0
    return node.sheet.call("take", found, [int(one) for one in chosen], axis=axis)


@of("ReverseSequence")
def _reverse(node: Node, x: Given, lengths: Given) -> Value:
    found, sheet = node.typed(x), node.sheet
    batch, time = node.get("batch_axis", 1), node.get("time_axis", 0)
    rows = []
    for at, length in enumerate(np.asarray(node.known(lengths, "the length"))):
        row = sheet.subscript(found, *[slice(None)] * batch, at)
        along = time - (time > batch)
        before = [slice(None)] * along
        turned = sheet.call(
            "flip", sheet.subscript(row, *before, slice(0, int(length))), axis=along
        )
        rest = sheet.subscript(row, *before, slice(int(length), None))
        rows.append(sheet.call("concat", turned, rest, axis=along))
    return sheet.call("stack", *rows, axis=batch or None)
