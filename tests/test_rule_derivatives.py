"""Stated derivatives in both modes: what one direction lacks the other gives, transposed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import module
from derivative_checks import Names, by_jax, clauses, compare

from graphc.cli.app import app
from graphc.source import GraphError

pytestmark = pytest.mark.levels

VJP = """
    rule vjp x = cotangent(r) * x / r - cotangent(t) * y / r**2
    rule vjp y = cotangent(r) * y / r + cotangent(t) * x / r**2"""
JVP = """
    rule jvp r = tangent(x) * x / r + tangent(y) * y / r
    rule jvp t = (tangent(y) * x - tangent(x) * y) / r**2"""


def polar(rules: str) -> str:
    """A block of two results, its rules, and everything derived."""
    every = "\n".join(f"derive {one}" for one in clauses(["a", "b", "e"], "x, w", "e"))
    return f"""
input x: [3]
param w: [3]
block polar(x: [K], y: [K]) -> r: [K], t: [K] {{
    r = hypot(x, y)
    t = atan2(y, x)
{rules}
}}
a, b = polar(x * w, exp(w))
output a, b
output e = sum(sin(a) * b)
{every}"""


def polar_by_jax(moving: Names) -> Names:
    x, y = moving["x"] * moving["w"], jnp.exp(moving["w"])
    a, b = jnp.hypot(x, y), jnp.arctan2(y, x)
    return {"a": a, "b": b, "e": jnp.sum(jnp.sin(a) * b)}


@pytest.mark.parametrize("rules", [VJP, JVP, VJP + JVP], ids=["vjp", "jvp", "both"])
def test_rules_of_several_results(rules: str) -> None:
    """Right rules in any direction give the derivatives of all kinds, also second ones."""
    rng = np.random.default_rng(0)
    moving = {"x": rng.uniform(0.5, 1, 3), "w": rng.uniform(0.5, 1, 3)}
    made = module(polar(rules))
    given = {"params": {"w": moving["w"]}, "x": moving["x"]}
    compare(made, given, by_jax(polar_by_jax, moving, "e"), "e")
    assert max(made.check(**given).values()) < 1e-4


def test_second_derivatives_differentiate_the_rule() -> None:
    """A rule that says that the derivative of sin is x**3, in each direction, then 3x**2."""
    for rule in ("rule vjp x = cotangent(y) * x**3", "rule jvp y = tangent(x) * x**3"):
        text = f"""
            input x: [3]
            block wrong(x: [K]) -> y: [K] {{
                y = sin(x)
                {rule}
            }}
            output y = wrong(x)
            output e = sum(y)
            derive grad e wrt x
            derive jvp y wrt x
            derive jacobian y wrt x
            derive hvp e wrt x
            derive hessian e wrt x
        """
        made, x, v = module(text), np.array([0.5, -1.0, 2.0]), np.array([1.0, 10.0, 100.0])
        near = {"rtol": 1e-14, "atol": 1e-14}
        np.testing.assert_allclose(made.grad_e(x)["x"], x**3, **near)
        np.testing.assert_allclose(made.jvp_y(x, tangents={"x": v})[1].y, x**3 * v, **near)
        np.testing.assert_allclose(made.jacobian_y(x)["y"]["x"], np.diag(x**3), **near)
        np.testing.assert_allclose(made.hvp_e(x, tangents={"x": v})[1]["x"], 3 * x**2 * v, **near)
        np.testing.assert_allclose(made.hessian_e(x)["x"]["x"], np.diag(3 * x**2), **near)
        with pytest.raises(ArithmeticError, match="jvp_y"):
            made.check(x)


@pytest.mark.parametrize(
    ("rule", "missed", "noticed"),
    [
        ("rule vjp x = 2 * cotangent(y) * cos(x)\nrule jvp y = tangent(x) * cos(x)",
         ["pushed"], ["backward", "pulled"]),
        ("rule vjp x = cotangent(y) * cos(x)\nrule jvp y = 2 * tangent(x) * cos(x)",
         ["backward", "pulled"], ["pushed"]),
        ("rule jvp y = 2 * tangent(x) * cos(x)", [], ["backward", "pulled", "pushed"]),
    ],
)  # fmt: skip
def test_check_notices_a_wrong_rule(rule: str, missed: list[str], noticed: list[str]) -> None:
    text = f"""
input x: [3]
block wave(x: [K]) -> y: [K] {{
    y = sin(x)
    {rule}
}}
output y = wave(x)
derive jvp y wrt x as pushed
derive vjp y wrt x as pulled
"""
    with pytest.raises(ArithmeticError) as wrong:
        module(text).check(np.array([0.5, -1.0, 2.0]))
    named = re.findall(r"`(\w+)` by", str(wrong.value))
    assert set(named) >= set(noticed)
    assert not set(named) & set(missed)


SURROGATE = """input x: [3]
block rounded(x: [K]) -> y: [K] {{
    y = floor(x + 0.5)
    rule surrogate x = cotangent(y)
    {jvp}
}}
output y = rounded(2 * x)
output e = sum(y**2)
derive {clause}
"""


@pytest.mark.parametrize("clause", ["jvp y wrt x", "hvp e wrt x"])
def test_a_surrogate_has_no_forward_derivative(clause: str) -> None:
    with pytest.raises(GraphError) as wrong:
        module(SURROGATE.format(jvp="", clause=clause))
    (diagnostic,) = wrong.value.diagnostics
    assert diagnostic.code == "E221"
    assert str(diagnostic) == (
        "error[E221]: a surrogate has no forward derivative: forward modes need a `rule jvp`\n"
        f" --> graph:9:1\n  |\n9 | derive {clause}\n  | {'^' * (7 + len(clause))}\n"
        "  = help: state one beside `rule surrogate`, or use grad or vjp"
    )


def test_a_surrogate_with_a_forward_derivative() -> None:
    x, v = np.array([0.4, 1.3, -2.2]), np.array([1.0, 2.0, 3.0])
    made = module(SURROGATE.format(jvp="rule jvp y = tangent(x)", clause="jvp y, e wrt x"))
    values, pushed = made.jvp_y_e(x, tangents={"x": v})
    y = np.floor(2 * x + 0.5)
    np.testing.assert_array_equal(values.y, y)
    np.testing.assert_array_equal(pushed.y, 2 * v)
    np.testing.assert_allclose(pushed.e, np.sum(4 * y * v), rtol=1e-15)
    made = module(SURROGATE.format(jvp="rule jvp y = tangent(x)", clause="hessian e wrt x"))
    np.testing.assert_allclose(made.hessian_e(x)["x"]["x"], 8 * np.eye(3), rtol=1e-15)


@pytest.mark.parametrize("kind", ["grad e", "vjp y", "jacobian y", "hessian e"])
def test_reverse_modes_take_the_surrogate(kind: str) -> None:
    x = np.array([0.4, 1.3, -2.2])
    made = module(SURROGATE.format(jvp="", clause=f"{kind} wrt x as f"))
    y = np.floor(2 * x + 0.5)
    if kind == "grad e":
        np.testing.assert_allclose(made.f(x)["x"], 4 * y, rtol=1e-15)
    elif kind == "vjp y":
        np.testing.assert_allclose(made.f(x, cotangents={"y": y})[1]["x"], 2 * y, rtol=1e-15)
    elif kind == "hessian e":  # the rule is differentiated, not what it stands for
        np.testing.assert_allclose(made.f(x)["x"]["x"], 8 * np.eye(3), rtol=1e-15)
    else:
        np.testing.assert_allclose(made.f(x)["y"]["x"], 2 * np.eye(3), rtol=1e-15)


def test_a_rule_in_a_loop_that_is_pushed_forward() -> None:
    """Transposed inside a scan, and batched."""
    every = "\n".join(f"derive {one}" for one in clauses(["h", "e"], "x, h0", "e"))
    text = f"""
dim T
input x: [T, 2]
input h0: [2]
block wave(x: [K], s: [K]) -> y: [K] {{
    y = sin(x) * s
    rule vjp x = cotangent(y) * cos(x) * s
    rule vjp s = cotangent(y) * sin(x)
}}
scan step[t in T] carry h = h0 {{ next h = wave(h + x[t], x[t]) }}
output h
output e = sum(h**3)
{every}"""

    def run(moving: Names) -> Names:
        h = moving["h0"]
        for t in range(3):
            h = jnp.sin(h + moving["x"][t]) * moving["x"][t]
        return {"h": h, "e": jnp.sum(h**3)}

    rng = np.random.default_rng(0)
    moving: dict[str, Any] = {"x": rng.normal(size=(3, 2)), "h0": rng.normal(size=2)}
    compare(module(text), moving, by_jax(run, moving, "e"), "e")


ONE_PORT = """
input x, s
block wave(x: [], s: []) -> y: [] {
    y = sin(x) * s
    rule vjp x = cotangent(y) * cos(x) * s
}
output e = wave(x, s)
output g = grad(wave(x, s)**2, s)
derive hessian_matrix e wrt x, s as H
derive jacobian_matrix g wrt x, s as J
"""


def test_a_port_without_a_rule_depends_on_one_that_has_a_rule() -> None:
    """Held in the value, not in the derivatives: d²(s sin x)/dx ds = cos x, and so on."""
    made = module(ONE_PORT)
    x, s = 0.5, 2.0
    mixed = [[-s * np.sin(x), np.cos(x)], [np.cos(x), 0.0]]
    np.testing.assert_allclose(made.H(x, s), mixed, atol=1e-15)
    expected = [[4 * s * np.sin(x) * np.cos(x), 2 * np.sin(x) ** 2]]
    np.testing.assert_allclose(made.J(x, s), expected, rtol=1e-14)


@pytest.mark.parametrize("kind", ["vjp", "jvp"])
def test_the_command_compares_both_rules(kind: str, tmp_path: Path) -> None:
    """Also the one that no function of the file would use."""
    right = {
        "vjp": "rule vjp x = cotangent(y) * 3 * x**2",
        "jvp": "rule jvp y = tangent(x) * 3 * x**2",
    }
    for rules, code in ((right, 0), (right | {kind: right[kind].replace("3 *", "2 *")}, 1)):
        file = tmp_path / "cube.graph"
        lines = ["y = x**3", *rules.values()]
        body = "\n    ".join(lines)
        block = f"block cube(x: [3]) -> y: [3] {{\n    {body}\n}}"
        file.write_text(f"input x: [3]\n{block}\noutput e = sum(cube(x))\n")
        result = CliRunner().invoke(app, ["check", "--grad", str(file)])
        assert result.exit_code == code, result.output
