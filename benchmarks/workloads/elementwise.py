"""e. Sixty elementwise operations over 10⁶ numbers: what passes over memory cost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bounds import in_numba
from benchmarks.generated import WORKLOADS, Source, build, graphc
from benchmarks.harness import DTYPES, Case, Contestant, Result, Run, Workload
from benchmarks.peers import Library, peers

GRAPH = Source(WORKLOADS / "elementwise.graph")
STAGES = 5
BLOCK = 8192  # elements: what a block needs at once stays in the cache of a core


def case(modules: Path, size: int, dtype: str) -> Case:
    """Numbers around 0."""
    x = np.random.default_rng(0).normal(size=size).astype(dtype)
    return Case(f"{size:,} numbers, {dtype}", dtype, {"x": x}, {}, modules)


def cases(modules: Path) -> Sequence[Case]:
    """A million, in two precisions."""
    return [case(modules, 10**6, dtype) for dtype in DTYPES]


def small(modules: Path) -> Sequence[Case]:
    """A block, and a part of one."""
    return [case(modules, BLOCK + 100, dtype) for dtype in DTYPES]


def naive(case: Case) -> Run:
    """As the formulas are written."""
    x = case.params["x"]

    def call() -> Result:
        h, saved = x, []
        for _ in range(STAGES):
            a = np.tanh(h * x)
            c = a + 0.5 * h
            e = np.exp(-(c * c))
            f = e * x - a
            saved.append((h, a, c, e))
            h = 0.9 * h + 0.1 * f
        d = np.ones_like(x)
        dx = np.zeros_like(x)
        for h_in, a, c, e in reversed(saved):
            df = 0.1 * d
            dc = -2 * c * e * x * df
            dz = (dc - df) * (1 - a * a)
            dx += df * e + dz * h_in
            d = 0.9 * d + 0.5 * dc + dz * x
        return np.sum(h), {"x": dx + d}

    return call


def optimised(case: Case) -> Run:
    """Block by block, forward and backward, through scratch that stays in the cache."""
    x, dtype = case.params["x"], case.dtype
    gradient = np.empty_like(x)
    scratch = np.empty((STAGES + 1, 4, BLOCK), dtype)
    spare = np.empty((4, BLOCK), dtype)
    half, most, little, two, one = (np.asarray(v, dtype) for v in (0.5, 0.9, 0.1, -0.2, 1.0))
    pieces = []
    for start in range(0, len(x), BLOCK):
        size = min(BLOCK, len(x) - start)
        part = slice(start, start + size)
        stages = [tuple(arrays[:size] for arrays in stage) for stage in scratch]
        pieces.append((x[part], gradient[part], stages, [array[:size] for array in spare]))
    add, subtract, multiply = np.add, np.subtract, np.multiply

    def call() -> Result:
        value = 0.0
        for x, dx, stages, (d, u, v, w) in pieces:
            stages[0][0][:] = x
            for (h, a, c, e), (y, *_) in pairwise(stages):
                multiply(h, x, a)
                np.tanh(a, a)
                multiply(h, half, c)
                add(c, a, c)
                multiply(c, c, e)
                np.negative(e, e)
                np.exp(e, e)
                multiply(e, x, u)
                subtract(u, a, u)
                multiply(u, little, u)
                multiply(h, most, y)
                add(y, u, y)
            value += float(stages[-1][0].sum())
            d.fill(1)
            dx.fill(0)
            for h, a, c, e in stages[-2::-1]:
                multiply(e, d, u)  # u = e d, ten times the derivative by x from e * x
                multiply(c, u, v)
                multiply(v, x, v)
                multiply(v, two, v)  # v = dc
                multiply(d, little, w)
                multiply(u, little, u)
                add(dx, u, dx)
                subtract(v, w, w)
                multiply(a, a, a)
                subtract(one, a, a)
                multiply(w, a, w)  # w = dz
                multiply(w, h, u)
                add(dx, u, dx)
                multiply(d, most, d)
                multiply(v, half, v)
                add(d, v, d)
                multiply(w, x, w)
                add(d, w, d)
            add(dx, d, dx)
        return value, {"x": gradient}

    return call


def loss(library: Library, p: Any) -> Any:
    """Over the words of a library."""
    np_ = library.np
    h = x = p["x"]
    for _ in range(STAGES):
        a = np_.tanh(h * x)
        c = a + 0.5 * h
        f = np_.exp(-(c * c)) * x - a
        h = 0.9 * h + 0.1 * f
    return np_.sum(h)


WORKLOAD = Workload(
    name="e",
    title="e. elementwise.graph, value and gradient",
    build=partial(build, GRAPH),
    cases=cases,
    small=small,
    contestants=(
        *graphc(GRAPH, "value_and_grad_loss"),
        Contestant("NumPy naive", naive),
        Contestant("NumPy optimised", optimised),
        Contestant("Numba", in_numba("elementwise"), needs="numba"),
        *peers(loss),
    ),
    reference=naive,
)
