"""Gradients of every float operation that JAX has too, at 1,000 random inputs, in both dtypes."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import jax.scipy.special
import numpy as np
import pytest
from conftest import LEVELS, module
from jax import lax
from operation_references import entry_of
from test_ops import SYNONYMS

from graphc.ops import FUNCTIONS

pytestmark = pytest.mark.levels

COUNT = 1000
TOLERANCE = {"float64": 1e-11, "float32": 1e-4}
NAMES = "abc"


@dataclass(frozen=True)
class Sweep:
    """A call of arrays, what it is in JAX, and the interval that the arrays are drawn from."""

    call: str
    types: tuple[str, ...]
    value: Callable[..., Any]
    inside: tuple[float, float] = (-2, 2)

    def __str__(self) -> str:
        return f"{self.call} of {' '.join(self.types)}"

    @property
    def name(self) -> str:
        return self.call.partition("(")[0]

    @property
    def graph(self) -> str:
        lines = [f"input {name}: {type}" for name, type in zip(NAMES, self.types, strict=False)]
        return "\n".join([*lines, f"output y = {self.call}"])

    def arguments(self, dtype: str) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(len(self.call))
        for type in self.types:
            shape = [int(axis) for axis in re.findall(r"\d+", type)]
            if type.startswith("int"):
                yield rng.integers(0, 3, shape)
            else:
                yield rng.uniform(*self.inside, shape).astype(dtype)


# ---- element by element ----------------------------------------------------------------------

special = jax.scipy.special

UNARY: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(jnp, name)
        for name in re.findall(
            r"\w+",
            "negative abs sign floor ceil exp expm1 log log1p sqrt sin cos tan sinh cosh tanh exp2"
            " log2 log10 cbrt arcsin arccos arctan arcsinh arccosh arctanh square reciprocal"
            " deg2rad rad2deg asin acos atan asinh acosh atanh round trunc",
        )
    },
    **{
        name: getattr(jax.nn, name)
        for name in re.findall(
            r"\w+",
            "sigmoid softplus relu silu leaky_relu elu celu selu log_sigmoid mish relu6 softmax"
            " log_softmax",
        )
    },
    "softsign": jax.nn.soft_sign,
    "huber": lambda x: jnp.where(abs(x) < 1, x * x / 2, abs(x) - 0.5),
    "hardtanh": jax.nn.hard_tanh,
    "hardsigmoid": jax.nn.hard_sigmoid,
    "hardswish": jax.nn.hard_swish,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True),
    "erf": special.erf,
    "erfc": special.erfc,
    "lgamma": special.gammaln,
    "digamma": special.digamma,
    "logit": special.logit,
    "ndtr": special.ndtr,
    "log_ndtr": special.log_ndtr,
    "ndtri": special.ndtri,
    "erfinv": special.erfinv,
    "i0": special.i0,
    "i1": special.i1,
    "i0e": special.i0e,
    "i1e": special.i1e,
    "stop": lax.stop_gradient,
    "id": lambda x: x,
    "zeros_like": jnp.zeros_like,
    "ones_like": jnp.ones_like,
}
BINARY: dict[str, Callable[..., Any]] = {
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "atan2": jnp.arctan2,
    "arctan2": jnp.arctan2,
    "hypot": jnp.hypot,
    "logaddexp": jnp.logaddexp,
    "xlogy": special.xlogy,
    "xlog1py": special.xlog1py,
    "power": jnp.power,
    "mod": jnp.mod,
    "add": jnp.add,
    "mul": jnp.multiply,
    "bce_logits": lambda x, t: jax.nn.softplus(x) - x * t,
    "prelu": lambda x, slope: jnp.where(x > 0, x, slope * x),
}


def inside(name: str) -> tuple[float, float]:
    """Where an operation is smooth, as its other tests know."""
    entry = entry_of(FUNCTIONS[name])
    assert entry is not None
    return entry.inside


def elementwise() -> Iterator[Sweep]:
    for name, value in UNARY.items():
        yield Sweep(f"{name}(a)", (f"[{COUNT}]",), value, inside(name))
    for name, value in BINARY.items():
        yield Sweep(f"{name}(a, b)", (f"[{COUNT}]",) * 2, value, inside(name))
    three = (f"[{COUNT}]",) * 3
    yield Sweep("where(a > 0, b, c)", three, lambda a, b, c: jnp.where(a > 0, b, c))
    yield Sweep("clip(a, b, c)", three, lambda a, b, c: jnp.minimum(jnp.maximum(a, b), c))
    yield Sweep("polygamma(1, a)", three[:1], lambda a: special.polygamma(1, a), (0.6, 4))
    yield Sweep("polygamma(2, a)", three[:1], lambda a: special.polygamma(2, a), (0.6, 4))


# ---- whole arrays ----------------------------------------------------------------------------

ROWS_OF_5, PICTURES, SQUARES = f"[{COUNT}, 5]", f"[{COUNT}, 2, 5, 5]", f"[{COUNT}, 3, 3]"


def _conv(rank: int, **keywords: Any) -> Callable[..., Any]:
    letters = "DHW"[3 - rank :]

    def value(x: Any, w: Any) -> Any:
        numbers = ("NC" + letters, "OI" + letters, "NC" + letters)
        given = {"window_strides": (1,) * rank, "padding": [(0, 0)] * rank} | keywords
        return lax.conv_general_dilated(x, w, dimension_numbers=numbers, **given)

    return value


def _pool(start: float, operation: Any, scale: float) -> Callable[[Any], Any]:
    window = (1, 1, 2, 2)
    return lambda x: lax.reduce_window(x, start, operation, window, window, "VALID") * scale


def _positive_definite(x: Any) -> Any:
    return x @ jnp.swapaxes(x, -1, -2) + 3 * jnp.eye(3)


def _recurrence(a: Any, b: Any) -> Any:
    def combine(one: Any, other: Any) -> Any:
        return one[0] * other[0], other[0] * one[1] + other[1]

    return lax.associative_scan(combine, (a, b), axis=-1)[1]


def reductions() -> Iterator[Sweep]:
    for name in ("sum", "mean", "max", "min", "prod", "var", "std"):
        reduce: Any = getattr(jnp, name)
        yield Sweep(f"{name}(a, axis=1)", (ROWS_OF_5,), lambda a, f=reduce: f(a, axis=1))
        yield Sweep(f"{name}(a, axis=0)", (f"[4, {COUNT}]",), lambda a, f=reduce: f(a, axis=0))
        yield Sweep(
            f"{name}(a, axis=[0, 2], keepdims=true)",
            (f"[3, {COUNT}, 2]",),
            lambda a, f=reduce: f(a, axis=(0, 2), keepdims=True),
        )
    for ord in (1, 2, math.inf):
        written = "inf" if ord == math.inf else ord
        yield Sweep(
            f"norm(a, {written}, axis=1)",
            (ROWS_OF_5,),
            lambda a, ord=ord: jnp.linalg.norm(a, ord, axis=1),
        )
    yield Sweep("logsumexp(a, axis=1)", (ROWS_OF_5,), lambda a: special.logsumexp(a, axis=1))
    yield Sweep("softmax(a)", (ROWS_OF_5,), jax.nn.softmax)
    yield Sweep("log_softmax(a)", (ROWS_OF_5,), jax.nn.log_softmax)
    yield Sweep("cumsum(a, axis=1)", (ROWS_OF_5,), lambda a: jnp.cumsum(a, 1))
    yield Sweep("cumprod(a, axis=1)", (ROWS_OF_5,), lambda a: jnp.cumprod(a, 1))
    yield Sweep("logcumsumexp(a, axis=1)", (ROWS_OF_5,), lambda a: lax.cumlogsumexp(a, axis=1))
    yield Sweep("linear_recurrence(a, b)", (ROWS_OF_5,) * 2, _recurrence)
    yield Sweep("sort(a, axis=1)", (ROWS_OF_5,), lambda a: jnp.sort(a, axis=1))
    yield Sweep("median(a, axis=1)", (ROWS_OF_5,), lambda a: jnp.median(a, axis=1))
    yield Sweep(
        "quantile(a, [0.2, 0.7], axis=1)",
        (ROWS_OF_5,),
        lambda a: jnp.quantile(a, jnp.array([0.2, 0.7]), axis=1),
    )
    yield Sweep("cummax(a, axis=1)", (ROWS_OF_5,), lambda a: lax.cummax(a, 1))
    yield Sweep("cummin(a, axis=1)", (ROWS_OF_5,), lambda a: lax.cummin(a, 1))
    yield Sweep("diff(a, n=2)", (ROWS_OF_5,), lambda a: jnp.diff(a, 2))
    yield Sweep(
        "interp(a, sort(b), c)",
        (f"[{COUNT}]", "[9]", "[9]"),
        lambda a, b, c: jnp.interp(a, jnp.sort(b), c),
    )


def shapes() -> Iterator[Sweep]:
    rows, table = (ROWS_OF_5,), (f"[{COUNT}, 2, 3]",)
    yield Sweep("reshape(a, [10, 500])", rows, lambda a: a.reshape(10, 500))
    yield Sweep("flatten(a, start=1)", table, lambda a: a.reshape(COUNT, 6))
    yield Sweep("transpose(a)", table, jnp.transpose)
    yield Sweep("swapaxes(a, 0, 2)", table, lambda a: jnp.swapaxes(a, 0, 2))
    yield Sweep("moveaxis(a, 0, 2)", table, lambda a: jnp.moveaxis(a, 0, 2))
    yield Sweep("broadcast_to(a, [2, 1000, 5])", rows, lambda a: jnp.broadcast_to(a, (2, COUNT, 5)))
    yield Sweep("expand_dims(a, 1)", rows, lambda a: jnp.expand_dims(a, 1))
    yield Sweep("squeeze(a, axis=1)", (f"[{COUNT}, 1]",), lambda a: jnp.squeeze(a, 1))
    yield Sweep("concat(a, b)", rows * 2, lambda a, b: jnp.concatenate((a, b), -1))
    yield Sweep("stack(a, b)", rows * 2, lambda a, b: jnp.stack((a, b)))
    yield Sweep("flip(a, axis=1)", rows, lambda a: jnp.flip(a, 1))
    yield Sweep("roll(a, 2, axis=1)", rows, lambda a: jnp.roll(a, 2, 1))
    yield Sweep("tile(a, [2, 3])", rows, lambda a: jnp.tile(a, (2, 3)))
    yield Sweep("repeat_elements(a, 3, axis=1)", rows, lambda a: jnp.repeat(a, 3, 1))
    for mode in ("constant", "edge", "reflect", "symmetric", "wrap"):
        yield Sweep(f'pad(a, 2, mode="{mode}")', rows, lambda a, m=mode: jnp.pad(a, 2, m))
    yield Sweep('rearrange(a, "b t c -> c (b t)")', table, lambda a: a.reshape(2 * COUNT, 3).T)
    yield Sweep("linspace(a, b, 7)", ("[]", "[]"), lambda a, b: jnp.linspace(a, b, 7))
    squares = (SQUARES,)
    yield Sweep("tril(a)", squares, jnp.tril)
    yield Sweep("triu(a, k=1)", squares, lambda a: jnp.triu(a, 1))
    yield Sweep("diagonal(a)", squares, lambda a: jnp.diagonal(a, axis1=1, axis2=2))
    yield Sweep("trace(a)", squares, lambda a: jnp.trace(a, axis1=1, axis2=2))
    yield Sweep("diag(a)", ("[30]",), jnp.diag)
    ids = f"int[{COUNT}]"
    yield Sweep("take(a, b, axis=0)", ("[3, 4]", ids), lambda a, b: jnp.take(a, b, 0))
    yield Sweep("pick(a, b)", (ROWS_OF_5, ids), lambda a, b: a[jnp.arange(COUNT), b])
    yield Sweep(
        "take_along_axis(a, b)",
        (ROWS_OF_5, f"int[{COUNT}, 4]"),
        lambda a, b: jnp.take_along_axis(a, b, -1),
    )
    yield Sweep(
        "scatter_add(a, b, c)", ("[3, 4]", ids, f"[{COUNT}, 4]"), lambda a, b, c: a.at[b].add(c)
    )
    yield Sweep(
        "put_add(a, b, c)", ("[3, 4]", f"[{COUNT}, 4]", ids), lambda a, b, c: a.at[c].add(b)
    )
    lists = f"int[{COUNT}, 1]"
    yield Sweep("gather_nd(a, b)", ("[3, 4]", lists), lambda a, b: a[b[:, 0]])
    yield Sweep(
        "scatter_nd_add(a, b, c)",
        ("[3, 4]", lists, f"[{COUNT}, 4]"),
        lambda a, b, c: a.at[b[:, 0]].add(c),
    )
    rows = jnp.arange(COUNT)[:, None]
    yield Sweep(
        "add_along_axis(a, b, c)",
        (ROWS_OF_5, f"int[{COUNT}, 4]", f"[{COUNT}, 4]"),
        lambda a, b, c: a.at[rows, b].add(c),
    )
    for name in ("sum", "max", "min"):
        segments: Any = getattr(jax.ops, f"segment_{name}")
        yield Sweep(
            f"segment_{name}(a, b, 3)", (ROWS_OF_5, ids), lambda a, b, f=segments: f(a, b, 3)
        )


def matrices() -> Iterator[Sweep]:
    two = (SQUARES, SQUARES)
    yield Sweep("matmul(a, b)", two, jnp.matmul)
    yield Sweep("outer(a, b)", (f"[{COUNT}]", "[3]"), jnp.outer)
    yield Sweep("vdot(a, b)", (f"[{COUNT}]",) * 2, jnp.vdot)
    yield Sweep("dot(a, b)", (ROWS_OF_5, "[5, 2]"), jnp.dot)
    yield Sweep("kron(a, b)", ("[10, 10]", "[5, 2]"), jnp.kron)
    yield Sweep("cross(a, b)", (f"[{COUNT}, 3]",) * 2, jnp.cross)
    yield Sweep(
        'einsum("b t d, b s d -> b t s", a, b)', two, lambda a, b: jnp.einsum("btd,bsd->bts", a, b)
    )
    safe = "a @ transpose(a, [0, 2, 1]) + 3 * eye(3)"
    for name, value in {
        "inv": jnp.linalg.inv,
        "det": jnp.linalg.det,
        "logdet": lambda a: jnp.linalg.slogdet(a)[1],
        "cholesky": jnp.linalg.cholesky,
    }.items():
        yield Sweep(
            f"{name}({safe})", two[:1], lambda a, f=value: f(_positive_definite(a)), (-1, 1)
        )
    yield Sweep(
        f"solve({safe}, b)", two, lambda a, b: jnp.linalg.solve(_positive_definite(a), b), (-1, 1)
    )
    yield Sweep(
        f"triangular_solve({safe}, b)",
        two,
        lambda a, b: jax.scipy.linalg.solve_triangular(_positive_definite(a), b, lower=True),
        (-1, 1),
    )
    yield Sweep(
        "eigvalsh(a)", two[:1], lambda a: jnp.linalg.eigvalsh((a + jnp.swapaxes(a, -1, -2)) / 2)
    )
    tall = (f"[{COUNT}, 3, 2]", f"[{COUNT}, 3, 2]")
    yield Sweep("svdvals(a)", tall[:1], lambda a: jnp.linalg.svd(a, compute_uv=False))
    yield Sweep(f"pinv({safe})", two[:1], lambda a: jnp.linalg.inv(_positive_definite(a)), (-1, 1))
    yield Sweep(
        f"lstsq({safe}, b)", two, lambda a, b: jnp.linalg.solve(_positive_definite(a), b), (-1, 1)
    )
    yield Sweep("expm(a)", two[:1], jax.vmap(jax.scipy.linalg.expm), (-1, 1))
    yield Sweep("matrix_power(a, 3)", two[:1], lambda a: jnp.linalg.matrix_power(a, 3))
    yield Sweep("conv1d(a, b)", (f"[{COUNT}, 2, 6]", "[3, 2, 3]"), _conv(1))
    yield Sweep("conv2d(a, b)", (PICTURES, "[3, 2, 3, 3]"), _conv(2))
    yield Sweep(
        "conv2d(a, b, stride=2, pad=1)",
        (PICTURES, "[3, 2, 3, 3]"),
        _conv(2, window_strides=(2, 2), padding=[(1, 1)] * 2),
    )
    yield Sweep("conv3d(a, b)", ("[50, 2, 4, 5, 5]", "[3, 2, 2, 3, 3]"), _conv(3))
    pictures = (f"[{COUNT}, 2, 4, 4]",)
    yield Sweep(
        "resize(a, [7, 3])",
        (f"[{COUNT}, 4, 4]",),
        lambda a: jax.image.resize(a, (COUNT, 7, 3), "linear", antialias=False),
    )
    yield Sweep("maxpool(a, 2)", pictures, _pool(-math.inf, lax.max, 1))
    yield Sweep("avgpool(a, 2)", pictures, _pool(0.0, lax.add, 0.25))


FORMULAS = list(elementwise())
"""What cancels or overflows: these are tried in single precision each time, too."""
SWEEPS = [*FORMULAS, *reductions(), *shapes(), *matrices()]


def swept() -> Iterator[Any]:
    """Each sweep at both levels in both precisions; what is not always run is marked.

    Of two names of one operation, which a test in `test_ops` holds, one is tried each time.
    """
    for sweep in SWEEPS:
        always = {("-O2", "float64")} | ({("-O0", "float32")} if sweep in FORMULAS else set())
        if sweep.name in SYNONYMS:
            always.clear()
        for at, dtype in itertools.product(LEVELS, TOLERANCE):
            marks = () if (at, dtype) in always else pytest.mark.long
            yield pytest.param(sweep, at, dtype, marks=marks, id=f"{sweep}{at}-{dtype}")


@pytest.mark.readable  # the levels are told beside the precisions
@pytest.mark.parametrize(("sweep", "at", "dtype"), list(swept()))
def test_gradients_agree_with_jax(sweep: Sweep, at: str, dtype: str) -> None:
    """Of a random cotangent: each element of each gradient, against JAX in float64.

    Both precisions at both levels, of fewer elements, are in `test_ops`.
    """
    arguments, cotangent, expected, gradients = expected_of(sweep, dtype)
    generated = module(sweep.graph, dtype=dtype, level=at)
    out, cache = generated.forward(*arguments)
    found = generated.backward(cache, y=cotangent)
    tolerance = TOLERANCE[dtype]
    close(out.y, expected, tolerance)
    for name, gradient in gradients.items():
        close(found[name], gradient, tolerance)


@functools.cache
def expected_of(sweep: Sweep, dtype: str) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Arguments and a cotangent, and what JAX computes of them: once for all levels."""
    arguments = list(sweep.arguments(dtype))
    exact = [one.astype(np.float64) if one.dtype.kind == "f" else one for one in arguments]
    shape = jax.eval_shape(sweep.value, *exact).shape
    cotangent = np.random.default_rng(5).normal(size=shape).astype(dtype)
    expected, slopes = by_jax(sweep)(cotangent.astype(np.float64), *exact)
    floats = [place for place, one in enumerate(arguments) if one.dtype.kind == "f"]
    gradients = {NAMES[place]: np.asarray(one) for place, one in zip(floats, slopes, strict=True)}
    return arguments, cotangent, np.asarray(expected), gradients


@functools.cache
def by_jax(sweep: Sweep) -> Callable[..., Any]:
    """The function of a cotangent and arguments to the value and the gradients, compiled once."""

    @jax.jit
    def value_and_slopes(cotangent: Any, *arguments: Any) -> Any:
        floats = [place for place, one in enumerate(arguments) if one.dtype.kind == "f"]

        def value(*chosen: Any) -> Any:
            given = list(arguments)
            for place, one in zip(floats, chosen, strict=True):
                given[place] = one
            return sweep.value(*given)

        found, pull = jax.vjp(value, *(arguments[place] for place in floats))
        return found, pull(cotangent)

    return value_and_slopes


def close(found: Any, expected: Any, tolerance: float) -> None:
    found, expected = np.asarray(found, np.float64), np.asarray(expected)
    assert found.shape == expected.shape
    gap = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    assert gap.max() <= tolerance


NOT_IN_JAX = {
    "fill_tril",  # the order of the triangle is ours
    "split", "top_k", "eigh", "svd", "qr",  # several results
    "put", "scatter_nd", "put_along_axis",  # of several values for one position JAX takes any
    "gammainc", "gammaincc", "betainc",  # by the parameters JAX takes minutes, or has none
    "erfcinv", "j0", "j1", "jv", "iv", "k0", "k1", "kv",
    "grid_sample",  # not in JAX
    "heaviside",  # no derivative in JAX
    "grad", "jvp", "jacobian",
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",  # other conventions of padding
}  # fmt: skip


def test_every_differentiable_operation_is_swept_or_excused() -> None:
    swept = {sweep.name for sweep in SWEEPS}
    without = {
        "isfinite", "isnan", "isinf", "zeros", "ones", "full", "len", "arange", "eye", "one_hot",
        "argsort", "searchsorted", "argmax", "argmin", "any", "all", "count_nonzero", "to_int",
    }  # fmt: skip
    assert set(FUNCTIONS) - swept == NOT_IN_JAX | without
