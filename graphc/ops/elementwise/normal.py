"""The normal distribution, its logarithm, and the inverses of it and of the error function.

Their values come from `graphc.targets.numpy.runtime.normal`, which is copied into modules.
"""

from __future__ import annotations

import math

from graphc.ir.graph import Node, Op
from graphc.ir.kernel import Elementwise
from graphc.ops.define.families import elementwise
from graphc.ops.elementwise.elementary import exp

ROOT = math.sqrt(2 * math.pi)


def _density(x: Node) -> Node:
    return exp(-0.5 * x * x) / ROOT


ndtr: Op = elementwise(
    "ndtr",
    kernel=Elementwise("ndtr"),
    flops=90,
    partials=lambda y, x: (_density(x),),
    doc="Φ(x), the distribution function of the normal distribution; accurate where that is small.",
)
log_ndtr: Op = elementwise(
    "log_ndtr",
    kernel=Elementwise("log_ndtr"),
    flops=150,
    partials=lambda y, x: (_hazard(x),),
    doc="log(Φ(x)), the logarithm of `ndtr`, without underflow.",
)
_hazard: Op = elementwise(
    "hazard",
    kernel=Elementwise("hazard"),
    flops=200,
    partials=lambda y, x: (-y * _hazard_excess(x),),
    public=False,
    doc="φ(x) / Φ(x), the derivative of log Φ; with the opposite x the hazard rate.",
)
_hazard_excess: Op = elementwise(
    "hazard_excess",
    kernel=Elementwise("hazard_excess"),
    flops=200,
    partials=lambda y, x: (1 - (y - x) * y,),
    public=False,
    doc="x + φ(x) / Φ(x), in which nothing cancels where x is far below 0.",
)
ndtri: Op = elementwise(
    "ndtri",
    kernel=Elementwise("ndtri"),
    flops=110,
    partials=lambda y, p: (ROOT * exp(0.5 * y * y),),
    signature="p",
    doc="The quantile of the normal distribution: x with ndtr(x) = p.",
)
erfinv: Op = elementwise(
    "erfinv",
    kernel=Elementwise("erfinv"),
    flops=110,
    partials=lambda y, x: (math.sqrt(math.pi) / 2 * exp(y * y),),
    doc="The inverse of `erf`: y with erf(y) = x.",
)
erfcinv: Op = elementwise(
    "erfcinv",
    kernel=Elementwise("erfcinv"),
    flops=110,
    partials=lambda y, x: (-math.sqrt(math.pi) / 2 * exp(y * y),),
    doc="The inverse of `erfc`, accurate where x is small.",
)
