"""What functions compute of whole arrays: reductions, running totals, selection."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special
from sampling import NONEMPTY, SMOOTH, Entry, on

PLACES = (-1, 3)  # the integers 0, 1 and 2

# ---- reductions ------------------------------------------------------------------------------


def _norm(x: np.ndarray, ord: float = 2, axis: Any = None, keepdims: bool = False) -> Any:
    if ord == 2:
        return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))
    reduce = np.sum if ord == 1 else np.max
    return reduce(np.abs(x), axis=axis, keepdims=keepdims)


def _var(x: np.ndarray, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    return np.var(x, axis=axis, ddof=ddof, keepdims=keepdims)


def _squares(x: np.ndarray, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The variance without |·|², which is not analytic."""
    gap = x - np.mean(x, axis=axis, keepdims=True)
    count = x.size // max(np.mean(x, axis=axis).size, 1)
    return np.sum(gap * gap, axis=axis, keepdims=keepdims) / (count - ddof)


def _logsumexp(x: np.ndarray, axis: Any = None, keepdims: bool = False) -> Any:
    if not x.ndim or not x.size:  # where SciPy gives another shape or refuses
        with np.errstate(divide="ignore"):
            return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))
    return scipy.special.logsumexp(x, axis=axis, keepdims=keepdims)


def _logcumsumexp(x: np.ndarray, axis: int | None = None) -> np.ndarray:
    return np.logaddexp.accumulate(np.ravel(x) if axis is None else x, axis or 0, np.float64)


def _cumulated(x: np.ndarray, axis: int | None = None) -> np.ndarray:
    return np.log(np.cumsum(np.exp(x), axis))


def _normalised(x: np.ndarray, axis: Any = -1) -> Any:
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


def _recurrence(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
    a, b = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    y = np.array(b, np.result_type(a, b))
    for t in range(1, len(y)):
        y[t] = a[t] * y[t - 1] + y[t]
    return np.moveaxis(y, 0, axis)


SPREAD = (
    on("[5]", "a, ddof=1", ddof=1),
    on("[N, 2]", "a, axis=1, ddof=1", axis=1, ddof=1),
)
SORTED = (
    on("[5]"),
    on("[1]"),
    on("[2, 3]"),
    on("[3, 2]", "a, axis=0", axis=0),
    on("[N]"),
    on("[2, N, 3]", "a, axis=1", axis=1),
)

REDUCTIONS: dict[str, Entry] = {
    "max": Entry(np.max, sizes=NONEMPTY),
    "min": Entry(np.min, sizes=NONEMPTY),
    "logsumexp": Entry(
        _logsumexp,
        analytic=lambda x, axis=None, keepdims=False: np.log(
            np.sum(np.exp(x), axis=axis, keepdims=keepdims)
        ),
    ),
    "softmax": Entry(
        lambda x, axis=-1: scipy.special.softmax(x, axis=axis) if x.size else x * 1.0,
        analytic=_normalised,
    ),
    "log_softmax": Entry(
        lambda x, axis=-1: scipy.special.log_softmax(x, axis=axis) if x.size else x * 1.0,
        analytic=lambda x, axis=-1: np.log(_normalised(x, axis)),
    ),
    "var": Entry(_var, more=SPREAD, sizes=NONEMPTY, analytic=_squares),
    "std": Entry(
        lambda x, **keywords: np.sqrt(_var(x, **keywords)),
        more=SPREAD,
        sizes=(3, 5),  # of one number it is constant, and its derivative a convention
        analytic=lambda x, **keywords: np.sqrt(_squares(x, **keywords)),
    ),
    "norm": Entry(
        _norm,
        more=(
            on("[2, 3]", "a, ord=1, axis=0", ord=1, axis=0),
            on("[4]", "a, ord=1", ord=1),
            on("[4]", "a, inf", ord=np.inf),
            on("[2, 3]", "a, inf, axis=1", ord=np.inf, axis=1),
        ),
        inside=(0.2, 2),  # of one number it has a kink at 0
    ),
    "argmax": Entry(np.argmax, sizes=NONEMPTY),
    "argmin": Entry(np.argmin, sizes=NONEMPTY),
    "count_nonzero": Entry(
        lambda x, **keywords: np.asarray(np.count_nonzero(x, **keywords), np.int64)
    ),
    "to_int": Entry(lambda x: np.trunc(x).astype(np.int64)),
    "median": Entry(np.median, sizes=NONEMPTY),
    "logcumsumexp": Entry(_logcumsumexp, analytic=_cumulated),
    "linear_recurrence": Entry(
        _recurrence,
        SMOOTH,
        (
            on(("[5]", "[5]"), "a, b"),
            on(("[2, 3]", "[2, 3]"), "a, b, axis=0", axis=0),
            on(("[2, 3]", "[2, 3]"), "a, b"),
            on(("[2, 3, 2]", "[2, 3, 2]"), "a, b, axis=1", axis=1),
            on(("[N, 2]", "[N, 2]"), "a, b, axis=N", axis=0),
            on(("[2, N]", "[2, N]"), "a, b"),
            on(("[1]", "[1]"), "a, b"),
        ),
    ),
    "sort": Entry(lambda x, axis=-1: np.sort(x, axis), SMOOTH, SORTED),
    "argsort": Entry(
        lambda x, axis=-1: np.argsort(x, axis, kind="stable"), SMOOTH, (*SORTED, on("int[4]"))
    ),
}

# ---- selection -------------------------------------------------------------------------------


def _pick(x: np.ndarray, label: np.ndarray) -> np.ndarray:
    rows = x.reshape(-1, x.shape[-1])
    chosen = [row[i] for row, i in zip(rows, np.ravel(label), strict=True)]
    return np.array(chosen, x.dtype).reshape(label.shape)


def _scatter_add(x: np.ndarray, i: np.ndarray, updates: np.ndarray, axis: int = 0) -> np.ndarray:
    result = np.array(x, np.result_type(x, updates))
    np.add.at(result, (slice(None),) * axis + (i,), updates)
    return result


def _put(x: np.ndarray, values: np.ndarray, *indices: np.ndarray, axis: int = 0) -> np.ndarray:
    """One element of the indices after the other, so that the last one stays."""
    result = np.array(x, np.result_type(x, values))
    named = np.broadcast_arrays(*indices)
    shape = (*x.shape[:axis], *named[0].shape, *x.shape[axis + len(indices) :])
    values = np.broadcast_to(values, shape)
    before = (slice(None),) * axis
    for place in np.ndindex(named[0].shape):
        result[(*before, *(int(one[place]) for one in named))] = values[(*before, *place)]
    return result


def _put_add(x: np.ndarray, values: np.ndarray, *indices: np.ndarray, axis: int = 0) -> np.ndarray:
    result = np.array(x, np.result_type(x, values))
    np.add.at(result, ((slice(None),) * axis + indices), values)
    return result


PUT = (
    on(("[4]", "[5]", "int[5]"), "a, b, c"),
    on(("[3, 2]", "[4, 2]", "int[4]"), "a, b, c"),
    on(("[3, 4]", "[5]", "int[5]", "int[5]"), "a, b, c, d"),
    on(("[3, 4, 2]", "[2, 3, 2]", "int[2, 1]", "int[3]"), "a, b, c, d[_, :]"),
    on(("[2, 3, 4]", "[2, 5]", "int[5]", "int[5]"), "a, b, c, d, axis=1", axis=1),
    on(("[N, 4]", "[]", "int[]"), "a, b, c, axis=1", axis=1),
    on(("[4, N]", "[N]", "int[3]"), "a, b, c"),
    on(("[4]", "[N]", "int[N]"), "a, b, c"),
    on(("int[3]", "int[4]", "int[4]"), "a, b, c"),
)


def _segment_sum(x: np.ndarray, i: np.ndarray, n: int) -> np.ndarray:
    return _scatter_add(np.zeros((n, *x.shape[1:]), x.dtype), i, x)


def _row_by_row(x: np.ndarray, i: np.ndarray, axis: int) -> tuple[np.ndarray, ...]:
    places = list(np.indices(i.shape))
    places[axis] = i
    return tuple(places)


def _put_along(x: np.ndarray, i: np.ndarray, values: np.ndarray, axis: int = -1) -> np.ndarray:
    return _put(x, values, *_row_by_row(x, i, axis))


def _add_along(x: np.ndarray, i: np.ndarray, values: np.ndarray, axis: int = -1) -> np.ndarray:
    return _put_add(x, values, *_row_by_row(x, i, axis))


ROWS = (
    on(("[4]", "int[5]", "[5]"), "a, b, c"),
    on(("[3, 4]", "int[2, 3]", "[2, 3]"), "a, b, c"),
    on(("[3, 2]", "int[4, 2]", "[4, 2]"), "a, b, c, axis=0", axis=0),
    on(("[2, 3, 2]", "int[2, 2, 2]", "[2, 2, 2]"), "a, b, c, axis=1", axis=1),
    on(("[N, 3]", "int[N, 2]", "[N, 2]"), "a, b, c"),
)
LISTED = (
    on(("[3, 4]", "int[5, 2]", "[5]"), "a, b, c"),
    on(("[3, 4, 2]", "int[2, 2, 2]", "[2, 2, 2]"), "a, b, c"),
    on(("[3, 2]", "int[N, 1]", "[N, 2]"), "a, b, c"),
)

SELECTION: dict[str, Entry] = {
    "pick": Entry(
        _pick,
        PLACES,
        (
            on(("[4]", "int[]"), "a, b"),
            on(("[3, 4]", "int[3]"), "a, b"),
            on(("[2, 3, 4]", "int[2, 3]"), "a, b"),
            on(("[1, 4]", "int[1]"), "a, b"),
            on(("[0, 4]", "int[0]"), "a, b"),
            on(("[N, 4]", "int[N]"), "a, b"),
            on(("int[3, 4]", "int[3]"), "a, b"),
        ),
    ),
    "take": Entry(
        lambda x, i, axis=None: np.take(x, i, axis),
        PLACES,
        (
            on(("[4]", "int[3]"), "a, b"),
            on(("[2, 3]", "int[2]"), "a, b"),
            on(("[3, 4]", "int[2, 2]"), "a, b, axis=0", axis=0),
            on(("[2, 3]", "int[4]"), "a, b, axis=1", axis=1),
            on(("[2, 4, 3]", "int[2, 3]"), "a, b, axis=1", axis=1),
            on(("[N, 4]", "int[]"), "a, b, axis=-1", axis=-1),
            on(("[4, 2]", "int[N]"), "a, b, axis=0", axis=0),
            on("[4, 2]", "a, [3, 0, 3], axis=0", i=(3, 0, 3), axis=0),
            on("[4, 2]", "a, 1, axis=0", i=1, axis=0),
            on(("int[4]", "int[3]"), "a, b"),
        ),
    ),
    "take_along_axis": Entry(
        lambda x, i, axis=-1: np.take_along_axis(x, i, axis),
        PLACES,
        (
            on(("[4]", "int[5]"), "a, b"),
            on(("[2, 3]", "int[2, 4]"), "a, b"),
            on(("[3, 2]", "int[4, 2]"), "a, b, axis=0", axis=0),
            on(("[2, 3, 2]", "int[2, 4, 2]"), "a, b, axis=1", axis=1),
            on(("[N, 3]", "int[N, 2]"), "a, b"),
        ),
    ),
    "scatter_add": Entry(
        _scatter_add,
        PLACES,
        (
            on(("[4]", "int[5]", "[5]"), "a, b, c"),
            on(("[3, 2]", "int[4]", "[4, 2]"), "a, b, c"),
            on(("[2, 3]", "int[4]", "[2, 4]"), "a, b, c, axis=1", axis=1),
            on(("[3, 2]", "int[4]", "[2]"), "a, b, c"),
            on(("[3, 2]", "int[N]", "[N, 2]"), "a, b, c"),
            on(("int[3]", "int[4]", "int[4]"), "a, b, c"),
        ),
    ),
    "put_along_axis": Entry(_put_along, PLACES, ROWS),
    "add_along_axis": Entry(_add_along, PLACES, ROWS),
    "gather_nd": Entry(
        lambda x, i: x[tuple(np.moveaxis(i, -1, 0))],
        PLACES,
        (
            on(("[3, 4]", "int[5, 2]"), "a, b"),
            on(("[3, 4, 2]", "int[2, 2, 2]"), "a, b"),
            on(("[4, 2]", "int[N, 1]"), "a, b"),
            on(("int[3, 3]", "int[2]"), "a, b"),
        ),
    ),
    "scatter_nd": Entry(lambda x, i, v: _put(x, v, *np.moveaxis(i, -1, 0)), PLACES, LISTED),
    "scatter_nd_add": Entry(lambda x, i, v: _put_add(x, v, *np.moveaxis(i, -1, 0)), PLACES, LISTED),
    "put": Entry(_put, PLACES, PUT),
    "put_add": Entry(_put_add, PLACES, PUT),
    "segment_sum": Entry(
        _segment_sum,
        PLACES,
        (
            on(("[4]", "int[4]"), "a, b, 3", n=3),
            on(("[6, 2]", "int[6]"), "a, b, 4", n=4),
            on(("[N, 2]", "int[N]"), "a, b, num_segments=4", n=4),
        ),
    ),
    "one_hot": Entry(
        lambda i, n: np.eye(n)[i],
        PLACES,
        (
            on("int[4]", "a, 3", n=3),
            on("int[]", "a, 3", n=3),
            on("int[2, 2]", "a, n=4", n=4),
            on("int[N]", "a, 3", n=3),
        ),
    ),
}
