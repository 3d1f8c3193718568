"""What the table of references cannot say: hard points, second derivatives, messages, memory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import test_ops
from conftest import module
from operation_references import ROWS
from test_ops import NAMES, Call, Point, Reference

from graphc.ops import FUNCTIONS
from graphc.source import GraphError

nan, inf, pi = math.nan, math.inf, math.pi
EULER = 0.5772156649015329

POINTS = [
    Point("leaky_relu(a)", (0.0,), 0, (0.01,), True),
    Point("elu(a)", (0.0,), 0, (1,), True),
    Point("elu(a)", (1000.0,), 1000, (1,), True),
    Point("elu(a)", (-1000.0,), -1, (0,), True),
    Point("celu(a)", (1000.0,), 1000, (1,), True),
    Point("gelu(a)", (1000.0,), 1000, (1,), True),
    Point("gelu(a)", (-1000.0,), 0, (0,), True),
    Point("mish(a)", (1000.0,), 1000, (1,), True),
    Point("mish(a)", (-1000.0,), 0, (0,), True),
    Point("log_sigmoid(a)", (1000.0,), 0, (0,), True),
    Point("log_sigmoid(a)", (-1000.0,), -1000, (1,), True),
    Point("softsign(a)", (0.0,), 0, (1,), True),
    Point("hardtanh(a)", (1.0,), 1, (1,), True),
    Point("bce_logits(a, b)", (0.0, 0.0), math.log(2), (0.5, 0), True),
    Point("bce_logits(a, b)", (1000.0, 1.0), 0, (0, -1000), True),
    Point("bce_logits(a, b)", (-1000.0, 1.0), 1000, (-1, 1000), True),
    Point("clip(a, b, 2)", (1.0, 1.0), 1, (1, 0), True),
    Point("clip(a, b, 2)", (0.0, 1.0), 1, (0, 1), True),
    Point("clip(a, 3, b)", (1.0, 2.0), 2, (0, 1), True),
    Point("clip(a, 0, 1)", (nan,), nan, (0,), True),
    Point("heaviside(a, b)", (0.0, 0.3), 0.3, (0, 1), True),
    Point("mod(a, b)", (6.0, 3.0), 0, (1, -2), True),
    Point("round(a)", (0.5,), 0, (0,), True),
    Point("norm(a, axis=1)", ([[0.0, 0.0], [3.0, 4.0]],), [0, 5], ([[0, 0], [0.6, 0.8]],), True),
    Point("std(a, axis=0, ddof=1)", ([[2.0], [2.0]],), [0], ([[0], [0]],), True),
    Point("xlogy(a, b)", (0.0, 0.0), 0, (-inf, 0)),
    Point("xlogy(a, b)", (2.0, 1.0), 0, (0, 2), True),
    Point("xlog1py(a, b)", (0.0, -1.0), 0, (-inf, 0)),
    Point("logaddexp(a, b)", (-inf, -inf), -inf, (0, 0)),
    Point("logaddexp(a, b)", (1000.0, 1000.0), 1000 + math.log(2), (0.5, 0.5), True),
    Point("logaddexp(a, b)", (-inf, 0.0), 0, (0, 1), True),
    Point("prod(a)", ([0.0, 2.0, 0.0],), 0, ([0, 0, 0],), True),
    Point("cumprod(a)", ([2.0, 0.0, 3.0],), [2, 0, 0], ([1, 8, 0],), True),
    Point("logcumsumexp(a)", ([-inf, 0.0, -inf],), [-inf, 0, 0], ([0, 2, 0],)),
    Point("erf(a)", (0.0,), 0, (2 / math.sqrt(pi),), True),
    Point("erf(a)", (inf,), 1, (0,), True),
    Point("erfc(a)", (-inf,), 2, (0,), True),
    Point("erfc(a)", (30.0,), 0, (0,), True),
    Point("lgamma(a)", (1.0,), 0, (-EULER,), True),
    Point("lgamma(a)", (-0.5,), 1.2655121234846454, (0.03648997397857652,), True),
    Point("lgamma(a)", (1e30,), 1e30 * (math.log(1e30) - 1), (math.log(1e30),), True),
    Point("lgamma(a)", (0.0,), inf, (-inf,)),
    Point("digamma(a)", (1.0,), -EULER, (pi**2 / 6,), True),
    Point("arcsin(a)", (1.0,), pi / 2, (inf,)),
    Point("arccosh(a)", (1.0,), 0, (inf,)),
    Point("arcsinh(a)", (1e30,), math.asinh(1e30), (1e-30,), True),
    Point("atan2(a, b)", (0.0, -1.0), pi, (-1, 0), True),
    Point("atan2(a, b)", (1e30, 1e30), pi / 4, (5e-31, -5e-31), True),
    Point("hypot(a, b)", (3e30, 4e30), 5e30, (0.6, 0.8), True),
    Point("logit(a)", (0.0,), -inf, (inf,)),
    Point("cbrt(a)", (0.0,), 0, (inf,)),
    Point("maxpool(a, [2])", ([1.0, 1.0, 0.0, 2.0],), [1, 2], ([0.5, 0.5, 0, 1],), True),
    Point("maxpool(a, [20], stride=1)", ([1.0] * 20,), [1], ([0.05] * 20,), True),
    Point("sort(a)", ([1.0, 1.0, 0.0],), [0, 1, 1], ([1, 1, 1],), True),
    Point("take(a, [0, 0, -1])", ([1.0, 2.0],), [1, 1, 2], ([2, 1],), True),
    Point("scatter_add(a, [0, 0], b)", ([1.0, 2.0], [3.0, 4.0]), [8, 2], ([1, 1], [1, 1]), True),
    Point('einsum("i i ->", a)', ([[1.0, 2.0], [3.0, 4.0]],), 5, ([[1, 0], [0, 1]],), True),
]


@pytest.mark.parametrize("dtype", test_ops.DTYPES)
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_hard_point(point: Point, dtype: str) -> None:
    test_ops.test_hard_point(point, dtype)


def differentiable() -> list[Call]:
    """Two calls of each operation that has a derivative, of float arrays."""
    found = []
    for name, row in ROWS.items():
        calls = [
            call
            for call in test_ops.calls_of(FUNCTIONS[name], Reference(*row))
            if call.N and all(type.startswith("[") for type in call.types)
        ]
        found += calls[1:5:2] or calls[:1]
    return found


@pytest.mark.parametrize("call", differentiable(), ids=str)
def test_second_derivative(call: Call) -> None:
    """The gradient is a node: its own gradient is compared with numerical derivatives."""
    names = NAMES[: len(call.types)]
    text = call.graph.splitlines()[:-1]
    text += [f"y = {call.text}", "s = sum(y * y + y)"]
    text += [f"g{name} = grad(s, {name})" for name in names]
    text += ["output z = " + " + ".join(f"sum(0.5 * g{n} * g{n} + g{n})" for n in names)]
    try:
        generated = module("\n".join(text))
    except GraphError as error:
        if error.diagnostics[0].code not in ("E402", "E406"):  # integers, or no derivative
            raise
        return
    errors = generated.check(*call.arguments()) if hasattr(generated, "check") else {}
    assert all(error < 1e-6 for error in errors.values()), errors


@pytest.mark.parametrize("call", differentiable(), ids=str)
def test_results_own_their_memory(call: Call) -> None:
    generated = module(call.graph)
    arguments = [np.ascontiguousarray(a) if a.ndim else a[()] for a in call.arguments()]
    results: list[Any] = list(test_ops.outputs(generated, arguments))
    if hasattr(generated, "backward"):
        _, cache = generated.forward(*arguments)
        cotangents = {
            name: np.ones(np.shape(one)) for name, one in zip(call.outputs, results, strict=True)
        }
        results += [*generated.backward(cache, **cotangents).values()]
        arguments += [*cotangents.values(), *cache]
    for place, one in enumerate(results):
        if isinstance(one, np.ndarray):
            assert one.flags.writeable
            others = [o for o in (*arguments, *results[:place]) if isinstance(o, np.ndarray)]
            assert not any(np.shares_memory(one, other) for other in others)


SHAPE = "input a: [2, 3, 4]"
MISTAKES = [
    ('rearrange(a, "b t (h d) -> b h t d")', "E306", "cannot tell the sizes of `h` and `d`"),
    ('rearrange(a, "b t (h d) -> b h t d", h=3)', "E306", "(h d) of 3 does not fit an axis of 4"),
    ('rearrange(a, "b t -> t b")', "E306", "names 2 axes for [2, 3, 4]"),
    ('rearrange(a, "b t c -> b t")', "E306", "index `c` is on one side only"),
    ('rearrange(a, "b (t -> b t")', "E306", "unmatched parenthesis"),
    ('rearrange(a, "b b c -> b c")', "E306", "occurs 2 times on one side"),
    ('rearrange(a, "b t c -> b t c", k=2)', "E306", "no index `k`"),
    ('rearrange(a, "b t c -> c t b", c=2.5)', "E212", "`c` is an integer"),
    ('einsum("bij -> bji", a)', "E306", '"bij" has 1 ind'),
    ('einsum("b i j, j -> b i", a)', "E306", "names 2 operands and gets 1"),
    ('einsum("b i j -> b i", a)', "E306", "`j` occurs once and not in the result"),
    ('einsum("b i j -> b i j j", a)', "E306", "`j` occurs 2 times in the result"),
    ('einsum("b i i -> b", a)', "E306", "`i` is 3 and 4"),
    ('einsum("b i j", a)', "E306", "needs one `->`"),
    ('einsum("b i 2j -> b", a)', "E306", "`2j` is not an index"),
    ("conv2d(a, a)", "E301", "takes x: [N, C, H, W]"),
    ("conv1d(a, ones([5, 2, 2]))", "E301", "channels do not fit"),
    ("conv1d(a, ones([5, 3, 9]))", "E301", "reach 9 over an axis of 4"),
    ("conv1d(a, ones([5, 3, 2]), stride=0)", "E305", "at least 1"),
    ("conv1d(a, ones([4, 1, 2]), groups=3)", "E302", "4 kernels into 3 groups"),
    ("maxpool(a, 9)", "E301", "reach 9 over an axis of 3"),
    ("maxpool(a, [2, 2, 2, 2])", "E301", "the last 4 axes"),
    ("pad(a, [1, 2, 3])", "E305", "`pad` needs a number"),
    ('pad(a, 1, mode="nearest")', "E209", "no mode `nearest`"),
    ("fill_tril(a, 4)", "E301", "takes 6 numbers"),
    ("inv(a)", "E301", "square matrices"),
    ("cross(a, a)", "E301", "vectors of 3"),
    ("norm(a, 3)", "E209", "orders 1, 2 and inf"),
    ("take(a, a)", "E308", "is an integer"),
    ("one_hot(a, 3)", "E308", "is an integer"),
    ("squeeze(a, axis=0)", "E305", "has not the length 1"),
    ("cumsum(a, axis=5)", "E305", "no axis 5"),
    ("dot(a, a)", "E301", "vectors and matrices"),
]


@pytest.mark.parametrize(("text", "code", "message"), MISTAKES, ids=lambda one: one)
def test_mistake(text: str, code: str, message: str) -> None:
    with pytest.raises(GraphError) as caught:
        module(f"{SHAPE}\noutput y = {text}")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert message in diagnostic.message


def test_einsum_is_lowered_to_products() -> None:
    text = """
        dim B, T, S, D
        input q: [B, T, D]
        input k: [B, S, D]
        output s = einsum("b t d, b s d -> b t s", q, k)
    """
    generated = module(text)
    q, k = np.random.default_rng(1).normal(size=(2, 2, 3, 3))
    out, _ = generated.forward(q, k)
    np.testing.assert_allclose(out.s, np.einsum("btd,bsd->bts", q, k), rtol=1e-14)


def test_symbolic_dims() -> None:
    """`conv` of a picture of any size, split heads of any width, a triangle of any side."""
    text = """
        dim H, W, D, heads
        require D % heads == 0
        input x: [1, 2, H, W]
        input w: [3, 2, 3, 3]
        input v: [5, D*(D-1)//2]
        input u: [4, D]
        output y = conv2d(x, w, stride=2, pad=1)
        output p = maxpool(y, 2)
        output m = fill_tril(v, D)
        output r = rearrange(u, "n (h d) -> h n d", h=heads)
    """
    generated = module(text)
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=(1, 2, 7, 10)), rng.normal(size=(3, 2, 3, 3))
    v, u = rng.normal(size=(5, 15)), rng.normal(size=(4, 6))
    out, cache = generated.forward(x, w, v, u, heads=2)
    assert out.y.shape == (1, 3, 4, 5)
    assert out.p.shape == (1, 3, 2, 2)
    assert out.m.shape == (5, 6, 6)
    np.testing.assert_array_equal(out.m[:, 1:, 0], v[:, :5])
    np.testing.assert_array_equal(out.r, u.reshape(4, 2, 3).transpose(1, 0, 2))
    gradients = generated.backward(cache, **{n: np.ones_like(o) for n, o in out._asdict().items()})
    assert [g.shape for g in gradients.values()] == [a.shape for a in (x, w, v, u)]
