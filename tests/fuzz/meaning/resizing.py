"""Arrays at other sizes and pictures at any positions, as sums of elements with weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fuzz.meaning.arrays import array, floats, known, space, where

A = -0.75


def _cubic(d: Any) -> Any:
    d = where(known(d) < 0, -d, d)
    near = (A + 2) * d * d * d - (A + 3) * d * d + 1
    far = A * d * d * d - 5 * A * d * d + 8 * A * d - 4 * A
    return where(known(d) <= 1, near, where(known(d) < 2, far, 0.0))


def _linear(d: Any) -> Any:
    """1 - |d|, of d from -1 on, where 0 has the slope of what is after it."""
    return where(known(d) >= 0, 1 - d, 1 + d)


KERNELS: dict[str, tuple[Callable[[Any], Any], range]] = {
    "linear": (_linear, range(2)),
    "cubic": (_cubic, range(-1, 3)),
}


def _read(position: Any, method: str) -> list[tuple[Any, Any]]:
    """Indices of elements, wherever they are, and their weights."""
    library = space(position)
    if method == "nearest":
        place = library.ceil(known(position) - 0.5)
        return [(place.astype(int), 1.0)]
    weight, around = KERNELS[method]
    below = library.floor(known(position))
    return [((below + i).astype(int), weight(position - (below + i))) for i in around]


def resize(x: Any, sizes: Any, method: str = "linear", align_corners: bool = False) -> Any:
    x = floats(x)
    for axis, into in enumerate(sizes, x.ndim - len(sizes)):
        size = x.shape[axis]
        if size == into:
            continue
        rows = []
        for i in range(into):
            scale = (size - 1) / max(into - 1, 1) if align_corners else size / into
            position = i * scale if align_corners else (i + 0.5) * scale - 0.5
            total: Any = 0.0
            for place, share in _read(array(position), method):
                total = total + space(x).take(x, min(max(int(place), 0), size - 1), axis) * share
            rows.append(total)
        x = space(x).stack(rows, axis=axis)
    return x


def grid_sample(
    x: Any, grid: Any, method: str = "linear", padding: str = "zeros", align_corners: bool = False
) -> Any:
    x, grid = floats(x), floats(grid)
    count, _, *sides = x.shape
    library = space(x, grid)
    positions = []
    for one, size in ((grid[..., 1], sides[0]), (grid[..., 0], sides[1])):
        corners = (one + 1) * ((size - 1) / 2)
        positions.append(corners if align_corners else ((one + 1) * size - 1) / 2)
    own = library.arange(count)[:, None, None]
    total: Any = 0.0
    for row, high in _read(positions[0], method):
        for column, wide in _read(positions[1], method):
            inside = (row >= 0) & (row < sides[0]) & (column >= 0) & (column < sides[1])
            kept = where(inside | (padding == "border"), high * wide, 0.0)
            i = library.clip(row, 0, sides[0] - 1)
            k = library.clip(column, 0, sides[1] - 1)
            total = total + library.moveaxis(x, 1, -1)[own, i, k] * kept[..., None]
    return library.moveaxis(array(total), -1, 1)
