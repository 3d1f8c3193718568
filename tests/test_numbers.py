"""Numbers and conditions that are known when compiling, beside arrays of every dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from comparing import watched
from conftest import compiled, module
from sampling import DTYPES

pytestmark = pytest.mark.levels

# a graph whose `y` is derived by the vector x; the gradient at [1, 2, 3]
CONDITIONS: dict[str, tuple[str, Any]] = {
    "a constant": ("const flag = true\ninput x: [3]\noutput y = sum(where(flag, x, 5 * x))", 1),
    "its complement": (
        "const flag = true\ninput x: [3]\noutput y = sum(where(not flag, x, 5 * x))",
        5,
    ),
    "a dim": ("dim T\ninput x: [T]\noutput y = sum(where(T >= 0, x, 5 * x))", 1),
    "an index": (
        "input x: [3]\nrepeat r[k in 1..2] carry h = x { next h = where(k > 0, h, 0.5 * h) }\n"
        "output y = sum(h)",
        1,
    ),
    "an index that varies": (
        "input x: [3]\nrepeat r[k in 1..3] carry h = x { next h = where(k == 2, h, 3 * h) }\n"
        "output y = sum(h)",
        9,
    ),
    "an index's complement": (
        "input x: [3]\nrepeat r[k in 0..3] carry h = x {\n"
        "    next h = where(not (k == 2), 2 * h, h)\n}\noutput y = sum(h)",
        8,
    ),
    "conditions of an index, added": (
        "input x: [3]\nrepeat r[k in 1..3] carry h = x { next h = h * ((k > 1) + (k > 0)) }\n"
        "output y = sum(h)",
        4,
    ),
    "both and either": (
        "input x: [3]\nrepeat r[k in 1..3] carry h = x {\n"
        "    next h = where(not (k > 1 and k < 3) or k == 9, 3 * h, h)\n}\noutput y = sum(h)",
        9,
    ),
    "a quotient of indices": (
        "input x: [3]\nrepeat r[k in 1..3] carry h = x { next h = h * (k // 2) * (k % 3) }\n"
        "output y = sum(h)",
        0,
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CONDITIONS)
def test_gradient_beside_a_known_condition(name: str, dtype: str) -> None:
    text, slope = CONDITIONS[name]
    made = module(f"{text}\nderive value_and_grad y wrt x as f", dtype=dtype)
    value, gradients = made.f([1.0, 2.0, 3.0])
    assert value.dtype == gradients["x"].dtype == dtype
    np.testing.assert_array_equal(value, 6 * slope)
    np.testing.assert_array_equal(gradients["x"], np.full(3, slope))


SUMS = {
    # dy/ds = 2 s z - (x + z); its terms are of many forms
    "minus a sum": ("t = x - s\noutput y = s**2 * z + t * z + t * x", 2 * 0.7 * 1.1 - 0.3 - 1.1),
    "minus a difference": (
        "t = x - s\noutput y = s**2 * z + t * z - t * x",
        2 * 0.7 * 1.1 + 0.3 - 1.1,
    ),
    "minus a product": ("t = x - s\noutput y = s**2 * z + t * z * x", 2 * 0.7 * 1.1 - 0.3 * 1.1),
    "minus a quotient of a sum": (
        "t = x - s\noutput y = s**2 * z + t * (z + x) / z",
        2 * 0.7 * 1.1 - 1.4 / 1.1,
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SUMS)
def test_a_term_that_is_minus_a_sum(name: str, dtype: str) -> None:
    text, slope = SUMS[name]
    made = module(f"input x, s, z\n{text}\nderive grad y wrt s as g", dtype=dtype)
    np.testing.assert_allclose(made.g(0.3, 0.7, 1.1)["s"], slope, rtol=1e-6)


# ---- dtypes ----------------------------------------------------------------------------------

# an expression in x: [3], and numbers or arrays that are known when compiling
KNOWN = [
    "bce_logits(0.5, x)",
    "bce_logits(x, 0.5)",
    "bce_logits([0.5, 1, 0], x)",
    "x + bce_logits(0.25, 1)",
    "x + clip(0.3, 0, 1)",
    "x * hardsigmoid(4)",
    "clip(0.4, x, 9)",
    "clip(T, x, x)",
    "xlogy(0.5, x)",
    "xlog1py(x, 0.5)",
    "logaddexp(x, 0.5)",
    "hypot(0.5, x)",
    "atan2(x, T)",
    "x / T",
    "sqrt(T) * x",
    "T ** x",
    "x ** T",
    "maximum(x, T)",
    "where(x > 0, 0.5, x)",
    "where(x > 0, 0.5, T) + x",
    "x * (T >= 0)",
    "heaviside(x, 0.5) + x",
    "x * log([1.5, 2, 3])",
    "x + mean([1, 2, 4])",
    "x * norm([3, 4])",
    "x * [1, 2, 3]",
    "x % T",
    "x * mod(7, T)",
    "x * erf(0.5) + lgamma(2.5)",
    "scatter_add(x, [0, 0], 0.5)",
    "x + pick([0.1, 0.2], 1)",
]


@pytest.mark.parametrize("call", KNOWN)
def test_float32_beside_what_is_known(call: str) -> None:
    """Nothing is computed in another dtype, forward or backward, and the values are right."""
    text = f"dim T\ninput x: [3]\ninput w: [T]\noutput y = {call} + 0 * sum(w)"
    made, wrong = watched(compiled(text, dtype="float32").text, "beside_numbers", "float32")
    x = np.array([0.3, -0.7, 1.2], np.float32)
    double = module(f"{text}\nderive vjp y wrt x as back")
    with np.errstate(all="ignore"):
        expected, pulled = double.back(x, x, cotangents={"y": np.ones(3)})
        out, cache = made.forward(x, x)
        gradient = made.backward(cache, y=np.ones(3, np.float32))["x"]
    assert not wrong
    assert out.y.dtype == gradient.dtype == np.float32
    np.testing.assert_allclose(out.y, expected.y, rtol=1e-4, equal_nan=True)
    np.testing.assert_allclose(gradient, pulled["x"], rtol=1e-4, equal_nan=True)


# an expression in x of each kind, i: int[4] and j: int[4, 2]; its reference; what a bool becomes
CHOSEN: list[tuple[str, Any, str]] = [
    ("pick(x, i)", lambda x, i, j: x[np.arange(4), i], "bool"),
    ("pick(x[0], i[0])", lambda x, i, j: x[0, i[0]], "bool"),
    ("pick(x[0], 2)", lambda x, i, j: x[0, 2], "bool"),
    ("take(x, i, axis=1)", lambda x, i, j: x[:, i], "bool"),
    ("take(x[0], 2)", lambda x, i, j: x[0, 2], "bool"),
    ("take_along_axis(x, j)", lambda x, i, j: np.take_along_axis(x, j, 1), "bool"),
    ("x[i]", lambda x, i, j: x[i], "bool"),
    ("sort(x)", lambda x, i, j: np.sort(x), "bool"),
    ("scatter_add(x, i, x)", lambda x, i, j: _added(x, i), "int64"),
    ("segment_sum(x, i, 4)", lambda x, i, j: _added(x, i) - _count(x), "int64"),
    ("cumsum(x, axis=0)", lambda x, i, j: np.cumsum(x, 0), "int64"),
    ("sum(x)", lambda x, i, j: np.sum(x), "int64"),
]


def _count(x: np.ndarray) -> np.ndarray:
    return x.astype(np.int64) if x.dtype.kind == "b" else x


def _added(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    total = _count(x).copy()
    np.add.at(total, rows, _count(x))
    return total


@pytest.mark.parametrize("kind", ["", "int", "bool"])
@pytest.mark.parametrize("call", CHOSEN, ids=lambda call: call[0])
def test_what_is_chosen_keeps_its_dtype(call: tuple[str, Any, str], kind: str) -> None:
    text, reference, of_bool = call
    made = module(f"input x: {kind}[4, 3]\ninput i: int[4]\ninput j: int[4, 2]\noutput y = {text}")
    x = np.arange(12).reshape(4, 3) % 5
    x = x % 2 == 0 if kind == "bool" else x.astype(float if kind == "" else np.int64)
    i, j = np.array([0, 2, 2, 1]), np.array([[0, 1], [2, 2], [1, 0], [0, 0]])
    result = made.forward(x, i, j)
    found = (result if hasattr(result, "y") else result[0]).y
    assert found.dtype == {"": "float64", "int": "int64", "bool": of_bool}[kind]
    np.testing.assert_array_equal(found, reference(x, i, j))


@pytest.mark.parametrize("size", [3, 4])
def test_a_median_is_a_float_whatever_the_size(size: int) -> None:
    made = module("dim N\ninput x: int[N]\noutput y = median(x)")
    x = np.arange(size) ** 2
    found = made.forward(x).y
    assert found.dtype == np.float64
    assert found == np.median(x)
