"""The incomplete gamma and beta functions and their derivatives by the parameters, copied into
modules as they stand here.

The smaller of both tails is an integral over how far, in logarithms or in shares, a point lies
beyond x. Its integrand decreases as an exponential, so the trapezoidal rule in s with
v = exp(s - exp(-s)) finds all digits in a hundred points (Takahasi and Mori 1974). Derivatives
by a parameter are the same integral of polynomials in log t: complete Bell polynomials of the
derivatives of the logarithm of the density (Comtet 1974, 3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from graphc.later import Later

if TYPE_CHECKING:
    import numpy as np
else:
    np = Later("numpy")  # that modules need it is no reason for compiling to

from graphc.targets.numpy.runtime.special import _digamma, _horner, _lgamma, _polygamma


def _gammainc(a: Any, x: Any) -> Any:
    """P(a, x), the lower regularized incomplete gamma function."""
    tail = _gamma_tail(a, x, 0)
    value = np.where(x <= np.maximum(a, 1), tail, 1 - tail)
    return _gamma_ends(value, a, x, 0, 1)


def _gammaincc(a: Any, x: Any) -> Any:
    """1 - P(a, x)."""
    tail = _gamma_tail(a, x, 0)
    value = np.where(x <= np.maximum(a, 1), 1 - tail, tail)
    return _gamma_ends(value, a, x, 1, 0)


def _gammainc_by_a(a: Any, x: Any, n: int) -> Any:
    """The n-th derivative of P(a, x) by a."""
    tail = _gamma_tail(a, x, n)
    return _gamma_ends(np.where(x <= np.maximum(a, 1), tail, -tail), a, x, 0, 0)


def _gamma_ends(value: Any, a: Any, x: Any, first: float, last: float) -> Any:
    """What is at x = 0 and at infinity; nan where x < 0 or a ≤ 0."""
    found = np.where(x == 0, first, np.where(np.isinf(x), last, value))
    return np.where((x >= 0) & (a > 0), found, np.nan)[()]


def _gamma_tail(a: Any, x: Any, n: int) -> Any:
    """The n-th derivative by a of P(a, x) where x ≤ a or x ≤ 1, else of 1 - P(a, x): of
    ∫ t^(a-1) e^-t dt / Γ(a) with t = x e^-v below and x (1 + v) above.

    Below 1 it comes from what it is at a + 1 (NIST Handbook, 8.8.5): towards 0 the integral has
    ever longer tails."""
    a, x = _alike(a, x)
    x = np.where((x > 0) & (x < np.inf), x, 1)
    a = np.where(a > 0, a, 1)
    lower = x <= np.maximum(a, 1)
    raised = lower & (a < 1)
    a = a + raised
    above = np.maximum(np.maximum(x - a + 1, 0), np.sqrt(0.5 * a) / x)
    width = 1 / np.where(lower, np.abs(x - a) + np.sqrt(0.5 * x), above)
    slope = np.log(x) - _digamma(a)
    bends = [-_polygamma(a, k) for k in range(1, n)]
    total: Any = 0 * x * a
    for node in range(-38, _last_node(np.where(lower, a, x) * width)):
        v, weight = _node(node)
        v = v * width
        inside = np.expm1(-v)
        outside = np.log1p(v)
        decay = np.exp(np.where(lower, -a * v - x * inside, (a - 1) * outside - x * v))
        terms = [slope + np.where(lower, -v, outside), *bends]
        total = total + weight * decay * (_bell(terms, n) if n else 1)
    at_once = np.where(raised, _bell([slope, *bends], n) if n else 1, 0 * x)
    return (total * width * x + at_once) * _gamma_density(a, x)


def _alike(*numbers: Any) -> Any:
    """Arrays of the dtype that they have together: numbers of Python have none."""
    dtype = np.result_type(*numbers)
    return [np.asarray(one, dtype) for one in numbers]


def _last_node(rate: Any) -> int:
    """Before which point exp(-rate v) has vanished for the smallest of these rates."""
    least = max(float(np.min(rate, initial=1)), 1e-30)
    last = 0
    while _node(last)[0] * least < 45:
        last += 1
    return last


def _node(number: int) -> tuple[float, float]:
    """A point v = exp(s - exp(-s)) of the trapezoidal rule in steps of s, and its weight."""
    s, e = 0.1 * number, 2.71828182845904524
    point: float = e ** (s - e**-s)
    return point, 0.1 * point * (1 + e**-s)


def _choose(n: int, k: int) -> int:
    """The binomial coefficient."""
    found = 1
    for i in range(k):
        found = found * (n - i) // (i + 1)
    return found


def _bell(terms: Any, n: int) -> Any:
    """The n-th complete Bell polynomial: the n-th derivative of f over f, from those of log f."""
    found: Any = [1]
    for k in range(n):
        found.append(sum(_choose(k, j) * found[k - j] * terms[j] for j in range(k + 1)))
    return found[n]


def _gamma_density(a: Any, x: Any) -> Any:
    """x^(a-1) e^-x / Γ(a), by how far x is from a (Temme 1996, Special Functions, 11.2.4)."""
    a, x = _alike(a, x)
    inside = np.where((x > 0) & (x < np.inf), x, 1)
    positive = np.where(a > 0, a, 1)
    apart = _log_less((inside - positive) / positive, inside / positive)
    size = np.sqrt(positive / (2 * np.pi)) / _gamma_star(positive)
    value = np.exp(positive * apart - np.log(inside)) * size
    at_zero = np.where(a < 1, np.inf, np.where(a == 1, 1, 0 * positive))
    value = np.where(x == 0, at_zero, np.where(np.isinf(x), 0, value))
    return np.where((x >= 0) & (a > 0), value, np.nan)[()]


def _gamma_star(a: Any) -> Any:
    """Γ(a) over Stirling's √(2π) a^(a-1/2) e^-a."""
    high, low = np.maximum(a, 10), np.minimum(a, 10)
    square = 1 / high / high
    series = _horner(square, (-691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12))
    direct = _lgamma(low) - (low - 0.5) * np.log(low) + (low - 0.918938533204672742)
    return np.exp(np.where(a < 10, direct, series / high))


def _log_less(u: Any, whole: Any) -> Any:
    """log(1 + u) - u for whole = 1 + u; near 0 by the series of artanh r with r = u / (2 + u)."""
    near = np.minimum(np.maximum(u, -0.6), 0.6)
    r = near / (2 + near)
    odd = [2 / (2 * k + 1) for k in range(22, 0, -1)]
    series = _horner(r * r, tuple(odd)) * r * r * r - near * r
    return np.where(np.abs(u) <= 0.6, series, np.log(whole) - u)


def _betainc(a: Any, b: Any, x: Any) -> Any:
    """I_x(a, b), the regularized incomplete beta function."""
    tail = _beta_tail(a, b, x, 0, 0)
    value = np.where(x * (a + b) <= a, tail, 1 - tail)
    return _beta_ends(value, a, b, x, 1)


def _betainc_by(a: Any, b: Any, x: Any, i: int, j: int) -> Any:
    """The derivative of I_x(a, b), i times by a and j times by b."""
    tail = _beta_tail(a, b, x, i, j)
    return _beta_ends(np.where(x * (a + b) <= a, tail, -tail), a, b, x, 0)


def _beta_ends(value: Any, a: Any, b: Any, x: Any, last: float) -> Any:
    """What is at x = 0 and at x = 1; nan outside, and where a ≤ 0 or b ≤ 0."""
    found = np.where(x == 0, 0, np.where(x == 1, last, value))
    return np.where((x >= 0) & (x <= 1) & (a > 0) & (b > 0), found, np.nan)[()]


def _beta_tail(a: Any, b: Any, x: Any, i: int, j: int) -> Any:
    """The derivatives by a and b of I_x(a, b) where x is below the mean, else of 1 - I_x(a, b): of
    ∫ t^(a-1) (1-t)^(b-1) dt / B(a, b), where t or 1 - t is x e^-v or (1 - x) e^-v.

    Where a is below 1 it comes from what it is at a + 1, of the other tail where b is from that at
    b + 1 (NIST Handbook, 8.17.20): towards 0 the integral has ever longer tails."""
    a, b, x = _alike(a, b, x)
    x = np.where((x > 0) & (x < 1), x, 0.5)
    a, b = np.where(a > 0, a, 1), np.where(b > 0, b, 1)
    lower = x * (a + b) <= a
    near, far = np.where(lower, x, 1 - x), np.where(lower, 1 - x, x)
    whole, raised = a + b, np.where(lower, a, b) < 1
    a, b = a + (raised & lower), b + (raised & ~lower)
    rate, other = np.where(lower, a, b), np.where(lower, b, a)
    odds = near / far
    fall = np.maximum(rate - (other - 1) * odds, 0)
    curve = np.maximum(other - 1, 0) * odds * (1 + odds)
    width = 1 / (fall + np.sqrt(0.5 * curve))
    cumulants = _beta_cumulants(a, b, a + b, i, j)

    def bells(cumulants: dict[tuple[int, int], Any], here: Any, there: Any) -> Any:
        first = {(1, 0): np.where(lower, here, there), (0, 1): np.where(lower, there, here)}
        terms = {key: value + first.get(key, 0) for key, value in cumulants.items()}
        return _bells(terms, i, j) if i + j else 1

    total: Any = 0 * x * a * b
    for node in range(-38, _last_node(rate * width)):
        v, weight = _node(node)
        v = v * width
        beyond = np.log1p(-odds * np.expm1(-v))
        decay = np.exp((other - 1) * beyond - rate * v)
        total = total + weight * decay * bells(cumulants, np.log(near) - v, np.log(far) + beyond)
    at_once = bells(_beta_cumulants(a, b, whole, i, j), np.log(near), np.log(far))
    density = _beta_density(a, b, x)
    return total * width * near * density + np.where(raised, density / whole, 0 * x) * far * at_once


def _beta_cumulants(a: Any, b: Any, whole: Any, i: int, j: int) -> dict[tuple[int, int], Any]:
    """The derivatives of log Γ(whole) / Γ(a) / Γ(b), by how often by a and by b: `whole` goes with
    both."""
    found: dict[tuple[int, int], Any] = {}
    for p in range(i + 1):
        for q in range(j + 1):
            if p + q:
                found[p, q] = _polygamma_of(whole, p + q - 1)
            if p and not q:
                found[p, q] = found[p, q] - _polygamma_of(a, p - 1)
            if q and not p:
                found[p, q] = found[p, q] - _polygamma_of(b, q - 1)
    return found


def _polygamma_of(x: Any, n: int) -> Any:
    return _polygamma(x, n) if n else _digamma(x)


def _bells(terms: dict[tuple[int, int], Any], i: int, j: int) -> Any:
    """The complete Bell polynomial of two variables: the derivative of f over f."""
    found: dict[tuple[int, int], Any] = {(0, 0): 1}
    for q in range(1, j + 1):
        found[0, q] = sum(
            _choose(q - 1, s) * found[0, q - 1 - s] * terms[0, s + 1] for s in range(q)
        )
    for p in range(1, i + 1):
        for q in range(j + 1):
            found[p, q] = sum(
                _choose(p - 1, r) * _choose(q, s) * found[p - 1 - r, q - s] * terms[r + 1, s]
                for r in range(p)
                for s in range(q + 1)
            )
    return found[i, j]


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    """x^(a-1) (1-x)^(b-1) / B(a, b), by how far x is from a / (a + b)."""
    a, b, x = _alike(a, b, x)
    inside = np.where((x > 0) & (x < 1), x, 0.5)
    a, b = np.where(a > 0, a, np.nan), np.where(b > 0, b, np.nan)
    n = a + b
    other = 1 - inside
    apart = a * _log_less((n * inside - a) / a, n * inside / a)
    apart = apart + b * _log_less((n * other - b) / b, n * other / b)
    size = np.sqrt(a / n * b / (2 * np.pi)) * _gamma_star(n) / (_gamma_star(a) * _gamma_star(b))
    value = np.exp(apart - np.log(inside)) * size / other
    at_zero = np.where(a < 1, np.inf, np.where(a == 1, b, 0))
    at_one = np.where(b < 1, np.inf, np.where(b == 1, a, 0))
    value = np.where(x == 0, at_zero, np.where(x == 1, at_one, value))
    return np.where((x >= 0) & (x <= 1) & (n > 0), value, np.nan)[()]


HELPERS: Mapping[str, Callable[..., Any]] = {
    "gammainc": _gammainc,
    "gammaincc": _gammaincc,
    "gammainc_by_a": _gammainc_by_a,
    "gamma_density": _gamma_density,
    "betainc": _betainc,
    "betainc_by": _betainc_by,
    "beta_density": _beta_density,
}
"""What kernels call of this file, by their names for it."""
