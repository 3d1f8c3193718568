"""`examples/digits.graph`, a residual network with layernorm: the loss and all its gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.generated import EXAMPLES, build, value_and_grad
from benchmarks.harness import Case, Contestant, Result, Run, Workload

WIDTH, BLOCKS, CLASSES, EPSILON = 64, 2, 10, 1e-5

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
    return [case(modules, batch, d) for d in ("float64", "float32") for batch in (32, 256)]


def modules(folder: Path) -> None:
    """Compile the graph in both precisions."""
    for dtype in ("float64", "float32"):
        build(EXAMPLES / "digits.graph", folder, dtype)


# ---- by hand -----------------------------------------------------------------------------------

Arrays = Mapping[str, np.ndarray]


def layernorm(x: np.ndarray, gain: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, ...]:
    """The result, and what `layernorm_backward` reads."""
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
    normal = centred / deviation
    return gain * normal + bias, normal, deviation


def layernorm_backward(
    d: np.ndarray, gain: np.ndarray, normal: np.ndarray, deviation: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients by x, gain and bias."""
    dn = d * gain
    mean = dn.mean(axis=-1, keepdims=True)
    slope = (dn * normal).mean(axis=-1, keepdims=True)
    return (dn - mean - normal * slope) / deviation, (d * normal).sum(axis=0), d.sum(axis=0)


def numpy_value_and_gradients(p: Arrays, pixels: np.ndarray, label: np.ndarray) -> Result:
    """What one writes in NumPy with the chain rule at hand: vectorised, and nothing clever."""
    rows = np.arange(len(label))
    h = pixels @ p["stem.W"] + p["stem.b"]
    saved = []
    for k in range(1, BLOCKS + 1):
        layer = f"layer.{k}"
        normed, normal, deviation = layernorm(h, p[f"{layer}.norm.gain"], p[f"{layer}.norm.bias"])
        u = normed @ p[f"{layer}.up.W"] + p[f"{layer}.up.b"]
        gate = 1 / (1 + np.exp(-u))
        up = u * gate
        h = h + up @ p[f"{layer}.down.W"] + p[f"{layer}.down.b"]
        saved.append((layer, normed, normal, deviation, u, gate, up))
    last, normal, deviation = layernorm(h, p["last.gain"], p["last.bias"])
    logits = last @ p["logits.W"] + p["logits.b"]
    shifted = logits - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=-1, keepdims=True)
    loss = (np.log(total[:, 0]) - shifted[rows, label]).mean()

    g: dict[str, np.ndarray] = {}
    d = exponentials / total
    d[rows, label] -= 1
    d /= len(label)
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


def reference(case: Case) -> Result:
    """By hand, in float64."""
    exact = {path: array.astype(np.float64) for path, array in case.params.items()}
    return numpy_value_and_gradients(
        exact, case.inputs["pixels"].astype(np.float64), case.inputs["label"]
    )


# ---- by libraries ------------------------------------------------------------------------------


def pytorch(case: Case) -> Run:
    """PyTorch in eager mode, with its own layers and loss."""
    import torch
    from torch.nn import functional

    p = {path: torch.tensor(a, requires_grad=True) for path, a in case.params.items()}
    pixels, label = (torch.tensor(array) for array in case.inputs.values())
    leaves = list(p.values())

    def dense(h: torch.Tensor, path: str) -> torch.Tensor:
        return torch.addmm(p[f"{path}.b"], h, p[f"{path}.W"])

    def norm(h: torch.Tensor, path: str) -> torch.Tensor:
        return functional.layer_norm(h, (WIDTH,), p[f"{path}.gain"], p[f"{path}.bias"], EPSILON)

    def call() -> Result:
        h = dense(pixels, "stem")
        for k in range(1, BLOCKS + 1):
            up = functional.silu(dense(norm(h, f"layer.{k}.norm"), f"layer.{k}.up"))
            h = h + dense(up, f"layer.{k}.down")
        loss = functional.cross_entropy(dense(norm(h, "last"), "logits"), label)
        return loss.detach(), dict(zip(p, torch.autograd.grad(loss, leaves), strict=True))

    return call


def loss_in(
    np: Any, logsumexp: Callable[..., Any], p: Mapping[str, Any], pixels: Any, label: Any
) -> Any:
    """The loss over the NumPy of a library that differentiates it."""

    def dense(h: Any, path: str) -> Any:
        return h @ p[f"{path}.W"] + p[f"{path}.b"]

    def norm(h: Any, path: str) -> Any:
        centred = h - np.mean(h, axis=-1, keepdims=True)
        variance = np.mean(centred**2, axis=-1, keepdims=True)
        return p[f"{path}.gain"] * (centred / np.sqrt(variance + EPSILON)) + p[f"{path}.bias"]

    h = dense(pixels, "stem")
    for k in range(1, BLOCKS + 1):
        u = dense(norm(h, f"layer.{k}.norm"), f"layer.{k}.up")
        h = h + dense(u / (1 + np.exp(-u)), f"layer.{k}.down")
    logits = dense(norm(h, "last"), "logits")
    return np.mean(logsumexp(logits, axis=-1) - logits[np.arange(len(label)), label])


def jax_jit(case: Case) -> Run:
    """JAX, compiled."""
    import jax

    jax.config.update("jax_enable_x64", True)
    loss = partial(loss_in, jax.numpy, jax.nn.logsumexp)
    compiled = jax.jit(jax.value_and_grad(loss))
    params, inputs = jax.device_put((dict(case.params), tuple(case.inputs.values())))
    return lambda: jax.block_until_ready(compiled(params, *inputs))


def hips_autograd(case: Case) -> Run:
    """HIPS autograd."""
    import autograd
    import autograd.numpy
    from autograd.scipy.special import logsumexp

    call = autograd.value_and_grad(partial(loss_in, autograd.numpy, logsumexp))
    params, inputs = dict(case.params), tuple(case.inputs.values())
    return lambda: call(params, *inputs)


WORKLOAD = Workload(
    name="digits",
    title="digits.graph, value and all gradients",
    build=modules,
    cases=cases,
    contestants=(
        Contestant("graphc -O0", partial(value_and_grad, graph="digits")),
        Contestant("NumPy by hand", by_hand),
        Contestant("PyTorch eager", pytorch, needs="torch"),
        Contestant("JAX jit", jax_jit, needs="jax"),
        Contestant("autograd", hips_autograd, needs="autograd"),
    ),
    reference=reference,
)
