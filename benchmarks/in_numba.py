"""The workloads without matrix products as one writes them in Numba: loops over numbers, compiled.

They say what compiled loops can do: a bound, though one that is as right as the others. With
`error_model="numpy"` a division has no branch. The exponential and tanh are polynomials, which
vectorise; libm's are calls.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from benchmarks.harness import Case, Run

Array = np.ndarray
fast = njit(error_model="numpy", fastmath={"contract"}, inline="always")
compiled = njit(error_model="numpy", fastmath={"contract"})
BLOCK = 128  # elements: their stages stay in the first cache


@fast
def exp(x: float) -> float:
    """2^n exp(r) with x = n ln(2) + r, by the series of exp to r^13; x within ±700."""
    x = x if x < 700.0 else 700.0
    x = x if x > -700.0 else -700.0
    shifted = x * 1.4426950408889634 + 6755399441055744.0
    n = shifted - 6755399441055744.0
    r = (x - n * 0.6931471805599453) - n * 2.3190468138462996e-17
    p = 1.6059043836821613e-10
    p = p * r + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 0.0001984126984126984
    p = p * r + 0.001388888888888889
    p = p * r + 0.008333333333333333
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * np.int64((np.float64(shifted).view(np.int64) + 1023) << 52).view(np.float64)


@fast
def tanh(x: float) -> float:
    """By exp(-2 x), and near 0 by a continued fraction."""
    e = exp(-2.0 * x)
    s = x * x
    near = x * (10395.0 + s * (1260.0 + s * 21.0)) / (10395.0 + s * (4725.0 + s * (210.0 + s)))
    return near if s < 0.02 else (1.0 - e) / (1.0 + e)


@fast
def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + exp(-x))


# ---- a ---------------------------------------------------------------------------------------


@compiled
def _net(W1: Array, b1: Array, W2: Array, b2: Array, x: Array, t: Array, g: Array) -> float:
    a0 = sigmoid(W1[0, 0] * x[0] + W1[0, 1] * x[1] + W1[0, 2] * x[2] + b1[0])
    a1 = sigmoid(W1[1, 0] * x[0] + W1[1, 1] * x[1] + W1[1, 2] * x[2] + b1[1])
    y = sigmoid(W2[0, 0] * a0 + W2[0, 1] * a1 + b2[0])
    d = (y - t[0]) * y * (1.0 - y)
    d0, d1 = d * W2[0, 0] * a0 * (1.0 - a0), d * W2[0, 1] * a1 * (1.0 - a1)
    for k in range(3):
        g[k], g[3 + k] = d0 * x[k], d1 * x[k]
    g[6], g[7], g[8], g[9], g[10] = d0, d1, d * a0, d * a1, d
    return 0.5 * (y - t[0]) ** 2


def net(case: Case) -> Run:
    """One call; the gradients are views of one vector."""
    given = [*case.params.values(), *case.inputs.values()]
    g = np.empty(11, case.dtype)
    views = (g[:6].reshape(2, 3), g[6:8], g[8:10].reshape(1, 2), g[10:])
    gradients = dict(zip(case.params, views, strict=True))
    return lambda: (_net(*given, g), gradients)


# ---- d ---------------------------------------------------------------------------------------


@compiled
def _deep(W: Array, b: Array, x: Array, t: Array, h: Array, dW: Array, db: Array) -> float:
    layers, width = b.shape
    batch = len(x)
    h[0] = x
    for k in range(layers):
        for i in range(batch):
            row = h[k + 1, i]
            row[:] = b[k]
            for j in range(width):
                v = h[k, i, j]
                for m in range(width):
                    row[m] += v * W[k, j, m]
            for m in range(width):
                row[m] = tanh(row[m])
    d, z = np.empty_like(x), np.empty_like(x)
    value, scale = 0.0, 2.0 / x.size
    for i in range(batch):
        for m in range(width):
            d[i, m] = h[layers, i, m] - t[i, m]
            value += d[i, m] * d[i, m]
            d[i, m] *= scale
    dW[:], db[:] = 0.0, 0.0
    for k in range(layers - 1, -1, -1):
        for i in range(batch):
            for m in range(width):
                z[i, m] = d[i, m] * (1.0 - h[k + 1, i, m] * h[k + 1, i, m])
                db[k, m] += z[i, m]
            for j in range(width):
                v, total = h[k, i, j], 0.0
                for m in range(width):
                    dW[k, j, m] += v * z[i, m]
                for m in range(width):
                    total += z[i, m] * W[k, j, m]
                d[i, j] = total
    return value / x.size


def deep(case: Case) -> Run:
    """Weights stacked before; the gradients are views of stacks."""
    layers = range(1, case.dims["L"] + 1)
    W = np.stack([case.params[f"layer.{k}.W"] for k in layers])
    b = np.stack([case.params[f"layer.{k}.b"] for k in layers])
    x, t = case.inputs["x"], case.inputs["t"]
    h = np.empty((len(b) + 1, *x.shape), case.dtype)
    dW, db = np.empty_like(W), np.empty_like(b)
    gradients = {}
    for k in layers:
        gradients[f"layer.{k}.W"], gradients[f"layer.{k}.b"] = dW[k - 1], db[k - 1]
    return lambda: (_deep(W, b, x, t, h, dW, db), gradients)


# ---- e ---------------------------------------------------------------------------------------


@compiled
def _forth(x: Array, h: Array, a: Array, c: Array, e: Array, h1: Array) -> None:
    for i in range(len(x)):
        a[i] = tanh(h[i] * x[i])
    for i in range(len(x)):
        c[i] = a[i] + 0.5 * h[i]
        e[i] = exp(-(c[i] * c[i]))
    for i in range(len(x)):
        h1[i] = 0.9 * h[i] + 0.1 * (e[i] * x[i] - a[i])


@compiled
def _back(x: Array, h: Array, a: Array, c: Array, e: Array, d: Array, g: Array) -> None:
    """From the gradient by a stage to that by its h, in its place; what is by x is added to g."""
    for i in range(len(x)):
        df = 0.1 * d[i]
        dc = -2.0 * c[i] * e[i] * x[i] * df
        dz = (dc - df) * (1.0 - a[i] * a[i])
        g[i] += df * e[i] + dz * h[i]
        d[i] = 0.9 * d[i] + 0.5 * dc + dz * x[i]


@compiled
def _elementwise(x: Array, g: Array, h: Array, a: Array, c: Array, e: Array, d: Array) -> float:
    """Block by block, a loop a stage: of all of it in one, LLVM vectorises nothing."""
    value = 0.0
    stages, block = a.shape
    for start in range(0, len(x), block):
        n = min(block, len(x) - start)
        own, to = x[start : start + n], g[start : start + n]
        h[0, :n], d[:n], to[:] = own, 1.0, 0.0
        for k in range(stages):
            _forth(own, h[k, :n], a[k, :n], c[k, :n], e[k, :n], h[k + 1, :n])
        for i in range(n):
            value += h[stages, i]
        for k in range(stages - 1, -1, -1):
            _back(own, h[k, :n], a[k, :n], c[k, :n], e[k, :n], d[:n], to)
        for i in range(n):
            to[i] += d[i]
    return value


def elementwise(case: Case) -> Run:
    """All sixty operations and their derivatives, of so many numbers that they stay in a cache."""
    x, gradient = case.params["x"], np.empty_like(case.params["x"])
    h, *rest = (np.empty((size, BLOCK), case.dtype) for size in (6, 5, 5, 5))
    d = np.empty(BLOCK, case.dtype)
    return lambda: (_elementwise(x, gradient, h, *rest, d), {"x": gradient})


# ---- g ---------------------------------------------------------------------------------------


@compiled
def _layer(
    x: Array, h: Array, c: Array, w: Array, b: Array, s: Array, h1: Array, c1: Array
) -> None:
    """A step of a layer; what goes back reads its gates in s [5, H]."""
    n = len(x)
    for k in range(n):
        s[0, k] = sigmoid(x[k] * w[k] + b[k])
        s[1, k] = sigmoid(h[k] * w[n + k] + b[n + k])
        s[2, k] = sigmoid(x[k] * w[2 * n + k] + b[2 * n + k])
        s[3, k] = tanh(h[k] * w[3 * n + k] + b[3 * n + k])
        c1[k] = c[k] * s[0, k] + s[1, k] * s[3, k]
        s[4, k] = tanh(c1[k])
        h1[k] = s[2, k] * s[4, k]


@compiled
def _layer_back(
    x: Array, h: Array, c: Array, w: Array, s: Array, dh: Array, dc: Array, dx: Array,
    dw: Array, db: Array,
) -> None:  # fmt: skip
    """From gradients by h1 and c1 to those by x, h and c, which take their places."""
    n = len(x)
    for k in range(n):
        f, i, o, g, th = s[0, k], s[1, k], s[2, k], s[3, k], s[4, k]
        whole = dc[k] + dh[k] * o * (1.0 - th * th)
        zf = whole * c[k] * f * (1.0 - f)
        zi = whole * g * i * (1.0 - i)
        zo = dh[k] * th * o * (1.0 - o)
        zg = whole * i * (1.0 - g * g)
        dw[k] += zf * x[k]
        dw[n + k] += zi * h[k]
        dw[2 * n + k] += zo * x[k]
        dw[3 * n + k] += zg * h[k]
        db[k] += zf
        db[n + k] += zi
        db[2 * n + k] += zo
        db[3 * n + k] += zg
        dx[k] = zf * w[k] + zo * w[2 * n + k]
        dh[k] = zi * w[n + k] + zg * w[3 * n + k]
        dc[k] = whole * f


@compiled
def _lstm(
    main: Array, extra: Array, state: Array, sequence: Array, kept: Array, gates: Array,
    d_main: Array, d_extra: Array,
) -> float:  # fmt: skip
    """`kept` [T, 5, H] has h, c, g, d before each step, and the input of the step."""
    steps, n = len(sequence) - 1, sequence.shape[1]
    kept[0, :4] = state
    for t in range(steps):
        for k in range(n):
            kept[t, 4, k] = sequence[t, k] * extra[0, k]
        now, then = kept[t], kept[t + 1]
        _layer(now[4], now[0], now[1], main[0], main[1], gates[t, 0], then[0], then[1])
        _layer(then[0], now[2], now[3], main[2], main[3], gates[t, 1], then[2], then[3])
    d_main[:], d_extra[:] = 0.0, 0.0
    d = np.zeros_like(state)
    dx, y = np.empty_like(state[0]), np.empty_like(state[0])
    value, size = 0.0, n * steps
    for t in range(steps - 1, -1, -1):
        now, then = kept[t], kept[t + 1]
        total, gold = 2.0, 0.0
        for k in range(n):
            y[k] = then[2, k] * extra[1, k] + extra[2, k]
            total += math.exp(y[k])
            gold += sequence[t + 1, k]
        norm = math.log(total)
        for k in range(n):
            value -= sequence[t + 1, k] * (y[k] - norm)
            dy = (gold * (math.exp(y[k]) / total) - sequence[t + 1, k]) / size
            d_extra[1, k] += dy * then[2, k]
            d_extra[2, k] += dy
            d[2, k] += dy * extra[1, k]
        _layer_back(
            then[0], now[2], now[3], main[2], gates[t, 1], d[2], d[3], dx, d_main[2], d_main[3]
        )
        for k in range(n):
            d[0, k] += dx[k]
        _layer_back(
            now[4], now[0], now[1], main[0], gates[t, 0], d[0], d[1], dx, d_main[0], d_main[1]
        )
        for k in range(n):
            d_extra[0, k] += dx[k] * sequence[t, k]
    return value / size


def lstm(case: Case) -> Run:
    """A step after the other, both layers in it, and back."""
    given = [*case.params.values(), *case.inputs.values()]
    letters, n = case.inputs["sequence"].shape
    kept, gates = np.empty((letters, 5, n), case.dtype), np.empty((letters, 2, 5, n), case.dtype)
    d_main, d_extra = (np.empty_like(one) for one in case.params.values())
    found = {"main": d_main, "extra": d_extra}
    return lambda: (_lstm(*given, kept, gates, d_main, d_extra), found)
