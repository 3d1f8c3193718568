"""The workloads, each written as others would write it: by rules from its file where that can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.generated import WORKLOADS
from benchmarks.spellings.rewriting import (
    Rule,
    instead,
    matching,
    opened,
    rolled,
    unrolled,
)

SOURCES: Mapping[str, str] = {path.stem: path.read_text() for path in WORKLOADS.glob("*.graph")}

MATRIX_BY_VECTOR = r"(\w+) @ (\w+)"
DENSE = r"(\w+) = dense\((\w+), (\w+)(?:, act=(\w+))?\)"

SIGMOID = matching(r"sigmoid\((.*)\)$", r"1 / (1 + exp(-(\1)))")

NET = {
    "columns": (),
    "rows": (matching(r"(W\d) @ (\w+)", r"\2 @ \1.T"),),
    "einsum": (matching(r"(W\d) @ (\w+)", r'einsum("i j, j -> i", \1, \2)'),),
    "sums of products": (matching(r"(W\d) @ (\w+)", r"sum(\1 * \2[_, :], axis=1)"),),
    "a matrix of one column": (matching(r"(W\d) @ (\w+)", r"(\1 @ \2[:, _])[:, 0]"),),
    "by hand": (SIGMOID, instead("sum((a2 - t)**2) / 2", "0.5 * dot(a2 - t, a2 - t)")),
}
"""What `a` is by rules."""

CHAIN = "x -> dense(128, act=relu) as l1 -> dense(64, act=relu) as l2 -> dense(10) -> logits\n"
EQUATIONS = instead(
    CHAIN,
    """param l1_W: [784, 128]
param l1_b: [128]
param l2_W: [128, 64]
param l2_b: [64]
param logits_W: [64, 10]
param logits_b: [10]
l1 = relu(x @ l1_W + l1_b)
l2 = relu(l1 @ l2_W + l2_b)
logits = l2 @ logits_W + logits_b
""",
)
PRODUCT = r"(\w+) @ (\w+_W)"
SOFTMAX = """e = exp(logits - max(logits, axis=-1, keepdims=true))
p = e / sum(e, axis=-1, keepdims=true)
output loss = -mean(log(pick(p, label)))"""
LOSS = "output loss = cross_entropy(logits, label)"
PERCEPTRON = {
    "a chain": (),
    "equations": (EQUATIONS,),
    "mlp": (instead(CHAIN, "logits = mlp(x, [128, 64, 10]) as net\n"),),
    "einsum": (EQUATIONS, matching(PRODUCT, r'einsum("b i, i j -> b j", \1, \2)')),
    "columns": (EQUATIONS, matching(PRODUCT, r"(\2.T @ \1.T).T")),
    "relu by where": (EQUATIONS, matching(r"relu\((.*)\)", r"where(\1 > 0, \1, 0)")),
    "relu by maximum": (EQUATIONS, matching(r"relu\((.*)\)", r"maximum(\1, 0)")),
    "softmax by hand": (instead(LOSS, SOFTMAX),),
    "one-hot": (
        instead(LOSS, "output loss = -sum(one_hot(label, 10) * log_softmax(logits)) / B"),
    ),
}

RESIDUAL = instead(
    """x -> repeat layer[k in 1..L] {
    residual { dense(D, act=relu) as up -> dense(D) as down }
} -> y
""",
    """repeat layer[k in 1..L] carry y = x {
    param up_W: [D, D]
    param up_b: [D]
    param down_W: [D, D]
    param down_b: [D]
    next y = y + relu(y @ up_W + up_b) @ down_W + down_b
}
""",
)
STACKED = matching(r"^    param (\w+): \[(.*)\]$", r"    \1 = layer_\1[k]")
RESIDUAL_STACKS = (
    RESIDUAL,
    STACKED,
    instead("repeat layer[k in 1..L]", """param layer_up_W: [L, D, D]
param layer_up_b: [L, D]
param layer_down_W: [L, D, D]
param layer_down_b: [L, D]
scan layer[k in L]"""),
)
MSE = instead("mse(y, t)", "sum((y - t) * (y - t)) / (B * D)")
BRANCH = (
    instead("input x, t", """block branch(x: [..., K]) -> y: [..., K] {
    param V, W: [K, K]
    y = x + relu(x @ V) @ W
}
input x, t"""),
)
RESIDUALS = {
    "residual stages": (),
    "written out": (unrolled,),
    "equations": (RESIDUAL,),
    "equations, written out": (RESIDUAL, unrolled),
    "a scan over stacks": RESIDUAL_STACKS,
    "mlp": (instead("dense(D, act=relu) as up -> dense(D) as down", "mlp([D, D]) as ff"),),
    "einsum": (RESIDUAL, instead("y @ up_W", 'einsum("b i, i j -> b j", y, up_W)'), MSE),
    "columns": (
        RESIDUAL,
        instead("carry y = x", "carry z = x.T"),
        instead(
            "next y = y + relu(y @ up_W + up_b) @ down_W + down_b",
            "next z = z + down_W.T @ relu(up_W.T @ z + up_b[:, _]) + down_b[:, _]",
        ),
        instead("output loss", "y = z.T\noutput loss"),
    ),
}

DEEP_CHAIN = instead(
    """repeat layer[k in 1..L] carry h = x {
    param W: [D, D]
    param b: [D]
    next h = tanh(h @ W + b)
}
""",
    """x -> repeat layer[k in 1..L] {
    dense(D, act=tanh) as fc
} -> h
""",
)
DEEP_STACKS = instead("repeat layer[k in 1..L]", """param layer_W: [L, D, D]
param layer_b: [L, D]
scan layer[k in L]""")
DEEP = {
    "repeat": (),
    "written out": (unrolled,),
    "a chain": (DEEP_CHAIN,),
    "a chain, written out": (DEEP_CHAIN, unrolled),
    "a scan over stacks": (STACKED, DEEP_STACKS),
    "einsum": (instead("h @ W", 'einsum("b i, i j -> b j", h, W)'),),
    "columns": (
        instead("h @ W + b", "h.T @ W + b"),
        instead("tanh(", "tanh("),
    ),
}
DEEP["columns"] = (
    instead("carry h = x", "carry c = x.T"),
    instead("next h = tanh(h @ W + b)", "next c = tanh(W.T @ c + b[:, _])"),
    instead("mse(h, t)", "mean(square(c - t.T))"),
)

SQUARE = instead("c * c", "c**2")
ELEMENTWISE = {
    "a block": (),
    "written out": (opened,),
    "repeat": (rolled("repeat"),),
    "scan": (rolled("scan"),),
    "repeat, written out": (rolled("repeat"), opened),
    "a power": (SQUARE,),
    "square": (instead("c * c", "square(c)"), opened),
    "sigmoid": (instead("tanh(h * x)", "2 * sigmoid(2 * h * x) - 1"),),
}
