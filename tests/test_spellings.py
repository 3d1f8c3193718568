"""One mathematics, one speed: however a graph is written, it costs the same and gives the same."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import graphc

MARGIN = 1.1
"""So much more than the cheapest spelling the others may cost, in calls and in bytes."""

CELL = """
dim T, B
const D = 3
const H = 4
input xs: [T, B, D]
param W: [D + H, 4*H]
param b: [4*H]
scan cell[t in T] carry h = zeros([B, H]), c = zeros([B, H]) {
    GATES
    c1 = sigmoid(f) * c + sigmoid(i) * tanh(g)
    next c = c1
    next h = sigmoid(o) * tanh(c1)
}
output loss = mean(h**2)
derive value_and_grad loss wrt params as f
"""
DIAGONAL = """
dim T
const H = 3
input xs: [T, 2, H]
param w, b: [4*H]
scan cell[t in T] carry h = ones([H]), c = ones([H]) {
    x = xs[t, 0]
    GATES
    c1 = c * sigmoid(f) + sigmoid(i) * tanh(g)
    next c = c1
    next h = sigmoid(o) * tanh(c1)
}
output loss = sum(h**2)
derive value_and_grad loss wrt params as f
"""
ROWS = """
dim N
input A, B: [N, 6]
param W: [6, 6]
param b: [6]
output loss = LOSS
derive value_and_grad loss wrt params as f
"""

SHAPES = {"xs": (9, 2, 3), "A": (11, 6), "B": (11, 6)}

SPELLINGS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "a cell": (
        CELL,
        "GATES",
        (
            "i, f, o, g = split(concat(xs[t], h, axis=1) @ W + b, 4, axis=1)",
            "i, f, o, g = split(xs[t] @ W[0:D] + h @ W[D:] + b, 4, axis=1)",
            """z = concat(xs[t], h, axis=1)
    i = z @ W[:, 0:H] + b[0:H]
    f = z @ W[:, H:2*H] + b[H:2*H]
    o = z @ W[:, 2*H:3*H] + b[2*H:3*H]
    g = z @ W[:, 3*H:] + b[3*H:]""",
            """i = xs[t] @ W[0:D, 0:H] + h @ W[D:, 0:H] + b[0:H]
    f = xs[t] @ W[0:D, H:2*H] + h @ W[D:, H:2*H] + b[H:2*H]
    o = xs[t] @ W[0:D, 2*H:3*H] + h @ W[D:, 2*H:3*H] + b[2*H:3*H]
    g = xs[t] @ W[0:D, 3*H:] + h @ W[D:, 3*H:] + b[3*H:]""",
        ),
    ),
    "gates that are elementwise": (
        DIAGONAL,
        "GATES",
        (
            """f = x * w[0:H] + b[0:H]
    i = h * w[H:2*H] + b[H:2*H]
    o = x * w[2*H:3*H] + b[2*H:3*H]
    g = h * w[3*H:] + b[3*H:]""",
            "f, i, o, g = split(concat(x, h, x, h, axis=0) * w + b, 4, axis=0)",
            """z = stack(x, h, x, h, axis=0) * reshape(w, [4, H]) + reshape(b, [4, H])
    f = z[0]
    i = z[1]
    o = z[2]
    g = z[3]""",
            """z = rearrange(concat(x, h, x, h, axis=0) * w + b, "(k h) -> k h", k=4)
    f = z[0]
    i = z[1]
    o = z[2]
    g = z[3]""",
        ),
    ),
    "a layer": (
        ROWS,
        "LOSS",
        (
            "sum(tanh(A @ W + b)**2)",
            'sum(square(tanh(einsum("n i, i j -> n j", A, W) + b)))',
            "sum(tanh((W.T @ A.T).T + b)**2)",
            "N * mean(sum(tanh(A @ W + b) * tanh(A @ W + b), axis=1))",
        ),
    ),
    "a cross-entropy": (
        ROWS,
        "LOSS",
        (
            "-sum(log_softmax(A @ W, axis=1) * B)",
            "-sum(log(softmax(A @ W, axis=1)) * B)",
            "-sum((A @ W - logsumexp(A @ W, axis=1, keepdims=true)) * B)",
        ),
    ),
    "a quadratic form": (
        ROWS,
        "LOSS",
        (
            "sum((A @ W) * B)",
            'einsum("n i, i j, n j ->", A, W, B)',
            "sum((B.T @ A) * W.T)",
        ),
    ),
}


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


def arrays_for(module: ModuleType) -> dict[str, Any]:
    """What `f` takes: the same numbers for the same names and shapes."""
    rng = np.random.default_rng(7)
    taken = inspect.signature(module.f).parameters
    inputs = {name: rng.normal(size=SHAPES[name]) for name in sorted(taken.keys() & SHAPES)}
    filled = {path: rng.normal(size=x.shape) for path, x in sorted(module.init(0).items())}
    return {**inputs, "params": filled}


def measured(text: str) -> tuple[Any, Counts]:
    """The value and the gradients, and what the second call took: the first makes arrays."""
    module = graphc.compile_text(text).module()
    arrays = arrays_for(module)
    module.f(**arrays)
    counts = Counts()
    module.__dict__["np"] = Counting(np, counts)
    return module.f(**arrays), counts


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings_cost_the_same(name: str) -> None:
    """Value and gradients agree with -O0, whose values other tests hold; calls and bytes agree."""
    frame, place, spellings = SPELLINGS[name]
    texts = [frame.replace(place, one) for one in spellings]
    plain = graphc.compile_text(texts[0], level=0).module()
    value, gradients = plain.f(**arrays_for(plain))
    costs: list[Counts] = []
    for text in texts:
        (found, slopes), counts = measured(text)
        np.testing.assert_allclose(found, value, rtol=1e-12)
        assert slopes.keys() == gradients.keys()
        for path, expected in gradients.items():
            np.testing.assert_allclose(slopes[path], expected, rtol=1e-10, atol=1e-13)
        costs.append(counts)
    for what in ("calls", "moved"):
        found = [getattr(one, what) for one in costs]
        assert max(found) <= MARGIN * min(found) + 1, (what, found)
