"""Places on a line: as near to where each wants to be as order and distances allow."""

from __future__ import annotations

from collections.abc import Sequence


def spread(
    wanted: Sequence[float], weights: Sequence[float], widths: Sequence[float], gap: float
) -> list[float]:
    """Return the middles of things in a row that minimise the weighted squares of their moves.

    Least squares under an order, by pooling neighbours that violate it (Ayer et al. 1955).

    >>> spread([0, 0], [1, 1], [10, 10], 2)
    [-6.0, 6.0]
    """
    starts: list[float] = []
    at = 0.0
    for place, width in enumerate(widths):
        at += width / 2 + (gap + widths[place - 1] / 2 if place else -width / 2)
        starts.append(at)
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for want, weight, start in zip(wanted, weights, starts, strict=True):
        mean, total, number = want - start, weight, 1
        while pools and pools[-1][0] > mean:
            other, heavy, more = pools.pop()
            mean = (mean * total + other * heavy) / (total + heavy)
            total, number = total + heavy, number + more
        pools.append((mean, total, number))
    means = [mean for mean, _, number in pools for _ in range(number)]
    return [mean + start for mean, start in zip(means, starts, strict=True)]
