"""Rounding, made larger: what a program gives where numbers move a little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.fuzz.meaning.arrays import array, is_float

DECOMPOSED = {
    "cholesky", "det", "eigh", "eigvalsh", "expm", "inv", "logdet", "lstsq", "matrix_power", "pinv",
    "qr", "solve", "svd", "svdvals", "triangular_solve",
}  # fmt: skip
"""Operations whose elements are equal up to rounding where the mathematics says equal."""


@dataclass(frozen=True)
class Rounding:
    """By which share of themselves numbers are moved, and the seed of that."""

    share: float
    seed: int

    def mover(self) -> Callable[[Any], Any]:
        """Make a function that moves the floats of arrays, and of tuples of them."""
        rng = np.random.default_rng(self.seed)

        def moved(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(map(moved, value))
            value = array(value)
            if not is_float(value):
                return value
            return value * (1 + self.share * rng.uniform(-1, 1, value.shape))

        return moved
