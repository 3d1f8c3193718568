"""What NumPy lacks and a generated module may need, copied into it as it stands here.

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


def _horner(x: Any, coefficients: tuple[float, ...]) -> Any:
    """The polynomial with these coefficients, the highest first."""
    total: Any = coefficients[0]
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


def _erf(x: Any) -> Any:
    """The error function (Cody 1969, Math. Comp. 23, 631: the rational approximations)."""
    inner = np.minimum(np.abs(x), 0.5) ** 2
    above = (0.185777706184603153, 3.16112374387056560, 113.864154151050156, 377.485237685302021,
             3209.37758913846947)  # fmt: skip
    below = (1.0, 23.6012909523441209, 244.024637934444173, 1282.61652607737228,
             2844.23683343917062)  # fmt: skip
    near = x * (_horner(inner, above) / _horner(inner, below))
    return np.where(np.abs(x) <= 0.46875, near, np.sign(x) * (1 - _erftail(np.abs(x))))[()]


def _erfc(x: Any) -> Any:
    """1 - erf(x), accurate where that is small."""
    tail = _erftail(np.abs(x))
    return np.where(x > 0.46875, tail, np.where(x < -0.46875, 2 - tail, 1 - _erf(x)))[()]


def _erftail(x: Any) -> Any:
    """1 - erf(x) for x > 0.46875; exp(-x * x) is split so that x * x is exact."""
    bounded = np.minimum(x, 30)
    coarse = np.floor(bounded * 16) / 16
    decay = np.exp(-coarse * coarse) * np.exp((coarse - bounded) * (coarse + bounded))
    return decay * _erfcx(x)


def _erfcx(x: Any) -> Any:
    """exp(x²) (1 - erf(x)) for x > 0.46875 (Cody 1969: the rational approximations)."""
    inner = np.minimum(np.maximum(x, 0.46875), 4)
    above = (2.15311535474403846e-8, 0.564188496988670089, 8.88314979438837594, 66.1191906371416295,
             298.635138197400131, 881.952221241769090, 1712.04761263407058, 2051.07837782607147,
             1230.33935479799725)  # fmt: skip
    below = (1.0, 15.7449261107098347, 117.693950891312499, 537.181101862009858,
             1621.38957456669019, 3290.79923573345963, 4362.61909014324716, 3439.36767414372164,
             1230.33935480374942)  # fmt: skip
    middle = _horner(inner, above) / _horner(inner, below)
    outer = np.maximum(x, 4)
    square = 1 / outer / outer
    high = (0.0163153871373020978, 0.305326634961232344, 0.360344899949804439,
             0.125781726111229246, 0.0160837851487422766, 6.58749161529837803e-4)  # fmt: skip
    low = (1.0, 2.56852019228982242, 1.87295284992346725, 0.527905102951428412,
             0.0605183413124413191, 0.00233520497626869185)  # fmt: skip
    ratio = _horner(square, high) / _horner(square, low)
    far = (0.564189583547756287 - square * ratio) / outer
    return np.where(x <= 4, middle, far)


def _lgamma(x: Any) -> Any:
    """log|Γ(x)|: Stirling's series above 8, Γ(x + 1) = x Γ(x) below, reflection below 0
    (NIST Handbook, 5.11.1, 5.5.1, 5.5.3)."""
    y = np.where(x < 0, 1 - x, x)
    low = np.where(y < 8, y, 1)
    shift = low * (low + 1) * (low + 2) * (low + 3) * (low + 4) * (low + 5) * (low + 6) * (low + 7)
    z = np.where(y < 8, low + 8, y)
    square = 1 / z / z
    series = _horner(square, (1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360,
                              1 / 12)) / z  # fmt: skip
    stirling = (z - 0.5) * (np.log(z) - 1) + (0.418938533204672742 + series)
    value = stirling - np.where(y < 8, np.log(shift), 0)
    negative = np.minimum(x, 0)
    fraction = np.where(x < 0, negative - np.round(negative), 0.5)
    mirrored = 1.14472988584940017 - np.log(np.abs(np.sin(np.pi * fraction))) - value
    return np.where(x < 0, mirrored, value)[()]


def _digamma(x: Any) -> Any:
    """The derivative of log Γ(x), by the derivatives of the same formulas (NIST, 5.11.2, 5.5.2)."""
    y = np.where(x < 0, 1 - x, x)
    low = np.where(y < 8, y, 1)
    shift = sum(1 / (low + k) for k in range(8))
    z = np.where(y < 8, low + 8, y)
    square = 1 / z / z
    series = square * _horner(square, (1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120,
                                       1 / 12))  # fmt: skip
    value = np.log(z) - 0.5 / z - series - np.where(y < 8, shift, 0)
    negative = np.minimum(x, 0)
    fraction = np.where(x < 0, negative - np.round(negative), 0.5)
    return np.where(x < 0, value - np.pi / np.tan(np.pi * fraction), value)[()]


def _polygamma(x: Any, n: int) -> Any:
    """The n-th derivative of digamma for n ≥ 1: (-1)^(n+1) n! ζ(n + 1, x), the sum summed by
    Euler and Maclaurin after 12 terms (NIST, 25.11.5); reflection below 0 (NIST, 5.15.6)."""
    y = np.where(x < 0, 1 - x, x)
    z = y + 12
    total = sum((y + k) ** -(n + 1.0) for k in range(12)) + z ** -float(n) * (1 / n + 0.5 / z)
    factor = (n + 1) / z ** (n + 2.0)  # of B(2j) / (2j)!: s (s + 1) … (s + 2j - 2) / z^(s + 2j - 1)
    bernoulli = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000,
                 1 / 74724249600)  # fmt: skip
    for j, number in zip(range(7), bernoulli, strict=True):
        total = total + number * factor
        factor = factor * ((n + 2 * j + 2) * (n + 2 * j + 3)) / z / z
    for k in range(1, n + 1):
        total = total * -k
    value = -total
    negative = np.minimum(x, 0)
    cotangent = 1 / np.tan(np.pi * np.where(x < 0, negative - np.round(negative), 0.5))
    slope = [0.0, 1.0]  # of cot, as a polynomial in cot: its derivative is -(1 + cot²)
    for _ in range(n):
        inner = [k * slope[k] for k in range(1, len(slope))]
        slope = [-a - b for a, b in zip([*inner, 0.0, 0.0], [0.0, 0.0, *inner], strict=True)]
    mirrored = (-1.0) ** n * value - np.pi ** (n + 1) * _horner(cotangent, tuple(slope[::-1]))
    return np.where(x < 0, mirrored, value)[()]


def _recurrence(a: Any, b: Any, axis: int) -> Any:
    """y with y[t] = a[t] * y[t - 1] + b[t] along an axis, in log₂ n steps over all of it
    (Hillis and Steele 1986): each doubles the length of the pieces that are composed."""
    scale = np.moveaxis(a, axis, -1).copy()
    total = np.moveaxis(b, axis, -1).copy()
    for power in range(int(total.shape[-1]).bit_length()):
        step = 2**power
        total[..., step:] += scale[..., step:] * total[..., :-step]
        scale[..., step:] = scale[..., step:] * scale[..., :-step]
    return np.moveaxis(total, -1, axis)


def _scatter(values: Any, indices: Any, axis: int, shape: tuple[int, ...]) -> Any:
    """Zeros to which each position is added where its indices say, of axes from one on."""
    total = np.zeros(shape, values.dtype)
    np.add.at(total.reshape(-1), _flat_places(indices, axis, shape), values.reshape(-1))
    return total


def _largest_at(values: Any, indices: Any, axis: int, shape: tuple[int, ...]) -> Any:
    """Of the positions of an axis the largest that each index names, -inf where none does."""
    found = np.full(shape, -np.inf, values.dtype)
    np.maximum.at(found.reshape(-1), _flat_places(indices, axis, shape), values.reshape(-1))
    return found


def _smallest_at(values: Any, indices: Any, axis: int, shape: tuple[int, ...]) -> Any:
    """Of the positions of an axis the smallest that each index names, inf where none does."""
    return -_largest_at(-values, indices, axis, shape)


def _flat_places(indices: Any, axis: int, shape: tuple[int, ...]) -> Any:
    """Where in an array of this shape the elements go that indices name of axes from one on: one by
    one, since the `at` of a ufunc is several times slower on rows."""
    named = indices if isinstance(indices, tuple) else (indices,)
    rows: Any = 0
    for n, one in zip(shape[axis:], named, strict=False):
        rows = rows * n + np.arange(n)[one]  # counted from the front, and inside
    after = axis + len(named)
    length = int(np.prod(shape[axis:after], dtype=np.int64))
    inner = int(np.prod(shape[after:], dtype=np.int64))
    outer = np.arange(int(np.prod(shape[:axis], dtype=np.int64)))[:, None, None]
    return ((outer * length + np.reshape(rows, (-1, 1))) * inner + np.arange(inner)).reshape(-1)


def _overlap(
    windows: Any, shape: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Any:
    """Zeros to which every window is added where it was taken: the transpose of taking them."""
    total: Any = np.zeros(shape, windows.dtype)
    counts = windows.shape[-2 * len(stride) : -len(stride)]
    for place in np.ndindex(windows.shape[-len(stride) :]):
        starts = [p * d for p, d in zip(place, dilation, strict=True)]
        ranges = zip(starts, counts, stride, strict=True)
        total[(..., *(np.s_[i : i + n * s : s] for i, n, s in ranges))] += windows[(..., *place)]
    return total


HELPERS: Mapping[str, Callable[..., Any]] = {
    "erf": _erf,
    "erfc": _erfc,
    "lgamma": _lgamma,
    "digamma": _digamma,
    "polygamma": _polygamma,
    "recurrence": _recurrence,
    "largest_at": _largest_at,
    "smallest_at": _smallest_at,
}
"""What kernels call that NumPy lacks, by their names for it."""
