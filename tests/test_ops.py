"""Every operation in value and derivative, against NumPy, SciPy and JAX and central differences.

The cases come from the registry: a function that is declared is tested. What it must compute
stands in REFERENCES under its name.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest
import scipy.special
from conftest import module
from operation_references import ROWS

from graphc.graph import OPERATORS
from graphc.ops import FUNCTIONS, Function
from graphc.ops.functions import REQUIRED

Arrays = Sequence[np.ndarray]
NAMES = "abcdefgh"
DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Call:
    """One use of a function: `text` is an expression in a, b, … whose types are given.

    `N` is the size of the symbolic dim N; `results` is how many values the call has.
    """

    text: str
    types: tuple[str, ...]
    value: Callable[..., Any]
    inside: tuple[float, float] = (-2, 2)
    N: int = 3
    results: int = 1

    def __str__(self) -> str:
        where = f" N={self.N}" if any("N" in one for one in self.types) else ""
        return f"{self.text} of {' '.join(self.types)}{where}"

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(f"y{i}" for i in range(self.results))

    @property
    def graph(self) -> str:
        lines = ["dim N"] if any("N" in one for one in (*self.types, self.text)) else []
        for name, type in zip(NAMES, self.types, strict=False):
            lines.append(f"input {name}: {type}")
        if self.results == 1:
            return "\n".join([*lines, f"output y0 = {self.text}"])
        names = ", ".join(self.outputs)
        return "\n".join([*lines, f"{names} = {self.text}", f"output {names}"])

    def shape(self, type: str) -> tuple[int, ...]:
        inside = type[type.index("[") + 1 : -1]
        axes = [axis.strip() for axis in inside.split(",") if axis.strip()]
        return tuple(self.N if axis == "N" else int(axis) for axis in axes)

    def arguments(self, dtype: str = "float64") -> list[np.ndarray]:
        """Arrays inside the domain whose elements keep clear of ties, of integers and of 0."""
        rng = np.random.default_rng(7)
        low, high = self.inside
        found: list[Any] = []
        for slot, type in enumerate(self.types):
            shape = self.shape(type)
            size = math.prod(shape)
            if type.startswith("int"):
                found.append(rng.choice(self.whole(type), shape))
            elif type.startswith("bool"):
                found.append(rng.choice(self.whole(type), shape).astype(bool))
            else:
                points = (rng.permutation(size) + 0.37 + 0.11 * slot) / max(size, 1)
                found.append((low + (high - low) * points).reshape(shape).astype(dtype))
        return [np.asarray(one) for one in found]

    def whole(self, type: str) -> list[int]:
        """The integers inside the domain."""
        low, high = self.inside
        bounds = range(2) if type.startswith("bool") else range(-5, 6)
        return [i for i in bounds if low < i < high]

    @property
    def possible(self) -> bool:
        """Is there an argument of every type inside the domain?"""
        return all(type.startswith("[") or self.whole(type) for type in self.types)

    def expected(self, arguments: Arrays) -> tuple[np.ndarray, ...]:
        value = self.value(*arguments)
        values = value if isinstance(value, tuple | list) else (value,)
        return tuple(np.asarray(one) for one in values)


@dataclass(frozen=True)
class Reference:
    """What a function must compute, and `inside` which interval it is smooth enough to differ.

    `calls` are (arguments as text, types, keywords) where those that follow from the parameters'
    kinds do not fit, `more` are further ones; the reference gets the arrays and the keywords.
    """

    value: Callable[..., Any]
    inside: tuple[float, float] = (-2, 2)
    calls: tuple[tuple[str, tuple[str, ...], Mapping[str, Any]], ...] = ()
    results: Callable[[Mapping[str, Any]], int] = field(default=lambda keywords: 1)
    more: tuple[tuple[str, tuple[str, ...], Mapping[str, Any]], ...] = ()


# ---- what each function computes -----------------------------------------------------


def _pick(x: np.ndarray, label: np.ndarray) -> np.ndarray:
    rows = x.reshape(-1, x.shape[-1])
    chosen = [row[i] for row, i in zip(rows, np.ravel(label), strict=True)]
    return np.array(chosen, x.dtype).reshape(label.shape)


def _total(*xs: np.ndarray) -> Any:
    total: Any = 0
    for x in xs:
        total = total + x
    return total


def _product(*xs: np.ndarray) -> Any:
    product: Any = 1
    for x in xs:
        product = product * x
    return product


def _softmax(x: np.ndarray, axis: Any = -1) -> np.ndarray:
    return scipy.special.softmax(x, axis=axis)


def _log_softmax(x: np.ndarray, axis: Any = -1) -> np.ndarray:
    return scipy.special.log_softmax(x, axis=axis)


def _logsumexp(x: np.ndarray, axis: Any = None, keepdims: bool = False) -> Any:
    if not x.ndim or not x.size:  # where SciPy gives another shape or refuses
        return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))
    return scipy.special.logsumexp(x, axis=axis, keepdims=keepdims)


def _linear_recurrence(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
    a, b = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    y = b.copy()
    for t in range(1, len(y)):
        y[t] = a[t] * y[t - 1] + b[t]
    return np.moveaxis(y, 0, axis)


def _fill_tril(v: np.ndarray, n: int) -> np.ndarray:
    """The strict lower triangle by columns: (1,0), (2,0), …, (2,1), …"""
    filled, values = np.zeros((n, n), v.dtype), iter(v)
    for column in range(n):
        for row in range(column + 1, n):
            filled[row, column] = next(values)
    return filled


def _scatter_add(
    x: np.ndarray, indices: np.ndarray, updates: np.ndarray, axis: int = 0
) -> np.ndarray:
    out = np.moveaxis(x.astype(np.float64), axis, 0).copy()
    for place, update in zip(indices, np.moveaxis(updates, axis, 0), strict=True):
        out[place] += update
    return np.moveaxis(out, 0, axis)


def _norm(x: np.ndarray, ord: float = 2, axis: Any = None, keepdims: bool = False) -> Any:
    if ord == 2:
        return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))
    combine = np.sum if ord == 1 else np.max
    return combine(np.abs(x), axis=axis, keepdims=keepdims)


_truths: tuple[tuple[str, tuple[str, ...], Mapping[str, Any]], ...] = (
    ("a > 0", ("[4]",), {}),
    ("a > 0, axis=0", ("[2, 3]",), {"axis": 0}),
    ("a > 0, axis=1, keepdims=true", ("[N, 3]",), {"axis": 1, "keepdims": True}),
)


MATRICES = (
    ("[3]", "[3]"),
    ("[2, 3]", "[3]"),
    ("[3]", "[3, 2]"),
    ("[2, 3]", "[3, 4]"),
    ("[1, 3]", "[3, 1]"),
    ("[2, 1]", "[1, 4]"),
    ("[5, 2, 3]", "[3, 4]"),
    ("[2, 3]", "[5, 3, 4]"),
    ("[5, 2, 3]", "[5, 3, 4]"),
    ("[1, 2, 3]", "[5, 3, 4]"),
    ("[5, 2, 3]", "[1, 3, 4]"),
    ("[5, 2, 3]", "[3]"),
    ("[3]", "[5, 3, 2]"),
    ("[4, 1, 2, 3]", "[1, 5, 3, 2]"),
    ("[4, 5, 2, 3]", "[5, 3, 2]"),
    ("[4, 5, 2, 3]", "[3]"),
    ("[3]", "[4, 5, 3, 2]"),
    ("[N, 2]", "[2, N]"),
    ("[2, N]", "[N, 4]"),
    ("int[2, 3]", "int[3, 4]"),
    ("[2, 3]", "int[3]"),
    ("int[3]", "[3]"),
    ("bool[2, 3]", "bool[3, 2]"),
)

REFERENCES: dict[str, Reference] = {
    "negative": Reference(np.negative),
    "where": Reference(
        np.where,
        calls=tuple(
            ("a, b, c", types, {})
            for types in (
                ("bool[]", "[]", "[]"),
                ("bool[4]", "[4]", "[4]"),
                ("bool[2, 3, 4]", "[3, 4]", "[]"),
                ("bool[2, 1]", "[1, 3]", "[2, 3]"),
                ("bool[]", "[3]", "[3]"),
                ("bool[3]", "[2, 3]", "[]"),
                ("bool[N, 3]", "[N, 3]", "[3]"),
                ("bool[4]", "int[4]", "int[4]"),
                ("bool[4]", "[4]", "int[4]"),
            )
        ),
    ),
    "maximum": Reference(np.maximum),
    "minimum": Reference(np.minimum),
    "abs": Reference(np.abs),
    "sign": Reference(np.sign),
    "floor": Reference(np.floor),
    "ceil": Reference(np.ceil),
    "isfinite": Reference(np.isfinite),
    "id": Reference(lambda x: x),
    "stop": Reference(lambda x: x),
    "add": Reference(_total),
    "mul": Reference(_product),
    "exp": Reference(np.exp),
    "expm1": Reference(np.expm1),
    "log": Reference(np.log, (0.1, 3)),
    "log1p": Reference(np.log1p, (-0.8, 3)),
    "sqrt": Reference(np.sqrt, (0.1, 3)),
    "sin": Reference(np.sin, (-4, 4)),
    "cos": Reference(np.cos, (-4, 4)),
    "tan": Reference(np.tan, (-1.2, 1.2)),
    "sinh": Reference(np.sinh),
    "cosh": Reference(np.cosh),
    "tanh": Reference(np.tanh),
    "arcsin": Reference(np.arcsin, (-0.9, 0.9)),
    "arccos": Reference(np.arccos, (-0.9, 0.9)),
    "arctan": Reference(np.arctan),
    "arcsinh": Reference(np.arcsinh),
    "arccosh": Reference(np.arccosh, (1.1, 4)),
    "arctanh": Reference(np.arctanh, (-0.9, 0.9)),
    "erf": Reference(scipy.special.erf),
    "lgamma": Reference(scipy.special.gammaln, (0.3, 4)),
    "digamma": Reference(scipy.special.digamma, (0.5, 4)),
    "sigmoid": Reference(scipy.special.expit, (-4, 4)),
    "softplus": Reference(lambda x: np.logaddexp(x, 0.0), (-4, 4)),
    "relu": Reference(lambda x: np.maximum(x, 0)),
    "silu": Reference(lambda x: x * scipy.special.expit(x), (-4, 4)),
    "gelu": Reference(lambda x: x * scipy.special.ndtr(x), (-4, 4)),
    "gelu_tanh": Reference(
        lambda x: np.asarray(jax.nn.gelu(np.asarray(x, np.float64), approximate=True)), (-4, 4)
    ),
    "transpose": Reference(
        lambda x, axes=None: np.transpose(x, axes),
        calls=(
            ("a", ("[]",), {}),
            ("a", ("[4]",), {}),
            ("a", ("[2, 3]",), {}),
            ("a", ("[2, 3, 4]",), {}),
            ("a", ("[N, 3]",), {}),
            ("a", ("int[2, 3]",), {}),
            ("a, axes=[1, 0, 2]", ("[2, 3, 4]",), {"axes": (1, 0, 2)}),
            ("a, axes=[2, 0, 1]", ("[2, 1, 4]",), {"axes": (2, 0, 1)}),
            ("a, axes=[-1, 0, 1]", ("[2, 3, 4]",), {"axes": (2, 0, 1)}),
            ("a, axes=[0, 2, 1]", ("[2, N, 4]",), {"axes": (0, 2, 1)}),
        ),
    ),
    "reshape": Reference(
        lambda x, shape: np.reshape(x, shape),
        calls=(
            ("a, []", ("[1, 1]",), {"shape": ()}),
            ("a, [1, 1]", ("[]",), {"shape": (1, 1)}),
            ("a, [6]", ("[2, 3]",), {"shape": (6,)}),
            ("a, [4, 1, 6]", ("[2, 3, 4]",), {"shape": (4, 1, 6)}),
            ("a, [3*N]", ("[N, 3]",), {"shape": (-1,)}),
            ("a, [N, 1, 6]", ("[N, 2, 3]",), {"shape": (-1, 1, 6)}),
            ("a, [3, 2]", ("int[2, 3]",), {"shape": (3, 2)}),
        ),
    ),
    "broadcast_to": Reference(
        lambda x, shape: np.broadcast_to(x, shape),
        calls=(
            ("a, [2, 3]", ("[]",), {"shape": (2, 3)}),
            ("a, [2, 3]", ("[3]",), {"shape": (2, 3)}),
            ("a, [2, 3, 4]", ("[3, 1]",), {"shape": (2, 3, 4)}),
            ("a, [2, 3, 4]", ("[2, 1, 4]",), {"shape": (2, 3, 4)}),
            ("a, [2, 3]", ("[2, 3]",), {"shape": (2, 3)}),
            ("a, [2, N]", ("[N]",), {"shape": (2, 3)}),
            ("a, [2, 3]", ("int[3]",), {"shape": (2, 3)}),
        ),
    ),
    "concat": Reference(
        lambda *xs, axis=-1: np.concatenate(xs, axis),
        calls=(
            ("a", ("[3]",), {}),
            ("a, b", ("[3]", "[2]"), {}),
            ("a, b, c", ("[1]", "[2]", "[3]"), {}),
            ("a, b", ("[2, 3]", "[2, 1]"), {}),
            ("a, b, axis=0", ("[1, 3]", "[2, 3]"), {"axis": 0}),
            ("a, b, axis=1", ("[2, 3, 4]", "[2, 1, 4]"), {"axis": 1}),
            ("a, b, a, axis=0", ("[N, 3]", "[1, 3]"), {}),
            ("a, b", ("[N, 2]", "[N, 3]"), {}),
            ("a, b", ("int[3]", "int[2]"), {}),
            ("a, b", ("[3]", "int[2]"), {}),
        ),
    ),
    "stack": Reference(
        lambda *xs, axis=0: np.stack(xs, axis),
        calls=(
            ("a, b", ("[]", "[]"), {}),
            ("a", ("[3]",), {}),
            ("a, b, c", ("[3]", "[3]", "[3]"), {}),
            ("a, b, axis=-1", ("[2, 3]", "[2, 3]"), {"axis": -1}),
            ("a, b, axis=1", ("[2, 3]", "[2, 3]"), {"axis": 1}),
            ("a, b, axis=2", ("[2, 1]", "[2, 1]"), {"axis": 2}),
            ("a, b", ("[N]", "[N]"), {}),
            ("a, b", ("int[3]", "[3]"), {}),
        ),
    ),
    "split": Reference(
        lambda x, n, axis=-1: tuple(np.split(x, n, axis)),
        calls=(
            ("a, 2", ("[4]",), {"n": 2}),
            ("a, 3", ("[2, 3]",), {"n": 3}),
            ("a, n=2, axis=0", ("[2, 3]",), {"n": 2, "axis": 0}),
            ("a, 3, axis=1", ("[2, 3, 4]",), {"n": 3, "axis": 1}),
            ("a, 2", ("[N, 4]",), {"n": 2}),
            ("a, 2, axis=0", ("int[4, 1]",), {"n": 2, "axis": 0}),
        ),
        results=lambda keywords: keywords["n"],
    ),
    "flatten": Reference(
        lambda x, start=0: np.reshape(x, (*x.shape[:start], -1)),
        calls=(
            ("a", ("[]",), {}),
            ("a", ("[3]",), {}),
            ("a", ("[2, 3, 4]",), {}),
            ("a, start=1", ("[2, 3, 4]",), {"start": 1}),
            ("a, start=1", ("[N, 3, 1]",), {"start": 1}),
            ("a", ("int[2, 3]",), {}),
        ),
    ),
    "pick": Reference(
        _pick,
        (-1, 4),
        calls=tuple(
            ("a, b", types, {})
            for types in (
                ("[4]", "int[]"),
                ("[3, 4]", "int[3]"),
                ("[2, 3, 4]", "int[2, 3]"),
                ("[1, 4]", "int[1]"),
                ("[N, 4]", "int[N]"),
                ("int[3, 4]", "int[3]"),
            )
        ),
    ),
    "matmul": Reference(np.matmul, calls=(("a, b", ("[5, 2, 3]", "[3, 4]"), {}),)),
    "outer": Reference(
        np.outer,
        calls=tuple(
            ("a, b", types, {})
            for types in (
                ("[3]", "[2]"),
                ("[1]", "[4]"),
                ("[3]", "[1]"),
                ("[N]", "[2]"),
                ("[N]", "[N]"),
                ("int[2]", "int[3]"),
                ("[2]", "int[3]"),
            )
        ),
    ),
    "exp2": Reference(np.exp2),
    "log2": Reference(np.log2, (0.1, 3)),
    "log10": Reference(np.log10, (0.1, 3)),
    "cbrt": Reference(np.cbrt, (0.1, 3)),
    "atan2": Reference(np.arctan2),
    "arctan2": Reference(np.arctan2),
    "hypot": Reference(np.hypot),
    "logaddexp": Reference(np.logaddexp),
    "xlogy": Reference(scipy.special.xlogy, (0.1, 3)),
    "xlog1py": Reference(scipy.special.xlog1py, (-0.7, 3)),
    "square": Reference(np.square),
    "reciprocal": Reference(lambda x: 1 / x, (0.3, 3)),
    "power": Reference(np.float_power, (0.3, 2.3)),
    "mod": Reference(np.mod, (0.3, 2.3)),
    "logit": Reference(scipy.special.logit, (0.1, 0.9)),
    "deg2rad": Reference(np.deg2rad),
    "rad2deg": Reference(np.rad2deg),
    "asin": Reference(np.arcsin, (-0.9, 0.9)),
    "acos": Reference(np.arccos, (-0.9, 0.9)),
    "atan": Reference(np.arctan),
    "asinh": Reference(np.arcsinh),
    "acosh": Reference(np.arccosh, (1.1, 4)),
    "atanh": Reference(np.arctanh, (-0.9, 0.9)),
    "round": Reference(np.round, (-2.2, 2.1)),
    "trunc": Reference(np.trunc),
    "isnan": Reference(np.isnan),
    "isinf": Reference(np.isinf),
    "heaviside": Reference(np.heaviside),
    "clip": Reference(
        lambda x, *bounds, lo=None, hi=None: (
            np.clip(x, bounds[0] - 1, bounds[0] + 1) if bounds else np.clip(x, lo, hi)
        ),
        calls=(
            ("a, -1, 0.5", ("[2, 3, 4]",), {"lo": -1, "hi": 0.5}),
            ("a, -1, 0.5", ("[]",), {"lo": -1, "hi": 0.5}),
            ("a, -1, 1", ("int[4]",), {"lo": -1, "hi": 1}),
            ("a, b - 1, b + 1", ("[2, 3, 4]", "[3, 4]"), {}),
            ("a, b - 1, b + 1", ("[4]", "[]"), {}),
            ("a, b - 1, b + 1", ("[N, 1]", "[N, 3]"), {}),
        ),
    ),
    "erfc": Reference(scipy.special.erfc),
    "polygamma": Reference(
        lambda x, n: scipy.special.polygamma(n, x),
        (0.5, 4),
        calls=tuple((f"{n}, a", ("[4]",), {"n": n}) for n in (0, 1, 2, 3)),
    ),
    "leaky_relu": Reference(
        lambda x, slope=0.01: np.where(x > 0, x, slope * x),
        more=(("a, slope=0.2", ("[4]",), {"slope": 0.2}),),
    ),
    "prelu": Reference(lambda x, slope: np.where(x > 0, x, slope * x)),
    "elu": Reference(
        lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
        more=(("a, alpha=0.5", ("[4]",), {"alpha": 0.5}),),
    ),
    "celu": Reference(
        lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha)),
        more=(("a, alpha=0.5", ("[4]",), {"alpha": 0.5}),),
    ),
    "selu": Reference(lambda x: np.asarray(jax.nn.selu(np.asarray(x, np.float64)))),
    "softsign": Reference(lambda x: x / (1 + np.abs(x))),
    "log_sigmoid": Reference(scipy.special.log_expit, (-4, 4)),
    "mish": Reference(lambda x: x * np.tanh(np.logaddexp(x, 0.0)), (-4, 4)),
    "hardtanh": Reference(
        lambda x, min=-1.0, max=1.0: np.clip(x, min, max),
        more=(("a, min=-0.5, max=1.5", ("[4]",), {"min": -0.5, "max": 1.5}),),
    ),
    "relu6": Reference(lambda x: np.clip(x, 0.0, 6.0), (-2, 9)),
    "hardsigmoid": Reference(lambda x: np.clip(x / 6 + 0.5, 0, 1), (-5, 5)),
    "hardswish": Reference(lambda x: x * np.clip(x / 6 + 0.5, 0, 1), (-5, 5)),
    "bce_logits": Reference(lambda logit, target: np.logaddexp(logit, 0.0) - target * logit),
    "squeeze": Reference(
        np.squeeze,
        calls=(
            ("a", ("[1, 3, 1]",), {}),
            ("a", ("[2, 3]",), {}),
            ("a, axis=0", ("[1, 3, 1]",), {"axis": 0}),
            ("a, axis=[0, -1]", ("[1, N, 1]",), {"axis": (0, -1)}),
        ),
    ),
    "expand_dims": Reference(
        np.expand_dims,
        calls=(
            ("a, 0", ("[]",), {"axis": 0}),
            ("a, -1", ("[2, 3]",), {"axis": -1}),
            ("a, axis=[0, 2]", ("[N, 3]",), {"axis": (0, 2)}),
        ),
    ),
    "swapaxes": Reference(
        lambda x, axes: np.swapaxes(x, *axes),
        calls=(
            ("a, 0, 2", ("[2, 3, 4]",), {"axes": (0, 2)}),
            ("a, -1, -2", ("[N, 3]",), {"axes": (-1, -2)}),
        ),
    ),
    "moveaxis": Reference(
        lambda x, axes: np.moveaxis(x, *axes),
        calls=(
            ("a, 0, 2", ("[2, 3, 4]",), {"axes": (0, 2)}),
            ("a, -1, 0", ("[2, 3, N]",), {"axes": (-1, 0)}),
        ),
    ),
    "flip": Reference(
        np.flip,
        calls=(
            ("a", ("[2, 3]",), {}),
            ("a, axis=0", ("[N, 3]",), {"axis": 0}),
            ("a, axis=[0, -1]", ("[2, 3, 4]",), {"axis": (0, -1)}),
        ),
    ),
    "roll": Reference(
        np.roll,
        calls=(
            ("a, 1", ("[2, 3]",), {"shift": 1}),
            ("a, -2, axis=1", ("[2, 3]",), {"shift": -2, "axis": 1}),
            ("a, 7, axis=0", ("[3, 2]",), {"shift": 7, "axis": 0}),
            ("a, [1, 2], axis=[0, 1]", ("[3, 4]",), {"shift": (1, 2), "axis": (0, 1)}),
            ("a, 1, axis=0", ("[N, 2]",), {"shift": 1, "axis": 0}),
        ),
    ),
    "tile": Reference(
        np.tile,
        calls=(
            ("a, 2", ("[3]",), {"reps": 2}),
            ("a, [2, 3]", ("[3]",), {"reps": (2, 3)}),
            ("a, [2, 1]", ("[N, 3]",), {"reps": (2, 1)}),
            ("a, 2", ("[2, 3]",), {"reps": 2}),
        ),
    ),
    "repeat_elements": Reference(
        np.repeat,
        calls=(
            ("a, 2, axis=0", ("[3]",), {"repeats": 2, "axis": 0}),
            ("a, 3, axis=1", ("[2, N, 2]",), {"repeats": 3, "axis": 1}),
        ),
    ),
    "pad": Reference(
        np.pad,
        calls=(
            ("a, 1", ("[3]",), {"pad_width": 1}),
            ("a, 1", ("[2, 3]",), {"pad_width": 1}),
            ("a, 2, constant_values=0.5", ("[3]",), {"pad_width": 2, "constant_values": 0.5}),
            *(
                (f'a, 2, mode="{mode}"', ("[4]",), {"pad_width": 2, "mode": mode})
                for mode in ("edge", "reflect", "symmetric", "wrap")
            ),
            ('a, 1, mode="edge"', ("[2, 3]",), {"pad_width": 1, "mode": "edge"}),
        ),
    ),
    "full": Reference(
        lambda x, shape: np.full(shape, x),
        calls=(
            ("[2, 3], a", ("[]",), {"shape": (2, 3)}),
            ("[], a", ("[]",), {"shape": ()}),
        ),
    ),
    "zeros_like": Reference(lambda x: np.zeros(x.shape)),
    "ones_like": Reference(lambda x: np.ones(x.shape)),
    "vdot": Reference(
        np.vdot,
        calls=(
            ("a, b", ("[3]", "[3]"), {}),
            ("a, b", ("[2, 3]", "[2, 3]"), {}),
            ("a, b", ("[]", "[]"), {}),
            ("a, b", ("[N, 2]", "[N, 2]"), {}),
        ),
    ),
    "linear_recurrence": Reference(
        _linear_recurrence,
        calls=(
            ("a, b", ("[4]", "[4]"), {}),
            ("a, b", ("[2, 4]", "[2, 4]"), {}),
            ("a, b, axis=0", ("[4, 2]", "[4, 2]"), {"axis": 0}),
            ("a, b", ("[1]", "[1]"), {}),
            ("a, b, axis=0", ("[N, 2]", "[N, 2]"), {"axis": 0}),
        ),
    ),
    **{
        name: Reference(
            value,
            calls=(
                ("a", ("[4]",), {}),
                ("a", ("[2, 3]",), {}),
                ("a, axis=0", ("[2, 3]",), {"axis": 0}),
                ("a, axis=-1", ("[2, 3, 4]",), {"axis": -1}),
                ("a, axis=0", ("[N, 3]",), {"axis": 0}),
                ("a, axis=1", ("[3, 1]",), {"axis": 1}),
            ),
        )
        for name, value in {
            "cumsum": np.cumsum,
            "cumprod": np.cumprod,
            "logcumsumexp": lambda x, axis=None: np.logaddexp.accumulate(
                np.ravel(x) if axis is None else x, axis=axis or 0
            ),
            "median": np.median,
        }.items()
    },
    **{
        name: Reference(
            value,
            calls=(
                ("a", ("[4]",), {}),
                ("a, axis=0", ("[4, 3]",), {"axis": 0}),
                ("a, axis=1", ("[N, 4, 2]",), {"axis": 1}),
            ),
        )
        for name, value in {
            "sort": lambda x, axis=-1: np.sort(x, axis),
            "argsort": lambda x, axis=-1: np.argsort(x, axis, kind="stable"),
        }.items()
    },
    **{
        name: Reference(
            value,
            calls=(
                ("a", ("[4]",), {}),
                ("a", ("[2, 3]",), {}),
                ("a, axis=0", ("[4, 3]",), {"axis": 0}),
                ("a, axis=1, keepdims=true", ("[N, 4]",), {"axis": 1, "keepdims": True}),
                ("a, axis=0", ("int[4, 3]",), {"axis": 0}),
            ),
        )
        for name, value in {"argmax": np.argmax, "argmin": np.argmin}.items()
    },
    "any": Reference(lambda x, **keywords: np.any(x > 0, **keywords), calls=_truths),
    "all": Reference(lambda x, **keywords: np.all(x > 0, **keywords), calls=_truths),
    "count_nonzero": Reference(
        lambda x, **keywords: np.count_nonzero(x > 0, **keywords), calls=_truths
    ),
    "diagonal": Reference(
        lambda x, offset=0: np.diagonal(x, offset, -2, -1),
        calls=(
            ("a", ("[3, 3]",), {}),
            ("a", ("[2, 3, 4]",), {}),
            ("a, offset=1", ("[3, 4]",), {"offset": 1}),
            ("a, offset=-1", ("[4, 3]",), {"offset": -1}),
            ("a", ("[N, N]",), {}),
        ),
    ),
    "diag": Reference(
        np.diag,
        calls=(
            ("a", ("[3]",), {}),
            ("a", ("[3, 4]",), {}),
            ("a, k=1", ("[3]",), {"k": 1}),
            ("a, k=-2", ("[2]",), {"k": -2}),
            ("a, k=1", ("[4, 3]",), {"k": 1}),
            ("a", ("[N]",), {}),
        ),
    ),
    "trace": Reference(
        lambda x, offset=0: np.trace(x, offset, -2, -1),
        calls=(
            ("a", ("[3, 3]",), {}),
            ("a", ("[2, 3, 4]",), {}),
            ("a, offset=1", ("[3, 4]",), {"offset": 1}),
        ),
    ),
    **{
        name: Reference(
            value,
            calls=(
                ("a", ("[3, 3]",), {}),
                ("a", ("[2, 3, 4]",), {}),
                ("a, k=1", ("[4, 3]",), {"k": 1}),
                ("a, k=-1", ("[N, N]",), {"k": -1}),
            ),
        )
        for name, value in {"tril": np.tril, "triu": np.triu}.items()
    },
    "fill_tril": Reference(
        _fill_tril,
        calls=(("a, 3", ("[3]",), {"n": 3}), ("a, 4", ("[6]",), {"n": 4})),
    ),
    "take": Reference(
        lambda x, indices, axis=None: np.take(x, indices, axis),
        (-1, 4),
        calls=(
            ("a, b", ("[4]", "int[6]"), {}),
            ("a, b", ("[2, 3]", "int[2, 2]"), {}),
            ("a, b, axis=0", ("[4, 2]", "int[5]"), {"axis": 0}),
            ("a, b, axis=1", ("[2, 4, 3]", "int[2, 3]"), {"axis": 1}),
            ("a, b, axis=-1", ("[N, 4]", "int[]"), {"axis": -1}),
        ),
    ),
    "scatter_add": Reference(
        _scatter_add,
        (-1, 4),
        calls=(
            ("a, b, c", ("[4]", "int[6]", "[6]"), {}),
            ("a, b, c", ("[4, 2]", "int[3]", "[3, 2]"), {}),
            ("a, b, c, axis=1", ("[2, 4]", "int[3]", "[2, 3]"), {"axis": 1}),
        ),
    ),
    "segment_sum": Reference(
        lambda x, ids, n: _scatter_add(np.zeros((n, *x.shape[1:])), ids, x),
        (-1, 3),
        calls=(
            ("a, b, 3", ("[6]", "int[6]"), {"n": 3}),
            ("a, b, 4", ("[6, 2]", "int[6]"), {"n": 4}),
        ),
    ),
    "one_hot": Reference(
        lambda ids, n: np.eye(n)[ids],
        (-1, 3),
        calls=(("a, 3", ("int[4]",), {"n": 3}), ("a, 4", ("int[2, 3]",), {"n": 4})),
    ),
    "take_along_axis": Reference(
        lambda x, indices, axis=-1: np.take_along_axis(x, indices, axis),
        (-1, 4),
        calls=(
            ("a, b", ("[4]", "int[6]"), {}),
            ("a, b", ("[2, 4]", "int[2, 3]"), {}),
            ("a, b, axis=0", ("[4, 2]", "int[3, 2]"), {"axis": 0}),
        ),
    ),
    "norm": Reference(
        _norm,
        more=(
            ("a, ord=1", ("[4]",), {"ord": 1}),
            ("a, ord=inf", ("[4]",), {"ord": np.inf}),
            ("a, ord=1, axis=0", ("[2, 3]",), {"ord": 1, "axis": 0}),
            ("a, ord=inf, axis=-1", ("[2, 3]",), {"ord": np.inf, "axis": -1}),
        ),
    ),
    "grad": Reference(lambda x: 3 * x**2, calls=(("sum(a * a * a), a", ("[4]",), {}),)),
    "sum": Reference(np.sum),
    "prod": Reference(np.prod),
    "mean": Reference(np.mean),
    "max": Reference(np.max),
    "min": Reference(np.min),
    "var": Reference(np.var),
    "std": Reference(np.std),
    "logsumexp": Reference(_logsumexp),
    "softmax": Reference(_softmax),
    "log_softmax": Reference(_log_softmax),
}

REFERENCES |= {name: Reference(*row) for name, row in ROWS.items() if name not in REFERENCES}


def _power(base: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    return np.asarray(np.power(base, exponent))


OPERATOR_REFERENCES: dict[str, tuple[str, Callable[..., Any], tuple[float, float]]] = {
    "+": ("a + b", np.add, (-2, 2)),
    "-": ("a - b", np.subtract, (-2, 2)),
    "*": ("a * b", np.multiply, (-2, 2)),
    "/": ("a / b", np.divide, (0.3, 2.3)),
    "**": ("a ** b", _power, (0.3, 2.3)),
    "//": ("a // b", np.floor_divide, (0.3, 2.3)),
    "%": ("a % b", np.remainder, (0.3, 2.3)),
    "==": ("a == b", np.equal, (-2, 2)),
    "!=": ("a != b", np.not_equal, (-2, 2)),
    "<": ("a < b", np.less, (-2, 2)),
    "<=": ("a <= b", np.less_equal, (-2, 2)),
    ">": ("a > b", np.greater, (-2, 2)),
    ">=": ("a >= b", np.greater_equal, (-2, 2)),
    "neg": ("-a", np.negative, (-2, 2)),
    "and": ("a and b", np.logical_and, (-2, 2)),
    "or": ("a or b", np.logical_or, (-2, 2)),
    "not": ("not a", np.logical_not, (-2, 2)),
    "@": ("a @ b", np.matmul, (-2, 2)),
}
CMP = re.compile(r"[=<>!]=|[<>]")
NOT_WRITTEN = {"T", "where", "reshape", "sum", "log", "broadcast_to", "expand", "permute"}
"""What is called by its name where it is not declared yet, tested as a function."""

# ---- the shapes ----------------------------------------------------------------------

SHAPES: dict[int, tuple[tuple[tuple[str, ...], int], ...]] = {
    1: (
        (("[]",), 3),
        (("[4]",), 3),
        (("[2, 3, 4]",), 3),
        (("[1]",), 3),
        (("[2, 1, 3]",), 3),
        (("[N, 3]",), 2),
        (("[N]",), 0),
        (("[2, N, 3]",), 0),
        (("int[4]",), 3),
        (("int[]",), 3),
        (("bool[4]",), 3),
    ),
    2: (
        (("[]", "[]"), 3),
        (("[4]", "[4]"), 3),
        (("[2, 3, 4]", "[2, 3, 4]"), 3),
        (("[2, 3, 4]", "[3, 4]"), 3),
        (("[4]", "[2, 3, 4]"), 3),
        (("[2, 1]", "[1, 3]"), 3),
        (("[1, 3, 1]", "[2, 1, 4]"), 3),
        (("[3]", "[]"), 3),
        (("[]", "[2, 3]"), 3),
        (("[1]", "[2, 3]"), 3),
        (("[1]", "[1]"), 3),
        (("[N, 3]", "[3]"), 2),
        (("[N, 1]", "[N, 3]"), 2),
        (("[N]", "[N]"), 0),
        (("[N, 3]", "[3]"), 0),
        (("int[4]", "int[4]"), 3),
        (("[4]", "int[4]"), 3),
        (("int[]", "[2, 3]"), 3),
        (("bool[4]", "[4]"), 3),
        (("bool[4]", "int[4]"), 3),
    ),
    3: ((("[]", "[3]", "[2, 3]"), 3), (("[N]", "[N]", "[]"), 2), (("int[3]", "[3]", "[1]"), 3)),
}
REDUCED = (
    ("", ("[]",), 3),
    ("", ("[4]",), 3),
    ("", ("[2, 3, 4]",), 3),
    ("", ("[N, 3]",), 2),
    ("axis=0", ("[4]",), 3),
    ("axis=1", ("[2, 3, 4]",), 3),
    ("axis=-1", ("[2, 3, 4]",), 3),
    ("axis=[0, 2]", ("[2, 3, 4]",), 3),
    ("axis=[-1, 0]", ("[2, 1, 3]",), 3),
    ("axis=1", ("[2, 1, 3]",), 3),
    ("axis=0", ("[N, 3]",), 2),
    ("axis=N", ("[N, 3]",), 2),
    ("axis=0", ("[3, N]",), 0),
    ("axis=0", ("int[2, 3]",), 3),
    ("axis=0", ("bool[4, 2]",), 3),
)


def keywords_of(text: str) -> dict[str, Any]:
    """`axis=[0, 2], keepdims=true` as Python values; an axis named N is the one of that size."""
    found: dict[str, Any] = {}
    for name, value in re.findall(r"(\w+)=(\[[^]]*\]|[^,\s]+)", text):
        if value.startswith("["):
            found[name] = tuple(int(axis) for axis in value[1:-1].split(","))
        else:
            found[name] = {"true": True, "false": False, "N": 0}.get(value) or (
                0 if value == "N" else int(value)
            )
    return found


def shaped_alike(function: Function) -> bool:
    """Do the tensors alone make a call, whose result has the shape of them together?"""
    others = [p for p in function.parameters if p.kind != "tensor"]
    return all(p.default is not REQUIRED and not p.kind.startswith("ax") for p in others)


def is_reduction(function: Function) -> bool:
    others = {p.name: p.kind for p in function.parameters if p.kind != "tensor"}
    optional = {("axis", "axes"), ("keepdims", "bool"), ("ddof", "int"), ("ord", "float")}
    return ("axis", "axes") in others.items() and others.items() <= optional


def calls_of(function: Function, reference: Reference) -> Iterator[Call]:
    """The calls of a function: of the table, or those that its parameters' kinds suggest."""

    def call(text: str, types: tuple[str, ...], keywords: Mapping[str, Any], N: int = 3) -> Call:
        def value(*arrays: np.ndarray) -> Any:
            return reference.value(*arrays, **keywords)

        written = f"{function.name}({text})"
        results = reference.results(keywords)
        return Call(written, types, value, reference.inside, N, results)

    for text, types, keywords in reference.more:
        yield call(text, types, keywords)
    tensors = [p for p in function.parameters if p.kind == "tensor"]
    others = {p.name: p.kind for p in function.parameters if p.kind != "tensor"}
    if reference.calls:
        if function.name == "concat":
            yield from concat_calls(call, reference)
            return
        for text, types, keywords in reference.calls:
            yield call(text, types, keywords)
    elif shaped_alike(function):
        counts = (1, 2, 3) if tensors[0].variadic else (len(tensors),)
        for count in counts:
            for types, N in SHAPES[count]:
                yield call(", ".join(NAMES[:count]), types, {}, N)
    else:
        whole = "keepdims" not in others  # of the shape of its argument: needs an axis
        for text, types, N in REDUCED:
            if whole and types == ("[]",):
                continue
            yield call(", ".join(filter(None, ["a", text])), types, keywords_of(text), N)
            if not whole and types[0] in ("[]", "[2, 3, 4]", "[2, 1, 3]"):
                kept = ", ".join(filter(None, [text, "keepdims=true"]))
                yield call(f"a, {kept}", types, keywords_of(kept), N)


def concat_calls(call: Callable[..., Call], reference: Reference) -> Iterator[Call]:
    """An operand may stand twice: the reference gets the arrays in the order written."""
    for text, types, keywords in reference.calls:
        made = call(text, types, keywords)
        order = [NAMES.index(word) for word in re.findall(r"\b[a-h]\b", text)]
        axis = keywords_of(text).get("axis", -1)

        def value(*arrays: np.ndarray, order: Any = tuple(order), axis: int = axis) -> Any:
            return np.concatenate([arrays[i] for i in order], axis)

        yield Call(made.text, types, value, made.inside, made.N)


def with_tensors() -> dict[str, Function]:
    """The functions that have tensor parameters."""
    return {
        name: function
        for name, function in FUNCTIONS.items()
        if any(p.kind == "tensor" for p in function.parameters)
    }


def callable_as(function: Function, reference: Reference) -> bool:
    return bool(reference.calls) or shaped_alike(function) or is_reduction(function)


def function_calls() -> list[Call]:
    return [
        call
        for name, function in with_tensors().items()
        if name in REFERENCES and callable_as(function, REFERENCES[name])
        for call in calls_of(function, REFERENCES[name])
        if call.possible
    ]


def operator_calls() -> Iterator[Call]:
    for operator, (text, value, inside) in OPERATOR_REFERENCES.items():
        if operator == "@":
            yield from (Call(text, types, value, inside) for types in MATRICES)
            yield Call(text, ("[2, N]", "[N, 4]"), value, inside, N=0)
            continue
        logical = operator in ("and", "or", "not")
        shapes = SHAPES[1 if operator in ("neg", "not") else 2]
        for types, N in shapes[::4] if CMP.fullmatch(operator) else shapes:
            if logical:
                if not all(type.startswith("[") for type in types):
                    continue
                types = tuple(f"bool{type}" for type in types)
            yield Call(text, types, value, inside, N)


CALLS = [*function_calls(), *operator_calls()]
CASES = [(call, "float64") for call in CALLS] + [
    (call, "float32")
    for number, call in enumerate(CALLS)
    if number % 3 == 0 or any(type.startswith("int") for type in call.types)
]
every_dtype = pytest.mark.parametrize("dtype", DTYPES)

# ---- the comparisons -----------------------------------------------------------------


def outputs(generated: ModuleType, arguments: Arrays) -> tuple[Any, ...]:
    """The values of `forward`, which has no cache to return where nothing has a derivative."""
    result = generated.forward(*arguments)
    return tuple(result[0] if hasattr(generated, "backward") else result)


def close(found: Any, expected: Any, tolerance: float) -> None:
    np.testing.assert_allclose(
        np.asarray(found, np.float64),
        np.asarray(expected, np.float64),
        rtol=tolerance,
        atol=tolerance,
        strict=True,
    )


def differences(value: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """The gradient by central differences, extrapolated once: the error is of fourth order."""
    gradient = np.zeros(at.shape)

    def slope(place: tuple[int, ...], width: float) -> float:
        moved = [at.copy(), at.copy()]
        moved[0][place] += width
        moved[1][place] -= width
        return (value(moved[0]) - value(moved[1])) / (2 * width)

    for place in np.ndindex(at.shape):
        gradient[place] = (4 * slope(place, 5e-4) - slope(place, 1e-3)) / 3
    return gradient


def exact(call: Call, arguments: Arrays) -> list[np.ndarray]:
    """The arguments as the reference takes them: bool counts as int, but for a condition."""
    keep = call.text.startswith(("where", "not ", "a and", "a or"))
    return [
        a.astype(np.float64)
        if a.dtype.kind == "f"
        else a.astype(np.int64)
        if a.dtype.kind == "b" and not keep
        else a
        for a in arguments
    ]


@pytest.mark.parametrize("name", with_tensors())
def test_every_function_has_a_reference(name: str) -> None:
    assert name in REFERENCES, (
        f"tests/test_ops.py: add to REFERENCES what `{FUNCTIONS[name].signature}` must compute, "
        "by a function of NumPy, SciPy or JAX"
    )
    assert callable_as(FUNCTIONS[name], REFERENCES[name]), (
        f"tests/test_ops.py: REFERENCES[{name!r}] has to give `calls`, "
        f"since `{FUNCTIONS[name].signature}` takes more than tensors"
    )


def test_every_operator_has_a_reference() -> None:
    missing = OPERATORS.keys() - OPERATOR_REFERENCES.keys() - NOT_WRITTEN
    assert not missing, f"tests/test_ops.py: add {missing} to OPERATOR_REFERENCES"


@pytest.mark.parametrize(("call", "dtype"), CASES, ids=str)
def test_call(call: Call, dtype: str) -> None:
    generated = module(call.graph, dtype=dtype)
    arguments = call.arguments(dtype)
    expected = call.expected(exact(call, arguments))
    check_values(call, generated, arguments, expected, dtype)
    check_gradients(call, generated, arguments, expected, dtype)


def check_values(
    call: Call, generated: ModuleType, arguments: Arrays, expected: Arrays, dtype: str
) -> None:
    found = outputs(generated, arguments)
    assert len(found) == len(expected)
    for name, one, other in zip(call.outputs, found, expected, strict=True):
        declared = generated.GRAPH["outputs"][name].partition("[")[0]
        wanted = {"": dtype, "int": "int64", "bool": "bool"}[declared]
        assert one.dtype == wanted, f"declared {declared or 'float'}"
        assert isinstance(one, np.ndarray if other.ndim else np.generic)
        close(one, other, 1e-12 if dtype == "float64" else 2e-5)


def check_gradients(
    call: Call, generated: ModuleType, arguments: Arrays, values: Arrays, dtype: str
) -> None:
    """Backward, with random cotangents, against differences of the reference."""
    floats = [n for n, t in zip(NAMES, call.types, strict=False) if t.startswith("[")]
    if not hasattr(generated, "backward"):
        kinds = {one.dtype.kind for one in outputs(generated, arguments)}
        assert not floats or kinds <= {"b", "i"}
        return
    rng = np.random.default_rng(11)
    cotangents = {
        name: rng.normal(size=value.shape) for name, value in zip(call.outputs, values, strict=True)
    }
    _, cache = generated.forward(*arguments)
    gradients = generated.backward(cache, **cotangents)
    assert list(gradients) == floats
    for slot, name in enumerate(NAMES[: len(call.types)]):
        if name not in floats:
            continue

        def weighed(at: np.ndarray, slot: int = slot) -> float:
            moved = [at if i == slot else a for i, a in enumerate(exact(call, arguments))]
            pairs = zip(cotangents.values(), call.expected(moved), strict=True)
            return float(sum(np.sum(weight * one) for weight, one in pairs))

        expected = differences(weighed, arguments[slot].astype(np.float64))
        if call.text.startswith("stop("):
            expected = np.zeros_like(expected)
        assert gradients[name].dtype == dtype
        close(gradients[name], expected, 1e-7 if dtype == "float64" else 2e-4)


# ---- the hard points -----------------------------------------------------------------

nan, inf = math.nan, math.inf


@dataclass(frozen=True)
class Point:
    """Inputs at a kink, a pole or a limit, with the value and the gradients there.

    `quiet` points are computed without a warning of overflow, division or invalid operation.
    """

    call: str
    inputs: tuple[Any, ...]
    value: Any
    gradients: tuple[Any, ...]
    quiet: bool = False

    def __str__(self) -> str:
        return f"{self.call} at {self.inputs}"

    @property
    def exists(self) -> bool:
        return set(re.findall(r"(\w+)\(", self.call)) <= FUNCTIONS.keys()


POINTS = [
    Point("relu(a)", (0.0,), 0, (0,), True),
    Point("relu(a)", (nan,), nan, (0,), True),
    Point("abs(a)", (0.0,), 0, (0,), True),
    Point("sign(a)", (0.0,), 0, (0,), True),
    Point("floor(a)", (2.0,), 2, (0,), True),
    Point("ceil(a)", (2.0,), 2, (0,), True),
    Point("clip(a, 0, 1)", (0.0,), 0, (1,), True),
    Point("clip(a, 0, 1)", (1.0,), 1, (1,), True),
    Point("maximum(a, b)", (1.0, 1.0), 1, (0.5, 0.5), True),
    Point("minimum(a, b)", (1.0, 1.0), 1, (0.5, 0.5), True),
    Point("maximum(a, a)", (1.0,), 1, (1,), True),
    Point("maximum(a, b)", (nan, 1.0), nan, (0, 0), True),
    Point("minimum(a, b)", (1.0, nan), nan, (0, 0), True),
    Point("max(a)", ([1.0, 3.0, 3.0],), 3, ([0, 0.5, 0.5],), True),
    Point("min(a)", ([1.0, 1.0, 3.0, 1.0],), 1, ([1 / 3, 1 / 3, 0, 1 / 3],), True),
    Point("max(a, axis=0)", ([[2.0, 1.0], [2.0, 3.0]],), [2, 3], ([[0.5, 0], [0.5, 1]],), True),
    Point("sqrt(a)", (0.0,), 0, (inf,)),
    Point("log(a)", (0.0,), -inf, (inf,)),
    Point("log(a)", (-1.0,), nan, (-1,)),
    Point("a ** b", (0.0, 0.0), 1, (0, 0)),
    Point("a ** b", (0.0, 0.5), 0, (inf, 0)),
    Point("a ** b", (0.0, 1.0), 0, (1, 0)),
    Point("a ** b", (0.0, 2.0), 0, (0, 0)),
    Point("a ** b", (-2.0, 2.0), 4, (-4, nan)),
    Point("a ** b", (0.0, -1.0), inf, (-inf, -inf)),
    Point("a ** b", (2.0, 0.0), 1, (0, math.log(2)), True),
    Point("a ** 0", (0.0,), 1, (0,), True),
    Point("a ** 1", (0.0,), 0, (1,), True),
    Point("a ** 2", (-2.0,), 4, (-4,), True),
    Point("a ** 3", (-2.0,), -8, (12,), True),
    Point("a ** 0.5", (0.0,), 0, (inf,)),
    Point("a ** -1", (0.0,), inf, (-inf,)),
    Point("a ** -1", (-2.0,), -0.5, (-0.25,), True),
    Point("2 ** a", (3.0,), 8, (8 * math.log(2),), True),
    Point("0 ** a", (0.0,), 1, (0,)),
    Point("0 ** a", (2.0,), 0, (0,)),
    Point("a % b", (6.0, 3.0), 0, (1, -2), True),
    Point("a % b", (-5.0, 3.0), 1, (1, 2), True),
    Point("where(a > 0, sqrt(a), 0)", (0.0,), 0, (nan,)),
    Point("where(a > 0, 1 / a, 0)", (0.0,), 0, (nan,)),
    Point("logsumexp(a)", ([1000.0, 1000.0],), 1000 + math.log(2), ([0.5, 0.5],), True),
    Point("logsumexp(a)", ([-1000.0, -1000.0],), math.log(2) - 1000, ([0.5, 0.5],), True),
    Point("logsumexp(a)", ([-inf, -inf],), -inf, ([0, 0],)),
    Point("logsumexp(a)", ([-inf, 0.0],), 0, ([0, 1],), True),
    Point("logsumexp(a)", ([inf, 0.0],), inf, ([nan, 0],)),
    Point("softmax(a)", ([-inf, -inf],), [nan, nan], ([nan, nan],)),
    Point("softmax(a)", ([1e4, 0.0],), [1, 0], ([0, 0],), True),
    Point("softmax(a)", ([-inf, 0.0],), [0, 1], ([0, 0],), True),
    Point("log_softmax(a)", ([-1e4, 0.0],), [-1e4, 0], ([1, -1],), True),
    Point("sigmoid(a)", (1000.0,), 1, (0,), True),
    Point("sigmoid(a)", (-1000.0,), 0, (0,), True),
    Point("sigmoid(a)", (0.0,), 0.5, (0.25,), True),
    Point("softplus(a)", (1000.0,), 1000, (1,), True),
    Point("softplus(a)", (-1000.0,), 0, (0,), True),
    Point("softplus(a)", (0.0,), math.log(2), (0.5,), True),
    Point("silu(a)", (1000.0,), 1000, (1,), True),
    Point("silu(a)", (-1000.0,), 0, (0,), True),
    Point("tanh(a)", (1000.0,), 1, (0,), True),
    Point("gelu_tanh(a)", (-1000.0,), 0, (0,), True),
    Point("gelu_tanh(a)", (1000.0,), 1000, (1,), True),
    Point("a * b", (inf, 0.0), nan, (0, inf)),
    Point("a * log(a)", (0.0,), nan, (nan,)),
    Point("prod(a)", ([0.0, 2.0, 3.0],), 0, ([6, 0, 0],), True),
    Point("prod(a)", ([0.0, 0.0, 3.0],), 0, ([0, 0, 0],), True),
    Point("cumprod(a)", ([0.0, 2.0, 3.0],), [0, 0, 0], ([9, 0, 0],), True),
    Point("norm(a)", ([0.0, 0.0],), 0, ([0, 0],), True),
    Point("std(a)", ([2.0, 2.0],), 0, ([0, 0],), True),
    Point("atan2(a, b)", (0.0, 0.0), 0, (0, 0), True),
    Point("hypot(a, b)", (0.0, 0.0), 0, (0, 0), True),
]


@every_dtype
@pytest.mark.parametrize("point", [point for point in POINTS if point.exists], ids=str)
def test_hard_point(point: Point, dtype: str) -> None:
    arrays = [np.asarray(value, dtype) for value in point.inputs]
    lines = [
        f"input {name}: {list(array.shape)}" for name, array in zip(NAMES, arrays, strict=False)
    ]
    generated = module("\n".join([*lines, f"output y = {point.call}"]), dtype=dtype)
    # Underflow to 0 is what is meant here; NumPy does not warn of it either.
    state = {"over": "raise", "divide": "raise", "invalid": "raise"}
    with np.errstate(**state if point.quiet else {"all": "ignore"}):
        out, cache = generated.forward(*arrays)
        gradients = generated.backward(cache, y=np.ones(np.shape(point.value)))
    tolerance = 1e-14 if dtype == "float64" else 1e-6
    close(out.y, point.value, tolerance)
    for found, expected in zip(gradients.values(), point.gradients, strict=True):
        assert found.dtype == dtype
        close(found, expected, tolerance)


def test_the_cotangent_at_a_tie_of_softmax_weighs_the_rows() -> None:
    generated = module("input a: [2]\noutput y = softmax(a)")
    _, cache = generated.forward([0.0, 0.0])
    close(generated.backward(cache, y=[1.0, 0.0])["a"], [0.25, -0.25], 1e-15)


EMPTY = [("sum", 0.0), ("prod", 1.0), ("mean", nan), ("logsumexp", -inf)]


@every_dtype
@pytest.mark.parametrize(("name", "value"), [row for row in EMPTY if row[0] in FUNCTIONS])
def test_reduction_of_nothing(name: str, value: float, dtype: str) -> None:
    generated = module(f"dim N\ninput a: [N]\noutput y = {name}(a)", dtype=dtype)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out, cache = generated.forward(np.zeros(0))
        gradient = generated.backward(cache)["a"]
    close(out.y, value, 0)
    assert gradient.shape == (0,)
    assert gradient.dtype == dtype


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "logsumexp"])
def test_reduction_of_no_rows(name: str) -> None:
    """Along an axis that is not empty there is nothing to compute, and nothing to refuse."""
    generated = module(f"dim N\ninput a: [N, 3]\noutput y = {name}(a, axis=1)")
    out, cache = generated.forward(np.zeros((0, 3)))
    assert out.y.shape == (0,)
    assert generated.backward(cache, y=np.zeros(0))["a"].shape == (0, 3)


@pytest.mark.parametrize("name", ["max", "min"])
def test_extreme_of_nothing_is_an_error(name: str) -> None:
    generated = module(f"dim N\ninput a: [N]\noutput y = {name}(a)")
    with pytest.raises(ValueError, match=r"zero-size|empty|N = 0"):
        generated.forward(np.zeros(0))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("type", "shape"), [("[N]", (0,)), ("[N, 3]", (0, 3)), ("[3, N]", (3, 0))])
def test_normalised_exponentials_of_nothing(name: str, type: str, shape: tuple[int, ...]) -> None:
    generated = module(f"dim N\ninput a: {type}\noutput y = {name}(a)")
    out, cache = generated.forward(np.zeros(shape))
    assert out.y.shape == shape
    assert generated.backward(cache, y=np.zeros(shape))["a"].shape == shape


# ---- parts and index arrays ----------------------------------------------------------

SUBSCRIPTS: tuple[tuple[str, str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("a[0]", "[3]", lambda a: a[0]),
    ("a[-1]", "[3]", lambda a: a[-1]),
    ("a[1:]", "[3]", lambda a: a[1:]),
    ("a[:-1]", "[3, 2]", lambda a: a[:-1]),
    ("a[::2]", "[5]", lambda a: a[::2]),
    ("a[1::2]", "[4]", lambda a: a[1::2]),
    ("a[::-1]", "[4]", lambda a: a[::-1]),
    ("a[3:0:-2]", "[5]", lambda a: a[3:0:-2]),
    ("a[::-2]", "[6]", lambda a: a[::-2]),
    ("a[:, 1]", "[2, 3, 4]", lambda a: a[:, 1]),
    ("a[..., 1]", "[2, 3, 4]", lambda a: a[..., 1]),
    ("a[1, ..., 1:3]", "[2, 3, 4]", lambda a: a[1, ..., 1:3]),
    ("a[:, _]", "[3]", lambda a: a[:, None]),
    ("a[_, :, 0, _]", "[2, 3]", lambda a: a[None, :, 0, None]),
    ("a[2:2]", "[3]", lambda a: a[2:2]),
    ("a[1:N]", "[N, 2]", lambda a: a[1:3]),
    ("a[N - 1]", "[N, 2]", lambda a: a[2]),
    ("a[:N - 1]", "[N]", lambda a: a[:2]),
    ("a[::-1]", "[N]", lambda a: a[::-1]),
    ("a[::2]", "[N]", lambda a: a[::2]),
    ("a[1:] - a[:-1]", "[N]", np.diff),
    ("a[:]", "[3]", lambda a: a),
    ("a.T", "[2, 3]", np.transpose),
)


@every_dtype
@pytest.mark.parametrize(("text", "type", "value"), SUBSCRIPTS, ids=lambda x: str(x)[:20])
def test_subscript(
    text: str, type: str, value: Callable[[np.ndarray], np.ndarray], dtype: str
) -> None:
    test_call(Call(text, (type,), value), dtype)


INDEX_ARRAYS: tuple[tuple[str, str, tuple[int, ...], Any, Callable[..., np.ndarray]], ...] = (
    ("a[i]", "int[4]", (3, 2), [0, 2, 0, 0], lambda a, i: a[i]),
    ("a[i]", "int[]", (3, 2), 1, lambda a, i: a[i]),
    ("a[i]", "int[2, 2]", (3,), [[0, 1], [1, 1]], lambda a, i: a[i]),
    ("a[i]", "int[3]", (4, 2), [-1, 0, -1], lambda a, i: a[i]),
    ("a[:, i]", "int[3]", (2, 4), [3, 3, 0], lambda a, i: a[:, i]),
    ("a[0, :, i]", "int[3]", (2, 2, 4), [3, 3, 0], lambda a, i: a[0][:, i]),
    ("a[..., i]", "int[2, 1]", (2, 4), [[1], [1]], lambda a, i: a[..., i]),
    ("a[1:, i]", "int[2]", (3, 2), [1, 1], lambda a, i: a[1:, i]),
)


@every_dtype
@pytest.mark.parametrize(("text", "type", "shape", "index", "value"), INDEX_ARRAYS)
def test_index_array(
    text: str,
    type: str,
    shape: tuple[int, ...],
    index: Any,
    value: Callable[..., np.ndarray],
    dtype: str,
) -> None:
    generated = module(f"input a: {list(shape)}\ninput i: {type}\noutput y = {text}", dtype=dtype)
    a, i = np.random.default_rng(3).normal(size=shape).astype(dtype), np.asarray(index)
    out, cache = generated.forward(a, i)
    np.testing.assert_array_equal(out.y, value(a, i), strict=True)
    weight = np.random.default_rng(4).normal(size=out.y.shape)
    expected = differences(lambda at: float(np.sum(weight * value(at, i))), a.astype(float))
    gradients = generated.backward(cache, y=weight)
    assert list(gradients) == ["a"]
    close(gradients["a"], expected, 1e-9 if dtype == "float64" else 1e-5)


@every_dtype
def test_constants_do_not_promote(dtype: str) -> None:
    """Numbers, dims and arrays of the text meet float32 without making it float64."""
    text = """
        dim N
        const table = [0.5, 1.5, 2.5]
        input a: [N, 3]
        input k: int[3]
        b = (a * 2.5 + N) / N - 1 / 3
        output y = b * table + k * 0.1 + zeros([3]) + arange(3) / 2 + ones([N, 3]) ** 2
        output z = 0.5 * N
        output s = sum(y) / (3 * N)
    """
    generated = module(text, dtype=dtype)
    a, k = np.random.default_rng(5).normal(size=(2, 3)), np.array([1, 2, 3])
    out, cache = generated.forward(a, k)
    assert {one.dtype.name for one in out} == {dtype}
    b = (a * 2.5 + 2) / 2 - 1 / 3
    expected = b * np.array([0.5, 1.5, 2.5]) + k * 0.1 + np.arange(3) / 2 + 1
    tolerance = 1e-13 if dtype == "float64" else 1e-5
    close(out.y, expected, tolerance)
    close(out.s, expected.mean(), tolerance)
    gradient = generated.backward(cache, s=1.0)["a"]
    assert gradient.dtype == dtype
    close(gradient, np.broadcast_to(np.array([0.5, 1.5, 2.5]) * 1.25 / 6, (2, 3)), tolerance)
