"""Axes by the dims that label them, where two dims of a block are of one size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import module

from graphc.source import GraphError

pytestmark = pytest.mark.levels

A = np.array([[1.0, 2.0], [3.0, 5.0]])
CUBE = np.arange(8.0).reshape(2, 2, 2)
SQUARE = "input x: [2, 2]\n"
ANY = "dim N\ninput x: [N, N]\n"


def _softmax(x: Any) -> Any:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


BLOCKS = [
    (SQUARE, "x: [K, M]) -> y: [K] { y = sum(x, axis=M) }", "f(x)", A, A.sum(1)),
    (SQUARE, "x: [K, M]) -> y: [M] { y = sum(x, axis=K) }", "f(x)", A, A.sum(0)),
    (ANY, "x: [K, M]) -> y: [M] { y = sum(2 * tanh(x), axis=K) }", "f(x)", A,
     2 * np.tanh(A).sum(0)),
    (ANY, "x: [K, M]) -> y: [M] { z = x.T; y = sum(z, axis=K) }", "f(x)", A, A.sum(0)),
    (ANY, "q: [T, D], k: [S, D]) -> y: [T, S] { y = softmax(q @ k.T, axis=S) }", "f(x, x)", A,
     _softmax(A @ A.T)),
    (SQUARE, "x: [K, M]) -> y: [] { y = sum(x**2, axis=[M, K]) }", "f(x)", A, (A**2).sum()),
    ("input x: [2, 2, 2]\n", "x: [..., K, M]) -> y: [..., M] { y = sum(x, axis=K) }", "f(x)",
     CUBE, CUBE.sum(1)),
    (SQUARE, "x: [K, M]) -> y: [K] { z: [M, K] = x.T @ x @ x.T; y = sum(z, axis=M) }", "f(x)", A,
     (A.T @ A @ A.T).sum(0)),
    (SQUARE, "x: [K, M]) -> y: [K, M] { scan s[t in 2] carry h = x {\n"
     "    next h = h / sum(h, axis=M, keepdims=true)\n}\n y = h }", "f(x)", A,
     A / A.sum(1, keepdims=True)),
    ("dim N, M\nrequire N == M\ninput x: [N, M]\n", "x: [K]) -> y: [K] { y = x }",
     "f(sum(x, axis=M))", A, A.sum(1)),
]  # fmt: skip


@pytest.mark.parametrize(("head", "block", "call", "x", "value"), BLOCKS)
def test_a_blocks_dims_are_its_own(head: str, block: str, call: str, x: Any, value: Any) -> None:
    made = module(f"{head}block f({block}\noutput y = {call}\nderive value y\n")
    np.testing.assert_allclose(made.value_y(x), value, rtol=1e-14)


def test_axes_of_a_parameter() -> None:
    made = module("""
        input x: [2, 2]
        block f(x: [K, M]) -> y: [K] { param W: [M, K]; y = sum(W * x.T, axis=M) }
        output y = f(x) as g
        derive value y
    """)
    W = np.array([[1.0, 10.0], [100.0, 1000.0]])
    np.testing.assert_allclose(made.value_y({"g.W": W}, A), (W * A.T).sum(0), rtol=1e-14)


def test_axes_of_what_a_rule_is_given() -> None:
    made = module("""
        input x: [2, 2]
        block f(x: [K, M]) -> y: [K, M] {
            y = x / sum(x, axis=M, keepdims=true)
            rule vjp x = cotangent(y) * sum(cotangent(y), axis=M, keepdims=true)
        }
        output y = f(x)
        derive vjp y wrt x as pull
    """)
    ct = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = made.pull(A, cotangents={"y": ct})[1]["x"]
    np.testing.assert_allclose(found, ct * ct.sum(1, keepdims=True), rtol=1e-14)


REFUSED = [
    ("[K] { z = x + x.T; y = sum(z, axis=M) }", "axis M (2) appears 2 times in [2, 2]"),
    ("[] { z = sum(x, axis=M); y = sum(z, axis=M) }", "[2] has no axis M (2)"),
]


@pytest.mark.parametrize(("body", "message"), REFUSED)
def test_what_no_dim_labels(body: str, message: str) -> None:
    with pytest.raises(GraphError) as wrong:
        module(f"input x: [2, 2]\nblock f(x: [K, M]) -> y: {body}\noutput y = f(x)\n")
    (diagnostic,) = wrong.value.diagnostics
    assert (diagnostic.code, diagnostic.message) == ("E305", message)
    assert "  = help: give the axis as an integer" in str(diagnostic)
