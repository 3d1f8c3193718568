"""g. ADBench's LSTM, two layers over 1,024 letters of 14 bits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.adbench import recurrent_network
from benchmarks.bounds import in_numba
from benchmarks.by_hand import sigmoid
from benchmarks.generated import WORKLOADS, Source, build, graphc
from benchmarks.harness import DTYPES, Case, Contestant, Result, Run, Workload
from benchmarks.peers import Library, peers

GRAPH = Source(WORKLOADS / "lstm.graph")
Array = np.ndarray


def case(modules: Path, dtype: str, letters: int | None = None) -> Case:
    """ADBench's data, or its first letters."""
    params, inputs = recurrent_network("lstm_l2_c1024")
    inputs["sequence"] = inputs["sequence"][:letters]
    return Case(
        f"{len(inputs['sequence']):,} letters, {dtype}",
        dtype,
        {name: array.astype(dtype) for name, array in params.items()},
        {name: array.astype(dtype) for name, array in inputs.items()},
        modules,
    )


def cases(modules: Path) -> Sequence[Case]:
    """In two precisions."""
    return [case(modules, dtype) for dtype in DTYPES]


def small(modules: Path) -> Sequence[Case]:
    """Nine letters."""
    return [case(modules, dtype, letters=9) for dtype in DTYPES]


def output(top: Array, extra: Array, gold: Array) -> tuple[np.floating, Array, Array]:
    """The loss of the upper layer's values [T, H], its gradients by them and by `extra`."""
    y = top * extra[1] + extra[2]
    e = np.exp(y)
    total = e.sum(axis=-1, keepdims=True) + 2
    value = -np.sum(gold * (y - np.log(total))) / gold.size
    dy = (gold.sum(axis=-1, keepdims=True) * (e / total) - gold) / gold.size
    d_extra = np.stack([np.zeros_like(extra[0]), (dy * top).sum(axis=0), dy.sum(axis=0)])
    return value, dy * extra[1], d_extra


def naive(case: Case) -> Run:
    """A step after the other, and back; the four gates are those of ADBench."""
    main, extra = case.params["main"], case.params["extra"]
    state, sequence = case.inputs["state"], case.inputs["sequence"]
    n = main.shape[1] // 4
    part = [slice(k * n, (k + 1) * n) for k in range(4)]

    def forward(x: Array, h: Array, c: Array, w: Array, b: Array) -> tuple[Array, ...]:
        f = sigmoid(x * w[part[0]] + b[part[0]])
        i = sigmoid(h * w[part[1]] + b[part[1]])
        o = sigmoid(x * w[part[2]] + b[part[2]])
        g = np.tanh(h * w[part[3]] + b[part[3]])
        c1 = c * f + i * g
        th = np.tanh(c1)
        return o * th, c1, (x, h, c, f, i, o, g, th)

    def backward(
        dh: Array, dc: Array, w: Array, dw: Array, db: Array, saved: tuple[Array, ...]
    ) -> tuple[Array, ...]:
        """The gradients by x, h and c; those by w and b are added to `dw` and `db`."""
        x, h, c, f, i, o, g, th = saved
        dc = dc + dh * o * (1 - th**2)
        dz = np.concatenate(
            [dc * c * f * (1 - f), dc * g * i * (1 - i), dh * th * o * (1 - o), dc * i * (1 - g**2)]
        )
        dw += dz * np.concatenate([x, h, x, h])
        db += dz
        by_gate = dz * w
        return by_gate[part[0]] + by_gate[part[2]], by_gate[part[1]] + by_gate[part[3]], dc * f

    def call() -> Result:
        h, c, g, d = state
        steps, tops = [], []
        for x in sequence[:-1]:
            h, c, below = forward(x * extra[0], h, c, main[0], main[1])
            g, d, above = forward(h, g, d, main[2], main[3])
            steps.append((x, below, above))
            tops.append(g)
        value, d_tops, d_extra = output(np.stack(tops), extra, sequence[1:])
        d_main = np.zeros_like(main)
        dh, dc, dg, dd = np.zeros_like(state)
        for (x, below, above), d_top in zip(reversed(steps), d_tops[::-1], strict=True):
            d_in, dg, dd = backward(dg + d_top, dd, main[2], d_main[2], d_main[3], above)
            d_in, dh, dc = backward(dh + d_in, dc, main[0], d_main[0], d_main[1], below)
            d_extra[0] += d_in * x
        return value, {"main": d_main, "extra": d_extra}

    return call


def optimised(case: Case) -> Run:
    """A layer after the other. What does not depend on its own past is computed for all steps at
    once: the gates of the input before the loop, and forward slopes and weight gradients after."""
    main, extra = case.params["main"], case.params["extra"]
    state, sequence = case.inputs["state"], case.inputs["sequence"]
    steps, n, dtype = len(sequence) - 1, sequence.shape[1], case.dtype
    add, multiply, tanh = np.add, np.multiply, np.tanh
    half, one = np.asarray(0.5, dtype), np.asarray(1, dtype)

    def forward(x: Array, h: Array, c: Array, w: Array, b: Array) -> tuple[Array, ...]:
        """Of inputs [T, H]: values and cells before each step and after the last [T+1, H]; forget
        and output [2, T, H], input and change [T, 2, H], and tanh of the cells after [T, H]."""
        gates = tanh(half * (x * w[0::2, None] + b[0::2, None])) * half + half
        forget, outgate = gates
        scale = np.array([[0.5], [1]], dtype)  # sigmoid(z) = tanh(z / 2) / 2 + 1/2
        w_own, b_own = w[1::2] * scale, b[1::2] * scale
        H, C = np.empty((steps + 1, n), dtype), np.empty((steps + 1, n), dtype)
        own, TC = np.empty((steps, 2, n), dtype), np.empty((steps, n), dtype)
        H[0], C[0] = h, c
        spare = np.empty(n, dtype)
        for h, c, f, o, z, tc, h1, c1 in zip(
            H, C, forget, outgate, own, TC, H[1:], C[1:], strict=False
        ):
            multiply(w_own, h, z)
            add(z, b_own, z)
            tanh(z, z)
            i, g = z
            multiply(i, half, i)
            add(i, half, i)
            multiply(i, g, spare)
            multiply(c, f, c1)
            add(c1, spare, c1)
            tanh(c1, tc)
            multiply(o, tc, h1)
        return H, C, gates, own, TC

    def backward(
        d: Array, x: Array, w: Array, H: Array, C: Array, gates: Array, own: Array, TC: Array
    ) -> tuple[Array, Array, Array]:
        """From gradients by the values after each step: by the inputs, the weights, the biases."""
        forget, outgate = gates
        i, g = own[:, 0], own[:, 1]
        through = outgate * (one - TC * TC)
        slopes = np.stack([g * i * (one - i), i * (one - g * g)])
        back = slopes[0] * w[1] + slopes[1] * w[3]
        DH, DC = np.empty_like(TC), np.empty_like(TC)
        dh, dc = np.zeros(n, dtype), np.zeros(n, dtype)
        for d_t, o, b, f, dh1, dc1 in zip(
            d[::-1], through[::-1], back[::-1], forget[::-1], DH[::-1], DC[::-1], strict=True
        ):
            add(d_t, dh, dh1)
            multiply(dh1, o, dc1)
            add(dc1, dc, dc1)
            multiply(dc1, b, dh)
            multiply(dc1, f, dc)
        dz = np.empty((4, steps, n), dtype)
        multiply(slopes, DC, out=dz[1::2])
        multiply(DC, C[:-1], out=dz[0])
        multiply(DH, TC, out=dz[2])
        dz[0::2] *= gates * (one - gates)
        db = dz.sum(axis=1)
        dw = np.empty_like(db)
        dw[0::2] = np.einsum("gtn,tn->gn", dz[0::2], x)
        dw[1::2] = np.einsum("gtn,tn->gn", dz[1::2], H[:-1])
        return dz[0] * w[0] + dz[2] * w[2], dw, db

    def call() -> Result:
        w, b, v, a = main.reshape(4, 4, n)
        x = sequence[:-1] * extra[0]
        below = forward(x, state[0], state[1], w, b)
        above = forward(below[0][1:], state[2], state[3], v, a)
        value, d, d_extra = output(above[0][1:], extra, sequence[1:])
        d, dv, da = backward(d, below[0][1:], v, *above)
        d, dw, db = backward(d, x, w, *below)
        d_extra[0] = np.einsum("tn,tn->n", d, sequence[:-1])
        return value, {"main": np.stack([dw, db, dv, da]).reshape(4, -1), "extra": d_extra}

    return call


def loss(library: Library, p: Any, state: Any, sequence: Any) -> Any:
    """Over the words of a library."""
    np_, main, extra = library.np, p["main"], p["extra"]
    n = sequence.shape[1]

    def layer(x: Any, h: Any, c: Any, w: Any, b: Any) -> tuple[Any, Any]:
        f = library.sigmoid(x * w[:n] + b[:n])
        i = library.sigmoid(h * w[n : 2 * n] + b[n : 2 * n])
        o = library.sigmoid(x * w[2 * n : 3 * n] + b[2 * n : 3 * n])
        c1 = c * f + i * np_.tanh(h * w[3 * n :] + b[3 * n :])
        return o * np_.tanh(c1), c1

    def step(carry: Any, x: Any) -> tuple[Any, Any]:
        h, c, g, d = carry
        h, c = layer(x * extra[0], h, c, main[0], main[1])
        g, d = layer(h, g, d, main[2], main[3])
        return (h, c, g, d), g

    start = (state[0], state[1], state[2], state[3])
    y = library.scan(step, start, sequence[:-1]) * extra[1] + extra[2]
    norm = np_.log(np_.sum(np_.exp(y), axis=-1) + 2)
    return -np_.sum(sequence[1:] * (y - norm[:, None])) / (n * (len(sequence) - 1))


WORKLOAD = Workload(
    name="g",
    title="g. lstm.graph, ADBench's LSTM, value and all gradients",
    build=partial(build, GRAPH),
    cases=cases,
    small=small,
    contestants=(
        *graphc(GRAPH, "value_and_grad_loss"),
        Contestant("NumPy naive", naive),
        Contestant("NumPy optimised", optimised),
        Contestant("Numba", in_numba("lstm"), needs="numba"),
        # torch.compile would unroll the steps, and autograd takes seconds for a call
        *peers(loss, "torch.compile", "autograd"),
    ),
    reference=naive,
)
