"""Values and gradients where operations have kinks, poles, ties and limits, and of nothing.

The rows are those of the conventions: what JAX and PyTorch give where they agree, and what is
decided where they differ.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from comparing import close
from conftest import module
from sampling import DTYPES, NAMES

from graphc.ops import FUNCTIONS

pytestmark = pytest.mark.levels

nan, inf, pi = math.nan, math.inf, math.pi
EULER = 0.5772156649015329
ROOT = math.sqrt(2 / 3)
STD_ROWS = [[0, 0, 0], [-1 / 3 / ROOT, 0, 1 / 3 / ROOT]]
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


@dataclass(frozen=True)
class Point:
    """Inputs at a kink, a pole or a limit, with the value and the gradients of its sum there.

    `quiet` points are computed without a warning of overflow, division or invalid operation.
    """

    call: str
    inputs: tuple[Any, ...]
    value: Any
    gradients: tuple[Any, ...]
    quiet: bool = False

    def __str__(self) -> str:
        return f"{self.call} at {self.inputs}"


ROWS: Mapping[str, tuple[Point, ...]] = {
    "relu(0); leaky_relu(0)": (
        Point("relu(a)", (0.0,), 0, (0,), True),
        Point("leaky_relu(a)", (0.0,), 0, (0.01,), True),
    ),
    "max, min, maximum, minimum at a tie": (
        Point("maximum(a, b)", (1.0, 1.0), 1, (0.5, 0.5), True),
        Point("minimum(a, b)", (1.0, 1.0), 1, (0.5, 0.5), True),
        Point("maximum(a, a)", (1.0,), 1, (1,), True),
        Point("minimum(a, b)", (1.0, nan), nan, (0, 0), True),
        Point("max(a)", ([1.0, 3.0, 3.0],), 3, ([0, 0.5, 0.5],), True),
        Point("min(a)", ([1.0, 1.0, 3.0, 1.0],), 1, ([1 / 3, 1 / 3, 0, 1 / 3],), True),
        Point("max(a, axis=0)", ([[2.0, 1.0], [2.0, 3.0]],), [2, 3], ([[0.5, 0], [0.5, 1]],), True),
    ),
    "abs(0), sign, floor gradients": (
        Point("abs(a)", (0.0,), 0, (0,), True),
        Point("sign(a)", (0.0,), 0, (0,), True),
        Point("floor(a)", (2.0,), 2, (0,), True),
        Point("ceil(a)", (2.0,), 2, (0,), True),
        Point("round(a)", (0.5,), 0, (0,), True),
    ),
    "binary cross-entropy from logits at logit 0, target 0": (
        Point("bce_logits(a, b)", (0.0, 0.0), math.log(2), (0.5, 0), True),
        Point("bce_logits(a, b)", (1000.0, 1.0), 0, (0, -1000), True),
        Point("bce_logits(a, b)", (-1000.0, 1.0), 1000, (-1, 1000), True),
    ),
    "clip at a bound": (
        Point("clip(a, 0, 1)", (0.0,), 0, (1,), True),
        Point("clip(a, 0, 1)", (1.0,), 1, (1,), True),
        Point("clip(a, b, 2)", (1.0, 1.0), 1, (1, 0), True),
        Point("clip(a, b, 2)", (0.0, 1.0), 1, (0, 1), True),
        Point("clip(a, 3, b)", (1.0, 2.0), 2, (0, 1), True),
    ),
    "sqrt(0); log(0); log(-1)": (
        Point("sqrt(a)", (0.0,), 0, (inf,)),
        Point("log(a)", (0.0,), -inf, (inf,)),
        Point("log(a)", (-1.0,), nan, (-1,)),
    ),
    "norm(0), std of a constant": (
        Point("norm(a)", ([0.0, 0.0],), 0, ([0, 0],), True),
        Point("std(a)", ([2.0, 2.0],), 0, ([0, 0],), True),
        Point("std(a)", ([0.1, 0.1, 0.1],), 0, ([0, 0, 0],), True),
        Point("std(a, axis=1)", ([[0.1] * 3, [1, 2, 3]],), [0, ROOT], (STD_ROWS,), True),
        Point(
            "norm(a, axis=1)", ([[0.0, 0.0], [3.0, 4.0]],), [0, 5], ([[0, 0], [0.6, 0.8]],), True
        ),
        Point("std(a, axis=0, ddof=1)", ([[2.0], [2.0]],), [0], ([[0], [0]],), True),
    ),
    "0**0": (
        Point("a ** b", (0.0, 0.0), 1, (0, 0)),
        Point("a ** 0", (0.0,), 1, (0,), True),
        Point("0 ** a", (0.0,), 1, (0,)),
    ),
    "0**1/2; 0**1; (-2)**2": (
        Point("a ** b", (0.0, 0.5), 0, (inf, 0)),
        Point("a ** b", (0.0, 1.0), 0, (1, 0)),
        Point("a ** b", (0.0, 2.0), 0, (0, 0)),
        Point("a ** b", (-2.0, 2.0), 4, (-4, nan)),
        Point("a ** 1", (0.0,), 0, (1,), True),
        Point("a ** 2", (-2.0,), 4, (-4,), True),
        Point("a ** 3", (-2.0,), -8, (12,), True),
        Point("a ** 0.5", (0.0,), 0, (inf,)),
    ),
    "0**-1": (
        Point("a ** b", (0.0, -1.0), inf, (-inf, -inf)),
        Point("a ** -1", (0.0,), inf, (-inf,)),
        Point("a ** -1", (-2.0,), -0.5, (-0.25,), True),
    ),
    "where(x>0, sqrt(x), 0) at 0": (
        Point("where(a > 0, sqrt(a), 0)", (0.0,), 0, (nan,)),
        Point("where(a > 0, 1 / a, 0)", (0.0,), 0, (nan,)),
    ),
    "logsumexp [1000, 1000]; all -inf": (
        Point("logsumexp(a)", ([1000.0, 1000.0],), 1000 + math.log(2), ([0.5, 0.5],), True),
        Point("logsumexp(a)", ([-1000.0, -1000.0],), math.log(2) - 1000, ([0.5, 0.5],), True),
        Point("logsumexp(a)", ([-inf, -inf],), -inf, ([0, 0],)),
        Point("logsumexp(a)", ([-inf, 0.0],), 0, ([0, 1],), True),
        Point("logsumexp(a)", ([inf, 0.0],), inf, ([nan, 0],)),
        Point("logaddexp(a, b)", (-inf, -inf), -inf, (0, 0)),
        Point("logaddexp(a, b)", (1000.0, 1000.0), 1000 + math.log(2), (0.5, 0.5), True),
        Point("logaddexp(a, b)", (-inf, 0.0), 0, (0, 1), True),
        Point("logcumsumexp(a)", ([-inf, 0.0, -inf],), [-inf, 0, 0], ([0, 2, 0],)),
    ),
    "softmax all -inf; softmax [1e4, 0]; log_softmax [-1e4, 0]": (
        Point("softmax(a)", ([-inf, -inf],), [nan, nan], ([nan, nan],)),
        Point("softmax(a)", ([1e4, 0.0],), [1, 0], ([0, 0],), True),
        Point("softmax(a)", ([-inf, 0.0],), [0, 1], ([0, 0],), True),
        Point("log_softmax(a)", ([-1e4, 0.0],), [-1e4, 0], ([1, -1],), True),
    ),
    "sigmoid, softplus at ±1000": (
        Point("sigmoid(a)", (1000.0,), 1, (0,), True),
        Point("sigmoid(a)", (-1000.0,), 0, (0,), True),
        Point("softplus(a)", (1000.0,), 1000, (1,), True),
        Point("softplus(a)", (-1000.0,), 0, (0,), True),
        Point("silu(a)", (1000.0,), 1000, (1,), True),
        Point("silu(a)", (-1000.0,), 0, (0,), True),
        Point("tanh(a)", (1000.0,), 1, (0,), True),
        Point("gelu_tanh(a)", (-1000.0,), 0, (0,), True),
        Point("gelu_tanh(a)", (1000.0,), 1000, (1,), True),
        Point("elu(a)", (1000.0,), 1000, (1,), True),
        Point("elu(a)", (-1000.0,), -1, (0,), True),
        Point("celu(a)", (1000.0,), 1000, (1,), True),
        Point("gelu(a)", (1000.0,), 1000, (1,), True),
        Point("gelu(a)", (-1000.0,), 0, (0,), True),
        Point("mish(a)", (1000.0,), 1000, (1,), True),
        Point("mish(a)", (-1000.0,), 0, (0,), True),
        Point("log_sigmoid(a)", (1000.0,), 0, (0,), True),
        Point("log_sigmoid(a)", (-1000.0,), -1000, (1,), True),
    ),
    "prod [0,2,3]; [0,0,3]; cumprod [0,2,3]": (
        Point("prod(a)", ([0.0, 2.0, 3.0],), 0, ([6, 0, 0],), True),
        Point("prod(a)", ([0.0, 0.0, 3.0],), 0, ([0, 0, 0],), True),
        Point("cumprod(a)", ([0.0, 2.0, 3.0],), [0, 0, 0], ([9, 0, 0],), True),
        Point("prod(a)", ([0.0, 2.0, 0.0],), 0, ([0, 0, 0],), True),
        Point("cumprod(a)", ([2.0, 0.0, 3.0],), [2, 0, 0], ([1, 8, 0],), True),
    ),
    "maximum(nan, 1); relu(nan)": (
        Point("relu(a)", (nan,), nan, (0,), True),
        Point("maximum(a, b)", (nan, 1.0), nan, (0, 0), True),
        Point("clip(a, 0, 1)", (nan,), nan, (0,), True),
    ),
    "median with nan": (
        Point("median(a)", ([1.0, nan, 3.0],), nan, ([0, 0, nan],), True),
        Point("median(a)", ([1.0, nan, 3.0, 2.0],), nan, ([0, 0, nan, nan],), True),
        Point("median(a)", ([nan],), nan, ([nan],), True),
        Point("median(a)", ([inf, 1.0, inf],), inf, ([1, 0, 0],), True),
        Point(
            "median(a, axis=0)",
            ([[1.0, 5.0], [nan, 4.0], [3.0, 6.0]],),
            [nan, 5],
            ([[0, 1], [0, 0], [nan, 0]],),
            True,
        ),
        Point(
            "median(a, axis=1)",
            ([[5.0, nan], [4.0, 6.0]],),
            [nan, 5],
            ([[nan, nan], [0.5, 0.5]],),
            True,
        ),
        Point("sort(a)", ([nan, 2.0, 1.0],), [1, 2, nan], ([1, 1, 1],), True),
    ),
    "x*log(x) at 0; xlogy(0, 0)": (
        Point("a * log(a)", (0.0,), nan, (nan,)),
        Point("xlogy(a, b)", (0.0, 0.0), 0, (-inf, 0)),
        Point("xlogy(a, b)", (2.0, 1.0), 0, (0, 2), True),
        Point("xlog1py(a, b)", (0.0, -1.0), 0, (-inf, 0)),
    ),
    "atan2(0, 0); hypot(0, 0)": (
        Point("atan2(a, b)", (0.0, 0.0), 0, (0, 0), True),
        Point("hypot(a, b)", (0.0, 0.0), 0, (0, 0), True),
        Point("atan2(a, b)", (0.0, -1.0), pi, (-1, 0), True),
        Point("atan2(a, b)", (1e30, 1e30), pi / 4, (5e-31, -5e-31), True),
        Point("hypot(a, b)", (3e30, 4e30), 5e30, (0.6, 0.8), True),
    ),
    "mod(6, 3)": (
        Point("a % b", (6.0, 3.0), 0, (1, -2), True),
        Point("a % b", (-5.0, 3.0), 1, (1, 2), True),
    ),
    "gather with a repeated index": (
        Point("sum(a[b])", ([1.0, 2.0], [0, 0, 1]), 4, ([2, 1],), True),
        Point("take_along_axis(a, b)", ([1.0, 2.0], [1, 1, -1]), [2, 2, 2], ([0, 3],), True),
        Point("pick(a, b)", ([[1.0, 2.0], [3.0, 4.0]], [1, 1]), [2, 4], ([[0, 1], [0, 1]],), True),
        Point("pick(a, 0)", ([2.0, 3.0],), 2, ([1, 0],), True),
        Point("take(a, 1)", ([2.0, 3.0],), 3, ([0, 1],), True),
        Point("take(a, [0, 0, -1])", ([1.0, 2.0],), [1, 1, 2], ([2, 1],), True),
        Point(
            "scatter_add(a, [0, 0], b)", ([1.0, 2.0], [3.0, 4.0]), [8, 2], ([1, 1], [1, 1]), True
        ),
        Point(
            "put_along_axis(a, b, c)",
            ([1.0, 2.0], [0, 0], [3.0, 4.0]),
            [4, 2],
            ([0, 1], [0, 1]),
            True,
        ),
        Point(
            "add_along_axis(a, b, c)",
            ([1.0, 2.0], [0, -2], [3.0, 4.0]),
            [8, 2],
            ([1, 1], [1, 1]),
            True,
        ),
        Point("gather_nd(a, b)", ([1.0, 2.0], [[0], [0], [-1]]), [1, 1, 2], ([2, 1],), True),
        Point(
            "scatter_nd(a, b, c)",
            ([1.0, 2.0], [[0], [0]], [3.0, 4.0]),
            [4, 2],
            ([0, 1], [0, 1]),
            True,
        ),
        Point(
            "scatter_nd_add(a, b, c)",
            ([1.0, 2.0], [[0], [0]], [3.0, 4.0]),
            [8, 2],
            ([1, 1], [1, 1]),
            True,
        ),
        Point("put_add(a, b, [0, 0])", ([1.0, 2.0], [3.0, 4.0]), [8, 2], ([1, 1], [1, 1]), True),
        Point("put(a, b, [0, 0])", ([1.0, 2.0], [3.0, 4.0]), [4, 2], ([0, 1], [0, 1]), True),
        Point("put(a, b, [-1, 1])", ([1.0, 2.0], [3.0, 4.0]), [1, 4], ([1, 0], [0, 1]), True),
    ),
    "matrices with equal values, of less than full rank, not normal": (
        Point("eigvalsh(a)", ([[2.0, 0.0], [0.0, 2.0]],), [2, 2], ([[1, 0], [0, 1]],), True),
        Point("svdvals(a)", ([[3.0, 0.0], [0.0, 3.0]],), [3, 3], ([[1, 0], [0, 1]],), True),
        Point(
            "pinv(a)",
            ([[2.0, 0.0], [0.0, 0.0]],),
            [[0.5, 0], [0, 0]],
            ([[-0.25, 0.25], [0.25, 0]],),
            True,
        ),
        Point(
            "lstsq(a, b)",
            ([[1.0, 0.0], [0.0, 0.0]], [3.0, 4.0]),
            [3, 0],
            ([[-3, 3], [4, 0]], [1, 0]),
            True,
        ),
        Point(
            "expm(a)",
            ([[0.0, 1.0], [0.0, 0.0]],),
            [[1, 1], [0, 1]],
            ([[1.5, 1], [13 / 6, 1.5]],),
            True,
        ),
    ),
    "einsum with a repeated or summed-out index": (
        Point(
            'einsum("i i, i ->", a, b)',
            ([[1.0, 2.0], [3.0, 4.0]], [5.0, 6.0]),
            29,
            ([[5, 0], [0, 6]], [1, 4]),
            True,
        ),
        Point('einsum("i j, i j -> i", a, a)', ([[1.0, 2.0]],), [5], ([[2, 4]],), True),
        Point('einsum("i i ->", a)', ([[1.0, 2.0], [3.0, 4.0]],), 5, ([[1, 0], [0, 1]],), True),
    ),
    "inf * 0": (Point("a * b", (inf, 0.0), nan, (0, inf)),),
    "others": (
        Point("a ** b", (2.0, 0.0), 1, (0, math.log(2)), True),
        Point("expm1(a)", (-20.0,), math.expm1(-20), (math.exp(-20),), True),
        Point("2 ** a", (3.0,), 8, (8 * math.log(2),), True),
        Point("0 ** a", (2.0,), 0, (0,)),
        Point("sigmoid(a)", (0.0,), 0.5, (0.25,), True),
        Point("softplus(a)", (0.0,), math.log(2), (0.5,), True),
        Point("elu(a)", (0.0,), 0, (1,), True),
        Point("softsign(a)", (0.0,), 0, (1,), True),
        Point("hardtanh(a)", (1.0,), 1, (1,), True),
        Point("heaviside(a, b)", (0.0, 0.3), 0.3, (0, 1), True),
        Point("mod(a, b)", (6.0, 3.0), 0, (1, -2), True),
        Point("erf(a)", (0.0,), 0, (2 / math.sqrt(pi),), True),
        Point("erf(a)", (inf,), 1, (0,), True),
        Point("erfc(a)", (-inf,), 2, (0,), True),
        Point("erfc(a)", (30.0,), 0, (0,), True),
        Point("lgamma(a)", (1.0,), 0, (-EULER,), True),
        Point("lgamma(a)", (-0.5,), 1.2655121234846454, (0.03648997397857652,), True),
        Point("lgamma(a)", (1e30,), 1e30 * (math.log(1e30) - 1), (math.log(1e30),), True),
        Point("lgamma(a)", (0.0,), inf, (-inf,)),
        Point("ndtr(a)", (-inf,), 0, (0,), True),
        Point("ndtr(a)", (inf,), 1, (0,), True),
        Point("ndtr(a)", (-10.0,), 7.619853024160526e-24, (7.694598626706420e-23,), True),
        Point("ndtr(a)", (nan,), nan, (nan,), True),
        Point("log_ndtr(a)", (-100.0,), -5005.524208694205, (100.00999800099926,), True),
        Point("log_ndtr(a)", (-1e15,), -5e29, (1e15,), True),
        Point("log_ndtr(a)", (-inf,), -inf, (inf,), True),
        Point("log_ndtr(a)", (inf,), 0, (0,), True),
        Point("log_ndtr(a)", (10.0,), -7.619853024160526e-24, (7.694598626706420e-23,), True),
        Point("log_ndtr(a)", (nan,), nan, (nan,), True),
        Point("ndtri(a)", (0.5,), 0, (math.sqrt(2 * pi),), True),
        Point("ndtri(a)", (0.0,), -inf, (inf,), True),
        Point("ndtri(a)", (1.0,), inf, (inf,), True),
        Point("ndtri(a)", (1.5,), nan, (nan,), True),
        Point("ndtri(a)", (nan,), nan, (nan,), True),
        Point("erfinv(a)", (-1.0,), -inf, (inf,), True),
        Point("erfinv(a)", (1e-30,), 1e-30 * math.sqrt(pi) / 2, (math.sqrt(pi) / 2,), True),
        Point("erfinv(a)", (-1.5,), nan, (nan,), True),
        Point("erfcinv(a)", (0.0,), inf, (-inf,), True),
        Point("erfcinv(a)", (2.0,), -inf, (-inf,), True),
        Point("erfcinv(a)", (-0.5,), nan, (nan,), True),
        Point(
            "gammainc(a, b)", (1.0, 2.0), -math.expm1(-2), (-0.2208254262118595, math.exp(-2)), True
        ),
        Point("gammainc(a, b)", (2.0, 0.0), 0, (0, 0), True),
        Point("gammainc(a, b)", (2.0, inf), 1, (0, 0), True),
        Point("gammainc(a, b)", (1.0, 0.0), 0, (0, 1), True),
        Point("gammainc(a, b)", (-1.0, 2.0), nan, (nan, nan), True),
        Point("gammainc(2, b)", (0.0, nan), nan, (0, nan), True),
        Point(
            "gammaincc(a, b)",
            (1.0, 50.0),
            math.exp(-50),
            (8.696451043167614e-22, -math.exp(-50)),
            True,
        ),
        Point("gammaincc(a, b)", (3.0, -1.0), nan, (nan, nan), True),
        Point(
            "betainc(a, b, c)",
            (1.0, 1.0, 0.25),
            0.25,
            (0.25 * math.log(0.25), -0.75 * math.log(0.75), 1),
            True,
        ),
        Point("betainc(a, b, c)", (2.0, 3.0, 0.0), 0, (0, 0, 0), True),
        Point("betainc(a, b, c)", (2.0, 1.0, 1.0), 1, (0, 0, 2), True),
        Point("betainc(a, b, c)", (2.0, 3.0, 1.5), nan, (nan, nan, nan), True),
        Point("j0(a)", (0.0,), 1, (0,), True),
        Point("j0(a)", (-inf,), 0, (0,), True),
        Point("j0(a)", (nan,), nan, (nan,), True),
        Point("j1(a)", (0.0,), 0, (0.5,), True),
        Point("jv(3, a)", (0.0,), 0, (0,), True),
        Point("jv(2, a)", (1e-20,), 1.25e-41, (2.5e-21,), True),
        Point("i0(a)", (0.0,), 1, (0,), True),
        Point("i0(a)", (-inf,), inf, (-inf,), True),
        Point("i1(a)", (0.0,), 0, (0.5,), True),
        Point("i1(a)", (nan,), nan, (nan,), True),
        Point("i0e(a)", (0.0,), 1, (0,), True),
        Point("i0e(a)", (1e30,), 1 / math.sqrt(2e30 * pi), (0,), True),
        Point("i1e(a)", (-inf,), 0, (0,), True),
        Point("k0(a)", (0.0,), inf, (-inf,), True),
        Point("k0(a)", (inf,), 0, (0,), True),
        Point("k0(a)", (-1.0,), nan, (nan,), True),
        Point("k1(a)", (0.0,), inf, (-inf,), True),
        Point("digamma(a)", (1.0,), -EULER, (pi**2 / 6,), True),
        Point("arcsin(a)", (1.0,), pi / 2, (inf,)),
        Point("arccosh(a)", (1.0,), 0, (inf,)),
        Point("arcsinh(a)", (1e30,), math.asinh(1e30), (1e-30,), True),
        Point("logit(a)", (0.0,), -inf, (inf,)),
        Point("cbrt(a)", (0.0,), 0, (inf,)),
        Point("resize(a, [4])", ([0.0, 4.0],), [0, 1, 3, 4], ([2, 2],), True),
        Point('resize(a, [1], method="nearest")', ([0.0, 4.0],), [0], ([1, 0],), True),
        Point("resize(a, [1], align_corners=true)", ([3.0, 4.0],), [3], ([1, 0],), True),
        Point(
            "grid_sample(a, b)",
            ([[[[1.0, 3.0]]]], [[[[-0.5, 0.0]]]]),
            [[[[1.0]]]],
            ([[[[1, 0]]]], [[[[2, -0.5]]]]),
            True,
        ),
        Point("maxpool(a, [2])", ([1.0, 1.0, 0.0, 2.0],), [1, 2], ([0.5, 0.5, 0, 1],), True),
        Point("maxpool(a, [20], stride=1)", ([1.0] * 20,), [1], ([0.05] * 20,), True),
        Point("sort(a)", ([1.0, 1.0, 0.0],), [0, 1, 1], ([1, 1, 1],), True),
        Point("huber(a)", (1.0,), 0.5, (1,), True),
        Point("huber(a, 2)", (-2.0,), 2, (-2,), True),
        Point("huber(a)", (-inf,), inf, (-1,), True),
        Point("huber(a)", (nan,), nan, (nan,), True),
    ),
    "running and segment extremes at ties": (
        Point("cummax(a)", ([1.0, 1.0, 0.0, 2.0],), [1, 1, 1, 2], ([2, 1, 0, 1],), True),
        Point("cummin(a)", ([0.0, 1.0, 0.0],), [0, 0, 0], ([2.5, 0, 0.5],), True),
        Point("cummax(a)", ([-inf, -inf],), [-inf, -inf], ([1.5, 0.5],), True),
        Point("cummax(a)", ([1.0, nan, 3.0],), [1, nan, nan], ([1, 0, 0],), True),
        Point(
            "segment_max(a, b, 2)", ([1.0, 1.0, 0.0], [0, 0, 0]), [1, -inf], ([0.5, 0.5, 0],), True
        ),
        Point("segment_min(a, b, 2)", ([3.0, 1.0, 2.0], [1, -1, 0]), [2, 1], ([0, 1, 1],), True),
        Point("segment_max(a, b, 1)", ([nan, 1.0], [0, 0]), [nan], ([0, 0],)),
    ),
    "in order, at ties and ends": (
        Point("sum(c)\nc, d = top_k(a, 2)", ([1.0, 3.0, 3.0, 3.0],), 6, ([0, 1, 1, 0],), True),
        Point(
            "sum(c)\nc, d = top_k(a, 2, largest=false)",
            ([2.0, 1.0, 1.0, 1.0],),
            2,
            ([0, 1, 1, 0],),
            True,
        ),
        Point("quantile(a, 0.5)", ([1.0, 1.0, 1.0, 5.0],), 1, ([0, 0.5, 0.5, 0],), True),
        Point("quantile(a, b)", ([0.0, 4.0, 1.0], 0.5), 1, ([0, 0, 1], 6), True),
        Point("quantile(a, b)", ([0.0, 4.0, 1.0], 1.0), 4, ([0, 1, 0], 6), True),
        Point("quantile(a, b)", ([0.0, 4.0, 1.0], 2.0), 4, ([0, 1, 0], 0), True),
        Point("quantile(a, 0.5)", ([inf, 1.0, -inf],), 1, ([0, 1, 0],), True),
        Point("quantile(a, 0.25)", ([inf, inf],), inf, ([0.75, 0.25],), True),
        Point("quantile(a, 0.5)", ([1.0, nan, 3.0],), nan, ([0, nan, nan],)),
        Point("quantile(a, 0.3)", ([7.0],), 7, ([1],), True),
    ),
    "interp at the points of the table, and outside": (
        Point(
            "interp(a, b, c)",
            (1.0, [0.0, 1.0, 3.0], [0.0, 2.0, 3.0]),
            2,
            (0.5, [0, -0.5, 0], [0, 1, 0]),
            True,
        ),
        Point(
            "interp(a, b, c)",
            (0.0, [0.0, 1.0, 3.0], [0.0, 2.0, 3.0]),
            0,
            (2, [-2, 0, 0], [1, 0, 0]),
            True,
        ),
        Point(
            "interp(a, b, c)",
            (3.0, [0.0, 1.0, 3.0], [0.0, 2.0, 3.0]),
            3,
            (0.5, [0, 0, -0.5], [0, 0, 1]),
            True,
        ),
        Point("interp(a, b, c)", (-2.0, [0.0, 1.0], [4.0, 2.0]), 4, (0, [0, 0], [1, 0]), True),
        Point("interp(a, b, c)", (inf, [0.0, 1.0], [4.0, 2.0]), 2, (0, [0, 0], [0, 1]), True),
        Point("interp(a, b, c)", (nan, [0.0, 1.0], [4.0, 2.0]), nan, (-2, [nan] * 2, [nan] * 2)),
        Point(
            "interp(a, b, c)",
            (0.5, [0.0, 1.0, 1.0, 2.0], [4.0, 2.0, 6.0, 8.0]),
            3,
            (-2, [1, 1, 0, 0], [0.5, 0.5, 0, 0]),
            True,
        ),
        Point(
            "interp(a, b, c)",
            (1.0, [0.0, 1.0, 1.0, 2.0], [4.0, 2.0, 6.0, 8.0]),
            6,
            (2, [0, 0, -2, 0], [0, 0, 1, 0]),
            True,
        ),
        Point(
            "interp(a, b, c)",
            (1.0, [0.0, 1.0, 1.0], [4.0, 2.0, 6.0]),
            6,
            (0, [0, 0, 0], [0, 0, 1]),
            True,
        ),
        Point("interp(a, b, c)", (5.0, [1.0], [4.0]), 4, (0, [0], [1]), True),
    ),
}
POINTS = [point for points in ROWS.values() for point in points]


def test_the_points_are_of_functions() -> None:
    named = {name for point in POINTS for name in re.findall(r"(\w+)\(", point.call)}
    assert named <= FUNCTIONS.keys()


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_hard_point(point: Point) -> None:
    for dtype, tolerance in (("float64", 1e-14), ("float32", 1e-6)):
        arrays = [np.asarray(value) for value in point.inputs]
        arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
        lines = [
            f"input {name}: {'' if a.dtype.kind == 'f' else 'int'}{list(a.shape)}"
            for name, a in zip(NAMES, arrays, strict=False)
        ]
        generated = module("\n".join([*lines, f"output y = {point.call}"]), dtype=dtype)
        # Underflow to 0 is what is meant here; NumPy does not warn of it either.
        state = {"over": "raise", "divide": "raise", "invalid": "raise"}
        with np.errstate(**state if point.quiet else {"all": "ignore"}):
            out, cache = generated.forward(*arrays)
            gradients = generated.backward(cache, y=np.ones(np.shape(point.value)))
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
@pytest.mark.parametrize(("name", "value"), EMPTY)
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


NOTHING = {
    "mean(tanh(s @ w))": 0.0,
    "mean((s @ w) ** 2) + sum(w)": 1.0,
    "var(sin(s @ w))": 0.0,
    "sum(tanh(s @ w)) / D": 0.0,
    "sum(tanh(s @ w) / D)": 0.0,
    "sum(mean(tanh(s @ w)[:, _] * w[_, :], axis=0))": 0.0,
}
"""Functions of a mean of no rows, and their derivative by each element of w: the rows give none."""


@every_dtype
@pytest.mark.parametrize("loss", NOTHING)
def test_nothing_has_no_share_in_a_gradient(loss: str, dtype: str) -> None:
    """What goes to none of the rows sums to 0, however much a row would get."""
    text = f"dim D\nparam w: [3]\ninput s: [D, 3]\noutput y = {loss}\nderive grad y wrt w as G"
    made = module(text, dtype=dtype)
    params, rows = {"w": np.ones(3, dtype)}, np.zeros((0, 3), dtype)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = made.backward(made.forward(params, rows)[1])["w"]
        alone = made.G(params, rows)["w"]
    np.testing.assert_array_equal([whole, alone], np.full((2, 3), NOTHING[loss]))


NO_ROWS: list[tuple[str, float, list[float]]] = [
    ("sum(((s @ w) / D)**2) + sum(w)", 3.0, [1, 1, 1]),
    ("sum((s - mean(s, axis=0)) / std(s, axis=0) * w) + sum(w)", 3.0, [1, 1, 1]),
    ("sum(((s * w) / sum(s * w, axis=0))**3) + sum(w)", 3.0, [1, 1, 1]),
    ("sum(sum(s, axis=1) * sum(w) / D) * sum(w / D) + sum(w)", nan, [nan, nan, nan]),
    ("sum(sum(s, axis=1) * sum(stop(w) / D) * w[0]) + sum(w)", 3.0, [1, 1, 1]),
]


@every_dtype
@pytest.mark.parametrize(("loss", "value", "gradient"), NO_ROWS)
def test_what_is_not_finite_for_no_rows_does_no_harm_to_sums_of_them(
    loss: str, value: float, gradient: list[float], dtype: str
) -> None:
    """A sum of nothing is 0, also where each of its terms would be divided by nothing."""
    text = f"dim D\nparam w: [3]\ninput s: [D, 3]\noutput y = {loss}\n"
    made = module(f"{text}derive value_and_grad y wrt w as G", dtype=dtype)
    params, rows = {"w": np.ones(3, dtype)}, np.zeros((0, 3), dtype)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out, cache = made.forward(params, rows)
        found, slopes = made.G(params, rows)
        whole = made.backward(cache)["w"]
    np.testing.assert_array_equal([out.y, found], [value, value])
    np.testing.assert_array_equal([slopes["w"], whole], [gradient, gradient])


def test_a_map_of_no_steps_sums_to_nothing() -> None:
    text = "dim D\ninput x: [3]\ninput s: [D]\nscan l[t in D] { collect c = sin(x * s[t]) / D }\n"
    made = module(f"{text}output y = sum(c) + sum(x)\nderive hessian y wrt x as H")
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out, cache = made.forward([1.0, 2.0, 3.0], np.zeros(0))
        found = made.backward(cache)["x"], made.H([1.0, 2.0, 3.0], np.zeros(0))["x"]["x"]
    assert out.y == 6.0
    np.testing.assert_array_equal(found[0], np.ones(3))
    np.testing.assert_array_equal(found[1], np.zeros((3, 3)))


def test_a_scan_of_no_steps_gives_what_it_starts_with() -> None:
    text = """dim D
        input x: [1]
        input s: [D]
        scan l[t in D] carry h = x { next h = 0.5 * h + s[t]; collect c = x }
        output loss = mean(sigmoid(c)) + sum(h)
        derive grad loss wrt x as G
    """
    made = module(text)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = made.backward(made.forward([0.3], np.zeros(0))[1])["x"]
        alone = made.G([0.3], np.zeros(0))["x"]
    np.testing.assert_array_equal([whole, alone], [[1.0], [1.0]])
