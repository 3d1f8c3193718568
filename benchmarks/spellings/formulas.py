"""The workloads that are formulas: e to g, and i."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.spellings.rewriting import instead, matching, opened, rolled
from benchmarks.spellings.spelt import Spelt, of_cases, source
from benchmarks.workloads import bundle, elementwise, gmm, lstm

# ---- e: elementwise operations -------------------------------------------------------------------

ELEMENTWISE = Spelt(
    source("elementwise"),
    {
        "a block": (),
        "scan": (rolled("scan"),),
        "square": (instead("c * c", "square(c)"), opened),
        "written out": (opened,),
        "repeat": (rolled("repeat"),),
        "repeat, without a block": (rolled("repeat"), opened),
        "a power": (instead("c * c", "c**2"),),
    },
    ("value_and_grad_loss",),
    of_cases(elementwise.WORKLOAD.small),
    of_cases(elementwise.WORKLOAD.cases),
)

# ---- f: a Gaussian mixture -----------------------------------------------------------------------

BROADCAST = """d = x[:, _, :] - mu[_, :, :]   # [N, K, D]
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
LAST = """d = x.T[_, :, :] - mu[:, :, _]
Qd = q[:, :, _] * d + Lo @ d
logp = (alpha[:, _] + sum(logdiag, axis=D)[:, _] - 0.5 * sum(Qd**2, axis=1)).T
"""
MATRICES = """R = Lo + eye(D)[_, :, :] * q[:, _, :]
d = x[:, _, :] - mu[_, :, :]   # [N, K, D]
Qd = (R[_, :, :, :] @ d[:, :, :, _])[:, :, :, 0]
logp = (alpha + sum(logdiag, axis=D))[_, :] - 0.5 * sum(Qd**2, axis=-1)
"""
SUM_OF_LOGS = "sum(logsumexp(logp, axis=K))"
MIXTURE = Spelt(
    source("gmm"),
    {
        "broadcast": (),
        "a scan over points": (instead(BROADCAST, POINTS),),
        "products summed": (
            instead(
                'einsum("k i j, n k j -> n k i", Lo, d)',
                "sum(Lo[_, :, :, :] * d[:, :, _, :], axis=-1)",
            ),
        ),
        "logsumexp by hand": (
            instead(SUM_OF_LOGS, "sum(top + log(sum(exp(logp - top[:, _]), axis=K)))"),
            instead("loglik =", "top = max(logp, axis=1)\nloglik ="),
        ),
        "a scan over clusters": (instead(BROADCAST, CLUSTERS),),
        "points last": (instead(BROADCAST, LAST),),
        "whole matrices": (instead(BROADCAST, MATRICES),),
        "without the maximum": (instead(SUM_OF_LOGS, "sum(log(sum(exp(logp), axis=K)))"),),
    },
    ("value_and_grad_err",),
    of_cases(lambda folder: [gmm.case(folder, 10, "float64", points=200)]),
    of_cases(gmm.WORKLOAD.cases),
    apart={
        "a scan over clusters": "rows by matrices, as written; a sum over a short last axis is slow"
    },
)

# ---- g: an LSTM ----------------------------------------------------------------------------------

GATES = """    forget = sigmoid(x * w[0:H] + b[0:H])
    ingate = sigmoid(h * w[H:2*H] + b[H:2*H])
    outgate = sigmoid(x * w[2*H:3*H] + b[2*H:3*H])
    change = tanh(h * w[3*H:4*H] + b[3*H:4*H])
"""
JOINED = instead(
    GATES,
    """    f, i, o, g = split(concat(x, h, x, h, axis=0) * w + b, 4, axis=0)
    forget = sigmoid(f)
    ingate = sigmoid(i)
    outgate = sigmoid(o)
    change = tanh(g)
""",
)
STACKED = instead(
    GATES,
    """    z = stack(x, h, x, h) * reshape(w, [4, H]) + reshape(b, [4, H])
    forget = sigmoid(z[0])
    ingate = sigmoid(z[1])
    outgate = sigmoid(z[2])
    change = tanh(z[3])
""",
)
PAIRS = instead(
    GATES,
    """    v = rearrange(w, "(k g h) -> g k h", k=2, g=2)
    u = rearrange(b, "(k g h) -> g k h", k=2, g=2)
    zx = x * v[0] + u[0]
    zh = h * v[1] + u[1]
    forget = sigmoid(zx[0])
    outgate = sigmoid(zx[1])
    ingate = sigmoid(zh[0])
    change = tanh(zh[1])
""",
)
STEP = """scan step[t in 0..T-2] carry h = state[0], c = state[1], g = state[2], d = state[3] {
    h1, c1 = layer(sequence[t] * extra[0], h, c, main[0], main[1])
    g1, d1 = layer(h1, g, d, main[2], main[3])
    next h, c, g, d = h1, c1, g1, d1
    collect top = g1
}
"""
ONE_STATE = instead(
    STEP,
    """scan step[t in 0..T-2] carry s = state {
    v = sequence[t] * extra[0]
    h1, c1 = layer(v, s[0], s[1], main[0], main[1])
    g1, d1 = layer(h1, s[2], s[3], main[2], main[3])
    next s = stack(h1, c1, g1, d1)
    collect top = g1
}
""",
)
LSTM = Spelt(
    source("lstm"),
    {
        "slices": (),
        "joined, split, one state": (JOINED, ONE_STATE),
        "two by two": (PAIRS,),
        "joined, split": (JOINED,),
        "stacked": (STACKED,),
        "one state": (ONE_STATE,),
        "without a block": (opened,),
        "scaled before": (
            instead("sequence[t] * extra[0]", "scaled[t]"),
            instead("scan step", "scaled = sequence * extra[0]\nscan step"),
        ),
        "logsumexp and a mean": (
            instead(
                "norm_ = log(sum(exp(y), axis=-1, keepdims=true) + 2)",
                "norm_ = logaddexp(logsumexp(y, axis=-1, keepdims=true), log(2))",
            ),
            instead(
                "-sum(sequence[1:] * (y - norm_)) / (H * (T - 1))",
                "-mean(sequence[1:] * (y - norm_))",
            ),
        ),
    },
    ("value_and_grad_loss",),
    of_cases(lambda folder: [lstm.case(folder, "float64", letters=64)]),
    of_cases(lstm.WORKLOAD.cases),
)

# ---- i: a bundle adjustment ----------------------------------------------------------------------

PROJECTED = """Xc = rodrigues(cam[:, 0:3], pt - cam[:, 3:6])
p = Xc[:, 0:2] / Xc[:, 2:3]
r2 = sum(p**2, axis=-1)
dist = 1 + cam[:, 9] * r2 + cam[:, 10] * r2**2
proj = p * dist[:, _] * cam[:, 6:7] + cam[:, 7:9]
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
NUMBERS = """Xc = rodrigues(cam[:, 0:3], pt - cam[:, 3:6])
u = Xc[:, 0] / Xc[:, 2]
v = Xc[:, 1] / Xc[:, 2]
r2 = u * u + v * v
dist = 1 + cam[:, 9] * r2 + cam[:, 10] * r2 * r2
proj = stack(u * dist * cam[:, 6] + cam[:, 7], v * dist * cam[:, 6] + cam[:, 8], axis=1)
"""
COLUMNS = """r = cam.T[0:3]
X = pt.T - cam.T[3:6]
sq = sum(r**2, axis=0)
ok = sq > 0
th = sqrt(where(ok, sq, 1))
w = r / th
c = cos(th)
turned = X * c + cross(w.T, X.T).T * sin(th) + w * (sum(w * X, axis=0) * (1 - c))
Y = where(ok, turned, X + cross(r.T, X.T).T)
p = Y[0:2] / Y[2]
r2 = sum(p**2, axis=0)
dist = 1 + cam[:, 9] * r2 + cam[:, 10] * r2**2
proj = (p * dist * cam[:, 6] + cam[:, 7:9].T).T
"""
CROSS = instead(
    "turned = X * c[:, _] + cross(w, X) * sin(th)[:, _]",
    """a0 = w[:, 1] * X[:, 2] - w[:, 2] * X[:, 1]
    a1 = w[:, 2] * X[:, 0] - w[:, 0] * X[:, 2]
    a2 = w[:, 0] * X[:, 1] - w[:, 1] * X[:, 0]
    turned = X * c[:, _] + stack(a0, a1, a2, axis=1) * sin(th)[:, _]""",
)
PROJECTIONS = {
    "a block": (),
    "a scan over observations": (instead(PROJECTED, OBSERVATIONS),),
    "observations last": (instead(PROJECTED, COLUMNS),),
    "without a block": (opened,),
    "numbers": (instead(PROJECTED, NUMBERS),),
    "a cross product by hand": (CROSS,),
    "einsum": (
        matching(r"sum\((\w) \* (\w), axis=-1\)", r'einsum("p i, p i -> p", \1, \2)'),
        matching(r"sum\((\w+)\*\*2, axis=-1\)", r'einsum("p i, p i -> p", \1, \1)'),
    ),
}
JACOBIAN = Spelt(
    source("bundle"),
    PROJECTIONS,
    ("Je", "Jw"),
    of_cases(bundle.WORKLOAD.small),
    of_cases(bundle.WORKLOAD.cases),
)
BY_CAMERA = (
    instead(
        "cam = cams[obs[:, 0]]",
        """sq = sum(cams[:, 0:3]**2, axis=1)
angle = sqrt(where(sq > 0, sq, 1))
cosine = cos(angle)[obs[:, 0]]
sine = sin(angle)[obs[:, 0]]
turns = (sq > 0)[obs[:, 0]]
axes = (cams[:, 0:3] / angle[:, _])[obs[:, 0]]
cam = cams[obs[:, 0]]""",
    ),
    instead(
        "Xc = rodrigues(cam[:, 0:3], pt - cam[:, 3:6])",
        """X = pt - cam[:, 3:6]
turned = X * cosine[:, _] + cross(axes, X) * sine[:, _]
       + axes * (sum(axes * X, axis=-1) * (1 - cosine))[:, _]
Xc = where(turns[:, _], turned, X + cross(cam[:, 0:3], X))""",
    ),
)
BUNDLE = Spelt(
    source("bundle"),
    {
        "a block": (),
        "gathered by column": (matching(r"cam\[:, ([\d:]+)\]", r"cams[:, \1][obs[:, 0]]"),),
        "a scan over observations": PROJECTIONS["a scan over observations"],
        "observations last": PROJECTIONS["observations last"],
        "numbers": PROJECTIONS["numbers"],
        "camera by camera": BY_CAMERA,
    },
    ("gradient",),
    of_cases(bundle.WORKLOAD.small),
    of_cases(bundle.WORKLOAD.cases),
    derive=("value_and_grad loss wrt cams, pts, wt as gradient",),
    apart={
        "camera by camera": "less: what an angle gives is computed once a camera; whether there are"
        " fewer cameras than observations only a call says"
    },
)

SPELT: Mapping[str, Spelt] = {
    "e": ELEMENTWISE,
    "f": MIXTURE,
    "g": LSTM,
    "i": JACOBIAN,
    "i-gradient": BUNDLE,
}
