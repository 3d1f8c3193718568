"""The integrals of the incomplete gamma and beta functions, whose length JAX cannot ask of numbers:
the same rule as in the NumPy target, in a loop of `lax`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from graphc.targets.numpy.runtime.incomplete import (
    _alike,
    _bell,
    _bells,
    _beta_cumulants,
    _beta_density,
    _gamma_density,
    _node,
)
from graphc.targets.numpy.runtime.special import _digamma, _polygamma


def _integrated(term: Callable[[Any], Any], rate: Any, nothing: Any) -> Any:
    """Σ weight · term(v) over the points of the trapezoidal rule in s with v = exp(s - exp(-s)),
    until exp(-rate v) has vanished for the smallest rate."""
    table = [_node(number) for number in range(-38, 740)]
    points, weights = (jnp.array(column, nothing.dtype) for column in zip(*table, strict=True))
    least = jnp.maximum(jnp.min(rate, initial=1), 1e-30)
    count = jnp.sum(points * least < 45)

    def add(place: Any, total: Any) -> Any:
        return total + weights[place] * term(points[place])

    return lax.fori_loop(0, count, add, nothing)


def _gamma_tail(a: Any, x: Any, n: int) -> Any:
    """The n-th derivative by a of P(a, x) where x ≤ a or x ≤ 1, else of 1 - P(a, x): of
    ∫ t^(a-1) e^-t dt / Γ(a) with t = x e^-v below and x (1 + v) above.

    Below 1 it comes from what it is at a + 1 (NIST Handbook, 8.8.5)."""
    a, x = _alike(a, x)
    x = jnp.where((x > 0) & (x < jnp.inf), x, 1)
    a = jnp.where(a > 0, a, 1)
    lower = x <= jnp.maximum(a, 1)
    raised = lower & (a < 1)
    a = a + raised
    above = jnp.maximum(jnp.maximum(x - a + 1, 0), jnp.sqrt(0.5 * a) / x)
    width = 1 / jnp.where(lower, jnp.abs(x - a) + jnp.sqrt(0.5 * x), above)
    slope = jnp.log(x) - _digamma(a)
    bends = [-_polygamma(a, k) for k in range(1, n)]

    def term(node: Any) -> Any:
        v = node * width
        outside = jnp.log1p(v)
        decay = jnp.exp(jnp.where(lower, -a * v - x * jnp.expm1(-v), (a - 1) * outside - x * v))
        return decay * _bell([slope + jnp.where(lower, -v, outside), *bends], n)

    total = _integrated(term, jnp.where(lower, a, x) * width, 0 * x * a)
    at_once = jnp.where(raised, _bell([slope, *bends], n), 0 * x)
    return (total * width * x + at_once) * _gamma_density(a, x)


def _beta_tail(a: Any, b: Any, x: Any, i: int, j: int) -> Any:
    """The derivatives by a and b of I_x(a, b) where x is below the mean, else of 1 - I_x(a, b): of
    ∫ t^(a-1) (1-t)^(b-1) dt / B(a, b), where t or 1 - t is x e^-v or (1 - x) e^-v.

    Where a is below 1 it comes from what it is at a + 1, of the other tail where b is from that at
    b + 1 (NIST Handbook, 8.17.20)."""
    a, b, x = _alike(a, b, x)
    x = jnp.where((x > 0) & (x < 1), x, 0.5)
    a, b = jnp.where(a > 0, a, 1), jnp.where(b > 0, b, 1)
    lower = x * (a + b) <= a
    near, far = jnp.where(lower, x, 1 - x), jnp.where(lower, 1 - x, x)
    whole, raised = a + b, jnp.where(lower, a, b) < 1
    a, b = a + (raised & lower), b + (raised & ~lower)
    rate, other = jnp.where(lower, a, b), jnp.where(lower, b, a)
    odds = near / far
    fall = jnp.maximum(rate - (other - 1) * odds, 0)
    curve = jnp.maximum(other - 1, 0) * odds * (1 + odds)
    width = 1 / (fall + jnp.sqrt(0.5 * curve))
    cumulants = _beta_cumulants(a, b, a + b, i, j)

    def bells(cumulants: dict[tuple[int, int], Any], here: Any, there: Any) -> Any:
        first = {(1, 0): jnp.where(lower, here, there), (0, 1): jnp.where(lower, there, here)}
        terms = {key: value + first.get(key, 0) for key, value in cumulants.items()}
        return _bells(terms, i, j)

    def term(node: Any) -> Any:
        v = node * width
        beyond = jnp.log1p(-odds * jnp.expm1(-v))
        decay = jnp.exp((other - 1) * beyond - rate * v)
        return decay * bells(cumulants, jnp.log(near) - v, jnp.log(far) + beyond)

    total = _integrated(term, rate * width, 0 * x * a * b)
    at_once = bells(_beta_cumulants(a, b, whole, i, j), jnp.log(near), jnp.log(far))
    density = _beta_density(a, b, x)
    once = jnp.where(raised, density / whole, 0 * x) * far * at_once
    return total * width * near * density + once
