"""The bridge to JAX: values and derivatives are those of the same written in JAX."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import module
from jax.test_util import check_grads

from graphc import jax as bridge

NET = """dim B
input x: [B, 3]
input t: int[B]
param W: [3, 4]; param b: [4]
output z = tanh(x @ W + b)
output loss = cross_entropy(z, t)
derive value_and_grad loss wrt params
derive value_and_grad loss wrt params, x as both
derive hvp loss wrt params, x as twice
derive vjp z, loss wrt params, x as pull
derive jvp z, loss wrt W, x as push
"""
RNG = np.random.default_rng(3)
PARAMS = {"W": RNG.normal(size=(3, 4)), "b": RNG.normal(size=4)}
X, T = RNG.normal(size=(5, 3)), np.array([0, 3, 1, 1, 2])


def z(params: Any, x: Any) -> Any:
    return jnp.tanh(x @ params["W"] + params["b"])


def loss(params: Any, x: Any, t: Any) -> Any:
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z(params, x)), t[:, None], 1))


def same(found: Any, expected: Any) -> None:
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14), found, expected
    )


@pytest.mark.levels
def test_the_gradient_of_a_scalar() -> None:
    f = bridge.function(module(NET), "value_and_grad_loss")
    same(f(PARAMS, X, T), loss(PARAMS, X, T))
    expected = jax.grad(loss)(PARAMS, X, T)
    same(jax.grad(f)(PARAMS, X, T), expected)
    same(jax.jit(jax.value_and_grad(f))(PARAMS, X, T), (loss(PARAMS, X, T), expected))
    scaled = jax.grad(lambda p: jnp.sin(3 * f(p, X, T)))(PARAMS)
    same(scaled, jax.grad(lambda p: jnp.sin(3 * loss(p, X, T)))(PARAMS))


def test_under_vmap() -> None:
    f = bridge.function(module(NET), "both")
    xs = RNG.normal(size=(4, 5, 3))
    same(jax.vmap(f, (None, 0, None))(PARAMS, xs, T), np.array([loss(PARAMS, x, T) for x in xs]))
    found = jax.jit(jax.vmap(jax.grad(f, 1), (None, 0, None)))(PARAMS, xs, T)
    same(found, jax.vmap(jax.grad(loss, 1), (None, 0, None))(PARAMS, xs, T))


def test_several_outputs_and_their_cotangents() -> None:
    f = bridge.function(module(NET), "pull")
    assert set(f(PARAMS, X, T)) == {"z", "loss"}

    def of(f: Any) -> Any:
        return lambda p, x: jnp.sum(f(p, x)["z"] ** 3) + 2 * f(p, x)["loss"]

    def plain(p: Any, x: Any) -> Any:
        return {"z": z(p, x), "loss": loss(p, x, T)}

    found = jax.grad(of(lambda p, x: f(p, x, T)), (0, 1))(PARAMS, X)
    same(found, jax.grad(of(plain), (0, 1))(PARAMS, X))
    only = jax.grad(lambda p: f(p, X, T)["loss"])(PARAMS)
    same(only, jax.grad(loss)(PARAMS, X, T))


def test_backward_reads_what_forward_has_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    net = module(NET + "derive backward z, loss wrt params, x\n")
    calls, forward = [], net.forward
    counted = functools.wraps(forward)(lambda *given: calls.append(1) or forward(*given))
    monkeypatch.setattr(net, "forward", counted)
    f = bridge.function(net, "backward")

    slope = 1 - np.tanh(X @ PARAMS["W"] + PARAMS["b"]) ** 2
    grads = jax.jit(jax.grad(lambda p, x: f(p, x, T)["z"].sum(), (0, 1)))(PARAMS, X)
    same(grads, ({"W": X.T @ slope, "b": slope.sum(0)}, slope @ PARAMS["W"].T))
    assert len(calls) == 1
    rows = jax.jacrev(lambda x: f(PARAMS, x, T)["z"][0])(X)
    same(rows[:, 0], slope[0][:, None] * PARAMS["W"].T)
    assert len(calls) == 2, "the rows of a Jacobian read one cache"


def test_a_cache_that_has_gone_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphc.bridges.caches.MOST", 0)
    f = bridge.function(module(NET), "backward")
    found = jax.grad(lambda p: f(p, X, T)["loss"])(PARAMS)
    same(found, jax.grad(loss)(PARAMS, X, T))


@pytest.mark.levels
def test_forward_mode() -> None:
    f = bridge.function(module(NET), "push")
    moves = {"W": RNG.normal(size=(3, 4)), "b": np.zeros(4)}

    def along(f: Any, W: Any, x: Any) -> Any:
        return f({"W": W, "b": PARAMS["b"]}, x)

    given = (PARAMS["W"], X), (moves["W"], np.ones_like(X))
    found = jax.jvp(lambda W, x: along(lambda p, x: f(p, x, T)["z"], W, x), *given)
    same(found, jax.jvp(lambda W, x: along(z, W, x), *given))
    jacobian = jax.jit(jax.jacfwd(lambda x: f(PARAMS, x, T)["loss"]))(X)
    same(jacobian, jax.grad(loss, 1)(PARAMS, X, T))


def test_second_derivatives_where_there_are_products_with_the_hessian() -> None:
    f = bridge.function(module(NET), "both")

    def norm(f: Any) -> Any:
        return lambda p: sum(jnp.sum(g**2) for g in jax.grad(f)(p, X, T).values())

    same(jax.grad(norm(f))(PARAMS), jax.grad(norm(loss))(PARAMS))


@pytest.mark.long
def test_the_checks_of_jax() -> None:
    f = bridge.function(module(NET), "both")
    check_grads(lambda p, x: f(p, x, T), (PARAMS, X), order=2, modes=["rev"], rtol=1e-5, atol=1e-5)


def test_what_is_no_derivative_is_refused() -> None:
    f = bridge.function(module(NET), "value_and_grad_loss")
    with pytest.raises(
        TypeError, match="no derivative by x: `derive value_and_grad loss wrt W, b, x"
    ):
        jax.grad(f, 1)(PARAMS, X, T)
    stopped = jax.grad(lambda x: f(PARAMS, jax.lax.stop_gradient(x), T) + jnp.sum(x))(X)
    same(stopped, np.ones_like(X))
    pushed = bridge.function(module(NET), "push")
    with pytest.raises(TypeError, match="no derivative by b"):
        jax.jvp(lambda b: pushed({**PARAMS, "b": b}, X, T)["loss"], (PARAMS["b"],), (PARAMS["b"],))
    with pytest.raises(TypeError, match="has no derived function `g`: value_and_grad_loss, both"):
        bridge.function(module(NET), "g")
    with pytest.raises(TypeError, match="`twice` is a hvp, expected one of value_and_grad"):
        bridge.function(module(NET), "twice")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_are_those_of_jax(dtype: str) -> None:
    f = bridge.function(module(NET, dtype=dtype), "both")
    params = {path: jnp.asarray(value, jnp.float32) for path, value in PARAMS.items()}
    x = jnp.asarray(X, jnp.float32)
    assert f(params, x, T).dtype == dtype
    grads = jax.grad(f, (0, 1))(params, x, T)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(grads)} == {"float32"}
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        grads,
        jax.grad(loss, (0, 1))(PARAMS, X, T),
    )


def test_shapes_are_found_from_dims() -> None:
    net = module(
        "dim L, T\ninput x: [2*L + 1]\noutput y = x[:L] * T\noutput k = floor(x) > 0\n"
        "derive vjp y wrt x as pull\n"
    )
    f = bridge.function(net, "pull", T=3)
    assert jax.jit(f)(np.arange(7.0)).tolist() == [0, 3, 6]
    same(jax.grad(lambda x: jnp.sum(f(x)))(np.arange(7.0)), np.array([3, 3, 3, 0, 0, 0, 0]))
    with pytest.raises(TypeError, match="do not say what 'T' is"):
        bridge.function(
            module("dim T\ninput x\noutput y = x * arange(T)\nderive vjp y wrt x as p\n"), "p"
        )(1.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (({**PARAMS, "W": np.ones((4, 4))}, X, T), r"`W` has shape \(4, 4\), expected \[3, 4\]"),
        ((PARAMS, X, T[:2]), r"`x` has shape \(5, 3\), expected \[B, 3\] = \(2, 3\)"),
        (({"W": PARAMS["W"]}, X, T), "expected a dict of W, b, found W"),
        ((X, PARAMS, T), "expected a dict of W, b, found "),
        ((PARAMS, X), "expected params, x, t, found 2 arguments"),
    ],
)
def test_what_does_not_fit_is_told_before_it_is_called(arguments: Any, said: str) -> None:
    """And not from within a callback, whose errors JAX wraps."""
    f = bridge.function(module(NET), "value_and_grad_loss")
    with pytest.raises((TypeError, ValueError), match=said):
        f(*arguments)
    with pytest.raises((TypeError, ValueError), match=r"has shape|expected"):
        jax.jit(f)(*arguments)
