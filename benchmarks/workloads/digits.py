"""`examples/digits.graph`, a residual network with layernorm: the loss and all its gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.by_hand import cross_entropy, layernorm, layernorm_backward, sigmoid
from benchmarks.generated import EXAMPLES, Source, build, graphc
from benchmarks.harness import DTYPES, Case, Contestant, Result, Run, Workload
from benchmarks.peers import Library, peers

GRAPH = Source(EXAMPLES / "digits.graph")
WIDTH, BLOCKS, CLASSES = 64, 2, 10

SHAPES: Mapping[str, tuple[int, ...]] = {
    "stem.W": (64, WIDTH),
    "stem.b": (WIDTH,),
    **{
        f"layer.{k}.{name}": shape
        for k in range(1, BLOCKS + 1)
        for name, shape in {
            "norm.gain": (WIDTH,),
            "norm.bias": (WIDTH,),
            "up.W": (WIDTH, WIDTH),
            "up.b": (WIDTH,),
            "down.W": (WIDTH, WIDTH),
            "down.b": (WIDTH,),
        }.items()
    },
    "last.gain": (WIDTH,),
    "last.bias": (WIDTH,),
    "logits.W": (WIDTH, CLASSES),
    "logits.b": (CLASSES,),
}


def case(modules: Path, batch: int, dtype: str) -> Case:
    """The first digits of the data set, and parameters that are nowhere 0 or 1."""
    rng = np.random.default_rng(0)
    with np.load(EXAMPLES / "data" / "digits.npz") as data:
        pixels = data["images"][:batch].astype(dtype) / np.asarray(16, dtype)
        label = data["labels"][:batch].astype(np.int64)
    params = {
        path: (0.1 * rng.normal(size=shape) + path.endswith("gain")).astype(dtype)
        for path, shape in SHAPES.items()
    }
    inputs = {"pixels": pixels, "label": label}
    return Case(f"batch {batch}, {dtype}", dtype, params, inputs, modules)


def cases(modules: Path) -> Sequence[Case]:
    """Two batches, in two precisions."""
    return [case(modules, batch, d) for d in DTYPES for batch in (32, 256)]


def small(modules: Path) -> Sequence[Case]:
    """A batch of 8."""
    return [case(modules, 8, dtype) for dtype in DTYPES]


def numpy_value_and_gradients(
    p: Mapping[str, np.ndarray], pixels: np.ndarray, label: np.ndarray
) -> Result:
    """What one writes in NumPy with the chain rule at hand: vectorised, and nothing clever."""
    h = pixels @ p["stem.W"] + p["stem.b"]
    saved = []
    for k in range(1, BLOCKS + 1):
        layer = f"layer.{k}"
        normed, normal, deviation = layernorm(h, p[f"{layer}.norm.gain"], p[f"{layer}.norm.bias"])
        u = normed @ p[f"{layer}.up.W"] + p[f"{layer}.up.b"]
        gate = sigmoid(u)
        up = u * gate
        h = h + up @ p[f"{layer}.down.W"] + p[f"{layer}.down.b"]
        saved.append((layer, normed, normal, deviation, u, gate, up))
    last, normal, deviation = layernorm(h, p["last.gain"], p["last.bias"])
    loss, d = cross_entropy(last @ p["logits.W"] + p["logits.b"], label)

    g: dict[str, np.ndarray] = {}
    g["logits.W"], g["logits.b"] = last.T @ d, d.sum(axis=0)
    d = d @ p["logits.W"].T
    d, g["last.gain"], g["last.bias"] = layernorm_backward(d, p["last.gain"], normal, deviation)
    for layer, normed, normal, deviation, u, gate, up in reversed(saved):
        g[f"{layer}.down.W"], g[f"{layer}.down.b"] = up.T @ d, d.sum(axis=0)
        du = (d @ p[f"{layer}.down.W"].T) * (gate * (1 + u * (1 - gate)))
        g[f"{layer}.up.W"], g[f"{layer}.up.b"] = normed.T @ du, du.sum(axis=0)
        dn = du @ p[f"{layer}.up.W"].T
        dh, g[f"{layer}.norm.gain"], g[f"{layer}.norm.bias"] = layernorm_backward(
            dn, p[f"{layer}.norm.gain"], normal, deviation
        )
        d = d + dh
    g["stem.W"], g["stem.b"] = pixels.T @ d, d.sum(axis=0)
    return loss, g


def by_hand(case: Case) -> Run:
    """NumPy by hand."""
    return lambda: numpy_value_and_gradients(case.params, **case.inputs)


def loss(library: Library, p: Any, pixels: Any, label: Any) -> Any:
    """Over the words of a library."""

    def dense(h: Any, path: str) -> Any:
        return library.dense(h, p[f"{path}.W"], p[f"{path}.b"])

    def norm(h: Any, path: str) -> Any:
        return library.layernorm(h, p[f"{path}.gain"], p[f"{path}.bias"])

    h = dense(pixels, "stem")
    for k in range(1, BLOCKS + 1):
        up = library.silu(dense(norm(h, f"layer.{k}.norm"), f"layer.{k}.up"))
        h = h + dense(up, f"layer.{k}.down")
    return library.cross_entropy(dense(norm(h, "last"), "logits"), label)


WORKLOAD = Workload(
    name="digits",
    title="digits.graph, value and all gradients",
    build=partial(build, GRAPH),
    cases=cases,
    small=small,
    contestants=(
        *graphc(GRAPH, "value_and_grad_loss"),
        Contestant("NumPy by hand", by_hand),
        *peers(loss),
    ),
    reference=by_hand,
)
