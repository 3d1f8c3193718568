"""What the operations of `graphc.ops` must compute, by functions of NumPy, SciPy and JAX.

A row has the reference, the interval in which it is smooth enough to differ, and the calls: the
arguments as text, their types, and the keywords that the reference gets besides the arrays. Where
there are no calls, they follow from the parameters of the operation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import scipy.special
from jax import lax

Calls = tuple[tuple[str, tuple[str, ...], Mapping[str, Any]], ...]
Row = tuple[Callable[..., Any], tuple[float, float], Calls]

SMOOTH = (-2, 2)
EVERYWHERE: Calls = tuple(
    ("a", (type,), {}) for type in ("[]", "[4]", "[2, 3, 4]", "[1]", "[N, 3]", "int[4]", "bool[4]")
)


def row(value: Callable[..., Any], inside: tuple[float, float] = SMOOTH, calls: Calls = ()) -> Row:
    return value, inside, calls


def on(types: str | tuple[str, ...], text: str = "a", **keywords: Any) -> Any:
    """One call."""
    return text, (types,) if isinstance(types, str) else types, keywords


# ---- elementwise -----------------------------------------------------------------------------


def _leaky(x: np.ndarray, slope: Any = 0.01) -> np.ndarray:
    return np.where(x > 0, x, slope * x)


def _elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(x))


def _clip(x: np.ndarray, low: Any = -1, high: Any = 1) -> np.ndarray:
    return np.clip(x, low, high)


ELEMENTWISE: dict[str, Row] = {
    "exp2": row(np.exp2),
    "log2": row(np.log2, (0.1, 3)),
    "log10": row(np.log10, (0.1, 3)),
    "cbrt": row(np.cbrt, (0.1, 3)),
    "square": row(lambda x: x**2),
    "reciprocal": row(lambda x: 1 / x, (0.3, 3)),
    "power": row(np.power, (0.3, 2.3)),
    "logit": row(scipy.special.logit, (0.1, 0.9)),
    "deg2rad": row(np.deg2rad),
    "rad2deg": row(np.rad2deg),
    "arcsin": row(np.arcsin, (-0.9, 0.9)),
    "arccos": row(np.arccos, (-0.9, 0.9)),
    "arctan": row(np.arctan),
    "arcsinh": row(np.arcsinh),
    "arccosh": row(np.arccosh, (1.1, 4)),
    "arctanh": row(np.arctanh, (-0.9, 0.9)),
    "asin": row(np.arcsin, (-0.9, 0.9)),
    "acos": row(np.arccos, (-0.9, 0.9)),
    "atan": row(np.arctan),
    "asinh": row(np.arcsinh),
    "acosh": row(np.arccosh, (1.1, 4)),
    "atanh": row(np.arctanh, (-0.9, 0.9)),
    "atan2": row(np.arctan2, (0.2, 3)),
    "arctan2": row(np.arctan2, (0.2, 3)),
    "hypot": row(np.hypot, (0.2, 3)),
    "logaddexp": row(np.logaddexp),
    "xlogy": row(scipy.special.xlogy, (0.2, 3)),
    "xlog1py": row(scipy.special.xlog1py, (0.2, 3)),
    "erf": row(scipy.special.erf),
    "erfc": row(scipy.special.erfc),
    "lgamma": row(scipy.special.gammaln, (0.3, 4)),
    "digamma": row(scipy.special.digamma, (0.5, 4)),
    "polygamma": row(
        lambda x, n: scipy.special.polygamma(n, x),
        (0.6, 4),
        (
            on("[4]", "0, a", n=0),
            on("[]", "1, a", n=1),
            on("[2, 3]", "n=2, x=a", n=2),
            on("[N]", "3, a", n=3),
            on("int[3]", "1, a", n=1),
        ),
    ),
    "round": row(np.round, (0.1, 2.4)),
    "trunc": row(np.trunc, (0.1, 2.9)),
    "isnan": row(np.isnan),
    "isinf": row(np.isinf),
    "heaviside": row(np.heaviside, (0.1, 2)),
    "mod": row(np.mod, (0.3, 2.3)),
    "clip": row(
        _clip,
        (-2.3, 2.1),
        (
            *(on(type, "a, -1, 1") for type in ("[]", "[7]", "[2, 3]", "[N]", "int[5]")),
            on("[5]", "a, min=0, max=inf", low=0, high=np.inf),
            on(("[2, 3]", "[3]", "[]"), "a, b, c"),
        ),
    ),
    "gelu": row(lambda x: x * scipy.special.ndtr(x), (-4, 4)),
    "leaky_relu": row(
        _leaky,
        SMOOTH,
        (*EVERYWHERE, on("[5]", "a, 0.2", slope=0.2), on("[5]", "a, slope=0", slope=0)),
    ),
    "prelu": row(
        _leaky,
        SMOOTH,
        tuple(on(types, "a, b") for types in (("[4]", "[]"), ("[2, 3]", "[3]"), ("[N]", "[N]"))),
    ),
    "elu": row(_elu, SMOOTH, (*EVERYWHERE, on("[5]", "a, alpha=0.5", alpha=0.5))),
    "celu": row(
        lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x / alpha)),
        SMOOTH,
        (*EVERYWHERE, on("[5]", "a, 0.5", alpha=0.5)),
    ),
    "selu": row(lambda x: np.asarray(jax.nn.selu(np.asarray(x, np.float64)))),
    "softsign": row(lambda x: x / (1 + np.abs(x))),
    "log_sigmoid": row(scipy.special.log_expit, (-4, 4)),
    "mish": row(lambda x: x * np.tanh(np.logaddexp(x, 0.0)), (-4, 4)),
    "hardtanh": row(
        lambda x, min=-1, max=1: np.clip(x, min, max) * 1.0,
        (-2.3, 2.1),
        (*EVERYWHERE, on("[7]", "a, -0.5, 0.7", min=-0.5, max=0.7)),
    ),
    "relu6": row(lambda x: np.clip(x, 0, 6), (-2.3, 8.1)),
    "hardsigmoid": row(lambda x: np.clip(x / 6 + 0.5, 0, 1), (-5, 5)),
    "hardswish": row(lambda x: x * np.clip(x / 6 + 0.5, 0, 1), (-5, 5)),
    "bce_logits": row(lambda x, t: np.logaddexp(x, 0.0) - x * t),
}

# ---- reductions ------------------------------------------------------------------------------


def _norm(x: np.ndarray, ord: float = 2, axis: Any = None, keepdims: bool = False) -> Any:
    size = np.abs(np.asarray(x, np.float64))
    if ord == 2:
        return np.sqrt(np.sum(size**2, axis=axis, keepdims=keepdims))
    reduce = np.sum if ord == 1 else np.max
    return reduce(size, axis=axis, keepdims=keepdims)


def _running(function: Callable[..., Any]) -> Row:
    return row(
        lambda x, axis=None: function(x, axis=axis),
        (-2, 2),
        (
            on("[4]"),
            on("[]"),
            on("[2, 3]"),
            on("[2, 3]", "a, axis=0", axis=0),
            on("[2, 3, 4]", "a, axis=1", axis=1),
            on("[2, 3, 1]", "a, axis=-1", axis=-1),
            on("[N, 2]", "a, axis=0", axis=0),
            on("[N, 2]", "a, axis=N", axis=0),
            on("int[2, 3]", "a, axis=1", axis=1),
        ),
    )


def _logcumsumexp(x: np.ndarray, axis: int | None = None) -> np.ndarray:
    x = np.asarray(x, np.float64)
    return np.logaddexp.accumulate(x.ravel() if axis is None else x, axis or 0)


def _recurrence(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
    y = np.array(np.moveaxis(b, axis, 0), np.float64)
    for t in range(1, len(y)):
        y[t] = np.moveaxis(a, axis, 0)[t] * y[t - 1] + y[t]
    return np.moveaxis(y, 0, axis)


SPREAD = (
    on("[4]"),
    on("[2, 3, 4]"),
    on("[2, 3]", "a, axis=1", axis=1),
    on("[2, 3, 4]", "a, axis=[0, 2], keepdims=true", axis=(0, 2), keepdims=True),
    on("[N, 3]", "a, axis=N", axis=0),
    on("[5]", "a, ddof=1", ddof=1),
    on("[N, 2]", "a, axis=0, ddof=1", axis=0, ddof=1),
    on("int[2, 3]", "a, axis=1", axis=1),
)
PLACES = (
    on("[4]"),
    on("[2, 3]"),
    on("[2, 3, 4]", "a, axis=1", axis=1),
    on("[2, 3]", "a, axis=-1, keepdims=true", axis=-1, keepdims=True),
    on("[N, 3]", "a, axis=N", axis=0),
)

REDUCTIONS: dict[str, Row] = {
    "prod": row(np.prod),
    "var": row(np.var, SMOOTH, SPREAD),
    "std": row(np.std, SMOOTH, SPREAD),
    "norm": row(
        _norm,
        SMOOTH,
        (
            *(on(type) for type in ("[]", "[4]", "[2, 3, 4]", "[N, 2]", "int[3]")),
            on("[2, 3]", "a, axis=1", axis=1),
            on("[2, 3, 4]", "a, axis=[0, 2], keepdims=true", axis=(0, 2), keepdims=True),
            on("[2, 3]", "a, ord=1, axis=0", ord=1, axis=0),
            on("[2, 3]", "a, inf, axis=1", ord=np.inf, axis=1),
        ),
    ),
    "argmax": row(np.argmax, SMOOTH, PLACES),
    "argmin": row(np.argmin, SMOOTH, PLACES),
    "any": row(np.any),
    "all": row(np.all),
    "count_nonzero": row(
        lambda x, axis=None, keepdims=False: np.asarray(
            np.count_nonzero(x, axis=axis, keepdims=keepdims), np.int64
        )
    ),
    "median": row(
        lambda x, axis=None: np.median(np.asarray(x, np.float64), axis=axis),
        SMOOTH,
        (
            on("[5]"),
            on("[4]"),
            on("[2, 3]"),
            on("[2, 3, 4]", "a, axis=1", axis=1),
            on("[3, N]", "a, axis=N", axis=1),
        ),
    ),
    "cumsum": _running(np.cumsum),
    "cumprod": _running(np.cumprod),
    "logcumsumexp": row(
        _logcumsumexp,
        SMOOTH,
        (on("[4]"), on("[2, 3]"), on("[2, 3]", "a, axis=1", axis=1), on("[N]")),
    ),
    "linear_recurrence": row(
        _recurrence,
        SMOOTH,
        (
            on(("[5]", "[5]"), "a, b"),
            on(("[2, 3]", "[2, 3]"), "a, b, axis=0", axis=0),
            on(("[2, 3]", "[2, 3]"), "a, b"),
            on(("[N, 2]", "[N, 2]"), "a, b, axis=N", axis=0),
            on(("[1]", "[1]"), "a, b"),
        ),
    ),
}

# ---- shapes ----------------------------------------------------------------------------------


def by(x: np.ndarray, *others: np.ndarray, f: Callable[..., Any]) -> Any:
    """The reference is given with each call."""
    return f(x, *others)


def _pad(x: np.ndarray, width: Any, mode: str = "constant", **more: Any) -> np.ndarray:
    return np.pad(x, width, mode, **more)


SHAPES: dict[str, Row] = {
    "squeeze": row(
        np.squeeze,
        SMOOTH,
        (
            on("[1, 3, 1]"),
            on("[1, 3, 1]", "a, axis=0", axis=0),
            on("[2]"),
            on("[1, N]"),
            on("int[1]"),
        ),
    ),
    "expand_dims": row(
        np.expand_dims,
        SMOOTH,
        (
            on("[3]", "a, 0", axis=0),
            on("[2, 3]", "a, axis=[0, -1]", axis=(0, -1)),
            on("[]", "a, 0", axis=0),
            on("int[N]", "a, 1", axis=1),
        ),
    ),
    "swapaxes": row(
        lambda x, i, j: np.swapaxes(x, i, j),
        SMOOTH,
        (on("[2, 3]", "a, 0, 1", i=0, j=1), on("[2, N, 4]", "a, -1, 0", i=-1, j=0)),
    ),
    "moveaxis": row(
        lambda x, i, j: np.moveaxis(x, i, j),
        SMOOTH,
        (on("[2, 3, 4]", "a, 0, 2", i=0, j=2), on("[2, N, 4]", "a, -1, 0", i=-1, j=0)),
    ),
    "flip": row(
        np.flip,
        SMOOTH,
        (
            on("[4]"),
            on("[]"),
            on("[2, 3]"),
            on("[2, 3]", "a, axis=1", axis=1),
            on("[N, 3]", "a, axis=[0, 1]", axis=(0, 1)),
            on("int[3]"),
        ),
    ),
    "roll": row(
        lambda x, shift, axis=None: np.roll(x, shift, axis),
        SMOOTH,
        (
            on("[5]", "a, 2", shift=2),
            on("[2, 3]", "a, -1", shift=-1),
            on("[2, 3]", "a, 4, axis=1", shift=4, axis=1),
            on("[N, 3]", "a, [1, -1], axis=[0, 1]", shift=(1, -1), axis=(0, 1)),
            on("int[4]", "a, 1, axis=0", shift=1, axis=0),
        ),
    ),
    "tile": row(
        lambda x, reps: np.tile(x, reps),
        SMOOTH,
        (
            on("[3]", "a, 2", reps=2),
            on("[2, 3]", "a, [2, 3]", reps=(2, 3)),
            on("[3]", "a, [2, 1]", reps=(2, 1)),
            on("[2, 2]", "a, [3]", reps=(3,)),
            on("[N, 2]", "a, [2, N]", reps=(2, 3)),
            on("int[2]", "a, 2", reps=2),
        ),
    ),
    "repeat_elements": row(
        lambda x, n, axis: np.repeat(x, n, axis),
        SMOOTH,
        (
            on("[3]", "a, 2, axis=0", n=2, axis=0),
            on("[2, 3]", "a, 2, axis=1", n=2, axis=1),
            on("[N, 3]", "a, N, axis=0", n=3, axis=0),
            on("int[2, 1]", "a, 3, -1", n=3, axis=-1),
        ),
    ),
    "pad": row(
        _pad,
        SMOOTH,
        (
            on("[3]", "a, 2", width=2),
            on("[3]", "a, [1, 2]", width=(1, 2)),
            on("[2, 3]", "a, [[0, 0], [1, 2]]", width=((0, 0), (1, 2))),
            on("[2, 3]", "a, 1, constant_values=7", width=1, constant_values=7),
            on("[N, 3]", "a, [[N, 0], [1, 0]]", width=((3, 0), (1, 0))),
            on("[4]", 'a, [1, 2], mode="edge"', width=(1, 2), mode="edge"),
            on("[2, 4]", 'a, [[0, 1], [2, 3]], "reflect"', width=((0, 1), (2, 3)), mode="reflect"),
            on("[4]", 'a, [4, 2], mode="symmetric"', width=(4, 2), mode="symmetric"),
            on("[N]", 'a, [1, 2], mode="wrap"', width=(1, 2), mode="wrap"),
            on("[3]", "a, 0", width=0),
            on("int[3]", "a, 1", width=1),
            on("int[3]", "a, 1, constant_values=4", width=1, constant_values=4),
        ),
    ),
    "full": row(
        lambda x, shape: np.full(shape, x, x.dtype),
        SMOOTH,
        (on("[]", "[2, 3], a", shape=(2, 3)), on("[]", "[], a", shape=())),
    ),
    "linspace": row(
        lambda start, stop, num=50: np.linspace(start, stop, num),
        SMOOTH,
        (
            on(("[]", "[]"), "a, b"),
            on(("[]", "[]"), "a, b, 1", num=1),
            on(("[]", "[]"), "a, stop=b, num=4", num=4),
        ),
    ),
    "zeros_like": row(lambda x: np.zeros(x.shape), SMOOTH, (on("[2, 3]"), on("[N]"), on("int[2]"))),
    "ones_like": row(lambda x: np.ones(x.shape), SMOOTH, (on("[2, 3]"), on("[N]"), on("int[2]"))),
    "rearrange": row(
        by,
        SMOOTH,
        (
            on("[2, 3]", 'a, "b t -> t b"', f=np.transpose),
            on(
                "[2, 3, 4]",
                'a, "b t (h d) -> b h t d", h=2',
                f=lambda x: x.reshape(2, 3, 2, 2).transpose(0, 2, 1, 3),
            ),
            on(
                "[2, 2, 3, 2]",
                'a, "b h t d -> b t (h d)"',
                f=lambda x: x.transpose(0, 2, 1, 3).reshape(2, 3, 4),
            ),
            on("[2, 3]", 'a, "a b -> (b a) 1"', f=lambda x: x.T.reshape(6, 1)),
            on("[2, 1, 3]", 'a, "a 1 b -> b a"', f=lambda x: x[:, 0].T),
            on("[2, 3, 4]", 'a, "x ... -> ... x"', f=lambda x: np.moveaxis(x, 0, -1)),
            on(
                "[N, 4]",
                'a, "n (p q) -> (p n) q", p=2',
                f=lambda x: x.reshape(3, 2, 2).transpose(1, 0, 2).reshape(6, 2),
            ),
            on("int[2, 3]", 'a, "i j -> (j i)"', f=lambda x: x.T.ravel()),
        ),
    ),
}

# ---- selection -------------------------------------------------------------------------------


def _scatter_add(x: np.ndarray, i: np.ndarray, updates: np.ndarray, axis: int = 0) -> np.ndarray:
    result = np.array(x, np.result_type(x, updates))
    np.add.at(result, (slice(None),) * axis + (i,), updates)
    return result


def _segment_sum(x: np.ndarray, i: np.ndarray, n: int) -> np.ndarray:
    return _scatter_add(np.zeros((n, *x.shape[1:]), x.dtype), i, x)


SELECTION: dict[str, Row] = {
    "take": row(
        lambda x, i, axis=None: np.take(x, i, axis),
        (-1, 3),
        (
            on(("[4]", "int[3]"), "a, b"),
            on(("[2, 3]", "int[2]"), "a, b"),
            on(("[3, 4]", "int[2, 2]"), "a, b, axis=0", axis=0),
            on(("[2, 3]", "int[4]"), "a, b, axis=1", axis=1),
            on(("[N, 2]", "int[]"), "a, b, axis=0", axis=0),
            on("[4, 2]", "a, [3, 0, 3], axis=0", i=[3, 0, 3], axis=0),
            on("[4, 2]", "a, 1, axis=0", i=1, axis=0),
            on(("int[4]", "int[3]"), "a, b"),
        ),
    ),
    "take_along_axis": row(
        lambda x, i, axis=-1: np.take_along_axis(x, i, axis),
        (-1, 3),
        (
            on(("[4]", "int[5]"), "a, b"),
            on(("[2, 3]", "int[2, 4]"), "a, b"),
            on(("[3, 2]", "int[4, 2]"), "a, b, axis=0", axis=0),
            on(("[2, 3, 2]", "int[2, 4, 2]"), "a, b, axis=1", axis=1),
            on(("[N, 3]", "int[N, 2]"), "a, b"),
        ),
    ),
    "scatter_add": row(
        _scatter_add,
        (-1, 3),
        (
            on(("[4]", "int[5]", "[5]"), "a, b, c"),
            on(("[3, 2]", "int[4]", "[4, 2]"), "a, b, c"),
            on(("[2, 3]", "int[4]", "[2, 4]"), "a, b, c, axis=1", axis=1),
            on(("[N, 2]", "int[4]", "[2]"), "a, b, c"),
            on(("int[3]", "int[4]", "int[4]"), "a, b, c"),
        ),
    ),
    "segment_sum": row(
        _segment_sum,
        (-1, 3),
        (
            on(("[4]", "int[4]"), "a, b, 3", n=3),
            on(("[N, 2]", "int[N]"), "a, b, num_segments=4", n=4),
        ),
    ),
    "one_hot": row(
        lambda i, n: np.eye(n)[i],
        (-1, 3),
        (on("int[4]", "a, 3", n=3), on("int[]", "a, 3", n=3), on("int[2, 2]", "a, n=4", n=4)),
    ),
    "argsort": row(
        lambda x, axis=-1: np.argsort(x, axis, kind="stable"),
        SMOOTH,
        (on("[5]"), on("[2, 3]"), on("[3, 2]", "a, axis=0", axis=0), on("[N]"), on("int[4]")),
    ),
    "sort": row(
        np.sort, SMOOTH, (on("[5]"), on("[2, 3]"), on("[3, 2]", "a, axis=0", axis=0), on("[N]"))
    ),
}

# ---- matrices --------------------------------------------------------------------------------


def _fill_tril(v: np.ndarray, n: int) -> np.ndarray:
    matrix = np.zeros((*v.shape[:-1], n, n))
    place = 0
    for column in range(n):
        for line in range(column + 1, n):
            matrix[..., line, column] = v[..., place]
            place += 1
    return matrix


def _diagonal(x: np.ndarray, offset: int = 0) -> np.ndarray:
    return np.diagonal(x, offset, -2, -1)


def _words(subscripts: str, *arrays: np.ndarray) -> np.ndarray:
    """NumPy's einsum with a letter for each word."""
    letters: dict[str, str] = {}
    for word in subscripts.replace(",", " ").replace("->", " ").split():
        if word != "...":
            letters.setdefault(word, chr(ord("a") + len(letters)))
    text = " ".join(
        letters.get(word, word)
        for word in subscripts.replace(",", " , ").replace("->", " -> ").split()
    )
    return np.einsum(text.replace(" ", ""), *arrays)


def _einsum_calls() -> Calls:
    rows = (
        ("i j -> j i", "[2, 3]"),
        ("i i ->", "[3, 3]"),
        ("i i -> i", "[3, 3]"),
        ("b i i -> b", "[2, 3, 3]"),
        ("i, i ->", "[3]", "[3]"),
        ("i, j -> i j", "[3]", "[2]"),
        ("i, j -> j i", "[3]", "[2]"),
        ("i, i -> i", "[3]", "[3]"),
        (", i -> i", "[]", "[3]"),
        ("i j, j -> i", "[2, 3]", "[3]"),
        ("i, i j -> j", "[2]", "[2, 3]"),
        ("i j, j k -> i k", "[2, 3]", "[3, 4]"),
        ("i j, k j -> k i", "[2, 3]", "[4, 3]"),
        ("b t d, b s d -> b t s", "[2, 3, 4]", "[2, 2, 4]"),
        ("b h t d, b h s d -> b h t s", "[2, 2, 3, 4]", "[2, 2, 1, 4]"),
        ("b t d, d e -> b t e", "[2, 3, 4]", "[4, 2]"),
        ("k i j, n k j -> n k i", "[2, 3, 3]", "[4, 2, 3]"),
        ("b i, b i -> b", "[2, 3]", "[2, 3]"),
        ("b i j, b i j -> b", "[2, 3, 2]", "[2, 3, 2]"),
        ("i j, i j ->", "[2, 3]", "[2, 3]"),
        ("i j k, j k l -> i l", "[2, 3, 2]", "[3, 2, 4]"),
        ("i j, j k, k l -> i l", "[2, 3]", "[3, 2]", "[2, 4]"),
        ("i, i j, j ->", "[2]", "[2, 3]", "[3]"),
        ("... i, i j -> ... j", "[2, 3, 4]", "[4, 2]"),
        ("... i j, ... j k -> ... i k", "[2, 2, 3]", "[2, 3, 4]"),
        ("n i, i j -> n j", "[N, 3]", "[3, 2]"),
        ("n i, n j -> i j", "[N, 3]", "[N, 2]"),
        ("i i, i -> i", "[3, 3]", "[3]"),
        ("i j, j -> i", "int[2, 3]", "int[3]"),
    )
    return tuple(
        (f'"{text}", {", ".join("abc"[: len(types)])}', types, {"text": text})
        for text, *types_ in rows
        for types in (tuple(types_),)
    )


def _shifted(x: np.ndarray) -> np.ndarray:
    return x + 5 * np.eye(x.shape[-1])


def _positive(x: np.ndarray) -> np.ndarray:
    return x @ np.swapaxes(x, -1, -2) + 3 * np.eye(x.shape[-1])


SQUARES = (
    on("[3, 3]", "a + 5 * eye(3)"),
    on("[2, 3, 3]", "a + 5 * eye(3)"),
    on("[N, N]", "a + 5 * eye(N)"),
)


def _solve(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if b.ndim == 1:
        return np.linalg.solve(_shifted(a), b[:, None])[..., 0]
    return np.linalg.solve(_shifted(a), b)


MATRICES: dict[str, Row] = {
    "einsum": row(lambda *arrays, text: _words(text, *arrays), SMOOTH, _einsum_calls()),
    "vdot": row(
        lambda a, b: np.sum(a * b),
        SMOOTH,
        (on(("[3]", "[3]"), "a, b"), on(("[2, 3]", "[2, 3]"), "a, b")),
    ),
    "dot": row(
        np.dot,
        SMOOTH,
        (
            on(("[3]", "[3]"), "a, b"),
            on(("[2, 3]", "[3, 2]"), "a, b"),
            on(("[]", "[3]"), "a, b"),
            on(("[2, 3]", "[3]"), "a, b"),
        ),
    ),
    "cross": row(
        np.cross,
        SMOOTH,
        (
            on(("[3]", "[3]"), "a, b"),
            on(("[2, 3]", "[2, 3]"), "a, b"),
            on(("[2, 3]", "[3]"), "a, b"),
            on(("[N, 3]", "[N, 3]"), "a, b"),
        ),
    ),
    "kron": row(
        np.kron, SMOOTH, (on(("[2, 3]", "[3, 1]"), "a, b"), on(("[N, 2]", "[2, N]"), "a, b"))
    ),
    "diagonal": row(
        _diagonal,
        SMOOTH,
        (
            on("[3, 3]"),
            on("[2, 3, 3]"),
            on("[3, 4]", "a, 1", offset=1),
            on("[4, 3]", "a, offset=-1", offset=-1),
            on("[2, 5]"),
            on("[N, N]"),
            on("int[2, 2]"),
        ),
    ),
    "diag": row(
        np.diag,
        SMOOTH,
        (
            on("[3]"),
            on("[3]", "a, k=1", k=1),
            on("[3]", "a, -2", k=-2),
            on("[3, 3]", "a, 1", k=1),
            on("[N]"),
            on("[N, N]"),
            on("int[2]"),
        ),
    ),
    "trace": row(
        lambda x, offset=0: np.trace(x, offset, -2, -1),
        SMOOTH,
        (on("[3, 3]"), on("[2, 3, 3]"), on("[2, 3]", "a, 1", offset=1), on("[N, N]")),
    ),
    "tril": row(
        np.tril,
        SMOOTH,
        (
            on("[3, 3]"),
            on("[2, 3, 4]", "a, k=1", k=1),
            on("[N, 3]", "a, -1", k=-1),
            on("int[2, 2]"),
        ),
    ),
    "triu": row(
        np.triu, SMOOTH, (on("[3, 3]"), on("[2, 3, 4]", "a, k=1", k=1), on("[N, 3]", "a, -1", k=-1))
    ),
    "fill_tril": row(
        _fill_tril,
        SMOOTH,
        (
            on("[3]", "a, 3", n=3),
            on("[2, 6]", "a, n=4", n=4),
            on("[0]", "a, 1", n=1),
        ),
    ),
    "inv": row(lambda x: np.linalg.inv(_shifted(x)), SMOOTH, SQUARES),
    "det": row(lambda x: np.linalg.det(_shifted(x)), (-1, 1), SQUARES),
    "logdet": row(lambda x: np.linalg.slogdet(_shifted(x))[1], SMOOTH, SQUARES),
    "solve": row(
        _solve,
        SMOOTH,
        tuple(
            on(types, f"a + 5 * eye({side}), b")
            for types, side in (
                (("[3, 3]", "[3]"), 3),
                (("[3, 3]", "[3, 2]"), 3),
                (("[2, 3, 3]", "[2, 3, 2]"), 3),
                (("[2, 3, 3]", "[3]"), 3),
                (("[2, 3, 3]", "[3, 1]"), 3),
                (("[N, N]", "[N, 2]"), "N"),
            )
        ),
    ),
    "triangular_solve": row(
        lambda a, b, part=np.tril: np.linalg.solve(part(_shifted(a)), b),
        SMOOTH,
        (
            on(("[3, 3]", "[3]"), "a + 5 * eye(3), b"),
            on(("[2, 3, 3]", "[2, 3, 1]"), "a + 5 * eye(3), b, lower=false", part=np.triu),
        ),
    ),
    "cholesky": row(
        lambda x: np.linalg.cholesky(_positive(x)),
        SMOOTH,
        (
            on("[3, 3]", "a @ a.T + 3 * eye(3)"),
            on("[2, 3, 3]", "a @ swapaxes(a, -1, -2) + 3 * eye(3)"),
        ),
    ),
    "matrix_power": row(
        lambda x, n: np.linalg.matrix_power(_shifted(x), n),
        (-1, 1),
        tuple(on("[2, 2]", f"a + 5 * eye(2), {n}", n=n) for n in (-2, 0, 1, 3)),
    ),
}

# ---- windows ---------------------------------------------------------------------------------


def _pairs(value: Any, rank: int) -> tuple[Any, ...]:
    values = value if isinstance(value, tuple) else (value,) * rank
    return tuple(one if isinstance(one, tuple) else (one, one) for one in values)


def _conv(
    x: np.ndarray,
    w: np.ndarray,
    stride: Any = 1,
    pad: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> np.ndarray:
    rank = x.ndim - 2
    return np.asarray(
        lax.conv_general_dilated(
            np.asarray(x, np.float64),
            np.asarray(w, np.float64),
            stride if isinstance(stride, tuple) else (stride,) * rank,
            _pairs(pad, rank),
            rhs_dilation=dilation if isinstance(dilation, tuple) else (dilation,) * rank,
            feature_group_count=groups,
        )
    )


def _conv_transpose(
    x: np.ndarray,
    w: np.ndarray,
    stride: Any = 1,
    pad: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> np.ndarray:
    """Every input element spreads its kernel over the output."""
    rank = x.ndim - 2
    steps, more, spread = (
        one if isinstance(one, tuple) else (one,) * rank
        for one in (stride, output_padding, dilation)
    )
    kernel, counts = w.shape[2:], x.shape[2:]
    sizes = [
        (n - 1) * s + (k - 1) * d + 1 + e
        for n, s, k, d, e in zip(counts, steps, kernel, spread, more, strict=True)
    ]
    out = np.zeros((x.shape[0], w.shape[1] * groups, *sizes))
    take, give = x.shape[1] // groups, w.shape[1]
    for group in range(groups):
        for at in np.ndindex(*counts):
            for k in np.ndindex(*kernel):
                place = tuple(
                    a * s + i * d for a, s, i, d in zip(at, steps, k, spread, strict=True)
                )
                part = slice(group * take, (group + 1) * take)
                value = x[(slice(None), part, *at)] @ w[(part, slice(None), *k)]
                out[(slice(None), slice(group * give, (group + 1) * give), *place)] += value
    for axis, (before, after) in enumerate(_pairs(pad, rank)):
        out = np.take(out, range(before, out.shape[axis + 2] - after), axis + 2)
    return out


def _pool(
    x: np.ndarray,
    size: Any,
    stride: Any = None,
    pad: Any = 0,
    dilation: Any = 1,
    *,
    reduce: Callable[..., Any],
    fill: float,
) -> np.ndarray:
    kernel = size if isinstance(size, tuple) else (size, size)
    rank = len(kernel)
    steps = kernel if stride is None else stride if isinstance(stride, tuple) else (stride,) * rank
    width = ((0, 0),) * (x.ndim - rank) + _pairs(pad, rank)
    x = np.pad(np.asarray(x, np.float64), width, constant_values=fill)
    reach = tuple((k - 1) * dilation + 1 for k in kernel)
    axes = tuple(range(-rank, 0))
    view = np.lib.stride_tricks.sliding_window_view(x, reach, axes)
    taken = view[
        (..., *(slice(None, None, s) for s in steps), *(slice(None, None, dilation),) * rank)
    ]
    return reduce(taken, axes)


def _max_pool(x: np.ndarray, size: Any, **more: Any) -> np.ndarray:
    return _pool(x, size, reduce=np.max, fill=-math.inf, **more)


def _mean_pool(x: np.ndarray, size: Any, **more: Any) -> np.ndarray:
    return _pool(x, size, reduce=np.mean, fill=0.0, **more)


WINDOWS: dict[str, Row] = {
    "conv1d": row(
        _conv,
        SMOOTH,
        (
            on(("[2, 2, 5]", "[3, 2, 2]"), "a, b"),
            on(("[1, 2, 6]", "[2, 2, 3]"), "a, b, stride=2, pad=1", stride=2, pad=1),
            on(("[1, 1, N]", "[2, 1, 2]"), "a, b, dilation=2", dilation=2),
        ),
    ),
    "conv2d": row(
        _conv,
        SMOOTH,
        (
            on(("[2, 1, 3, 4]", "[2, 1, 2, 2]"), "a, b"),
            on(
                ("[1, 2, 4, 5]", "[2, 2, 3, 2]"), "a, b, stride=[2, 1], pad=1", stride=(2, 1), pad=1
            ),
            on(("[1, 2, 3, 3]", "[4, 1, 2, 2]"), "a, b, groups=2", groups=2),
            on(
                ("[N, 1, 4, 4]", "[1, 1, 2, 2]"),
                "a, b, dilation=2, pad=[[1, 0], [0, 1]]",
                dilation=2,
                pad=((1, 0), (0, 1)),
            ),
            on(("[1, 1, N, N]", "[2, 1, 2, 2]"), "a, b, pad=1, stride=2", pad=1, stride=2),
        ),
    ),
    "conv3d": row(
        _conv,
        SMOOTH,
        (on(("[1, 2, 2, 3, 2]", "[1, 2, 2, 2, 1]"), "a, b, stride=[1, 2, 1]", stride=(1, 2, 1)),),
    ),
    "conv_transpose1d": row(
        _conv_transpose,
        SMOOTH,
        (on(("[2, 2, 3]", "[2, 3, 2]"), "a, b, stride=2, pad=1", stride=2, pad=1),),
    ),
    "conv_transpose2d": row(
        _conv_transpose,
        SMOOTH,
        (
            on(("[2, 2, 2, 3]", "[2, 1, 2, 2]"), "a, b"),
            on(
                ("[1, 2, 3, 2]", "[2, 1, 3, 3]"),
                "a, b, stride=2, pad=1, output_padding=1",
                stride=2,
                pad=1,
                output_padding=1,
            ),
            on(
                ("[1, 4, 2, 2]", "[4, 1, 2, 2]"), "a, b, groups=2, dilation=2", groups=2, dilation=2
            ),
            on(("[N, 1, N, 2]", "[1, 2, 2, 2]"), "a, b, stride=2", stride=2),
        ),
    ),
    "conv_transpose3d": row(
        _conv_transpose,
        SMOOTH,
        (on(("[1, 1, 2, 2, 2]", "[1, 2, 1, 2, 2]"), "a, b, stride=2", stride=2),),
    ),
    "maxpool": row(
        _max_pool,
        SMOOTH,
        (
            on("[2, 1, 4, 4]", "a, 2", size=2),
            on("[1, 1, 5, 4]", "a, [3, 2], stride=1, pad=1", size=(3, 2), stride=1, pad=1),
            on("[2, 7]", "a, [3], stride=2", size=(3,), stride=2),
            on("[1, 2, N, 5]", "a, 2", size=2),
            on("[1, 5, 5]", "a, 2, stride=1, dilation=2", size=2, stride=1, dilation=2),
            on("[1, 6, 6]", "a, 5, stride=1", size=5, stride=1),
            on("[N, 5]", "a, [N, 2], stride=1", size=(3, 2), stride=1),
        ),
    ),
    "avgpool": row(
        _mean_pool,
        SMOOTH,
        (
            on("[2, 1, 4, 4]", "a, 2", size=2),
            on("[1, 5, 4]", "a, [3, 2], stride=1, pad=1", size=(3, 2), stride=1, pad=1),
            on("[2, 7]", "a, [3], stride=2", size=(3,), stride=2),
            on("[1, 6, 6]", "a, 5, stride=1", size=5, stride=1),
            on("[N, 5]", "a, [N, 2], stride=1", size=(3, 2), stride=1),
        ),
    ),
}

ROWS: dict[str, Row] = {
    **ELEMENTWISE, **REDUCTIONS, **SHAPES, **SELECTION, **MATRICES, **WINDOWS
}  # fmt: skip
"""Every row by the name of its operation."""
