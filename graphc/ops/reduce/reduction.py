"""Reductions along axes, and the normalised exponentials."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from graphc.ir.dims import Dim
from graphc.ir.graph import OPERATORS, Node, Op
from graphc.ir.kernel import Reduce
from graphc.ir.types import Mismatch, Type, demand, product
from graphc.ops.define.families import (
    CAST,
    constant,
    first_to_float,
    general,
    linear,
    normal_axes,
    to_int,
)
from graphc.ops.elementwise.arithmetic import equal, isfinite, one_for_zero, where
from graphc.ops.elementwise.elementary import exp, log
from graphc.ops.shape.shaping import expand

Axes = tuple[int, ...] | None
REDUCTION = "x, axis: axes = none, keepdims: bool = false"


def reduce_type(x: Type, *, axis: Axes, keepdims: bool, name: str = "sum") -> Type:
    axes = normal_axes(axis, x.rank, name)
    kept = [1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes]
    return x.with_shape(kept)


def reinsert_axes(ct: Node, x: Node, axis: Axes, keepdims: bool) -> Node:
    """Reinsert reduced axes as 1 in a cotangent; a scalar fits anything as it is."""
    if keepdims or not ct.rank:
        return ct
    return expand(ct, axes=normal_axes(axis, x.rank, "sum"))


def count(x: Node, axis: Axes) -> Dim:
    """Count the elements that each result of a reduction gathers."""
    return product([x.shape[i] for i in normal_axes(axis, x.rank, "mean")])


sum_: Op = linear(
    "sum",
    infer=reduce_type,
    kernel=Reduce("sum"),
    transpose=lambda ct, x, axis, keepdims: reinsert_axes(ct, x, axis, keepdims),
    signature=REDUCTION,
    flops=lambda node: node.args[0].type.size,
    prepare=lambda args: tuple(map(to_int, args)),
    doc="Sum along axes (all by default).",
)
mean: Op = linear(
    "mean",
    infer=partial(reduce_type, name="mean"),
    kernel=Reduce("mean"),
    transpose=lambda ct, x, axis, keepdims: reinsert_axes(ct / count(x, axis), x, axis, keepdims),
    signature=REDUCTION,
    flops=lambda node: node.args[0].type.size,
    prepare=first_to_float,
    doc="Arithmetic mean along axes (all by default); nan where there is nothing to average.",
)


def _extreme_vjp(ct: Node, y: Node, x: Node, axis: Axes, keepdims: bool) -> tuple[Node]:
    """Send the cotangent to the extreme elements, evenly where several are equal."""
    chosen = CAST(equal(x, reinsert_axes(y, x, axis, keepdims)))
    share = ct / sum_(chosen, axis=axis, keepdims=keepdims)
    return (reinsert_axes(share, x, axis, keepdims) * chosen,)


def _of_some(name: str) -> Callable[..., Type]:
    """Build the type rule of a reduction that has no value for no elements."""

    def infer(x: Type, *, axis: Axes, keepdims: bool) -> Type:
        result = reduce_type(x, axis=axis, keepdims=keepdims, name=name)
        for place in normal_axes(axis, x.rank, name):
            size = x.shape[place]
            demand(size - 1, Mismatch("E301", f"`{name}` of no elements: axis {place} of {x}"))
        return result

    return infer


max_: Op = general(
    "max",
    infer=_of_some("max"),
    kernel=Reduce("max"),
    vjp=_extreme_vjp,
    signature=REDUCTION,
    prepare=lambda args: args,
    doc="Largest element along axes; at a tie the derivative is split evenly.",
)
min_: Op = general(
    "min",
    infer=_of_some("min"),
    kernel=Reduce("min"),
    vjp=_extreme_vjp,
    signature=REDUCTION,
    prepare=lambda args: args,
    doc="Smallest element along axes; at a tie the derivative is split evenly.",
)


largest: Op = constant(
    "largest",
    infer=partial(reduce_type, name="largest"),
    kernel=Reduce("max", initial=-math.inf),
    signature="",
    public=False,
    doc="Largest element along axes, taken as constant; -inf where there is none.",
)


def _exponentials(x: Node, axis: Axes) -> tuple[Node, Node, Node]:
    """exp(x - m), its sum, and the shift m: the largest element, or 0 where that is infinite.

    Shared by everything below, so that a value and its derivative compute them once. The
    shift cancels in exact arithmetic, so it counts as constant.
    """
    top = largest(x, axis=axis, keepdims=True)
    shift = where(isfinite(top), top, 0)
    shifted = exp(x - shift)
    return shifted, sum_(shifted, axis=axis, keepdims=True), shift


def _logsumexp_lower(x: Node, axis: Axes, keepdims: bool) -> Node:
    _, total, shift = _exponentials(x, axis)
    return squeeze_axes(log(total) + shift, x, axis, keepdims)


def squeeze_axes(y: Node, x: Node, axis: Axes, keepdims: bool) -> Node:
    """Reshape a result with kept axes to the shape that the reduction of x has."""
    return (
        y
        if keepdims
        else OPERATORS["reshape"](y, shape=reduce_type(x.type, axis=axis, keepdims=False).shape)
    )


def slope_of_logsumexp(x: Node, axis: Axes) -> Node:
    """Return the softmax of x; the sum is at least 1, unless all of x is -inf: then 0."""
    shifted, total, _ = _exponentials(x, axis)
    return shifted / one_for_zero(total)


def _logsumexp_vjp(ct: Node, y: Node, x: Node, axis: Axes, keepdims: bool) -> tuple[Node]:
    return (reinsert_axes(ct, x, axis, keepdims) * slope_of_logsumexp(x, axis),)


logsumexp: Op = general(
    "logsumexp",
    infer=partial(reduce_type, name="logsumexp"),
    vjp=_logsumexp_vjp,
    lower=_logsumexp_lower,
    signature=REDUCTION,
    flops=lambda node: 22 * node.args[0].type.size,
    doc="log(sum(exp(x))) along axes, without overflow.",
)


def _softmax_lower(x: Node, axis: tuple[int, ...]) -> Node:
    shifted, total, _ = _exponentials(x, axis)
    return shifted / total


def _along(name: str) -> Callable[..., Type]:
    """Build the shape rule of what keeps the shape of x and needs axes that x has."""

    def infer(x: Type, *, axis: Axes) -> Type:
        normal_axes(axis, x.rank, name)
        return x

    return infer


softmax: Op = general(
    "softmax",
    infer=_along("softmax"),
    vjp=lambda ct, y, x, axis: (y * (ct - sum_(ct * y, axis=axis, keepdims=True)),),
    lower=_softmax_lower,
    signature="x, axis: axes = -1",
    flops=lambda node: 23 * node.type.size,
    doc="exp(x) / sum(exp(x)) along an axis (the last by default).",
)


def _log_softmax_lower(x: Node, axis: tuple[int, ...]) -> Node:
    """x - shift - log(sum); nan where the sum is 0, which only -inf throughout or nothing gives."""
    _, total, shift = _exponentials(x, axis)
    return x - shift - log(where(equal(total, 0), math.nan, total))


log_softmax: Op = general(
    "log_softmax",
    infer=_along("log_softmax"),
    vjp=lambda ct, y, x, axis: (ct - softmax(x, axis=axis) * sum_(ct, axis=axis, keepdims=True),),
    lower=_log_softmax_lower,
    signature="x, axis: axes = -1",
    flops=lambda node: 24 * node.type.size,
    doc="log(softmax(x)) along an axis, without overflow.",
)

OPERATORS["sum"] = sum_
