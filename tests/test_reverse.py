"""Reverse mode at single points of the sum over children."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from conftest import module

from graphc.ir.graph import INPUT, building, source, uses
from graphc.ir.types import Type
from graphc.ops.elementwise.elementary import sin

pytestmark = pytest.mark.levels

# ---- single points of the sum over children -------------------------------------------------


def gradients_of(text: str, **inputs: Any) -> dict[str, Any]:
    generated = module(text)
    names = [name for name in vars(generated) if name == "g"]
    assert names, "the text derives `as g`"
    return generated.g(**inputs)


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        ("x * x", 6.0),
        ("x + x", 2.0),
        ("x - x", 0.0),
        ("x / x", 0.0),
        ("x ** x", 27 * (np.log(3) + 1)),
        ("x * x * x", 27.0),
        ("maximum(x, x)", 1.0),
        ("where(x > 0, x, x)", 1.0),
        ("sum(concat(stack(x, x), stack(x)))", 3.0),
        ("stack(x, 2 * x) @ stack(x, x)", 18.0),
        ("stop(x) * x", 3.0),
        ("x % x", 0.0),
    ],
)
def test_an_operand_that_stands_twice(equation: str, expected: float) -> None:
    text = f"input x: []\noutput y = {equation}\nderive grad y wrt x as g"
    np.testing.assert_allclose(gradients_of(text, x=3.0)["x"], expected, rtol=1e-14)


def test_a_node_with_many_children() -> None:
    lines = ["input x: [3]", "h = tanh(x)"]
    lines += [f"c{k} = {k + 1} * h * h" for k in range(30)]
    lines += [f"output y = sum({' + '.join(f'c{k}' for k in range(30))})"]
    text = "\n".join([*lines, "derive grad y wrt h, x as g"])
    x = np.array([0.1, -0.2, 0.3])
    found = gradients_of(text, x=x)
    total = sum(range(1, 31))
    h = np.tanh(x)
    np.testing.assert_allclose(found["h"], 2 * total * h, rtol=1e-13)
    np.testing.assert_allclose(found["x"], 2 * total * h * (1 - h * h), rtol=1e-13)


def test_a_deep_chain() -> None:
    lines = ["input h0: [2]", *(f"h{k + 1} = sin(h{k})" for k in range(300))]
    generated = module("\n".join([*lines, "output y = sum(h300)"]))
    x = np.array([0.5, -1.0])
    _, cache = generated.forward(x)
    expected, value = np.ones(2), x
    for _ in range(300):
        expected, value = expected * np.cos(value), np.sin(value)
    np.testing.assert_allclose(generated.backward(cache)["h0"], expected, rtol=1e-11)


def test_an_output_that_is_an_input() -> None:
    generated = module("input x: [2]\ninput z: [2]\noutput y = x\noutput p = x * z\noutput q = y")
    out, cache = generated.forward([1.0, 2.0], [3.0, 4.0])
    np.testing.assert_array_equal(out.y, [1, 2])
    found = generated.backward(cache, y=[1, 10], p=[1, 1], q=[100, 100])
    np.testing.assert_array_equal(found["x"], [104, 114])
    np.testing.assert_array_equal(found["z"], [1, 2])


def test_an_output_that_is_also_intermediate() -> None:
    text = "input x: [2]\noutput h = x * x\noutput y = sum(h * h)"
    generated = module(text)
    _, cache = generated.forward([1.0, 2.0])
    np.testing.assert_array_equal(generated.backward(cache)["x"], [4, 32])
    np.testing.assert_array_equal(generated.backward(cache, h=[1, 1])["x"], [6, 36])
    np.testing.assert_array_equal(generated.backward(cache, y=0, h=[1, 1])["x"], [2, 4])


def test_an_output_without_a_path_from_an_input() -> None:
    text = "input x: [2]\ninput z: [3]\noutput y = sum(x)\noutput c = ones([2])"
    generated = module(text)
    out, cache = generated.forward([1.0, 2.0], [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(out.c, [1, 1])
    found = generated.backward(cache, c=[5, 5])
    np.testing.assert_array_equal(found["x"], [1, 1])
    np.testing.assert_array_equal(found["z"], [0, 0, 0])


def test_derivatives_by_a_node_and_its_ancestor_are_total() -> None:
    text = """
        input x: []
        a = x * x
        b = a * x
        output y = a + b
        derive value_and_grad y wrt x, a, b as g
    """
    value, found = gradients_of(text, x=2.0)
    assert value == 12
    assert found == {"x": 16.0, "a": 3.0, "b": 1.0}


def test_two_names_with_equal_definitions_are_two_nodes() -> None:
    """One name, one node: a derivative by `a` does not go through `b`, whatever they share."""
    text = """
        input x: []
        a = 2 * x
        b = 2 * x
        output y = 3 * a + 5 * b
        derive grad y wrt a, b, x as g
    """
    assert gradients_of(text, x=1.0) == {"a": 3.0, "b": 5.0, "x": 16.0}


def test_a_part_of_a_parameter_is_a_node_of_its_own() -> None:
    text = """
        param w: [3]
        a = w[0]
        output y = 2 * a + 5 * sum(w)
        derive grad y wrt a, w as g
    """
    found = gradients_of(text, params={"w": np.ones(3)})
    assert found["a"] == 2
    np.testing.assert_array_equal(found["w"], [7, 5, 5])


@pytest.mark.parametrize("name", ["a", "x"])
def test_the_gradient_by_the_output_itself(name: str) -> None:
    text = f"input x: []\na = 2 * x\noutput y = a\nderive grad y wrt {name} as g"
    assert gradients_of(text, x=1.0) == {name: {"a": 1.0, "x": 2.0}[name]}


def test_what_is_listed_twice_among_results_is_read_once() -> None:
    """A loop lists a node twice that it hands on and collects: an adjoint counts each use once."""
    with building():
        x = source(INPUT, "x", Type("float"))
        y = sin(x)
        assert uses([y, y]) == {y: [], x: [(y, 0)]}
        assert uses([y * y, y, y * y])[y] == [(y * y, 0), (y * y, 1)]


def test_a_step_that_hands_on_what_it_collects_has_its_derivative_once() -> None:
    """c = sin x, sin sin x: their sum has the slope cos x (1 + cos sin x)."""
    text = "input x: []\nscan l[t in 0..1] carry h = x { n = sin(h); next h = n; collect c = n }\n"
    made = module(text + "output s = sum(c)\nderive grad s wrt x as g")
    right = math.cos(0.7) * (1 + math.cos(math.sin(0.7)))
    assert made.g(0.7)["x"] == pytest.approx(right, rel=1e-14)
