"""What special functions compute, by SciPy, and by definition for complex steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special
from sampling import Entry, on

SHAPES = ("[]", "[4]", "[2, 3]", "[N]", "int[3]")
USES = tuple(on(type) for type in SHAPES)
ORDERS = tuple(
    on(type, f"{n}, a", n=n) for n, type in ((0, "[4]"), (1, "[]"), (2, "[2, 3]"), (3, "[N]"))
)


def _phi(x: Any) -> Any:
    return (1 + scipy.special.erf(x / 2**0.5)) / 2


def _by_newton(f: Any, slope: Any, start: Any) -> Any:
    """The inverse of an analytic function: one complex step of Newton's from the real inverse."""

    def inverse(x: Any) -> Any:
        y = start(x.real)
        return y - (f(y) - x) / slope(y)

    return inverse


def _density(x: Any) -> Any:
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def _bessel(x: Any, n: int) -> Any:
    """J_n by the trapezoidal rule over angles (NIST Handbook, 10.9.2)."""
    angles = (np.arange(80) + 0.5) * (np.pi / 80)
    return np.mean(np.cos(np.asarray(x)[..., None] * np.sin(angles) - n * angles), axis=-1)


def _scaled(n: int) -> Any:
    """exp(-|x|) I_n, analytic on either side of 0."""
    return lambda x: np.exp(np.where(x.real < 0, x, -x)) * scipy.special.iv(n, x)


def _lower_gamma(a: Any, x: Any) -> Any:
    """The power series (NIST Handbook, 8.7.1)."""
    terms = [np.exp(k * np.log(x) - scipy.special.loggamma(a + k + 1)) for k in range(60)]
    return np.exp(a * np.log(x) - x) * sum(terms)


def _incomplete_beta(a: Any, b: Any, x: Any) -> Any:
    """The hypergeometric series (NIST Handbook, 8.17.8)."""
    total, term = 0, 1
    for k in range(300):
        total = total + term
        term = term * (a + b + k) / (a + 1 + k) * x
    gammas = [scipy.special.loggamma(one) for one in (a + b, a + 1, b)]
    return np.exp(a * np.log(x) + b * np.log(1 - x) + gammas[0] - gammas[1] - gammas[2]) * total


PAIRS = (("[]", "[]"), ("[3]", "[3]"), ("[2, 1]", "[1, 3]"), ("[N]", "[]"))
TRIPLES = (("[]", "[3]", "[2, 3]"), ("[]", "[2]", "[]"), ("[N]", "[]", "[N]"))
TWO = tuple(on(types, "a, b") for types in PAIRS)
THREE = tuple(on(types, "a, b, c") for types in TRIPLES)

SPECIAL: dict[str, Entry] = {
    "ndtr": Entry(scipy.special.ndtr, calls=USES, analytic=_phi),
    "log_ndtr": Entry(scipy.special.log_ndtr, calls=USES),
    "ndtri": Entry(
        scipy.special.ndtri,
        (0.05, 0.98),
        calls=USES[:4],
        analytic=_by_newton(_phi, _density, scipy.special.ndtri),
    ),
    "erfinv": Entry(
        scipy.special.erfinv,
        (-0.9, 0.9),
        calls=USES,
        analytic=_by_newton(
            scipy.special.erf,
            lambda y: 2 * _density(2**0.5 * y) * 2**0.5,
            scipy.special.erfinv,
        ),
    ),
    "erfcinv": Entry(
        scipy.special.erfcinv,
        (0.1, 1.9),
        calls=USES,
        analytic=_by_newton(
            lambda y: 1 - scipy.special.erf(y),
            lambda y: -2 * _density(2**0.5 * y) * 2**0.5,
            scipy.special.erfcinv,
        ),
    ),
    "j0": Entry(lambda x: scipy.special.jv(0, x), (-9, 12), USES, analytic=lambda x: _bessel(x, 0)),
    "j1": Entry(lambda x: scipy.special.jv(1, x), (-9, 12), USES, analytic=lambda x: _bessel(x, 1)),
    "jv": Entry(lambda x, n: scipy.special.jv(n, x), (-9, 12), ORDERS, analytic=_bessel),
    "i0": Entry(lambda x: scipy.special.iv(0, x), (-9, 12), USES),
    "i1": Entry(lambda x: scipy.special.iv(1, x), (-9, 12), USES),
    "iv": Entry(lambda x, n: scipy.special.iv(n, x), (-9, 12), ORDERS),
    "i0e": Entry(
        lambda x: scipy.special.ive(0, x),
        (0.5, 12),
        USES,
        analytic=_scaled(0),
    ),
    "i1e": Entry(
        lambda x: scipy.special.ive(1, x),
        (0.5, 12),
        USES,
        analytic=_scaled(1),
    ),
    "k0": Entry(lambda x: scipy.special.kv(0, x), (0.3, 9), USES),
    "k1": Entry(lambda x: scipy.special.kv(1, x), (0.3, 9), USES),
    "gammainc": Entry(scipy.special.gammainc, (0.3, 4), TWO[1:], analytic=_lower_gamma),
    "gammaincc": Entry(
        scipy.special.gammaincc, (0.3, 4), TWO[1:3], analytic=lambda a, x: 1 - _lower_gamma(a, x)
    ),
    "betainc": Entry(scipy.special.betainc, (0.2, 0.85), THREE[:2], analytic=_incomplete_beta),
    "kv": Entry(lambda x, n: scipy.special.kv(n, x), (0.3, 9), ORDERS),
}
