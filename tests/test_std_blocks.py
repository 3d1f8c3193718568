"""The standard blocks against JAX: values, gradients, parameters, and what they refuse."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import compiled, in_turn, module

from graphc.elaborate.build import standard
from graphc.elaborate.names.references import walk
from graphc.elaborate.names.standard import StandardBlocks
from graphc.resources import grammar_text
from graphc.source import GraphError, Source
from graphc.syntax import tree
from graphc.syntax.format.formatter import format_source

pytestmark = pytest.mark.levels

Params = dict[str, Any]
EPS = 1e-5


# ---- the references -----------------------------------------------------------------------------


def dense(p: Params, x: Any, act: Callable[[Any], Any] = lambda x: x, name: str = "") -> Any:
    return act(jnp.einsum("...k,ku->...u", x, p[f"{name}W"]) + p.get(f"{name}b", 0))


def dense_col(p: Params, x: Any) -> Any:
    return jnp.tanh(jnp.einsum("uk,k->u", p["W"], x) + p["b"])


def mlp(p: Params, x: Any) -> Any:
    for k in range(2):
        x = dense(p, x, lambda x: jnp.maximum(x, 0), f"layer.{k}.fc.")
    return dense(p, x, name="head.")


def layernorm(p: Params, x: Any) -> Any:
    return jax.nn.standardize(x, axis=-1, epsilon=EPS) * p["gain"] + p["bias"]


def rmsnorm(p: Params, x: Any) -> Any:
    return p["gain"] * x * jax.lax.rsqrt(jnp.sum(x * x, -1, keepdims=True) / x.shape[-1] + EPS)


def batchnorm(p: Params, x: Any) -> Any:
    return jax.nn.standardize(x, axis=0, epsilon=EPS) * p["gain"] + p["bias"]


def batchnorm2d(p: Params, x: Any) -> Any:
    rows = jnp.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
    whole = batchnorm(p, rows).reshape(x.shape[0], *x.shape[2:], x.shape[1])
    return jnp.moveaxis(whole, -1, 1)


def attend(p: Params, x: Any, memory: Any, heads: int, causal: bool = False) -> Any:
    """Head by head, row by row of the batch: no reshaping that could hide a wrong order."""
    width = x.shape[-1] // heads
    rows = []
    for one, other in zip(x, memory, strict=True):
        parts = []
        for h in range(heads):
            at = slice(h * width, (h + 1) * width)
            q, k, v = one @ p["Wq"][:, at], other @ p["Wk"][:, at], other @ p["Wv"][:, at]
            s = q @ k.T / math.sqrt(width)
            if causal:
                s = jnp.where(jnp.tril(jnp.ones(s.shape, bool)), s, -jnp.inf)
            parts.append(jax.nn.softmax(s, axis=-1) @ v)
        rows.append(jnp.concatenate(parts, axis=-1) @ p["Wo"])
    return jnp.stack(rows)


def rnn_cell(p: Params, x: Any, h: Any) -> Any:
    return jnp.tanh(jnp.concatenate([x, h], -1) @ jnp.concatenate([p["W"], p["U"]]) + p["b"])


def gru_cell(p: Params, x: Any, h: Any) -> Any:
    n = h.shape[-1]
    gates = [
        (x @ p["W"][:, at] + p["b"][at], h @ p["U"][:, at] + p["c"][at])
        for at in (slice(0, n), slice(n, 2 * n), slice(2 * n, 3 * n))
    ]
    reset, update = (jax.nn.sigmoid(a + b) for a, b in gates[:2])
    return (1 - update) * jnp.tanh(gates[2][0] + reset * gates[2][1]) + update * h


def lstm_cell(p: Params, x: Any, h: Any, c: Any) -> Any:
    n = h.shape[-1]
    z = x @ p["W"] + h @ p["U"] + p["b"]
    i, f, o = (jax.nn.sigmoid(z[:, k * n : (k + 1) * n]) for k in (0, 1, 3))
    c1 = f * c + i * jnp.tanh(z[:, 2 * n : 3 * n])
    return o * jnp.tanh(c1), c1


def conv(p: Params, x: Any, stride: int = 1, pad: int = 0) -> Any:
    y = jax.lax.conv_general_dilated(x, p["W"], (stride, stride), [(pad, pad)] * 2)
    return jnp.maximum(y + p["b"][:, None, None], 0)


def windows(x: Any, size: int) -> Any:
    """[B, C, H // size, W // size, size * size]; what is left over at the end is dropped."""
    h, w = (n // size for n in x.shape[2:])
    x = x[:, :, : h * size, : w * size].reshape(*x.shape[:2], h, size, w, size)
    return jnp.moveaxis(x, 3, 4).reshape(*x.shape[:3], w, size * size)


def bce(_: Params, logits: Any, target: Any) -> Any:
    p = jax.nn.sigmoid(logits)
    return -jnp.mean(target * jnp.log(p) + (1 - target) * jnp.log(1 - p))


def cross_entropy(_: Params, logits: Any, label: Any) -> Any:
    p = jax.nn.softmax(logits, axis=-1)
    return -jnp.mean(jnp.log(jnp.take_along_axis(p, label[..., None], axis=-1)))


# ---- the cases ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Case:
    """A use of a block: inputs with their types, the sizes of the dims, and the reference."""

    block: str
    use: str
    inputs: tuple[str, ...]
    reference: Callable[..., Any]
    shapes: dict[str, tuple[int, ...]]
    results: tuple[str, ...] = ("y",)
    limit: int = 0

    def text(self, prefix: str = "") -> str:
        dims = "dim " + ", ".join(sorted({c for i in self.inputs for c in i if c.isupper()}))
        inputs = [f"input {one}" for one in self.inputs]
        names = ", ".join(self.results)
        named = " as y" if len(self.results) > 1 else ""
        lines = [dims, *inputs, f"{names} = {prefix}{self.use}{named}", f"output {names}"]
        return "\n".join([*lines, f"derive vjp {names} wrt params, inputs as pulled"])


CASES = [
    Case("dense", "dense(x, 5, act=tanh)", ("x: [B, K]",),
         lambda p, x: dense(p, x, jnp.tanh), {"W": (3, 5), "b": (5,)}),
    Case("dense", "dense(x, 5, bias=false)", ("x: [B, T, K]",), dense, {"W": (3, 5)}),
    Case("dense_col", "dense_col(x, 2, act=tanh)", ("x: [K]",), dense_col,
         {"W": (2, 3), "b": (2,)}),
    Case("mlp", "mlp(x, [4, 6, 2])", ("x: [B, K]",), mlp,
         {"layer.0.fc.W": (3, 4), "layer.0.fc.b": (4,), "layer.1.fc.W": (4, 6),
          "layer.1.fc.b": (6,), "head.W": (6, 2), "head.b": (2,)}),
    Case("mlp", "mlp(x, [4])", ("x: [B, K]",), lambda p, x: dense(p, x, name="head."),
         {"head.W": (3, 4), "head.b": (4,)}),
    Case("layernorm", "layernorm(x)", ("x: [B, T, D]",), layernorm, {"gain": (4,), "bias": (4,)}),
    Case("rmsnorm", "rmsnorm(x)", ("x: [B, T, D]",), rmsnorm, {"gain": (4,)}),
    Case("batchnorm", "batchnorm(x)", ("x: [B, D]",), batchnorm, {"gain": (4,), "bias": (4,)}),
    Case("batchnorm2d", "batchnorm2d(x)", ("x: [B, C, H, W]",), batchnorm2d,
         {"gain": (2,), "bias": (2,)}),
    Case("embedding", "embedding(ids, 7, 3)", ("ids: int[B, T]",), lambda p, ids: p["E"][ids],
         {"E": (7, 3)}, limit=7),
    *(Case("self_attention", f"self_attention(x, {heads}, causal={str(causal).lower()})",
           ("x: [B, T, D]",), lambda p, x, h=heads, c=causal: attend(p, x, x, h, c),
           dict.fromkeys(("Wq", "Wk", "Wv", "Wo"), (4, 4)))
      for heads in (1, 2) for causal in (False, True)),
    Case("attention", "attention(x, memory, 2)", ("x: [B, T, D]", "memory: [B, S, M]"),
         lambda p, x, memory: attend(p, x, memory, 2),
         {"Wq": (4, 4), "Wk": (3, 4), "Wv": (3, 4), "Wo": (4, 4)}),
    Case("rnn_cell", "rnn_cell(x, h)", ("x: [B, I]", "h: [B, D]"), rnn_cell,
         {"W": (3, 4), "U": (4, 4), "b": (4,)}),
    Case("gru_cell", "gru_cell(x, h)", ("x: [B, I]", "h: [B, D]"), gru_cell,
         {"W": (3, 12), "U": (4, 12), "b": (12,), "c": (12,)}),
    Case("lstm_cell", "lstm_cell(x, h, c)", ("x: [B, I]", "h: [B, D]", "c: [B, D]"), lstm_cell,
         {"W": (3, 16), "U": (4, 16), "b": (16,)}, ("h1", "c1")),
    Case("conv", "conv(x, 3, kernel=3, stride=2, pad=1, act=relu)", ("x: [B, C, H, W]",),
         lambda p, x: conv(p, x, 2, 1), {"W": (3, 2, 3, 3), "b": (3,)}),
    Case("conv_maxpool", "conv_maxpool(x, 3, pad=1)", ("x: [B, C, H, W]",),
         lambda p, x: windows(conv(p, x, 1, 1), 2).max(-1), {"W": (3, 2, 3, 3), "b": (3,)}),
    Case("conv_avgpool", "conv_avgpool(x, 3, kernel=2, pool=3)", ("x: [B, C, H, W]",),
         lambda p, x: windows(conv(p, x), 3).mean(-1), {"W": (3, 2, 2, 2), "b": (3,)}),
    Case("mse", "mse(x, t)", ("x: [B, T]", "t: [B, T]"),
         lambda _, x, t: jnp.sum((x - t) ** 2) / x.size, {}),
    Case("cross_entropy", "cross_entropy(x, label)", ("x: [B, T, C]", "label: int[B, T]"),
         cross_entropy, {}, limit=2),
    Case("binary_cross_entropy", "binary_cross_entropy(x, t)", ("x: [B, T]", "t: [B, T]"), bce, {}),
]  # fmt: skip
SIZES = {"B": 2, "T": 5, "S": 3, "K": 3, "I": 3, "D": 4, "M": 3, "C": 2, "H": 6, "W": 7}
BY_USE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.use)


def drawn(case: Case) -> tuple[Params, dict[str, Any]]:
    """Parameters by their path in the block, and inputs."""
    rng = np.random.default_rng(len(case.use))
    inputs = {}
    for one in case.inputs:
        name, _, kind = one.partition(": ")
        shape = [SIZES[c] for c in kind if c.isupper()]
        whole = kind.startswith("int")
        inputs[name] = rng.integers(0, case.limit, shape) if whole else rng.normal(size=shape)
    return {path: rng.normal(size=shape) for path, shape in case.shapes.items()}, inputs


@functools.cache
def expected_of(case: Case) -> tuple[tuple[Any, ...], tuple[Any, ...], Params, Params]:
    """Cotangents, and the values and gradients of JAX: once for all levels."""
    params, inputs = drawn(case)
    floats = {name: x for name, x in inputs.items() if x.dtype.kind == "f"}

    def reference(params: Params, floats: Params) -> tuple[Any, ...]:
        out = case.reference(params, *({**inputs, **floats}.values()))
        return out if isinstance(out, tuple) else (out,)

    @jax.jit
    def values_and_gradients(params: Params, floats: Params, cotangents: Any) -> Any:
        values, pull = jax.vjp(reference, params, floats)
        return values, *pull(cotangents)

    rng = np.random.default_rng(1)
    shapes = [value.shape for value in jax.eval_shape(reference, params, floats)]
    cotangents = tuple(rng.normal(size=shape) for shape in shapes)
    return cotangents, *values_and_gradients(params, floats, cotangents)


@in_turn("case", CASES, ids=lambda case: case.use)
def test_value_and_gradient(case: Case) -> None:
    result = compiled(case.text())
    assert result.warnings == ()
    made = module(case.text())
    params, inputs = drawn(case)
    holder = "y" if case.shapes else ""
    paths = {f"{holder}.{path}": value for path, value in params.items()}
    assert {path for d in result.model.params for path in d.paths} <= set(paths)
    cotangents, expected, by_params, by_floats = expected_of(case)
    given = dict(zip(case.results, cotangents, strict=True))
    arguments = {"params": paths} if params else {}
    values, pulled = made.pulled(**arguments, **inputs, cotangents=given)
    for name, value in zip(case.results, expected, strict=True):
        np.testing.assert_allclose(getattr(values, name), value, rtol=1e-10, atol=1e-10)
    gradients = {f"{holder}.{path}": g for path, g in by_params.items()} | by_floats
    assert set(pulled) == set(gradients)
    for path, gradient in gradients.items():
        np.testing.assert_allclose(pulled[path], gradient, rtol=1e-10, atol=1e-10)


@BY_USE
def test_float32(case: Case) -> None:
    """In float32 throughout, the same numbers but for rounding."""
    narrow, wide = (module(case.text(), dtype=dtype) for dtype in ("float32", "float64"))
    params, inputs = drawn(case)
    arguments = {"params": {f"y.{path}": value for path, value in params.items()}} if params else {}
    shapes = wide.forward(**arguments, **inputs)[0]
    given = {name: np.ones(np.shape(getattr(shapes, name))) for name in case.results}
    (values, pulled), (expected, gradients) = (
        made.pulled(**arguments, **inputs, cotangents=given) for made in (narrow, wide)
    )
    for name in case.results:
        assert getattr(values, name).dtype == np.float32
        np.testing.assert_allclose(getattr(values, name), getattr(expected, name), atol=2e-4)
    for path, gradient in gradients.items():
        assert pulled[path].dtype == np.float32
        np.testing.assert_allclose(pulled[path], gradient, rtol=1e-3, atol=2e-4)


@BY_USE
def test_check_finds_nothing_wrong(case: Case) -> None:
    params, inputs = drawn(case)
    arguments = {"params": {f"y.{path}": value for path, value in params.items()}} if params else {}
    assert max(module(case.text()).check(**arguments, **inputs).values()) < 1e-6


# ---- the file -----------------------------------------------------------------------------------


def blocks() -> list[tree.Block]:
    return [s for s in standard().statements if isinstance(s, tree.Block)]


def test_every_block_is_compared() -> None:
    assert {block.name.text for block in blocks()} == {case.block for case in CASES}


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.name.text)
def test_every_block_says_first_what_it_is(block: tree.Block) -> None:
    assert isinstance(block.body[0], tree.Doc)
    assert block.body[0].text.endswith(".")


def test_the_file_is_in_canonical_form() -> None:
    text = grammar_text("std.graph")
    assert format_source(Source("std.graph", text)) == text


def test_initial_parameters() -> None:
    text = "input x: [2, 3]\nh = layernorm(x) as n\ny = dense(h, 4)\noutput y"
    params = module(text).init(seed=3)
    assert list(params) == ["n.gain", "n.bias", "y.W", "y.b"]
    assert np.all(params["n.gain"] == 1)
    assert not np.any(params["n.bias"])
    assert not np.any(params["y.b"])
    assert np.abs(params["y.W"]).max() <= np.sqrt(6 / 7)


@pytest.mark.parametrize(
    ("use", "said"),
    [
        ("attention(x, x, 3)", "requirement does not hold: width must split evenly over the heads"),
        ("lstm_cell(x, x)", "lstm_cell needs `c`"),
        ("conv(x, 3)", "conv takes x: [B, C, Hi, Wi]; found [2, 5, 4]"),
        ("attention(x, ones([3, 5, 4]), 2)",
         "attention takes memory: [B, S, M], here [2, 5, 4]; found [3, 5, 4]"),
        ("mse(x, ones([2, 5]))", "mse takes t: [...], here [2, 5, 4]; found [2, 5]"),
        ("dense(x, 1.5)", "`units` is an integer known at compile time, found the number 1.5"),
        ("dense(x, 4, act=3)",
         "`act` is an operation or a block known at compile time, found the number 3"),
        ("mlp(x, [])", "index -1 is outside a list of 0"),
    ],
)  # fmt: skip
def test_what_does_not_fit(use: str, said: str) -> None:
    with pytest.raises(GraphError) as caught:
        compiled(f"input x: [2, 5, 4]\ny = {use}\noutput y")
    (only,) = caught.value.diagnostics
    assert only.message == said


def test_each_block_is_parsed_as_in_the_whole_file() -> None:
    """Alone, and at its place: spans, lines and texts are those of std.graph."""
    whole = {one.name.text: one for one in standard().statements if isinstance(one, tree.Block)}
    alone = StandardBlocks()
    assert [*alone] == [*whole]
    assert len(alone) == len(whole)
    assert "dense" in alone
    assert "dance" not in alone
    assert alone.get("dance") is None
    for name, block in whole.items():
        pairs = [*zip(walk([alone[name].tree]), walk([block]), strict=True)]
        assert len(pairs) > 10
        for one, other in pairs:
            assert type(one) is type(other)
            spans = [(s.start, s.end, s.line, s.text) for s in (one.span, other.span)]
            assert spans[0] == spans[1]
