"""One mathematics, one speed: however a graph is written, it costs the same and gives the same."""

from __future__ import annotations

from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np
import pytest

import graphc
from benchmarks.spellings.parts import SPELLINGS, arrays_for

MARGIN = 1.1
"""So much more than the cheapest spelling the others may cost, in calls and in bytes."""


FUNCTIONS = (np.ufunc, FunctionType, BuiltinFunctionType, type(np.sum))


@dataclass
class Counts:
    """Calls of NumPy, and the bytes that they read and write."""

    calls: int = 0
    moved: int = 0


@dataclass(frozen=True)
class Counting:
    """NumPy, or one of its functions, that counts its calls."""

    of: Any
    counts: Counts

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.of, name)
        return Counting(found, self.counts) if isinstance(found, FUNCTIONS) else found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        found = self.of(*args, **kwargs)
        arrays = [one for one in (*args, found) if isinstance(one, np.ndarray)]
        self.counts.calls += 1
        self.counts.moved += sum(one.nbytes for one in arrays)
        return found


def measured(text: str, shapes: Any) -> tuple[Any, Counts]:
    """The value and the gradients, and what the second call took: the first makes arrays."""
    module = graphc.compile_text(text).module()
    arrays = arrays_for(module, shapes)
    module.f(**arrays)
    counts = Counts()
    module.__dict__["np"] = Counting(np, counts)
    return module.f(**arrays), counts


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings_cost_the_same(name: str) -> None:
    """Value and gradients agree with -O0, whose values other tests hold; calls and bytes agree."""
    one = SPELLINGS[name]
    shapes = one.shapes[0]
    texts = [*one.texts.values()]
    plain = graphc.compile_text(texts[0], level=0).module()
    value, gradients = plain.f(**arrays_for(plain, shapes))
    costs: list[Counts] = []
    for text in texts:
        (found, slopes), counts = measured(text, shapes)
        np.testing.assert_allclose(found, value, rtol=1e-11)
        assert slopes.keys() == gradients.keys()
        for path, expected in gradients.items():
            np.testing.assert_allclose(slopes[path], expected, rtol=1e-9, atol=1e-12)
        costs.append(counts)
    for what in ("calls", "moved"):
        found = [getattr(one, what) for one in costs]
        assert max(found) <= MARGIN * min(found) + 1, (what, found)


NAMED = """
input x: [3]
input w: [6]
h = tanh(x)
z = concat(h, sin(x), axis=0) * w
a = z[0:3]
b = z[3:6]
q = h[:]
output r = concat(q, x, axis=0)[0:3]
output y = sum(a * b) + sum(r * exp(r))
derive grad y wrt h, q, r, a as g
derive jacobian r wrt x as J
"""


def test_names_stand_for_what_they_name() -> None:
    """A part that is all of what was joined is that, and yet differentiated by under its name."""
    module = graphc.compile_text(NAMED).module()
    x, w = np.array([0.1, 0.2, 0.3]), np.arange(1.0, 7.0)
    h, s = np.tanh(x), np.sin(x)
    b, slope = s * w[3:], np.exp(h) * (1 + h)
    found = module.g(x, w)
    for path, expected in {"h": b * w[:3] + slope, "q": slope, "r": slope, "a": b}.items():
        np.testing.assert_allclose(found[path], expected, rtol=1e-14)
    np.testing.assert_allclose(module.J(x, w)["r"]["x"], np.diag(1 - h * h), rtol=1e-14)


def test_a_part_that_is_all_of_an_input() -> None:
    """Where an axis is known to be short, a range of it is the input itself."""
    module = graphc.compile_text(
        "dim E = 1\ninput x: [E]\noutput a = x[:1]\noutput b = sin(x)\n"
        "derive jacobian a, b wrt x as J\n"
    ).module()
    found = module.J(np.array([0.5]))
    assert found["a"]["x"].tolist() == [[1.0]]
    np.testing.assert_allclose(found["b"]["x"].item(), np.cos(0.5), rtol=1e-15)


def test_an_empty_part_moves_no_other() -> None:
    """What is chosen behind an array without elements is of the array that has it."""
    module = graphc.compile_text(
        "input a: [5]\ninput b: [2]\ninput c: [9000]\n"
        "z = tanh(concat(a[2:2], b, c, axis=0) * 2)\n"
        "output y = sum(z[3:4]) + 10 * sum(z[0:2])\n"
        "derive value_and_grad y wrt b, c as g\n"
    ).module()
    b, c = np.array([0.1, 0.2]), np.linspace(0.3, 0.7, 9000)
    value, found = module.g(np.ones(5), b, c)
    of_b, of_c = np.tanh(2 * b), np.tanh(2 * c[1])
    slope = np.zeros(9000)
    slope[1] = 2 * (1 - of_c**2)
    np.testing.assert_allclose(value, 10 * np.sum(of_b) + of_c, rtol=1e-14)
    np.testing.assert_allclose(found["b"], 20 * (1 - of_b**2), rtol=1e-13)
    np.testing.assert_allclose(found["c"], slope, rtol=1e-13)


CROSSED = """
dim T, B
const H = 3
input xs: [T, B, H]
input x0: [B, H]
block squared(v: [T, B, H]) -> y: [T, B, H] {
    y = v * v
    rule vjp v = cotangent(y) * 2 * v
    rule jvp y = tangent(v) * 2 * v
}
repeat layer[k in 1..2] carry s = xs {
    param W: [2*H, 2*H] ~ glorot
    param b: [2*H] ~ glorot
    scan cell[t in T] carry h = x0 {
        z = concat(s[t], h, axis=1)
        p = z @ W[:, 0:H] + b[0:H]
        q = z @ W[:, H:] + b[H:]
        next h = sigmoid(p) * tanh(q)
        collect out = sigmoid(p) * tanh(q)
    }
    next s = out
}
rows = sum(squared(s), axis=[0, 2])
output loss = sum(rows)
derive value_and_grad loss wrt params, x0 as f
derive grad loss wrt layer.* as family
derive grad loss wrt layer.2.b, x0 per B as each
derive hvp loss wrt params as bend
"""


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_cell_under_other_features(dtype: str) -> None:
    """Families of a repeat, one gradient an example, stated rules and second derivatives."""
    plain, fast = (graphc.compile_text(CROSSED, level=n, dtype=dtype).module() for n in (0, 2))
    rng = np.random.default_rng(3)
    params = {path: rng.normal(size=x.shape) for path, x in sorted(fast.init(0).items())}
    close = {"rtol": 1e-9, "atol": 1e-12} if dtype == "float64" else {"rtol": 2e-4, "atol": 1e-5}
    for steps, examples in ((4, 2), (1, 1), (0, 2)):
        given = {
            "xs": rng.normal(size=(steps, examples, 3)),
            "x0": rng.normal(size=(examples, 3)),
            "params": params,
        }
        for name in ("f", "family", "each", "bend"):
            more = {"tangents": params} if name == "bend" else {}
            found, right = (getattr(one, name)(**given, **more) for one in (fast, plain))
            pairs = zip(leaves(found), leaves(right), strict=True)
            for one, other in pairs:
                np.testing.assert_allclose(one, other, **close)
    if dtype == "float64":
        x0 = given["x0"] = rng.normal(size=(2, 3))
        given["xs"] = rng.normal(size=(4, 2, 3))
        way, step = rng.normal(size=x0.shape), 1e-6
        _, slopes = fast.f(**given)
        up, down = (fast.f(**{**given, "x0": x0 + h * way})[0] for h in (step, -step))
        np.testing.assert_allclose(np.sum(slopes["x0"] * way), (up - down) / (2 * step), rtol=1e-6)


def leaves(found: Any) -> list[Any]:
    """The arrays of a result, in an order of their own."""
    if hasattr(found, "items"):
        return [one for _, part in sorted(found.items()) for one in leaves(part)]
    if isinstance(found, tuple):
        return [one for part in found for one in leaves(part)]
    return [found]
