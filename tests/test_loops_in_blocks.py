"""Loops in blocks: which loops run for a part of an axis, and that they compute the same."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from graphc.compile.stages import Options, compile_text
from tests.loading import loaded
from tests.test_blocks import arguments, fast_text, leaves, modules

STAGES = """
    dim N
    input x: [N]
    param w
    scan l[t in 12] carry h = x {
        a = tanh(h * x)
        c = a + 0.5 * w * h
        next h = 0.9 * h + 0.1 * exp(-(c * c)) * x - 0.1 * a
    }
    output loss = sum(h * h)
    derive value_and_grad loss wrt x, w
"""
LAYERS = """
    dim N
    input x: [N, 3]
    param p: [3]
    repeat layer[k in 1..6] carry h = x {
        param s: [3]
        m = where(h > 0.4, h * s, -h * p)
        q = h / sqrt(sum(m * m, axis=-1, keepdims=true) + 1)
        next h = tanh(q + m) + 0.1 * x
        collect hs = q
    }
    output loss = sum(h * mean(hs, axis=0))
    derive value_and_grad loss wrt x, params
"""
PATHS = """
    dim N
    input z: [N, 6]
    input mask: [6, N]
    input idle: [N]
    param mu, sigma
    scan w[t in 6] carry s = ones([N]), v = 0.1 * idle, rate = mu {
        u = s * exp(rate - 0.5 * v * v + sigma * z[:, t])
        late = where(arange(N) + t < 5, u, 0.9 * u)
        next s, v, rate = where(mask[t] > 0.5, late, s), v + 0.1 * tanh(u) / (t + 1), 0.9 * rate
        collect path = u
    }
    output ends = s * v
    output paths = path
    output loss = mean(relu(mean(path, axis=0) - 0.9)) + sum(v * v)
    derive value_and_grad loss wrt params, z
"""
NESTED = """
    dim N
    input x: [N]
    param a
    scan outer[i in 3] carry y = x {
        scan inner[j in 2] carry u = y {
            next u = sin(u * a) + exp(-u * u) * 0.1 * (i + j)
        }
        next y = 0.5 * y + tanh(u)
    }
    output loss = sum(y)
    derive value_and_grad loss wrt x, a
"""
INSIDE: dict[str, tuple[str, dict[str, tuple[object, ...]]]] = {
    "stages": (STAGES, {"x": ("N",), "w": ()}),
    "layers": (LAYERS, {"x": ("N", 3), "p": (3,), **{f"layer.{k}.s": (3,) for k in range(1, 7)}}),
    "paths": (PATHS, {"z": ("N", 6), "mask": (6, "N"), "idle": ("N",), "mu": (), "sigma": ()}),
    "nested": (NESTED, {"x": ("N",), "a": ()}),
}
OUTSIDE = {
    "a sum over the axis": "next h = tanh(h - mean(h)) * cos(h) + sin(h) * x",
    "another order": "next h = tanh(flip(h)) * exp(-h) + sin(h) * x",
    "neighbours": "next h = tanh(roll(h, 1)) * exp(-h) + sin(h) * x",
    "a running sum": "next h = tanh(cumsum(h)) * exp(-h) + sin(h) * x",
    "a condition": "next h = tanh(h) * exp(-h) + sin(h) * x\n        until sum(h) > 9",
}
"""What a step does that no block can do for itself."""


def results(module: ModuleType, given: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
    """All outputs of a module, and its derivatives: in one function, and from the cache."""
    outputs, cache = module.forward(**given)
    together = module.value_and_grad_loss(**given)
    return leaves((*outputs, *together, module.backward(cache, loss=1.5)))


@pytest.mark.parametrize("name", INSIDE)
def test_loops_in_blocks_compute_what_the_readable_module_does(name: str) -> None:
    text, shapes = INSIDE[name]
    readable, fast = modules(text)
    before, *blocks = fast_text(text, "value_and_grad_loss").split("def block")
    assert re.search("^        for ", "".join(blocks), re.MULTILINE)
    assert not re.search("^    for ", before, re.MULTILINE)
    for cache, n in ((1, 61), (5_000, 61), (5_000, 1), (2**21, 2), (1, 0)):
        if n or name != "paths":  # whose mean is of none
            fast.CACHE = cache  # type: ignore[attr-defined]
            given = arguments(readable, shapes, n)
            results(fast, given)  # so that the scratch has been used
            for one, other in zip(results(fast, given), results(readable, given), strict=True):
                assert one.shape == other.shape
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("why", OUTSIDE)
def test_loops_that_mix_positions_stay_outside(why: str) -> None:
    text = """
        dim N
        input x: [N]
        scan l[t in 60] carry h = x {
            next h = tanh(h) * exp(-h) + sin(h) * x
        }
        output loss = sum(h * exp(-h) + sin(h) * cos(h))
        derive value loss
        derive value_and_grad loss wrt x
    """
    inside = re.compile("^        for ", re.MULTILINE)
    assert inside.search(fast_text(text, "value_loss"))
    text = text.replace("next h = tanh(h) * exp(-h) + sin(h) * x", OUTSIDE[why])
    assert not inside.search(fast_text(text, "value_loss"))
    readable, fast = modules(text)
    fast.CACHE = 300  # type: ignore[attr-defined]
    given = {"x": np.random.default_rng(0).uniform(0.1, 1.0, 50)}
    for one, other in zip(results(fast, given), results(readable, given), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


def test_loops_that_are_one_in_a_block_run_once() -> None:
    """Loops that only read their elements by other names are two in the whole and one in a block,
    which each of their readers follows."""
    text = """
        dim N
        input x: [N, 3]
        param W: [3, 3]
        y = tanh(x @ W)
        scan l[t in 2] carry h = y, g = y @ W.T {
            next h = 0.9 * h
            next g = 0.5 * g + 0.4 * tanh(g * g)
        }
        c = 0.5 * h
        output loss = sum(sin(c))
        derive sparse_hessian loss wrt x, c, W as second
    """
    readable, fast = modules(text)
    given = arguments(readable, {"x": ("N", 3), "W": (3, 3)}, 7)
    expected = readable.second(**given).toarray()
    for cache in (1, 300, 2**20):
        fast.CACHE = cache  # type: ignore[attr-defined]
        found = fast.second(**given).toarray()
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def test_stacks_that_are_long_stay_outside() -> None:
    """A hundred steps fill the cache with so few positions that calls would take the time."""
    text = STAGES.replace("t in 12", "t in 100")
    assert not re.search("^        for ", fast_text(text, "value_and_grad_loss"), re.MULTILINE)


def test_what_stacks_nothing_may_take_any_number_of_steps() -> None:
    """The logistic map 4 u (1 - u), of which n steps are sin²(2ⁿ arcsin √u); also no step."""
    text = """
        dim N, T
        input x: [N]
        input f: [T, N]
        scan l[t in T] carry u = x {
            next u = f[t] * u - f[t] * u * u
        }
        output last = sqrt(u) * exp(u) / exp(u)
        derive value last
    """
    assert re.search("^        for ", fast_text(text, "value_last"), re.MULTILINE)
    _, fast = modules(text)
    rng = np.random.default_rng(0)
    for cache, T, N in ((1, 7, 33), (1000, 7, 333), (2**21, 0, 5), (1, 0, 5), (1, 3, 0)):
        fast.CACHE = cache  # type: ignore[attr-defined]
        x = rng.uniform(0.1, 0.9, N)
        found = fast.value_last(x, np.full((T, N), 4.0))
        expected = np.abs(np.sin(2**T * np.arcsin(np.sqrt(x))))
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_loops_in_blocks_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits as on one, also in given arrays; in single precision, close to double."""
    text, shapes = INSIDE["paths"]
    for dtype in ("float64", "float32"):
        options = Options(level="-O2", dtype=dtype)
        fast = loaded(compile_text(text, options=options).text, f"loops_in_{dtype}")
        fast.CACHE, fast.LONG = 20_000, 0.0  # type: ignore[attr-defined]
        given = arguments(fast, shapes, 1000)
        made = []
        for number in ("1", "3"):
            monkeypatch.setenv("GRAPHC_THREADS", number)
            out = {"z": np.empty((1000, 6), dtype), "sigma": np.empty((), dtype)}
            loss, gradients = fast.value_and_grad_loss(**given, out=out)
            assert gradients["z"] is out["z"]
            made.append(leaves((loss, gradients)))
        for one, other in zip(*made, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == dtype
        if dtype == "float64":
            double = made[0]
        else:
            for one, other in zip(made[0], double, strict=True):
                np.testing.assert_allclose(one, other, rtol=2e-4, atol=1e-6)
