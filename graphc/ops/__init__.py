"""The operations: importing this declares them all."""

from graphc.ops.define.functions import FUNCTIONS, Function, Parameter
from graphc.ops.elementwise import (
    activation,
    arithmetic,
    bessel,
    elementary,
    incomplete,
    normal,
    rounding,
    special,
)
from graphc.ops.linear import (
    contraction,
    decomposing,
    diagonals,
    einsum,
    exponential,
    products,
    solving,
)
from graphc.ops.reduce import cumulative, reduction, statistics
from graphc.ops.select import elements, gathering, indexing, order, putting, segments
from graphc.ops.shape import moving, shaping
from graphc.ops.windows import convolution, pooling, resizing

__all__ = [
    "FUNCTIONS",
    "Function",
    "Parameter",
    "activation",
    "arithmetic",
    "bessel",
    "contraction",
    "convolution",
    "cumulative",
    "decomposing",
    "diagonals",
    "einsum",
    "elementary",
    "elements",
    "exponential",
    "gathering",
    "incomplete",
    "indexing",
    "moving",
    "normal",
    "order",
    "pooling",
    "products",
    "putting",
    "reduction",
    "resizing",
    "rounding",
    "segments",
    "shaping",
    "solving",
    "special",
    "statistics",
]
