"""Gradients by example: what each of a batch contributes to those of all parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.by_hand import cross_entropy
from benchmarks.generated import WORKLOADS, Source, build, graphc
from benchmarks.harness import DTYPES, Case, Contestant, Result, Run, Workload
from benchmarks.peers import Library, jax_data, jax_library, torch_data, torch_library

GRAPH = Source(WORKLOADS / "per_example.graph")
LAYERS = ("l1", "l2", "logits")
WIDTHS = (64, 128, 64, 10)


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
    """Batches of 1 and 64, in two precisions."""
    return [case(modules, batch, dtype) for dtype in DTYPES for batch in (1, 64)]


def small(modules: Path) -> Sequence[Case]:
    """A batch of 3."""
    return [case(modules, 3, dtype) for dtype in DTYPES]


def named(gradients: Any) -> Result:
    """There is no value beside them."""
    return 0.0, gradients


def chain(case: Case) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """What goes into each layer, and the gradients by what comes out of its product."""
    p, x, label = case.params, case.inputs["x"], case.inputs["label"]
    h1 = np.tanh(x @ p["l1.W"] + p["l1.b"])
    h2 = np.tanh(h1 @ p["l2.W"] + p["l2.b"])
    _, d3 = cross_entropy(h2 @ p["logits.W"] + p["logits.b"], label)
    d2 = (d3 @ p["logits.W"].T) * (1 - h2**2)
    d1 = (d2 @ p["l2.W"].T) * (1 - h1**2)
    return (x, h1, h2), (d1, d2, d3)


def naive(case: Case) -> Run:
    """An outer product for each example."""

    def call() -> Result:
        g = {}
        for layer, h, d in zip(LAYERS, *chain(case), strict=True):
            g[f"{layer}.W"], g[f"{layer}.b"] = np.einsum("bi,bj->bij", h, d), d
        return named(g)

    return call


def optimised(case: Case) -> Run:
    """The outer products of all examples as one, broadcast, into arrays that stay."""
    batch = len(case.inputs["x"])
    g = {path: np.empty((batch, *array.shape), case.dtype) for path, array in case.params.items()}

    def call() -> Result:
        for layer, h, d in zip(LAYERS, *chain(case), strict=True):
            np.multiply(h[:, :, None], d[:, None, :], out=g[f"{layer}.W"])
            g[f"{layer}.b"] = d
        return named(g)

    return call


def loss(library: Library, p: Any, x: Any, label: Any, batch: int) -> Any:
    """What one example x [64] contributes to the mean over the batch."""
    h = library.np.tanh(x @ p["l1.W"] + p["l1.b"])
    h = library.np.tanh(h @ p["l2.W"] + p["l2.b"])
    logits = h @ p["logits.W"] + p["logits.b"]
    return library.cross_entropy(logits[None], label[None]) / batch


def jax_gradients(case: Case) -> Run:
    """JAX, by `vmap` of `grad`, compiled."""
    import jax

    p, inputs = jax_data(case)
    one = jax.grad(partial(loss, jax_library(), batch=len(inputs["x"])))
    compiled = jax.jit(jax.vmap(one, (None, 0, 0)))
    x, label = (inputs[name] for name in ("x", "label"))
    return lambda: named(jax.block_until_ready(compiled(p, x, label)))


def torch_gradients(case: Case) -> Run:
    """PyTorch, by `torch.func`'s `vmap` of `grad`."""
    import torch

    p, inputs = torch_data(case)
    one = torch.func.grad(partial(loss, torch_library(), batch=len(inputs["x"])))
    each = torch.func.vmap(one, (None, 0, 0))
    x, label = (inputs[name] for name in ("x", "label"))
    return lambda: named(each(p, x, label))


WORKLOAD = Workload(
    name="per-example",
    title="per_example.graph, gradients by example",
    build=partial(build, GRAPH),
    cases=cases,
    small=small,
    contestants=(
        *graphc(GRAPH, "each", shape=named),
        Contestant("NumPy naive", naive),
        Contestant("NumPy optimised", optimised),
        Contestant("torch.func vmap(grad)", torch_gradients, needs="torch"),
        Contestant("JAX vmap(grad)", jax_gradients, needs="jax"),
    ),
    reference=naive,
)
