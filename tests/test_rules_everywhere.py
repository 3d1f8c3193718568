"""Rules that say what is true give what the graph without them gives, in every kind and place."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
from conftest import in_turn, module

from graphc.source import GraphError

pytestmark = pytest.mark.levels

INNER = """block g(a: [...], b: [...]) -> y: [...] { y = a * b; rule vjp a = cotangent(y) * b }
block k(a: [...], b: [...]) -> y: [...] { y = a * b; rule jvp y = tangent(a) * b + a * tangent(b) }
"""
BOTH = "tangent(x) * z * cos(x) + tangent(z) * sin(x)"
RULES = {
    "one port": "rule vjp x = cotangent(y) * z * cos(x)",
    "the other port": "rule vjp z = cotangent(y) * sin(x)",
    "forward": f"rule jvp y = {BOTH}",
    "one port and forward": f"rule vjp x = cotangent(y) * z * cos(x)\n    rule jvp y = {BOTH}",
    "by a block with a rule": "rule vjp x = g(cotangent(y), z) * cos(x)",
    "by a block with a forward rule": "rule vjp z = k(sin(x), cotangent(y))",
}
PLACES = {
    "one in the other": "y = f(f(x, w), f(w, x))",
    "ports that share": "h = x**2 * w; y = f(h, x + h) * f(w, w)",
    "a scan": "scan s[t in 3] carry h = x { next h = f(h, w + h) }\ny = h + w",
    "a scan in which a port stays": "scan s[t in 3] carry h = x { next h = f(h, w) }\ny = h + w",
    "a scan of ports that stay": "scan s[t in 3] carry h = x { next h = h * f(w, x) }\ny = h + w",
    "a repeat": "repeat s[t in 1..2] carry h = x { param p: [2]; next h = f(h + p, p * h) }\n"
    "y = h + w",
    "a gradient": "q = sum(f(x, w)**2); y = grad(q, x) * w",
    "a gradient in a loop": "scan s[t in 2] carry h = x {\n"
    "    e = sum(f(h, w * h)); next h = grad(e, h) / 2 + x / 10\n}\ny = h + w",
    "a block": "block b(u: [...], v: [...]) -> y: [...] { y = f(u, v) * v; rule vjp u = "
    "cotangent(y) * v**2 * cos(u) }\ny = b(x, w)",
}
KINDS = """
output y
output e = sum(y**3)
derive grad e wrt x, w as grads
derive vjp y wrt x, w as pull
derive jvp y wrt x, w as push
derive jacobian_matrix y wrt x, w as J
derive hvp e wrt x, w as bend
derive hessian_matrix e wrt x, w as H
"""


def _found(place: str, rule: str) -> dict[str, Any]:
    block = f"block f(x: [...], z: [...]) -> y: [...] {{\n    y = sin(x) * z\n    {rule}\n}}\n"
    made = module(f"input x: [2]\nparam w: [2]\n{INNER}{block}{PLACES[place]}\n{KINDS}")
    rng = np.random.default_rng(0)
    params = {path: rng.normal(size=2) for path in made.PARAMETERS}
    x, (u, v, c) = rng.normal(size=2), rng.normal(size=(3, 2))
    bend = made.bend(params, x, tangents={"x": u, "w": v})[1]
    return {
        "grads": np.concatenate(list(made.grads(params, x).values())),
        "pulled": np.concatenate(list(made.pull(params, x, cotangents={"y": c})[1].values())),
        "pushed": made.push(params, x, tangents={"x": u, "w": v})[1].y,
        "J": made.J(params, x),
        "bend": np.concatenate([bend["x"], bend["w"]]),
        "H": made.H(params, x),
    }


SHORT = ("one port", "forward", "by a block with a rule")


@in_turn("place", [*PLACES])
def test_true_rules_change_nothing(place: str) -> None:
    _change_nothing(place, SHORT)


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
def test_other_true_rules_change_nothing(place: str) -> None:
    _change_nothing(place, [name for name in RULES if name not in SHORT])


def _change_nothing(place: str, names: Collection[str]) -> None:
    expected = _found(place, "")
    for name, rule in ((name, RULES[name]) for name in names):
        for kind, value in _found(place, rule).items():
            np.testing.assert_allclose(
                value, expected[kind], rtol=1e-9, atol=1e-11, err_msg=f"{kind}, {name}"
            )


def test_mixed_second_derivatives_through_a_block_with_a_rule_of_its_own() -> None:
    """d²/dz dx of z · sin x, where sin x is another block's: cos x, and no 0."""
    made = module("""
        input x, z
        block s(a: []) -> y: [] { y = sin(a); rule vjp a = cotangent(y) * cos(a) }
        block f(x: [], z: []) -> y: [] { y = s(x) * z; rule vjp x = cotangent(y) * z * cos(x) }
        output y = f(x, z)
        derive hessian_matrix y wrt x, z as H
    """)
    expected = [[-2 * np.sin(0.5), np.cos(0.5)], [np.cos(0.5), 0]]
    np.testing.assert_allclose(made.H(0.5, 2.0), expected, atol=1e-15)


def test_a_rule_is_for_floats() -> None:
    with pytest.raises(GraphError) as wrong:
        module("""
            input x: [3]; input i: int[3]
            block f(x: [K], i: int[K]) -> y: [K] { y = x * i; rule vjp i = cotangent(y) }
            output y = f(x, i)
        """)
    (diagnostic,) = wrong.value.diagnostics
    assert diagnostic.code == "E221"
    assert diagnostic.message == "`i` is int[3]: only floats have derivatives"


@pytest.mark.parametrize(
    "body",
    ["y = x", "x -> y", "y = +x", "y = x[:]", "y = same(x)", "z = x; y = z", "y = reshape(x, [3])"],
)
def test_a_result_that_is_its_port(body: str) -> None:
    """The rule alone says the derivative: an identity adds no path beside it."""
    made = module(f"""
        input x, c: [3]
        block same(x: [...]) -> y: [...] {{ y = x }}
        block turned(x: [...]) -> y: [...] {{
            {body}
            rule surrogate x = -cotangent(y)
        }}
        output s = sum(turned(x) * c)
        derive grad s wrt x
    """)
    np.testing.assert_array_equal(made.grad_s([1, 2, 3], [4, 5, 6])["x"], [-4, -5, -6])


def test_one_of_two_results_is_its_port() -> None:
    made = module("""
        input x: [3]
        block both(x: [...]) -> y: [...], z: [...] {
            y = x
            z = x**2
            rule vjp x = cotangent(y) + 2 * x * cotangent(z)
            rule jvp y = tangent(x)
            rule jvp z = 2 * x * tangent(x)
        }
        y, z = both(x)
        output s = sum(y + z)
        derive grad s wrt x
        derive jvp s wrt x as pushed
    """)
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(made.grad_s(x)["x"], 1 + 2 * x)
    assert made.pushed(x, tangents={"x": [1.0, 0.0, 2.0]})[1].s == 3 + 2 * 7
