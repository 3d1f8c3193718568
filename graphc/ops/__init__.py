"""The operations: importing this declares them all."""

from graphc.ops.define.functions import FUNCTIONS, Function, Parameter
from graphc.ops.elementwise import activation, arithmetic, elementary, rounding, special
from graphc.ops.linear import contraction, diagonals, einsum, products, solving
from graphc.ops.reduce import cumulative, reductions, statistics
from graphc.ops.select import indexing
from graphc.ops.shape import composed, movement
from graphc.ops.windows import convolution, pooling

__all__ = [
    "FUNCTIONS",
    "Function",
    "Parameter",
    "activation",
    "arithmetic",
    "composed",
    "contraction",
    "convolution",
    "cumulative",
    "diagonals",
    "einsum",
    "elementary",
    "indexing",
    "movement",
    "pooling",
    "products",
    "reductions",
    "rounding",
    "solving",
    "special",
    "statistics",
]
