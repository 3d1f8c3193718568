"""What a scan with a condition collects: a row for each step, 0 for those that are not taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import module

pytestmark = pytest.mark.levels

GRAPH = """
dim T
param w: [3]
input s: [T, 3]
scan l[t in T] carry h = w {
    next h = 0.5 * h + 0.1 * s[t] * sin(h)
    collect y = cos(h) * w
    collect same = w
    collect one = 1.0
    collect k = t + 1
    until sum(h * h) < 0.3
}
output y, one, k
output z = sum(y * s) + sum(h) + sum(sin(y) * cos(same))
derive value_and_grad z wrt w, s as slopes
derive hessian z wrt w as H
derive jacobian y wrt w as J
derive jvp z, y wrt w as pushed
"""
STEP = 1e-6


def run(w: Any, s: Any) -> tuple[Any, Any, Any, Any]:
    """y, one, k and z, step by step."""
    count, h = len(s), w
    y, same, one, k = np.zeros((count, 3)), np.zeros((count, 3)), np.zeros(count), np.zeros(count)
    for t in range(count):
        y[t], same[t], one[t], k[t] = np.cos(h) * w, w, 1, t + 1
        done = np.sum(h * h) < 0.3
        h = 0.5 * h + 0.1 * s[t] * np.sin(h)
        if done:
            break
    return y, one, k, np.sum(y * s) + np.sum(h) + np.sum(np.sin(y) * np.cos(same))


def differences(f: Any, x: np.ndarray) -> np.ndarray:
    """The derivative of f by x, whose axes come last."""
    rows = []
    for place in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[place] = STEP
        rows.append((np.asarray(f(x + moved)) - np.asarray(f(x - moved))) / (2 * STEP))
    return np.moveaxis(np.array(rows), 0, -1).reshape(*np.shape(f(x)), *x.shape)


@pytest.mark.parametrize(
    ("size", "count", "steps"), [(1.0, 8, 3), (0.1, 8, 1), (5.0, 2, 2), (1.0, 1, 1)]
)
def test_rows_after_the_last_step_are_0(size: float, count: int, steps: int) -> None:
    made = module(GRAPH)
    rng = np.random.default_rng(3)
    w, s = size * np.array([0.9, -0.4, 0.6]), rng.normal(size=(count, 3))
    params = {"w": w}
    out, cache = made.forward(params, s)
    y, one, k, z = run(w, s)
    assert out.one.sum() == steps
    for found, expected in zip((out.y, out.one, out.k, out.z), (y, one, k, z), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-14)
    by_w = differences(lambda w: run(w, s)[3], w)
    by_s = differences(lambda s: run(w, s)[3], s)
    _, slopes = made.slopes(params, s)
    np.testing.assert_allclose(slopes["w"], by_w, atol=1e-8)
    np.testing.assert_allclose(slopes["s"], by_s, atol=1e-8)
    np.testing.assert_array_equal(slopes["s"][steps:], 0)
    np.testing.assert_allclose(made.backward(cache, z=1.0)["w"], by_w, atol=1e-8)
    rows = differences(lambda w: run(w, s)[0], w)
    np.testing.assert_allclose(made.J(params, s)["y"]["w"], rows, atol=1e-8)
    bends = differences(lambda w: made.slopes({"w": w}, s)[1]["w"], w)
    np.testing.assert_allclose(made.H(params, s)["w"]["w"], bends, atol=1e-7)
    _, moved = made.pushed(params, s, tangents={"w": np.ones(3)})
    np.testing.assert_allclose(moved.y, rows.sum(axis=-1), atol=1e-8)
    np.testing.assert_allclose(moved.z, by_w.sum(), atol=1e-8)
    given = {path: np.full(slope.shape, np.nan) for path, slope in slopes.items()}
    made.slopes(params, s, out=given)
    for path, slope in slopes.items():
        np.testing.assert_array_equal(given[path], slope)


def test_of_no_steps_nothing_is_collected() -> None:
    made = module(GRAPH)
    out, cache = made.forward({"w": np.ones(3)}, np.zeros((0, 3)))
    assert out.y.shape == (0, 3)
    np.testing.assert_array_equal(made.backward(cache, z=1.0)["w"], np.ones(3))


def test_steps_of_a_loop_end_each_by_its_own_condition() -> None:
    """What an inner loop collects is collected by the outer one: a row of rows."""
    made = module(
        """
        input a: [3]
        scan outer[i in 3] {
            scan newton[t in 5] carry y = a[i] {
                next y = 0.5 * (y + a[i] / y)
                collect ys = y * y
                until abs(y * y - a[i]) < 1e-2
            }
            collect every = ys
        }
        output every
        derive jacobian every wrt a as J
        """
    )

    def expected(a: Any) -> Any:
        found = np.zeros((3, 5))
        for i in range(3):
            y = a[i]
            for t in range(5):
                found[i, t] = y * y
                if abs(y * y - a[i]) < 1e-2:
                    break
                y = 0.5 * (y + a[i] / y)
        return found

    a = np.array([1.0, 3.0, 30.0])
    out, _ = made.forward(a)
    np.testing.assert_allclose(out.every, expected(a), rtol=1e-14)
    assert [int(np.count_nonzero(row)) for row in out.every] == [1, 4, 5]
    np.testing.assert_allclose(made.J(a)["every"]["a"], differences(expected, a), atol=1e-6)
