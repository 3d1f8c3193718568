"""c. Sixteen residual blocks of width 256, a batch of 64."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bounds import bare, layers
from benchmarks.by_hand import with_bias
from benchmarks.generated import WORKLOADS, Source, build, graphc
from benchmarks.harness import DTYPES, Case, Contestant, Result, Run, Workload
from benchmarks.peers import Library, peers

GRAPH = Source(WORKLOADS / "resblocks.graph")
WIDTH, BLOCKS = 256, 16


def case(modules: Path, batch: int, dtype: str, width: int, blocks: int) -> Case:
    """Weights that keep the size of the values; `width` and `blocks` are fixed in the module."""
    rng = np.random.default_rng(0)
    params = {}
    for k in range(1, blocks + 1):
        for name in ("up", "down"):
            W, b = rng.normal(size=(width, width)), rng.normal(size=width)
            params[f"layer.{k}.{name}.W"] = (0.5 * W / width**0.5).astype(dtype)
            params[f"layer.{k}.{name}.b"] = (0.1 * b).astype(dtype)
    inputs = {name: rng.normal(size=(batch, width)).astype(dtype) for name in ("x", "t")}
    sizes = {"D": width, "L": blocks}
    return Case(f"batch {batch}, {dtype}", dtype, params, inputs, modules, sizes)


def cases(modules: Path) -> Sequence[Case]:
    """A batch of 64, in two precisions."""
    return [case(modules, 64, dtype, WIDTH, BLOCKS) for dtype in DTYPES]


def small(modules: Path) -> Sequence[Case]:
    """Three narrow blocks."""
    return [case(modules, 4, dtype, 8, 3) for dtype in DTYPES]


def naive(case: Case) -> Run:
    """As the formulas are written."""
    p, x, t = case.params, case.inputs["x"], case.inputs["t"]
    layers = [f"layer.{k}" for k in range(1, case.dims["L"] + 1)]

    def call() -> Result:
        h, saved = x, []
        for layer in layers:
            up = np.maximum(h @ p[f"{layer}.up.W"] + p[f"{layer}.up.b"], 0)
            saved.append((layer, h, up))
            h = h + up @ p[f"{layer}.down.W"] + p[f"{layer}.down.b"]
        d = 2 * (h - t) / h.size
        g = {}
        for layer, before, up in reversed(saved):
            g[f"{layer}.down.W"], g[f"{layer}.down.b"] = up.T @ d, d.sum(axis=0)
            du = (d @ p[f"{layer}.down.W"].T) * (up > 0)
            g[f"{layer}.up.W"], g[f"{layer}.up.b"] = before.T @ du, du.sum(axis=0)
            d = d + du @ p[f"{layer}.up.W"].T
        return np.mean((h - t) ** 2), g

    return call


def optimised(case: Case) -> Run:
    """[W; b] in one buffer, a column of ones, and arrays that stay."""
    (batch, width), dtype = case.inputs["x"].shape, case.dtype
    blocks, t = case.dims["L"], case.inputs["t"]
    weights, gradients, steps = [], {}, []
    H = np.ones((blocks + 1, batch, width + 1), dtype)  # values before each block, and ones
    U = np.ones((blocks, batch, width + 1), dtype)  # values inside
    H[0, :, :-1] = case.inputs["x"]
    for k in range(blocks):
        for name in ("up", "down"):
            path = f"layer.{k + 1}.{name}"
            matrix = with_bias(case.params[f"{path}.W"], case.params[f"{path}.b"])
            slope = np.empty_like(matrix)
            weights.append((matrix, slope))
            gradients[f"{path}.W"], gradients[f"{path}.b"] = slope[:-1], slope[-1]
        (up, d_up), (down, d_down) = weights[-2:]
        after = H[k + 1, :, :-1]
        steps.append((H[k], H[k, :, :-1], U[k], U[k, :, :-1], after, up, d_up, down, d_down))
    d, du, back = (np.empty((batch, width), dtype) for _ in range(3))
    mask = np.empty((batch, width), bool)
    last = H[-1, :, :-1]
    scale = np.asarray(2 / d.size, dtype)
    flat = d.reshape(-1)

    def call() -> Result:
        for before, h, inside, u, after, up, _, down, _ in steps:
            np.matmul(before, up, out=u)
            np.maximum(u, 0, out=u)
            np.matmul(inside, down, out=after)
            np.add(after, h, out=after)
        np.subtract(last, t, out=d)
        value = flat.dot(flat) / d.size
        np.multiply(d, scale, out=d)
        for before, _, inside, u, _, up, d_up, down, d_down in reversed(steps):
            np.matmul(inside.T, d, out=d_down)
            np.matmul(d, down[:-1].T, out=du)
            np.greater(u, 0, out=mask)
            np.multiply(du, mask, out=du)
            np.matmul(before.T, du, out=d_up)
            np.matmul(du, up[:-1].T, out=back)
            np.add(d, back, out=d)
        return value, gradients

    return call


def products(case: Case) -> Run:
    """Those of a chain of as many layers: what goes around a block costs none."""
    weights = [matrix for path, matrix in case.params.items() if path.endswith(".W")]
    return bare(layers(case.inputs["x"], weights))


def loss(library: Library, p: Any, x: Any, t: Any) -> Any:
    """Over the words of a library."""
    h = x
    for k in range(1, len(p) // 4 + 1):
        up = library.relu(library.dense(h, p[f"layer.{k}.up.W"], p[f"layer.{k}.up.b"]))
        h = h + library.dense(up, p[f"layer.{k}.down.W"], p[f"layer.{k}.down.b"])
    return library.np.mean((h - t) ** 2)


WORKLOAD = Workload(
    name="c",
    title="c. resblocks.graph, value and all gradients",
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
