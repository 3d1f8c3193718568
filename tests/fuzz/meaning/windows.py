"""Convolutions and pooling, by index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.fuzz.meaning.arrays import (
    array,
    floats,
    space,
)
from tests.fuzz.meaning.shapes import pad


def _several(one: Any, count: int) -> list[int]:
    return [one] * count if isinstance(one, int) else list(one)


def _windows(x: Any, size: list[int], stride: list[int], dilation: list[int]) -> Any:
    """[*lead, *positions, *window], by index."""
    rank = len(size)
    lead = np.ndim(x) - rank
    for axis in range(rank):
        length = np.shape(x)[lead + axis]
        count = (length - dilation[axis] * (size[axis] - 1) - 1) // stride[axis] + 1
        start = np.arange(max(count, 0)) * stride[axis]
        place = start[:, None] + np.arange(size[axis])[None, :] * dilation[axis]
        x = space(x).moveaxis(space(x).take(x, place, axis=lead + axis), lead + axis + 1, -1)
    return x


def _padded(x: Any, pads: list[int], filled: float = 0.0) -> Any:
    lead = [0] * (np.ndim(x) - len(pads))
    return pad(x, [*lead, *pads], "constant", filled) if any(pads) else x


def conv(x: Any, w: Any, stride: Any = 1, pad: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    x, w = floats(x), floats(w)
    rank = np.ndim(w) - 2
    seen = _windows(
        _padded(x, _several(pad, rank)), list(np.shape(w)[2:]), _several(stride, rank),
        _several(dilation, rank),
    )  # fmt: skip
    each_in, each_out = np.shape(x)[1] // groups, np.shape(w)[0] // groups
    spread, window = "xyz"[:rank], "uvw"[:rank]
    parts = [
        array(space(x, w).einsum(
            f"nc{spread}{window},kc{window}->nk{spread}",
            seen[:, g * each_in : (g + 1) * each_in], w[g * each_out : (g + 1) * each_out],
        ))
        for g in range(groups)
    ]  # fmt: skip
    return space(x).concatenate(parts, axis=1)


def conv_transpose(
    x: Any, w: Any, stride: Any = 1, pad: Any = 0, output_padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Any:  # fmt: skip
    """Zeros between the elements, then a convolution with the kernel turned round."""
    x, w = floats(x), floats(w)
    rank = np.ndim(w) - 2
    strides, pads, more, apart = (
        _several(o, rank) for o in (stride, pad, output_padding, dilation)
    )
    for axis in range(rank):
        length, step = np.shape(x)[2 + axis], strides[axis]
        at = np.arange((length - 1) * step + 1)
        spread = space(x).take(x, at // step, axis=2 + axis)
        x = spread * (at % step == 0).reshape((-1,) + (1,) * (rank - axis - 1))
        reach = apart[axis] * (np.shape(w)[2 + axis] - 1)
        low, high = reach - pads[axis], reach - pads[axis] + more[axis]
        widths = [(0, 0)] * np.ndim(x)
        widths[2 + axis] = (max(low, 0), max(high, 0))
        x = space(x).pad(x, widths)
        end = np.shape(x)[2 + axis] - max(-high, 0)
        x = x[(slice(None),) * (2 + axis) + (slice(max(-low, 0), end),)]
    channels = np.shape(w)[0] // groups
    parts = []
    for g in range(groups):
        turned = space(w).swapaxes(w[g * channels : (g + 1) * channels], 0, 1)
        turned = turned[(slice(None),) * 2 + (slice(None, None, -1),) * rank]
        parts.append(conv(x[:, g * channels : (g + 1) * channels], turned, 1, 0, dilation))
    return space(x).concatenate(parts, axis=1)


def pooled(reduce: Callable[..., Any], filled: float) -> Callable[..., Any]:
    def apply(x: Any, size: Any, stride: Any = None, pad: Any = 0, dilation: Any = 1) -> Any:
        x = floats(x)
        rank = len(size) if isinstance(size, list) else 2
        window = _several(size, rank)
        steps = window if stride is None else _several(stride, rank)
        seen = _windows(
            _padded(x, _several(pad, rank), filled), window, steps, _several(dilation, rank)
        )
        return reduce(seen, axis=list(range(-rank, 0)))

    return apply
