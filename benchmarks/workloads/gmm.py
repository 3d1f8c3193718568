"""f. ADBench's Gaussian mixture, 25 clusters and 1,000 points in 10 and 32 dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.adbench import gaussian_mixture
from benchmarks.bounds import bare, product
from benchmarks.generated import WORKLOADS, Source, build, graphc
from benchmarks.harness import DTYPES, Case, Contestant, Result, Run, Workload
from benchmarks.peers import Library, peers

GRAPH = Source(WORKLOADS / "gmm.graph")
FILES = {10: "gmm_d10_K25", 32: "gmm_d32_K25"}
GAMMA, M = 1.0, 0  # of the Wishart prior: the last line of both files, and the graph's constants


def case(modules: Path, size: int, dtype: str, points: int | None = None) -> Case:
    """ADBench's data, or its first points."""
    params, x = gaussian_mixture(FILES[size])
    kept = x[:points].astype(dtype)
    return Case(
        f"d={size} K={len(params['mu'])} n={len(kept):,}, {dtype}",
        dtype,
        {name: array.astype(dtype) for name, array in params.items()},
        {"x": kept, "places": places(size)},  # the second for libraries only
        modules,
    )


def cases(modules: Path) -> Sequence[Case]:
    """Both sets of data, in two precisions."""
    return [case(modules, size, dtype) for dtype in DTYPES for size in FILES]


def small(modules: Path) -> Sequence[Case]:
    """Thirty points in 10 dimensions."""
    return [case(modules, 10, dtype, points=30) for dtype in DTYPES]


def constant(points: int, clusters: int, size: int) -> float:
    """What the objective has beside its parameters: the normalisation, and the prior's."""
    w = size + M + 1
    gamma = 0.25 * size * (size - 1) * math.log(math.pi)
    gamma += sum(math.lgamma(0.5 * (w - j)) for j in range(size))
    prior = clusters * (w * size * (math.log(GAMMA) - 0.5 * math.log(2)) - gamma)
    return -0.5 * points * size * math.log(2 * math.pi) - prior


def columns(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a strictly lower triangle, by columns."""
    column, row = np.triu_indices(size, 1)
    return row, column


def places(size: int) -> np.ndarray:
    """Where each entry of a strictly lower triangle [D, D] stands in its packed form, by columns.

    What is not in the triangle stands behind the end.
    """
    found = np.full((size, size), size * (size - 1) // 2)
    found[columns(size)] = np.arange(size * (size - 1) // 2)
    return found


def logsumexp(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Over the last axis, and its gradient."""
    top = x.max(axis=-1, keepdims=True)
    e = np.exp(x - top)
    total = e.sum(axis=-1, keepdims=True)
    return (top + np.log(total))[..., 0], e / total


def naive(case: Case) -> Run:
    """As the formulas are written."""
    x, size = case.inputs["x"], case.inputs["x"].shape[1]
    alpha, mu, icf = (case.params[name] for name in ("alpha", "mu", "icf"))
    row, column = columns(size)
    rest = constant(len(x), len(mu), size)

    def call() -> Result:
        logdiag, lower = icf[:, :size], icf[:, size:]
        diagonal = np.exp(logdiag)
        Q = np.zeros((len(mu), size, size), case.dtype)
        Q[:, row, column] = lower
        Q[:, range(size), range(size)] = diagonal
        centred = x[:, None, :] - mu
        z = np.einsum("kij,nkj->nki", Q, centred)
        each, r = logsumexp(alpha + logdiag.sum(axis=1) - 0.5 * (z**2).sum(axis=-1))
        whole, weight = logsumexp(alpha)
        prior = 0.5 * GAMMA**2 * ((diagonal**2).sum() + (lower**2).sum()) - M * logdiag.sum()
        value = rest + each.sum() - len(x) * whole + prior

        dz = -r[:, :, None] * z
        dQ = np.einsum("nki,nkj->kij", dz, centred)
        count = r.sum(axis=0)
        d_logdiag = count[:, None] - M + (dQ[:, range(size), range(size)]) * diagonal
        d_icf = np.empty_like(icf)
        d_icf[:, :size] = d_logdiag + GAMMA**2 * diagonal**2
        d_icf[:, size:] = dQ[:, row, column] + GAMMA**2 * lower
        d_mu = -np.einsum("kij,nki->kj", Q, dz)
        return value, {"alpha": count - len(x) * weight, "mu": d_mu, "icf": d_icf}

    return call


def optimised(case: Case) -> Run:
    """One product for all clusters: Q (x - mu) = Q x - Q mu, and back in the same way."""
    x, dtype = case.inputs["x"], case.dtype
    alpha, mu, icf = (case.params[name] for name in ("alpha", "mu", "icf"))
    (n, size), k = x.shape, len(mu)
    row, column = columns(size)
    below, diagonal_at = row * size + column, np.arange(size) * (size + 1)
    rest = constant(n, k, size)
    Q = np.zeros((k, size, size), dtype)
    flatQ, rows = Q.reshape(k, -1), Q.reshape(k * size, size)
    z = np.empty((n, k * size), dtype)
    z3, xT = z.reshape(n, k, size), x.T
    logp, dQ = np.empty((n, k), dtype), np.empty((size, k * size), dtype)
    d_icf, d_alpha, d_mu = np.empty_like(icf), np.empty_like(alpha), np.empty_like(mu)
    ones, half, minus = np.ones(n, dtype), np.asarray(-0.5, dtype), np.asarray(-1, dtype)
    logdiag, lower = icf[:, :size], icf[:, size:]

    def call() -> Result:
        diagonal = np.exp(logdiag)
        flatQ[:, below] = lower
        flatQ[:, diagonal_at] = diagonal
        offset = np.matmul(Q, mu[:, :, None]).reshape(-1)
        np.dot(x, rows.T, out=z)
        np.subtract(z, offset, out=z)
        np.einsum("nki,nki->nk", z3, z3, out=logp)
        np.multiply(logp, half, out=logp)
        np.add(logp, alpha + logdiag.sum(axis=1), out=logp)
        top = logp.max(axis=1, keepdims=True)
        np.subtract(logp, top, out=logp)
        np.exp(logp, out=logp)
        total = logp.sum(axis=1, keepdims=True)
        np.divide(logp, total, out=logp)
        np.log(total, out=total)
        whole, weight = logsumexp(alpha)
        prior = 0.5 * GAMMA**2 * (np.vdot(diagonal, diagonal) + np.vdot(lower, lower))
        value = rest + (top.sum() + total.sum()) - n * whole + prior - M * logdiag.sum()

        np.multiply(z3, logp[:, :, None], out=z3)
        np.dot(xT, z, out=dQ)
        sums = ones.dot(z).reshape(k, size)
        count = ones.dot(logp)
        np.multiply(weight, -n, out=d_alpha)
        np.add(d_alpha, count, out=d_alpha)
        np.matmul(sums[:, None, :], Q, out=d_mu[:, None, :])
        slope = dQ.reshape(size, k, size).transpose(1, 2, 0) - sums[:, :, None] * mu[:, None, :]
        flat = np.multiply(slope, minus, out=slope).reshape(k, -1)
        np.add(GAMMA**2 * lower, flat[:, below], out=d_icf[:, size:])
        own = (flat[:, diagonal_at] + GAMMA**2 * diagonal) * diagonal
        np.add(own, count[:, None] - M, out=d_icf[:, :size])
        return value, {"alpha": d_alpha, "mu": d_mu, "icf": d_icf}

    return call


def products(case: Case) -> Run:
    """Two: of all points and all clusters, forward and back to the matrices of the clusters."""
    x, k = case.inputs["x"], len(case.params["mu"])
    rows = np.ones((k * x.shape[1], x.shape[1]), case.dtype)
    forward = product(x, rows.T)
    return bare([forward, product(x.T, forward[-1])])


def loss(library: Library, p: Any, x: Any, places: Any) -> Any:
    """Over the words of a library."""
    np_, (n, size) = library.np, x.shape
    logdiag, lower = p["icf"][:, :size], p["icf"][:, size:]
    diagonal = np_.exp(logdiag)
    centred = x[:, None, :] - p["mu"]
    z = diagonal * centred + np_.einsum("kij,nkj->nki", library.spread(lower, places), centred)
    logp = p["alpha"] + np_.sum(logdiag, axis=1) - 0.5 * np_.sum(z * z, axis=-1)
    whole = library.logsumexp(p["alpha"], 0)
    prior = 0.5 * GAMMA**2 * (np_.sum(diagonal**2) + np_.sum(lower**2)) - M * np_.sum(logdiag)
    found = np_.sum(library.logsumexp(logp, 1)) - n * whole + prior
    return found + constant(n, len(p["mu"]), size)


WORKLOAD = Workload(
    name="f",
    title="f. gmm.graph, ADBench's Gaussian mixture, value and all gradients",
    build=partial(build, GRAPH),
    cases=cases,
    small=small,
    contestants=(
        *graphc(GRAPH, "value_and_grad_err"),
        Contestant("NumPy naive", naive),
        Contestant("NumPy optimised", optimised),
        Contestant("bare products", products, bound=True),
        *peers(loss),
    ),
    reference=naive,
)
