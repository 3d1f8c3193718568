"""What depends on the dims alone: the fast module computes it once, and never writes to it."""

from __future__ import annotations

import functools
import re
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from graphc.compile.stages import Options, compile_text
from tests.loading import loaded

MASKED = """
dim T
input x: [T, T]
param w: [T]
seen = arange(T)[:, _] >= arange(T)[_, :]
steps = arange(T) / 4
table = [[1.0, 2.0], [3.0, 4.0]]
scores = where(seen, x * w, -1e30)
y = softmax(scores, axis=1) @ (x + steps) + eye(T)
scan walk[t in T] carry h = steps {
    next h = tanh(h * w) + x[t, :] + steps
    collect hs = h
}
scan back[t in T] carry g = zeros([T]) {
    next g = g + hs[t, :] * steps
}
output loss = sum(y**2) + sum(h) + sum(g) + sum(table @ x[:2, :])
output seen_by = seen
output ticks = steps
derive value_and_grad loss wrt params, x
derive jacobian ticks, loss wrt w
derive hvp loss wrt w
"""


@functools.cache
def text_at(level: str) -> str:
    return compile_text(MASKED, options=Options(level=level)).text


@pytest.fixture(scope="module")
def levels() -> tuple[ModuleType, ModuleType]:
    return loaded(text_at("-O0"), "constants0"), loaded(text_at("-O2"), "constants2")


def results(net: ModuleType, size: int) -> list[Any]:
    """What all functions return."""
    rng = np.random.default_rng(size)
    given = {"params": {"w": rng.normal(size=size)}, "x": rng.normal(size=(size, size))}
    outputs, cache = net.forward(**given)
    value, gradients = net.value_and_grad_loss(**given)
    first, second = net.hvp_loss(**given, tangents={"w": np.ones(size)})
    jacobian = net.jacobian_ticks_loss(**given)
    every = [
        net.backward(cache, ticks=np.ones(size)),
        gradients,
        first,
        second,
        *jacobian.values(),
    ]
    return [*outputs, value, *(one for each in every for one in each.values())]


@pytest.mark.parametrize("sizes", [(5, 5, 2, 5), (2, 3, 5)])
def test_as_without(levels: tuple[ModuleType, ModuleType], sizes: tuple[int, ...]) -> None:
    plain, fast = levels
    for size in sizes:
        for one, other in zip(results(fast, size), results(plain, size), strict=True):
            assert np.asarray(one).dtype == np.asarray(other).dtype
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_results_are_the_callers(levels: tuple[ModuleType, ModuleType]) -> None:
    """Writing into them changes nothing that is computed later."""
    _, fast = levels
    expected = results(fast, 4)
    for one in results(fast, 4):
        if isinstance(one, np.ndarray):
            one[...] = 1
    for one, other in zip(results(fast, 4), expected, strict=True):
        assert np.array_equal(one, other)


def test_they_are_never_written_to(
    levels: tuple[ModuleType, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that a function takes, but for the arrays that it computes in, may be read-only."""
    plain, fast = levels
    makers = re.findall(r"def (_\w+_scratch\w*)\(.*?return \((.*?)\)", text_at("-O2"), re.DOTALL)
    shared = {
        name: [not re.fullmatch(r"s\d+(_.*)?", part) for part in re.findall(r"\w+", parts)]
        for name, parts in makers
    }
    locked = 0

    def locking(make: Any, lock: list[bool]) -> Any:
        def made(*dims: int) -> tuple[Any, ...]:
            nonlocal locked
            parts: tuple[Any, ...] = make(*dims)
            for part, only_read in zip(parts, lock, strict=True):
                if only_read and isinstance(part, np.ndarray):
                    part.flags.writeable = False
                    locked += 1
            return parts

        return made

    for name, lock in shared.items():
        monkeypatch.setattr(fast, name, locking(getattr(fast, name), lock))
    for one, other in zip(results(fast, 6), results(plain, 6), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    assert locked > 5


def test_they_are_computed_once(
    levels: tuple[ModuleType, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each set of dims."""
    _, fast = levels
    made: list[str] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            if name in ("arange", "eye", "identity"):
                made.append(name)
            return getattr(np, name)

    rng = np.random.default_rng(0)
    monkeypatch.setattr(fast, "np", Counting())
    for size in (7, 8):
        given = {"params": {"w": rng.normal(size=size)}, "x": rng.normal(size=(size, size))}
        fast.value_and_grad_loss(**given)
        first = len(made)
        assert first
        for _ in range(3):
            fast.value_and_grad_loss(**given)
        assert len(made) == first
        made.clear()


def test_backward_makes_its_own() -> None:
    """The cache holds nothing that the dims say."""
    net = loaded(text_at("-O2"), "cached")
    fields = {name for name in net.Cache._fields if "seen" in name or "steps" in name}
    assert not fields
    assert any("seen" in name for name in loaded(text_at("-O0"), "cached0").Cache._fields)


# ---- numbers -------------------------------------------------------------------------------------

NUMBERS = """
dim T
input x: [T, 40]
input _C_0_5: [40]
scan walk[t in T] carry h = _C_0_5 {
    u = 1 / (1 + 0.5 * h * x[t, :]**2)
    next h = maximum(u - 0.1 * tanh(h + 1e-5), 0.5) + _C_0_5 / 7
    collect hs = 2 * u
}
output loss = sum(hs**2) + sum(h)
output y = hs
derive value_and_grad loss wrt x, _C_0_5
"""


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 2e-6)])
def test_numbers_in_loops_have_the_dtype_of_the_module(dtype: str, tolerance: float) -> None:
    """Whatever the names of the graph are."""
    plain, fast = (
        compile_text(NUMBERS, options=Options(level=level, dtype=dtype)).text
        for level in ("-O0", "-O2")
    )
    names = re.findall(r"^(_C_\w+) = np\.asarray\((.+), FLOAT\)$", fast, re.MULTILINE)
    assert {("_C_0_5", "0.5"), ("_C_1em05", "1e-05")} <= set(names)
    assert not re.search(
        r"^ {8}.*np\.(add|subtract|multiply|divide)\(-?\d[\d.e-]*,", fast, re.MULTILINE
    )
    rng = np.random.default_rng(2)
    given = [rng.normal(size=(6, 40)).astype(dtype), rng.normal(size=40).astype(dtype)]
    found, expected = (loaded(text).value_and_grad_loss(*given) for text in (fast, plain))
    values = [(found[0], expected[0]), *((found[1][p], expected[1][p]) for p in expected[1])]
    for one, other in values:
        assert one.dtype == dtype
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * np.max(np.abs(other)))
