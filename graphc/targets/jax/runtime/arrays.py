"""Loops, windows, and what is put somewhere, copied into modules of JAX as it stands here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# ---- loops ---------------------------------------------------------------------------------------


def _until(step: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The step of a scan that counts the steps, of which the last says that it is: those after it
    change nothing, and stack zeros."""

    def guarded(state: Any, taken: Any) -> Any:
        def take() -> Any:
            carried, items, done = step(state[0], taken)
            return (carried, state[1] + 1, done), items

        return _decide(~jnp.asarray(state[2]), take, state)

    return guarded


def _within(step: Callable[[Any, Any], Any], count: Any) -> Callable[[Any, Any], Any]:
    """The step of a scan of which only so many are taken, from the first position on: the others
    change nothing, and stack zeros."""

    def guarded(carried: Any, taken: Any) -> Any:
        position, rest = taken
        return _decide(position < count, lambda: step(carried, rest), carried)

    return guarded


def _decide(taken: Any, take: Callable[[], Any], state: Any) -> Any:
    """What a step makes, if it is taken; else the state that it found, and zeros."""
    _, items = jax.eval_shape(take)
    nothing = tuple(jnp.zeros(one.shape, one.dtype) for one in items)
    return lax.cond(taken, take, lambda: (state, nothing))


def _unroll(
    step: Callable[[Any, Any], Any],
    carried: Any,
    taken: Any,
    stacks: Sequence[Any],
    reverse: bool = False,
) -> Any:
    """What `lax.scan` does, into these stacks, one step after the other: for steps in which shapes
    depend on the index."""
    found = list(stacks)
    positions = range(_steps(taken))
    for position in reversed(positions) if reverse else positions:
        carried, items = step(carried, _at(taken, position))
        found = [whole.at[position].set(item) for whole, item in zip(found, items, strict=True)]
    return carried, tuple(found)


def _steps(taken: Any) -> int:
    """How many steps there are: as many as the first of what they take has positions."""
    return len(taken[0])


def _at(taken: Any, position: int) -> Any:
    """What one step takes."""
    if isinstance(taken, tuple):
        return tuple(_at(one, position) for one in taken)
    return taken[position]


# ---- places --------------------------------------------------------------------------------------


def _windows(
    x: Any, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Any:
    """The windows of these sides along the last axes: which one first, then where in it."""
    rank, sizes = len(kernel), x.shape[x.ndim - len(kernel) :]
    counts = [
        (n - (k - 1) * d - 1) // s + 1
        for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True)
    ]
    places = []
    for axis in range(rank):
        starts = np.arange(counts[axis])[:, None] * stride[axis]
        inside = np.arange(kernel[axis])[None, :] * dilation[axis]
        shape = [1] * (2 * rank)
        shape[axis], shape[rank + axis] = counts[axis], kernel[axis]
        places.append((starts + inside).reshape(shape))
    return x[(..., *places)]


def _overlap(
    windows: Any, shape: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Any:
    """Zeros to which every window is added where it was taken: the transpose of taking them."""
    total = jnp.zeros(shape, windows.dtype)
    counts = windows.shape[-2 * len(stride) : -len(stride)]
    for place in np.ndindex(windows.shape[-len(stride) :]):
        starts = [p * d for p, d in zip(place, dilation, strict=True)]
        ranges = zip(starts, counts, stride, strict=True)
        where = (..., *(np.s_[i : i + n * s : s] for i, n, s in ranges))
        total = total.at[where].add(windows[(..., *place)])
    return total


def _on_diagonals(x: Any, part: str, whole: str, shape: tuple[int, ...]) -> Any:
    """Zeros, but where axes of one letter have one index: x."""
    places = {
        letter: np.arange(n).reshape([-1 if one == letter else 1 for one in part])
        for letter, n in zip(part, x.shape, strict=True)
    }
    return jnp.zeros(shape, x.dtype).at[tuple(places[letter] for letter in whole)].set(x)


def _put(x: Any, indices: tuple[Any, ...], values: Any, axis: int) -> Any:
    """x with values in place of what indices name of axes from one on; of several for one place
    the last, row by row."""
    sizes = x.shape[axis : axis + len(indices)]
    named = jnp.broadcast_arrays(*indices)
    order = jnp.arange(named[0].size).reshape(named[0].shape)
    last = jnp.full(sizes, -1).at[tuple(named)].max(order)[tuple(named)] == order
    first = jnp.where(last, named[0], sizes[0])  # beyond the end, where nothing is put
    where = (*(np.s_[:] for _ in range(axis)), first, *named[1:])
    return x.at[where].set(values, mode="drop")


def _recurrence(a: Any, b: Any, axis: int) -> Any:
    """y with y[t] = a[t] * y[t - 1] + b[t] along an axis, in log₂ n steps over all of it."""

    def compose(first: Any, second: Any) -> Any:
        return first[0] * second[0], second[0] * first[1] + second[1]

    return lax.associative_scan(compose, (a, b), axis=axis)[1]
