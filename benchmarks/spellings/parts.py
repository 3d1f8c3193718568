"""Parts of programs, each a frame with a gap and what may stand there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.spellings.rewriting import instead
from benchmarks.spellings.spelt import Sample, Spelt

Shapes = Mapping[str, tuple[int, ...]]

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


def _framed(
    frame: str,
    fillings: Mapping[str, str],
    inputs: Sequence[Shapes],
    params: Shapes,
    apart: Mapping[str, str] | None = None,
) -> Spelt:
    """Spell a frame by what stands in its gap; it derives `f`. The same numbers for all."""

    def sample(shapes: Shapes) -> Sample:
        rng = np.random.default_rng(7)
        sizes = ", ".join(str(list(shape)) for shape in dict.fromkeys(shapes.values()))
        taken = {name: rng.normal(size=shape) for name, shape in shapes.items()}
        return Sample(sizes, {n: rng.normal(size=shape) for n, shape in params.items()}, taken)

    samples = [*map(sample, inputs)]
    spellings = {name: (instead("GAP", text),) for name, text in fillings.items()}
    return Spelt(frame, spellings, ("f",), lambda: samples[:1], lambda: samples, apart=apart or {})


SPELT = {
    "a cell": _framed(
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
        {"W": (96, 256), "b": (256,)},
    ),
    "elementwise gates": _framed(
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
        {"w": (56,), "b": (56,)},
    ),
    "a layer": _framed(
        ROWS,
        {
            "@": "sum(tanh(A @ W + b)**2)",
            "einsum": 'sum(square(tanh(einsum("n i, i j -> n j", A, W) + b)))',
            "columns": "sum(tanh((W.T @ A.T).T + b)**2)",
            "mean of sums": "N * mean(sum(tanh(A @ W + b) * tanh(A @ W + b), axis=1))",
        },
        FEW_AND_MANY,
        {"W": (6, 6), "b": (6,)},
    ),
    "a cross-entropy": _framed(
        ROWS,
        {
            "log_softmax": "-sum(log_softmax(A @ W + b, axis=1) * B)",
            "log of softmax": "-sum(log(softmax(A @ W + b, axis=1)) * B)",
            "logsumexp": "-sum((A @ W + b - logsumexp(A @ W + b, axis=1, keepdims=true)) * B)",
            "log of a sum": """-sum((A @ W + b
        - log(sum(exp(A @ W + b), axis=1, keepdims=true))) * B)""",
        },
        FEW_AND_MANY,
        {"W": (6, 6), "b": (6,)},
    ),
    "a quadratic form": _framed(
        ROWS,
        {
            "sum of a product": "sum((A @ W) * B) + sum(b)",
            "einsum": 'einsum("n i, i j, n j ->", A, W, B) + sum(b)',
            "matrices": "sum((B.T @ A) * W.T) + sum(b)",
            "rows": "sum(sum((A @ W) * B, axis=1)) + sum(b)",
        },
        FEW_AND_MANY,
        {"W": (6, 6), "b": (6,)},
    ),
}
