"""Products, running totals and differences along an axis; where zeros do harm nothing divides."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, Op
from graphc.ir.kernel import AXIS, Call, Reduce, Running, X, Y
from graphc.ir.types import Mismatch, Type, demand, product, same_shape
from graphc.ops.define.families import (
    CAST,
    composite,
    first_to_float,
    general,
    linear,
    normal_axes,
    normal_axis,
    to_int,
)
from graphc.ops.elementwise.arithmetic import divide_or_zero, equal, isfinite, minimum, where
from graphc.ops.elementwise.elementary import exp
from graphc.ops.reduce.reduction import REDUCTION, Axes, reduce_type, reinsert_axes
from graphc.ops.shape.moving import flip
from graphc.ops.shape.shaping import concat, flatten, ones, part_of, reshape, transpose, zeros

# ---- the linear recurrence: what running products are differentiated by ----------------------


def _recurrence_type(a: Type, b: Type, *, axis: int) -> Type:
    if not same_shape(a.shape, b.shape):
        raise Mismatch("E301", f"`linear_recurrence` takes equal shapes, found {a} and {b}")
    return b


def _recurrence_vjp(ct: Node, y: Node, a: Node, b: Node, axis: int) -> tuple[Node, Node]:
    """λ[t] = ct[t] + a[t+1] λ[t+1]; it is the derivative by b[t], and times y[t-1] that by a[t]."""
    after = flip(_shift_back(a, axis), (axis,))
    adjoint = flip(_recurrence(after, flip(ct, (axis,)), axis=axis), (axis,))
    return adjoint * _shift(y, axis), adjoint


_recurrence: Op = general(
    "recurrence",
    infer=_recurrence_type,
    kernel=Call("recurrence", X, Y, AXIS),
    vjp=_recurrence_vjp,
    prepare=lambda args: args,
    flops=lambda node: 3 * node.type.size,
    public=False,
    doc="y with y[t] = a[t] * y[t - 1] + b[t] along an axis.",
)


def _edge(x: Node, axis: int, made: Callable[[tuple[Dim, ...]], Node]) -> Node:
    return made((*x.shape[:axis], Dim.of(1), *x.shape[axis + 1 :]))


def _shift(x: Node, axis: int, made: Callable[[tuple[Dim, ...]], Node] = zeros) -> Node:
    """x[t - 1] at t, and zeros (or ones) at the start."""
    joined = concat(_edge(x, axis, made), x, axis=axis)
    return part_of(joined, axis, Dim.of(0), x.shape[axis])


def _shift_back(x: Node, axis: int, made: Callable[[tuple[Dim, ...]], Node] = zeros) -> Node:
    """x[t + 1] at t, and zeros (or ones) at the end."""
    joined = concat(x, _edge(x, axis, made), axis=axis)
    return part_of(joined, axis, Dim.of(1), x.shape[axis])


@composite(
    "linear_recurrence",
    "a, b, axis: axis = -1",
    "y with y[t] = a[t] * y[t - 1] + b[t] along an axis, and y[0] = b[0].",
)
def linear_recurrence(a: Node, b: Node, axis: int = -1) -> Node:
    floats = first_to_float((a,)) + first_to_float((b,))
    return _recurrence(*floats, axis=normal_axis(axis, b.rank, "linear_recurrence"))


# ---- running totals --------------------------------------------------------------------------

_cumsum: Op = linear(
    "running_sum",
    infer=lambda x, *, axis: x,
    kernel=Running("add"),
    transpose=lambda ct, x, axis: flip(_cumsum(flip(ct, (axis,)), axis=axis), (axis,)),
    flops=lambda node: node.type.size,
    public=False,
    doc="The sums of the first elements.",
)


def _cumprod_vjp(ct: Node, y: Node, x: Node, axis: int) -> tuple[Node]:
    """Σ_{k≥j} ct[k] Π_{i≤k, i≠j} x[i]: what comes before j, times a recurrence from the end."""
    after = flip(_shift_back(x, axis), (axis,))
    total = flip(_recurrence(after, flip(ct, (axis,)), axis=axis), (axis,))
    return (total * _products_before(x, axis),)


_cumprod: Op = general(
    "running_product",
    infer=lambda x, *, axis: x,
    kernel=Running("multiply"),
    vjp=_cumprod_vjp,
    prepare=lambda args: args,
    flops=lambda node: node.type.size,
    public=False,
    doc="The products of the first elements.",
)


def _products_before(x: Node, axis: int) -> Node:
    """Π_{i<j} x[i]."""
    return _cumprod(_shift(x, axis, ones), axis=axis)


def _products_after(x: Node, axis: int) -> Node:
    """Π_{i>j} x[i]."""
    shifted = flip(_shift_back(x, axis, ones), (axis,))
    return flip(_cumprod(shifted, axis=axis), (axis,))


def _logcumsumexp_vjp(ct: Node, y: Node, x: Node, axis: int) -> tuple[Node]:
    """Σ_{k≥j} ct[k] exp(x[j] - y[k]), by a recurrence whose factors exp(y[k] - y[k+1]) are ≤ 1."""
    following = _shift_back(y, axis)
    ratio = exp(where(equal(y, following), 0, minimum(y - following, 0)))
    total = flip(_recurrence(flip(ratio, (axis,)), flip(ct, (axis,)), axis=axis), (axis,))
    return (total * exp(x - where(isfinite(y), y, 0)),)


_logcumsumexp: Op = general(
    "running_logsumexp",
    infer=lambda x, *, axis: x,
    kernel=Running("logaddexp"),
    vjp=_logcumsumexp_vjp,
    flops=lambda node: 45 * node.type.size,
    public=False,
    doc="log(sum(exp(x))) of the first elements.",
)


def _extreme_vjp(ct: Node, y: Node, x: Node, axis: int) -> tuple[Node]:
    """Send each cotangent to the elements so far that are the extreme, evenly where several are.

    As long as the extreme is the same (`going`), those that are it are counted, and from the end
    their shares are added up, which is a recurrence both times. Of nan none is the extreme.
    """
    chosen = CAST(equal(x, y))
    going = CAST(equal(y, _shift(y, axis)))
    share = divide_or_zero(ct, _recurrence(going, chosen, axis=axis))
    after = flip(_shift_back(going, axis), (axis,))
    return (flip(_recurrence(after, flip(share, (axis,)), axis=axis), (axis,)) * chosen,)


def _running_extreme(name: str, kernel: str, doc: str) -> Op:
    return general(
        name,
        infer=lambda x, *, axis: x,
        kernel=Running(kernel),
        vjp=_extreme_vjp,
        prepare=lambda args: args,
        flops=lambda node: node.type.size,
        public=False,
        doc=doc,
    )


_cummax = _running_extreme("running_max", "maximum", "The largest of the first elements.")
_cummin = _running_extreme("running_min", "minimum", "The smallest of the first elements.")


def _along(op: Op, name: str, doc: str) -> Callable[..., Node]:
    @composite(name, "x, axis: axis = none", doc)
    def build(x: Node, axis: int | None = None) -> Node:
        if axis is None:
            x, axis = flatten(x), 0
        return op(to_int(x), axis=normal_axis(axis, x.rank, name))

    return build


cumsum = _along(_cumsum, "cumsum", "Running sums along an axis, or of the flattened array.")
cumprod = _along(_cumprod, "cumprod", "Running products along an axis, or of the flattened array.")
logcumsumexp = _along(
    _logcumsumexp, "logcumsumexp", "Running log(sum(exp(x))) along an axis, without overflow."
)
cummax = _along(
    _cummax,
    "cummax",
    "The largest so far along an axis, or of the flattened array; at ties the"
    " derivative is split evenly.",
)
cummin = _along(
    _cummin,
    "cummin",
    "Smallest so far along an axis, or of the flattened array; ties split evenly.",
)


@composite("diff", "x, n: int = 1, axis: axis = -1", "Differences of neighbours, taken n times.")
def diff(x: Node, n: Dim | int = 1, axis: int = -1) -> Node:
    times = Dim.of(n).constant
    if times is None or times < 0:
        raise Mismatch("E209", f"`diff` is taken a whole number of times, found {n}")
    place = normal_axis(axis, x.rank, "diff")
    few = f"`diff` {times} times needs as many elements: axis {place} of {x.type}"
    demand(x.shape[place] - times, Mismatch("E301", few))
    x = to_int(x)
    for _ in range(times):
        length = x.shape[place] - 1
        x = part_of(x, place, Dim.of(1), length) - part_of(x, place, Dim.of(0), length)
    return x


# ---- the product -----------------------------------------------------------------------------


def _others(x: Node) -> Node:
    """Along the last axis the product of all other elements."""
    last = x.rank - 1
    return _products_before(x, last) * _products_after(x, last)


def _prod_vjp(ct: Node, y: Node, x: Node, axis: Axes, keepdims: bool) -> tuple[Node]:
    """Multiply the others: the derivative by each element."""
    axes = normal_axes(axis, x.rank, "prod")
    kept = [i for i in range(x.rank) if i not in axes]
    order = (*kept, *axes)
    moved = transpose(x, axes=order)
    rows = reshape(moved, shape=(*(x.shape[i] for i in kept), product([x.shape[i] for i in axes])))
    others = reshape(_others(rows), shape=moved.shape)
    back = transpose(others, axes=tuple(order.index(i) for i in range(x.rank)))
    return (reinsert_axes(ct, x, axis, keepdims) * back,)


prod = general(
    "prod",
    infer=partial(reduce_type, name="prod"),
    kernel=Reduce("prod"),
    vjp=_prod_vjp,
    prepare=lambda args: (to_int(args[0]),),
    signature=REDUCTION,
    doc="Product along axes (all by default).",
)
