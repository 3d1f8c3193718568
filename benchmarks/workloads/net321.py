"""a. A network 3-2-1, one sample: what it costs to call at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bounds import in_numba
from benchmarks.by_hand import sigmoid
from benchmarks.generated import WORKLOADS, Source, build, graphc
from benchmarks.harness import DTYPES, Case, Contestant, Result, Run, Workload
from benchmarks.peers import Library, casadi_value_and_grad, peers

GRAPH = Source(WORKLOADS / "net321.graph")
SHAPES = {"W1": (2, 3), "b1": (2,), "W2": (1, 2), "b2": (1,)}


def cases(modules: Path) -> Sequence[Case]:
    """One sample, in two precisions."""
    rng = np.random.default_rng(0)
    params = {path: rng.normal(size=shape) for path, shape in SHAPES.items()}
    inputs = {"x": rng.normal(size=3), "t": rng.uniform(size=1)}
    return [
        Case(
            f"one sample, {dtype}",
            dtype,
            {path: array.astype(dtype) for path, array in params.items()},
            {name: array.astype(dtype) for name, array in inputs.items()},
            modules,
        )
        for dtype in DTYPES
    ]


def naive(case: Case) -> Run:
    """As the formulas are written."""
    W1, b1, W2, b2 = (case.params[path] for path in SHAPES)
    x, t = case.inputs["x"], case.inputs["t"]

    def call() -> Result:
        a1 = sigmoid(W1 @ x + b1)
        a2 = sigmoid(W2 @ a1 + b2)
        d2 = (a2 - t) * a2 * (1 - a2)
        d1 = (W2.T @ d2) * a1 * (1 - a1)
        gradients = {"W1": np.outer(d1, x), "b1": d1, "W2": np.outer(d2, a1), "b2": d2}
        return np.sum((a2 - t) ** 2) / 2, gradients

    return call


def optimised(case: Case) -> Run:
    """Python's floats; the gradients are views of one vector, written at once."""
    W1, b1, W2, b2 = (case.params[path] for path in SHAPES)
    x, t = case.inputs["x"], case.inputs["t"]
    vector = np.empty(11, case.dtype)
    gradients = {
        "W1": vector[:6].reshape(2, 3), "b1": vector[6:8],
        "W2": vector[8:10].reshape(1, 2), "b2": vector[10:],
    }  # fmt: skip
    exp = math.exp

    def call() -> Result:
        (w00, w01, w02), (w10, w11, w12) = W1.tolist()
        c0, c1 = b1.tolist()
        v0, v1 = W2[0].tolist()
        x0, x1, x2 = x.tolist()
        a0 = 1 / (1 + exp(-(w00 * x0 + w01 * x1 + w02 * x2 + c0)))
        a1 = 1 / (1 + exp(-(w10 * x0 + w11 * x1 + w12 * x2 + c1)))
        y = 1 / (1 + exp(-(v0 * a0 + v1 * a1 + b2.item())))
        r = y - t.item()
        d = r * y * (1 - y)
        d0 = d * v0 * a0 * (1 - a0)
        d1 = d * v1 * a1 * (1 - a1)
        vector[:] = (
            d0 * x0, d0 * x1, d0 * x2, d1 * x0, d1 * x1, d1 * x2, d0, d1, d * a0, d * a1, d,
        )  # fmt: skip
        return 0.5 * r * r, gradients

    return call


def loss(library: Library, p: Any, x: Any, t: Any) -> Any:
    """Over the words of a library."""
    a1 = library.sigmoid(p["W1"] @ x + p["b1"])
    a2 = library.sigmoid(p["W2"] @ a1 + p["b2"])
    return library.np.sum((a2 - t) ** 2) / 2


def casadi_loss(casadi: Any, p: Any, x: Any, t: Any) -> Any:
    """Over CasADi's scalars."""
    a1 = 1 / (1 + casadi.exp(-(p["W1"] @ x + p["b1"])))
    a2 = 1 / (1 + casadi.exp(-(p["W2"] @ a1 + p["b2"])))
    return casadi.sumsqr(a2 - t) / 2


CASADI = partial(casadi_value_and_grad, loss=casadi_loss, symbol="SX")

WORKLOAD = Workload(
    name="a",
    title="a. net321.graph, value and all gradients",
    build=partial(build, GRAPH),
    cases=cases,
    small=cases,
    contestants=(
        *graphc(GRAPH, "value_and_grad_loss"),
        Contestant("NumPy naive", naive),
        Contestant("NumPy optimised", optimised),
        Contestant("Numba", in_numba("net"), needs="numba"),
        *peers(loss),
        Contestant("CasADi", CASADI, needs="casadi", dtypes=("float64",)),
    ),
    reference=naive,
)
