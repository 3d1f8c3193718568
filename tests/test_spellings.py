"""One mathematics, one speed: however a graph is written, it costs the same and gives the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphc
from benchmarks.spellings import SPELLINGS, arrays_for

MARGIN = 1.1
"""So much more than the cheapest spelling the others may cost, in calls and in bytes."""


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
        return Counting(found, self.counts) if callable(found) else found

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
