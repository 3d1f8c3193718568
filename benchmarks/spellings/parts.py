"""One mathematics in several spellings: what each costs, against the fastest.

    python -m benchmarks.spellings [NAME ...]

Measured is the processor time of one thread for a value and all gradients, the least of many runs
by turns.
"""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

import graphc
from benchmarks.tables import ratio, seconds

RUNS = 15
SECONDS = 0.05  # that a run takes, or more


@dataclass(frozen=True)
class Spellings:
    """A graph with a gap, what may stand there by name, and the shapes of inputs to measure with.

    The texts derive a value and its gradients as `f`.
    """

    frame: str
    fillings: Mapping[str, str]
    shapes: Sequence[Mapping[str, tuple[int, ...]]]

    @property
    def texts(self) -> dict[str, str]:
        return {name: self.frame.replace("GAP", text) for name, text in self.fillings.items()}


CELL = """
dim T, B
const D = 32
const H = 64
input xs: [T, B, D]
param W: [D + H, 4*H]
param b: [4*H]
scan cell[t in T] carry h = zeros([B, H]), c = zeros([B, H]) {
    GAP
    c1 = sigmoid(f) * c + sigmoid(i) * tanh(g)
    next c = c1
    next h = sigmoid(o) * tanh(c1)
}
output loss = mean(h**2)
derive value_and_grad loss wrt params as f
"""
DIAGONAL = """
dim T
const H = 14
input xs: [T, H]
param w, b: [4*H]
scan cell[t in T] carry h = ones([H]), c = ones([H]) {
    x = xs[t]
    GAP
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
output loss = GAP
derive value_and_grad loss wrt params as f
"""
STEPS = ({"xs": (50, 1, 32)}, {"xs": (50, 32, 32)})
FEW_AND_MANY = ({"A": (20, 6), "B": (20, 6)}, {"A": (20_000, 6), "B": (20_000, 6)})

SPELLINGS = {
    "a cell": Spellings(
        CELL,
        {
            "joined, split": "i, f, o, g = split(concat(xs[t], h, axis=1) @ W + b, 4, axis=1)",
            "two products": "i, f, o, g = split(xs[t] @ W[0:D] + h @ W[D:] + b, 4, axis=1)",
            "joined, gate by gate": """z = concat(xs[t], h, axis=1)
    i = z @ W[:, 0:H] + b[0:H]
    f = z @ W[:, H:2*H] + b[H:2*H]
    o = z @ W[:, 2*H:3*H] + b[2*H:3*H]
    g = z @ W[:, 3*H:] + b[3*H:]""",
            "gate by gate": """i = xs[t] @ W[0:D, 0:H] + h @ W[D:, 0:H] + b[0:H]
    f = xs[t] @ W[0:D, H:2*H] + h @ W[D:, H:2*H] + b[H:2*H]
    o = xs[t] @ W[0:D, 2*H:3*H] + h @ W[D:, 2*H:3*H] + b[2*H:3*H]
    g = xs[t] @ W[0:D, 3*H:] + h @ W[D:, 3*H:] + b[3*H:]""",
        },
        STEPS,
    ),
    "elementwise gates": Spellings(
        DIAGONAL,
        {
            "gate by gate": """f = x * w[0:H] + b[0:H]
    i = h * w[H:2*H] + b[H:2*H]
    o = x * w[2*H:3*H] + b[2*H:3*H]
    g = h * w[3*H:] + b[3*H:]""",
            "joined, split": "f, i, o, g = split(concat(x, h, x, h, axis=0) * w + b, 4, axis=0)",
            "stacked": """z = stack(x, h, x, h, axis=0) * reshape(w, [4, H]) + reshape(b, [4, H])
    f = z[0]
    i = z[1]
    o = z[2]
    g = z[3]""",
            "rearranged": """z = rearrange(concat(x, h, x, h, axis=0) * w + b, "(k h) -> k h", k=4)
    f = z[0]
    i = z[1]
    o = z[2]
    g = z[3]""",
        },
        ({"xs": (1000, 14)},),
    ),
    "a layer": Spellings(
        ROWS,
        {
            "@": "sum(tanh(A @ W + b)**2)",
            "einsum": 'sum(square(tanh(einsum("n i, i j -> n j", A, W) + b)))',
            "columns": "sum(tanh((W.T @ A.T).T + b)**2)",
            "mean of sums": "N * mean(sum(tanh(A @ W + b) * tanh(A @ W + b), axis=1))",
        },
        FEW_AND_MANY,
    ),
    "a cross-entropy": Spellings(
        ROWS,
        {
            "log_softmax": "-sum(log_softmax(A @ W + b, axis=1) * B)",
            "log of softmax": "-sum(log(softmax(A @ W + b, axis=1)) * B)",
            "logsumexp": "-sum((A @ W + b - logsumexp(A @ W + b, axis=1, keepdims=true)) * B)",
            "log of a sum": """-sum((A @ W + b
        - log(sum(exp(A @ W + b), axis=1, keepdims=true))) * B)""",
        },
        FEW_AND_MANY,
    ),
    "a quadratic form": Spellings(
        ROWS,
        {
            "sum of a product": "sum((A @ W) * B) + sum(b)",
            "einsum": 'einsum("n i, i j, n j ->", A, W, B) + sum(b)',
            "matrices": "sum((B.T @ A) * W.T) + sum(b)",
            "rows": "sum(sum((A @ W) * B, axis=1)) + sum(b)",
        },
        FEW_AND_MANY,
    ),
}


def arrays_for(module: ModuleType, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """What `f` takes: the same numbers for the same names and shapes."""
    rng = np.random.default_rng(7)
    taken = inspect.signature(module.f).parameters
    inputs = {name: rng.normal(size=shapes[name]) for name in sorted(taken.keys() & shapes)}
    filled = {path: rng.normal(size=x.shape) for path, x in sorted(module.init(0).items())}
    return {**inputs, "params": filled}


def times(runs: Sequence[Callable[[], Any]]) -> list[float]:
    """Seconds of each, the least of many runs by turns."""
    found = [float("inf")] * len(runs)
    for _ in range(RUNS):
        for place, run in enumerate(runs):
            calls, start = 0, time.process_time()
            while (taken := time.process_time() - start) < SECONDS:
                run()
                calls += 1
            found[place] = min(found[place], taken / calls)
    return found


def main(names: Sequence[str]) -> None:
    print("| what | sizes | spelling | time | over the fastest |\n|---|---|---|---|---|")
    for name in names or SPELLINGS:
        one = SPELLINGS[name]
        modules = [graphc.compile_text(text).module() for text in one.texts.values()]
        for shapes in one.shapes:
            given = [arrays_for(module, shapes) for module in modules]
            runs = [
                lambda module=module, arrays=arrays: module.f(**arrays)
                for module, arrays in zip(modules, given, strict=True)
            ]
            found = times(runs)
            sizes = ", ".join(str(list(shape)) for shape in dict.fromkeys(shapes.values()))
            for spelling, taken in zip(one.fillings, found, strict=True):
                more = ratio(taken / min(found))
                print(f"| {name} | {sizes} | {spelling} | {seconds(taken)} | {more} |")


if __name__ == "__main__":
    main(sys.argv[1:])
