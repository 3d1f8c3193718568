"""Loops over states of a few numbers: in numbers, in arrays, and by JAX's jit.

    python -m benchmarks.small_loops [LOOP ...]

A value and its gradients over 1,000 steps in float64. Values are compared before anything is
measured; measured is the processor time of one thread, the least of many runs by turns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.processes import limit_threads
from graphc.records import dataclass

STEPS = 1000
RUNS = 7


@dataclass(frozen=True, slots=True)
class Small:
    """A loop as a graph, and as a function of JAX's `numpy`, `lax.scan` and the same arguments."""

    graph: str
    steps: Callable[..., Any]
    params: Callable[[Any], dict[str, Any]]
    inputs: Callable[[Any], dict[str, Any]]


# ---- the loops -----------------------------------------------------------------------------------


def _lotka_volterra(np: Any, scan: Any, p: Any, y0: Any, seen: Any) -> Any:
    def slope(y: Any) -> Any:
        met = y[0] * y[1]
        return np.stack([p["a"] * y[0] - p["b"] * met, p["c"] * met - p["d"] * y[1]])

    def step(y: Any, _: Any) -> Any:
        k1 = slope(y)
        k2 = slope(y + 0.005 * k1)
        k3 = slope(y + 0.005 * k2)
        k4 = slope(y + 0.01 * k3)
        after = y + 0.01 / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return after, after

    _, ys = scan(step, y0, seen)
    return np.mean((ys - seen) ** 2)


def _switched(np: Any, scan: Any, p: Any, u: Any) -> Any:
    def step(state: Any, one: Any) -> Any:
        x, v = state
        force = np.where(x > 0, -p["k"] * x - p["c"] * v, -p["k"] * x) + one
        return (x + 0.01 * np.clip(v, -2.0, 2.0), v + 0.01 * force), x

    _, xs = scan(step, (0.0, 1.0), u)
    return np.mean(xs**2)


def _hidden_markov(np: Any, scan: Any, p: Any, seen: Any) -> Any:
    def logsumexp(x: Any, axis: int) -> Any:
        top = np.max(x, axis=axis, keepdims=True)
        return np.squeeze(top, axis) + np.log(np.sum(np.exp(x - top), axis=axis))

    def log_softmax(x: Any) -> Any:
        return x - logsumexp(x, -1)[..., None]

    moves, emits = log_softmax(p["moves"]), log_softmax(p["emits"])

    def step(alpha: Any, one: Any) -> Any:
        return logsumexp(alpha[:, None] + moves, 0) + emits[:, one], 0.0

    alpha, _ = scan(step, log_softmax(p["start"]), seen)
    return -logsumexp(alpha, 0)


def _kalman(np: Any, scan: Any, p: Any, z: Any, H: Any) -> Any:
    def step(state: Any, one: Any) -> Any:
        x, P = state
        x = p["F"] @ x
        P = p["F"] @ P @ p["F"].T + p["q"] * np.eye(4)
        r = one - H @ x
        S = H @ P @ H.T + np.eye(2)
        K = P @ H.T @ np.linalg.inv(S)
        lost = r @ np.linalg.inv(S) @ r + np.log(S[0, 0] * S[1, 1] - S[0, 1] * S[1, 0])
        return (x + K @ r, P - K @ H @ P), lost

    _, lost = scan(step, (np.zeros(4), np.eye(4)), z)
    return np.mean(lost)


def _gated(np: Any, scan: Any, p: Any, u: Any) -> Any:
    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    def step(h: Any, one: Any) -> Any:
        gates = sigmoid(p["W"] @ h + one[:2])
        new = np.tanh(p["V"] @ (gates[0] * h) + one[2:])
        after = gates[1] * h + (1 - gates[1]) * new
        return after, after

    _, hs = scan(step, np.zeros(2), u)
    return np.mean(hs**2)


LOOPS = {
    "Lotka-Volterra by Runge-Kutta": Small(
        """
        dim T
        input y0: [2]
        input seen: [T, 2]
        param a; param b; param c; param d
        block slope(y: [2], a: [], b: [], c: [], d: []) -> s: [2] {
            met = y[0] * y[1]
            s = stack(a * y[0] - b * met, c * met - d * y[1])
        }
        scan step[t in T] carry y = y0 {
            k1 = slope(y, a, b, c, d)
            k2 = slope(y + 0.005 * k1, a, b, c, d)
            k3 = slope(y + 0.005 * k2, a, b, c, d)
            k4 = slope(y + 0.01 * k3, a, b, c, d)
            after = y + 0.01 / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            next y = after
            collect ys = after
        }
        output loss = mean((ys - seen)**2)
        """,
        _lotka_volterra,
        lambda rng: {"a": 1.1, "b": 0.4, "c": 0.1, "d": 0.4},
        lambda rng: {"y0": rng.uniform(4, 10, 2), "seen": rng.random((STEPS, 2))},
    ),
    "a switched oscillator": Small(
        """
        dim T
        input u: [T]
        param k; param c
        scan step[t in T] carry x = 0.0, v = 1.0 {
            force = where(x > 0, -k * x - c * v, -k * x) + u[t]
            next v = v + 0.01 * force
            next x = x + 0.01 * clip(v, -2.0, 2.0)
            collect xs = x
        }
        output loss = mean(xs**2)
        """,
        _switched,
        lambda rng: {"k": 1.0, "c": 0.1},
        lambda rng: {"u": rng.normal(size=STEPS)},
    ),
    "a hidden Markov model of 3 states": Small(
        """
        dim T
        input seen: int[T]
        param moves: [3, 3]
        param emits: [3, 4]
        param start: [3]
        log_moves = log_softmax(moves, axis=1)
        log_emits = log_softmax(emits, axis=1)
        scan step[t in T] carry alpha = log_softmax(start) {
            next alpha = logsumexp(alpha[:, _] + log_moves, axis=0) + log_emits[:, seen[t]]
        }
        output loss = -logsumexp(alpha)
        """,
        _hidden_markov,
        lambda rng: {
            "moves": rng.normal(size=(3, 3)),
            "emits": rng.normal(size=(3, 4)),
            "start": rng.normal(size=3),
        },
        lambda rng: {"seen": rng.integers(0, 4, STEPS)},
    ),
    "a gated cell of 2 units": Small(
        """
        dim T
        input u: [T, 4]
        param W: [2, 2]; param V: [2, 2]
        scan step[t in T] carry h = zeros([2]) {
            gates = sigmoid(W @ h + u[t, :2])
            new = tanh(V @ (gates[0] * h) + u[t, 2:])
            after = gates[1] * h + (1 - gates[1]) * new
            next h = after
            collect hs = after
        }
        output loss = mean(hs**2)
        """,
        _gated,
        lambda rng: {"W": rng.normal(size=(2, 2)), "V": rng.normal(size=(2, 2))},
        lambda rng: {"u": rng.normal(size=(STEPS, 4))},
    ),
    "a Kalman filter, 4 by 2": Small(
        """
        dim T
        input z: [T, 2]
        input H: [2, 4]
        param F: [4, 4]; param q
        scan step[t in T] carry x = zeros([4]), P = eye(4) {
            xp = F @ x
            Pp = F @ P @ F.T + q * eye(4)
            r = z[t] - H @ xp
            S = H @ Pp @ H.T + eye(2)
            G = inv(S)
            K = Pp @ H.T @ G
            next x = xp + K @ r
            next P = Pp - K @ H @ Pp
            collect lost = r @ G @ r + log(S[0, 0] * S[1, 1] - S[0, 1] * S[1, 0])
        }
        output loss = mean(lost)
        """,
        _kalman,
        lambda rng: {"F": 0.9 * rng.normal(size=(4, 4)) / 2, "q": 0.1},
        lambda rng: {"z": rng.normal(size=(STEPS, 2)), "H": rng.normal(size=(2, 4))},
    ),
}


# ---- who takes part ------------------------------------------------------------------------------


@contextmanager
def in_arrays() -> Iterator[None]:
    """Inside, no loop is computed in numbers."""
    from graphc.compile import options
    from graphc.records import replace
    from graphc.targets.numpy.target import NUMPY

    passes = tuple(one for one in NUMPY.lowering if one.__name__ != "loops_in_numbers")
    options.TARGETS[NUMPY.name] = replace(NUMPY, lowering=passes)
    try:
        yield
    finally:
        options.TARGETS[NUMPY.name] = NUMPY


def generated(small: Small) -> Callable[..., Any]:
    from graphc.compile.stages import Options, compile_text, load

    derive = f"derive value_and_grad loss wrt {', '.join(_names(small))} as g\n"
    made = compile_text(small.graph + derive, options=Options(level="-O2"))
    function: Callable[..., Any] = load(made.text, "small").g
    return function


def _names(small: Small) -> list[str]:
    import numpy as np

    return list(small.params(np.random.default_rng(0)))


def by_jax(small: Small) -> Callable[..., Any]:
    import jax

    jax.config.update("jax_enable_x64", True)

    def value(params: Any, *inputs: Any) -> Any:
        return small.steps(jax.numpy, jax.lax.scan, params, *inputs)

    both = jax.jit(jax.value_and_grad(value))

    def function(*given: Any) -> Any:
        return jax.block_until_ready(both(*given))

    return function


def measured(small: Small) -> dict[str, float]:
    """Seconds of each that takes part; raises AssertionError where one differs."""
    import numpy as np

    rng = np.random.default_rng(0)
    given = (small.params(rng), *small.inputs(rng).values())
    with in_arrays():
        arrays = generated(small)
    taking = {"numbers": generated(small), "arrays": arrays, "JAX": by_jax(small)}
    value, gradients = taking["JAX"](*given)
    for name in ("numbers", "arrays"):
        found, slopes = taking[name](*given)
        np.testing.assert_allclose(found, value, rtol=1e-10)
        for path, slope in gradients.items():
            np.testing.assert_allclose(slopes[path], slope, rtol=1e-7, atol=1e-10)
    best = dict.fromkeys(taking, float("inf"))
    for _ in range(RUNS):
        for name, function in taking.items():
            best[name] = min(best[name], _seconds(function, given))
    return best


def _seconds(function: Callable[..., Any], given: Sequence[Any]) -> float:
    calls, before = 0, time.process_time()
    while calls < 3 or time.process_time() - before < 0.05:
        function(*given)
        calls += 1
    return (time.process_time() - before) / calls


def main(names: Sequence[str]) -> None:
    limit_threads(1)
    print("| 1,000 steps | in numbers | in arrays | JAX jit | arrays / numbers | JAX / numbers |")
    print("|---|---|---|---|---|---|")
    for name in names or LOOPS:
        best = measured(LOOPS[name])
        own = best["numbers"]
        cells = [f"{best[one] * 1e3:.3g} ms" for one in ("numbers", "arrays", "JAX")]
        ratios = [f"{best[one] / own:.2g}" for one in ("arrays", "JAX")]
        print(f"| {name} | {' | '.join([*cells, *ratios])} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
