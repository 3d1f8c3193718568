"""Arrays at other sizes and pictures at any positions: element by element, by definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sampling import Entry, on

A = -0.75


def _kernel(d: Any) -> Any:
    """The cubic convolution kernel of Keys (1981, eq. 4), of a distance."""
    d = d if np.real(d) > 0 else -d
    if np.real(d) <= 1:
        return (A + 2) * d**3 - (A + 3) * d**2 + 1
    return A * d**3 - 5 * A * d**2 + 8 * A * d - 4 * A if np.real(d) < 2 else 0.0


def _read(position: Any, method: str) -> Iterator[tuple[int, Any]]:
    """The elements that count at a position, wherever they are, and how much."""
    if method == "nearest":
        yield int(np.ceil(np.real(position) - 0.5)), 1.0
        return
    below = int(np.floor(np.real(position)))
    for i in range(below - 1, below + 3):
        apart = position - i
        share = _kernel(apart) if method == "cubic" else 1 - (apart if i <= below else -apart)
        if method == "cubic" or below <= i <= below + 1:
            yield i, share


def _resize(x: Any, into: tuple[int, ...], method: str = "linear", corners: bool = False) -> Any:
    for axis, count in enumerate(into, x.ndim - len(into)):
        moved = np.moveaxis(x, axis, 0)
        size = len(moved)
        rows = []
        for i in range(count):
            if corners:
                position = i * (size - 1) / max(count - 1, 1)
            else:
                position = (i + 0.5) * size / count - 0.5
            position = i if count == size else position
            read = _read(position, method)
            rows.append(sum(moved[min(max(k, 0), size - 1)] * share for k, share in read))
        x = np.moveaxis(np.array(rows).reshape(count, *moved.shape[1:]), 0, axis)
    return x


def _grid_sample(
    x: Any, grid: Any, method: str = "linear", padding: str = "zeros", corners: bool = False
) -> Any:
    count, channels, height, width = x.shape
    found = np.zeros((count, channels, *grid.shape[1:3]), np.result_type(x, grid))
    for n, p, q in np.ndindex(grid.shape[:3]):
        across, down = (
            (one + 1) / 2 * (size - 1) if corners else ((one + 1) * size - 1) / 2
            for one, size in zip(grid[n, p, q], (width, height), strict=True)
        )
        for i, high in _read(down, method):
            for k, wide in _read(across, method):
                inside = 0 <= i < height and 0 <= k < width
                if inside or padding == "border":
                    row, column = min(max(i, 0), height - 1), min(max(k, 0), width - 1)
                    found[n, :, p, q] = found[n, :, p, q] + x[n, :, row, column] * high * wide
    return found


PICTURES = ("[2, 2, 3, 4]", "[2, 2, 3, 2]")
RESIZING: dict[str, Entry] = {
    "resize": Entry(
        _resize,
        calls=(
            on("[4]", "a, [7]", into=(7,)),
            on("[2, 5, 3]", "a, [3, 4]", into=(3, 4)),
            on("[2, 4]", 'a, [5], method="cubic"', into=(5,), method="cubic"),
            on("[5, 2]", 'a, [3, 2], method="nearest"', into=(3, 2), method="nearest"),
            on("[2, 4]", "a, [6], align_corners=true", into=(6,), corners=True),
        ),
    ),
    "grid_sample": Entry(
        _grid_sample,
        (-1.2, 1.2),
        (
            on(PICTURES, "a, b"),
            on(PICTURES, 'a, b, padding="border"', padding="border"),
            on(
                PICTURES,
                'a, b, method="cubic", align_corners=true',
                method="cubic",
                corners=True,
            ),
            on(("[N, 1, 3, 2]", "[N, 2, 1, 2]"), "a, b, align_corners=true", corners=True),
        ),
    ),
}
