"""Functions of numbers in exported models: of onnxruntime and of the reference, in both widths.

What ONNX has and onnxruntime lacks in float64, or has not to the last digits in float32, is written
by other operators; what ONNX lacks, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special as special
from test_export_onnx import expected, exported, ran

import graphc
from tests.conftest import long

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sin(x)": np.sin, "tan(x)": np.tan, "arcsin(x)": np.arcsin, "arccos(x)": np.arccos,
    "arctan(x)": np.arctan, "atan2(x, 0.3)": lambda x: np.arctan2(x, 0.3),
    "atan2(0.3, x)": lambda x: np.arctan2(0.3, x), "sinh(x)": np.sinh, "cosh(x)": np.cosh,
    "tanh(x)": np.tanh, "arcsinh(x)": np.arcsinh, "arccosh(x)": np.arccosh,
    "arctanh(x)": np.arctanh, "exp(x)": np.exp, "expm1(x)": np.expm1, "log(x)": np.log,
    "log1p(x)": np.log1p, "cbrt(x)": np.cbrt, "sigmoid(x)": special.expit,
    "softplus(x)": special.softplus, "erf(x)": special.erf, "erfc(x)": special.erfc,
    "erfinv(x)": special.erfinv, "ndtr(x)": special.ndtr, "log_ndtr(x)": special.log_ndtr,
    "ndtri(x)": special.ndtri, "gelu(x)": lambda x: x * special.ndtr(x),
}  # fmt: skip
SPECIAL: dict[str, Callable[[Any], Any]] = {
    "lgamma(abs(x))": lambda x: special.gammaln(np.abs(x)),
    "digamma(abs(x))": lambda x: special.digamma(np.abs(x)),
    "polygamma(2, abs(x))": lambda x: special.polygamma(2, np.abs(x)),
    "j0(x)": special.j0, "i0e(x)": special.i0e, "k0(abs(x))": lambda x: special.k0(np.abs(x)),
}  # fmt: skip
"""Those whose own formulas lose some digits."""
HARD = [0.0, -0.0, 0.5, 1.0, -1.0, 2.0, 30.0, -30.0, -1e9, np.inf, -np.inf, np.nan]


def text_of(calls: dict[str, Any]) -> str:
    lines = [f"output y{k} = {call}" for k, call in enumerate(calls)]
    every = ", ".join(f"y{k}" for k in range(len(calls)))
    return "\n".join(["dim N", "input x: [N]", *lines, f"derive jvp {every} wrt x as push"])


def points(dtype: str) -> Any:
    random = np.random.default_rng(0)
    sizes = 10 ** random.uniform(-9, 9, 60) * random.choice([-1.0, 1.0], 60)
    whole = [random.uniform(-1, 1, 60), random.uniform(-9, 9, 60), sizes, HARD]
    return np.concatenate(whole).astype(dtype)


WIDTHS = [("float64", 1e-14), ("float32", 1e-6)]


@pytest.mark.parametrize(("dtype", "within"), WIDTHS)
def test_functions_have_the_digits_of_their_width(dtype: str, within: float) -> None:
    compare(FUNCTIONS, points(dtype), rtol=within, atol=within * 0.01)


@pytest.mark.parametrize(("dtype", "within"), WIDTHS)
def test_functions_that_onnx_lacks_are_written_out(dtype: str, within: float) -> None:
    near = np.linspace(-9, 9, 40).astype(dtype)
    compare(SPECIAL, near, rtol=within * 10, atol=within * 10)


def compare(calls: dict[str, Any], x: Any, **within: float) -> None:
    model = exported(text_of(calls), "forward", str(x.dtype))
    for found in ran(model, {"x": x}):
        for (call, function), one in zip(calls.items(), found, strict=True):
            with np.errstate(all="ignore"):
                exact = function(x.astype(np.float64)).astype(x.dtype)
            np.testing.assert_allclose(one, exact, err_msg=call, **within)


SLOPES = [
    (FUNCTIONS, "float64", 1e-12),
    long((FUNCTIONS, "float32", 1e-5)),
    long((SPECIAL, "float64", 1e-12)),
    long((SPECIAL, "float32", 1e-5)),
]


@pytest.mark.parametrize("case", SLOPES)
def test_slopes_are_those_of_the_module(case: tuple[dict[str, Any], str, float]) -> None:
    """Far out in the tails, and at 0, 1, infinity and nan."""
    calls, dtype, within = case
    net = graphc.compile_text(text_of(calls), "net", level=0, dtype=dtype).module()
    x = points(dtype)
    given = {"x": x, "t.x": np.ones_like(x)}
    with np.errstate(all="ignore"):
        wanted = expected(net, "push", given)
    for found in ran(exported(text_of(calls), "push", dtype), given):
        for k, (one, other) in enumerate(zip(found, wanted, strict=True)):
            call = [*calls][k % len(calls)]
            np.testing.assert_allclose(one, other, rtol=within, atol=within, err_msg=call)
