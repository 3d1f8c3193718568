"""Elementary functions; each partial uses the result where it can."""

from __future__ import annotations

import math

from graphc.ir.graph import OPERATORS, Node, Op
from graphc.ir.kernel import Elementwise
from graphc.ops.define.families import all_to_float, composite, elementwise
from graphc.ops.define.functions import alias
from graphc.ops.elementwise.arithmetic import (
    absolute,
    divide_or_zero,
    equal,
    maximum,
    minimum,
    ratio,
    where,
)

exp: Op = elementwise(
    "exp", kernel=Elementwise("exp"), flops=20, partials=lambda y, x: (y,), doc="e to the power x."
)
expm1: Op = elementwise(
    "expm1",
    kernel=Elementwise("expm1"),
    flops=20,
    partials=lambda y, x: (exp(x),),
    doc="exp(x) - 1, accurate near 0.",
)
log: Op = elementwise(
    "log",
    kernel=Elementwise("log"),
    flops=20,
    partials=lambda y, x: (1 / x,),
    doc="Natural logarithm.",
)
log1p: Op = elementwise(
    "log1p",
    kernel=Elementwise("log1p"),
    flops=20,
    partials=lambda y, x: (1 / (1 + x),),
    doc="log(1 + x), accurate near 0.",
)
log1mexp: Op = elementwise(
    "log1mexp",
    flops=60,
    partials=lambda y, x: (exp(x) / expm1(x),),
    lower=lambda x: where(
        x < -math.log(2),
        log1p(-exp(minimum(x, -math.log(2)))),
        log(-expm1(maximum(x, -math.log(2)))),
    ),
    public=False,
    doc="log(1 - exp(x)) for x < 0, accurate at both ends (Mächler 2012, eq. 7).",
)
sqrt: Op = elementwise(
    "sqrt",
    kernel=Elementwise("sqrt"),
    flops=4,
    partials=lambda y, x: (1 / (2 * y),),
    doc="Square root.",
)
sin: Op = elementwise(
    "sin",
    kernel=Elementwise("sin"),
    flops=20,
    partials=lambda y, x: (cos(x),),
    doc="Sine; x in radians.",
)
cos: Op = elementwise(
    "cos",
    kernel=Elementwise("cos"),
    flops=20,
    partials=lambda y, x: (-sin(x),),
    doc="Cosine; x in radians.",
)
tan: Op = elementwise(
    "tan",
    kernel=Elementwise("tan"),
    flops=20,
    partials=lambda y, x: (1 + y * y,),
    doc="Tangent; x in radians.",
)
sinh: Op = elementwise(
    "sinh",
    kernel=Elementwise("sinh"),
    flops=20,
    partials=lambda y, x: (cosh(x),),
    doc="Hyperbolic sine.",
)
cosh: Op = elementwise(
    "cosh",
    kernel=Elementwise("cosh"),
    flops=20,
    partials=lambda y, x: (sinh(x),),
    doc="Hyperbolic cosine.",
)
tanh: Op = elementwise(
    "tanh",
    kernel=Elementwise("tanh"),
    flops=20,
    partials=lambda y, x: (1 - y * y,),
    doc="Hyperbolic tangent.",
)
log_sech_squared: Op = elementwise(
    "log_sech_squared",
    flops=80,
    partials=lambda y, x: (-2 * tanh(x),),
    lower=lambda x: where(
        absolute(x) < 1,
        log1p(-(tanh(minimum(absolute(x), 1)) ** 2)),
        2 * (math.log(2) - absolute(x) - log1p(exp(-2 * absolute(x)))),
    ),
    public=False,
    doc="log(1 - tanh(x)**2), which is -2 log(cosh(x)): accurate near 0, finite far from it.",
)
exp2: Op = elementwise(
    "exp2",
    kernel=Elementwise("exp2"),
    flops=20,
    partials=lambda y, x: (math.log(2) * y,),
    doc="2 to the power x.",
)
log2: Op = elementwise(
    "log2",
    kernel=Elementwise("log2"),
    flops=20,
    partials=lambda y, x: (1 / (math.log(2) * x),),
    doc="Logarithm to base 2.",
)
log10: Op = elementwise(
    "log10",
    kernel=Elementwise("log10"),
    flops=20,
    partials=lambda y, x: (1 / (math.log(10) * x),),
    doc="Logarithm to base 10.",
)
cbrt: Op = elementwise(
    "cbrt",
    kernel=Elementwise("cbrt"),
    flops=20,
    partials=lambda y, x: (1 / (3 * y * y),),
    doc="Cube root.",
)
arcsin: Op = elementwise(
    "arcsin",
    kernel=Elementwise("arcsin"),
    flops=20,
    partials=lambda y, x: (1 / sqrt((1 - x) * (1 + x)),),
    doc="Inverse sine, in [-π/2, π/2].",
)
arccos: Op = elementwise(
    "arccos",
    kernel=Elementwise("arccos"),
    flops=20,
    partials=lambda y, x: (-1 / sqrt((1 - x) * (1 + x)),),
    doc="Inverse cosine, in [0, π].",
)
arctan: Op = elementwise(
    "arctan",
    kernel=Elementwise("arctan"),
    flops=20,
    partials=lambda y, x: (1 / (1 + x * x),),
    doc="Inverse tangent, in [-π/2, π/2].",
)
arcsinh: Op = elementwise(
    "arcsinh",
    kernel=Elementwise("arcsinh"),
    flops=20,
    partials=lambda y, x: (1 / hypot(1, x),),
    doc="Inverse hyperbolic sine.",
)
arccosh: Op = elementwise(
    "arccosh",
    kernel=Elementwise("arccosh"),
    flops=20,
    partials=lambda y, x: (1 / (sqrt(x - 1) * sqrt(x + 1)),),
    doc="Inverse hyperbolic cosine.",
)
arctanh: Op = elementwise(
    "arctanh",
    kernel=Elementwise("arctanh"),
    flops=20,
    partials=lambda y, x: (1 / ((1 - x) * (1 + x)),),
    doc="Inverse hyperbolic tangent.",
)


def _angle_partials(angle: Node, y: Node, x: Node) -> tuple[Node, Node]:
    radius = hypot(x, y)
    return divide_or_zero(divide_or_zero(x, radius), radius), -divide_or_zero(
        divide_or_zero(y, radius), radius
    )


atan2: Op = elementwise(
    "atan2",
    kernel=Elementwise("arctan2"),
    flops=30,
    partials=_angle_partials,
    signature="y, x",
    prepare=all_to_float,
    doc="The angle of the point (x, y), in [-π, π]; the derivatives at (0, 0) are 0.",
)
hypot: Op = elementwise(
    "hypot",
    kernel=Elementwise("hypot"),
    flops=8,
    partials=lambda y, a, b: (divide_or_zero(a, y), divide_or_zero(b, y)),
    signature="a, b",
    prepare=all_to_float,
    doc="sqrt(a*a + b*b) without overflow; the derivatives at (0, 0) are 0.",
)
xlogy: Op = elementwise(
    "xlogy",
    flops=22,
    partials=lambda z, x, y: (log(y), ratio(x, y)),
    signature="x, y",
    prepare=all_to_float,
    lower=lambda x, y: x * log(where(equal(x, 0), 1, y)),
    doc="x log(y), and 0 where x is 0.",
)
xlog1py: Op = elementwise(
    "xlog1py",
    flops=22,
    partials=lambda z, x, y: (log1p(y), ratio(x, 1 + y)),
    signature="x, y",
    prepare=all_to_float,
    lower=lambda x, y: x * log1p(where(equal(x, 0), 0, y)),
    doc="x log(1 + y), and 0 where x is 0.",
)


@composite("square", "x, /", "x * x.")
def square(x: Node) -> Node:
    return x**2


@composite("reciprocal", "x, /", "1 / x.")
def reciprocal(x: Node) -> Node:
    return 1 / x


@composite("power", "a, b, /", "a ** b.")
def power(a: Node, b: Node) -> Node:
    return a**b


@composite("logit", "x, /", "log(x / (1 - x)), the inverse of sigmoid.")
def logit(x: Node) -> Node:
    return log(x) - log1p(-x)


@composite("deg2rad", "x, /", "Degrees as radians.")
def deg2rad(x: Node) -> Node:
    return x * (math.pi / 180)


@composite("rad2deg", "x, /", "Radians as degrees.")
def rad2deg(x: Node) -> Node:
    return x * (180 / math.pi)


for _name in ("sin", "cos", "tan", "sinh", "cosh", "tanh"):
    alias(f"a{_name}", f"arc{_name}")
alias("arctan2", "atan2")

OPERATORS["log"] = log
