"""The error function, the gamma function and its derivatives, which NumPy lacks.

Their values come from `graphc.targets.numpy.runtime.special`, which is copied into modules.
"""

from __future__ import annotations

import math

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, Op
from graphc.ir.kernel import Attr, Elementwise, X
from graphc.ir.types import Mismatch
from graphc.ops.define.families import composite, elementwise
from graphc.ops.elementwise.elementary import exp

erf: Op = elementwise(
    "erf",
    kernel=Elementwise("erf"),
    flops=80,
    partials=lambda y, x: (2 / math.sqrt(math.pi) * exp(-(x * x)),),
    doc="The error function, 2/√π times the integral of exp(-t²) from 0 to x.",
)
erfc: Op = elementwise(
    "erfc",
    kernel=Elementwise("erfc"),
    flops=80,
    partials=lambda y, x: (-2 / math.sqrt(math.pi) * exp(-(x * x)),),
    doc="1 - erf(x), accurate where that is small.",
)
lgamma: Op = elementwise(
    "lgamma",
    kernel=Elementwise("lgamma"),
    flops=120,
    partials=lambda y, x: (digamma(x),),
    doc="log|Γ(x)|, the logarithm of the gamma function.",
)
digamma: Op = elementwise(
    "digamma",
    kernel=Elementwise("digamma"),
    flops=120,
    partials=lambda y, x: (_polygamma(x, n=1),),
    doc="The derivative of lgamma.",
)
_polygamma: Op = elementwise(
    "polygamma",
    kernel=Elementwise("polygamma", X, Attr("n")),
    flops=400,
    partials=lambda y, x, n: (_polygamma(x, n=n + 1),),
    doc="The n-th derivative of digamma, n at least 1.",
    public=False,
)


@composite("polygamma", "n: int, x", "The n-th derivative of digamma.")
def polygamma(x: Node, n: Dim) -> Node:
    order = n.constant
    if order is None or order < 0:
        raise Mismatch("E209", f"`polygamma` needs an order of at least 0, found {n}")
    return polygamma_of(x, order)


def polygamma_of(x: Node, order: int) -> Node:
    """Return the derivative of digamma of this order."""
    return _polygamma(x, n=order) if order else digamma(x)
