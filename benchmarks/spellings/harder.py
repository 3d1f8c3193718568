"""f to i."""

from benchmarks.spellings.rewriting import instead, matching, opened

SUM_OF_EXP = "sum(logsumexp(logp, axis=K))"
QD = """d = x[:, _, :] - mu[_, :, :]   # [N, K, D]
Qd = q[_, :, :] * d + einsum("k i j, n k j -> n k i", Lo, d)
logp = (alpha + sum(logdiag, axis=D))[_, :] - 0.5 * sum(Qd**2, axis=-1)
"""
CLUSTERS = """scan cluster[k in K] {
    d = x - mu[k]
    Qd = d * q[k] + d @ Lo[k].T
    collect logps = alpha[k] + sum(logdiag[k]) - 0.5 * sum(square(Qd), axis=1)
}
logp = logps.T
"""
POINTS = """scan point[n in N] {
    d = x[n] - mu
    Qd = q * d + einsum("k i j, k j -> k i", Lo, d)
    collect logp = alpha + sum(logdiag, axis=D) - 0.5 * sum(Qd**2, axis=-1)
}
"""
COLUMNS = """d = x.T[_, :, :] - mu[:, :, _]
Qd = q[:, :, _] * d + Lo @ d
logp = (alpha[:, _] + sum(logdiag, axis=D)[:, _] - 0.5 * sum(Qd**2, axis=1)).T
"""
MATRICES = """R = Lo + eye(D)[_, :, :] * q[:, _, :]
d = x[:, _, :] - mu[_, :, :]   # [N, K, D]
Qd = (R[_, :, :, :] @ d[:, :, :, _])[:, :, :, 0]
logp = (alpha + sum(logdiag, axis=D))[_, :] - 0.5 * sum(Qd**2, axis=-1)
"""
MIXTURE = {
    "broadcast": (),
    "a scan over clusters": (instead(QD, CLUSTERS),),
    "a scan over points": (instead(QD, POINTS),),
    "points last": (instead(QD, COLUMNS),),
    "whole matrices": (instead(QD, MATRICES),),
    "products summed": (
        instead('einsum("k i j, n k j -> n k i", Lo, d)', "sum(Lo[_, :, :, :] * d[:, :, _, :], axis=-1)"),
    ),
    "logsumexp by hand": (
        instead(
            SUM_OF_EXP,
            "sum(top + log(sum(exp(logp - top[:, _]), axis=K)))",
        ),
        instead("loglik =", "top = max(logp, axis=1)\nloglik ="),
    ),
    "logsumexp without its maximum": (instead(SUM_OF_EXP, "sum(log(sum(exp(logp), axis=K)))"),),
}

GATES = """    forget = sigmoid(x * w[0:H] + b[0:H])
    ingate = sigmoid(h * w[H:2*H] + b[H:2*H])
    outgate = sigmoid(x * w[2*H:3*H] + b[2*H:3*H])
    change = tanh(h * w[3*H:4*H] + b[3*H:4*H])
"""
JOINED = """    f, i, o, g = split(concat(x, h, x, h, axis=0) * w + b, 4, axis=0)
    forget = sigmoid(f)
    ingate = sigmoid(i)
    outgate = sigmoid(o)
    change = tanh(g)
"""
STACKED = """    W = reshape(w, [4, H])
    z = stack(x, h, x, h) * W + reshape(b, [4, H])
    forget = sigmoid(z[0])
    ingate = sigmoid(z[1])
    outgate = sigmoid(z[2])
    change = tanh(z[3])
"""
PAIRS = """    zx = x * rearrange(w, "(k g h) -> g k h", k=2, g=2)[0] + rearrange(b, "(k g h) -> g k h", k=2, g=2)[0]
    zh = h * rearrange(w, "(k g h) -> g k h", k=2, g=2)[1] + rearrange(b, "(k g h) -> g k h", k=2, g=2)[1]
    forget = sigmoid(zx[0])
    outgate = sigmoid(zx[1])
    ingate = sigmoid(zh[0])
    change = tanh(zh[1])
"""
LAYERS = """scan step[t in 0..T-2] carry s = state {
    v = sequence[t] * extra[0]
    h1, c1 = layer(v, s[0], s[1], main[0], main[1])
    g1, d1 = layer(h1, s[2], s[3], main[2], main[3])
    next s = stack(h1, c1, g1, d1)
    collect top = g1
}
"""
STEP = """scan step[t in 0..T-2] carry h = state[0], c = state[1], g = state[2], d = state[3] {
    h1, c1 = layer(sequence[t] * extra[0], h, c, main[0], main[1])
    g1, d1 = layer(h1, g, d, main[2], main[3])
    next h, c, g, d = h1, c1, g1, d1
    collect top = g1
}
"""
SCALED = (
    instead("sequence[t] * extra[0]", "scaled[t]"),
    instead("scan step", "scaled = sequence * extra[0]\nscan step"),
)
LSTM = {
    "slices": (),
    "written out": (opened,),
    "joined, split": (instead(GATES, JOINED),),
    "stacked": (instead(GATES, STACKED),),
    "two by two": (instead(GATES, PAIRS),),
    "one state": (instead(STEP, LAYERS),),
    "joined, one state": (instead(GATES, JOINED), instead(STEP, LAYERS)),
    "scaled before": SCALED,
    "logsumexp by hand": (
        instead(
            "norm_ = log(sum(exp(y), axis=-1, keepdims=true) + 2)",
            "norm_ = logaddexp(logsumexp(y, axis=-1, keepdims=true), log(2))",
        ),
        instead("-sum(sequence[1:] * (y - norm_)) / (H * (T - 1))", "-mean(sequence[1:] * (y - norm_))"),
    ),
}

STAGE = """x -> residual { layernorm as n1 -> self_attention(heads, causal=true) as att }
  -> residual { layernorm as n2 -> dense(4 * D, act=gelu_tanh) as up -> dense(D) as down }
  -> y
"""
BY_HAND = """param n1_gain: [D] ~ ones
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
"""
QKV = (
    instead("q = transpose(reshape(n1 @ Wq,", "qs, ks, vs = split(n1 @ concat(Wq, Wk, Wv, axis=1), 3, axis=-1)\nq = transpose(reshape(qs,"),
    instead("n1 @ Wk", "ks"),
    instead("n1 @ Wv", "vs"),
)
EINSUMS = (
    matching(r"transpose\(reshape\(n1 @ (\w+), .*\]\), \[0, 2, 1, 3\]\)", r'einsum("b t i, i h d -> b h t d", n1, reshape(\1, [D, heads, D // heads]))'),
    instead("q @ transpose(k, [0, 1, 3, 2])", 'einsum("b h t d, b h s d -> b h t s", q, k)'),
    instead("o = reshape(transpose(a @ v, [0, 2, 1, 3]), [B, T, D])\n", 'o = einsum("b h t s, b h s d -> b h t d", a, v)\n'),
    instead("o @ Wo", 'einsum("b h t d, h d i -> b t i", o, reshape(Wo, [heads, D // heads, D]))'),
)
MASKED = instead("where(late, s, -1e30)", "s + where(late, 0, -1e30)")
SOFTMAX = instead(
    "a = softmax(where(late, s, -1e30), axis=-1)",
    """sm = where(late, s, -1e30)
e = exp(sm - max(sm, axis=-1, keepdims=true))
a = e / sum(e, axis=-1, keepdims=true)""",
)
NO_MAX = instead(
    "a = softmax(where(late, s, -1e30), axis=-1)",
    """e = exp(where(late, s, -1e30))
a = e / sum(e, axis=-1, keepdims=true)""",
)
NORMS = (
    matching(r"v(\d) = mean\(\((\w) - m\d\)\*\*2, axis=-1, keepdims=true\)", r"v\1 = var(\2, axis=-1, keepdims=true)"),
    instead("gelu_tanh(u)", "0.5 * u * (1 + tanh(sqrt(2 / pi) * (u + 0.044715 * u**3)))"),
)
HAND = instead(STAGE, BY_HAND)
HEADS = (
    HAND,
    matching(r"(\w) = transpose\(reshape\(n1 @ (\w+), .*\]\), \[0, 2, 1, 3\]\)", r"\1 = n1 @ \2"),
    instead(
        """s = q @ transpose(k, [0, 1, 3, 2]) / sqrt(D // heads)
late = arange(T)[:, _] >= arange(T)[_, :]
a = softmax(where(late, s, -1e30), axis=-1)
o = reshape(transpose(a @ v, [0, 2, 1, 3]), [B, T, D])
""",
        """late = arange(T)[:, _] >= arange(T)[_, :]
repeat head[h in 0..heads-1] {
    a = D // heads
    s = q[:, :, h*(D//heads):(h+1)*(D//heads)] @ transpose(k[:, :, h*(D//heads):(h+1)*(D//heads)], [0, 2, 1]) / sqrt(D // heads)
    collect os = softmax(where(late, s, -1e30), axis=-1) @ v[:, :, h*(D//heads):(h+1)*(D//heads)]
}
o = rearrange(os, "h b t d -> b t (h d)")
""",
    ),
    instead("    a = D // heads\n", ""),
)
ROWS = (
    HAND,
    matching(r"\bn1 @ (\w+), \[B", r"reshape(n1, [B*T, D]) @ \1, [B"),
    instead("o @ Wo", "reshape(reshape(o, [B*T, D]) @ Wo, [B, T, D])"),
    instead("u = n2 @ up_W + up_b", "u = reshape(n2, [B*T, D]) @ up_W + up_b"),
    instead("z + gelu_tanh(u) @ down_W + down_b", "z + reshape(gelu_tanh(u) @ down_W + down_b, [B, T, D])"),
)
TRANSFORMER = {
    "standard blocks": (),
    "reshape, transpose": (HAND,),
    "one product for three": (HAND, *QKV),
    "einsum": (HAND, *EINSUMS),
    "a mask added": (HAND, MASKED),
    "softmax by hand": (HAND, SOFTMAX),
    "softmax without its maximum": (HAND, NO_MAX),
    "var, gelu by hand": (HAND, *NORMS),
    "head by head": HEADS,
    "rows": ROWS,
}

TURNED = """    turned = X * c[:, _] + cross(w, X) * sin(th)[:, _]
           + w * (sum(w * X, axis=-1) * (1 - c))[:, _]
"""
STACKS = """    wX = stack(w[:, 1] * X[:, 2] - w[:, 2] * X[:, 1], w[:, 2] * X[:, 0] - w[:, 0] * X[:, 2],
               w[:, 0] * X[:, 1] - w[:, 1] * X[:, 0], axis=1)
    turned = X * c[:, _] + wX * sin(th)[:, _]
           + w * (sum(w * X, axis=-1) * (1 - c))[:, _]
"""
OBSERVATIONS = """scan observation[i in P] {
    r = cam[i, 0:3]
    X = pt[i] - cam[i, 3:6]
    sq = sum(r**2)
    ok = sq > 0
    th = sqrt(where(ok, sq, 1))
    w = r / th
    c = cos(th)
    turned = X * c + cross(w, X) * sin(th) + w * (dot(w, X) * (1 - c))
    Y = where(ok, turned, X + cross(r, X))
    p = Y[0:2] / Y[2]
    r2 = dot(p, p)
    dist = 1 + cam[i, 9] * r2 + cam[i, 10] * r2**2
    collect proj = p * dist * cam[i, 6] + cam[i, 7:9]
}
"""
USE = """Xc = rodrigues(cam[:, 0:3], pt - cam[:, 3:6])
p = Xc[:, 0:2] / Xc[:, 2:3]
r2 = sum(p**2, axis=-1)
dist = 1 + cam[:, 9] * r2 + cam[:, 10] * r2**2
proj = p * dist[:, _] * cam[:, 6:7] + cam[:, 7:9]
"""
UNKNOWN_AXES = (
    instead(
        USE,
        """rot, centre, focal, x0, y0, k1, k2 = (cam[:, 0:3], cam[:, 3:6], cam[:, 6], cam[:, 7], cam[:, 8], cam[:, 9], cam[:, 10])
""",
    ),
)
NUMBERS = """Xc = rodrigues(cam[:, 0:3], pt - cam[:, 3:6])
u = Xc[:, 0] / Xc[:, 2]
v = Xc[:, 1] / Xc[:, 2]
r2 = u * u + v * v
dist = 1 + cam[:, 9] * r2 + cam[:, 10] * r2 * r2
proj = stack(u * dist * cam[:, 6] + cam[:, 7], v * dist * cam[:, 6] + cam[:, 8], axis=1)
"""
LAST = """rT = cam.T[0:3]
XT = pt.T - cam.T[3:6]
sq = sum(rT**2, axis=0)
ok = sq > 0
th = sqrt(where(ok, sq, 1))
w = rT / th
c = cos(th)
turned = XT * c + cross(w.T, XT.T).T * sin(th) + w * (sum(w * XT, axis=0) * (1 - c))
Y = where(ok, turned, XT + cross(rT.T, XT.T).T)
p = Y[0:2] / Y[2]
r2 = sum(p**2, axis=0)
dist = 1 + cam[:, 9] * r2 + cam[:, 10] * r2**2
proj = (p * dist * cam[:, 6] + cam[:, 7:9].T).T
"""
COEFFICIENTS = (
    matching(r"sum\((\w) \* (\w), axis=-1\)", r'einsum("p i, p i -> p", \1, \2)'),
    matching(r"sum\((\w+)\*\*2, axis=-1\)", r'einsum("p i, p i -> p", \1, \1)'),
)
BUNDLE = {
    "a block": (),
    "written out": (opened,),
    "a scan over observations": (instead(USE, OBSERVATIONS),),
    "numbers": (instead(USE, NUMBERS),),
    "cross by components": (instead(TURNED, STACKS),),
    "observations last": (instead(USE, LAST),),
    "einsum": COEFFICIENTS,
}
BEFORE = (
    instead("cam = cams[obs[:, 0]]\n", ""),
    instead(
        "Xc = rodrigues(cam[:, 0:3], pt - cam[:, 3:6])",
        """theta2 = sum(cams[:, 0:3]**2, axis=1)
cam = cams[obs[:, 0]]
Xc = rodrigues(cam[:, 0:3], pt - cam[:, 3:6])""",
    ),
)
GRADIENT = {
    **BUNDLE,
    "gathered by column": (
        matching(r"cam\[:, ([\d:]+)\]", r"cams[:, \1][obs[:, 0]]"),
    ),
    "camera by camera": (
        instead("cam = cams[obs[:, 0]]", """scam = sqrt(where(sum(cams[:, 0:3]**2, axis=1) > 0, sum(cams[:, 0:3]**2, axis=1), 1))
camth = scam[obs[:, 0]]
axes = (cams[:, 0:3] / scam[:, _])[obs[:, 0]]
cosines = cos(scam)[obs[:, 0]]
sines = sin(scam)[obs[:, 0]]
turns = (sum(cams[:, 0:3]**2, axis=1) > 0)[obs[:, 0]]
cam = cams[obs[:, 0]]"""),
        instead("Xc = rodrigues(cam[:, 0:3], pt - cam[:, 3:6])", """X = pt - cam[:, 3:6]
turned = X * cosines[:, _] + cross(axes, X) * sines[:, _] + axes * (sum(axes * X, axis=-1) * (1 - cosines))[:, _]
Xc = where(turns[:, _], turned, X + cross(cam[:, 0:3], X))"""),
        instead("camth = scam[obs[:, 0]]\n", ""),
    ),
}
