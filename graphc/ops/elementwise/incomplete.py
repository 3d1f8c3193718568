"""The incomplete gamma and beta functions, with derivatives by their parameters of any order.

Their values come from `graphc.targets.numpy.runtime.incomplete`, which is copied into modules. What
an integral over t up to x has as derivative by x is its integrand, the density; derivatives by the
parameters are integrals again, of polynomials in log t.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import comb
from typing import Any

from graphc.ir.graph import Node, Op
from graphc.ir.kernel import Attr, Elementwise, X, Y, Z
from graphc.ops.define.families import Partial, all_to_float, elementwise
from graphc.ops.elementwise.arithmetic import one_for_zero, plus
from graphc.ops.elementwise.elementary import log
from graphc.ops.elementwise.special import polygamma_of

Partials = Callable[..., tuple[Partial, ...]]


def _declare(
    name: str, signature: str, partials: Partials, doc: str, kernel: Elementwise | None = None
) -> Op:
    return elementwise(
        name,
        kernel=kernel or Elementwise(name),
        partials=partials,
        signature=signature,
        prepare=all_to_float,
        flops=3000,
        public=kernel is None and "density" not in name,
        doc=doc,
    )


def _sum(terms: Sequence[Node]) -> Node:
    return reduce(plus, terms)


# ---- the gamma function ----------------------------------------------------------------------


def _gamma_slopes(a: Node, x: Node, n: int) -> list[Node]:
    """Return the first n derivatives of the logarithm of the density by a."""
    first = log(one_for_zero(x)) - polygamma_of(a, 0)
    return [first, *(-polygamma_of(a, k) for k in range(1, n))]


def _bell(terms: Sequence[Node], n: int) -> Any:
    """Return the n-th derivative of f over f, from those of log f (Comtet 1974, 3.3)."""
    found: list[Any] = [1]
    for k in range(n):
        products = [comb(k, j) * terms[j] * found[k - j] for j in range(k + 1)]
        found.append(_sum(products))
    return found[n]


def _gamma_density_partials(y: Node, a: Node, x: Node) -> tuple[Partial, Partial]:
    return y * _gamma_slopes(a, x, 1)[0], y * ((a - 1) / one_for_zero(x) - 1)


_gamma_density: Op = _declare(
    "gamma_density", "a, x", _gamma_density_partials, "x^(a-1) exp(-x) / Γ(a)."
)


def _by_a_partials(y: Node, a: Node, x: Node, n: int) -> tuple[Partial, Partial]:
    slope = _gamma_density(a, x) * _bell(_gamma_slopes(a, x, n), n)
    return _gammainc_by_a(a, x, n=n + 1), slope


_gammainc_by_a: Op = _declare(
    "gammainc_by_a",
    "a, x",
    _by_a_partials,
    "The n-th derivative of gammainc by a.",
    Elementwise("gammainc_by_a", X, Y, Attr("n")),
)
gammainc: Op = _declare(
    "gammainc",
    "a, x",
    lambda y, a, x: (_gammainc_by_a(a, x, n=1), _gamma_density(a, x)),
    "The regularized lower incomplete gamma function, the integral of t^(a-1) exp(-t) / Γ(a) up"
    " to x.",
)
gammaincc: Op = _declare(
    "gammaincc",
    "a, x",
    lambda y, a, x: (-_gammainc_by_a(a, x, n=1), -_gamma_density(a, x)),
    "1 - gammainc(a, x), accurate where that is small and a is not.",
)


# ---- the beta function -----------------------------------------------------------------------


def _beta_slopes(a: Node, b: Node, x: Node, i: int, j: int) -> dict[tuple[int, int], Node]:
    """Return the derivatives of the logarithm of the density by a and b, by how often by each."""
    found: dict[tuple[int, int], Node] = {}
    for p in range(i + 1):
        for q in range(j + 1):
            if p + q:
                found[p, q] = polygamma_of(a + b, p + q - 1)
            if p and not q:
                found[p, q] = found[p, q] - polygamma_of(a, p - 1)
            if q and not p:
                found[p, q] = found[p, q] - polygamma_of(b, q - 1)
    if i:
        found[1, 0] = found[1, 0] + log(one_for_zero(x))
    if j:
        found[0, 1] = found[0, 1] + log(one_for_zero(1 - x))
    return found


def _bells(terms: dict[tuple[int, int], Node], i: int, j: int) -> Any:
    """Return the derivative of f, i times and j times, over f, from those of log f."""
    found: dict[tuple[int, int], Any] = {(0, 0): 1}
    for p in range(i + 1):
        for q in range(j + 1):
            if p:
                found[p, q] = _sum([
                    comb(p - 1, r) * comb(q, s) * terms[r + 1, s] * found[p - 1 - r, q - s]
                    for r in range(p)
                    for s in range(q + 1)
                ])  # fmt: skip
            elif q:
                found[p, q] = _sum([
                    comb(q - 1, s) * terms[0, s + 1] * found[0, q - 1 - s] for s in range(q)
                ])  # fmt: skip
    return found[i, j]


def _beta_density_partials(y: Node, a: Node, b: Node, x: Node) -> tuple[Partial, ...]:
    slopes = _beta_slopes(a, b, x, 1, 1)
    along = (a - 1) / one_for_zero(x) - (b - 1) / one_for_zero(1 - x)
    return y * slopes[1, 0], y * slopes[0, 1], y * along


_beta_density: Op = _declare(
    "beta_density", "a, b, x", _beta_density_partials, "x^(a-1) (1-x)^(b-1) / B(a, b)."
)


def _betainc_by_partials(y: Node, a: Node, b: Node, x: Node, i: int, j: int) -> tuple[Partial, ...]:
    slope = _beta_density(a, b, x) * _bells(_beta_slopes(a, b, x, i, j), i, j)
    return _betainc_by(a, b, x, i=i + 1, j=j), _betainc_by(a, b, x, i=i, j=j + 1), slope


_betainc_by: Op = _declare(
    "betainc_by",
    "a, b, x",
    _betainc_by_partials,
    "The derivative of betainc, i times by a and j times by b.",
    Elementwise("betainc_by", X, Y, Z, Attr("i"), Attr("j")),
)
betainc: Op = _declare(
    "betainc",
    "a, b, x",
    lambda y, a, b, x: (
        _betainc_by(a, b, x, i=1, j=0),
        _betainc_by(a, b, x, i=0, j=1),
        _beta_density(a, b, x),
    ),
    "The regularized incomplete beta function, the integral of t^(a-1) (1-t)^(b-1) / B(a, b) up"
    " to x.",
)
