"""What functions compute of elements in order, of tables, and of segments."""

from __future__ import annotations

from typing import Any

import numpy as np
from sampling import NONEMPTY, SMOOTH, Entry, on


def _top_k(x: Any, k: int, axis: int = -1, largest: bool = True) -> tuple[Any, Any]:
    """The elements by value, and by place among equals: a stable sort of what is negated."""
    order = np.argsort(-x if largest else x, axis, kind="stable")
    chosen = np.take(order, range(k), axis)
    return np.take_along_axis(x, chosen, axis), chosen


def _segments(reduce: Any, none: float) -> Entry:
    def value(x: Any) -> Any:
        ids = np.arange(len(x)) * 2 % 3
        rows = [x[ids == i] for i in range(3)]
        return np.array([reduce(r, axis=0) if len(r) else np.full(x.shape[1:], none) for r in rows])

    calls = (("[5]", 5), ("[6, 2]", 6), ("[N, 2]", "N"))
    uses = tuple(on(type, f"a, arange({n}) * 2 % 3, 3") for type, n in calls)
    return Entry(value, calls=uses)


def _interp(x: Any, fp: Any, xp: Any) -> Any:
    if np.iscomplexobj(x) or np.iscomplexobj(fp):  # the same piece, in complex numbers
        k = np.clip(np.searchsorted(xp, x.real, "right") - 1, 0, len(xp) - 2)
        piece = fp[k] + (x - xp[k]) / (xp[k + 1] - xp[k]) * (fp[k + 1] - fp[k])
        return np.where(x.real < xp[0], fp[0], np.where(x.real > xp[-1], fp[-1], piece))
    return np.interp(x, xp, fp)


def _quantile(x: Any, q: Any, axis: int | None = None, scale: float = 0.0) -> Any:
    """By definition, also of complex numbers: in the order of the real parts."""
    x = np.ravel(x) if axis is None else np.moveaxis(x, axis, 0)
    x = np.take_along_axis(x, np.argsort(x.real, 0, kind="stable"), 0)
    last = len(x) - 1
    q = 0.5 + scale * q if scale else q
    place = np.asarray(q) * last
    low = np.clip(np.floor(place.real).astype(int), 0, max(last - 1, 0))
    high = np.minimum(low + 1, last)
    t = (place - low).reshape(place.shape + (1,) * (x.ndim - 1))
    return x[low] + t * (x[high] - x[low])


TABLE = (-1.5, -0.7, 0.1, 1.2)
LISTED = str(list(TABLE))

ORDER: dict[str, Entry] = {
    "top_k": Entry(
        _top_k,
        SMOOTH,
        (
            on("[5]", "a, 2", k=2),
            on("[3, 4]", "a, 2, axis=0", k=2, axis=0),
            on("[2, 3, 2]", "a, k=3, axis=1, largest=false", k=3, axis=1, largest=False),
            on("[4, N]", "a, 3, axis=0", k=3, axis=0),
            on("int[5]", "a, 5", k=5),
        ),
        results=lambda keywords: 2,
    ),
    "quantile": Entry(
        _quantile,
        SMOOTH,
        (
            on("[5]", "a, 0.3", q=0.3),
            on("[4, 3]", "a, 0.9, axis=0", q=0.9, axis=0),
            on("[2, 5]", "a, [0.25, 1, 0.6], axis=1", q=(0.25, 1.0, 0.6), axis=1),
            on(("[2, 3]", "[]"), "a, 0.5 + 0.1 * b", scale=0.1),
            on("[N, 2]", "a, 0.4, axis=0", q=0.4, axis=0),
            on("[1]", "a, 0.7", q=0.7),
            on("int[4]", "a, 0.2", q=0.2),
        ),
        sizes=NONEMPTY,
    ),
    "searchsorted": Entry(
        lambda x, side="left": np.searchsorted(TABLE, x, side),
        SMOOTH,
        (
            on("[7]", f"{LISTED}, a"),
            on("[2, 3]", f'{LISTED}, a, side="right"', side="right"),
            on("[]", f"table={LISTED}, x=a"),
            on("[N]", f"{LISTED}, a"),
        ),
    ),
    "interp": Entry(
        lambda x, fp, xp=TABLE: _interp(x, fp, np.array(xp)),
        SMOOTH,
        (
            on(("[7]", "[4]"), f"a, {LISTED}, b"),
            on(("[2, 3]", "[4]"), f"a, xp={LISTED}, fp=b"),
            on(("[]", "[4]"), f"a, {LISTED}, b"),
            on(("[N, 2]", "[2]"), "a, [-0.5, 0.5], b", xp=(-0.5, 0.5)),
        ),
    ),
    "cummax": Entry(
        lambda x, axis=None: np.maximum.accumulate(np.ravel(x) if axis is None else x, axis or 0)
    ),
    "cummin": Entry(
        lambda x, axis=None: np.minimum.accumulate(np.ravel(x) if axis is None else x, axis or 0)
    ),
    "diff": Entry(
        np.diff,
        SMOOTH,
        (
            on("[4]", "a"),
            on("[2, 4]", "a, n=2", n=2),
            on("[3, 2]", "a, axis=0", axis=0),
            on("[1]", "a"),
            on("[2]", "a, 0", n=0),
            on("[N, 2]", "a, axis=0", axis=0),
            on("int[2, 3]", "a"),
        ),
        sizes=NONEMPTY,
    ),
    "segment_max": _segments(np.max, -np.inf),
    "segment_min": _segments(np.min, np.inf),
    "huber": Entry(
        lambda x, delta=1.0: np.where(
            np.abs(x) < delta, x * x / 2, delta * (np.abs(x) - delta / 2)
        ),
        (-2.59, 2.41),
        more=(on("[5]", "a, 0.5", delta=0.5), on("[5]", "a, delta=3", delta=3.0)),
        analytic=lambda x, delta=1.0: np.where(
            np.abs(x.real) < delta,
            x * x / 2,
            delta * (np.sign(x.real) * x - delta / 2),
        ),
    ),
}
