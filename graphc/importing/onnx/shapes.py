"""Operators of shapes, of positions and of products, in the language."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from graphc.importing.items import Value
from graphc.importing.onnx.elementwise import dims_array, float32
from graphc.importing.onnx.reading import Given, Node, of
from graphc.importing.shapes import reshaped
from graphc.ir.dims import Dim
from graphc.ir.types import product


def shape_of(node: Node, given: Given) -> list[Any]:
    if isinstance(given, Value):
        return [axis if axis.constant is None else axis.constant for axis in given.shape]
    return list(np.asarray(given).shape)


def is_dims(given: Given) -> bool:
    """True for an array of sizes, of which some are dims."""
    return not isinstance(given, Value) and given is not None and np.asarray(given).dtype == object


@of("Shape")
def _shape(node: Node, x: Given) -> Given:
    sizes = shape_of(node, x)
    part = sizes[slice(node.get("start", 0), node.get("end", None))]
    return dims_array(part, (len(part),)) if part else np.zeros(0, np.int64)


@of("Size")
def _size(node: Node, x: Given) -> Given:
    total = product([Dim.of(one) for one in shape_of(node, x)])
    return dims_array([total], ())


@of("Constant")
def _constant(node: Node) -> Given:
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if name in node.attributes:
            return np.asarray(node.attributes[name])
    raise node.mistake("a constant of texts has no counterpart in the language")


@of("ConstantOfShape")
def _filled(node: Node, shape: Given) -> Value:
    number = np.asarray(node.get("value", np.zeros(1, np.float32))).ravel()[0].item()
    sizes = node.sizes(shape, "the shape")
    if isinstance(number, bool):
        ones = node.sheet.call("ones" if number else "zeros", sizes)
        return node.sheet.binary("!=", ones, 0.0)
    return node.sheet.call("full", sizes, number) if sizes else node.typed(np.asarray(number))


@of("EyeLike")
def _eye(node: Node, x: Given) -> Value:
    sizes = shape_of(node, x)
    found = node.sheet.call("eye", *sizes, k=node.get("k", 0) or None)
    whole = node.get("dtype", 1) not in (1, 10, 11, 16)
    if whole:
        return node.sheet.call("where", node.sheet.binary("!=", found, 0.0), 1, 0)
    return found


@of("Range")
def _range(node: Node, start: Given, limit: Given, delta: Given) -> Value:
    low, high, step = (node.number(one, "the range") for one in (start, limit, delta))
    if isinstance(low, Dim) or isinstance(high, Dim):
        if step != 1:
            raise node.mistake("a range of open size has the step 1")
        found = node.sheet.call("arange", high - low if low else high)
        return node.sheet.binary("+", found, low) if isinstance(low, Dim) or low else found
    return node.typed(np.arange(low, high, step))


@of("Reshape")
def _reshape(node: Node, x: Given, shape: Given) -> Given:
    sizes = node.sizes(shape, "the shape")
    if is_dims(x):
        return np.asarray(x).reshape([int(one) for one in sizes])
    found = node.typed(x)
    if not node.get("allowzero", 0):
        sizes = [found.shape[place] if one == 0 else one for place, one in enumerate(sizes)]
    if not sizes:
        return node.sheet.subscript(found, *[0] * found.rank)
    return reshaped(node.sheet, found, sizes)


@of("Flatten")
def _flatten(node: Node, x: Given) -> Value:
    found = node.typed(x)
    axis = node.get("axis", 1)
    axis = axis + found.rank if axis < 0 else axis
    before, behind = product(found.shape[:axis]), product(found.shape[axis:])
    return reshaped(node.sheet, found, [before, behind])


@of("Squeeze")
def _squeeze(node: Node, x: Given, axes: Given = None) -> Given:
    listed = node.get("axes") if axes is None else node.sizes(axes, "the axes")
    if is_dims(x):
        return np.asarray(x).squeeze(None if listed is None else tuple(listed))
    found = node.typed(x)
    return node.sheet.call("squeeze", found, None if listed is None else list(listed))


@of("Unsqueeze")
def _unsqueeze(node: Node, x: Given, axes: Given = None) -> Given:
    listed = list(node.get("axes", [])) if axes is None else node.sizes(axes, "the axes")
    if is_dims(x):
        return np.expand_dims(np.asarray(x), tuple(listed))
    found = node.typed(x)
    rank = found.rank + len(listed)
    new = {one % rank for one in listed}
    parts: list[Any] = [None if place in new else slice(None) for place in range(rank)]
    return node.sheet.subscript(found, *parts)


@of("Transpose")
def _transpose(node: Node, x: Given) -> Value:
    found = node.typed(x)
    order = list(node.get("perm", range(found.rank)[::-1]))
    if order == [1, 0]:
        return node.sheet.value(node.sheet.draw.transposed(found))
    return found if order == sorted(order) else node.sheet.call("transpose", found, order)


@of("Expand")
def _expand(node: Node, x: Given, shape: Given) -> Value:
    found, wanted = node.typed(x), node.sizes(shape, "the shape")
    rank = max(found.rank, len(wanted))
    have = [1] * (rank - found.rank) + shape_of(node, found)
    want = [1] * (rank - len(wanted)) + wanted
    sizes = [one if _is_one(other) else other for one, other in zip(have, want, strict=True)]
    return node.sheet.call("broadcast_to", found, sizes)


def _is_one(size: Any) -> bool:
    return size == 1 or (isinstance(size, Dim) and size.constant == 1)


@of("Concat")
def _concat(node: Node, *xs: Given) -> Given:
    if any(map(is_dims, xs)) and not any(isinstance(one, Value) for one in xs):
        parts = [np.atleast_1d(np.asarray(one, object)) for one in xs]
        joined = np.concatenate(parts)
        return dims_array(list(joined), joined.shape)
    if len(xs) == 1:
        return node.typed(xs[0])
    return node.sheet.call("concat", *map(node.typed, xs), axis=node.get("axis", 0))


@of("Split")
def _split(node: Node, x: Given, split: Given = None) -> list[Value]:
    found = node.typed(x)
    axis = node.get("axis", 0) % found.rank
    size = found.shape[axis]
    listed = node.get("split") if split is None else node.sizes(split, "the split")
    if listed is None:
        count = node.get("num_outputs", len(node.outputs))
        step = (size + count - 1) // count
        bounds = [step * place for place in range(count)] + [size]
    else:
        bounds = [Dim.of(0)]
        for one in listed:
            bounds.append(bounds[-1] + one)
    before = [slice(None)] * axis
    return [
        node.sheet.subscript(found, *before, slice(start, stop)) for start, stop in pairwise(bounds)
    ]


@of("Slice")
def _slice(
    node: Node, x: Given, starts: Given = None, ends: Given = None, axes: Given = None,
    steps: Given = None,
) -> Given:  # fmt: skip
    first = node.get("starts") if starts is None else node.sizes(starts, "the start")
    last = node.get("ends") if ends is None else node.sizes(ends, "the end")
    where = node.get("axes") if axes is None else node.sizes(axes, "the axes")
    by = [1] * len(first) if steps is None else node.sizes(steps, "the steps")
    where = list(range(len(first))) if where is None else where
    if is_dims(x):
        return np.asarray(x)[slice(int(first[0]), int(last[0]), int(by[0]))]
    found = node.typed(x)
    parts: list[Any] = [slice(None)] * found.rank
    turned = list[int]()
    for axis, start, stop, step in zip(where, first, last, by, strict=True):
        place = axis % found.rank
        parts[place] = _part(node, start, stop, step, found.shape[place])
        if step < 0:
            turned.append(place)
    done = node.sheet.subscript(found, *parts)
    if not turned:
        return done
    back: list[Any] = [slice(None)] * found.rank
    for place, step in ((axis % found.rank, step) for axis, step in zip(where, by, strict=True)):
        if step < 0:
            back[place] = slice(None, None, int(step))
    return node.sheet.subscript(done, *back)


def _part(node: Node, start: Any, stop: Any, step: int, size: Dim) -> slice:
    """Return a slice, clamped as ONNX does; one that goes backwards as what it goes over."""
    if size.constant is not None and not isinstance(start, Dim) and not isinstance(stop, Dim):
        if step < 0:
            # an end below the first element takes it, too
            low = None if stop < -size.constant else stop
            found = range(*slice(start, low, step).indices(size.constant))
            return slice(found[-1], found[0] + 1) if found else slice(0, 0)
        found = range(*slice(start, stop, step).indices(size.constant))
        end = max(found.stop, found.start)
        return slice(found.start, end, step if step > 1 else None)
    if step < 0:
        if (start == -1 or start > 2**30) and not isinstance(stop, Dim) and stop < -(2**30):
            return slice(None)
        raise node.mistake("a slice goes backwards over an axis of open size")
    whole = not isinstance(stop, Dim) and stop > 2**30
    return slice(start or None, None if whole else stop, step if step > 1 else None)


@of("Tile")
def _tile(node: Node, x: Given, repeats: Given) -> Value:
    return node.sheet.call("tile", node.value(x), node.sizes(repeats, "the number of repetitions"))


@of("Pad")
def _pad(node: Node, x: Given, pads: Given = None, fill: Given = None, axes: Given = None) -> Value:
    found, sheet = node.typed(x), node.sheet
    listed = list(node.get("pads", ())) if pads is None else node.sizes(pads, "the width")
    where = list(range(found.rank)) if axes is None else node.sizes(axes, "the axes")
    half = len(listed) // 2
    pairs = [[0, 0] for _ in range(found.rank)]
    for axis, low, high in zip(where, listed[:half], listed[half:], strict=True):
        pairs[axis % found.rank] = [low, high]
    if any(not isinstance(side, Dim) and side < 0 for pair in pairs for side in pair):
        cut = [slice(max(-low, 0), high if high < 0 else None) for low, high in pairs]
        found = sheet.subscript(found, *cut)
        pairs = [[max(low, 0), max(high, 0)] for low, high in pairs]
    mode = node.get("mode", "constant")
    number = node.get("value", 0.0) if fill is None else node.number(fill, "the number around")
    named = {"constant_values": float(number)} if mode == "constant" and number else {}
    return sheet.call("pad", found, pairs, mode=None if mode == "constant" else mode, **named)


@of("Trilu")
def _trilu(node: Node, x: Given, k: Given = None) -> Value:
    offset = 0 if k is None else int(node.number(k, "the diagonal"))
    name = "triu" if node.get("upper", 1) else "tril"
    found = node.typed(x)
    if found.dtype == "int":
        sizes = found.shape[-2:]
        ones = node.sheet.call(name, node.sheet.call("ones", list(sizes)), k=offset or None)
        inside = node.sheet.binary("!=", ones, 0.0)
        return node.sheet.broadcast("where", inside, found, 0)
    return node.sheet.call(name, found, k=offset or None)


@of("DepthToSpace", "SpaceToDepth")
def _depth(node: Node, x: Given) -> Value:
    found, sheet, size = node.typed(x), node.sheet, node.get("blocksize")
    n, c, h, w = found.shape
    if node.op == "SpaceToDepth":
        parted = sheet.call("reshape", found, [n, c, h // size, size, w // size, size])
        order = [0, 1, 3, 5, 2, 4] if node.get("mode", "DCR") == "CRD" else [0, 3, 5, 1, 2, 4]
        turned = sheet.call("transpose", parted, order)
        return sheet.call("reshape", turned, [n, c * size * size, h // size, w // size])
    inner = c // (size * size)
    if node.get("mode", "DCR") == "DCR":
        parted = sheet.call("reshape", found, [n, size, size, inner, h, w])
        turned = sheet.call("transpose", parted, [0, 3, 4, 1, 5, 2])
    else:
        parted = sheet.call("reshape", found, [n, inner, size, size, h, w])
        turned = sheet.call("transpose", parted, [0, 1, 4, 2, 5, 3])
    return sheet.call("reshape", turned, [n, inner, h * size, w * size])


# ---- products -----------------------------------------------------------------------------------


@of("MatMul")
def _matmul(node: Node, a: Given, b: Given) -> Value:
    left, right = node.typed(a), node.typed(b)
    if left.rank <= 2 and right.rank <= 2:
        return node.sheet.value(node.sheet.draw.binary("@", left, right))
    return node.sheet.call("matmul", left, right)


@of("Gemm")
def _gemm(node: Node, a: Given, b: Given, c: Given = None) -> Value:
    sheet = node.sheet
    left, right = node.typed(a), node.typed(b)
    if node.get("transA", 0):
        left = sheet.value(sheet.draw.transposed(left))
    if node.get("transB", 0):
        right = sheet.value(sheet.draw.transposed(right))
    done = sheet.value(sheet.draw.binary("@", left, right))
    alpha, beta = float32(node.get("alpha", 1.0)), float32(node.get("beta", 1.0))
    if alpha != 1:
        done = sheet.binary("*", alpha, done)
    if c is None:
        return done
    term = node.value(c)
    return sheet.binary("+", done, term if beta == 1 else sheet.binary("*", beta, term))


@of("Einsum")
def _einsum(node: Node, *xs: Given) -> Value:
    values = [node.typed(one) for one in xs]
    before, arrow, after = node.get("equation").replace(" ", "").partition("->")
    rest = [letter for letter in "ZYXWVUTSRQ" if letter not in before]
    parts, dots = list[str](), ""
    for part, value in zip(before.split(","), values, strict=True):
        hidden = value.rank - len(part.replace("...", ""))
        mine = "".join(reversed(rest[:hidden])) if "..." in part else ""
        dots = mine if len(mine) > len(dots) else dots
        parts.append(part.replace("...", mine))
    joined = "".join(parts)
    if not arrow:
        once = [x for x in sorted(set(joined)) if joined.count(x) == 1 and x not in dots]
        after = dots + "".join(once)
    words = ", ".join(" ".join(part) for part in parts)
    text = f"{words} -> {' '.join(after.replace('...', dots))}".strip()
    return node.sheet.call("einsum", text, *values)


@of("Det")
def _det(node: Node, x: Given) -> Value:
    return node.sheet.call("det", node.value(x))
