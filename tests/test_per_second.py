"""Derivatives of each position, first and second, against one call an example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from conftest import compiled, in_turn, long, module

from graphc.compile.clauses import derivatives
from graphc.compile.stages import Options, compile_text
from graphc.elaborate.build import elaborate
from graphc.ir.graph import building
from graphc.sample import random_arguments
from graphc.source import Source
from graphc.syntax.parse.parser import parse
from tests.loading import loaded

pytestmark = pytest.mark.levels

KINDS = ("grad", "hvp", "hessian", "hessian_matrix")
COUNT = 4


@dataclass(frozen=True)
class Loss:
    """A loss over examples: where inputs have their axis, and whether it is their mean."""

    name: str
    text: str
    wrt: str
    batched: Mapping[str, int]
    mean: bool = False
    dims: tuple[tuple[str, int], ...] = ()


RULE = """block f(x: [...], s: [...]) -> y: [...] {{
    y = sin(x) * s
    {}
}}
input x: [B, 3]
param w: [3]
output loss = sum(f(x, x * w) * f(x, x))"""
BOTH = """rule vjp x = cotangent(y) * cos(x) * s
    rule vjp s = cotangent(y) * sin(x)
    rule jvp y = tangent(x) * cos(x) * s + tangent(s) * sin(x)"""
LAYERS = (
    "input x: [B, 3]\nx -> repeat layer[k in 1..2] { residual { dense(3, act=tanh) as f } } -> y"
)

LOSSES = [
    Loss("options", "input s, k: [B]\noutput loss = sum(exp(s) * sigmoid((s - k) * 3))", "s, k",
         {"s": 0, "k": 0}),
    Loss("a net by its parameters and points",
         "input x: [B, 2]\ninput t: [B]\nx -> dense(3, act=tanh) as f -> dense(1) as g -> y\n"
         "output loss = mean((y[:, 0] - t)**2)", "params, x", {"x": 0, "t": 0}, mean=True),
    Loss("a family", f"{LAYERS}\noutput loss = mean(y**2) * 3", "params, x", {"x": 0}, mean=True),
    Loss("an iteration", f"{LAYERS}\noutput loss = sum(y**2)", "layer.2.*, x", {"x": 0}),
    Loss("a node between", "input x: [B, 3]\nparam w: [3]\nz = tanh(x * w)\n"
         "output loss = sum(z**3 * x)", "w", {"x": 0}),
    Loss("a scan", "dim T\ninput x: [T, B, 2]\nscan s[t in T] carry h = zeros([B, 2]) {\n"
         "    param W: [2, 2]\n    next h = tanh(h @ W + x[t])\n}\noutput loss = sum(h**2)",
         "params, x", {"x": 1}, dims=(("T", 3),)),
    Loss("a rule for one port", RULE.format("rule vjp x = cotangent(y) * cos(x) * s"), "w, x",
         {"x": 0}),
    Loss("rules for all", RULE.format(BOTH), "w, x", {"x": 0}),
    Loss("terms of no example", "input x: [B, 3]\nparam w: [3]\n"
         "output loss = (mean(tanh(x @ w)**2) + sum(w**4) + 3.0) * 2", "w, x", {"x": 0}, mean=True),
    Loss("less a term of a family",
         f"{LAYERS}\noutput loss = sum(layer.1.f.W**2) - mean(y**2) * 3", "params, x", {"x": 0},
         mean=True),
]  # fmt: skip


def _text(loss: Loss) -> str:
    clauses = [
        f"derive {kind} loss wrt {loss.wrt}{per} as {name}_{kind}"
        for kind in KINDS
        for per, name in ((" per B", "each"), ("", "whole"))
    ]
    return "\n".join(["dim B", loss.text, *clauses, ""])


def _agree(loss: Loss, made: Any) -> None:
    """What each example contributes is the derivative of a loss of that example alone."""
    given = random_arguments(compiled(_text(loss)).model, 0, {"B": COUNT, **dict(loss.dims)})
    rng = np.random.default_rng(1)
    params = {path: rng.normal(size=p.shape) for path, p in given.pop("params", {}).items()}
    whole = {**({"params": params} if params else {}), **given}
    moving = {**params, **given}
    weight = 1 / COUNT if loss.mean else 1.0
    gradients = made.each_grad(**whole)
    tangents = {path: rng.normal(size=np.shape(moving[path])) for path in gradients}
    pushed = made.each_hvp(**whole, tangents=tangents)
    hessian, matrix = made.each_hessian(**whole), made.each_hessian_matrix(**whole)

    def alone(path: str, values: Any, i: int, before: int = 0) -> Any:
        if path not in loss.batched:
            return values
        return np.take(values, [i], axis=before + loss.batched[path])

    def close(found: Any, expected: Any, *paths: str) -> None:
        """Equal, where an example alone has an axis of length 1 for each path that has B."""
        place = 0
        for path in paths:
            if path in loss.batched:
                expected = np.squeeze(expected, place + loss.batched[path])
                place -= 1
            place += np.ndim(moving[path])
        np.testing.assert_allclose(found, expected * weight, atol=1e-12, strict=True)

    for i in range(COUNT):
        inputs = {name: alone(name, value, i) for name, value in given.items()}
        one = {**({"params": params} if params else {}), **inputs}
        for path, gradient in made.whole_grad(**one).items():
            close(gradients[path][i], gradient, path)
        ways = {path: alone(path, way, i) for path, way in tangents.items()}
        for found, expected in zip(pushed, made.whole_hvp(**one, tangents=ways), strict=True):
            for path, value in expected.items():
                close(found[path][i], value, path)
        for a, row in made.whole_hessian(**one).items():
            for b, block in row.items():
                close(hessian[a][b][i], block, a, b)
        np.testing.assert_allclose(
            matrix[i], made.whole_hessian_matrix(**one) * weight, atol=1e-12, strict=True
        )
    assert all(error < 1e-4 for error in made.check(**whole).values())


@in_turn("loss", LOSSES, ids=lambda loss: loss.name)
def test_each_example_alone(loss: Loss) -> None:
    _agree(loss, module(_text(loss)))


@pytest.mark.parametrize("mode", ["forward", "reverse", "mixed"])
def test_in_every_mode(mode: str, level: str) -> None:
    text = compile_text(_text(LOSSES[1]), options=Options(level=level, mode=mode)).text
    _agree(LOSSES[1], loaded(text, "each"))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_gradients_of_a_family_have_a_row_for_each_example(count: int) -> None:
    made = module("""
        dim B
        input x, t: [B, 4]
        x -> repeat layer[k in 1..3] { residual { dense(4, act=tanh) as f } } -> y
        output loss = sum((y - t)**2)
        derive value_and_grad loss wrt params per B as each
        derive hvp loss wrt params per B as bent
        derive grad loss wrt params
    """)
    rng = np.random.default_rng(0)
    params, x = made.init(seed=1), rng.normal(size=(count, 4))
    losses, found = made.each(params, x, np.zeros((count, 4)))
    assert losses.shape == (count,)
    assert list(found) == list(params)
    whole = made.grad_loss(params, x, np.zeros((count, 4)))
    for path, rows in found.items():
        assert rows.shape == (count, *params[path].shape)
        np.testing.assert_allclose(rows.sum(0), whole[path], atol=1e-12)
    for rows in made.bent(params, x, np.zeros((count, 4)), tangents=params):
        assert {path: row.shape for path, row in rows.items()} == {
            path: (count, *p.shape) for path, p in params.items()
        }


def test_gamma_of_options() -> None:
    """The second derivative of s·σ(3 log(s/k)) by s, on paper."""
    made = module("""
        dim N
        input s, k: [N]
        output price: [N] = s * sigmoid((log(s) - log(k)) * 3)
        output total = sum(price)
        derive value_and_hessian total wrt s per N as gamma
    """)
    s, k = np.array([1.0, 2.0, 0.5]), np.array([1.0, 1.5, 0.7])
    p = 1 / (1 + np.exp(-3 * np.log(s / k)))
    bend = 3 * p * (1 - p) * (1 + 3 * (1 - 2 * p)) / s
    prices, found = made.gamma(s, k)
    np.testing.assert_allclose(prices, s * p, rtol=1e-14)
    np.testing.assert_allclose(found["s"]["s"], bend, rtol=1e-13)


def test_a_rule_is_one_to_one_where_its_value_and_its_directions_are() -> None:
    made = module("""
        dim N
        input M, ecc: [N]
        block root(M: [...], e: [...]) -> E: [...] {
            E = M + e * sin(M)
            rule vjp M = cotangent(E) * (1 + e * cos(M))
            rule vjp e = cotangent(E) * sin(M)
        }
        output E = root(M, ecc)
        derive jacobian E wrt M, ecc per N as slopes
        derive sparse_jacobian E wrt M as S
    """)
    M, e = np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.3])
    found = made.slopes(M, e)["E"]
    np.testing.assert_allclose(found["M"], 1 + e * np.cos(M), rtol=1e-14)
    np.testing.assert_allclose(found["ecc"], np.sin(M), rtol=1e-14)
    assert made.S(M, e).nnz == 3


MIXING = [
    "rule vjp x = sum(cotangent(y)) * cos(x)",
    "rule jvp y = sum(tangent(x)) * cos(x)",
    "rule vjp x = cotangent(y)[::-1]",
]


@pytest.mark.parametrize("rule", MIXING)
def test_a_rule_that_mixes_is_seen(rule: str) -> None:
    made = module(f"""
        input x: [3]
        block f(x: [K]) -> y: [K] {{ y = sin(x); {rule} }}
        output y = f(x)
        derive jacobian y wrt x as J
        derive vjp y wrt x as pull
    """)
    x = np.array([0.1, 0.2, 0.3])
    rows = [made.pull(x, cotangents={"y": e})[1]["x"] for e in np.eye(3)]
    np.testing.assert_allclose(made.J(x)["y"]["x"], rows, rtol=1e-14)
    assert np.count_nonzero(rows) > 3 or "[::-1]" in rule


def test_each_block_in_its_cheapest_mode() -> None:
    """By u backward, and by theta forward: its 20 elements reach e by what all positions share."""
    text = """
        dim P
        input W: [500, 20]
        input theta: [20]
        input u: [P]
        input at: int[P]
        v = sin(W @ theta)
        output e: [P] = u * v[at]
        derive jacobian e wrt u, theta per P as J
    """
    with building():
        model = elaborate(parse(Source("net.graph", text))).sound
        costs = {
            mode: made.cost.multiply_adds.evaluate({"P": 32})
            for mode, made in derivatives(model, model.derivations[0], ("reverse", "mixed")).items()
        }
    assert costs["mixed"] < 60_000 < costs["reverse"]
    made = module(text)
    rng = np.random.default_rng(0)
    W, theta, u = rng.normal(size=(500, 20)), rng.normal(size=20), rng.normal(size=7)
    at = rng.integers(0, 500, 7)
    found = made.J(W, theta, u, at)["e"]
    np.testing.assert_allclose(found["u"], np.sin(W @ theta)[at], rtol=1e-12)
    slope = u[:, None] * np.cos(W @ theta)[at, None] * W[at]
    np.testing.assert_allclose(found["theta"], slope, rtol=1e-11)


@pytest.mark.parametrize("dims", ["B", long("B = 3")])
def test_a_family_that_has_the_axis(dims: str) -> None:
    """Members with a parameter for each example, beside one for all."""
    made = module(f"""
        dim {dims}
        input x: [B, 2]
        repeat r[k in 1..2] carry h = x {{
            param p: [B]
            param q: [2]
            next h = sin(h * p[:, _] * q)
        }}
        output y = h
        output loss = sum(y**2)
        derive jacobian y wrt r.*, x per B as each
        derive jacobian y wrt r.*, x as whole
        derive hessian loss wrt r.* per B as bends
        derive hessian loss wrt r.* as bend
        derive hessian_matrix loss wrt r.* per B as H
    """)
    rng = np.random.default_rng(0)
    params = {f"r.{k}.{n}": rng.normal(size=3 if n == "p" else 2) for k in (1, 2) for n in "pq"}
    x = rng.normal(size=(3, 2))
    whole = made.whole(params, x)["y"]
    for path, block in made.each(params, x)["y"].items():
        for b, row in enumerate(block):
            expected = whole[path][b] if path.endswith("q") else whole[path][b][:, b]
            np.testing.assert_allclose(row, expected, atol=1e-13, strict=True)
    bends, bend = made.bends(params, x), made.bend(params, x)
    for k in (1, 2):
        np.testing.assert_allclose(bends["r.1.q"][f"r.{k}.q"].sum(0), bend["r.1.q"][f"r.{k}.q"])
        own = np.diagonal(bend["r.1.p"][f"r.{k}.p"])
        np.testing.assert_allclose(bends["r.1.p"][f"r.{k}.p"], own, atol=1e-13)
    assert made.H(params, x).shape == (3, 6, 6)
    assert max(made.check(params, x).values()) < 1e-4


def test_rules_that_call_blocks_with_rules() -> None:
    """Each example's Hessian and product of c · u³, u = x W: 6 c u x xᵀ for each column of W."""
    made = module("""
        dim B
        block squared(x: [...]) -> y: [...] { y = x * x; rule vjp x = cotangent(y) * 2 * x }
        block cubed(x: [...]) -> y: [...] {
            y = x * x * x
            rule vjp x = cotangent(y) * 3 * squared(x)
            rule jvp y = tangent(x) * 3 * squared(x)
        }
        input x: [B, 3]
        input c: [B, 2]
        param W: [3, 2]
        output loss = sum(c * cubed(x @ W))
        derive hessian loss wrt W per B as bends
        derive hvp loss wrt W per B as products
    """)
    rng = np.random.default_rng(0)
    x, c, W, way = (rng.normal(size=shape) for shape in ((4, 3), (4, 2), (3, 2), (3, 2)))
    u = x @ W
    bend = np.einsum("nj, na, nb, jk -> najbk", 6 * c * u, x, x, np.eye(2))
    np.testing.assert_allclose(made.bends({"W": W}, x, c)["W"]["W"], bend, rtol=1e-12, atol=1e-14)
    slopes, products = made.products({"W": W}, x, c, tangents={"W": way})
    np.testing.assert_allclose(slopes["W"], np.einsum("nj, na -> naj", 3 * c * u**2, x), rtol=1e-12)
    np.testing.assert_allclose(products["W"], np.einsum("najbk, bk -> naj", bend, way), rtol=1e-12)
