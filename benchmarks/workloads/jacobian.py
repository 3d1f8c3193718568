"""Whole Jacobians of a network with n inputs and m outputs: for one sample, and for each of 64."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.generated import WORKLOADS, Source, build, graphc
from benchmarks.harness import DTYPES, Case, Contestant, Result, Run, Workload
from benchmarks.peers import Library, jax_data, jax_library, torch_data, torch_library

WHOLE, EACH = (
    Source(WORKLOADS / "jacobian.graph", (clause,))
    for clause in ("jacobian y wrt x as J", "jacobian y wrt x per B as J_each")
)
SIZES = ((1000, 1), (1, 1000), (64, 64), (784, 10))  # n, m
LAYERS = ("net.layer.0.fc", "net.layer.1.fc", "net.head")
HIDDEN = 64


def case(modules: Path, dtype: str, n: int, m: int, batch: int) -> Case:
    """A network with two hidden layers; `x` is what is differentiated by."""
    rng = np.random.default_rng(0)
    widths = (n, HIDDEN, HIDDEN, m)
    inputs = {}
    for path, rows, columns in zip(LAYERS, widths, widths[1:], strict=False):
        inputs[f"{path}.W"] = (rng.normal(size=(rows, columns)) / rows**0.5).astype(dtype)
        inputs[f"{path}.b"] = (0.1 * rng.normal(size=columns)).astype(dtype)
    x = rng.normal(size=(batch, n)).astype(dtype)
    name = f"n={n} m={m}, batch {batch}, {dtype}"
    return Case(name, dtype, {"x": x}, inputs, modules, {"n": n, "m": m})


def cases(modules: Path, batch: int) -> Sequence[Case]:
    """All sizes, in two precisions."""
    return [case(modules, dtype, n, m, batch) for dtype in DTYPES for n, m in SIZES]


def small(modules: Path, batch: int) -> Sequence[Case]:
    """A narrow one."""
    return [case(modules, dtype, 5, 3, batch) for dtype in DTYPES]


def blocks(J: Any) -> Result:
    """The only block; there is no value beside it."""
    return 0.0, {"y/x": J}


def naive(case: Case, whole: bool) -> Run:
    """One output after the other, backward through the network, for all samples at once."""
    x, p, m = case.params["x"], case.inputs, case.dims["m"]
    W1, b1, W2, b2, W3, _ = p.values()

    def call() -> Result:
        h1 = np.tanh(x @ W1 + b1)
        h2 = np.tanh(h1 @ W2 + b2)
        J = np.empty((len(x), m, x.shape[1]), case.dtype)
        for row in range(m):
            J[:, row] = (((W3[:, row] * (1 - h2**2)) @ W2.T) * (1 - h1**2)) @ W1.T
        return blocks(J[:, :, None, :] if whole else J)

    return call


def optimised(case: Case, whole: bool) -> Run:
    """All rows, or all columns, of all samples in one product: from the side where they are fewer.

    Between, each sample has a matrix of its own, of slopes times weights.
    """
    x, p, (n, m) = case.params["x"], case.inputs, case.dims.values()
    W1, b1, W2, b2, W3, _ = p.values()
    batch = len(x)

    def backward(s1: np.ndarray, s2: np.ndarray) -> np.ndarray:
        rows = (W3.T * s2[:, None, :]).reshape(-1, HIDDEN) @ W2.T
        rows = rows.reshape(batch, m, HIDDEN)
        rows *= s1[:, None, :]
        return (rows.reshape(-1, HIDDEN) @ W1.T).reshape(batch, m, n)

    def forward(s1: np.ndarray, s2: np.ndarray) -> np.ndarray:
        rows = ((W1 * s1[:, None, :]).reshape(-1, HIDDEN) @ W2).reshape(batch, n, HIDDEN)
        rows *= s2[:, None, :]
        return np.matmul(W3.T, rows.transpose(0, 2, 1))

    through = backward if m <= n else forward

    def call() -> Result:
        h1 = np.tanh(x @ W1 + b1)
        h2 = np.tanh(h1 @ W2 + b2)
        J = through(1 - h1 * h1, 1 - h2 * h2)
        return blocks(J[:, :, None, :] if whole else J)

    return call


def network(library: Library, p: Any, x: Any) -> Any:
    """Of one sample [n], or of several [B, n]."""
    W1, b1, W2, b2, W3, b3 = (p[f"{path}.{name}"] for path in LAYERS for name in "Wb")
    h = library.np.tanh(library.np.tanh(x @ W1 + b1) @ W2 + b2)
    return h @ W3 + b3


def jax_jacobian(case: Case, whole: bool, mode: str) -> Run:
    """JAX, by `jacrev` or `jacfwd`, compiled."""
    import jax

    (given, p), library = jax_data(case), jax_library()
    differentiate = getattr(jax, mode)(partial(network, library, p))
    compiled = jax.jit(differentiate if whole else jax.vmap(differentiate))
    x = given["x"]
    return lambda: blocks(jax.block_until_ready(compiled(x)))


def torch_jacobian(case: Case, whole: bool) -> Run:
    """PyTorch, by `torch.func.jacrev`."""
    import torch

    (given, p), library = torch_data(case), torch_library()
    differentiate = torch.func.jacrev(partial(network, library, p))
    call = differentiate if whole else torch.func.vmap(differentiate)
    x = given["x"]
    return lambda: blocks(call(x))


def block(J: Any) -> Result:
    """What the functions of the module return."""
    return blocks(J["y"]["x"])


def workload(name: str, title: str, source: Source, batch: int, whole: bool) -> Workload:
    """One of the two."""
    return Workload(
        name=name,
        title=title,
        build=partial(build, source),
        cases=partial(cases, batch=batch),
        small=partial(small, batch=1 if whole else 4),
        contestants=(
            *graphc(source, "J" if whole else "J_each", shape=block),
            Contestant("NumPy naive", partial(naive, whole=whole)),
            Contestant("NumPy optimised", partial(optimised, whole=whole)),
            Contestant("torch.func.jacrev", partial(torch_jacobian, whole=whole), needs="torch"),
            *(
                Contestant(f"JAX {mode}", partial(jax_jacobian, whole=whole, mode=mode), "jax")
                for mode in ("jacrev", "jacfwd")
            ),
        ),
        reference=partial(naive, whole=whole),
    )


ONE = workload("jacobian", "jacobian.graph, one sample", WHOLE, 1, whole=True)
BATCH = workload("jacobian-batch", "jacobian.graph, each of 64 samples", EACH, 64, whole=False)
