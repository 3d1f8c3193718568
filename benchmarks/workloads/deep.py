"""d. Two hundred layers of width 16, a batch of 8: what an operation on a small array costs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bounds import in_numba
from benchmarks.generated import WORKLOADS, Source, build, graphc
from benchmarks.harness import DTYPES, Case, Contestant, Result, Run, Workload
from benchmarks.peers import Library, casadi_value_and_grad, peers

GRAPH = Source(WORKLOADS / "deep.graph")
WIDTH, LAYERS, BATCH = 16, 200, 8


def case(modules: Path, dtype: str, layers: int) -> Case:
    """Weights that keep the gradient alive through all layers."""
    rng = np.random.default_rng(0)
    params = {}
    for k in range(1, layers + 1):
        W = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
        params[f"layer.{k}.W"] = (1.1 * W).astype(dtype)
        params[f"layer.{k}.b"] = (0.1 * rng.normal(size=WIDTH)).astype(dtype)
    inputs = {name: rng.normal(size=(BATCH, WIDTH)).astype(dtype) for name in ("x", "t")}
    return Case(f"{layers} layers, {dtype}", dtype, params, inputs, modules, {"L": layers})


def cases(modules: Path) -> Sequence[Case]:
    """In two precisions."""
    return [case(modules, dtype, LAYERS) for dtype in DTYPES]


def small(modules: Path) -> Sequence[Case]:
    """Seven layers."""
    return [case(modules, dtype, 7) for dtype in DTYPES]


def naive(case: Case) -> Run:
    """As the formulas are written."""
    p, x, t = case.params, case.inputs["x"], case.inputs["t"]
    layers = range(1, case.dims["L"] + 1)

    def call() -> Result:
        hs = [x]
        for k in layers:
            hs.append(np.tanh(hs[-1] @ p[f"layer.{k}.W"] + p[f"layer.{k}.b"]))
        d = 2 * (hs[-1] - t) / t.size
        g = {}
        for k in reversed(layers):
            d = d * (1 - hs[k] ** 2)
            g[f"layer.{k}.W"], g[f"layer.{k}.b"] = hs[k - 1].T @ d, d.sum(axis=0)
            d = d @ p[f"layer.{k}.W"].T
        return np.mean((hs[-1] - t) ** 2), g

    return call


def optimised(case: Case) -> Run:
    """Features first, so that each layer is one bound product of contiguous arrays, biases
    included; the slopes of all layers at once, and the gradients of all weights in one product."""
    layers, dtype = case.dims["L"], case.dtype
    W = np.stack([case.params[f"layer.{k}.W"] for k in range(1, layers + 1)])
    b = np.stack([case.params[f"layer.{k}.b"] for k in range(1, layers + 1)])
    M = np.ascontiguousarray(np.concatenate([W, b[:, None, :]], axis=1).transpose(0, 2, 1))
    H = np.ones((layers + 1, WIDTH + 1, BATCH), dtype)
    H[0, :-1] = case.inputs["x"].T
    inside = H[1:, :-1]  # the values of all layers, without the ones
    slopes, D = (np.empty((layers, WIDTH, BATCH), dtype) for _ in range(2))
    G = np.empty((layers, WIDTH + 1, WIDTH), dtype)
    t = np.ascontiguousarray(case.inputs["t"].T)
    d = np.empty_like(t)
    forwards = [(M[k].dot, H[k], inside[k]) for k in range(layers)]
    backwards = [(W[k].dot, slopes[k], D[k]) for k in reversed(range(layers))]
    DT, before = D.transpose(0, 2, 1), H[:-1]
    scale, one, flat = np.asarray(2 / t.size, dtype), np.asarray(1, dtype), d.reshape(-1)
    gradients = {}
    for k in range(layers):
        gradients[f"layer.{k + 1}.W"], gradients[f"layer.{k + 1}.b"] = G[k, :-1], G[k, -1]
    tanh, multiply = np.tanh, np.multiply

    def call() -> Result:
        for dot, h, z in forwards:
            dot(h, z)
            tanh(z, z)
        np.subtract(inside[-1], t, out=d)
        value = flat.dot(flat) / t.size
        multiply(d, scale, d)
        multiply(inside, inside, slopes)
        np.subtract(one, slopes, slopes)
        for dot, slope, dz in backwards:
            multiply(d, slope, dz)
            dot(dz, d)
        np.matmul(before, DT, out=G)
        return value, gradients

    return call


def loss(library: Library, p: Any, x: Any, t: Any) -> Any:
    """Over the words of a library."""
    h = x
    for k in range(1, len(p) // 2 + 1):
        h = library.np.tanh(library.dense(h, p[f"layer.{k}.W"], p[f"layer.{k}.b"]))
    return library.np.mean((h - t) ** 2)


def casadi_loss(casadi: Any, p: Any, x: Any, t: Any) -> Any:
    """Over CasADi's matrices."""
    h = x
    for k in range(1, len(p) // 2 + 1):
        bias = casadi.repmat(p[f"layer.{k}.b"].T, x.size1(), 1)
        h = casadi.tanh(casadi.mtimes(h, p[f"layer.{k}.W"]) + bias)
    return casadi.sumsqr(h - t) / (x.size1() * x.size2())


CASADI = partial(casadi_value_and_grad, loss=casadi_loss, symbol="MX")

WORKLOAD = Workload(
    name="d",
    title="d. deep.graph, value and all gradients",
    build=partial(build, GRAPH),
    cases=cases,
    small=small,
    contestants=(
        *graphc(GRAPH, "value_and_grad_loss"),
        Contestant("NumPy naive", naive),
        Contestant("NumPy optimised", optimised),
        Contestant("Numba", in_numba("deep"), needs="numba"),
        *peers(loss),
        Contestant("CasADi", CASADI, needs="casadi", dtypes=("float64",)),
    ),
    reference=naive,
)
