"""Special functions in units in the last place, over their domains, against many digits.

The errors are those that are promised. Of J between its zeros, and at them, the unit is that of the
amplitude with which it oscillates.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from sampling import DTYPES

from graphc.targets.numpy.runtime.lacking import HELPERS

EXACTLY = mpmath.mp.clone()
EXACTLY.dps = 40
Exact = Callable[[Any], Any]


def phi(x: Any) -> Any:
    return EXACTLY.exp(-x * x / 2) / EXACTLY.sqrt(2 * EXACTLY.pi)


def distribution(x: Any) -> Any:
    return EXACTLY.erfc(-x / EXACTLY.sqrt(2)) / 2


def log_distribution(x: Any) -> Any:
    return EXACTLY.log(distribution(x)) if x < 0 else EXACTLY.log1p(-distribution(-x))


def quantile(p: Any) -> Any:
    """Newton's method for the logarithm of the tail, from its first term."""
    if p > 0.5:
        return -quantile(1 - p)
    x = -EXACTLY.sqrt(max(-2 * EXACTLY.log(p) - EXACTLY.log(4 - 2 * EXACTLY.log(p)), 0))
    for _ in range(60):
        step = (log_distribution(x) - EXACTLY.log(p)) * distribution(x) / phi(x)
        x -= step
        if abs(step) < 1e-30:
            break
    return x


def between(*bounds: float) -> np.ndarray:
    """Points between the first two bounds, and between the next two, and so on."""
    rng = np.random.default_rng(3)
    pairs = zip(bounds[::2], bounds[1::2], strict=True)
    return np.concatenate([rng.uniform(low, high, 15) for low, high in pairs])


def decades(low: float, high: float) -> np.ndarray:
    return 10 ** between(low, high)


REAL = np.concatenate([between(-37, 8, -3, 3, -1, 1), -decades(1.5, 6), decades(-30, -1)])
SHARES = np.concatenate([between(0, 1, 0.4, 0.6), decades(-300, -1)])
AXIS = np.concatenate([between(0, 8, 0, 3, 8, 40), decades(-12, 4)])
CASES: dict[str, tuple[Exact, np.ndarray, float]] = {
    "ndtr": (distribution, REAL, 6),
    "log_ndtr": (log_distribution, REAL, 6),
    "hazard": (lambda x: phi(x) / distribution(x), REAL, 7),
    "hazard_excess": (lambda x: x + phi(x) / distribution(x), REAL[REAL > -1e3], 60),
    "ndtri": (quantile, SHARES, 6),
    "erfinv": (lambda x: EXACTLY.erfinv(x), between(-1, 1, -0.1, 0.1), 6),
    "erfcinv": (lambda x: -quantile(x / 2) / EXACTLY.sqrt(2), 2 * SHARES, 6),
}
BESSEL: dict[str, tuple[Callable[[int, Any], Any], float]] = {
    "bessel_j": (EXACTLY.besselj, 7),
    "bessel_i": (EXACTLY.besseli, 16),
    "bessel_ie": (lambda n, x: EXACTLY.besseli(n, x) * EXACTLY.exp(-x), 12),
    "bessel_k": (EXACTLY.besselk, 10),
}


def normal(values: np.ndarray, dtype: str) -> np.ndarray:
    """Where numbers have all their digits in a dtype."""
    limits = np.finfo(dtype)
    return (np.abs(values) > 4 * limits.tiny) & (np.abs(values) < limits.max / 4)


def error(found: np.ndarray, exact: list[Any], size: np.ndarray, dtype: str) -> float:
    """The largest error, in the spacing of the dtype at a size; without what does not fit there."""
    rounded = np.array([float(one) for one in exact])
    limits = np.finfo(dtype)
    held = np.clip(size, limits.tiny, limits.max / 4).astype(dtype)
    units = np.spacing(held).astype(float)
    rows = zip(found, exact, units, normal(rounded, dtype), strict=True)
    return max(
        float(abs(EXACTLY.mpf(float(value)) - right) / unit)
        for value, right, unit, fits in rows
        if fits
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_units_in_the_last_place(name: str, dtype: str) -> None:
    exactly, points, most = CASES[name]
    x = points.astype(dtype)
    x = x[normal(x, dtype)]
    exact = [exactly(EXACTLY.mpf(float(one))) for one in x]
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        found = HELPERS[name](x)
    assert found.dtype == dtype
    assert error(found, exact, np.abs([float(one) for one in exact]), dtype) < most


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("name", BESSEL)
def test_bessel_functions_in_units_in_the_last_place(name: str, n: int, dtype: str) -> None:
    exactly, most = BESSEL[name]
    x = AXIS[:: 1 if n < 2 else 2].astype(dtype)
    x = x[x < {"bessel_j": 2e3, "bessel_i": 80, "bessel_ie": 2e3, "bessel_k": 80}[name]]
    exact = [exactly(n, EXACTLY.mpf(float(one))) for one in x]
    with np.errstate(over="ignore"):
        found = HELPERS[name](x, n)
    assert found.dtype == dtype
    size = np.abs([float(one) for one in exact])
    if name == "bessel_j":
        wave = np.minimum(np.sqrt(2 / (np.pi * x.astype(float))), 1)
        size = np.where(x > n, wave, size)
    assert error(found, exact, size, dtype) < most
    sign = -1 if n % 2 else 1
    if name != "bessel_k":
        np.testing.assert_array_equal(HELPERS[name](-x, n), sign * found)


GAMMA: dict[str, Callable[[Any, Any], Any]] = {
    "gammainc": lambda a, x: EXACTLY.gammainc(a, 0, x, regularized=True),
    "gammaincc": lambda a, x: EXACTLY.gammainc(a, x, regularized=True),
    "gamma_density": lambda a, x: EXACTLY.exp((a - 1) * EXACTLY.log(x) - x - EXACTLY.loggamma(a)),
}


def smaller_gamma(a: Any, x: Any) -> Callable[[Any], Any]:
    """P, or minus Q where that is smaller, as a function of the first parameter."""
    if x < a:
        return lambda one: EXACTLY.gammainc(one, 0, x, regularized=True)
    return lambda one: -EXACTLY.gammainc(one, x, regularized=True)


def smaller_beta(a: Any, b: Any, x: Any) -> Callable[[Any, Any], Any]:
    if x * (a + b) < a:
        return lambda p, q: EXACTLY.betainc(p, q, 0, x, regularized=True)
    return lambda p, q: -EXACTLY.betainc(q, p, 0, 1 - x, regularized=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [0.1, 3.0, 30.0, 300.0])
def test_the_incomplete_gamma_function(scale: float, dtype: str) -> None:
    """Values, density, and derivatives by the parameter, within six standard deviations."""
    rng = np.random.default_rng(4)
    a = (scale * rng.uniform(0.5, 3, 9)).astype(dtype)
    x = np.abs(a + np.sqrt(a) * rng.uniform(-6, 6, 9)).astype(dtype)
    pairs = [(EXACTLY.mpf(float(s)), EXACTLY.mpf(float(t))) for s, t in zip(a, x, strict=True)]
    for name, exactly in GAMMA.items():
        found = HELPERS[name](a, x)
        exact = [exactly(*pair) for pair in pairs]
        assert found.dtype == dtype
        assert error(found, exact, np.abs([float(one) for one in exact]), dtype) < 300
    for n in (1, 2):
        found = HELPERS["gammainc_by_a"](a[:4], x[:4], n)
        exact = [EXACTLY.diff(smaller_gamma(*pair), pair[0], n) for pair in pairs[:4]]
        assert error(found, exact, np.abs([float(one) for one in exact]), dtype) < 3000


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smallest", [1e-30, 1e-12, 1e-3])
def test_the_incomplete_gamma_function_of_small_parameters(smallest: float, dtype: str) -> None:
    a = np.array([smallest, smallest, smallest, 0.1, 0.1], dtype)
    x = np.array([1e-30, 0.1, 1.0, 1e-36, 0.5], dtype)
    pairs = [(EXACTLY.mpf(float(s)), EXACTLY.mpf(float(t))) for s, t in zip(a, x, strict=True)]
    exact = [GAMMA["gammainc"](*pair) for pair in pairs]
    assert error(HELPERS["gammainc"](a, x), exact, np.abs([*map(float, exact)]), dtype) < 300
    with EXACTLY.workdps(60):
        step = [a * EXACTLY.mpf(10) ** -12 for a, _ in pairs]
        sides = [
            GAMMA["gammainc"](a + h, x) - GAMMA["gammainc"](a - h, x)
            for (a, x), h in zip(pairs, step, strict=True)
        ]
        exact = [side / (2 * h) for side, h in zip(sides, step, strict=True)]
    found = HELPERS["gammainc_by_a"](a, x, 1)
    assert error(found, exact, np.abs([*map(float, exact)]), dtype) < 300


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [0.01, 0.3, 3.0, 30.0])
def test_the_incomplete_beta_function(scale: float, dtype: str) -> None:
    rng = np.random.default_rng(4)
    a, b = (scale * rng.uniform(0.5, 3, (2, 9))).astype(dtype)
    x = rng.uniform(0.02, 0.98, 9).astype(dtype)
    rows = [tuple(EXACTLY.mpf(float(one)) for one in row) for row in np.stack([a, b, x], axis=1)]
    exact = [EXACTLY.betainc(p, q, 0, t, regularized=True) for p, q, t in rows]
    found = HELPERS["betainc"](a, b, x)
    assert found.dtype == dtype
    assert error(found, exact, np.abs([float(one) for one in exact]), dtype) < 1000
    exact = [t ** (p - 1) * (1 - t) ** (q - 1) / EXACTLY.beta(p, q) for p, q, t in rows]
    found = HELPERS["beta_density"](a, b, x)
    assert error(found, exact, np.abs([float(one) for one in exact]), dtype) < 1000
    for order in ((1, 0), (0, 1), (1, 1)):
        found = HELPERS["betainc_by"](a[:3], b[:3], x[:3], *order)
        exact = [EXACTLY.diff(smaller_beta(*row), row[:2], order) for row in rows[:3]]
        assert error(found, exact, np.abs([float(one) for one in exact]), dtype) < 5000


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smallest", [1e-30, 1e-12, 1e-3])
def test_the_incomplete_beta_function_of_small_parameters(smallest: float, dtype: str) -> None:
    """One of them, the other, or both; on both sides of the mean."""
    a = np.array([smallest, 2.0, smallest, smallest, 0.5], dtype)
    b = np.array([2.0, smallest, 2 * smallest, 3 * smallest, smallest], dtype)
    x = np.array([0.3, 0.9, 0.2, 0.7, 1e-9], dtype)
    rows = [tuple(EXACTLY.mpf(float(one)) for one in row) for row in np.stack([a, b, x], axis=1)]
    with EXACTLY.workdps(90):
        tails = [smaller_beta(*row) for row in rows]
        step = EXACTLY.mpf(10) ** -15

        def along(row: Any, tail: Any, by_a: bool) -> Any:
            h = (row[0] if by_a else row[1]) * step
            ways = [(p * h, 0) if by_a else (0, p * h) for p in (1, -1)]
            ahead, behind = (tail(row[0] + p, row[1] + q) for p, q in ways)
            return (ahead - behind) / (2 * h)

        exact = [EXACTLY.betainc(p, q, 0, t, regularized=True) for p, q, t in rows]
        slopes = [[along(*pair, way) for pair in zip(rows, tails, strict=True)]
                  for way in (True, False)]  # fmt: skip
    assert error(HELPERS["betainc"](a, b, x), exact, np.abs([*map(float, exact)]), dtype) < 300
    for order, right in (((1, 0), slopes[0]), ((0, 1), slopes[1])):
        found = HELPERS["betainc_by"](a, b, x, *order)
        assert error(found, right, np.abs([*map(float, right)]), dtype) < 300


def test_bessel_functions_at_the_ends() -> None:
    ends = np.array([0.0, 1e-200, 1e200, math.inf, math.nan])
    with np.errstate(under="ignore", over="ignore"):
        np.testing.assert_array_equal(HELPERS["bessel_j"](ends, 3)[[0, 3, 4]], [0, 0, math.nan])
        np.testing.assert_array_equal(HELPERS["bessel_ie"](ends, 2)[[0, 3, 4]], [0, 0, math.nan])
        np.testing.assert_array_equal(HELPERS["bessel_i"](ends, 2)[[0, 2]], [0, math.inf])
        found = HELPERS["bessel_i"](np.array([713.9, -713.9]), 1)
        np.testing.assert_array_equal(HELPERS["bessel_k"](ends, 2)[[0, 2, 3]], [math.inf, 0, 0])
    exact = float(mpmath.besseli(1, mpmath.mpf(713.9)))
    np.testing.assert_allclose(found, [exact, -exact], rtol=1e-14)
