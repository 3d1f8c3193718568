"""An array -> a few numbers that say what it is like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphc.later import Later
from graphc.records import dataclass

if TYPE_CHECKING:
    import numpy as np
else:
    np = Later("numpy")


@dataclass(frozen=True, slots=True)
class Summary:
    """An array in short; `least`, `most`, `mean` and `norm` are of its `finite` elements alone.

    The norm is the root of the sum of the squares. Without finite elements all four are 0.
    """

    shape: tuple[int, ...]
    finite: int
    least: float
    most: float
    mean: float
    norm: float
    zeros: int
    nans: int
    infinities: int

    @property
    def size(self) -> int:
        """Return how many elements there are."""
        return self.finite + self.nans + self.infinities

    @property
    def is_finite(self) -> bool:
        """Return whether no element is nan or infinite."""
        return self.finite == self.size

    @property
    def typical(self) -> float:
        """Return the root of the mean square: the norm that does not grow with the size."""
        return self.norm / math.sqrt(self.finite) if self.finite else 0.0


def summarise(value: Any) -> Summary:
    """Summarise an array, a number or a list of arrays."""
    array = np.asarray(value)
    numbers = array.astype(np.float64).ravel()
    finite = numbers[np.isfinite(numbers)]
    largest = float(np.max(np.abs(finite), initial=0.0))
    scaled = finite / largest if largest else finite  # squares of large numbers overflow
    nans = int(np.isnan(numbers).sum())
    return Summary(
        array.shape,
        finite.size,
        float(finite.min()) if finite.size else 0.0,
        float(finite.max()) if finite.size else 0.0,
        float(np.mean(scaled)) * (largest or 1.0) if finite.size else 0.0,
        largest * float(np.sqrt(np.sum(scaled * scaled))),
        int(finite.size - np.count_nonzero(finite)),
        nans,
        numbers.size - finite.size - nans,
    )


def together(parts: Sequence[Summary]) -> Summary:
    """Summarise several arrays, of which each has a summary, as one; the shape is that of one."""
    count = sum(one.finite for one in parts)
    some = [one for one in parts if one.finite]
    return Summary(
        parts[0].shape,
        count,
        min((one.least for one in some), default=0.0),
        max((one.most for one in some), default=0.0),
        sum(one.mean * (one.finite / count) for one in some),
        math.hypot(*(one.norm for one in some)),
        sum(one.zeros for one in parts),
        sum(one.nans for one in parts),
        sum(one.infinities for one in parts),
    )
