"""h. A transformer block of width 128 with 4 heads, on 8 sequences of 64."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bounds import Product, bare, product
from benchmarks.by_hand import EPSILON, layernorm, layernorm_backward, with_bias
from benchmarks.generated import WORKLOADS, Source, build, graphc
from benchmarks.harness import DTYPES, Case, Contestant, Result, Run, Workload
from benchmarks.peers import Library, peers

GRAPH = Source(WORKLOADS / "transformer.graph")
HEADS = 4  # as in the graph
ROOT, CUBIC = (2 / np.pi) ** 0.5, 0.044715  # of gelu by tanh
ROWS = 32  # of gelu at a time: 32 rows of 512 stay in the cache of a core
Array = np.ndarray


def case(modules: Path, dtype: str, batch: int, length: int, width: int) -> Case:
    """Normal inputs; weights that keep the size of the values."""
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "n1.gain": (width,), "n1.bias": (width,),
        "att.Wq": (width, width), "att.Wk": (width, width),
        "att.Wv": (width, width), "att.Wo": (width, width),
        "n2.gain": (width,), "n2.bias": (width,),
        "up.W": (width, 4 * width), "up.b": (4 * width,),
        "down.W": (4 * width, width), "down.b": (width,),
    }  # fmt: skip
    params = {}
    for path, shape in shapes.items():
        size = shape[0] ** -0.5 if len(shape) == 2 else 0.1
        params[path] = (size * rng.normal(size=shape) + path.endswith("gain")).astype(dtype)
    inputs = {name: rng.normal(size=(batch, length, width)).astype(dtype) for name in ("x", "t")}
    name = f"{batch} × {length} × {width}, {dtype}"
    return Case(name, dtype, params, inputs, modules, {"D": width})


def cases(modules: Path) -> Sequence[Case]:
    """In two precisions."""
    return [case(modules, dtype, 8, 64, 128) for dtype in DTYPES]


def small(modules: Path) -> Sequence[Case]:
    """Two sequences of 5, of width 12."""
    return [case(modules, dtype, 2, 5, 12) for dtype in DTYPES]


def split(x: Array) -> Array:
    """[B, T, D] by heads: [B, H, T, D/H]."""
    return x.reshape(*x.shape[:2], HEADS, -1).transpose(0, 2, 1, 3)


def join(x: Array) -> Array:
    """Back from heads: [B, T, D]."""
    return x.transpose(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], -1)


def weight_gradient(x: Array, d: Array) -> Array:
    """Of x @ W over all leading axes."""
    return x.reshape(-1, x.shape[-1]).T @ d.reshape(-1, d.shape[-1])


def naive(case: Case) -> Run:
    """As the formulas are written."""
    p, x, t = case.params, case.inputs["x"], case.inputs["t"]
    length, width = x.shape[1:]
    future = ~np.tri(length, dtype=bool)
    scale = (width // HEADS) ** -0.5

    def call() -> Result:
        u, normal1, deviation1 = layernorm(x, p["n1.gain"], p["n1.bias"])
        q, k, v = (split(u @ p[f"att.W{name}"]) for name in "qkv")
        s = np.where(future, -1e30, q @ k.swapaxes(-1, -2) * scale)
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        a = e / e.sum(axis=-1, keepdims=True)
        o = join(a @ v)
        x1 = x + o @ p["att.Wo"]
        w, normal2, deviation2 = layernorm(x1, p["n2.gain"], p["n2.bias"])
        z = w @ p["up.W"] + p["up.b"]
        th = np.tanh(ROOT * (z + CUBIC * z**3))
        up = 0.5 * z * (1 + th)
        y = x1 + up @ p["down.W"] + p["down.b"]

        g = {}
        dy = 2 * (y - t) / y.size
        g["down.W"], g["down.b"] = weight_gradient(up, dy), dy.sum(axis=(0, 1))
        slope = 0.5 * (1 + th) + 0.5 * z * (1 - th**2) * ROOT * (1 + 3 * CUBIC * z**2)
        dz = (dy @ p["down.W"].T) * slope
        g["up.W"], g["up.b"] = weight_gradient(w, dz), dz.sum(axis=(0, 1))
        dw = dz @ p["up.W"].T
        dx1, g["n2.gain"], g["n2.bias"] = layernorm_backward(dw, p["n2.gain"], normal2, deviation2)
        dx1 += dy
        g["att.Wo"] = weight_gradient(o, dx1)
        do = split(dx1 @ p["att.Wo"].T)
        da = do @ v.swapaxes(-1, -2)
        ds = a * (da - (da * a).sum(axis=-1, keepdims=True)) * scale
        parts = {"q": ds @ k, "k": ds.swapaxes(-1, -2) @ q, "v": a.swapaxes(-1, -2) @ do}
        du = np.zeros_like(x)
        for name, d in parts.items():
            joined = join(d)
            g[f"att.W{name}"] = weight_gradient(u, joined)
            du += joined @ p[f"att.W{name}"].T
        _, g["n1.gain"], g["n1.bias"] = layernorm_backward(du, p["n1.gain"], normal1, deviation1)
        return np.mean((y - t) ** 2), g

    return call


def normalise(x: Array, normal: Array, inverse: Array, averages: Array) -> None:
    """Rows [N, D] brought to mean 0 and variance 1; `inverse` [N, 1] is 1 / deviation."""
    np.subtract(x, x.dot(averages)[:, None], out=normal)
    np.einsum("nd,nd->n", normal, normal, out=inverse[:, 0])
    np.multiply(inverse, averages[0], out=inverse)
    np.add(inverse, averages.dtype.type(EPSILON), out=inverse)
    np.sqrt(inverse, out=inverse)
    np.divide(averages.dtype.type(1), inverse, out=inverse)
    np.multiply(normal, inverse, out=normal)


def optimised(case: Case) -> Run:
    """Queries, keys and values in one product, [W; b] in one buffer, gelu and its slope by rows
    that stay in the cache, no gradient by x, and everything in arrays that stay."""
    p, dtype = case.params, case.dtype
    batch, length, width = case.inputs["x"].shape
    n, one = batch * length, np.asarray(1, dtype)
    x, t = (case.inputs[name].reshape(n, width) for name in ("x", "t"))
    W3 = np.concatenate([p["att.Wq"], p["att.Wk"], p["att.Wv"]], axis=1)
    Wo, up, down = p["att.Wo"], with_bias(p["up.W"], p["up.b"]), with_bias(p["down.W"], p["down.b"])
    G3, Go, Gup, Gdown = (np.empty_like(matrix) for matrix in (W3, Wo, up, down))

    def empty(*shape: int) -> Array:
        return np.empty(shape, dtype)

    heads = (batch, HEADS, length, length)
    normal1, normal2, u, x1, y, do, dw, spare = (empty(n, width) for _ in range(8))
    inverse1, inverse2 = empty(n, 1), empty(n, 1)
    w, h = np.ones((n, width + 1), dtype), np.ones((n, 4 * width + 1), dtype)
    qkv, d_qkv = empty(n, 3 * width), empty(n, 3 * width)
    slope, dz, a, da = empty(n, 4 * width), empty(n, 4 * width), empty(*heads), empty(*heads)
    o = empty(n, width)
    by_head = [
        tuple(array.reshape(batch, length, 3, HEADS, -1).transpose(2, 0, 3, 1, 4))
        for array in (qkv, d_qkv)
    ]
    (q, k, v), (dq, dk, dv) = by_head
    o4, do4 = split(o.reshape(batch, length, width)), split(do.reshape(batch, length, width))
    averages, ones = np.full(width, 1 / width, dtype), np.ones(n, dtype)
    mask = np.where(np.tri(length, dtype=bool), 0, -np.inf).astype(dtype)
    scale = np.asarray((width // HEADS) ** -0.5, dtype)
    root, cubic, triple, half = (np.asarray(c, dtype) for c in (ROOT, CUBIC, 3 * CUBIC, 0.5))
    rows = [slice(start, start + ROWS) for start in range(0, n, ROWS)]
    z2, th = empty(ROWS, 4 * width), empty(ROWS, 4 * width)
    z, w0 = h[:, :-1], w[:, :-1]
    change = np.asarray(2 / y.size, dtype)
    g = {
        "n1.gain": empty(width), "n1.bias": empty(width),
        "n2.gain": empty(width), "n2.bias": empty(width),
        "att.Wq": G3[:, :width], "att.Wk": G3[:, width : 2 * width], "att.Wv": G3[:, 2 * width :],
        "att.Wo": Go, "up.W": Gup[:-1], "up.b": Gup[-1], "down.W": Gdown[:-1], "down.b": Gdown[-1],
    }  # fmt: skip

    def gelu(z: Array, slope: Array) -> None:
        """Of some rows, in place; `slope` is its derivative."""
        c, s = th[: len(z)], z2[: len(z)]
        np.multiply(z, z, out=s)
        np.multiply(s, cubic, out=c)
        np.add(c, one, out=c)
        np.multiply(c, z, out=c)
        np.multiply(c, root, out=c)
        np.tanh(c, out=c)
        np.multiply(s, triple, out=s)
        np.add(s, one, out=s)
        np.multiply(s, root, out=s)
        np.multiply(s, z, out=s)
        np.multiply(c, c, out=slope)
        np.subtract(one, slope, out=slope)
        np.multiply(slope, s, out=slope)
        np.add(c, one, out=c)
        np.add(slope, c, out=slope)
        np.multiply(slope, half, out=slope)
        np.multiply(c, half, out=c)
        np.multiply(z, c, out=z)

    def call() -> Result:
        normalise(x, normal1, inverse1, averages)
        np.multiply(normal1, p["n1.gain"], out=u)
        np.add(u, p["n1.bias"], out=u)
        np.matmul(u, W3, out=qkv)
        np.multiply(q, scale, out=q)
        np.matmul(q, k.swapaxes(-1, -2), out=a)
        np.add(a, mask, out=a)
        np.subtract(a, a.max(axis=-1, keepdims=True), out=a)
        np.exp(a, out=a)
        np.divide(a, a.sum(axis=-1, keepdims=True), out=a)
        np.matmul(a, v, out=o4)
        np.matmul(o, Wo, out=x1)
        np.add(x1, x, out=x1)
        normalise(x1, normal2, inverse2, averages)
        np.multiply(normal2, p["n2.gain"], out=w0)
        np.add(w0, p["n2.bias"], out=w0)
        np.matmul(w, up, out=z)
        for part in rows:
            gelu(z[part], slope[part])
        np.matmul(h, down, out=y)
        np.add(y, x1, out=y)
        np.subtract(y, t, out=y)
        value = np.vdot(y, y) / y.size

        dy = np.multiply(y, change, out=y)
        np.matmul(h.T, dy, out=Gdown)
        np.matmul(dy, down[:-1].T, out=dz)
        np.multiply(dz, slope, out=dz)
        np.matmul(w.T, dz, out=Gup)
        np.matmul(dz, up[:-1].T, out=dw)
        np.multiply(dw, normal2, out=spare)
        np.dot(ones, spare, out=g["n2.gain"])
        np.dot(ones, dw, out=g["n2.bias"])
        np.multiply(dw, p["n2.gain"], out=dw)
        mean = dw.dot(averages)[:, None]
        np.multiply(dw, normal2, out=spare)
        np.multiply(normal2, spare.dot(averages)[:, None], out=spare)
        np.subtract(dw, mean, out=dw)
        np.subtract(dw, spare, out=dw)
        np.multiply(dw, inverse2, out=dw)
        dx1 = np.add(dw, dy, out=dw)
        np.matmul(o.T, dx1, out=Go)
        np.matmul(dx1, Wo.T, out=do)
        np.matmul(do4, v.swapaxes(-1, -2), out=da)
        np.matmul(a.swapaxes(-1, -2), do4, out=dv)
        total = np.einsum("bhts,bhts->bht", da, a)[..., None]
        np.subtract(da, total, out=da)
        np.multiply(da, a, out=da)
        np.matmul(da, k, out=dq)
        np.multiply(dq, scale, out=dq)
        np.matmul(da.swapaxes(-1, -2), q, out=dk)
        np.matmul(u.T, d_qkv, out=G3)
        np.matmul(d_qkv, W3.T, out=dw)
        np.dot(ones, dw, out=g["n1.bias"])
        np.multiply(dw, normal1, out=dw)
        np.dot(ones, dw, out=g["n1.gain"])
        return value, g

    return call


def products(case: Case) -> Run:
    """Queries, keys and values in one, and those of attention by sequence and head."""
    (batch, length, width), dtype = case.inputs["x"].shape, case.dtype
    rng = np.random.default_rng(1)

    def some(*shape: int) -> Array:
        return rng.normal(size=shape).astype(dtype)

    def dense(rows: int, columns: int) -> list[Product]:
        """Forward, and back to both."""
        x, W, d = some(batch * length, rows), some(rows, columns), some(batch * length, columns)
        return [product(x, W), product(x.T, d), product(d, W.T)]

    q, k, v, do = (some(batch, HEADS, length, width // HEADS) for _ in range(4))
    a, da = (some(batch, HEADS, length, length) for _ in range(2))
    forward = [product(q, k.swapaxes(-1, -2)), product(a, v)]
    back = [product(do, v.swapaxes(-1, -2)), product(a.swapaxes(-1, -2), do)]
    back += [product(da, k), product(da.swapaxes(-1, -2), q)]
    shapes = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
    return bare([*(one for shape in shapes for one in dense(*shape)), *forward, *back])


def loss(library: Library, p: Any, x: Any, t: Any) -> Any:
    """Over the words of a library."""
    np_, (batch, length, width) = library.np, x.shape

    def heads(h: Any) -> Any:
        return np_.swapaxes(np_.reshape(h, (batch, length, HEADS, width // HEADS)), 1, 2)

    u = library.layernorm(x, p["n1.gain"], p["n1.bias"])
    q, k, v = (heads(u @ p[f"att.W{name}"]) for name in "qkv")
    o = np_.reshape(np_.swapaxes(library.attention(q, k, v), 1, 2), x.shape)
    x1 = x + o @ p["att.Wo"]
    w = library.layernorm(x1, p["n2.gain"], p["n2.bias"])
    up = library.gelu(library.dense(w, p["up.W"], p["up.b"]))
    y = x1 + library.dense(up, p["down.W"], p["down.b"])
    return np_.mean((y - t) ** 2)


WORKLOAD = Workload(
    name="h",
    title="h. transformer.graph, value and all gradients",
    build=partial(build, GRAPH),
    cases=cases,
    small=small,
    contestants=(
        *graphc(GRAPH, "value_and_grad_loss"),
        Contestant("NumPy naive", naive),
        Contestant("NumPy optimised", optimised),
        Contestant("bare products", products, bound=True),
        *peers(loss),
    ),
    reference=naive,
)
