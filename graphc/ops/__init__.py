"""The operations: importing this declares them all."""

from graphc.ops import arithmetic, elementary, linalg, reduction, shaping
from graphc.ops.define import FUNCTIONS, Function, Parameter

__all__ = [
    "FUNCTIONS",
    "Function",
    "Parameter",
    "arithmetic",
    "elementary",
    "linalg",
    "reduction",
    "shaping",
]
