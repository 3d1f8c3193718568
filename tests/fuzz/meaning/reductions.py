"""Sums and the like along axes, running totals, and orders."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from tests.fuzz.meaning.arrays import (
    array,
    axes_of,
    floats,
    known,
    largest,
    power,
    space,
    total,
    traced,
    where,
)
from tests.fuzz.meaning.elementwise import absolute, exp, log, root


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return _shared(total(floats(x), axis, keepdims), _count(x, axis))


def _count(x: Any, axis: Any) -> int:
    return math.prod(np.shape(x)[one] for one in axes_of(x, axis))


def _shared(x: Any, count: int) -> Any:
    """Divided by a count; nan by 0."""
    return array(x / count) if count else np.full(np.shape(x), np.nan)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    x = floats(x)
    axes = axes_of(x, axis)
    if not x.size:
        return log(total(x, axes, keepdims) + 0.0)
    top = space(x).max(known(x), axis=axes, keepdims=True)
    top = where(space(x).isfinite(top), top, 0.0)
    found = log(total(exp(x - top), axes, True)) + top
    return found if keepdims else total(found, axes)


def softmax(x: Any, axis: Any = -1) -> Any:
    x = floats(x)
    e = exp(x - (space(x).max(known(x), axis=axes_of(x, axis), keepdims=True) if x.size else 0.0))
    return e / total(e, axis, True)


def log_softmax(x: Any, axis: Any = -1) -> Any:
    return floats(x) - logsumexp(x, axis, True)


def variance(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    x = floats(x)
    apart = x - mean(x, axis, True)
    return _shared(total(apart * apart, axis, keepdims), _count(x, axis) - ddof)


def norm(x: Any, ord: float = 2.0, axis: Any = None, keepdims: bool = False) -> Any:
    x = floats(x)
    if ord == 1:
        return total(absolute(x), axis, keepdims)
    if ord == math.inf:
        return largest(absolute(x), axis, keepdims)
    if ord == -math.inf:
        return -largest(-absolute(x), axis, keepdims)
    if ord == 2:
        return root(total(x * x, axis, keepdims))
    return power(total(power(absolute(x), ord), axis, keepdims), 1 / ord)


def smallest(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return -largest(-array(x), axis, keepdims)


def _along(x: Any, axis: Any) -> tuple[Any, int]:
    """The array and its axis; without one it is flattened."""
    return (space(x).reshape(x, (-1,)), 0) if axis is None else (x, int(axis) % np.ndim(x))


def running(step: Callable[[Any, Any], Any], x: Any, axis: Any) -> Any:
    x, axis = _along(array(x), axis)
    if not np.shape(x)[axis]:
        return x
    rows = [_row(x, axis, 0)]
    for place in range(1, np.shape(x)[axis]):
        rows.append(step(rows[-1], _row(x, axis, place)))
    return space(x).stack(rows, axis=axis)


def _row(x: Any, axis: int, place: int) -> Any:
    return array(x[(slice(None),) * axis + (place,)])


def recurrence(a: Any, b: Any, axis: int = -1) -> Any:
    a, b = floats(a), floats(b)
    axis = axis % np.ndim(b)
    if not np.shape(b)[axis]:
        return b
    rows = [_row(b, axis, 0)]
    for place in range(1, np.shape(b)[axis]):
        rows.append(_row(a, axis, place) * rows[-1] + _row(b, axis, place))
    return space(b).stack(rows, axis=axis)


def chosen(name: str) -> Callable[..., Any]:
    """argmin and argmax: the first."""

    def apply(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return array(getattr(space(x), name)(known(x), axis=axis, keepdims=keepdims))

    return apply


def truths(name: str) -> Callable[..., Any]:
    def apply(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return array(
            getattr(space(x), name)(known(x) != 0, axis=axes_of(x, axis), keepdims=keepdims)
        )

    return apply


_orders: ContextVar[list[Any]] = ContextVar("orders")


@contextmanager
def orders() -> Iterator[list[Any]]:
    """The orders that are found from here on, one after the other."""
    token = _orders.set([])
    try:
        yield _orders.get()
    finally:
        _orders.reset(token)


def argsort(x: Any, axis: int = -1) -> Any:
    x = known(x)
    if traced(x):
        return space(x).argsort(x, axis)
    order = np.argsort(x, axis=axis, kind="stable")
    _orders.get([]).append(order.tolist())
    return order


def sort(x: Any, axis: int = -1) -> Any:
    return space(x).take_along_axis(array(x), argsort(x, axis), axis)


def top_k(x: Any, k: int, axis: int = -1, largest: bool = True) -> tuple[Any, Any]:
    """In the order of what is negated, so that equal elements keep theirs."""
    order = argsort(-known(array(x)) if largest else x, axis)
    chosen = space(x).take(order, np.arange(k), axis)
    return space(x).take_along_axis(array(x), chosen, axis), chosen


def quantile(x: Any, q: Any, axis: Any = None) -> Any:
    x, axis = _along(floats(x), axis)
    ordered, last = sort(x, axis), np.shape(x)[axis] - 1
    places = floats(q) * last
    found = []
    for number in range(max(np.size(places), 1)):
        place = array(places[number]) if np.ndim(q) else places
        low = min(max(math.floor(float(known(place))), 0), max(last - 1, 0))
        start, end = _row(ordered, axis, low), _row(ordered, axis, min(low + 1, last))
        found.append(start + (place - low) * (end - start))
    return space(x).stack(found) if np.ndim(q) else found[0]


def diff(x: Any, n: int = 1, axis: int = -1) -> Any:
    x, axis = array(x), axis % np.ndim(x)
    for _ in range(n):
        count, whole = np.shape(x)[axis], (slice(None),) * axis
        x = x[(*whole, slice(1, count))] - x[(*whole, slice(0, count - 1))]
    return x


def running_extreme(sign: int) -> Callable[..., Any]:
    """At each place the extreme of all before it, which all share that are it."""

    def apply(x: Any, axis: Any = None) -> Any:
        x, axis = _along(array(x), axis)
        if not np.shape(x)[axis]:
            return x
        whole = (slice(None),) * axis
        rows = [
            sign * largest(sign * x[(*whole, slice(0, place + 1))], axis)
            for place in range(np.shape(x)[axis])
        ]
        return space(x).stack(rows, axis=axis)

    return apply


def median(x: Any, axis: Any = None) -> Any:
    x, axis = _along(floats(x), axis)
    ordered, count = sort(x, axis), np.shape(x)[axis]
    return array((_row(ordered, axis, (count - 1) // 2) + _row(ordered, axis, count // 2)) / 2)
