"""`grad`, `jvp` and `jacobian` as nodes: in each other, in loops and blocks, and derived again."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import compiled, module

from graphc.source import GraphError

pytestmark = [pytest.mark.levels, pytest.mark.usefixtures("verifying")]

RNG = np.random.default_rng(5)
X, U = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
W = RNG.normal(size=(3, 2))
ACCURATE = 1e-4

NET = """
dim B
input x, u: [B, 3]
param W: [3, 2]
h = tanh(x @ W)
output y = h * h + sin(h)
"""


def _rows(x: np.ndarray) -> np.ndarray:
    """The Jacobian of y by x of each example, by hand."""
    h = np.tanh(x @ W)
    slope = (2 * h + np.cos(h)) * (1 - h**2)
    return slope[:, :, None] * W.T


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_jacobian_of_each_example(dtype: str) -> None:
    net = module(NET + "output J = jacobian(y, x, axis=B)", dtype=dtype)
    out, _ = net.forward({"W": W}, X, U)
    assert out.J.dtype == dtype
    np.testing.assert_allclose(out.J, _rows(X), rtol={"float64": 1e-13, "float32": 2e-5}[dtype])


def test_the_whole_jacobian_has_zeros_between_examples() -> None:
    net = module(NET + "output J = jacobian(y, x)\noutput V = jacobian(y, W)")
    out, _ = net.forward({"W": W}, X, U)
    whole = np.zeros((4, 2, 4, 3))
    whole[range(4), :, range(4)] = _rows(X)
    np.testing.assert_allclose(out.J, whole, atol=1e-15)
    h = np.tanh(X @ W)
    slope = (2 * h + np.cos(h)) * (1 - h**2)
    np.testing.assert_allclose(out.V, np.einsum("bk,bi,kl->bkil", slope, X, np.eye(2)), atol=1e-15)


def test_a_product_with_the_jacobian() -> None:
    net = module(NET + "output t = jvp(y, x, u)")
    out, _ = net.forward({"W": W}, X, U)
    np.testing.assert_allclose(out.t, np.einsum("bki,bi->bk", _rows(X), U), rtol=1e-13)


@pytest.mark.parametrize("by", ["W", "x", "h"])
def test_penalties_are_differentiated(by: str) -> None:
    """A gradient by what is between, too: it moves for its children alone."""
    text = """
J = jacobian(y, x, axis=B)
t = jvp(y, x, u)
g = grad(sum(y**2), x)
output loss = sum(J**2) + sum(t**3) + sum(g**2)
"""
    net = module(NET + text + f"derive grad loss wrt {by}\nderive hvp loss wrt {by}")
    assert max(net.check({"W": W}, X, U).values()) < ACCURATE


@pytest.mark.parametrize("by", ["x", "W"])
def test_penalties_per_example(by: str) -> None:
    """Rows of several seeds lie end to end in the products; the examples are still apart."""
    text = f"""
output loss = sum(jacobian(y, x, axis=B)**2)
derive grad loss wrt {by} per B as each
derive grad loss wrt {by} as whole
"""
    net = module(NET + text)
    each, whole = net.each({"W": W}, X, U)[by], net.whole({"W": W}, X, U)[by]
    np.testing.assert_allclose(each if by == "x" else each.sum(0), whole, rtol=1e-12)
    alone = net.whole({"W": W}, X[:1], U[:1])[by]
    np.testing.assert_allclose(each[:1] if by == "x" else each[0], alone, rtol=1e-12)


def test_jacobians_of_jacobians() -> None:
    text = """
dim B
input x: [B, 2]
output H = jacobian(grad(sum(x[:, 0]**3 * x[:, 1]), x), x, axis=B)
output K = jacobian(jacobian(x**3, x, axis=B), x, axis=B)
"""
    x = X[:, :2]
    out, _ = module(text).forward(x)
    a, b = x.T
    np.testing.assert_allclose(
        out.H, np.moveaxis([[6 * a * b, 3 * a**2], [3 * a**2, 0 * a]], 2, 0), atol=1e-14
    )
    cube = np.zeros((4, 2, 2, 2))
    cube[:, range(2), range(2), range(2)] = 6 * x
    np.testing.assert_allclose(out.K, cube, atol=1e-14)


def test_in_the_steps_of_loops() -> None:
    """Newton's steps by the Jacobian of what they solve; what is carried is a variable of it."""
    text = """
input a: [2]
param c
scan newton[i in 6] carry z = a {
    f = z**3 - c * a
    next z = z - solve(jacobian(f, z), f)
    collect slopes = jvp(f, z, ones([2]))
}
output root = z
output slope = slopes[5]
output loss = sum(z)
derive grad loss wrt a, c
"""
    net, a = module(text), np.array([1.3, 0.7])
    out, _ = net.forward({"c": 1.1}, a)
    np.testing.assert_allclose(out.root, np.cbrt(1.1 * a), rtol=1e-10)
    np.testing.assert_allclose(out.slope, 3 * out.root**2, rtol=1e-5)
    assert max(net.check({"c": 1.1}, a).values()) < ACCURATE


def test_through_loops_and_by_members_of_families() -> None:
    text = """
input x: [2]
repeat layer[k in 3] carry h = x {
    param V: [2, 2]
    f = tanh(h @ V)
    next h = h + f @ jacobian(f, h)
}
z = h
output J = jacobian(z, x)
output loss = sum(J**2) + sum(jvp(z, layer.1.V, layer.0.V)) + sum(jacobian(z, layer.2.V)**2)
derive grad loss wrt layer.*, x
derive jacobian z wrt x as outside
"""
    text = text.replace("z = h", "output z = h")
    net = module(text)
    params = {f"layer.{k}.V": RNG.normal(size=(2, 2)) for k in range(3)}
    out, _ = net.forward(params, X[0, :2])
    np.testing.assert_allclose(out.J, net.outside(params, X[0, :2])["z"]["x"], rtol=1e-12)
    assert max(net.check(params, X[0, :2]).values()) < ACCURATE


def test_by_the_ports_of_a_block() -> None:
    """A block is a function of its ports, whatever it is given: operations that derive, too."""
    text = """
input a: [3]
block slopes(x: [K], y: [K], d: fn) -> s: [K, K] { v = x * x * y; s = d(v, x) }
block moved(x: [K], y: [K]) -> s: [K] { v = x * x * y; s = jvp(v, x, y) }
output s = slopes(a, a, jacobian)
output t = moved(a, a)
"""
    out, _ = module(text).forward([1.0, 2.0, 3.0])
    assert np.array_equal(out.s, np.diag([2.0, 8.0, 18.0]))
    assert out.t.tolist() == [2.0, 16.0, 54.0]


def test_an_operation_is_handed_on_to_a_block_that_is_handed_on() -> None:
    text = """
input x: [3]
block twice(x: [...], f: fn) -> y: [...] { y = f(f(x)) }
block layer(x: [K], n: int, act: fn) -> y: [n] { param W: [K, n]; y = act(x @ W) }
block inner(x: [...], outer: fn, f: fn) -> y: [...] { y = outer(x, f) }
block deep(x: [...], g: fn, h: fn, k: fn) -> y: [...] { y = g(x, h, k) }
block net(x: [K], make: fn, f: fn) -> y: [K] { h = make(x, K, f) as a; y = make(h, K, f) as b }
z = net(x, layer, sin)
output y = deep(z, inner, twice, cos)
output loss = sum(y)
derive grad loss wrt params
"""
    made = module(text)
    params = {path: RNG.normal(size=(3, 3)) for path in ("z.a.W", "z.b.W")}
    out, _ = made.forward(params, X[0])
    z = np.sin(np.sin(X[0] @ params["z.a.W"]) @ params["z.b.W"])
    np.testing.assert_allclose(out.y, np.cos(np.cos(z)), rtol=1e-14)
    assert max(made.check(params, X[0]).values()) < ACCURATE


def test_stated_derivatives_count() -> None:
    text = """
input x: [3]
block cube(x: [...]) -> y: [...] { y = x**3; rule vjp x = 30 * cotangent(y) * x**2 }
block sq(x: [...]) -> y: [...] { y = x**2; rule jvp y = 20 * tangent(x) * x }
block step(x: [...]) -> y: [...] { y = floor(x); rule surrogate x = cotangent(y) }
output a = jacobian(cube(x), x)
output b = jvp(cube(x), x, x)
output c = jvp(sq(x), x, x)
output d = jacobian(step(x) * x, x)
"""
    x = np.array([1.5, 2.5, -0.5])
    out, _ = module(text).forward(x)
    np.testing.assert_allclose(out.a, np.diag(30 * x**2))
    np.testing.assert_allclose(out.b, 30 * x**3)
    np.testing.assert_allclose(out.c, 20 * x**2)
    np.testing.assert_allclose(out.d, np.diag(x + np.floor(x)))


def test_an_empty_batch_and_one_example() -> None:
    text = NET + "output J = jacobian(y, x, axis=B)\noutput loss = sum(J**2)"
    net = module(text + "\nderive grad loss wrt x")
    for count in (0, 1):
        out, _ = net.forward({"W": W}, X[:count], U[:count])
        assert out.J.shape == (count, 2, 3)
        assert net.grad_loss({"W": W}, X[:count], U[:count])["x"].shape == (count, 3)


WRONG = {
    "jvp(x**2, x, x[0])": "E301: `jvp` moves [B, 3] by what has its shape, found [3]",
    "jacobian(i, x)": "E403: in `jacobian`: only floats have derivatives, found int[B]",
    "grad(x, x)": "E402: grad needs a scalar, found [B, 3]",
    "jacobian(a, b)": "E406: in `jacobian`: the second argument does not reach the first: "
    "the Jacobian is 0",
    "jvp(a, b, x)": "E406: in `jvp`: the second argument does not reach the first: "
    "the product is 0",
    "jacobian(softmax(x, axis=0), x, axis=B)": "E408: axis B cannot be kept apart: "
    "`softmax` mixes its positions, here: `output y = jacobian(softmax(x, axis=0), x, axis=B)`",
    "jacobian(x * w, w, axis=B)": "E305: `jacobian` keeps axis 0 of [B, 3] apart, which [3] lacks",
    "jvp(step(x), x, x)": "E221: a surrogate has no forward derivative: forward modes need a "
    "`rule jvp`",
}


@pytest.mark.readable
@pytest.mark.parametrize("call", WRONG)
def test_what_is_refused(call: str) -> None:
    text = f"""
dim B
input x: [B, 3]
input i: int[B]
input w: [3]
block step(x: [...]) -> y: [...] {{ y = floor(x); rule surrogate x = cotangent(y) }}
a = x + 1
b = x + 2
output y = {call}
"""
    with pytest.raises(GraphError) as wrong:
        compiled(text)
    (found,) = wrong.value.diagnostics
    assert f"{found.code}: {found.message}" == WRONG[call]
