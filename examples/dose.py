"""Probit regression by Newton's method: how many beetles a dose of a gas kills.

With Φ the normal distribution, a beetle dies of a dose x with the probability Φ(a + b x). Of k
among n that is

    -log L  =  - Σ_i [ k_i log Φ(z_i) + (n_i - k_i) log Φ(-z_i) ],      z_i = a + b x_i,

which is convex in a and b: `log_ndtr` computes it also where Φ has underflowed, and its derivative
φ/Φ without dividing 0 by 0. So Newton's method may start far away.

The data are those of C. I. Bliss, The calculation of the dosage-mortality curve, Annals of Applied
Biology 22 (1935), 134; the estimates those of A. J. Dobson, An Introduction to Generalized Linear
Models (2002), section 7.3.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from build import OUT, claim, compare, load, run

DOSE = (1.6907, 1.7242, 1.7552, 1.7842, 1.8113, 1.8369, 1.8610, 1.8839)  # log10 of CS2 in mg/l
GIVEN = (59, 60, 62, 56, 63, 59, 62, 60)
KILLED = (6, 13, 18, 28, 52, 53, 61, 60)
ESTIMATES = np.array([-34.94, 19.73])  # of a and b
EXPECTED = (3.36, 10.72, 23.48, 33.82, 49.62, 53.32, 59.66, 59.23)  # killed by each dose


def main(out: Path = OUT) -> None:
    net = load("dose", out)
    data = np.array(DOSE), np.array(GIVEN, float), np.array(KILLED, float)

    print("Newton's method from a = 0, b = 1")
    at = np.array([0.0, 1.0])
    losses = []
    for _ in range(12):
        params = net.unflatten(at)
        slope, H = net.flatten(net.grad_loss(params, *data)), net.H(params, *data)
        losses.append(float(net.forward(params, *data)[0].loss))
        step = np.linalg.solve(H, slope)
        at = at - step
    print("  -log L: " + " ".join(f"{loss:.4f}" for loss in losses[:8]))
    claim("the gradient vanishes", np.max(np.abs(slope)) < 1e-8, f"{np.max(np.abs(slope)):.1e}")
    compare("a and b = the published estimates", at / ESTIMATES, [1, 1], tolerance=5e-4)
    found = net.forward(net.unflatten(at), *data)[0]
    compare("expected deaths = the published ones", found.expected, EXPECTED, tolerance=2e-3)

    print("The dose that kills half of them, and its standard deviation by the delta method")
    params = net.unflatten(at)
    slope = net.flatten(net.grad_half(params, *data))
    deviation = float(np.sqrt(slope @ np.linalg.solve(net.H(params, *data), slope)))
    print(f"  log10 dose = {float(found.half):.4f} ± {deviation:.4f}")
    compare("it is -a / b", found.half, -at[0] / at[1])

    print("Far away, where Φ(z) is 0 in double precision")
    far = net.unflatten(np.array([-200.0, 19.7]))
    slope = net.flatten(net.grad_loss(far, *data))
    z = -200 + 19.7 * data[0]
    by_hand = -np.sum(data[2] * -z)  # φ(z)/Φ(z) → -z
    loss = float(net.forward(far, *data)[0].loss)
    claim("the loss is finite there", bool(np.isfinite(loss)), f"{loss:.4g}")
    compare("its slope by a → Σ k z", slope[0] / by_hand, 1, tolerance=1e-4)


if __name__ == "__main__":
    run(main)
