"""The workloads that are networks: a to d, and h."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.spellings.rewriting import instead, matching, unrolled
from benchmarks.spellings.spelt import Spelt, of_cases, source
from benchmarks.workloads import deep, mlp, net321, resblocks, transformer

VALUE_AND_GRAD = ("value_and_grad_loss",)
LAYER_BY_LAYER = "each layer's gradients are products of their own; a loop's are one for all"
STACKED_HERE = "parameters that come one by one are stacked for the loop, which copies them"

# ---- a: columns ----------------------------------------------------------------------------------

W_BY_VECTOR = r"(W\d) @ (\w+)"
NET = Spelt(
    source("net321"),
    {
        "columns": (),
        "rows": (matching(W_BY_VECTOR, r"\2 @ \1.T"),),
        "einsum": (matching(W_BY_VECTOR, r'einsum("i j, j -> i", \1, \2)'),),
        "sums of products": (matching(W_BY_VECTOR, r"sum(\1 * \2[_, :], axis=1)"),),
        "a matrix of one column": (matching(W_BY_VECTOR, r"(\1 @ \2[:, _])[:, 0]"),),
        "sigmoid by hand": (
            matching(r"sigmoid\((.*)\)$", r"1 / (1 + exp(-(\1)))"),
            instead("sum((a2 - t)**2) / 2", "0.5 * dot(a2 - t, a2 - t)"),
        ),
    },
    VALUE_AND_GRAD,
    of_cases(net321.WORKLOAD.small),
    of_cases(net321.WORKLOAD.cases),
)

# ---- b: a perceptron -----------------------------------------------------------------------------

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
BY_WEIGHTS = r"(\w+) @ (\w+_W)"
LOSS = "output loss = cross_entropy(logits, label)"
SOFTMAX = """e = exp(logits - max(logits, axis=-1, keepdims=true))
p = e / sum(e, axis=-1, keepdims=true)
output loss = -mean(log(pick(p, label)))"""
PERCEPTRON = Spelt(
    source("mlp"),
    {
        "a chain": (),
        "columns": (EQUATIONS, matching(BY_WEIGHTS, r"(\2.T @ \1.T).T")),
        "softmax by hand": (instead(LOSS, SOFTMAX),),
        "equations": (EQUATIONS,),
        "mlp": (instead(CHAIN, "logits = mlp(x, [128, 64, 10]) as net\n"),),
        "einsum": (EQUATIONS, matching(BY_WEIGHTS, r'einsum("b i, i j -> b j", \1, \2)')),
        "relu by where": (EQUATIONS, matching(r"relu\((.*)\)", r"where(\1 > 0, \1, 0)")),
        "log_softmax": (instead(LOSS, "output loss = -mean(pick(log_softmax(logits), label))"),),
    },
    VALUE_AND_GRAD,
    of_cases(mlp.WORKLOAD.small),
    of_cases(mlp.WORKLOAD.cases),
)

# ---- c: residual blocks --------------------------------------------------------------------------

STEP = "next y = y + relu(y @ up_W + up_b) @ down_W + down_b"
RESIDUAL = instead(
    """x -> repeat layer[k in 1..L] {
    residual { dense(D, act=relu) as up -> dense(D) as down }
} -> y
""",
    f"""repeat layer[k in 1..L] carry y = x {{
    param up_W: [D, D]
    param up_b: [D]
    param down_W: [D, D]
    param down_b: [D]
    {STEP}
}}
""",
)
STACKED = matching(r"^    param (\w+): \[(.*)\]$", r"    \1 = layer_\1[k]")
RESIDUALS = Spelt(
    source("resblocks"),
    {
        "residual stages": (),
        "equations": (RESIDUAL,),
        "a scan over stacks": (
            RESIDUAL,
            STACKED,
            instead(
                "repeat layer[k in 1..L]",
                """param layer_up_W: [L, D, D]
param layer_up_b: [L, D]
param layer_down_W: [L, D, D]
param layer_down_b: [L, D]
scan layer[k in L]""",
            ),
        ),
        "mlp": (instead("dense(D, act=relu) as up -> dense(D) as down", "mlp([D, D]) as ff"),),
        "einsum, sums": (
            RESIDUAL,
            instead("y @ up_W", 'einsum("b i, i j -> b j", y, up_W)'),
            instead("mse(y, t)", "sum((y - t) * (y - t)) / (B * D)"),
        ),
        "a block": (
            RESIDUAL,
            instead(STEP, "next y = branch(y, up_W, up_b, down_W, down_b)"),
            instead(
                "input x, t",
                """block branch(x: [..., K], V: [K, N], b: [N], W: [N, K], c: [K]) -> y: [..., K] {
    h = relu(x @ V + b)
    y = h @ W + c + x
}
input x, t""",
            ),
        ),
        "written out": (unrolled,),
        "equations, written out": (RESIDUAL, unrolled),
        "columns": (
            RESIDUAL,
            instead("carry y = x", "carry z = x.T"),
            instead(STEP, "next z = z + down_W.T @ relu(up_W.T @ z + up_b[:, _]) + down_b[:, _]"),
            instead("output loss", "y = z.T\noutput loss"),
        ),
    },
    VALUE_AND_GRAD,
    of_cases(resblocks.WORKLOAD.small),
    of_cases(resblocks.WORKLOAD.cases),
    apart={
        "written out": LAYER_BY_LAYER,
        "equations, written out": LAYER_BY_LAYER,
    },
)

# ---- d: many narrow layers -----------------------------------------------------------------------

NARROW = instead(
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
DEEP = Spelt(
    source("deep"),
    {
        "repeat": (),
        "a chain": (NARROW,),
        "a scan over stacks": (
            STACKED,
            instead(
                "repeat layer[k in 1..L]",
                "param layer_W: [L, D, D]\nparam layer_b: [L, D]\nscan layer[k in L]",
            ),
        ),
        "einsum": (instead("h @ W", 'einsum("b i, i j -> b j", h, W)'),),
        "columns": (
            instead("carry h = x", "carry c = x.T"),
            instead("next h = tanh(h @ W + b)", "next c = tanh(W.T @ c + b[:, _])"),
            instead("mse(h, t)", "mean(square(c - t.T))"),
        ),
        "written out": (unrolled,),
        "a chain, written out": (NARROW, unrolled),
    },
    VALUE_AND_GRAD,
    of_cases(lambda folder: [deep.case(folder, "float64", layers=20)]),
    of_cases(deep.WORKLOAD.cases),
    apart={"written out": STACKED_HERE, "a chain, written out": STACKED_HERE},
)

# ---- h: a transformer block ----------------------------------------------------------------------

BY_HAND = instead(
    """x -> residual { layernorm as n1 -> self_attention(heads, causal=true) as att }
  -> residual { layernorm as n2 -> dense(4 * D, act=gelu_tanh) as up -> dense(D) as down }
  -> y
""",
    """param n1_gain: [D] ~ ones
param n1_bias: [D] ~ zeros
param Wq, Wk, Wv, Wo: [D, D]
param n2_gain: [D] ~ ones
param n2_bias: [D] ~ zeros
param up_W: [D, 4 * D]
param up_b: [4 * D]
param down_W: [4 * D, D]
param down_b: [D]
require D % heads == 0
m1 = mean(x, axis=-1, keepdims=true)
v1 = mean((x - m1)**2, axis=-1, keepdims=true)
n1 = n1_gain * (x - m1) / sqrt(v1 + 1e-5) + n1_bias
q = transpose(reshape(n1 @ Wq, [B, T, heads, D // heads]), [0, 2, 1, 3])
k = transpose(reshape(n1 @ Wk, [B, T, heads, D // heads]), [0, 2, 1, 3])
v = transpose(reshape(n1 @ Wv, [B, T, heads, D // heads]), [0, 2, 1, 3])
s = q @ transpose(k, [0, 1, 3, 2]) / sqrt(D // heads)
late = arange(T)[:, _] >= arange(T)[_, :]
a = softmax(where(late, s, -1e30), axis=-1)
o = reshape(transpose(a @ v, [0, 2, 1, 3]), [B, T, D])
z = x + o @ Wo
m2 = mean(z, axis=-1, keepdims=true)
v2 = mean((z - m2)**2, axis=-1, keepdims=true)
n2 = n2_gain * (z - m2) / sqrt(v2 + 1e-5) + n2_bias
u = n2 @ up_W + up_b
y = z + gelu_tanh(u) @ down_W + down_b
""",
)
HEADS = r"(\w) = transpose\(reshape\(n1 @ (\w+), .*\]\), \[0, 2, 1, 3\]\)"
ATTENTION = """s = q @ transpose(k, [0, 1, 3, 2]) / sqrt(D // heads)
late = arange(T)[:, _] >= arange(T)[_, :]
a = softmax(where(late, s, -1e30), axis=-1)
o = reshape(transpose(a @ v, [0, 2, 1, 3]), [B, T, D])
"""
HEAD_BY_HEAD = """late = arange(T)[:, _] >= arange(T)[_, :]
repeat head[h in 0..heads-1] {
    qh = q[:, :, h*(D//heads):(h+1)*(D//heads)]
    kh = k[:, :, h*(D//heads):(h+1)*(D//heads)]
    s = qh @ transpose(kh, [0, 2, 1]) / sqrt(D // heads)
    a = softmax(where(late, s, -1e30), axis=-1)
    collect os = a @ v[:, :, h*(D//heads):(h+1)*(D//heads)]
}
o = rearrange(os, "h b t d -> b t (h d)")
"""
WEIGHTS = "a = softmax(where(late, s, -1e30), axis=-1)"
SHARES = "a = e / sum(e, axis=-1, keepdims=true)"
TRANSFORMER = Spelt(
    source("transformer"),
    {
        "standard blocks": (),
        "einsum": (
            BY_HAND,
            matching(
                HEADS,
                r'\1 = einsum("b t i, i h d -> b h t d", n1, reshape(\2, [D, heads, D // heads]))',
            ),
            instead(
                "q @ transpose(k, [0, 1, 3, 2])", 'einsum("b h t d, b h s d -> b h t s", q, k)'
            ),
            instead(
                "o = reshape(transpose(a @ v, [0, 2, 1, 3]), [B, T, D])",
                'o = einsum("b h t s, b h s d -> b h t d", a, v)',
            ),
            instead(
                "o @ Wo",
                'einsum("b h t d, h d i -> b t i", o, reshape(Wo, [heads, D // heads, D]))',
            ),
        ),
        "softmax by hand": (
            BY_HAND,
            instead(
                WEIGHTS,
                "sm = where(late, s, -1e30)\n"
                f"e = exp(sm - max(sm, axis=-1, keepdims=true))\n{SHARES}",
            ),
        ),
        "reshape, transpose": (BY_HAND,),
        "one product for three": (
            BY_HAND,
            instead("n1 @ Wq", "qs"),
            instead("n1 @ Wk", "ks"),
            instead("n1 @ Wv", "vs"),
            instead("q = t", "qs, ks, vs = split(n1 @ concat(Wq, Wk, Wv, axis=1), 3)\nq = t"),
        ),
        "a mask added": (BY_HAND, instead("where(late, s, -1e30)", "s + where(late, 0, -1e30)")),
        "softmax without its maximum": (
            BY_HAND,
            instead(WEIGHTS, f"e = exp(where(late, s, -1e30))\n{SHARES}"),
        ),
        "var, gelu by hand": (
            BY_HAND,
            matching(r"v(\d) = mean\(\((\w) - m\d\)\*\*2,", r"v\1 = var(\2,"),
            instead("gelu_tanh(u)", "0.5 * u * (1 + tanh(sqrt(2 / pi) * (u + 0.044715 * u**3)))"),
        ),
        "rows": (
            BY_HAND,
            matching(r"\bn1 @ (\w+), \[B", r"reshape(n1, [B*T, D]) @ \1, [B"),
            instead("o @ Wo", "reshape(reshape(o, [B*T, D]) @ Wo, [B, T, D])"),
            instead("u = n2", "u = reshape(n2, [B*T, D])"),
            matching(r"z \+ (gelu.*)$", r"z + reshape(\1, [B, T, D])"),
        ),
        "head by head": (
            BY_HAND,
            matching(HEADS, r"\1 = n1 @ \2"),
            instead(ATTENTION, HEAD_BY_HEAD),
        ),
    },
    VALUE_AND_GRAD,
    of_cases(transformer.WORKLOAD.small),
    of_cases(transformer.WORKLOAD.cases),
    apart={"head by head": "a head is large enough to be computed alone, in calls of its own"},
)

SPELT: Mapping[str, Spelt] = {
    "a": NET,
    "b": PERCEPTRON,
    "c": RESIDUALS,
    "d": DEEP,
    "h": TRANSFORMER,
}
