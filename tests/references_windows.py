"""What functions compute of windows of an array: convolutions and pooling."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from sampling import NONEMPTY, SMOOTH, Entry, on


def _pairs(value: Any, rank: int) -> tuple[Any, ...]:
    values = value if isinstance(value, tuple) else (value,) * rank
    return tuple(one if isinstance(one, tuple) else (one, one) for one in values)


def _conv(
    x: np.ndarray,
    w: np.ndarray,
    stride: Any = 1,
    pad: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> np.ndarray:
    """Every window times its kernel, group by group."""
    rank = x.ndim - 2
    steps, spread = (one if isinstance(one, tuple) else (one,) * rank for one in (stride, dilation))
    x = np.pad(x, ((0, 0), (0, 0), *_pairs(pad, rank)))
    reach = tuple((k - 1) * d + 1 for k, d in zip(w.shape[2:], spread, strict=True))
    axes = tuple(range(-rank, 0))
    view = np.lib.stride_tricks.sliding_window_view(x, reach, axes)
    chosen = (*(slice(None, None, s) for s in steps), *(slice(None, None, d) for d in spread))
    view = view[(slice(None), slice(None), *chosen)]
    letters = "pqr"[:rank]
    give, take = w.shape[0] // groups, w.shape[1]
    return np.concatenate(
        [
            np.einsum(
                f"nc...{letters},oc{letters}->no...",
                view[:, group * take : (group + 1) * take],
                w[group * give : (group + 1) * give],
            )
            for group in range(groups)
        ],
        axis=1,
    )


def _conv_transpose(
    x: np.ndarray,
    w: np.ndarray,
    stride: Any = 1,
    pad: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> np.ndarray:
    """Every input element spreads its kernel over the output."""
    rank = x.ndim - 2
    steps, more, spread = (
        one if isinstance(one, tuple) else (one,) * rank
        for one in (stride, output_padding, dilation)
    )
    kernel, counts = w.shape[2:], x.shape[2:]
    sizes = [
        (n - 1) * s + (k - 1) * d + 1 + e
        for n, s, k, d, e in zip(counts, steps, kernel, spread, more, strict=True)
    ]
    out = np.zeros((x.shape[0], w.shape[1] * groups, *sizes), np.result_type(x, w))
    take, give = x.shape[1] // groups, w.shape[1]
    for group in range(groups):
        for at in np.ndindex(*counts):
            for k in np.ndindex(*kernel):
                place = tuple(
                    a * s + i * d for a, s, i, d in zip(at, steps, k, spread, strict=True)
                )
                part = slice(group * take, (group + 1) * take)
                value = x[(slice(None), part, *at)] @ w[(part, slice(None), *k)]
                out[(slice(None), slice(group * give, (group + 1) * give), *place)] += value
    for axis, (before, after) in enumerate(_pairs(pad, rank)):
        out = np.take(out, range(before, out.shape[axis + 2] - after), axis + 2)
    return out


def _pool(
    x: np.ndarray,
    size: Any,
    stride: Any = None,
    pad: Any = 0,
    dilation: Any = 1,
    *,
    reduce: Callable[..., Any],
    fill: float,
) -> np.ndarray:
    kernel = size if isinstance(size, tuple) else (size, size)
    rank = len(kernel)
    steps = kernel if stride is None else stride if isinstance(stride, tuple) else (stride,) * rank
    width = ((0, 0),) * (x.ndim - rank) + _pairs(pad, rank)
    x = np.pad(x, width, constant_values=fill)
    reach = tuple((k - 1) * dilation + 1 for k in kernel)
    axes = tuple(range(-rank, 0))
    view = np.lib.stride_tricks.sliding_window_view(x, reach, axes)
    taken = view[
        (..., *(slice(None, None, s) for s in steps), *(slice(None, None, dilation),) * rank)
    ]
    return reduce(taken, axes)


def _max_pool(x: np.ndarray, size: Any, **more: Any) -> np.ndarray:
    return _pool(x, size, reduce=np.max, fill=-math.inf, **more)


def _mean_pool(x: np.ndarray, size: Any, **more: Any) -> np.ndarray:
    return _pool(x, size, reduce=np.mean, fill=0.0, **more)


WINDOWS: dict[str, Entry] = {
    "conv1d": Entry(
        _conv,
        SMOOTH,
        (
            on(("[2, 2, 5]", "[3, 2, 2]"), "a, b"),
            on(("[1, 2, 6]", "[2, 2, 3]"), "a, b, stride=2, pad=1", stride=2, pad=1),
            on(("[1, 1, N]", "[2, 1, 2]"), "a, b, dilation=2", (3, 5), dilation=2),
            on(("[N, 1, 3]", "[2, 1, 2]"), "a, b"),
        ),
    ),
    "conv2d": Entry(
        _conv,
        SMOOTH,
        (
            on(("[2, 1, 3, 4]", "[2, 1, 2, 2]"), "a, b"),
            on(
                ("[1, 2, 4, 5]", "[2, 2, 3, 2]"), "a, b, stride=[2, 1], pad=1", stride=(2, 1), pad=1
            ),
            on(("[1, 2, 3, 3]", "[4, 1, 2, 2]"), "a, b, groups=2", groups=2),
            on(
                ("[N, 1, 4, 4]", "[1, 1, 2, 2]"),
                "a, b, dilation=2, pad=[[1, 0], [0, 1]]",
                dilation=2,
                pad=((1, 0), (0, 1)),
            ),
            on(("[1, 1, N, N]", "[2, 1, 2, 2]"), "a, b, pad=1, stride=2", (3, 4), pad=1, stride=2),
        ),
    ),
    "conv3d": Entry(
        _conv,
        SMOOTH,
        (
            on(("[1, 2, 2, 3, 2]", "[1, 2, 2, 2, 1]"), "a, b, stride=[1, 2, 1]", stride=(1, 2, 1)),
            on(("[N, 1, 2, 2, 2]", "[2, 1, 2, 1, 2]"), "a, b"),
        ),
    ),
    "conv_transpose1d": Entry(
        _conv_transpose,
        SMOOTH,
        (
            on(("[2, 2, 3]", "[2, 3, 2]"), "a, b, stride=2, pad=1", stride=2, pad=1),
            on(("[N, 1, 3]", "[1, 2, 2]"), "a, b"),
            on(("[1, 1, N]", "[1, 1, 3]"), "a, b, dilation=2", NONEMPTY, dilation=2),
        ),
    ),
    "conv_transpose2d": Entry(
        _conv_transpose,
        SMOOTH,
        (
            on(("[2, 2, 2, 3]", "[2, 1, 2, 2]"), "a, b"),
            on(
                ("[1, 2, 3, 2]", "[2, 1, 3, 3]"),
                "a, b, stride=2, pad=1, output_padding=1",
                stride=2,
                pad=1,
                output_padding=1,
            ),
            on(
                ("[1, 4, 2, 2]", "[4, 1, 2, 2]"), "a, b, groups=2, dilation=2", groups=2, dilation=2
            ),
            on(("[N, 1, N, 2]", "[1, 2, 2, 2]"), "a, b, stride=2", NONEMPTY, stride=2),
        ),
    ),
    "conv_transpose3d": Entry(
        _conv_transpose,
        SMOOTH,
        (
            on(("[1, 1, 2, 2, 2]", "[1, 2, 1, 2, 2]"), "a, b, stride=2", stride=2),
            on(("[N, 1, 1, 2, 1]", "[1, 1, 1, 2, 2]"), "a, b"),
        ),
    ),
    "maxpool": Entry(
        _max_pool,
        SMOOTH,
        (
            on("[2, 1, 4, 4]", "a, 2", size=2),
            on("[1, 1, 5, 4]", "a, [3, 2], stride=1, pad=1", size=(3, 2), stride=1, pad=1),
            on("[2, 7]", "a, [3], stride=2", size=(3,), stride=2),
            on("[1, 2, N, 5]", "a, 2", (3, 4), size=2),
            on("[1, 5, 5]", "a, 2, stride=1, dilation=2", size=2, stride=1, dilation=2),
            on("[1, 6, 6]", "a, 5, stride=1", size=5, stride=1),
            on("[N, 5]", "a, [N, 2], stride=1", NONEMPTY, size=("N", 2), stride=1),
        ),
    ),
    "avgpool": Entry(
        _mean_pool,
        SMOOTH,
        (
            on("[2, 1, 4, 4]", "a, 2", size=2),
            on("[1, 5, 4]", "a, [3, 2], stride=1, pad=1", size=(3, 2), stride=1, pad=1),
            on("[2, 7]", "a, [3], stride=2", size=(3,), stride=2),
            on("[1, 6, 6]", "a, 5, stride=1", size=5, stride=1),
            on("[N, 5]", "a, [N, 2], stride=1", NONEMPTY, size=("N", 2), stride=1),
        ),
    ),
}
