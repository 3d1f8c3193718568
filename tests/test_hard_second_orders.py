"""Second derivatives at kinks, poles, ties and limits: what guards a value must not hide there.

The matrices are closed forms. Where the mathematics has no second derivative they are what is
decided in `docs/calculus.md`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from calling import Levels, at_levels
from comparing import close
from conftest import LEVELS
from sampling import DTYPES, NAMES

nan, inf, pi = math.nan, math.inf, math.pi
TIE = [[0.25, -0.25], [-0.25, 0.25]]
MIXED = [[0, 1], [1, 0]]
LOG2 = math.log(2)


@dataclass(frozen=True)
class Point:
    """Inputs where a second derivative is hard, and the matrix of those of the sum of a call."""

    call: str
    inputs: tuple[Any, ...]
    hessian: Any

    def __str__(self) -> str:
        return f"{self.call} at {self.inputs}"


def zeros(size: int) -> list[list[float]]:
    return [[0.0] * size for _ in range(size)]


def scaled_identity(size: int, scale: float) -> Any:
    return scale * np.eye(size)


def _of_row(row: list[float]) -> Any:
    """That of |x|, (I - u uᵀ) / |x| with u = x / |x|."""
    x = np.asarray(row)
    radius = math.sqrt(float(x @ x))
    unit = x / radius
    return (np.eye(len(x)) - np.outer(unit, unit)) / radius


def _beside(one: Any, other: Any) -> Any:
    """A matrix with these blocks on its diagonal."""
    n, m = len(one), len(other)
    whole = np.zeros((n + m, n + m))
    whole[:n, :n], whole[n:, n:] = one, other
    return whole


CENTRED = np.eye(3) - 1 / 3
ROWS: Mapping[str, tuple[Point, ...]] = {
    "relu(0); leaky_relu(0)": (
        Point("relu(a)", (0.0,), zeros(1)),
        Point("leaky_relu(a)", (0.0,), zeros(1)),
    ),
    "max, min, maximum, minimum at a tie": (
        Point("maximum(a, b)", (1.0, 1.0), zeros(2)),
        Point("minimum(a, b)", (1.0, 1.0), zeros(2)),
        Point("maximum(a, a)**2", (1.0,), [[2]]),
        Point("max(a)", ([1.0, 3.0, 3.0],), zeros(3)),
        Point("min(a)", ([1.0, 1.0],), zeros(2)),
        Point("max(a)**2", ([1.0, 3.0],), [[0, 0], [0, 2]]),
    ),
    "abs(0)": (
        Point("abs(a)", (0.0,), [[0]]),
        Point("abs(a)**2", (0.0,), [[2]]),
        Point("abs(a) * abs(a)", (0.0,), [[2]]),
        Point("abs(a)**4", ([0.0, -2.0],), [[0, 0], [0, 48]]),
    ),
    "binary cross-entropy from logits at logit 0, target 0": (
        Point("bce_logits(a, b)", (0.0, 0.0), [[0.25, -1], [-1, 0]]),
        Point("bce_logits(a, b)", (1000.0, 1.0), [[0, -1], [-1, 0]]),
        Point("bce_logits(a, b)", (-1000.0, 1.0), [[0, -1], [-1, 0]]),
    ),
    "clip at a bound": (
        Point("clip(a, 0, 1)**2", (0.0,), [[2]]),
        Point("clip(a, 0, 1)**2", (1.0,), [[2]]),
        Point("clip(a, b, 2)**2", (1.0, 1.0), [[2, 0], [0, 0]]),
        Point("clip(a, b, 2)**2", (0.0, 1.0), [[0, 0], [0, 2]]),
    ),
    "sqrt(0); log(0); log(-1)": (
        Point("sqrt(a)", (0.0,), [[-inf]]),
        Point("log(a)", (0.0,), [[-inf]]),
        Point("log(a)", (-1.0,), [[-1]]),
    ),
    "norm(0), std of a constant": (
        Point("norm(a)", ([0.0, 0.0],), zeros(2)),
        Point("norm(a, axis=1)", ([[0.0, 0.0], [3.0, 4.0]],), _beside(zeros(2), _of_row([3, 4]))),
        Point("norm(a)**2", ([0.0, 0.0],), scaled_identity(2, 2)),
        Point("norm(a) * norm(a)", ([0.0, 0.0],), scaled_identity(2, 2)),
        Point("norm(a)**3", ([0.0, 0.0],), zeros(2)),
        Point("norm(a)**4", ([0.0, 0.0],), zeros(2)),
        Point("exp(-norm(a)**2)", ([0.0, 0.0],), scaled_identity(2, -2)),
        Point("norm(a, axis=0)**2", ([[0.0], [0.0]],), scaled_identity(2, 2)),
        Point("sqrt(sum(a**2))**2", ([0.0, 0.0],), scaled_identity(2, 2)),
        Point("where(norm(a) < 1, norm(a)**2 / 2, norm(a) - 0.5)", ([0.0, 0.0],), np.eye(2)),
        Point("std(a)", ([2.0, 2.0],), zeros(2)),
        Point("std(a)**2", ([1.0, 1.0, 1.0],), 2 / 3 * CENTRED),
        Point("std(a, ddof=1)**2", ([1.0, 1.0, 1.0],), CENTRED),
        Point("sqrt(var(a))", ([1.0, 1.0, 1.0],), zeros(3)),
        Point("var(a)", ([1.0, 1.0, 1.0],), 2 / 3 * CENTRED),
    ),
    "0**0": (
        Point("a ** b", (0.0, 0.0), zeros(2)),
        Point("0 ** a", (0.0,), zeros(1)),
    ),
    "0**1/2; 0**1; (-2)**2": (
        Point("a ** b", (0.0, 1.0), zeros(2)),
        Point("a ** b", (0.0, 2.0), [[2, 0], [0, 0]]),
        Point("a ** b", (0.0, 3.0), zeros(2)),
        Point("a ** b", (-2.0, 2.0), [[2, nan], [nan, nan]]),
        Point("a ** 2", (-2.0,), [[2]]),
        Point("a ** 3", (-2.0,), [[-12]]),
        Point("a ** 0.5", (0.0,), [[-inf]]),
    ),
    "a power 1, x**0 and 0**2 of arrays": (
        Point("a ** b", (2.0, 0.0), [[0, 0.5], [0.5, LOG2**2]]),
        Point("a ** b", (2.0, 1.0), [[0, 1 + LOG2], [1 + LOG2, 2 * LOG2**2]]),
        Point("2 ** a", (3.0,), [[8 * LOG2**2]]),
        Point("0 ** a", (2.0,), [[0]]),
    ),
    "0**-1": (
        Point("a ** -1", (0.0,), [[inf]]),
        Point("a ** -1", (-2.0,), [[-0.25]]),
    ),
    "where(x>0, sqrt(x), 0) at 0": (Point("where(a > 0, sqrt(a), 0)", (0.0,), [[nan]]),),
    "logsumexp [1000, 1000]; all -inf": (
        Point("logsumexp(a)", ([0.3],), [[0]]),
        Point("logsumexp(a)", ([50.0, 0.0],), math.exp(-50) * np.array([[1, -1], [-1, 1]])),
        Point("logsumexp(a)", ([1000.0, 1000.0],), TIE),
        Point("logsumexp(a)", ([-1000.0, -1000.0],), TIE),
        Point("logsumexp(a)", ([-inf, -inf],), zeros(2)),
        Point("logsumexp(a)", ([-inf, 0.0],), zeros(2)),
        Point("log(sum(exp(a)))", ([800.0, 800.0],), TIE),
        Point("logaddexp(a, b)", (0.0, 0.0), TIE),
        Point("logaddexp(a, b)", (1000.0, 1000.0), TIE),
        Point("logaddexp(a, b)", (-inf, -inf), zeros(2)),
        Point("logaddexp(a, b)", (-inf, 0.0), zeros(2)),
        Point("logaddexp(a, 2 * a)", (0.0,), [[0.25]]),
        Point("logcumsumexp(a)", ([0.0, 0.0],), TIE),
        Point("logcumsumexp(a)", ([-inf, 0.0, -inf],), zeros(3)),
    ),
    "softmax [1e4, 0]; log_softmax [-1e4, 0]": (
        Point("softmax(a)[0]", ([1e4, 0.0],), zeros(2)),
        Point("softmax(a)[0]**2", ([0.0, 0.0],), [[0.125, -0.125], [-0.125, 0.125]]),
        Point("softmax(a)[0]", ([-inf, 0.0],), zeros(2)),
        Point("log_softmax(a)[0]", ([-1e4, 0.0],), zeros(2)),
        Point("log_softmax(a)[0]", ([0.0, 0.0],), -np.array(TIE)),
    ),
    "sigmoid, softplus at 0 and ±1000": (
        Point("sigmoid(a)", ([0.0, 1000.0, -1000.0],), zeros(3)),
        Point("softplus(a)", ([0.0, 1000.0, -1000.0],), np.diag([0.25, 0, 0])),
        Point("log_sigmoid(a)", ([0.0, 1000.0, -1000.0],), np.diag([-0.25, 0, 0])),
        Point("silu(a)", ([0.0, 1000.0, -1000.0],), np.diag([0.5, 0, 0])),
        Point("tanh(a)", ([0.0, 1000.0, -1000.0],), zeros(3)),
        Point("gelu(a)", ([0.0, 1000.0, -1000.0],), np.diag([math.sqrt(2 / pi), 0, 0])),
        Point("gelu_tanh(a)", ([0.0, 1000.0, -1000.0],), np.diag([math.sqrt(2 / pi), 0, 0])),
        Point("mish(a)", ([1000.0, -1000.0],), zeros(2)),
        Point("elu(a)", ([0.0, 1000.0, -1000.0],), np.diag([1, 0, 0])),
        Point("elu(a, alpha=2)", (0.0,), [[2]]),
        Point("celu(a, alpha=2)", ([0.0, 1000.0, -1000.0],), np.diag([0.5, 0, 0])),
        Point("selu(a)", (0.0,), [[1.0507009873554805 * 1.6732632423543772]]),
        Point("softsign(a)", ([0.0, 1.0],), np.diag([0, -0.25])),
    ),
    "prod [0,2,3]; [0,0,3]; cumprod [0,2,3]": (
        Point("prod(a)", ([0.0, 2.0, 3.0],), [[0, 3, 2], [3, 0, 0], [2, 0, 0]]),
        Point("prod(a)", ([0.0, 0.0, 3.0],), [[0, 3, 0], [3, 0, 0], [0, 0, 0]]),
        Point("cumprod(a)", ([0.0, 2.0, 3.0],), [[0, 4, 2], [4, 0, 0], [2, 0, 0]]),
        Point("cumprod(a)", ([2.0, 0.0, 3.0],), [[0, 4, 0], [4, 0, 2], [0, 2, 0]]),
        Point(
            "linear_recurrence(a, b)",
            ([5.0, 0.0], [0.0, 0.0]),
            _beside(_beside([[0]], MIXED), [[0]]),
        ),
    ),
    "maximum(nan, 1); relu(nan)": (
        Point("relu(a)", (nan,), [[0]]),
        Point("maximum(a, b)", (nan, 1.0), zeros(2)),
    ),
    "xlogy where x is 0": (
        Point("xlogy(a, b)", (0.0, 2.0), [[0, 0.5], [0.5, 0]]),
        Point("xlogy(a, b)", (2.0, 1.0), [[0, 1], [1, -2]]),
        Point("xlogy(a, 2 * a)", (1.0,), [[1]]),
        Point("xlog1py(a, b)", (0.0, 2.0), [[0, 1 / 3], [1 / 3, 0]]),
        Point("xlog1py(a, b)", (2.0, 0.0), [[0, 1], [1, -2]]),
    ),
    "atan2(0, 0); hypot(0, 0)": (
        Point("atan2(a, b)", (0.0, 0.0), zeros(2)),
        Point("atan2(a, b)", (0.0, -1.0), [[0, -1], [-1, 0]]),
        Point("atan2(a, b)", (1.0, 0.0), [[0, 1], [1, 0]]),
        Point("hypot(a, b)", (0.0, 0.0), zeros(2)),
        Point("hypot(a, b)", (0.0, 2.0), [[0.5, 0], [0, 0]]),
        Point("hypot(a, b)", (3.0, 4.0), _of_row([3, 4])),
        Point("hypot(a, b)**2", (0.0, 0.0), scaled_identity(2, 2)),
    ),
    "mod(6, 3)": (Point("(a % b)**2", (6.0, 3.0), [[2, -4], [-4, 8]]),),
    "gather with a repeated index": (
        Point("sum(take(a, [0, 0, 1]))**2", ([1.0, 2.0],), [[8, 4], [4, 2]]),
        Point("sum(sort(a)**2)", ([1.0, 1.0],), scaled_identity(2, 2)),
        Point("maxpool(a**2, [2])", ([1.0, 1.0],), np.eye(2)),
    ),
    "einsum with a repeated index": (
        Point('einsum("i i, i ->", a, b)', ([[1.0]], [5.0]), MIXED),
        Point('einsum("i, i ->", a, a)', ([1.0, 2.0],), scaled_identity(2, 2)),
    ),
    "inf * 0": (Point("a * b", (inf, 0.0), MIXED),),
    "others": (
        Point("expm1(a)", ([0.0, 1.0],), np.diag([1, math.e])),
        Point("arcsinh(a)", ([0.0, 1e30],), zeros(2)),
        Point("erf(a)", ([0.0, 1.0],), np.diag([0, -4 / math.sqrt(pi) / math.e])),
        Point("erfc(a)", (30.0,), [[0]]),
        Point("lgamma(a)", (1.0,), [[pi**2 / 6]]),
        Point("lgamma(a)", (-0.5,), [[pi**2 / 2 + 4]]),
        Point("digamma(a)", (1.0,), [[-2.4041138063191885]]),
        Point("arcsin(a)", (1.0,), [[inf]]),
        Point("logit(a)", (0.5,), [[0]]),
    ),
}
POINTS = [point for points in ROWS.values() for point in points]


def text_of(point: Point) -> str:
    """The Hessian forward over reverse, and the gradient of the gradient along a direction."""
    shapes = [list(np.shape(value)) for value in point.inputs]
    named = list(zip(NAMES, shapes, strict=False))
    lines = [f"input {name}, d{name}: {shape}" for name, shape in named]
    along = " + ".join(f"sum((grad(y, {name}) + 0 * {name}) * d{name})" for name, _ in named)
    names = ", ".join(name for name, _ in named)
    return "\n".join(
        [
            *lines,
            f"output y = sum({point.call})",
            f"output along = {along}",
            f"derive hessian_matrix y wrt {names} as H",
            f"derive grad along wrt {names} as twice",
        ]
    )


@functools.cache
def modules(text: str) -> Levels:
    return at_levels(text, dtypes=DTYPES)


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_second_derivative(point: Point) -> None:
    expected = np.asarray(point.hessian, float)
    found = modules(text_of(point)).modules
    for level in LEVELS:
        for dtype in DTYPES:
            made = found[level, dtype]
            arrays = [np.asarray(value, dtype) for value in point.inputs]
            still = [np.zeros_like(one) for one in arrays]
            pairs = [each for pair in zip(arrays, still, strict=True) for each in pair]
            tolerance = 1e-14 if dtype == "float64" else 2e-6
            with np.errstate(all="ignore"):
                matrix = made.H(*pairs)
            assert matrix.dtype == dtype
            close(matrix, expected, tolerance)
            if not np.isfinite(expected).all():
                continue
            for column in range(len(expected)):
                unit = np.eye(len(expected), dtype=dtype)[column]
                split = np.split(unit, np.cumsum([one.size for one in arrays])[:-1])
                ways = [part.reshape(one.shape) for part, one in zip(split, arrays, strict=True)]
                pairs = [each for pair in zip(arrays, ways, strict=True) for each in pair]
                with np.errstate(all="ignore"):
                    moved = made.twice(*pairs)
                flat = np.concatenate([np.ravel(one) for one in moved.values()])
                close(flat, expected[:, column], tolerance)


@pytest.mark.parametrize("level", LEVELS)
def test_determinant_at_matrices_of_every_rank(level: str) -> None:
    """The second derivative by [i, j] and [k, l] is the signed minor without these rows and
    columns, 0 where they share one."""
    made = modules("dim N\ninput x: [N, N]\noutput y = det(x)\nderive hessian y wrt x as H").modules
    for size in (1, 2, 3, 4):
        for rank in range(size + 1):
            rng = np.random.default_rng(10 * size + rank)
            left, right = rng.integers(-2, 3, (size, rank)), rng.integers(-2, 3, (rank, size))
            x = (left @ right).astype(float)
            for dtype, tolerance in (("float64", 1e-12), ("float32", 2e-5)):
                found = made[level, dtype].H(x.astype(dtype))["x"]["x"]
                expected = np.zeros((size,) * 4)
                for i, j, k, m in np.ndindex(expected.shape):
                    if i != k and j != m:
                        rest = np.delete(np.delete(x, [i, k], 0), [j, m], 1)
                        sign = (-1) ** (i + j + k + m) * (1 if (i < k) == (j < m) else -1)
                        expected[i, j, k, m] = sign * np.linalg.det(rest)
                close(found, expected, tolerance)


THIRD = {
    "det(a)": ([[1.0, 2.0, 0.5], [-1.0, 3.0, 2.0], [0.7, 0.1, 1.0]],),
    "logsumexp(a)": ([0.0, 0.0, 1.0],),
    "logaddexp(a, b)": (0.0, 0.0),
    "xlogy(a, b)": (0.0, 2.0),
    "xlog1py(a, b)": (0.0, 2.0),
    "norm(a)**4": ([0.0, 0.0],),
    "std(a)**4": ([0.1, 0.1, 0.1],),
    "prod(a)": ([0.0, 2.0, 0.0],),
    "cumprod(a)": ([0.0, 2.0, 3.0],),
    "logcumsumexp(a)": ([0.0, 0.0, -1.0],),
    "a ** b": (2.0, 0.0),
    "bce_logits(a, b)": (0.0, 0.0),
    "softmax(a)[0]": ([0.0, 0.0],),
    "log_softmax(a)[0]": ([0.0, 0.0],),
    "sigmoid(a)": (0.0,),
    "silu(a)": (0.0,),
    "gelu(a)": (0.0,),
    "expm1(a)": (-1.0,),
    "hypot(a, b)": (0.0, 2.0),
    "atan2(a, b)": (0.0, -1.0),
}
"""Smooth at these points, so that differences of second derivatives are the third."""


@pytest.mark.parametrize("call", THIRD)
def test_third_derivative_is_the_slope_of_the_second(call: str) -> None:
    point = Point(call, THIRD[call], None)
    names = [name for name, _ in zip(NAMES, point.inputs, strict=False)]
    text = f"{text_of(point)}\nderive hessian_matrix along wrt {', '.join(names)} as third"
    rng = np.random.default_rng(3)
    arrays = [np.asarray(value, float) for value in point.inputs]
    ways = [rng.normal(size=one.shape) for one in arrays]

    def pairs(step: float) -> list[Any]:
        moved = [one + step * way for one, way in zip(arrays, ways, strict=True)]
        return [each for pair in zip(moved, ways, strict=True) for each in pair]

    made = at_levels(text).modules
    for level in LEVELS:
        module = made[level, "float64"]
        slope = [(module.H(*pairs(h)) - module.H(*pairs(-h))) / (2 * h) for h in (1e-3, 2e-3)]
        close(module.third(*pairs(0)), (4 * slope[0] - slope[1]) / 3, 1e-8)


def test_a_gradient_in_a_file_is_that_of_the_stable_form() -> None:
    """`grad` differentiates what the module computes, and not what was written."""
    text = """
        input x: [2]
        output slope = grad(sum(log(sigmoid(x))), x)
        output curve = grad(sum(grad(log(sum(exp(x))), x) * [1, 0]), x)
    """
    for level in LEVELS:
        made = at_levels(text).modules[level, "float64"]
        out, _ = made.forward([-1000.0, 1000.0])
        close(out.slope, [1, 0], 0)
        out, _ = made.forward([800.0, 800.0])
        close(out.curve, [0.25, -0.25], 1e-15)
