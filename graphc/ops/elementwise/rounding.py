"""Rounding, clipping, and what kind of number an element is."""

from __future__ import annotations

from graphc.ir.graph import CONSTANT, Node, Op, as_node
from graphc.ir.kernel import Elementwise
from graphc.ops.define.families import CAST_INT, all_to_float, composite, elementwise, to_int
from graphc.ops.elementwise.arithmetic import (
    equal,
    greater_equal,
    less,
    less_equal,
    logical_and,
    maximum,
    remainder,
)
from graphc.ops.shape.shaping import broadcast_to

round_ = elementwise(
    "round",
    kernel=Elementwise("rint"),
    partials=None,
    doc="The nearest integer, the even one of two.",
)
trunc = elementwise("trunc", kernel=Elementwise("trunc"), partials=None, doc="Rounded towards 0.")


@composite("to_int", "x", "An integer, for an index: x rounded towards 0, which fits in int64.")
def integer(x: Node) -> Node:
    if x.type.dtype != "float":
        return to_int(x)
    return as_node(int(x.value)) if x.op is CONSTANT and x.rank == 0 else CAST_INT(trunc(x))


isnan = elementwise(
    "isnan", kernel=Elementwise("isnan"), partials=None, result="bool", doc="Is it not a number?"
)
isinf = elementwise(
    "isinf", kernel=Elementwise("isinf"), partials=None, result="bool", doc="Is it infinite?"
)
heaviside = elementwise(
    "heaviside",
    kernel=Elementwise("heaviside"),
    partials=lambda y, x, h: (None, equal(x, 0)),
    signature="x, h",
    prepare=all_to_float,
    doc="0 where x is negative, 1 where it is positive, `h` at 0.",
)


def _clip_partials(y: Node, x: Node, low: Node, high: Node) -> tuple[Node, Node, Node]:
    """Give what decides the result the derivative; at a bound that is x."""
    x = broadcast_to(x, shape=y.shape)  # the bounds need not fit each other
    inside = logical_and(greater_equal(x, low), less_equal(x, high))
    raised = maximum(x, low)
    return inside, logical_and(less(x, low), less_equal(raised, high)), less(high, raised)


clip: Op = elementwise(
    "clip",
    kernel=Elementwise("clip"),
    flops=2,
    partials=_clip_partials,
    result="promote",
    signature="x, /, min, max",
    doc="x brought into [min, max]; the derivative at a bound is 1.",
)


@composite("mod", "a, b, /", "The remainder of a / b, of the sign of b; also written `a % b`.")
def mod(a: Node, b: Node) -> Node:
    return remainder(a, b)
