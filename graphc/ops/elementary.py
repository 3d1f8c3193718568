"""Elementary and activation functions; each partial uses the result where it can."""

from __future__ import annotations

import math

from graphc.graph import OPERATORS, Node, Op
from graphc.ops.define import composite, elementwise

exp: Op = elementwise(
    "exp", numpy="np.exp({0})", flops=20, partials=lambda y, x: (y,), doc="e to the power x."
)
expm1: Op = elementwise(
    "expm1",
    numpy="np.expm1({0})",
    flops=20,
    partials=lambda y, x: (y + 1,),
    doc="exp(x) - 1, accurate near 0.",
)
log: Op = elementwise(
    "log", numpy="np.log({0})", flops=20, partials=lambda y, x: (1 / x,), doc="Natural logarithm."
)
log1p: Op = elementwise(
    "log1p",
    numpy="np.log1p({0})",
    flops=20,
    partials=lambda y, x: (1 / (1 + x),),
    doc="log(1 + x), accurate near 0.",
)
sqrt: Op = elementwise(
    "sqrt", numpy="np.sqrt({0})", flops=4, partials=lambda y, x: (1 / (2 * y),), doc="Square root."
)
sin: Op = elementwise(
    "sin", numpy="np.sin({0})", flops=20, partials=lambda y, x: (cos(x),), doc="Sine; x in radians."
)
cos: Op = elementwise(
    "cos",
    numpy="np.cos({0})",
    flops=20,
    partials=lambda y, x: (-sin(x),),
    doc="Cosine; x in radians.",
)
tan: Op = elementwise(
    "tan",
    numpy="np.tan({0})",
    flops=20,
    partials=lambda y, x: (1 + y * y,),
    doc="Tangent; x in radians.",
)
sinh: Op = elementwise(
    "sinh", numpy="np.sinh({0})", flops=20, partials=lambda y, x: (cosh(x),), doc="Hyperbolic sine."
)
cosh: Op = elementwise(
    "cosh",
    numpy="np.cosh({0})",
    flops=20,
    partials=lambda y, x: (sinh(x),),
    doc="Hyperbolic cosine.",
)
tanh: Op = elementwise(
    "tanh",
    numpy="np.tanh({0})",
    flops=20,
    partials=lambda y, x: (1 - y * y,),
    doc="Hyperbolic tangent.",
)
# exp(min(x, 0)) / (1 + exp(-|x|)) is 1 / (1 + exp(-x)) without overflow at either end.
sigmoid: Op = elementwise(
    "sigmoid",
    numpy="np.exp(np.minimum({0}, 0)) / (1 + np.exp(-np.abs({0})))",
    flops=45,
    partials=lambda y, x: (y * (1 - y),),
    doc="1 / (1 + exp(-x)).",
)
softplus: Op = elementwise(
    "softplus",
    numpy="np.logaddexp({0}, 0)",
    flops=45,
    partials=lambda y, x: (sigmoid(x),),
    doc="log(1 + exp(x)).",
)
relu: Op = elementwise(
    "relu",
    numpy="np.maximum({0}, 0)",
    partials=lambda y, x: (y > 0,),
    doc="max(x, 0); the derivative at 0 is 0.",
)


@composite("silu", "x", "x sigmoid(x).")
def silu(x: Node) -> Node:
    return x * sigmoid(x)


@composite("gelu_tanh", "x", "x Φ(x), with Φ approximated by tanh (Hendrycks and Gimpel 2016, §2).")
def gelu_tanh(x: Node) -> Node:
    return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


OPERATORS["log"] = log
