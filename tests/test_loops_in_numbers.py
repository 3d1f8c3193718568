"""Loops over states of a few numbers, in Python's own floats: values, derivatives, and the text."""

from __future__ import annotations

import ast
import re
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from graphc.compile.stages import Options, compile_text
from tests.loading import loaded

LOTKA_VOLTERRA = """
dim T
input y0: [2]
input seen: [T, 2]
param a; param b; param c; param d
block slope(y: [2], a: [], b: [], c: [], d: []) -> s: [2] {
    s = stack(a * y[0] - b * y[0] * y[1], c * y[0] * y[1] - d * y[1])
}
scan step[t in T] carry y = y0 {
    k1 = slope(y, a, b, c, d)
    k2 = slope(y + 0.05 * k1, a, b, c, d)
    k3 = slope(y + 0.05 * k2, a, b, c, d)
    k4 = slope(y + 0.1 * k3, a, b, c, d)
    after = y + 0.1 / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    next y = after
    collect ys = after
}
output loss = mean((ys - seen)**2)
derive value_and_grad loss wrt params, y0 as g
derive hvp loss wrt a as H
"""
"""Runge and Kutta's method of fourth order, for hunters and hunted."""


def text_of(text: str, **options: Any) -> str:
    return compile_text(text, options=Options(level="-O2", **options)).text


def fast(text: str, **options: Any) -> ModuleType:
    return loaded(text_of(text, **options), "steps")


def loops(text: str) -> list[str]:
    """The steps of the loops in a module's functions of the graph."""
    functions = ast.parse(text[: text.index("\ndef check")])
    found = [one for one in ast.walk(functions) if isinstance(one, ast.For)]
    return [
        "\n".join(map(ast.unparse, one.body))
        for one in found
        if {"t", "T", "reversed"} & names_in(one)
    ]


def names_in(loop: ast.For) -> set[str]:
    """The variables of a loop's head."""
    names = (one for part in (loop.target, loop.iter) for one in ast.walk(part))
    return {one.id for one in names if isinstance(one, ast.Name)}


def lotka_volterra(p: dict[str, Any], y: Any, seen: np.ndarray) -> Any:
    def slope(y: Any) -> Any:
        one, other = y
        return np.array(
            [p["a"] * one - p["b"] * one * other, p["c"] * one * other - p["d"] * other]
        )

    total = 0.0
    for row in seen:
        k1 = slope(y)
        k2 = slope(y + 0.05 * k1)
        k3 = slope(y + 0.05 * k2)
        k4 = slope(y + 0.1 * k3)
        y = y + 0.1 / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        total = total + ((y - row) ** 2).sum()
    return total / seen.size


P = {"a": 1.1, "b": 0.4, "c": 0.1, "d": 0.4}
Y0 = np.array([10.0, 5.0])
SEEN = np.random.default_rng(3).random((20, 2))


def complex_step(name: str, p: dict[str, Any] = P) -> float:
    moved = {**p, name: p[name] + 1e-30j}
    return float(np.imag(lotka_volterra(moved, Y0.astype(complex), SEEN)) / 1e-30)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_a_rate_law(dtype: str, tolerance: float) -> None:
    """Value and gradient are those of the formulas by complex step, in both precisions."""
    net = fast(LOTKA_VOLTERRA, dtype=dtype)
    value, gradients = net.g(P, Y0, SEEN)
    np.testing.assert_allclose(value, lotka_volterra(P, Y0, SEEN), rtol=tolerance)
    for name in P:
        np.testing.assert_allclose(gradients[name], complex_step(name), rtol=tolerance)
    for place in range(2):
        moved = Y0 + 1e-30j * np.eye(2)[place]
        expected = np.imag(lotka_volterra(P, moved, SEEN)) / 1e-30
        np.testing.assert_allclose(gradients["y0"][place], expected, rtol=tolerance)
    assert value.dtype == gradients["a"].dtype == gradients["y0"].dtype == np.dtype(dtype)
    outputs, cache = net.forward(P, Y0, SEEN)
    assert type(outputs.loss) is np.dtype(dtype).type
    np.testing.assert_allclose(net.backward(cache)["b"], gradients["b"], rtol=tolerance)


def test_a_second_derivative_of_it() -> None:
    step = 1e-5
    up, down = (complex_step("a", {**P, "a": P["a"] + sign * step}) for sign in (1, -1))
    _, found = fast(LOTKA_VOLTERRA).H(P, Y0, SEEN, tangents={"a": 1.0})
    np.testing.assert_allclose(found["a"], (up - down) / (2 * step), rtol=1e-7)


def test_a_step_calls_nothing() -> None:
    """Neither NumPy nor, here, `math`: what it computes with are Python's own numbers."""
    text = text_of(LOTKA_VOLTERRA)
    assert len(loops(text)) == 8
    for body in loops(text):
        assert "np." not in body, body
    assert "seen" not in "".join(loops(text))  # what needs no step is computed of all at once


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_math_refuses() -> None:
    """1 / 0, an overflow, a logarithm of 0: NumPy's values, and its steps go on."""
    net = fast(
        "dim T\ninput u: [T]\n"
        "scan s[t in T] carry x = 1.0, y = 1.0 {\n"
        "    next x = 1.0 / u[t] + 0 * x\n    next y = exp(u[t] * y) + log(u[t] * y)\n"
        "    collect xs = x\n    collect ys = y\n}\n"
        "output xs\noutput ys\n"
    )
    found, _ = net.forward(np.array([2.0, 0.0, 800.0, 1.0]))
    with np.errstate(all="ignore"):
        xs, ys, x, y = [], [], np.float64(1), np.float64(1)
        for u in np.array([2.0, 0.0, 800.0, 1.0]):
            xs, ys = [*xs, x], [*ys, y]
            x, y = 1.0 / u + 0 * x, np.exp(u * y) + np.log(u * y)
    np.testing.assert_array_equal(found.xs, xs)
    np.testing.assert_allclose(found.ys, ys, rtol=1e-15)


U = np.array([0.4, -1.3, 0.8, 0.5, -0.2])
KIND = np.array([1, 0, 2, 1, 3])
Q = np.array([0.9, 0.1, -0.3, 0.2])
RATES = np.random.default_rng(4).normal(size=(5, 3))


def switched(w: Any, u: np.ndarray) -> Any:
    x, up = w, True
    for t, one in enumerate(u):
        after = x * w if up and t > 0 else x + one
        x, up = after, np.real(after) > 0
    return x


def by_kind(w: Any, u: np.ndarray, kind: np.ndarray) -> Any:
    x = w
    for one, which in zip(u, kind, strict=True):
        x = x * w if which == 1 else x if which > 1 else one + 0 * w
    return x


def until(w: Any) -> Any:
    x = 0.1 + 0 * w
    for _ in range(50):
        x = np.tanh(w * x + 0.3)
        if np.real(x) > 0.5:
            break
    return x * x


def members(w: Any) -> Any:
    h = np.array([0.3, -0.4]) + 0 * w
    for i in range(1, 5):
        h = np.tanh((np.eye(2) * w + 0.1 * i) @ h) * (1 + i)
    return h.sum()


def inside(w: Any, u: np.ndarray, start: np.ndarray) -> Any:
    total, m = 0.0, start + 0 * w
    for one in u:
        g = one + 0 * w
        for _ in range(4):
            g = np.sin(g * w) + 0.1
        m = m * g
        total = total + m.sum()
    return total


def turned(w: Any, rates: np.ndarray) -> Any:
    q = Q * w
    for x, y, z in rates:
        a, b, c, d = q
        rate = [
            -b * x - c * y - d * z,
            a * x + c * z - d * y,
            a * y - b * z + d * x,
            a * z + b * y - c * x,
        ]
        q = q + 0.05 * w * np.array(rate)
        q = q / np.sqrt((q * q).sum()) * w
    return q[0] - q[2]


def by_newton(w: Any) -> Any:
    x = np.array([1.0, 1.5]) + 0 * w
    for _ in range(5):
        x = x - (x**3 - w * x - 2) / (3 * x**2 - w)
    return x[0] + x[1] ** 2


def cubed(w: Any, u: np.ndarray) -> Any:
    x = np.array([w, 1 - w])
    for one in u:
        x = 0.3 * np.sin(x**3) + 0.5 * w * one
    return x.sum()


STATES: dict[str, tuple[str, tuple[Any, ...], Any]] = {
    "truth values, and the index": (
        "dim T\ninput u: [T]\nparam w\n"
        "scan s[t in T] carry x = w, up = true {\n"
        "    n = where(up and t > 0, x * w, x + u[t])\n    next x = n\n    next up = n > 0\n}\n"
        "output y = x\n",
        (U,),
        switched,
    ),
    "integers of an input": (
        "dim T\ninput u: [T]\ninput kind: int[T]\nparam w\n"
        "scan s[t in T] carry x = w {\n"
        "    next x = where(kind[t] == 1, x * w, where(kind[t] > 1, x, u[t]))\n}\noutput y = x\n",
        (U, KIND),
        by_kind,
    ),
    "as many steps as it takes": (
        "param w\n"
        "scan s[t in 50] carry x = 0.1 { n = tanh(w * x + 0.3); next x = n; until n > 0.5 }\n"
        "output y = x * x\n",
        (),
        until,
    ),
    "a loop in a step": (
        "dim T\ninput u: [T]\ninput start: [3]\nparam w\n"
        "scan s[t in T] carry m = start, total = 0.0 {\n"
        "    scan r[k in 4] carry g = u[t] { next g = sin(g * w) + 0.1 }\n"
        "    after = m * g\n    next m = after\n    next total = total + sum(after)\n}\n"
        "output y = total\n",
        (U, U[:3]),
        inside,
    ),
    "a gradient in a step, and names that components have": (
        "param w\n"
        "scan s[t in 5] carry x = [1.0, 1.5] {\n"
        "    f = sum(x**3 * x / 4 - w * x**2 / 2 - 2 * x)\n    x_0 = grad(f, x)\n"
        "    next x = x - x_0 / (3 * x**2 - w)\n}\n"
        "x_1 = x[1]\noutput y = x[0] + x_1**2\n",
        (),
        by_newton,
    ),
    "a rule in a step": (
        "dim T\ninput u: [T]\nparam w\n"
        "block cube(a: [2]) -> b: [2] { b = a * a * a; rule vjp a = 3 * a**2 * cotangent(b) }\n"
        "scan s[t in T] carry x = stack(w, 1 - w) {\n"
        "    next x = 0.3 * sin(cube(x)) + 0.5 * w * u[t]\n}\n"
        "output y = sum(x)\n",
        (U,),
        cubed,
    ),
    "quaternions": (
        "dim T\ninput rates: [T, 3]\nparam w\n"
        "scan s[t in T] carry q = w * [0.9, 0.1, -0.3, 0.2] {\n"
        "    r = rates[t]\n"
        "    n = q + 0.05 * w * stack(-q[1] * r[0] - q[2] * r[1] - q[3] * r[2],\n"
        "        q[0] * r[0] + q[2] * r[2] - q[3] * r[1],\n"
        "        q[0] * r[1] - q[1] * r[2] + q[3] * r[0],\n"
        "        q[0] * r[2] + q[1] * r[1] - q[2] * r[0])\n"
        "    next q = n / norm(n) * w\n}\n"
        "output y = q[0] - q[2]\n",
        (RATES,),
        turned,
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_states(name: str) -> None:
    """Values and derivatives of first and second order are those of the steps in NumPy."""
    text, given, steps = STATES[name]
    text += "derive value_and_grad y wrt w as g\nderive hessian y wrt w as H\n"
    assert any(not re.search(r"(?<!else )np\.", body) for body in loops(text_of(text))), (
        "none is in numbers"
    )
    net = fast(text)

    def slope(at: float) -> float:
        return float(np.imag(steps(at + 1e-30j, *given)) / 1e-30)

    for w in (0.7, 1.3):
        value, gradients = net.g({"w": w}, *given)
        np.testing.assert_allclose(value, steps(w, *given), rtol=1e-13)
        np.testing.assert_allclose(gradients["w"], slope(w), rtol=1e-12)
        second = (slope(w + 1e-5) - slope(w - 1e-5)) / 2e-5
        np.testing.assert_allclose(net.H({"w": w}, *given)["w"]["w"], second, rtol=1e-6)


def test_members_of_a_list() -> None:
    """A family's members come as arrays, and their elements as numbers."""
    text = (
        "input x: [2]\n"
        "repeat layer[i in 1..4] carry h = x {\n"
        "    param W: [2, 2]\n    param b\n    next h = tanh(W @ h) * b\n}\n"
        "output y = sum(h)\nderive value_and_grad y wrt params as g\n"
    )
    assert "float(" in text_of(text)
    params = {f"layer.{i}.b": 1.0 + i for i in range(1, 5)}
    w = 0.7
    params |= {f"layer.{i}.W": np.eye(2) * w + 0.1 * i for i in range(1, 5)}
    value, gradients = fast(text).g(params, np.array([0.3, -0.4]))
    np.testing.assert_allclose(value, members(w), rtol=1e-13)
    along = sum(np.trace(gradients[f"layer.{i}.W"]) for i in range(1, 5))
    np.testing.assert_allclose(along, np.imag(members(w + 1e-30j)) / 1e-30, rtol=1e-12)


def test_no_steps() -> None:
    net = fast(LOTKA_VOLTERRA.replace("loss = mean((ys - seen)**2)", "loss = sum(y**2) + sum(ys)"))
    value, gradients = net.g(P, Y0, np.empty((0, 2)))
    np.testing.assert_array_equal(value, (Y0**2).sum())
    np.testing.assert_array_equal(gradients["y0"], 2 * Y0)
    np.testing.assert_array_equal(gradients["a"], 0)


def test_large_states_stay_arrays() -> None:
    """Where a call of NumPy does more than some twenty operations, it is faster."""
    text = text_of(
        "dim T\nparam A: [8, 8]\ninput u: [T, 8]\n"
        "scan s[t in T] carry h = zeros([8]) { next h = tanh(A @ h + u[t]) }\noutput h\n"
    )
    assert "math_tanh" not in text
    assert ".data" not in text
