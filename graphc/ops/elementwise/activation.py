"""Activation functions, stable at both ends, and losses of one number."""

from __future__ import annotations

import math

from graphc.ir.graph import Node, Op
from graphc.ir.kernel import Elementwise, X
from graphc.ir.types import Mismatch
from graphc.ops.define.families import all_to_float, composite, elementwise
from graphc.ops.elementwise.arithmetic import absolute, equal, maximum, minimum, where
from graphc.ops.elementwise.elementary import exp, expm1, log1p, tanh
from graphc.ops.elementwise.rounding import clip
from graphc.ops.elementwise.special import erfc

# exp(min(x, 0)) / (1 + exp(-|x|)) is 1 / (1 + exp(-x)) without overflow at either end.
sigmoid: Op = elementwise(
    "sigmoid",
    kernel=Elementwise(
        "divide",
        Elementwise("exp", Elementwise("minimum", X, 0)),
        Elementwise("add", 1, Elementwise("exp", Elementwise("negative", Elementwise("abs", X)))),
    ),
    flops=45,
    partials=lambda y, x: (y * (1 - y),),
    doc="1 / (1 + exp(-x)).",
)
softplus: Op = elementwise(
    "softplus",
    kernel=Elementwise("logaddexp", X, 0),
    flops=45,
    partials=lambda y, x: (sigmoid(x),),
    doc="log(1 + exp(x)).",
)


def _share(one: Node, other: Node, total: Node) -> Node:
    """exp(one - total), the share of a summand; 0 where all is -inf."""
    nothing = equal(total, -math.inf)
    return where(nothing, 0, sigmoid(where(nothing, 0, one - other)))


def _negative_part(x: Node) -> Node:
    """min(x, 0), which at 0 has the derivative 1, as it has below."""
    return where(x > 0, 0, x)


logaddexp: Op = elementwise(
    "logaddexp",
    kernel=Elementwise("logaddexp"),
    flops=45,
    partials=lambda y, a, b: (_share(a, b, y), _share(b, a, y)),
    signature="a, b",
    prepare=all_to_float,
    doc="log(exp(a) + exp(b)), without overflow.",
)
relu: Op = elementwise(
    "relu",
    kernel=Elementwise("maximum", X, 0),
    partials=lambda y, x: (y > 0,),
    doc="max(x, 0); the derivative at 0 is 0.",
)


@composite("silu", "x", "x sigmoid(x).")
def silu(x: Node) -> Node:
    return x * sigmoid(x)


@composite("gelu_tanh", "x", "x Φ(x), with Φ approximated by tanh (Hendrycks and Gimpel 2016, §2).")
def gelu_tanh(x: Node) -> Node:
    return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _normal(x: Node) -> Node:
    """Φ(x), the normal distribution."""
    return 0.5 * erfc(-math.sqrt(0.5) * x)


gelu: Op = elementwise(
    "gelu",
    flops=84,
    partials=lambda y, x: (_normal(x) + x * exp(-0.5 * x * x) / math.sqrt(2 * math.pi),),
    lower=lambda x: x * _normal(x),
    doc="x Φ(x), with Φ the normal distribution (Hendrycks and Gimpel 2016, §2).",
)


leaky_relu: Op = elementwise(
    "leaky_relu",
    flops=3,
    partials=lambda y, x, slope: (where(x > 0, 1, slope),),
    lower=lambda x, slope: maximum(x, 0) + slope * minimum(x, 0),
    signature="x, /, slope: float = 0.01",
    doc="x where it is positive, else slope * x; the derivative at 0 is the slope.",
)


@composite(
    "prelu", "x, slope", "x where it is positive, else slope * x, for a slope that is learnt."
)
def prelu(x: Node, slope: Node) -> Node:
    return where(x > 0, x, slope * x)


elu: Op = elementwise(
    "elu",
    flops=25,
    partials=lambda y, x, alpha: (where(x > 0, 1, alpha * exp(_negative_part(x))),),
    lower=lambda x, alpha: maximum(x, 0) + alpha * expm1(minimum(x, 0)),
    signature="x, /, alpha: float = 1.0",
    doc="x where it is positive, else alpha (exp(x) - 1) (Clevert et al. 2015, eq. 15).",
)
celu: Op = elementwise(
    "celu",
    flops=25,
    partials=lambda y, x, alpha: (exp(_negative_part(x) / alpha),),
    lower=lambda x, alpha: maximum(x, 0) + alpha * expm1(minimum(x, 0) / alpha),
    signature="x, /, alpha: float = 1.0",
    doc="x where it is positive, else alpha (exp(x / alpha) - 1) (Barron 2017).",
)


@composite("selu", "x", "The scaled elu that keeps mean 0 and variance 1 (Klambauer et al. 2017).")
def selu(x: Node) -> Node:
    return 1.0507009873554805 * elu(x, alpha=1.6732632423543772)


softsign: Op = elementwise(
    "softsign",
    kernel=Elementwise("divide", X, Elementwise("add", 1, Elementwise("abs", X))),
    flops=3,
    partials=lambda y, x: (1 / (1 + absolute(x)) ** 2,),
    doc="x / (1 + |x|).",
)


@composite("log_sigmoid", "x", "log(sigmoid(x)), without overflow.")
def log_sigmoid(x: Node) -> Node:
    return -softplus(-x)


@composite("mish", "x", "x tanh(softplus(x)) (Misra 2019).")
def mish(x: Node) -> Node:
    return x * tanh(softplus(x))


@composite("hardtanh", "x, min: float = -1.0, max: float = 1.0", "x clipped to [min, max].")
def hardtanh(x: Node, min: float, max: float) -> Node:
    return clip(x, min, max)


@composite("relu6", "x", "x clipped to [0, 6].")
def relu6(x: Node) -> Node:
    return clip(x, 0, 6)


@composite("hardsigmoid", "x", "x / 6 + 1/2 clipped to [0, 1].")
def hardsigmoid(x: Node) -> Node:
    return clip(x / 6 + 0.5, 0, 1)


@composite("hardswish", "x", "x hardsigmoid(x) (Howard et al. 2019, §5.2).")
def hardswish(x: Node) -> Node:
    return x * hardsigmoid(x)


bce_logits: Op = elementwise(
    "bce_logits",
    flops=48,
    partials=lambda y, logit, target: (sigmoid(logit) - target, -logit),
    signature="logit, target",
    prepare=all_to_float,
    lower=lambda logit, target: maximum(logit, 0) - logit * target + log1p(exp(-absolute(logit))),
    doc="-target log(sigmoid(logit)) - (1 - target) log(1 - sigmoid(logit)), without overflow.",
)


def _huber_lower(x: Node, delta: float) -> Node:
    """With c = x brought into [-δ, δ]: c x - c² / 2."""
    inside = clip(x, -delta, delta)
    return inside * (x - 0.5 * inside)


_huber: Op = elementwise(
    "huber",
    flops=5,
    partials=lambda y, x, delta: (clip(x, -delta, delta),),
    lower=_huber_lower,
    public=False,
    doc="x² / 2 up to delta, linear beyond.",
)


@composite(
    "huber",
    "x, delta: float = 1.0",
    "x² / 2 where |x| is at most delta, beyond it linear: delta (|x| - delta / 2) (Huber 1964).",
)
def huber(x: Node, delta: float = 1.0) -> Node:
    if not delta > 0:
        raise Mismatch("E209", f"`huber` needs a delta above 0, found {delta:g}")
    return _huber(x, delta=delta)
