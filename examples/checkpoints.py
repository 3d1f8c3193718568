"""What a long simulation keeps for its gradient, and what is gained where it keeps less.

    forward    v_{t+1} = step(v_t),  t = 0 … T-1
    backward   λ_t = λ_{t+1} · ∂v_{t+1}/∂v_t,  t = T-1 … 0,  which reads v_t: the last one first

All v_t at once are T arrays. Of segments of n steps only the T/n first ones need be kept: before
λ goes back through a segment, its steps are computed again. That is one more forward pass, and
T/n + n arrays, the fewest where n = √T.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from build import OUT, claim, compare, load, run

Array = npt.NDArray[np.float64]
BOUNDS = ("", "50%", "10%", "5%")


def sigmoid(k: Array) -> Array:
    return 1 / (1 + np.exp(-k))


def by_hand(params: dict[str, Array], u: Array, seen: Array, steps: int) -> tuple[Any, ...]:
    """The loss and its gradients by k, c and u, with every v_t kept."""
    conducts, c = sigmoid(params["k"]) / 4, params["c"]
    kept = [u]
    for _ in range(steps):
        v = kept[-1]
        flow = np.roll(v, 1, 1) - 2 * v + np.roll(v, -1, 1)
        kept.append(v + conducts * flow - 0.001 * c * np.tanh(v))
    λ = 2 * (kept[-1] - seen) / u.size
    d_conducts, d_c = np.zeros_like(conducts), 0.0
    for v in reversed(kept[:-1]):
        d_conducts += np.sum(λ * (np.roll(v, 1, 1) - 2 * v + np.roll(v, -1, 1)), axis=0)
        d_c -= 0.001 * float(np.sum(λ * np.tanh(v)))
        through = λ * conducts
        flow = np.roll(through, -1, 1) - 2 * through + np.roll(through, 1, 1)
        λ = λ + flow - 0.001 * c * (1 - np.tanh(v) ** 2) * λ
    d_k = d_conducts * 4 * conducts * (1 - 4 * conducts) / 4
    return np.mean((kept[-1] - seen) ** 2), {"k": d_k, "c": d_c, "u": λ}


def taken(call: Callable[[], object]) -> tuple[int, float]:
    """The bytes at the peak of a call, as `tracemalloc` counts them, and the seconds of another."""
    call()
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    started = time.perf_counter()
    call()
    return peak, time.perf_counter() - started


def main(out: Path = OUT) -> None:
    nets = {bound: load("checkpoints", out, memory=bound) for bound in BOUNDS}
    whole = nets[""]
    params = whole.init(seed=3)
    rng = np.random.default_rng(3)
    u, seen = rng.normal(size=(16, 64)), rng.normal(size=(16, 64))
    steps = whole.GRAPH["dims"]["T"]
    loss, gradients = whole.value_and_grad_loss(params, u, seen)

    print(f"{steps} steps, and the gradient by how they began and by what the rods are made of")
    expected, slopes = by_hand(params, u, seen, steps)
    compare("the loss", loss, expected, 1e-12)
    for path, slope in slopes.items():
        compare(f"its gradient by {path} = the one by hand", gradients[path], slope, 1e-10)

    print("Bounds on memory, as in `graphc compile --memory 10%`")
    peaks = {}
    for bound, net in nets.items():
        peak, seconds = taken(lambda net=net: net.value_and_grad_loss(params, u, seen))
        peaks[bound] = peak
        _, found = net.value_and_grad_loss(params, u, seen)
        same = all(np.array_equal(found[path], gradients[path]) for path in gradients)
        kept = f"{peak / u.nbytes:.0f} arrays, {1000 * seconds:.0f} ms"
        claim(f"{bound or 'no bound'}: the same bits", same, kept)
        if bound:
            planned = net.GRAPH["peak_bytes"]["value_and_grad_loss"]
            near = abs(peak - planned) < 0.1 * planned
            claim(f"{bound}: the peak is as planned", near, f"{peak / planned - 1:+.1%}")
            part = float(bound[:-1]) / 100
            claim(f"{bound}: within the bound", peak < 1.02 * part * peaks[""], f"{peak} bytes")


if __name__ == "__main__":
    run(main)
