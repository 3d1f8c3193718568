"""`per B` of what has the axis twice: the axis that one to one becomes that of the result, or none.

Expected values are derivatives written out by hand.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from conftest import module

from graphc.compile.stages import compile_text
from graphc.source import GraphError

pytestmark = pytest.mark.levels
X = np.random.default_rng(0).normal(size=(4, 4))
H = np.random.default_rng(1).normal(size=4)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("y", "rows"),
    [
        ("sum(x**2, axis=1)", 2 * X),  # row p of the Jacobian by row p
        ("sum(x**2, axis=0)", 2 * X.T),  # by column p
        ("sum(x.T**2, axis=0)", 2 * X),
        ("sum(x**2 * h[_, :], axis=1)", 2 * X * H),
        ("(x**2)[0]", np.outer(2 * X[0], np.eye(4)[0])),
        ("(x**2)[:, 1]", np.outer(2 * X[:, 1], np.eye(4)[1])),
    ],
)
def test_a_jacobian_by_a_square_is_by_the_axis_that_becomes_its_own(
    y: str, rows: np.ndarray, dtype: str
) -> None:
    text = f"dim B\ninput x: [B, B]\ninput h: [B]\noutput y = {y} + 0 * h\n"
    made = module(text + "derive jacobian y wrt x per B as J", dtype=dtype)
    found = made.J(X, H)["y"]
    np.testing.assert_allclose(found["x"], rows, rtol=1e-5, atol=1e-6)
    whole = module(text + "derive jacobian_matrix y wrt x per B as J", dtype=dtype)
    np.testing.assert_allclose(whole.J(X, H)[:, 0], rows, rtol=1e-5, atol=1e-6)


CASES: list[tuple[str, Callable[[np.ndarray], np.ndarray], np.ndarray]] = [
    ("sum(sum(x**2, axis=1)**2)", lambda x: np.sum(x**2, axis=1) ** 2,
     4 * X * np.sum(X**2, axis=1)[:, None]),
    ("sum(sum(x**2, axis=0)**2)", lambda x: np.sum(x**2, axis=0) ** 2,
     4 * X.T * np.sum(X**2, axis=0)[:, None]),
    ("sum(x**2 * h[:, _])", lambda x: np.sum(x**2, axis=1) * H, 2 * X * H[:, None]),
    ("sum(x**2 * h[_, :])", lambda x: np.sum(x**2, axis=0) * H, 2 * X.T * H[:, None]),
    ("sum((x**2).T * h[_, :])", lambda x: np.sum(x**2, axis=1) * H, 2 * X * H[:, None]),
]  # fmt: skip


@pytest.mark.parametrize(("s", "value", "rows"), CASES)
def test_a_gradient_by_a_square_goes_by_the_axis_that_the_sum_keeps(
    s: str, value: Callable[[np.ndarray], np.ndarray], rows: np.ndarray
) -> None:
    text = f"dim B\ninput x: [B, B]\ninput h: [B]\noutput s = {s}\n"
    made = module(text + "derive value_and_grad s wrt x per B as g\nderive hvp s wrt x per B as p")
    found, gradients = made.g(X, H)
    np.testing.assert_allclose(found, value(X))
    np.testing.assert_allclose(gradients["x"], rows)
    gradients, products = made.p(X, H, tangents={"x": H[:, None] * X})
    np.testing.assert_allclose(gradients["x"], rows)
    step = 1e-5 * H[:, None] * X
    ahead, behind = (module(text + "derive grad s wrt x per B as g").g(X + d, H)["x"]
                     for d in (step, -step))  # fmt: skip
    np.testing.assert_allclose(products["x"], (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-7)


MIXED = {
    "softmax over the axis that is met": ("sum(softmax(w * x, axis=0) * h[:, _])", "w"),
    "softmax of what moves": ("sum(sum(softmax(x, axis=0), axis=1)**2)", "x"),
    "turned around": ("sum(x * h[_, :] * x.T)", "x"),
}


@pytest.mark.parametrize("name", MIXED)
def test_what_mixes_the_axis_that_is_meant_is_refused(name: str) -> None:
    s, by = MIXED[name]
    text = f"dim B\nparam w\ninput x: [B, B]\ninput h: [B]\noutput s = {s} + 0 * w\n"
    with pytest.raises(GraphError, match=r"mixes its positions"):
        compile_text(f"{text}derive grad s wrt {by} per B as g")


DOUBTFUL = {
    "a square input": ("input x: [B, B]", "sum(w * x)", "w"),
    "the square moves": ("input x: [B, B]", "sum(w * x**2)", "x"),
    "a product of the axis with itself": ("input x: [B, 3]", "sum((w * (x @ x.T))**2)", "w"),
    "three axes": ("input x: [B, B, 3]", "sum(w * sum(x, axis=2))", "w"),
    "flattened": ("input x: [B, B]", "sum(reshape(w * x, [B*B])**2)", "w"),
    "in a loop": (
        "input x: [B, B]\nscan l[t in 0..2] carry h = 0.0 { next h = h + sum(x * w) }", "h", "w"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DOUBTFUL)
@pytest.mark.parametrize("kind", ["grad", "hvp", "hessian", "value_and_grad"])
def test_what_nothing_decides_is_refused(name: str, kind: str) -> None:
    declared, s, by = DOUBTFUL[name]
    text = f"dim B\nparam w\n{declared}\noutput s = {s}\nderive {kind} s wrt {by} per B as g"
    with pytest.raises(GraphError, match=r"has 2 axes B, and nothing says which of them is meant"):
        compile_text(text)


def test_data_that_are_square_decide_nothing_where_another_says_it() -> None:
    """A row for each position of h, whichever axis of x it meets."""
    for meets, rows in (("h[:, _]", X.sum(axis=1)), ("h[_, :]", X.sum(axis=0))):
        text = f"dim B\ninput x: [B, B]\ninput h: [B]\noutput s = sum(x * {meets})\n"
        found = module(text + "derive grad s wrt h per B as g").g(X, H)
        np.testing.assert_allclose(found["h"], rows)
    text = "dim B\ninput x: [B, B]\ninput h: [B]\nparam w\noutput s = sum(w * x * h[_, :])\n"
    found = module(text + "derive grad s wrt w per B as g").g({"w": 2.0}, X, H)
    np.testing.assert_allclose(found["w"], X.sum(axis=0) * H)


def test_an_operation_along_one_axis_leaves_the_other() -> None:
    """softmax'(w x) = p (x - Σ p x), in each row apart."""
    for axis in (0, 1):
        text = f"dim B\nparam w\ninput x: [B, B]\noutput s = sum(softmax(w * x, axis={axis})**2)\n"
        found = module(text + "derive grad s wrt w per B as g").g({"w": 0.5}, X)["w"]
        p = np.exp(0.5 * X) / np.sum(np.exp(0.5 * X), axis=axis, keepdims=True)
        slope = 2 * p**2 * (X - np.sum(p * X, axis=axis, keepdims=True))
        np.testing.assert_allclose(found, np.sum(slope, axis=axis))
