"""The normal distribution, its logarithm and its quantiles, copied into modules as it stands here.

Literals are Python numbers, so that float32 stays float32; no branch overflows or divides by zero
where another is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from graphc.later import Later

if TYPE_CHECKING:
    import numpy as np
else:
    np = Later("numpy")  # that modules need it is no reason for compiling to

from graphc.targets.numpy.runtime.special import _erf, _erfcx, _horner


def _ndtr(x: Any) -> Any:
    """Φ(x), the normal distribution: half of erfc(-x / √2), whose error does not grow in the tail
    since exp(-x²/2) is of x itself."""
    tail = 0.5 * _normal_decay(x) * _erfcx(np.abs(x) * 0.707106781186547524)
    near = 0.5 + 0.5 * _erf(np.minimum(np.maximum(x, -1), 1) * 0.707106781186547524)
    return np.where(np.abs(x) <= 0.67, near, np.where(x < 0, tail, 1 - tail))[()]


def _normal_decay(x: Any) -> Any:
    """exp(-x²/2), of which x is split so that the square of the coarse part is exact."""
    bounded = np.minimum(np.abs(x), 60)
    coarse = np.floor(bounded * 16) / 16
    fine = (coarse - bounded) * (coarse + bounded)
    return np.exp(-0.5 * coarse * coarse) * np.exp(0.5 * fine)


def _log_ndtr(x: Any) -> Any:
    """log Φ(x): in the lower tail without the exponential, in the upper of what is missing to 1."""
    low = np.minimum(x, -1)
    scaled = _erfcx(np.where(np.isinf(low), -1, low) * -0.707106781186547524)
    tail = np.log(0.5 * scaled) - 0.5 * low * low
    high = np.maximum(x, -1)
    above = np.log1p(-_ndtr(-np.maximum(high, 0)))
    between = np.log(_ndtr(np.minimum(high, 0)))
    return np.where(x < -1, tail, np.where(x < 0, between, above))[()]


def _hazard(x: Any) -> Any:
    """φ(x) / Φ(x), the derivative of log Φ."""
    near = 0.398942280401432678 * _normal_decay(x) / _ndtr(np.maximum(x, -4))
    return np.where(x < -3, _hazard_excess(np.minimum(x, -3)) - x, near)[()]


def _hazard_excess(x: Any) -> Any:
    """x + φ(x) / Φ(x); below -3 by Laplace's continued fraction of Mills' ratio (NIST Handbook,
    7.9.1), in which nothing cancels; it begins with what its tails are near."""
    z = np.maximum(-x, 3)
    total = 0.5 * (z + np.hypot(z, 13.564659966250536))
    for k in range(45, 1, -1):
        total = z + k / total
    high = np.maximum(x, -3)
    near = high + 0.398942280401432678 * _normal_decay(high) / _ndtr(high)
    return np.where(x < -3, 1 / total, near)[()]


def _ndtri(p: Any) -> Any:
    """x with Φ(x) = p."""
    return _normal_quantile(p - 0.5, 2 * np.minimum(p, 1 - p))


def _erfinv(x: Any) -> Any:
    """y with erf(y) = x."""
    return 0.707106781186547524 * _normal_quantile(0.5 * x, 1 - np.abs(x))


def _erfcinv(x: Any) -> Any:
    """y with erfc(y) = x."""
    return 0.707106781186547524 * _normal_quantile(0.5 - 0.5 * x, np.minimum(x, 2 - x))


def _normal_quantile(centre: Any, tails: Any) -> Any:
    """x with Φ(x) = 1/2 + centre, and this beyond ±x together; the rational approximations of
    Wichura 1988 (Applied Statistics 37, 477, algorithm AS 241)."""
    inner = 0.180625 - np.minimum(np.abs(centre), 0.425) ** 2
    above = (2509.08092873012267, 33430.5755835881281, 67265.7709270087009, 45921.9539315498715,
             13731.6937655094611, 1971.59095030655144, 133.141667891784377,
             3.38713287279636661)  # fmt: skip
    below = (5226.49527885285456, 28729.0857357219427, 39307.8958000927106, 21213.7943015865959,
             5394.19602142475111, 687.187007492057908, 42.3133307016009113, 1.0)  # fmt: skip
    middle = centre * (_horner(inner, above) / _horner(inner, below))
    bounded = np.where(tails > 0, np.minimum(tails, 0.2), 0.2)
    depth = np.sqrt(0.693147180559945309 - np.log(bounded))
    near = np.minimum(depth, 5) - 1.6
    above = (7.74545014278341407e-4, 0.0227238449892691846, 0.241780725177450612,
             1.27045825245236838, 3.64784832476320461, 5.76949722146069141, 4.63033784615654530,
             1.42343711074968358)  # fmt: skip
    below = (1.05075007164441684e-9, 5.47593808499534495e-4, 0.0151986665636164572,
             0.148103976427480075, 0.689767334985100005, 1.67638483018380385, 2.05319162663775882,
             1.0)  # fmt: skip
    outer = _horner(near, above) / _horner(near, below)
    far = np.maximum(depth, 5) - 5
    above = (2.01033439929228813e-7, 2.71155556874348758e-5, 0.00124266094738807844,
             0.0265321895265761231, 0.296560571828504891, 1.78482653991729134, 5.46378491116411437,
             6.65790464350110378)  # fmt: skip
    below = (2.04426310338993979e-15, 1.42151175831644589e-7, 1.84631831751005468e-5,
             7.86869131145613259e-4, 0.0148753612908506149, 0.136929880922735805,
             0.599832206555887938, 1.0)  # fmt: skip
    size = np.where(depth <= 5, outer, _horner(far, above) / _horner(far, below))
    size = np.where(tails == 0, np.inf, np.where(tails > 0, size, np.nan))
    return np.where(np.abs(centre) <= 0.425, middle, np.where(centre < 0, -size, size))[()]


HELPERS: Mapping[str, Callable[..., Any]] = {
    "ndtr": _ndtr,
    "log_ndtr": _log_ndtr,
    "hazard": _hazard,
    "hazard_excess": _hazard_excess,
    "ndtri": _ndtri,
    "erfinv": _erfinv,
    "erfcinv": _erfcinv,
}
"""What kernels call of this file, by their names for it."""
