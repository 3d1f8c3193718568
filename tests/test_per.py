"""`per P` against JAX: contributions of the positions of an axis, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import compiled, in_turn, long, module
from derivative_checks import close

from graphc.elaborate.statements.derive import WITH_PER
from graphc.sample import random_arguments
from graphc.source import GraphError

pytestmark = pytest.mark.levels

Names = dict[str, Any]


@dataclass(frozen=True)
class Net:
    """A net whose loss is a sum over B: what one example adds, and where inputs have the axis.

    `weight` is the factor of an example in the whole loss, given how many there are.
    """

    name: str
    text: str
    one: Callable[[Names, Names], Any]
    batched: Mapping[str, int]
    dims: Mapping[str, int]
    weight: Callable[[int], float] = lambda count: 1 / count


def dense(p: Names, path: str, x: Any) -> Any:
    return x @ p[f"{path}.W"] + p[f"{path}.b"]


def mlp(p: Names, i: Names) -> Any:
    y = dense(p, "y", jnp.tanh(dense(p, "h", i["x"])))
    return jnp.mean((y - i["t"]) ** 2)


def classifier(p: Names, i: Names) -> Any:
    return -jax.nn.log_softmax(dense(p, "z", jnp.tanh(dense(p, "h", i["x"]))))[i["label"]]


def cnn(p: Names, i: Names) -> Any:
    y = jax.lax.conv_general_dilated(i["image"][None], p["c.W"], (1, 1), [(1, 1), (1, 1)])
    h = jnp.tanh(y + p["c.b"][:, None, None]).reshape(-1)
    return jnp.sum(dense(p, "y", h) ** 2)


def attention(p: Names, i: Names) -> Any:
    x = i["x"]
    q, k, v = x @ p["Wq"], x @ p["Wk"], x @ p["Wv"]
    s = jax.nn.softmax(q @ k.T / 2)
    return jnp.mean((x + s @ v) ** 2)


def embedding(p: Names, i: Names) -> Any:
    return jnp.sum(jnp.tanh(jnp.sum(p["E"][i["ids"]], 0) @ p["W"]) ** 2)


def gru(p: Names, i: Names) -> Any:
    h = i["h0"]
    for x in i["x"]:
        z = jax.nn.sigmoid(x @ p["step.Wz"] + h @ p["step.Uz"])
        h = z * h + (1 - z) * jnp.tanh(x @ p["step.Wh"] + h @ p["step.Uh"])
    return jnp.sum(h**2)


def residual_layers(p: Names, i: Names) -> Any:
    h = i["x"]
    for k in (1, 2, 3):
        h = h + jnp.tanh(dense(p, f"layer.{k}", h))
    return jnp.mean(h**2)


ATTENTION = """
input x: [{shape}]
param Wq, Wk, Wv: [4, 4]
{swap}
q = z @ Wq
k = z @ Wk
s = softmax(einsum("b t d, b s d -> b t s", q, k) / 2)
output loss = mean((z + s @ (z @ Wv))**2)
"""
GRU = """
input x: [B, T, 3]
input h0: [B, 4]
scan step[t in T] carry h = h0 {
    param Wz, Wh: [3, 4]
    param Uz, Uh: [4, 4]
    z = sigmoid(x[:, t] @ Wz + h @ Uz)
    next h = z * h + (1 - z) * tanh(x[:, t] @ Wh + h @ Uh)
}
output loss = sum(h**2)
"""
LAYERS = """
input x: [B, 4]
x -> repeat layer[k in 1..3] { residual { dense(4, act=tanh) } } -> y
output loss = mean(y**2)
"""
NETS = [
    Net("mlp", """
input x: [B, 3]
input t: [B, 2]
h = dense(x, 5, act=tanh)
y = dense(h, 2)
output loss = mean((y - t)**2)
""", mlp, {"x": 0, "t": 0}, {}),
    Net("summed mlp", """
input x: [B, 3]
input t: [B, 2]
h = dense(x, 5, act=tanh)
y = dense(h, 2)
output loss = sum((y - t)**2) / 2
""", mlp, {"x": 0, "t": 0}, {}, lambda count: 1.0),
    Net("classifier", """
input x: [B, 3]
input label: int[B]
h = dense(x, 5, act=tanh)
z = dense(h, 4)
output loss = -mean(pick(log_softmax(z), label))
""", classifier, {"x": 0, "label": 0}, {}),
    Net("cnn", """
input image: [B, 2, 4, 4]
c = conv(image, 3, 3, pad=1)
y = dense(reshape(tanh(c), [B, 3*4*4]), 2)
output loss = sum(y**2) / B
""", cnn, {"image": 0}, {}),
    Net("attention", ATTENTION.format(shape="B, T, 4", swap="z = x"), attention, {"x": 0},
        {"T": 3}),
    Net("time-major attention",
        ATTENTION.format(shape="T, B, 4", swap="z = transpose(x, [1, 0, 2])"), attention,
        {"x": 1}, {"T": 3}),
    Net("embedding", """
input ids: int[B, T]
param E: [6, 3]
param W: [3, 2]
output loss = sum(tanh(sum(E[ids], axis=T) @ W)**2)
""", embedding, {"ids": 0}, {"T": 4}, lambda count: 1.0),
    Net("gru", GRU, gru, {"x": 0, "h0": 0}, {"T": 3}, lambda count: 1.0),
]  # fmt: skip


def text_of(net: Net, clause: str) -> str:
    dims = ", ".join(["B", *net.dims])
    return f"dim {dims}\n{net.text.strip()}\nderive {clause}\n"


def per_example(net: Net, params: Names, inputs: Names) -> tuple[Any, Names, Names]:
    """Of each example the loss, and its gradients by the parameters and by its own floats."""
    floats = {k: v for k, v in inputs.items() if np.asarray(v).dtype.kind == "f"}
    rest = {k: v for k, v in inputs.items() if k not in floats}
    count = np.shape(next(iter(inputs.values())))[next(iter(net.batched.values()))]

    def one(params: Names, floats: Names, rest: Names) -> Any:
        return net.one(params, {**floats, **rest}) * net.weight(count)

    axes = ({k: net.batched[k] for k in floats}, {k: net.batched[k] for k in rest})
    mapped = jax.vmap(jax.value_and_grad(one, argnums=(0, 1)), in_axes=(None, *axes))
    losses, (by_params, by_inputs) = jax.jit(mapped)(params, floats, rest)
    return losses, by_params, by_inputs


@pytest.mark.parametrize("fixed", [(), long((("B", 4),))], ids=["any B", "B=4"])
@in_turn("net", NETS, ids=lambda net: net.name)
def test_gradients_of_each_example(net: Net, fixed: tuple[tuple[str, int], ...]) -> None:
    floats = [name for name in net.batched if f"input {name}: int" not in net.text]
    wrt = ", ".join(["params", *floats])
    text = text_of(net, f"value_and_grad loss wrt {wrt} per B as each\nderive grad loss wrt {wrt}")
    made = module(text, dims=fixed)
    given = random_arguments(compiled(text, dims=fixed).model, 0, {"B": 4, **net.dims})
    inputs = {name: value for name, value in given.items() if name != "params"}
    losses, by_params, by_inputs = per_example(net, given["params"], inputs)
    value, found = made.each(**given)
    close(value, np.asarray(losses), what="value")
    whole = made.grad_loss(**given)
    assert list(found) == list(whole)
    for path, rows in found.items():
        close(rows, np.asarray({**by_params, **by_inputs}[path]), what=path)
        if path in by_params:
            close(rows.sum(0), np.asarray(whole[path]), what=path)
    assert all(error < 1e-6 for error in made.check(**given).values())


JACOBIAN = """
dim B
input x: [B, 3]
input s: [2, B]
param A: [3, 2]
param g: []
h = tanh(x @ A)
output y = h * s.T * g
output n = sum(h, axis=1)
derive jacobian y, n wrt x, s, A, g per B as J
derive jacobian_matrix y, n wrt x, s, A, g per B as M
derive value_and_jacobian y wrt h, x per B as inner
derive value_and_jacobian_matrix n wrt x per B as vM
"""


def row(p: Names, x: Any, s: Any) -> Names:
    h = jnp.tanh(x @ p["A"])
    return {"y": h * s * p["g"], "n": jnp.sum(h)}


def test_jacobians_of_each_position() -> None:
    rng = np.random.default_rng(0)
    x, s = rng.normal(size=(5, 3)), rng.normal(size=(2, 5))
    params = {"A": rng.normal(size=(3, 2)), "g": rng.normal()}
    made = module(JACOBIAN)
    mapped = jax.vmap(jax.jacrev(row, argnums=(0, 1, 2)), in_axes=(None, 0, 1))
    expected = jax.jit(mapped)(params, x, s)
    found = made.J(params, x, s)
    assert list(found) == ["y", "n"]
    rows = []
    for name, blocks in found.items():
        by_params, by_x, by_s = expected[name]
        assert list(blocks) == ["x", "s", "A", "g"]
        whole = {"x": by_x, "s": by_s, **by_params}
        for path, block in blocks.items():
            close(block, np.asarray(whole[path]), what=f"{name} {path}")
        shape = (5, 2 if name == "y" else 1, -1)
        rows.append(np.concatenate([np.reshape(whole[path], shape) for path in blocks], 2))
    close(made.M(params, x, s), np.concatenate(rows, 1))
    h = np.tanh(x @ params["A"])
    value, blocks = made.inner(params, x, s)
    close(value, h * s.T * params["g"])
    close(blocks["y"]["h"], np.stack([np.diag(one) for one in s.T * params["g"]]))
    close(blocks["y"]["x"], found["y"]["x"])
    value, matrix = made.vM(params, x, s)
    close(value, h.sum(1))
    close(matrix, np.asarray(expected["n"][1])[:, None])
    assert all(error < 1e-6 for error in made.check(params, x, s).values() if error == error)


@pytest.mark.parametrize("count", [0, 1])
def test_few_examples(count: int) -> None:
    net = NETS[1]
    made = module(text_of(net, "value_and_grad loss wrt params, x per B as each"))
    params = made.init(seed=0)
    value, found = made.each(params, np.ones((count, 3)), np.zeros((count, 2)))
    assert value.shape == (count,)
    assert found["h.W"].shape == (count, 3, 5)
    assert found["x"].shape == (count, 3)


# ---- what is refused ----------------------------------------------------------------------------

HELP = "leave out `per B`, or let each position be computed without the others"
SCAN = "scan step[b in B] carry h = 0.0 { next h = tanh(h + z[b]) }"
REVERSED = "y = x @ w\nblock back(x: []) -> y: [] { y = 1 * x; rule vjp x = -cotangent(y) }"
MIXED = [
    ("y = batchnorm(x * w)", "loss = mean(y**2)", "mean", "m = mean(x, axis=0)"),
    ("y = softmax(x @ w, axis=0)", "loss = mean(y**2)", "softmax", "y = softmax(x @ w, axis=0)"),
    (f"z = x @ w\n{SCAN}", "loss = h", "what a loop carries", SCAN),
    ("y = cumsum(x @ w, axis=0)", "loss = mean(y**2)", "running_sum", "y = cumsum(x @ w, axis=0)"),
    ("y = x @ w\nz = y - mean(y)", "loss = mean(z**2)", "mean", "z = y - mean(y)"),
    ("y = x @ w\nz = sum(x)", "loss = mean(y**2) + z", "+", "output loss = mean(y**2) + z"),
    (REVERSED, "loss = back(mean(y**2))", "a rule", "back(mean(y**2))"),
    ("y = x @ w", "loss = sqrt(mean(y**2))", "sqrt", "output loss = sqrt(mean(y**2))"),
    ("y = x @ w", "loss = max(y)", "max", "output loss = max(y)"),
    ("y = x @ w\nz = flip(y, axis=0)", "loss = sum(y * z)", "index", "z = flip(y, axis=0)"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "last", "operation", "place"), MIXED)
def test_what_mixes_the_axis_is_named(line: str, last: str, operation: str, place: str) -> None:
    text = (
        f"dim B\ninput x: [B, 3]\nparam w: [3]\n{line}\noutput {last}\nderive grad loss wrt w per B"
    )
    with pytest.raises(GraphError) as wrong:
        module(text)
    (diagnostic,) = wrong.value.diagnostics
    assert diagnostic.code == "E408"
    shown = str(diagnostic)
    assert f"  = help: {HELP}" in shown
    named = operation if " " in operation else f"`{operation}`"
    assert diagnostic.message == (
        f"axis B cannot be kept apart: {named} mixes its positions, here: `{place}`"
    )


def test_positions_that_end_by_themselves_are_refused() -> None:
    text = """
        dim B
        input x: [B]
        param w
        scan each[b in B] {
            scan it[i in 6] carry s = x[b] { next s = tanh(s * w); until abs(s) < 0.3 }
            collect h = s
        }
        output loss = sum(h**2)
        derive grad loss wrt w per B
    """
    with pytest.raises(GraphError) as wrong:
        module(text)
    (diagnostic,) = wrong.value.diagnostics
    assert diagnostic.code == "E408"
    assert diagnostic.message.startswith("the loop over i ends when a condition holds that differs")
    assert diagnostic.span is not None
    assert diagnostic.span.text.startswith("derive grad loss")


REFUSED = [
    ("sparse_jacobian y wrt w per B", "`per` goes with {kinds}, not with `sparse_jacobian`"),
    ("vjp y wrt w per B", "`per` goes with {kinds}, not with `vjp`"),
    ("jvp y wrt w per B", "`per` goes with {kinds}, not with `jvp`"),
    ("grad loss wrt w per Q", "no dim `Q`"),
    ("jacobian loss wrt w per B", "`loss`: [] has no axis B"),
    ("jacobian gram wrt w per B", "`gram`: [B, B] has 2 axes B"),
    ("grad y wrt w per B", "grad needs a scalar, `y` is [B]"),
]


@pytest.mark.parametrize(("clause", "message"), REFUSED, ids=lambda one: one[:22])
def test_what_per_does_not_go_with(clause: str, message: str) -> None:
    text = (
        "dim B\ninput x: [B, 3]\nparam w: [3]\noutput y = x @ w\noutput loss = sum(y**2)\n"
        f"output gram = (x * w) @ x.T\nderive {clause}"
    )
    with pytest.raises(GraphError) as wrong:
        module(text)
    (diagnostic,) = wrong.value.diagnostics
    assert diagnostic.message == message.format(kinds=", ".join(WITH_PER))
    assert diagnostic.code == ("E402" if "needs" in message else "E408")
    assert diagnostic.span is not None
    assert diagnostic.span.text in clause


def test_one_column_of_a_table_by_index() -> None:
    """[P, 2] of rows that each position chooses: an array of one cell a column, in every mode."""
    made = module("""
        dim P, V
        input v: [V, 2]
        input c, d: int[P]
        output e: [P, 2] = sin(v[c]) * v[d]
        derive jacobian e wrt v per P as J
    """)
    v = np.random.default_rng(0).normal(size=(5, 2))
    c, d = np.array([0, 3, 3]), np.array([4, 3, -1])
    expected = np.zeros((3, 2, 5, 2))
    for p, i in np.ndindex(3, 2):
        expected[p, i, c[p], i] += np.cos(v[c[p], i]) * v[d[p], i]
        expected[p, i, d[p], i] += np.sin(v[c[p], i])
    close(made.J(v, c, d)["e"]["v"], expected)


def test_what_a_block_requires_in_a_loop_holds_in_its_derivatives() -> None:
    """Of dims that are known, too, which need no check at entry."""
    made = module("""
        dim B
        dim D = 4
        input x: [B, D]
        block f(x: [M, K], n: int) -> y: [M, K] {
            require K % n == 0
            param W: [K]
            y = reshape(tanh(reshape(x * W, [M, n, K // n])), [M, n * (K // n)])
        }
        repeat layer[k in 1..2] carry h = x { next h = f(h, 2) as g }
        output loss = sum(h**2)
        derive grad loss wrt layer.2.g.W per B as G
    """)
    rng = np.random.default_rng(0)
    x, first, second = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=4)
    inner = np.tanh(x * first)
    outer = np.tanh(inner * second)
    found = made.G({"layer.1.g.W": first, "layer.2.g.W": second}, x)["layer.2.g.W"]
    close(found, 2 * outer * (1 - outer**2) * inner)


CARRIED = {
    "a total": "scan s[t in 4] carry total = 0.0 {\n"
    "next total = total + sum((x[:, t] * w[t])**2) }\nloss = 3 * total + sum(sin(x @ w))",
    "one that decays": "scan s[t in 4] carry total = 0.0 {\n"
    "next total = sum((x[:, t] * w[t])**2) - total / 2 }\nloss = total",
    "one that starts from a sum": "scan s[t in 4] carry total = sum(x[:, 0] * w[0]) {\n"
    "next total = total + sum((x[:, t] * w[t])**2) }\nloss = total",
    "one beside a state": "scan s[t in 4] carry h = zeros([B]), total = 0.0 {\n"
    "g = tanh(h * w[t] + x[:, t])\nnext h, total = g, total + sum(g**2) }\nloss = total",
}


@pytest.mark.parametrize("name", CARRIED)
def test_sums_that_a_loop_carries(name: str) -> None:
    """Value, gradients, Hessian and product of each position as in a call for it alone."""
    body = CARRIED[name].replace("next h, total = g,", "next h = g\nnext total =")
    text = f"dim B\ninput x: [B, 4]\nparam w: [4]\n{body}\noutput l = loss\n"
    asked = ("value_and_grad l wrt w, x{} as g", "hessian l wrt w{} as H", "hvp l wrt w{} as p")
    each, whole = (
        module(text + "\n".join("derive " + one.format(per) for one in asked))
        for per in (" per B", "")
    )
    rng = np.random.default_rng(0)
    params, x, way = {"w": rng.normal(size=4)}, rng.normal(size=(3, 4)), {"w": rng.normal(size=4)}
    losses, gradients = each.g(params, x)
    bends = each.H(params, x)["w"]["w"]
    slopes, products = each.p(params, x, tangents=way)
    np.testing.assert_allclose(losses.sum(), whole.g(params, x)[0], rtol=1e-12)
    for b in range(3):
        alone = params, x[b : b + 1]
        loss, gradient = whole.g(*alone)
        slope, product = whole.p(*alone, tangents=way)
        np.testing.assert_allclose(losses[b], loss, rtol=1e-12)
        np.testing.assert_allclose(gradients["w"][b], gradient["w"], rtol=1e-11)
        np.testing.assert_allclose(gradients["x"][b], gradient["x"][0], rtol=1e-11)
        np.testing.assert_allclose(bends[b], whole.H(*alone)["w"]["w"], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(slopes["w"][b], slope["w"], rtol=1e-11)
        np.testing.assert_allclose(products["w"][b], product["w"], rtol=1e-10, atol=1e-12)


STARTS = "let the loop start from 0.0, and add what it starts from behind it"
NOT_CARRIED = {
    "carry total = 2.0 { next total = total + sum((x[:, t] * w[t])**2) }": (
        "what a loop carries", STARTS
    ),
    "carry total = 0.0 { next total = total * total + sum((x[:, t] * w[t])**2) }": ("`*`", HELP),
    "carry total = 0.0 { next total = total + sum((x[:, t] * w[t])**2) + w[t]**2 }": ("`+`", HELP),
}  # fmt: skip


@pytest.mark.parametrize("body", NOT_CARRIED)
def test_what_a_loop_carries_may_mix_the_axis(body: str) -> None:
    what, help = NOT_CARRIED[body]
    text = f"dim B\ninput x: [B, 4]\nparam w: [4]\nscan s[t in 4] {body}\noutput l = total\n"
    with pytest.raises(GraphError) as wrong:
        module(f"{text}derive grad l wrt w per B")
    (diagnostic,) = wrong.value.diagnostics
    assert diagnostic.message.startswith(f"axis B cannot be kept apart: {what} mixes")
    assert f"  = help: {help}" in str(diagnostic)


def test_a_loop_over_the_axis_is_no_sum_over_it() -> None:
    text = "dim B\ninput x: [B]\nparam w\nscan s[b in B] carry total = 0.0 {\n"
    text += "next total = total + (x[b] * w)**2 }\noutput l = total\nderive grad l wrt w per B"
    with pytest.raises(GraphError, match="what a loop carries mixes its positions"):
        module(text)
