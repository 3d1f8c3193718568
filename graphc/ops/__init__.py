"""The operations: importing this declares them all."""

from graphc.ops import (
    activation,
    arithmetic,
    cumulative,
    elementary,
    linalg,
    matrices,
    moving,
    reduction,
    rounding,
    select,
    shaping,
    special,
    statistics,
)
from graphc.ops.define import FUNCTIONS, Function, Parameter

__all__ = [
    "FUNCTIONS",
    "Function",
    "Parameter",
    "activation",
    "arithmetic",
    "cumulative",
    "elementary",
    "linalg",
    "matrices",
    "moving",
    "reduction",
    "rounding",
    "select",
    "shaping",
    "special",
    "statistics",
]
