"""Elements moved, and chosen and added up by index."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.fuzz.meaning.arrays import (
    array,
    floats,
    known,
    largest,
    space,
    where,
)
from tests.fuzz.meaning.matrices import matmul


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0.0) -> Any:
    widths = [pad_width] * np.ndim(x) if isinstance(pad_width, int) else list(pad_width)
    widths = [(one, one) if isinstance(one, int) else tuple(one) for one in widths]
    more = {"constant_values": constant_values} if mode == "constant" else {}
    return space(x).pad(array(x), widths, mode=mode, **more)


def concat(*xs: Any, axis: int = -1) -> Any:
    return space(*xs).concatenate([array(x) for x in xs], axis=axis)


def stack(*xs: Any, axis: int = 0) -> Any:
    return space(*xs).stack([array(x) for x in xs], axis=axis)


def split_(x: Any, n: int, axis: int = -1) -> Any:
    return tuple(space(x).split(x, n, axis=axis))


def flatten(x: Any, start: int = 0) -> Any:
    shape = np.shape(x)
    return space(x).reshape(x, (*shape[:start], math.prod(shape[start:])))


def rearrange(x: Any, pattern: str, **sizes: int) -> Any:
    """Axes taken apart, permuted and joined, as the words say."""
    before, after = (_groups(one) for one in pattern.split("->"))
    for group, size in zip(before, np.shape(x), strict=True):
        unknown = [word for word in group if word not in sizes and word != "1"]
        rest = math.prod(sizes.get(word, 1) for word in group)
        for word in unknown:
            sizes[word] = size // rest if rest else 0
    flat = [word for group in before for word in group if word != "1"]
    target = [word for group in after for word in group if word != "1"]
    apart = space(x).reshape(x, [sizes[word] for word in flat])
    moved = space(x).transpose(apart, [flat.index(word) for word in target])
    return space(x).reshape(moved, [math.prod(sizes.get(w, 1) for w in group) for group in after])


def _groups(side: str) -> list[list[str]]:
    found: list[list[str]] = []
    words = side.replace("(", " ( ").replace(")", " ) ").split()
    inside = False
    for word in words:
        if word in "()":
            inside = word == "("
            if inside:
                found.append([])
        elif inside:
            found[-1].append(word)
        else:
            found.append([word])
    return found


def take(x: Any, indices: Any, axis: Any = None) -> Any:
    return array(space(x).take(array(x), array(indices), axis=axis))


def pick(x: Any, label: Any) -> Any:
    label = array(label)
    return array(space(x).take_along_axis(array(x), label[..., None], -1)[..., 0])


def one_hot(ids: Any, n: int) -> Any:
    return (array(ids)[..., None] == np.arange(n)) * 1.0


def _scattered(indices: Any, count: int, rows: Any) -> Any:
    """Each row added to the place that its index names: a product with truth values."""
    marks = floats(array(indices)[None, :] == np.arange(count)[:, None])
    flat = space(rows).reshape(rows, (np.shape(rows)[0], -1 if np.size(rows) else 0))
    if not np.size(rows):
        return np.zeros((count, *np.shape(rows)[1:]))
    return space(rows).reshape(matmul(marks, flat), (count, *np.shape(rows)[1:]))


def scatter_add(x: Any, indices: Any, updates: Any, axis: int = 0) -> Any:
    updates, shape, axis = floats(updates), list(np.shape(x)), axis % np.ndim(x)
    shape[axis : axis + 1] = np.shape(indices)
    moved = space(updates).moveaxis(space(updates).broadcast_to(updates, shape), axis, 0)
    indices = where(array(indices) < 0, array(indices) + np.shape(x)[axis], indices)
    return array(x) + space(x).moveaxis(_scattered(indices, np.shape(x)[axis], moved), 0, axis)


def segment_extreme(sign: int) -> Callable[..., Any]:
    """The extreme of the rows of each segment, which all share that are it."""

    def apply(x: Any, segment_ids: Any, num_segments: int) -> Any:
        x = floats(x)
        none = np.full(np.shape(x)[1:], -np.inf)
        found = []
        for segment in range(num_segments):
            mine = np.flatnonzero(np.asarray(known(segment_ids)) % num_segments == segment)
            rows = sign * x[mine]
            found.append(sign * (largest(rows, 0) if len(mine) else none))
        return space(x).stack(found)

    return apply


def searchsorted(table: Any, x: Any, side: str = "left") -> Any:
    return space(table, x).searchsorted(known(array(table)), known(array(x)), side)


def interp(x: Any, xp: Any, fp: Any) -> Any:
    x, xp, fp = floats(x), floats(xp), floats(fp)
    last = np.shape(xp)[0] - 1
    low = space(x).clip(searchsorted(xp, x, "right") - 1, 0, max(last - 1, 0))
    high = space(x).minimum(low + 1, last)
    if not last:
        return 0.0 * x + fp[0]
    piece = fp[low] + (x - xp[low]) / (xp[high] - xp[low]) * (fp[high] - fp[low])
    return where(known(x) < known(xp)[0], fp[0], where(known(x) > known(xp)[-1], fp[-1], piece))


def put(x: Any, values: Any, *indices: Any, axis: int = 0) -> Any:
    """One position after the other, row by row: the last one stays."""
    return _replaced(x, values, indices, axis, lambda old, new: new)


def put_add(x: Any, values: Any, *indices: Any, axis: int = 0) -> Any:
    return _replaced(x, values, indices, axis, lambda old, new: old + new)


def _replaced(
    x: Any, values: Any, indices: Sequence[Any], axis: int, join: Callable[[Any, Any], Any]
) -> Any:
    x, values = array(x), array(values)
    axis %= np.ndim(x)
    named = np.broadcast_arrays(*map(np.asarray, indices))
    shape = (*x.shape[:axis], *named[0].shape, *x.shape[axis + len(indices) :])
    values = space(values).broadcast_to(values, shape)
    rows = space(x).moveaxis(x, range(axis, axis + len(indices)), range(len(indices)))
    new = space(values).moveaxis(values, range(axis, axis + named[0].ndim), range(named[0].ndim))
    cells = {place: array(rows[place]) for place in np.ndindex(rows.shape[: len(indices)])}
    for place in np.ndindex(named[0].shape):
        at = tuple(int(one[place]) % rows.shape[i] for i, one in enumerate(named))
        cells[at] = array(join(cells[at], array(new[place])))
    if not cells:
        return x
    made = space(*cells.values()).stack([*cells.values()])
    made = space(made).reshape(made, rows.shape)
    return array(space(made).moveaxis(made, range(len(indices)), range(axis, axis + len(indices))))


def segment_sum(x: Any, segment_ids: Any, num_segments: int) -> Any:
    return _scattered(segment_ids, num_segments, floats(x))
