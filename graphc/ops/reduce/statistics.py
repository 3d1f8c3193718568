"""Norms, variances, and what is largest, true or nonzero along axes."""

from __future__ import annotations

import math
from functools import partial

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, Op
from graphc.ir.kernel import Reduce, Reduction
from graphc.ir.types import Mismatch, Type, demand
from graphc.ops.define.families import composite, constant, general, normal_axis, to_float, to_int
from graphc.ops.elementwise.arithmetic import absolute, divide_or_zero, not_equal
from graphc.ops.elementwise.elementary import sqrt
from graphc.ops.reduce.reduction import (
    REDUCTION,
    Axes,
    count,
    largest,
    max_,
    mean,
    reduce_type,
    reinsert_axes,
    sum_,
)
from graphc.ops.shape.shaping import flatten

# ---- norms -----------------------------------------------------------------------------------


def _norm_vjp(ct: Node, y: Node, x: Node, axis: Axes, keepdims: bool) -> tuple[Node]:
    """x / |x|, and 0 at 0."""
    return (reinsert_axes(divide_or_zero(ct, y), x, axis, keepdims) * x,)


euclidean_norm: Op = general(
    "euclidean_norm",
    infer=partial(reduce_type, name="norm"),
    vjp=_norm_vjp,
    lower=lambda x, axis, keepdims: sqrt(sum_(x * x, axis=axis, keepdims=keepdims)),
    flops=lambda node: 2 * node.args[0].type.size,
    public=False,
    doc="The square root of the sum of squares.",
)


@composite(
    "norm",
    "x, ord: float = 2.0, axis: axes = none, keepdims: bool = false",
    "The norm of the vectors along axes (all by default), of order 1, 2 or inf; derivative 0 at 0.",
)
def norm(x: Node, ord: float = 2.0, axis: Axes = None, keepdims: bool = False) -> Node:
    match ord:
        case 1:
            return sum_(absolute(to_float(x)), axis=axis, keepdims=keepdims)
        case 2:
            return euclidean_norm(x, axis=axis, keepdims=keepdims)
        case math.inf:
            return max_(absolute(to_float(x)), axis=axis, keepdims=keepdims)
    raise Mismatch("E209", f"`norm` has the orders 1, 2 and inf, found {ord}")


# ---- variances -------------------------------------------------------------------------------


def _centre(x: Node, axis: Axes) -> Node:
    return x - mean(x, axis=axis, keepdims=True)


def _from_largest(x: Node, axis: Axes) -> Node:
    """x but for a constant, so that equal elements are 0 and so is their mean, without rounding."""
    return x - largest(x, axis=axis, keepdims=True)


def _variance(x: Node, axis: Axes, ddof: int, keepdims: bool) -> Node:
    centred = _centre(x, axis)
    if not ddof:
        return mean(centred * centred, axis=axis, keepdims=keepdims)
    total = sum_(centred * centred, axis=axis, keepdims=keepdims)
    return total / (count(x, axis) - ddof)


def _std_lower(x: Node, axis: Axes, ddof: int, keepdims: bool) -> Node:
    return sqrt(_variance(_from_largest(x, axis), axis, ddof, keepdims))


def _var_vjp(ct: Node, y: Node, x: Node, axis: Axes, ddof: int, keepdims: bool) -> tuple[Node]:
    """2 (x - mean) / n: the mean itself contributes nothing, since the deviations sum to 0."""
    share = ct * 2 / (count(x, axis) - ddof)
    return (reinsert_axes(share, x, axis, keepdims) * _centre(x, axis),)


def _std_vjp(ct: Node, y: Node, x: Node, axis: Axes, ddof: int, keepdims: bool) -> tuple[Node]:
    """(x - mean) / (n std), and 0 where all are equal."""
    share = divide_or_zero(ct, y) / (count(x, axis) - ddof)
    return (reinsert_axes(share, x, axis, keepdims) * _centre(_from_largest(x, axis), axis),)


def _spread_type(x: Type, *, axis: Axes, ddof: int, keepdims: bool) -> Type:
    return reduce_type(x, axis=axis, keepdims=keepdims, name="var")


variance: Op = general(
    "variance",
    infer=_spread_type,
    vjp=_var_vjp,
    lower=_variance,
    flops=lambda node: 4 * node.args[0].type.size,
    public=False,
    doc="The mean square of the deviations from the mean.",
)
deviation: Op = general(
    "deviation",
    infer=_spread_type,
    vjp=_std_vjp,
    lower=_std_lower,
    flops=lambda node: 6 * node.args[0].type.size,
    public=False,
    doc="The square root of the variance.",
)
SPREAD = "x, axis: axes = none, ddof: int = 0, keepdims: bool = false"


def _spread(name: str, op: Op, doc: str) -> None:
    @composite(name, SPREAD, doc)
    def build(x: Node, axis: Axes = None, ddof: Dim | int = 0, keepdims: bool = False) -> Node:
        fewer = Dim.of(ddof).constant
        if fewer is None:
            raise Mismatch("E404", f"the ddof of `{name}` is an integer known at compile time")
        return op(x, axis=axis, ddof=fewer, keepdims=keepdims)


_spread("var", variance, "Variance along axes: Σ (x - mean)² / (n - ddof).")
_spread("std", deviation, "Standard deviation along axes; the derivative of a constant is 0.")


# ---- places and truth ------------------------------------------------------------------------


def _place(name: Reduction, doc: str) -> None:
    def infer(x: Type, *, axis: int, keepdims: bool) -> Type:
        none = Mismatch("E301", f"`{name}` of no elements: axis {axis} of {x}")
        demand(x.shape[axis] - 1, none)
        return Type("int", reduce_type(x, axis=(axis,), keepdims=keepdims).shape)

    op: Op = constant(
        name,
        infer=infer,
        kernel=Reduce(name),
        signature="x",
        public=False,
        doc=doc,
    )

    @composite(name, "x, axis: axis = none, keepdims: bool = false", doc)
    def build(x: Node, axis: int | None = None, keepdims: bool = False) -> Node:
        if axis is None:
            if keepdims and x.rank != 1:
                raise Mismatch("E305", f"`{name}` with keepdims needs an axis")
            x, axis = flatten(x), 0
        return op(x, axis=normal_axis(axis, x.rank, name), keepdims=keepdims)


_place("argmax", "The index of the largest element along an axis, or of all; the first of equals.")
_place("argmin", "The index of the smallest element along an axis, or of all; the first of equals.")


def _truth(name: Reduction, doc: str) -> None:
    def infer(x: Type, *, axis: Axes, keepdims: bool) -> Type:
        return Type("bool", reduce_type(x, axis=axis, keepdims=keepdims, name=name).shape)

    constant(name, infer=infer, kernel=Reduce(name), signature=REDUCTION, doc=doc)


_truth("any", "Is any element along axes true, or not zero?")
_truth("all", "Are all elements along axes true, or not zero?")


@composite("count_nonzero", REDUCTION, "How many elements along axes are true, or not zero.")
def count_nonzero(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    return sum_(to_int(not_equal(x, 0)), axis=axis, keepdims=keepdims)
