"""`derive backward outputs wrt paths`: what `backward` of a module is of and by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import module

from graphc.compile.stages import compile_text
from graphc.source import GraphError

LAYER = """
dim B
input x: [B, 3]
h = dense(x, 4, act=tanh)
output y = h @ [[1.0, 2.0], [0.5, -1.0], [3.0, 0.0], [0.0, 1.0]]
output norm = sum(h**2)
output best = argmax(y, axis=1)
"""
RNG = np.random.default_rng(5)
X, CT = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 2))
OUT = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0], [0.0, 1.0]])


def by_hand(params: dict[str, Any]) -> dict[str, Any]:
    """The chain rule for ⟨CT, y⟩."""
    h = np.tanh(X @ params["h.W"] + params["h.b"])
    dh = CT @ OUT.T
    dz = dh * (1 - h**2)
    return {"h.W": X.T @ dz, "h.b": dz.sum(0), "x": dz @ params["h.W"].T, "h": dh}


@pytest.mark.levels
def test_by_inputs_and_nodes_beside_parameters() -> None:
    net = module(LAYER + "derive backward y wrt x, params, h")
    params = net.init(seed=2)
    _, cache = net.forward(params, X)
    found = net.backward(cache, y=CT)
    expected = by_hand(params)
    assert list(found) == ["x", "h.W", "h.b", "h"]
    for path, value in found.items():
        np.testing.assert_allclose(value, expected[path], rtol=1e-12)
    places = {path: np.empty_like(value) for path, value in found.items()}
    again = net.backward(cache, y=CT, out=places)
    assert all(again[path] is place for path, place in places.items())
    assert net.GRAPH["backward"] == {
        "kind": "backward",
        "outputs": ["y"],
        "wrt": ["x", "h.W", "h.b", "h"],
    }
    with pytest.raises(TypeError, match="unexpected keyword argument 'norm'"):
        net.backward(cache, norm=1.0)
    assert max(net.check(params, X).values()) < 1e-6


def test_who_does_not_ask_has_what_there_was() -> None:
    """Nothing is cached for what is not asked for, and no function is another."""
    plain, asked = (compile_text(LAYER + more).text for more in ("", "derive backward y wrt x\n"))
    assert "wrt': 'params'" in plain
    net, other = module(LAYER), module(LAYER + "derive backward y wrt x")
    params = net.init()
    fields = [type(made.forward(params, X)[1])._fields for made in (net, other)]
    assert fields == [("x", "h", "B"), ("h_W", "h", "B")]
    assert "def value_and_grad" in plain, "the sole scalar, for which no clause asks"
    assert "def value_and_grad" not in asked


@pytest.mark.levels
def test_a_member_of_a_family_and_what_a_loop_reads() -> None:
    net = module("""
        dim T
        input s: [T, 4]
        input x: [4]
        repeat layer[k in 1..3] carry h = x { next h = tanh(dense(h, 4) as fc) + h }
        scan roll[t in T] carry m = h { next m = sin(m + s[t]); collect a = m }
        output z = sum(a**2) + sum(m)
        derive backward z wrt layer.2.fc.W, s, x
    """)
    params = net.init(seed=1)
    s, x = RNG.normal(size=(3, 4)), RNG.normal(size=4)
    _, cache = net.forward(params, s, x)
    assert list(net.backward(cache)) == ["layer.2.fc.W", "s", "x"]
    assert net.check(params, s, x)["backward"] < 1e-6


@pytest.mark.parametrize(
    ("clause", "message"),
    [
        ("backward y wrt x as layer", "`backward` is called so in every module"),
        ("backward y wrt x per B", "not with `backward`"),
        ("backward best wrt x", "`best` is int[B]: only floats have derivatives"),
        ("backward y wrt x\nderive backward norm wrt x", "two derived functions are called"),
        ("backward y, y wrt x", "`y` stands twice"),
        ("backwards y wrt x", "did you mean `backward`?"),
    ],
)
def test_what_such_a_clause_cannot_say(clause: str, message: str) -> None:
    with pytest.raises(GraphError) as raised:
        compile_text(f"{LAYER}derive {clause}\n")
    assert message in str(raised.value)


# ---- dims that a function does not need ---------------------------------------------------------

TABLE = """
dim T, K
input x: [3]
require T >= 2
require K > T
output a = sum(x**2)
output b = sum(arange(T)) * sum(x)
output c = sum(ones([K])) * sum(x)
derive grad a wrt x
derive value_and_grad b wrt x
derive vjp a, c wrt x as pull
"""


@pytest.mark.levels
def test_a_dim_is_asked_for_where_it_is_needed() -> None:
    net = module(TABLE)
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(net.grad_a(x)["x"], 2 * x)
    value, grads = net.value_and_grad_b(x, T=4)
    assert value == 36
    np.testing.assert_array_equal(grads["x"], [6, 6, 6])
    assert net.pull(x, K=5, cotangents={"c": 1.0})[1]["x"].tolist() == [5, 5, 5]
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'T'"):
        net.value_and_grad_b(x, K=5)
    with pytest.raises(TypeError, match="missing 2 required keyword-only arguments: 'T' and 'K'"):
        net.forward(x)


@pytest.mark.levels
def test_what_is_given_without_need_is_checked_too() -> None:
    """So a call with all dims goes to each function, and a wrong one is told by each."""
    net = module(TABLE)
    x = np.ones(3)
    for call in (net.grad_a, net.value_and_grad_b, net.forward):
        call(x, T=3, K=4)
        with pytest.raises(ValueError, match="`K > T`; K = 3, T = 3"):
            call(x, T=3, K=3)
        with pytest.raises(ValueError, match=r"dim T is a whole number of at least 0, found 2\.5"):
            call(x, T=2.5, K=4)
    with pytest.raises(ValueError, match="dim T is a whole number of at least 0, found None"):
        net.value_and_grad_b(x, T=None)


def test_a_dim_of_a_shape_is_asked_for_by_all() -> None:
    net = module("dim L, K\ninput x: [L * K]\noutput y = sum(x)\nderive grad y wrt x\n")
    assert net.grad_y(np.ones(6), L=2, K=3)["x"].tolist() == [1] * 6
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'K'"):
        net.grad_y(np.ones(6), L=2)
