"""The same network fitted by SciPy: parameters as one vector, the gradient from the module."""

from __future__ import annotations

import time
from pathlib import Path
from types import ModuleType

import numpy as np
from build import OUT, load, run
from digits import Floats, Parameters, Pictures, accuracy, read
from scipy.optimize import OptimizeResult, minimize

GOAL = 0.93  # of the digits that were held out
DECAY = 3e-3  # of the squared parameters: the whole batch has no noise that would regularise


def fit(
    net: ModuleType, learn: Pictures, iterations: int, seed: int = 0
) -> tuple[Parameters, OptimizeResult]:
    """L-BFGS-B on the mean loss of all pictures, plus DECAY/2 · |parameters|²."""

    def loss_and_gradient(vector: Floats) -> tuple[float, Floats]:
        loss, grads = net.value_and_grad_loss(net.unflatten(vector), *learn)
        return loss + DECAY / 2 * vector @ vector, net.flatten(grads) + DECAY * vector

    result = minimize(
        loss_and_gradient,
        net.flatten(net.init(seed)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations},
    )
    return net.unflatten(result.x), result


def main(out: Path = OUT) -> None:
    started = time.perf_counter()
    net = load("digits", out)
    learn, held = read()
    print("Digits by scipy.optimize.minimize, method L-BFGS-B")
    params, result = fit(net, learn, iterations=120)
    share = accuracy(net, params, held)
    print(f"  {result.nit} iterations, {result.nfev} gradients, objective {result.fun:.4f}")
    print(f"  held-out accuracy {share:.1%}, {time.perf_counter() - started:.1f} s")
    if not (np.isfinite(result.fun) and share >= GOAL):
        raise SystemExit(f"the held-out accuracy is below {GOAL:.0%}")


if __name__ == "__main__":
    run(main)
