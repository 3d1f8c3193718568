"""Resize, Upsample and GridSample of ONNX, in the language.

What `resize` says is one; else an axis is a choice of elements, or a product with the matrix that
the reference of ONNX makes of it, for each axis by itself.
"""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np

from graphc.importing.items import Value
from graphc.importing.onnx.evaluating import resized_unit
from graphc.importing.onnx.reading import Given, Node, of
from graphc.importing.onnx.shapes import shape_of
from graphc.ir.dims import Dim
from graphc.ir.types import same
from graphc.records import dataclass

METHODS = {"nearest": "nearest", "linear": None, "cubic": "cubic", "bilinear": None}
"""What the language calls a mode, None where it is the default."""


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis that gets another size: by which scale, and the part of it that is looked at."""

    place: int
    size: Any
    into: Any
    scale: float | None  # None where it is what the sizes say
    part: tuple[float, float]


@of("Resize", "Upsample")
def _resize(
    node: Node, x: Given, roi: Given = None, scales: Given = None, sizes: Given = None
) -> Value:
    if node.op == "Upsample":
        roi, scales = None, node.get("scales") if roi is None else roi
        node.attributes["coordinate_transformation_mode"] = "asymmetric"
        node.attributes["nearest_mode"] = "floor"
    elif scales is None and sizes is None and roi is not None:  # opset 10: x and scales
        roi, scales = None, roi
        node.attributes.setdefault("coordinate_transformation_mode", "asymmetric")
        node.attributes.setdefault("nearest_mode", "floor")
    found = node.typed(x)
    axes = [one for one in _axes(node, found, roi, scales, sizes) if _changes(node, one)]
    if not axes:
        return found
    if _is_plain(node, axes):
        return _plainly(node, found, axes)
    for one in axes:
        found = _along(node, found, one)
    return found


def _axes(node: Node, x: Value, roi: Given, scales: Given, sizes: Given) -> list[Axis]:
    """Return the axes that are named, each with the size that it gets."""
    listed = [one % x.rank for one in node.get("axes", range(x.rank))]
    parts = _parts(node, roi, len(listed))
    before = [shape_of(node, x)[place] for place in listed]
    if sizes is not None and np.asarray(node.known(sizes, "the size")).size:
        into: list[Any] = node.sizes(sizes, "the size")
        policy = node.get("keep_aspect_ratio_policy", "stretch")
        if policy == "stretch":
            given: list[float | None] = [None] * len(listed)
        else:
            ratios = [new / size for new, size in zip(into, before, strict=True)]
            ratio = min(ratios) if policy == "not_larger" else max(ratios)
            into = [floor(ratio * size) for size in before]
            if into != [floor(ratio * size + 0.5) for size in before]:
                raise node.mistake("a size that keeps the ratio is rounded up")
            given = [ratio] * len(listed)
    else:
        each = np.asarray(node.known(scales, "the scale")).ravel()
        given = [float(one) for one in each]
        into = [_scaled(node, *one) for one in zip(before, given, parts, strict=True)]
    rows = zip(listed, before, into, given, parts, strict=True)
    return [Axis(*row) for row in rows]


def _parts(node: Node, roi: Given, count: int) -> list[tuple[float, float]]:
    if node.get("coordinate_transformation_mode") != "tf_crop_and_resize" or roi is None:
        return [(0.0, 1.0)] * count
    numbers = [float(one) for one in np.asarray(node.known(roi, "the part")).ravel()]
    return [(numbers[at], numbers[at + count]) for at in range(count)]


def _scaled(node: Node, size: Any, scale: Any, part: tuple[float, float]) -> Any:
    if isinstance(size, Dim):
        if not float(scale).is_integer():
            raise node.mistake("an axis of open size is scaled by a number that is not whole")
        return size * int(scale)
    return floor(size * (part[1] - part[0]) * scale)


def _changes(node: Node, axis: Axis) -> bool:
    crops = node.get("coordinate_transformation_mode") == "tf_crop_and_resize"
    scaled = axis.scale not in (None, 1.0)
    return crops or scaled or not same(Dim.of(axis.size), Dim.of(axis.into))


def _is_plain(node: Node, axes: list[Axis]) -> bool:
    """True if `resize` of the language says the same."""
    mode = node.get("mode", "nearest")
    how = node.get("coordinate_transformation_mode", "half_pixel")
    several = all(isinstance(one.into, int) and one.into > 1 for one in axes)
    halves = how == "half_pixel" or (how == "pytorch_half_pixel" and several)
    if node.get("antialias", 0) or node.get("exclude_outside", 0):
        return False
    if mode == "cubic" and node.get("cubic_coeff_a", -0.75) != -0.75:
        return False
    if mode == "nearest":
        halves = halves and node.get("nearest_mode", "round_prefer_floor") == "round_prefer_floor"
        return halves and all(map(_is_whole, axes))
    return (halves or how == "align_corners") and all(map(_is_whole, axes))


def _is_whole(axis: Axis) -> bool:
    """True if the scale is the ratio of the sizes."""
    if axis.scale is None:
        return True
    if isinstance(axis.size, Dim):
        return float(axis.scale).is_integer()
    return bool(axis.scale == np.float32(axis.into / axis.size)) or (
        axis.scale * axis.size == axis.into
    )


def _plainly(node: Node, x: Value, axes: list[Axis]) -> Value:
    first = min(one.place for one in axes)
    wanted = {one.place: one.into for one in axes}
    sizes = [wanted.get(place, size) for place, size in enumerate(shape_of(node, x))]
    corners = node.get("coordinate_transformation_mode") == "align_corners"
    mode = METHODS[node.get("mode", "nearest")]
    named = {"method": mode, "align_corners": True if corners and mode != "nearest" else None}
    return node.sheet.call("resize", x, sizes[first:], **named)


def _along(node: Node, x: Value, axis: Axis) -> Value:
    """Return x with one axis resized, as the reference does it."""
    sheet, behind = node.sheet, x.rank - 1 - axis.place
    if isinstance(axis.size, Dim) or isinstance(axis.into, Dim):
        return _repeated(node, x, axis)
    rows, added = resized_unit(node.attributes, axis.size, axis.into, axis.scale, axis.part)
    if np.all(np.isin(rows, (0.0, 1.0))) and np.all(rows.sum(1) == 1) and not added.any():
        chosen = [int(one) for one in rows.argmax(1)]
        times, rest = divmod(len(chosen), axis.size)
        if not rest and chosen == sorted([*range(axis.size)] * times):
            return sheet.call("repeat_elements", x, times, axis.place)
        return sheet.call("take", x, chosen, axis=axis.place)
    weights = sheet.array(rows, "resizing")
    if behind == 0:
        found = sheet.call("matmul", x, sheet.value(sheet.draw.transposed(weights)))
    elif behind == 1:
        found = sheet.call("matmul", weights, x)
    else:
        moved = sheet.call("moveaxis", x, axis.place, -1)
        found = sheet.call("matmul", moved, sheet.value(sheet.draw.transposed(weights)))
        found = sheet.call("moveaxis", found, -1, axis.place)
    if not added.any():
        return found
    column = sheet.array(added.reshape(-1, *[1] * behind), "outside")
    return sheet.binary("+", found, column)


def _repeated(node: Node, x: Value, axis: Axis) -> Value:
    """Return x with each element of an axis of open size repeated, as the nearest below."""
    how = node.get("coordinate_transformation_mode"), node.get("nearest_mode")
    scale = axis.scale or 0.0
    if node.get("mode", "nearest") == "nearest" and how == ("asymmetric", "floor") and scale >= 1:
        return node.sheet.call("repeat_elements", x, int(scale), axis.place)
    raise node.mistake("an axis of open size is resized in a way that `resize` does not say")


@of("GridSample")
def _grid_sample(node: Node, x: Given, grid: Given) -> Value:
    found = node.typed(x)
    if found.rank != 4:
        raise node.mistake("points in more than two directions have no counterpart in the language")
    padding = node.get("padding_mode", "zeros")
    if padding == "reflection":
        raise node.mistake("what is beyond the border is mirrored")
    mode = METHODS[{"bicubic": "cubic"}.get(mode := node.get("mode", "linear"), mode)]
    points = node.typed(grid)
    if mode == "nearest":
        points = _rounded(node, points, [found.shape[3], found.shape[2]])
    return node.sheet.call(
        "grid_sample", found, points, method=mode,
        padding=padding if padding != "zeros" else None,
        align_corners=True if node.get("align_corners", 0) else None,
    )  # fmt: skip


def _rounded(node: Node, points: Value, sizes: list[Dim]) -> Value:
    """Return points at the centres of elements: of two that are equally near the even one."""
    sheet, corners = node.sheet, node.get("align_corners", 0)
    wide = sheet.call("stack", *(sheet.draw.expr(size - corners) for size in sizes))
    shifted = sheet.binary("*", sheet.binary("+", points, 1.0), wide)
    if not corners:
        shifted = sheet.binary("-", shifted, 1.0)
    near = sheet.binary("*", 2.0, sheet.call("round", sheet.binary("/", shifted, 2.0)))
    if not corners:
        near = sheet.binary("+", near, 1.0)
    return sheet.binary("-", sheet.binary("/", near, wide), 1.0)
