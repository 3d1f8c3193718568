"""Cotangents, tangents, caches and parameters of a wrong kind are refused, whether read or not."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import module

pytestmark = pytest.mark.levels

# W and the layers are linear in `z`: no second derivative reads their tangents; nothing that has
# parameters is in `q`: no gradient by them reads its cotangent.
TEXT = """
dim B
input x: [B, 3]
param W: [3]
param V: [3]
x -> repeat layer[k in 1..3] { dense(3) } -> h
output z = sum(x @ W) + sum(tanh(V)) + sum(h)
output q: [B] = sum(x**2, axis=1)
derive hvp z wrt W, V, layer.* as bent
derive vjp z, q wrt W, V as pulled
derive jvp z, q wrt W, V, x as pushed
"""
SCALARS = """
input x
input y: [2]
output z = 3*x + y[0]**2
output q = y[1]
derive hvp z wrt x, y as bent
derive vjp z, q wrt x, y as pulled
derive jvp z wrt x, y as pushed
"""  # in Python's floats at -O2


def given(text: str) -> tuple[ModuleType, tuple[Any, ...]]:
    made = module(text)
    if text == SCALARS:
        return made, (0.5, np.array([1.0, 2.0]))
    return made, (made.init(seed=0), np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_functions_with_directions_that_nothing_reads_are_right(dtype: str) -> None:
    made = module(TEXT, dtype=dtype)
    rng = np.random.default_rng(0)
    params = {path: rng.normal(size=np.shape(one)) for path, one in made.init().items()}
    x, v = rng.normal(size=(2, 3)), rng.normal(size=3)
    tanh = np.tanh(params["V"])
    gradients, products = made.bent(params, x, tangents={"V": v, "W": np.ones(3)})
    np.testing.assert_allclose(gradients["W"], x.sum(axis=0), rtol=1e-5)
    np.testing.assert_allclose(products["V"], -2 * tanh * (1 - tanh**2) * v, rtol=1e-5)
    assert not np.any(products["W"])
    _, pulled = made.pulled(params, x, cotangents={"z": 2.0, "q": np.ones(2)})
    np.testing.assert_allclose(pulled["W"], 2 * x.sum(axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "path", "shape"),
    [
        (TEXT, "W", (2, 3)),
        (TEXT, "W", ()),
        (TEXT, "V", (4,)),
        (TEXT, "layer.2.W", (3,)),
        (TEXT, "layer.3.b", (3, 1)),
        (SCALARS, "x", (1,)),
        (SCALARS, "y", (3,)),
    ],
)
def test_a_tangent_of_a_wrong_shape_is_refused_where_nothing_reads_it(
    text: str, path: str, shape: tuple[int, ...]
) -> None:
    made, arguments = given(text)
    with pytest.raises(ValueError, match=f"^the tangent of `{path}` is float64 of shape "):
        made.bent(*arguments, tangents={path: np.ones(shape)})


@pytest.mark.parametrize("wrong", ["one", 1j, np.ones((7, 7))])
def test_what_is_no_direction_is_refused_where_nothing_reads_it(wrong: Any) -> None:
    for text, path in ((TEXT, "W"), (SCALARS, "x")):
        made, arguments = given(text)
        with pytest.raises(ValueError, match=f"^the tangent of `{path}` is "):
            made.bent(*arguments, tangents={path: wrong})
        with pytest.raises(ValueError, match=f"^the tangent of `{path}` is "):
            made.pushed(*arguments, tangents={path: wrong})
        with pytest.raises(ValueError, match=r"^the cotangent of `q` is "):
            made.pulled(*arguments, cotangents={"q": wrong})
        _, cache = made.forward(*arguments)
        with pytest.raises(ValueError, match=r"^the cotangent of `q` is "):
            made.backward(cache, z=1.0, q=wrong)


@pytest.mark.parametrize("text", [TEXT, SCALARS])
def test_backward_of_no_cache_says_what_it_wants(text: str) -> None:
    made, arguments = given(text)
    result = made.forward(*arguments)
    plain = tuple(result[1])
    for wrong in (None, 3, (), result, plain, result[0], "cache", [*plain]):
        message = "^cache: expected the Cache that `forward` of this module returns second, found "
        with pytest.raises(TypeError, match=message):
            made.backward(wrong, z=1.0)


def test_flatten_says_which_parameter_is_wrong() -> None:
    made, (params, _) = given(TEXT)
    size = 3 + 3 + 3 * (9 + 3)
    assert made.flatten({**params, "W": [1, 2, 3]}).shape == (size,)
    for wrong, kind, message in (
        ({k: v for k, v in params.items() if k != "layer.2.W"}, ValueError, "missing layer.2.W$"),
        ({**params, "U": 1.0}, ValueError, "^parameters: unknown U$"),
        ({**params, "V": np.ones((3, 1))}, ValueError, r"^parameter `V` is .*\(3, 1\), .*\[3\]$"),
        (
            {**params, "layer.1.W": np.ones((2, 3))},
            ValueError,
            "`layer.1.W` .*, expected",
        ),
        ({**params, "W": np.ones(3) * 1j}, ValueError, r"^parameter `W` is complex128"),
        (None, TypeError, "^parameters: expected a dict by path$"),
        ([1.0], TypeError, "^parameters: expected a dict by path$"),
    ):
        with pytest.raises(kind, match=message):
            made.flatten(wrong)


def test_flatten_takes_any_size_of_a_symbolic_axis_and_no_other_rank() -> None:
    made = module("dim T\ninput x: [T]\nparam w: [T, 2]\nparam v\noutput y = sum(x @ w) * v")
    joined = made.flatten({"w": np.arange(6.0).reshape(3, 2), "v": 7.0})
    assert joined.tolist() == [0, 1, 2, 3, 4, 5, 7]
    with pytest.raises(ValueError, match=r"^parameter `w` is .* \(3, 1\), expected float\[T, 2\]$"):
        made.flatten({"w": np.ones((3, 1)), "v": 7.0})
    with pytest.raises(ValueError, match=r"^parameter `v` is .* \(1,\), expected float\[\]$"):
        made.flatten({"w": np.ones((3, 2)), "v": [7.0]})
