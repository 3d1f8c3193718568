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
