"""Other libraries: a function is written once, over the vocabulary of a Library, and each of them
differentiates it."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Case, Contestant, Result, Run

Arrays = Mapping[str, Any]
Loss = Callable[..., Any]  # (library, params by path, **inputs) -> a scalar


@dataclass(frozen=True, slots=True)
class Library:
    """The words in which losses are written; where a library has its own for one, that is used."""

    np: Any  # what it has in NumPy's place
    sigmoid: Callable[[Any], Any]
    relu: Callable[[Any], Any]
    silu: Callable[[Any], Any]
    gelu: Callable[[Any], Any]  # by tanh (Hendrycks and Gimpel 2016)
    logsumexp: Callable[[Any, int], Any]  # of x along an axis
    dense: Callable[[Any, Any, Any], Any]  # x @ W + b
    layernorm: Callable[[Any, Any, Any], Any]  # of x by gain and bias, over the last axis
    cross_entropy: Callable[[Any, Any], Any]  # of logits [B, C] and labels [B], the mean
    attention: Callable[[Any, Any, Any], Any]  # causal, of [B, H, T, D]
    spread: Callable[[Any, Any], Any]  # rows [K, P], and 0 behind each, at places [...]
    scan: Callable[..., Any]  # (step, carry, xs) -> the results of the steps, stacked


EPSILON = 1e-5  # in layernorm


def _over(np_: Any, **own: Any) -> Library:
    """A library by its NumPy, and what it has of its own."""

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np_.exp(-x))

    def logsumexp(x: Any, axis: int) -> Any:
        top = np_.max(x, axis=axis, keepdims=True)
        return np_.squeeze(top + np_.log(np_.sum(np_.exp(x - top), axis=axis, keepdims=True)), axis)

    def gelu(x: Any) -> Any:
        return 0.5 * x * (1 + np_.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x)))

    def layernorm(x: Any, gain: Any, bias: Any) -> Any:
        centred = x - np_.mean(x, axis=-1, keepdims=True)
        variance = np_.mean(centred * centred, axis=-1, keepdims=True)
        return gain * (centred / np_.sqrt(variance + EPSILON)) + bias

    lse = own.get("logsumexp", logsumexp)

    def cross_entropy(logits: Any, label: Any) -> Any:
        return np_.mean(lse(logits, -1) - logits[np.arange(len(label)), label])

    def attention(q: Any, k: Any, v: Any) -> Any:
        size = q.shape[-2]
        scores = np_.matmul(q, np_.swapaxes(k, -1, -2)) / q.shape[-1] ** 0.5
        scores = np_.where(np.tri(size, dtype=bool), scores, -1e30)
        weights = np_.exp(scores - lse(scores, -1)[..., None])
        return np_.matmul(weights, v)

    def spread(rows: Any, places: Any) -> Any:
        return np_.concatenate([rows, np_.zeros((len(rows), 1), rows.dtype)], axis=1)[:, places]

    def scan(step: Any, carry: Any, xs: Any) -> Any:
        found = []
        for x in xs:
            carry, y = step(carry, x)
            found.append(y)
        return np_.stack(found)

    words: dict[str, Any] = {
        "np": np_,
        "sigmoid": sigmoid,
        "relu": lambda x: np_.maximum(x, 0),
        "silu": lambda x: x * own.get("sigmoid", sigmoid)(x),
        "gelu": gelu,
        "logsumexp": logsumexp,
        "dense": lambda x, W, b: x @ W + b,
        "layernorm": layernorm,
        "cross_entropy": cross_entropy,
        "attention": attention,
        "spread": spread,
        "scan": scan,
    }
    return Library(**{**words, **own})


def numpy_library() -> Library:
    """NumPy itself, for values and their central differences."""
    return _over(np)


def jax_library() -> Library:
    """JAX."""
    import jax

    def scan(step: Any, carry: Any, xs: Any) -> Any:
        return jax.lax.scan(step, carry, xs)[1]

    return _over(
        jax.numpy,
        sigmoid=jax.nn.sigmoid,
        relu=jax.nn.relu,
        silu=jax.nn.silu,
        gelu=partial(jax.nn.gelu, approximate=True),
        logsumexp=jax.nn.logsumexp,
        scan=scan,
    )


def autograd_library() -> Library:
    """HIPS autograd."""
    import autograd.numpy
    from autograd.scipy.special import logsumexp

    return _over(autograd.numpy, logsumexp=logsumexp)


def torch_library() -> Library:
    """PyTorch, with its own layers."""
    import torch
    from torch.nn import functional

    def layernorm(x: Any, gain: Any, bias: Any) -> Any:
        return functional.layer_norm(x, (x.shape[-1],), gain, bias, EPSILON)

    return _over(
        torch,
        sigmoid=torch.sigmoid,
        relu=torch.relu,
        silu=functional.silu,
        gelu=partial(functional.gelu, approximate="tanh"),
        logsumexp=torch.logsumexp,
        dense=lambda x, W, b: torch.addmm(b, x, W) if x.ndim == 2 else x @ W + b,
        layernorm=layernorm,
        cross_entropy=functional.cross_entropy,
        attention=partial(functional.scaled_dot_product_attention, is_causal=True),
        spread=lambda rows, places: functional.pad(rows, (0, 1))[:, places],
    )


# ---- a value and its gradients -----------------------------------------------------------------


def jax_data(case: Case) -> tuple[Any, Any]:
    """Parameters and inputs on JAX's device, in the precision of the case."""
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax.device_put((dict(case.params), dict(case.inputs)))


def torch_data(case: Case, gradients: bool = False) -> tuple[Any, Any]:
    """Parameters and inputs as tensors."""
    import torch

    params = {path: torch.tensor(a, requires_grad=gradients) for path, a in case.params.items()}
    return params, {name: torch.tensor(a) for name, a in case.inputs.items()}


def _jax(case: Case, loss: Loss) -> Run:
    import jax

    params, inputs = jax_data(case)
    compiled = jax.jit(jax.value_and_grad(partial(loss, jax_library())))
    return lambda: jax.block_until_ready(compiled(params, **inputs))


def _autograd(case: Case, loss: Loss) -> Run:
    import autograd

    call = autograd.value_and_grad(partial(loss, autograd_library()))
    params, inputs = dict(case.params), dict(case.inputs)
    return lambda: call(params, **inputs)


def _torch(case: Case, loss: Loss, compiled: bool) -> Run:
    import torch

    params, inputs = torch_data(case, gradients=True)
    leaves = list(params.values())
    value_of: Any = partial(loss, torch_library())
    if compiled:
        value_of = torch.compile(value_of)

    def call() -> Result:
        value = value_of(params, **inputs)
        gradients = torch.autograd.grad(value, leaves)
        return value.detach(), dict(zip(params, gradients, strict=True))

    return call


def no_compiler(case: Case) -> str | None:
    """Whether torch.compile lacks the C++ compiler that it calls."""
    found = any(shutil.which(name) for name in ("c++", "g++", "clang++"))
    return None if found else "no C++ compiler"


AUTOMATIC: Mapping[str, tuple[Callable[..., Run], str]] = {
    "PyTorch eager": (partial(_torch, compiled=False), "torch"),
    "torch.compile": (partial(_torch, compiled=True), "torch"),
    "JAX jit": (_jax, "jax"),
    "autograd": (_autograd, "autograd"),
}


def peers(loss: Loss, *without: str) -> tuple[Contestant, ...]:
    """A contestant for each library that differentiates programs, but for those named."""
    return tuple(
        Contestant(
            name,
            partial(prepare, loss=loss),
            needs=package,
            lacks=no_compiler if name == "torch.compile" else always,
        )
        for name, (prepare, package) in AUTOMATIC.items()
        if name not in without
    )


def always(case: Case) -> str | None:
    """Nothing is missing."""
    return None


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


# ---- CasADi ------------------------------------------------------------------------------------


def casadi_call(
    function: Any, given: Sequence[np.ndarray]
) -> tuple[Callable[[], None], list[np.ndarray]]:
    """A CasADi function on fixed buffers: what evaluates it, and its dense results.

    CasADi stores matrices by columns; a vector is one column. Results are views of its buffers and
    are overwritten by the next call.
    """
    buffer, evaluate = function.buffer()
    kept = [np.asfortranarray(array, np.float64) for array in given]
    results = [np.zeros(function.size_out(k), order="F") for k in range(function.n_out())]
    views = [memoryview(array.reshape(-1, order="A")) for array in (*kept, *results)]
    for k, view in enumerate(views):
        if k < len(kept):
            buffer.set_arg(k, view)
        else:
            buffer.set_res(k - len(kept), view)
    evaluate.alive = (function, buffer, views)  # it holds their addresses only
    return evaluate, results


def casadi_value_and_grad(case: Case, loss: Loss, symbol: str) -> Run:
    """A loss over CasADi's matrices (`symbol` is SX, of scalars, or MX) and its gradients."""
    import casadi

    kind = getattr(casadi, symbol)
    p, inputs = (
        {name: kind.sym(name, *array.shape) for name, array in arrays.items()}
        for arrays in (case.params, case.inputs)
    )
    value = loss(casadi, p, **inputs)
    # one sweep for all of them; `casadi.gradient` would make one for each
    (swept,) = casadi.reverse([value], [*p.values()], [[kind(1)]])
    gradients = [casadi.densify(gradient) for gradient in swept]
    function = casadi.Function("f", [*p.values(), *inputs.values()], [value, *gradients])
    evaluate, results = casadi_call(function, [*case.params.values(), *case.inputs.values()])
    found = {
        path: result.reshape(array.shape, order="F")
        for (path, array), result in zip(case.params.items(), results[1:], strict=True)
    }
    first = results[0].reshape(())

    def call() -> Result:
        evaluate()
        return first, found

    return call
