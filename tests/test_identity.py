"""One name, one node: derivatives by what is computed elsewhere too; blocks are closed."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import module

from graphc.compile.stages import Options, compile_text
from graphc.source import GraphError
from tests.loading import loaded

pytestmark = pytest.mark.levels

SLOPE = "block slope(x: [], s: []) -> r: [] { y = 2 * s; r = y + grad(x * y, y) }"
TWICE = "block twice(x: []) -> p: [], q: [] { p = 2 * x; q = 2 * x }"
SQUARED = "block squared(x: []) -> y: [], z: [] { y = 2 * x; z = y * y }"
CURVED = "block curved(x: []) -> y: [] { y = tanh(x) }"
PARTIAL = "block partial(x: [], y: []) -> g: [] { v = x * x * y; g = grad(v, x) }"
TANH = np.tanh(3.0)

VALUES = [
    ("uses of a block without a name", f"{SLOPE}\noutput q = 0 + slope(0 + slope(1, a), a)", 13),
    ("one instance, twice", f"{SLOPE}\ninstance f = slope()\noutput q = f(f(1, a), a)", 13),
    ("uses under one name each", f"{SLOPE}\nu = slope(1, a)\noutput q = slope(u, a)", 13),
    (
        "uses with several results",
        "block slopes(x: [], s: []) -> p: [], o: [] { p = 2 * s; o = p + grad(x * p, p) }\n"
        "p, o = slopes(1, a)\nr, last = slopes(o, a)\noutput q = last",
        13,
    ),
    ("two ports given one node", f"{PARTIAL}\noutput q = partial(a, a)", 18),
    ("a port given what depends on the other", f"{PARTIAL}\noutput q = partial(a, a**2)", 54),
    ("a port given a number", f"{PARTIAL}\noutput q = partial(2, 2)", 8),
    (
        "a port that has a default",
        "block f(x: [], c: [] = 2) -> g: [] { g = grad(x * c * 2, c) }\noutput q = f(a)",
        6,
    ),
    (
        "a gradient that is passed in",
        "block f(d: fn, x: [], y: []) -> g: [] { v = x * x * y; g = d(v, x) }\n"
        "output q = f(grad, a, a)",
        18,
    ),
    (
        "blocks in blocks",
        "block within(v: [], y: []) -> g: [] { u = v * y; g = grad(u, y) }\n"
        "block around(x: []) -> g: [] { w = within(x * x, x); g = grad(w * x, x) }\n"
        "output q = around(a)",
        27,
    ),
    (
        "iterations that are written out",
        "block f(x: []) -> g: [] {\n"
        "    repeat r[k in 1..3] carry h = zeros([1]) {\n"
        "        y = 2 * x\n        z = grad(sum(h) * y, y)\n"
        "        next h = concat(h, stack(z + 1))\n    }\n    g = sum(h)\n}\noutput q = 0 + f(a)",
        7,
    ),
    ("numbers", "c = 2.0\nd = 2.0\noutput q = grad(c * d * a, c)", 6),
    ("a result by another one", f"{SQUARED}\ny, z = squared(a)\noutput q = grad(z, y)", 12),
    (
        "a carried value",
        "scan r[t in 1] carry h = a { y = h; z = h; next h = grad(y * z, y) }\noutput q = h",
        3,
    ),
    (
        "the steps of a loop",
        "scan r[t in 2] carry h = a { next h = grad(h * a**2, a) }\noutput q = h",
        108,
    ),
    (
        "steps that are written out",
        "repeat r[t in 1..2] carry h = a, m = zeros([1]) {\n"
        "    next h = grad(h * a**2, a)\n    next m = concat(m, ones([1]))\n}\noutput q = h",
        108,
    ),
    (
        "steps within steps, written out",
        "repeat r[t in 1..2] carry h = a, m = zeros([1]) {\n"
        "    repeat s[j in 1..2] carry g = h, l = zeros([1]) {\n"
        "        next g = grad(g * h * a, a)\n        next l = concat(l, ones([1]))\n    }\n"
        "    next h = g\n    next m = concat(m, l)\n}\noutput q = h",
        27**3,
    ),
]


@pytest.mark.parametrize(("text", "value"), [c[1:] for c in VALUES], ids=[c[0] for c in VALUES])
def test_gradients_in_the_graph(text: str, value: float) -> None:
    made = module(f"input a\n{text}\n")
    found = made.forward(3.0)
    outputs = found if hasattr(found, "q") else found[0]
    assert float(outputs.q) == value


DERIVED = [
    ("results", f"{TWICE}\np, q = twice(a)\noutput s = p * q", "p", 6),
    (
        "a result of which the block computes another",
        f"{SQUARED}\ny, z = squared(a)\noutput s = y + z",
        "y",
        13,
    ),
    ("such a result of a chain", f"{SQUARED}\na -> squared -> y, z\noutput s = y + z", "y", 13),
    (
        "such a result of a block within",
        f"{SQUARED}\nblock f(x: []) -> u: [], v: [] {{ u, w = squared(x); v = u * w }}\n"
        "u, v = f(a)\noutput s = u + v",
        "u",
        1 + 3 * 6**2,
    ),
    (
        "a port that is a result, and what is computed of the result",
        "block f(x: []) -> y: [], z: [] { y = x; z = y * y }\ny, z = f(a)\noutput s = y + z",
        "y",
        7,
    ),
    (
        "a port that is a result, and what is computed of the port",
        "block f(x: []) -> y: [], z: [] { y = x; z = x * x }\ny, z = f(a)\noutput s = y + z",
        "y",
        1,
    ),
    (
        "a result whose derivatives the block states",
        "block f(x: []) -> y: [], z: [] {\n    y = 2 * x\n    z = y * y\n"
        "    rule vjp x = 2 * cotangent(y) + 8 * x * cotangent(z)\n}\n"
        "y, z = f(a)\noutput s = y + z",
        "y",
        1,
    ),
    (
        "a node whose derivative in the file is written by its value",
        "y = exp(a)\noutput s = grad(y, a) * y",
        "y",
        math.exp(3),
    ),
    (
        "such a node on the way to another",
        "z = exp(a)\ny = z * z\noutput s = grad(y, a) + z",
        "z",
        1 + 2 * math.exp(3),
    ),
    (
        "such a node whose derivative a block states by its value",
        "block f(x: []) -> y: [] {\n    y = exp(x)\n    rule vjp x = cotangent(y) * y\n}\n"
        "y = f(a)\noutput s = grad(y, a) * y",
        "y",
        math.exp(3),
    ),
    ("numbers", "c = 2.0\nd = 2.0\noutput s = c * d * a", "c", 6),
    ("arrays of ones", "c = ones([3])\nd = ones([3])\noutput s = sum(c * d * a)", "c", [3, 3, 3]),
    ("`as` in an expression", "output s = (tanh(a) as b) * tanh(a)", "b", TANH),
    ("`as` in a chain", "a -> tanh as b -> y\noutput s = b * y", "y", TANH),
    ("`as` of a block", f"{CURVED}\na -> curved as b -> y\noutput s = b * y", "y", TANH),
    ("what has another name", f"{CURVED}\ny = (curved(a) as b)\noutput s = b * y", "b", 2 * TANH),
    (
        "what is collected twice",
        "scan r[t in 2] carry h = 0.0 { next h = h + a; collect p = h; collect q = h }\n"
        "output s = sum(p * q)",
        "p",
        [0, 3],
    ),
    (
        "in a written-out step, and named again by its end",
        "repeat r[t in 1..2] carry h = a, m = zeros([1]) {\n"
        "    u = h + grad(h * a**2, a)\n    next h = u\n    next m = concat(m, ones([1]))\n}\n"
        "output s = h**2",
        "r.2.u",
        2 * 147.0,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "path", "gradient"), [c[1:] for c in DERIVED], ids=[c[0] for c in DERIVED]
)
def test_derivatives_by_names(text: str, path: str, gradient: Any) -> None:
    made = module(f"input a\n{text}\nderive grad s wrt {path} as by\n")
    np.testing.assert_allclose(made.by(3.0)[path], gradient, rtol=1e-14)


def test_what_the_caller_passes_is_not_seen_in_a_block() -> None:
    """A port does not depend on another, though the caller computes one from the other."""
    text = "input a\nblock f(v: [], x: []) -> g: [] { g = grad(v, x) }\noutput q = f(a**2, a)\n"
    with pytest.raises(GraphError) as wrong:
        module(text)
    assert wrong.value.diagnostics[0].code == "E406"


X = np.array([0.1, 0.2, 0.3])
EARLY: list[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = [
    ("z = 2 * x; output s = sum(z * sin(z))", lambda x: 2 * x, lambda z: np.sin(z) + z * np.cos(z)),
    ("z = x / 4; output s = sum(z / exp(z) * z)", lambda x: x / 4,
     lambda z: (2 * z - z * z) * np.exp(-z)),
    ("z = softmax(x); output s = sum(log(z) * z)", lambda x: np.exp(x) / np.exp(x).sum(),
     lambda z: 1 + np.log(z)),
    ("z = x**2; output s = sqrt(sum(z)) + sum(z**2)", lambda x: x**2,
     lambda z: 0.5 / np.sqrt(z.sum()) + 2 * z),
    ("z = exp(x); output s = sum(log(1 + z) * z)", np.exp, lambda z: np.log1p(z) + z / (1 + z)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "point", "gradient"), EARLY, ids=[c[0] for c in EARLY])
def test_forms_that_cost_less_keep_what_is_derived_by(
    text: str, point: Callable[[Any], Any], gradient: Callable[[Any], Any]
) -> None:
    """On all of its ways, also where another way still reads it."""
    made = module(f"input x: [3]\n{text}\nderive grad s wrt z\n")
    np.testing.assert_allclose(made.grad_s(X)["z"], gradient(point(X)), rtol=1e-13)


def _doubled(v: Any) -> Any:
    """The gradient of sin(v) · 2v."""
    return 2 * (np.sin(v) + v * np.cos(v))


RULED: list[tuple[str, str, Any]] = [
    ("rule vjp x = cotangent(y) * z * cos(x)", "v, 2 * v", _doubled),
    ("rule vjp z = cotangent(y) * sin(x)", "v, 2 * v", _doubled),
    ("rule vjp x = cotangent(y) * z * cos(x)", "v, v", lambda v: np.sin(v) + v * np.cos(v)),
    ("rule vjp x = 7 * cotangent(y)", "v, v", lambda v: 7 + np.sin(v)),
    ("rule vjp x = 7 * cotangent(y)\nrule vjp z = 0 * cotangent(y)", "v, v", lambda v: 7 + 0 * v),
    ("rule jvp y = tangent(x) * z * cos(x)", "v, v", lambda v: v * np.cos(v)),
    ("rule jvp y = 5 * tangent(x) + 3 * tangent(z)", "v, v", lambda v: 8 + 0 * v),
    ("rule jvp y = 5 * tangent(x) + 3 * tangent(z)", "v, 2 * v", lambda v: 11 + 0 * v),
    ("rule vjp x = 7 * cotangent(y)", "sin(v), exp(v)",
     lambda v: 7 * np.cos(v) + np.sin(np.sin(v)) * np.exp(v)),
]  # fmt: skip


def _both_modes(made: ModuleType, v: Any) -> tuple[Any, Any]:
    eye = np.eye(len(v))
    return made.grad_s(v)["v"], np.array([made.push(v, tangents={"v": e})[1].s for e in eye])


@pytest.mark.parametrize(("rule", "given", "gradient"), RULED)
def test_rules_of_ports_that_share_what_they_are_given(
    rule: str, given: str, gradient: Any
) -> None:
    """A port without a rule keeps its own derivative; a jvp rule speaks for all ports."""
    v = np.array([0.3, 0.7])
    made = module(f"""
        input v: [2]
        block f(x: [K], z: [K]) -> y: [K] {{
            y = sin(x) * z
            {rule}
        }}
        output s = sum(f({given}))
        derive grad s wrt v
        derive jvp s wrt v as push
    """)
    for found in _both_modes(made, v):
        np.testing.assert_allclose(found, gradient(v), rtol=1e-14)


CHECKED = [
    "param w\na = sin(w * x)\noutput y = grad(a, w) * w\nderive grad y wrt w, x",
    "scan s[t in 3] carry h = x { param w; e = sin(w * h); next h = h + grad(e, w) }\n"
    "output y = h\nderive grad y wrt s.w, x",
    "repeat s[t in 1..3] carry h = x { param w; e = sin(w * h); next h = h + grad(e, w) }\n"
    "output y = h\nderive grad y wrt s.*, x",
    "scan s[t in 3] carry h = x { param w; next h = sin(w * h) }\n"
    "output y = grad(h, s.w)\nderive grad y wrt s.w, x",
    "repeat s[t in 1..3] carry h = x { param w; next h = sin(w * h) }\n"
    "output y = grad(h, s.2.w)\nderive grad y wrt s.*, x",
    "block force(q: [K]) -> f: [K] { e = sum(q**3); f = -grad(e, q) }\n"
    "block step(q: [K]) -> r: [K] { r = q + force(q) / 10 }\n"
    "scan s[t in 2] carry q = x * ones([2]) { next q = step(q) }\n"
    "output y = sum(q)\nderive hessian y wrt x",
]


@pytest.mark.parametrize("text", CHECKED)
def test_gradients_of_gradients(text: str) -> None:
    """By parameters, shared and of each iteration, inside and outside of loops; by differences."""
    made = module(f"input x\n{text}\n")
    params = {path: 0.5 + n / 5 for n, path in enumerate(getattr(made, "PARAMETERS", ()))}
    errors = made.check(params, 0.7) if params else made.check(0.7)
    assert max(errors.values()) < 1e-6


KINDS = ("grad", "vjp", "jvp", "jacobian", "hvp", "hessian")
BY_A_NODE = "\n".join(f"derive {kind} s wrt y as by_{kind}" for kind in KINDS)


@pytest.mark.parametrize("mode", ["reverse", "forward", "mixed"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "stated",
    [
        "y = exp(a)",
        "block f(x: []) -> y: [] {\n    y = exp(x)\n    rule vjp x = cotangent(y) * y\n}\ny = f(a)",
    ],
    ids=["operation", "rule"],
)
def test_every_kind_moves_a_node_and_not_its_own_derivative(
    stated: str, dtype: str, mode: str, level: str
) -> None:
    """s = y' y² with y' = eᵃ held: by y it is 2 eᵃ y, and by y twice 2 eᵃ."""
    text = f"input a: []\n{stated}\noutput s = grad(y, a) * y**2\n{BY_A_NODE}"
    e, close = math.exp(0.5), 1e-12 if dtype == "float64" else 1e-5
    options = Options(level=level, dtype=dtype, mode=mode)
    made = loaded(compile_text(text, options=options).text, "moved")
    assert made.by_grad(0.5)["y"] == pytest.approx(2 * e * e, rel=close)
    assert made.by_vjp(0.5, cotangents={"s": 3.0})[1]["y"] == pytest.approx(6 * e * e, rel=close)
    assert made.by_jvp(0.5, tangents={"y": 3.0})[1].s == pytest.approx(6 * e * e, rel=close)
    assert made.by_jacobian(0.5)["s"]["y"] == pytest.approx(2 * e * e, rel=close)
    assert made.by_hvp(0.5, tangents={"y": 3.0})[1]["y"] == pytest.approx(6 * e, rel=close)
    assert made.by_hessian(0.5)["y"]["y"] == pytest.approx(2 * e, rel=close)


VALUE_IN_ITS_RULE = {
    "rule vjp": "block f(x: []) -> y: [] {\n    y = exp(x)\n    rule vjp x = cotangent(y) * y\n}\n"
    "n = f(x)",
    "rule jvp": "block f(x: []) -> y: [] {\n    y = exp(x)\n    rule jvp y = tangent(x) * y\n}\n"
    "n = f(x)",
    "operation": "n = exp(x)",
    "end of a loop": "scan l[t in 0..0] carry n = x { next n = exp(n) }",
}


@pytest.mark.parametrize("mode", ["reverse", "forward", "mixed"])
@pytest.mark.parametrize("stated", VALUE_IN_ITS_RULE)
def test_a_hessian_by_a_node_and_its_argument_is_that_of_both_moved(
    stated: str, mode: str, level: str
) -> None:
    """s = sin(eˣ + r), where r moves n: by both -sin(n) eˣ, by x twice cos(n) eˣ - sin(n) e²ˣ."""
    text = f"{VALUE_IN_ITS_RULE[stated]}\noutput s = sin(n)\n"
    text = f"input x: []\n{text}derive hessian s wrt x, n as H\nderive hvp s wrt x, n as P"
    options = Options(level=level, mode=mode)
    made = loaded(compile_text(text, options=options).text, "both")
    y = math.exp(0.7)
    by_both, by_x = -math.sin(y) * y, math.cos(y) * y - math.sin(y) * y * y
    found = made.H(0.7)
    assert found["x"]["n"] == pytest.approx(by_both, rel=1e-12)
    assert found["n"]["x"] == pytest.approx(by_both, rel=1e-12)
    assert found["x"]["x"] == pytest.approx(by_x, rel=1e-12)
    assert found["n"]["n"] == pytest.approx(-math.sin(y), rel=1e-12)
    _, products = made.P(0.7, tangents={"x": 2.0, "n": 3.0})
    assert products["x"] == pytest.approx(2 * by_x + 3 * by_both, rel=1e-12)
    assert products["n"] == pytest.approx(2 * by_both - 3 * math.sin(y), rel=1e-12)
