"""Numbers and conditions that are known when compiling, beside arrays of every dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import module
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
