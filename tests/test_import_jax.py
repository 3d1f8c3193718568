"""Functions of JAX as graphs: their values, their derivatives, loops, and what is refused."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

import graphc
from graphc.cli.app import app
from graphc.importing.sizes import read_size
from graphc.ir.dims import Dim
from tests.conftest import long

random = np.random.default_rng(0)


def normal(*shape: int) -> Any:
    return random.normal(size=shape)


def logistic(x, t, w, b):
    z = x @ w + b
    loss = jnp.mean(jnp.logaddexp(0.0, z) - t * z)
    return loss + 0.1 * jnp.sum(w**2)


def gaussian_mixture(x, mu, log_sigma, logits):
    d = (x[:, None, :] - mu) / jnp.exp(log_sigma)
    each = -0.5 * jnp.sum(d**2, axis=-1) - jnp.sum(log_sigma, axis=-1) + jax.nn.log_softmax(logits)
    return jnp.sum(jax.nn.logsumexp(each, axis=1))


def attention(q, k, v):
    s = q @ k.T / jnp.sqrt(q.shape[-1])
    weights = jax.nn.softmax(s, axis=-1)
    return weights @ v


def recurrent(xs, h, W, U):
    def step(h, x):
        new = jnp.tanh(x @ W + h @ U)
        return new, new.sum()

    last, sums = jax.lax.scan(step, h, xs)
    return last, sums


def gru(xs, h, W, U, b):
    def step(h, x):
        r, z = (jax.nn.sigmoid(x @ W[k] + h @ U[k] + b[k]) for k in (0, 1))
        n = jnp.tanh(x @ W[2] + (r * h) @ U[2] + b[2])
        return (1 - z) * h + z * n, n

    return jax.lax.scan(step, h, xs)


def between(x, table):
    i = jnp.floor(x).astype(int)
    return table[i] * (1 - (x - i)) + table[i + 1] * (x - i), (x > 1).astype(int) * x


def backwards(xs, h):
    return jax.lax.scan(lambda c, x: (c * 0.5 + x, c * x), h, xs, reverse=True)


def counted(x):
    return jax.lax.fori_loop(1, 5, lambda i, c: c * 0.5 + x[i] * i, 0.0)


def gathers(x, ids):
    taken = x[ids] * 2 + x[jnp.array([0, 1, 1, 2])] + jnp.take(x, ids)
    return taken, x[-1], x[::-1], x.at[ids].add(1.0), x.at[1].set(5.0), x.at[0].multiply(2.0)


def hard_points(x):
    chosen = jnp.where(x > 0, x**2 + x, -x) + 3 * jnp.clip(x, 0.0, 1.0) + jax.nn.relu(x)
    return jnp.sum(chosen + jnp.maximum(x, 0.5) + jax.lax.clamp(0.0, x, 1.0))


def normalised(x):
    mu = x.mean(axis=-1, keepdims=True)
    sd = x.std(axis=-1, keepdims=True)
    return (x - mu) / (sd + 1e-5), jax.nn.gelu(x), jax.nn.silu(x), jnp.linalg.norm(x)


def matrices(A, b):
    solved = jnp.linalg.solve(A, b) + jax.scipy.linalg.solve_triangular(A, b, lower=True)
    numbers = jnp.linalg.det(A) + jnp.linalg.slogdet(A)[1] + jnp.trace(A)
    return solved, numbers, jnp.linalg.inv(A), jnp.linalg.cholesky(A), jnp.outer(b, b)


def shapes(x):
    y = x.reshape(6, 4).T
    joined = jnp.concatenate([x, x], axis=1) + jnp.pad(x, ((0, 0), (1, 2), (0, 0)))
    stacked = jnp.stack([x[0], x[1]], axis=-1)
    parts = jnp.split(x, 2, axis=2)
    return y, jnp.transpose(x, (2, 0, 1)), joined, stacked, jnp.tile(x[0, 0], 2), parts


def sorted_numbers(x):
    return jnp.sort(x), x[jnp.argsort(x)], jnp.median(x), jnp.max(x), jnp.var(x), jnp.prod(x)


def chosen(x):
    branch = jax.lax.cond(x[0] > 0, lambda y: y * 2, lambda y: -y, x)
    return branch, jnp.select([x > 1, x > 0], [x, x**2], 0.0), x % 0.7, jnp.cumsum(x)


def mapped(x, w):
    def bend(row):
        return jnp.sum(jnp.sin(row) * w)

    return jax.vmap(lambda row: jnp.tanh(row @ w) * row)(x), jax.vmap(jax.grad(bend))(x)


def by_two_indices(x, i, j):
    return x[i, j], x[:, i], x.at[i, j].set(2.0), x.at[i, j].add(x[0, :2])


def kalman(x, P, z, F):
    def update(state, z):
        x, P = state
        x, P = F @ x, F @ P @ F.T + jnp.eye(2)
        K = P @ jnp.linalg.inv(P + jnp.eye(2))
        return (x + K @ (z - x), P - K @ P), x

    (x, P), seen = jax.lax.scan(update, (x, P), z)
    return x, P, seen


CASES: tuple[tuple[Any, str, tuple[Any, ...]], ...] = (
    (logistic, "input x: [B, 3]; input t: [B]; param w: [3]; param b",
     (normal(5, 3), np.array([0.0, 1, 1, 0, 1]), normal(3), 0.3)),
    (attention, "input q, k, v: [T, 4]", (normal(3, 4), normal(3, 4), normal(3, 4))),
    (recurrent, "input xs: [T, 2]; input h: [3]; param W: [2, 3]; param U: [3, 3]",
     (normal(5, 2), normal(3), normal(2, 3), normal(3, 3))),
    (hard_points, "input x: [6]", (np.array([0.0, 1.0, -1.0, 0.5, 2.0, -0.0]),)),
    (gathers, "input x: [3]; input ids: int[4]", (normal(3), np.array([0, 2, 2, 1]))),
    (gru, "input xs: [T, 2]; input h: [3]; param W: [3, 2, 3]; param U: [3, 3, 3]; param b: [3, 3]",
     (normal(4, 2), normal(3), normal(3, 2, 3), normal(3, 3, 3), normal(3, 3))),
    (between, "input x: [N]; input table: [5]", (np.array([0.5, 1.25, 3.75, 2.1]), normal(5))),
    (gaussian_mixture, "input x: [N, 2]; param mu, log_sigma: [K, 2]; param logits: [K]",
     (normal(6, 2), normal(3, 2), 0.3 * normal(3, 2), normal(3))),
    (backwards, "input xs: [T, 2]; input h: [2]", (normal(4, 2), normal(2))),
    (counted, "input x: [5]", (normal(5),)),
    (normalised, "input x: [B, 4]", (normal(3, 4),)),
    (matrices, "input A: [3, 3]; input b: [3]", (np.diag([3.0, 2.0, 4.0]) + 0.1, normal(3))),
    (shapes, "input x: [2, 3, 4]", (normal(2, 3, 4),)),
    (sorted_numbers, "input x: [4]", (normal(4),)),
    (chosen, "input x: [3]", (normal(3),)),
    (mapped, "input x: [B, 3]; param w: [3]", (normal(4, 3), normal(3))),
    (by_two_indices, "input x: [3, 3]; input i, j: int[2]",
     (normal(3, 3), np.array([0, 2]), np.array([1, 1]))),
    (kalman, "input x: [2]; input P, F: [2, 2]; input z: [T, 2]",
     (normal(2), np.eye(2) + 0.1, normal(3, 2), normal(2, 2))),
)  # fmt: skip
ALWAYS = 5
NAMED = [
    (pytest.param if place < ALWAYS else long)(case, id=case[0].__name__)
    for place, case in enumerate(CASES)
]


@pytest.mark.parametrize("level", [0, long(2)])
@pytest.mark.parametrize("case", NAMED)
def test_value_and_derivative_are_those_of_jax(case: Any, level: int) -> None:
    function, declare, point = case
    imported = graphc.import_jax(function, declare)
    given = dict(zip(inspect.signature(function).parameters, point, strict=True))
    graph = imported.compile(level=0).module().GRAPH
    inputs = [name for name, type in graph["inputs"].items() if not type.startswith("int")]
    wrt, outputs = [*graph["params"], *inputs], [*graph["outputs"]]
    clause = f"vjp {', '.join(outputs)} wrt {', '.join(wrt)} as pull"
    net = imported.compile(level=level, derive=[clause]).module()

    def leaves(moved: dict[str, Any]) -> list[Any]:
        return jax.tree_util.tree_leaves(function(**{**given, **moved}))

    wanted, pull = jax.vjp(leaves, {path: jnp.asarray(given[path]) for path in wrt})
    cotangents = [random.normal(size=np.shape(one)) for one in wanted]
    (expected,) = pull([jnp.asarray(one) for one in cotangents])
    params = {path: given[path] for path in graph["params"]}
    values, found = net.pull(
        *([params] if params else []),
        **{name: given[name] for name in graph["inputs"]},
        cotangents=dict(zip(outputs, cotangents, strict=True)),
    )
    for one, other in zip(values, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    for path in wrt:
        np.testing.assert_allclose(found[path], expected[path], rtol=1e-12, atol=1e-12)


def test_sizes_are_read_and_never_run() -> None:
    sizes = {"a": Dim.symbol("a"), "b": Dim.symbol("b")}
    a, b = sizes.values()
    assert read_size("2*a^2 - b", sizes) == 2 * a * a - b
    assert read_size("floordiv(a + 3, 2) + mod(b, 4)", sizes) == (a + 3) // 2 + b % 4
    assert read_size("-(a//2)*b % 3", sizes) == (-(a // 2) * b) % 3
    for text in ("a / 2", "c", "max(a, b)", "a.terms", "a if b else 1", "a +", "open('a')"):
        with pytest.raises(ValueError, match=re.escape(text)):
            read_size(text, sizes)


def test_the_square_of_a_size_is_one() -> None:
    """JAX writes it with `^`, which is another operation of Python."""
    imported = graphc.import_jax(lambda x: jnp.outer(x, x).reshape(-1), "input x: [N]")
    found = imported.compile(level=0).module().forward(np.array([2.0, 3.0]))
    np.testing.assert_array_equal(found[0][0], [4, 6, 6, 9])


def test_a_scan_stays_one_and_has_the_names_of_its_statements() -> None:
    text = graphc.import_jax(recurrent, CASES[2][1]).text
    assert text.endswith(
        "scan step[t in T] carry last = h {\n"
        "    new = tanh(xs[t] @ W + last @ U)\n"
        "    next last = new\n"
        "    collect sums = sum(new)\n"
        "}\n"
        "output last, sums\n"
    )


def test_what_jax_writes_for_softmax_and_its_like_are_these_operations() -> None:
    def f(x: Any) -> Any:
        a = jax.nn.softmax(x, axis=0)
        b = jax.nn.log_softmax(x)
        c = jax.nn.logsumexp(x, axis=1, keepdims=True)
        return a, b, c, jnp.mean(x, axis=0)

    text = graphc.import_jax(f, "input x: [B, 4]").text
    for line in (
        "output a = softmax(x, axis=0)", "output b = log_softmax(x, axis=-1)",
        "logsumexp(x, axis=1", "mean(x, axis=0)",
    ):  # fmt: skip
        assert line in text
    assert "stop(" not in text


def test_parameters_in_dicts_have_values(tmp_path: Path) -> None:
    params = [{"W": np.full((3, 2), 0.1), "b": np.zeros(2)}]

    def net(params: Any, x: Any) -> Any:
        h = jnp.tanh(x @ params[0]["W"] + params[0]["b"])
        return {"h": h, "loss": jnp.mean(h**2)}

    imported = graphc.import_jax(net, "input x: [B, 3]", params=params)
    assert list(imported.params) == ["params_0_W", "params_0_b"]
    module = imported.compile().module()
    value, grads = module.value_and_grad_loss(imported.params, np.ones((4, 3)))
    assert float(value) == pytest.approx(np.tanh(0.3) ** 2, abs=1e-15)
    assert grads["params_0_b"] == pytest.approx(np.full(2, np.tanh(0.3) / np.cosh(0.3) ** 2))


@jax.custom_vjp
def doubled(x: Any) -> Any:
    return 2 * x


doubled.defvjp(lambda x: (2 * x, None), lambda _, ct: (7 * ct,))


def test_all_that_cannot_be_said_is_told_at_once_at_its_place() -> None:
    def f(x: Any) -> Any:
        a = doubled(x)
        b = jax.lax.while_loop(lambda c: jnp.sum(c) > 1, lambda c: c / 2, x)
        c = jnp.fft.fft(x).real
        return a + b + c

    with pytest.raises(graphc.GraphError) as raised:
        graphc.import_jax(f, "input x: [3]")
    places = [one.span.text for one in raised.value.diagnostics]
    assert "jax.lax.while_loop(lambda c: jnp.sum(c) > 1, lambda c: c / 2, x)" in places
    assert any("fft" in one for one in places)
    said = str(raised.value)
    assert "a `while_loop` has no bound on its steps" in said


def agrees_with_jax(function: Any, declare: str, *arguments: Any) -> str:
    """Compare a value and its derivative along a direction with those of JAX; returns the text."""
    imported = graphc.import_jax(function, declare)
    (name,) = imported.compile(level=0).module().GRAPH["outputs"]
    names = [*inspect.signature(function).parameters]
    net = imported.compile(level=0, derive=[f"jvp {name} wrt {', '.join(names)} as push"]).module()
    points = tuple(map(jnp.asarray, arguments))
    moved = tuple(jnp.asarray(normal(*np.shape(one))) for one in arguments)
    value, slope = jax.jvp(function, points, moved)
    tangents = dict(zip(names, map(np.asarray, moved), strict=True))
    found, pushed = net.push(*arguments, tangents=tangents)
    np.testing.assert_allclose(found[0], value, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(pushed[0], slope, rtol=1e-12, atol=1e-12)
    return imported.text


@jax.custom_jvp
def root(x, scale):
    """The root of what is positive, and 0 of what is not."""
    return jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1.0)), 0.0) * scale


@root.defjvp
def _root_jvp(primals, tangents):
    (x, scale), (dx, dscale) = primals, tangents
    r = root(x, jnp.ones_like(scale))
    slope = jnp.where(x > 0, 0.5 / jnp.where(x > 0, r, 1.0), 0.0)
    return r * scale, slope * dx * scale + r * dscale


def test_a_function_that_states_its_derivative_is_a_block_with_a_rule() -> None:
    """Both modes have what is stated, also where it is not the derivative of the value."""

    def f(x, s):
        return jnp.sum(root(x, s) * root(s, s) + doubled(x))

    imported = graphc.import_jax(f, "input x: [3]; input s: [3]")
    assert "rule jvp y = " in imported.text
    assert "    y = 2.0 * x\n    rule vjp x = 7.0 * cotangent(y)\n" in imported.text
    x, s = np.array([4.0, 0.0, -1.0]), np.array([1.0, 0.0, 3.0])
    with jax.enable_x64(True):
        wanted = jax.grad(f, (0, 1))(jnp.asarray(x), jnp.asarray(s))
    for level in (0, 2):
        net = imported.compile(level=level, derive=["grad f wrt x, s"]).module()
        found = net.grad_f(x, s)
        np.testing.assert_allclose(found["x"], wanted[0], rtol=1e-12)
        np.testing.assert_allclose(found["s"], wanted[1], rtol=1e-12)


@jax.jit
def cell(h, x, W):
    a = x @ W + h
    z = jax.nn.sigmoid(a)
    return (1 - z) * h + z * jnp.tanh(a)


def test_a_function_that_is_compiled_by_itself_and_used_again_is_a_block() -> None:
    def f(xs, h, W):
        h = cell(h, xs[0], W)
        return jnp.sum(cell(h, xs[1], W) ** 2)

    with jax.enable_x64(True):
        text = graphc.import_jax(f, "input xs: [2, B, 3]; input h: [B, 2]; param W: [3, 2]").text
    assert text == (
        "block cell(h: [B, 2], x: [B, 3], W: [3, 2]) -> y: [B, 2] {\n"
        "    a = x @ W + h\n"
        "    z = sigmoid(a)\n"
        "    y = (1.0 - z) * h + z * tanh(a)\n"
        "}\n"
        "dim B\n"
        "input xs: [2, B, 3]\n"
        "input h: [B, 2]\n"
        "param W: [3, 2]\n"
        "h_2 = cell(h, xs[0], W)\n"
        "output f = sum(cell(h_2, xs[1], W)**2)\n"
    )


def newton(a):
    def unfinished(state):
        i, _, gap = state
        return (i < 50) & (gap > 1e-12)

    def step(state):
        i, y, _ = state
        better = (y + a / y) / 2
        return i + 1, better, jnp.abs(better - y)

    _, y, _ = jax.lax.while_loop(unfinished, step, (0, a, 1.0))
    return y


def halved(a):
    """How often a number is halved until it is below 1, at most 20 times; times what is left."""
    i, y = jax.lax.while_loop(
        lambda s: (s[1] > 1.0) & (s[0] < 20), lambda s: (s[0] + 1, s[1] * 0.5 * jnp.cos(a)), (0, a)
    )
    return y * i


def turned(a):
    step = lambda s: (s[0] + 1, jnp.sin(s[1]) * s[0])  # noqa: E731
    return jax.lax.while_loop(lambda s: s[0] <= 7, step, (2, a))[1]


def test_named_scopes_are_blocks_and_numbered_ones_are_uses_of_one() -> None:
    def scoped(x, W, V):
        for i, w in enumerate((W, V)):
            with jax.named_scope(f"layer_{i}"):
                h = jnp.tanh(x @ w)
                with jax.named_scope("gate"):
                    g = jax.nn.sigmoid(h) * 2 + h
                x = jnp.sin(x) + h * g
        return x

    declare = "input x: [B, 4]; param W, V: [4, 4]"
    imported = graphc.import_jax(scoped, declare)
    assert imported.text == (
        "block gate(x: [..., 4]) -> g: [..., 4] {\n"
        "    g = sigmoid(x) * 2.0 + x\n"
        "}\n"
        "block layer(x: [B, 4], W: [4, 4]) -> x_2: [B, 4] {\n"
        "    h = tanh(x @ W)\n"
        "    x_2 = sin(x) + h * gate(h)\n"
        "}\n"
        "dim B\n"
        "input x: [B, 4]\n"
        "param W: [4, 4]\n"
        "param V: [4, 4]\n"
        "x_3 = layer(x, W)\n"
        "output x_2 = layer(x_3, V)\n"
    )
    x, W, V = normal(2, 4), normal(4, 4), normal(4, 4)
    found = imported.compile().module().forward({"W": W, "V": V}, x)[0]
    np.testing.assert_allclose(found[0], scoped(x, W, V), rtol=1e-12)


def test_a_while_loop_whose_condition_bounds_a_counter_is_a_scan() -> None:
    with jax.enable_x64(True):
        text = agrees_with_jax(newton, "input a", 2.0)
        for a in (100.0, 0.5, 1e9):  # some steps, none, as many as there may be
            agrees_with_jax(halved, "input a", a)
        assert "scan step[t in 2..7]" in agrees_with_jax(turned, "input a", 0.3)
    assert text == (
        "input a\n"
        "scan step[t in 50] carry y = a {\n"
        "    better = (y + a / y) / 2.0\n"
        "    until not abs(better - y) > 1e-12\n"
        "    next y = better\n"
        "}\n"
        "output y\n"
    )


MODEL = """\
import jax.numpy as jnp


def loss(x):
    y = jnp.sum(x**2)
    return y
"""


def test_the_command_takes_a_function_of_jax_for_one(tmp_path: Path) -> None:
    (tmp_path / "jax_model.py").write_text(MODEL, encoding="utf-8")
    source = f"{tmp_path / 'jax_model.py'}:loss"
    done = CliRunner().invoke(app, ["import", source, "--declare", "input x: [N]"])
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "dim N\ninput x: [N]\noutput y = sum(x**2)\n"
