"""b. A perceptron 784-128-64-10 with cross-entropy, batches of 32 and 256."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bounds import bare, layers
from benchmarks.by_hand import cross_entropy, with_bias, with_ones
from benchmarks.generated import WORKLOADS, Source, build, graphc
from benchmarks.harness import DTYPES, Case, Contestant, Result, Run, Workload
from benchmarks.peers import Library, peers

GRAPH = Source(WORKLOADS / "mlp.graph")
LAYERS = ("l1", "l2", "logits")
WIDTHS = (784, 128, 64, 10)


def case(modules: Path, batch: int, dtype: str) -> Case:
    """Random pixels and labels."""
    rng = np.random.default_rng(0)
    params = {}
    for layer, rows, columns in zip(LAYERS, WIDTHS, WIDTHS[1:], strict=False):
        params[f"{layer}.W"] = (rng.normal(size=(rows, columns)) / rows**0.5).astype(dtype)
        params[f"{layer}.b"] = (0.1 * rng.normal(size=columns)).astype(dtype)
    inputs = {
        "x": rng.uniform(size=(batch, WIDTHS[0])).astype(dtype),
        "label": rng.integers(0, WIDTHS[-1], batch),
    }
    return Case(f"batch {batch}, {dtype}", dtype, params, inputs, modules)


def cases(modules: Path) -> Sequence[Case]:
    """Two batches, in two precisions."""
    return [case(modules, batch, dtype) for dtype in DTYPES for batch in (32, 256)]


def small(modules: Path) -> Sequence[Case]:
    """A batch of 5."""
    return [case(modules, 5, dtype) for dtype in DTYPES]


def naive(case: Case) -> Run:
    """As the formulas are written."""
    p, x, label = case.params, case.inputs["x"], case.inputs["label"]

    def call() -> Result:
        h1 = np.maximum(x @ p["l1.W"] + p["l1.b"], 0)
        h2 = np.maximum(h1 @ p["l2.W"] + p["l2.b"], 0)
        value, d3 = cross_entropy(h2 @ p["logits.W"] + p["logits.b"], label)
        d2 = (d3 @ p["logits.W"].T) * (h2 > 0)
        d1 = (d2 @ p["l2.W"].T) * (h1 > 0)
        return value, {
            "l1.W": x.T @ d1, "l1.b": d1.sum(axis=0),
            "l2.W": h1.T @ d2, "l2.b": d2.sum(axis=0),
            "logits.W": h2.T @ d3, "logits.b": d3.sum(axis=0),
        }  # fmt: skip

    return call


def optimised(case: Case) -> Run:
    """[W; b] in one buffer, so that the products include the biases; everything is written into
    arrays that stay, and the gradients are views of them."""
    label, batch, dtype = case.inputs["label"], len(case.inputs["x"]), case.dtype
    x = with_ones(case.inputs["x"])
    M1, M2, M3 = (with_bias(case.params[f"{k}.W"], case.params[f"{k}.b"]) for k in LAYERS)
    G1, G2, G3 = (np.empty_like(matrix) for matrix in (M1, M2, M3))
    H1, H2 = (np.ones((batch, width + 1), dtype) for width in WIDTHS[1:3])
    h1, h2 = H1[:, :-1], H2[:, :-1]  # without the column of ones
    d1, d2, d3 = (np.empty((batch, width), dtype) for width in WIDTHS[1:])
    m1, m2 = (np.empty((batch, width), bool) for width in WIDTHS[1:3])
    W2T, W3T = M2[:-1].T, M3[:-1].T
    xT, H1T, H2T = x.T, H1.T, H2.T
    ones, total = np.ones(WIDTHS[-1], dtype), np.empty(batch, dtype)
    chosen = np.arange(batch) * WIDTHS[-1] + label
    share = np.asarray(1 / batch, dtype)
    flat = d3.reshape(-1)
    gradients = {}
    for layer, matrix in zip(LAYERS, (G1, G2, G3), strict=True):
        gradients[f"{layer}.W"], gradients[f"{layer}.b"] = matrix[:-1], matrix[-1]

    def call() -> Result:
        np.matmul(x, M1, out=h1)
        np.maximum(h1, 0, out=h1)
        np.matmul(H1, M2, out=h2)
        np.maximum(h2, 0, out=h2)
        np.matmul(H2, M3, out=d3)
        np.subtract(d3, d3.max(axis=1, keepdims=True), out=d3)
        at_label = flat[chosen]
        np.exp(d3, out=d3)
        np.dot(d3, ones, out=total)
        value = (np.log(total) - at_label).sum() * share
        np.divide(share, total, out=total)
        np.multiply(d3, total[:, None], out=d3)
        flat[chosen] -= share
        np.matmul(H2T, d3, out=G3)
        np.matmul(d3, W3T, out=d2)
        np.greater(h2, 0, out=m2)
        np.multiply(d2, m2, out=d2)
        np.matmul(H1T, d2, out=G2)
        np.matmul(d2, W2T, out=d1)
        np.greater(h1, 0, out=m1)
        np.multiply(d1, m1, out=d1)
        np.matmul(xT, d1, out=G1)
        return value, gradients

    return call


def products(case: Case) -> Run:
    """Eight: three forward, five back, since nobody asks for the gradient by x."""
    return bare(layers(case.inputs["x"], [case.params[f"{layer}.W"] for layer in LAYERS]))


def loss(library: Library, p: Any, x: Any, label: Any) -> Any:
    """Over the words of a library."""
    h = library.relu(library.dense(x, p["l1.W"], p["l1.b"]))
    h = library.relu(library.dense(h, p["l2.W"], p["l2.b"]))
    return library.cross_entropy(library.dense(h, p["logits.W"], p["logits.b"]), label)


WORKLOAD = Workload(
    name="b",
    title="b. mlp.graph, value and all gradients",
    build=partial(build, GRAPH),
    cases=cases,
    small=small,
    contestants=(
        *graphc(GRAPH, "value_and_grad_loss"),
        Contestant("NumPy naive", naive),
        Contestant("NumPy optimised", optimised),
        Contestant("bare products", products, bound=True),
        *peers(loss),
    ),
    reference=naive,
)
