"""Pooling of windows over the last axes.

Small windows are compared and added place by place: for each place in a window the elements that
stand there are one strided view of the array. That is many times faster than reducing windows.
"""

from __future__ import annotations

from functools import reduce
from itertools import product as places
from math import inf, prod
from typing import Any

from graphc.ir.graph import Node, Op
from graphc.ir.items import Items, every, whole, whole_axes
from graphc.ir.kernel import Put
from graphc.ir.types import Mismatch, Shape, Type, product
from graphc.ops.define.axis_maps import per_window
from graphc.ops.define.batching import with_attrs
from graphc.ops.define.families import CAST, composite, general, linear, to_float
from graphc.ops.elementwise.arithmetic import equal, maximum, plus
from graphc.ops.reduce.reduction import max_, sum_
from graphc.ops.shape.moving import pad_with, pad_zeros
from graphc.ops.shape.shaping import broadcast_to, expand, index
from graphc.ops.windows.convolution import (
    Dims,
    counts_of,
    each,
    fits,
    margins,
    overlap,
    windows,
    windows_type,
)

UNROLLED = 16
"""Windows of up to so many elements are taken place by place."""


def _pool_type(x: Type, *, kernel: Dims, stride: Dims, dilation: Dims) -> Type:
    taken = windows_type(x, kernel=kernel, stride=stride, dilation=dilation)
    return x.with_shape(taken.shape[: x.rank])


def _views(shape: Shape, kernel: Dims, stride: Dims, dilation: Dims) -> list[Items] | None:
    """For each place in the windows the subscript of the elements there, if these are few."""
    sizes = [k.constant for k in kernel if k.constant is not None]
    steps = [s.constant for s in stride if s.constant is not None]
    if len(sizes) + len(steps) < 2 * len(kernel) or not 0 < prod(sizes) <= UNROLLED:
        return None
    lead = len(shape) - len(kernel)
    counts = counts_of(shape[lead:], kernel, stride, dilation)
    return [
        (
            *every(shape[:lead]),
            *(
                ("slice", (p * d, n, s))
                for p, d, n, s in zip(place, dilation, counts, steps, strict=True)
            ),
        )
        for place in places(*map(range, sizes))
    ]


_added_up: Op = linear(
    "added_up",
    infer=lambda *parts, items, shape: parts[0].with_shape(shape),
    kernel=Put("parts", add=True),
    transpose=lambda ct, *parts, items, shape: tuple(index(ct, items=one) for one in items),
    flops=lambda node: node.args[0].type.size * len(node.args),
    public=False,
    batch=with_attrs(
        lambda size, *parts, items, shape: {
            "items": tuple((whole(size), *one) for one in items),
            "shape": (size, *shape),
        }
    ),
    axes=lambda node: tuple(tuple(whole_axes(one, node.shape)) for one in node.attrs["items"]),
    doc="Zeros to which each part is added at its positions: the transpose of taking them.",
)


def _last(kernel: Dims, rank: int) -> tuple[int, ...]:
    return tuple(range(rank, rank + len(kernel)))


# ---- the largest of each window --------------------------------------------------------------


def _max_lower(x: Node, kernel: Dims, stride: Dims, dilation: Dims) -> Node:
    views = _views(x.shape, kernel, stride, dilation)
    if views is not None:
        return reduce(maximum, [index(x, items=items) for items in views])
    taken = windows(x, kernel=kernel, stride=stride, dilation=dilation)
    return max_(taken, axis=_last(kernel, x.rank), keepdims=False)


def _max_vjp(ct: Node, y: Node, x: Node, kernel: Dims, stride: Dims, dilation: Dims) -> tuple[Node]:
    """To the largest elements of each window, evenly where several are equal."""
    views = _views(x.shape, kernel, stride, dilation)
    if views is not None:
        chosen = [CAST(equal(index(x, items=items), y)) for items in views]
        share = ct / reduce(plus, chosen)
        return (_added_up(*(share * one for one in chosen), items=tuple(views), shape=x.shape),)
    last = _last(kernel, x.rank)
    taken = windows(x, kernel=kernel, stride=stride, dilation=dilation)
    largest = CAST(equal(taken, expand(y, axes=last)))
    share = expand(ct / sum_(largest, axis=last, keepdims=False), axes=last)
    return (overlap(share * largest, shape=x.shape, stride=stride, dilation=dilation),)


_maxpool: Op = general(
    "pooled_max",
    infer=_pool_type,
    vjp=_max_vjp,
    lower=_max_lower,
    flops=lambda node: node.type.size * product(node.attrs["kernel"]),
    public=False,
    axes=per_window(1, 1),
    doc="The largest element of each window.",
)

# ---- the sum of each window ------------------------------------------------------------------


def _sum_lower(x: Node, kernel: Dims, stride: Dims, dilation: Dims) -> Node:
    views = _views(x.shape, kernel, stride, dilation)
    if views is not None:
        return reduce(plus, [index(x, items=items) for items in views])
    taken = windows(x, kernel=kernel, stride=stride, dilation=dilation)
    return sum_(taken, axis=_last(kernel, x.rank), keepdims=False)


_sumpool: Op = linear(
    "pooled_sum",
    infer=_pool_type,
    transpose=lambda ct, x, kernel, stride, dilation: _spread(
        ct, kernel=kernel, stride=stride, dilation=dilation, sides=x.shape
    ),
    lower=_sum_lower,
    flops=lambda node: node.type.size * product(node.attrs["kernel"]),
    public=False,
    axes=per_window(1, 1),
    doc="The sum of each window.",
)


def _spread_lower(x: Node, kernel: Dims, stride: Dims, dilation: Dims, sides: Shape) -> Node:
    views = _views(sides, kernel, stride, dilation)
    if views is not None:
        return _added_up(*(x for _ in views), items=tuple(views), shape=sides)
    repeated = broadcast_to(expand(x, axes=_last(kernel, x.rank)), shape=(*x.shape, *kernel))
    return overlap(repeated, shape=sides, stride=stride, dilation=dilation)


_spread: Op = linear(
    "spread",
    infer=lambda x, *, kernel, stride, dilation, sides: x.with_shape(sides),
    transpose=lambda ct, x, kernel, stride, dilation, sides: _sumpool(
        ct, kernel=kernel, stride=stride, dilation=dilation
    ),
    lower=_spread_lower,
    flops=lambda node: node.args[0].type.size * product(node.attrs["kernel"]),
    public=False,
    batch=with_attrs(lambda size, x, *, sides, **attrs: {**attrs, "sides": (size, *sides)}),
    axes=per_window(1, 1),
    doc="Each element added to all of its window: the transpose of summing windows.",
)

# ---- as called ---------------------------------------------------------------------------------


def _arguments(
    x: Node, what: str, size: Any, stride: Any, dilation: Any
) -> tuple[Dims, Dims, Dims]:
    rank = len(size) if isinstance(size, tuple) else 2
    if x.rank < rank:
        raise Mismatch("E301", f"`{what}` pools the last {rank} axes, found {x.type}")
    kernel = each(size, rank, "`size`")
    steps = kernel if stride is None else each(stride, rank, "`stride`")
    return kernel, steps, each(dilation, rank, "`dilation`")


@composite(
    "maxpool",
    "x, size: sizes, stride: sizes = none, pad: pads = 0, dilation: sizes = 1",
    "The largest element of each window; the stride is the size by default, ties split evenly.",
)
def maxpool(x: Node, size: Any, stride: Any = None, pad: Any = 0, dilation: Any = 1) -> Node:
    kernel, steps, spread = _arguments(x, "maxpool", size, stride, dilation)
    rank = len(kernel)
    x = pad_with(to_float(x), margins(pad, rank, x.rank - rank), -inf)
    fits(x.shape[x.rank - rank :], kernel, spread, "maxpool")
    return _maxpool(x, kernel=kernel, stride=steps, dilation=spread)


@composite(
    "avgpool",
    "x, size: sizes, stride: sizes = none, pad: pads = 0",
    "The mean of each window, zeros around the array included; the stride is the size by default.",
)
def avgpool(x: Node, size: Any, stride: Any = None, pad: Any = 0) -> Node:
    kernel, steps, spread = _arguments(x, "avgpool", size, stride, 1)
    rank = len(kernel)
    x = pad_zeros(to_float(x), margins(pad, rank, x.rank - rank))
    fits(x.shape[x.rank - rank :], kernel, spread, "avgpool")
    return _sumpool(x, kernel=kernel, stride=steps, dilation=spread) / product(kernel)
