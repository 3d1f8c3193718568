"""What samples of one call cannot say: second derivatives, memory, constants, sizes together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from comparing import close
from conftest import long, module
from operation_references import CALLS
from sampling import DTYPES, NAMES, Call

from graphc.ops import FUNCTIONS
from graphc.source import GraphError

pytestmark = pytest.mark.levels

every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def some(calls: Sequence[Call]) -> list[Any]:
    """The second call, and the fourth in long tests; the only one, where there is no second."""
    if len(calls) < 2:
        return [*calls]
    return [calls[1], *map(long, calls[3:4])]


def differentiable() -> list[Any]:
    """Some calls of each operation, of float arrays only."""
    found = []
    for name, calls in CALLS.items():
        if name in FUNCTIONS:
            floats = [c for c in calls if len(c.floats) == len(c.types) and 0 not in shapes(c)]
            bound = [c for c in floats if not c.symbolic or any("N" in type for type in c.types)]
            found += some(bound)
    return found


def shapes(call: Call) -> list[int]:
    """The lengths of all axes of the arguments."""
    return list(itertools.chain(*(call.shape(type, 3) for type in call.types)))


def graph_of(call: Call) -> list[str]:
    return (["dim N"] if call.symbolic else []) + call.lines()


@pytest.mark.readable  # the level is told here: what is optimised has all the same rules
@pytest.mark.parametrize("level", [long("-O0"), "-O2"], indirect=True)
@pytest.mark.parametrize("call", differentiable(), ids=str)
def test_second_derivative(call: Call) -> None:
    """The gradient is a node: its own gradient is compared with numerical derivatives."""
    if call.results > 1:
        return
    names = NAMES[: len(call.types)]
    text = [line.removeprefix("output ") for line in graph_of(call)]
    text += ["s = sum(y0 * y0 + y0)"]
    text += [f"g{name} = grad(s, {name})" for name in names]
    text += ["output z = " + " + ".join(f"sum(0.5 * g{n} * g{n} + g{n})" for n in names)]
    try:
        generated = module("\n".join(text))
    except GraphError as error:
        if error.diagnostics[0].code not in ("E402", "E403", "E406"):  # integers, or none
            raise
        return
    errors = generated.check(*call.arguments()) if hasattr(generated, "check") else {}
    assert all(error < 1e-6 for error in errors.values()), errors


@pytest.mark.parametrize("call", differentiable(), ids=str)
def test_results_own_their_memory(call: Call) -> None:
    generated = module("\n".join(graph_of(call)))
    arguments: list[Any] = [np.ascontiguousarray(a) if a.ndim else a[()] for a in call.arguments()]
    result = generated.forward(*arguments)
    results = list(result[0] if hasattr(generated, "backward") else result)
    if hasattr(generated, "backward"):
        _, cache = result
        cotangents = {
            f"y{i}": np.ones(one.shape) for i, one in enumerate(results) if one.dtype.kind == "f"
        }
        results += [*generated.backward(cache, **cotangents).values()]
        arguments += [*cotangents.values(), *cache]
    for place, one in enumerate(results):
        if isinstance(one, np.ndarray):
            assert one.flags.writeable
            others = [o for o in (*arguments, *results[:place]) if isinstance(o, np.ndarray)]
            assert not any(np.shares_memory(one, other) for other in others)


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


@every_dtype
def test_constants_do_not_promote(dtype: str) -> None:
    """Numbers, dims and arrays of the text meet float32 without making it float64."""
    text = """
        dim N
        const table = [0.5, 1.5, 2.5]
        input a: [N, 3]
        input k: int[3]
        b = (a * 2.5 + N) / N - 1 / 3
        output y = b * table + k * 0.1 + zeros([3]) + arange(3) / 2 + ones([N, 3]) ** 2
        output z = 0.5 * N
        output s = sum(y) / (3 * N)
    """
    generated = module(text, dtype=dtype)
    a, k = np.random.default_rng(5).normal(size=(2, 3)), np.array([1, 2, 3])
    out, cache = generated.forward(a, k)
    assert {one.dtype.name for one in out} == {dtype}
    b = (a * 2.5 + 2) / 2 - 1 / 3
    expected = b * np.array([0.5, 1.5, 2.5]) + k * 0.1 + np.arange(3) / 2 + 1
    tolerance = 1e-13 if dtype == "float64" else 1e-5
    close(out.y, expected, tolerance)
    close(out.s, expected.mean(), tolerance)
    gradient = generated.backward(cache, s=1.0)["a"]
    assert gradient.dtype == dtype
    close(gradient, np.broadcast_to(np.array([0.5, 1.5, 2.5]) * 1.25 / 6, (2, 3)), tolerance)
