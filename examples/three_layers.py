"""Backpropagation by hand, through three different layers, in the exact order of its derivation.

    ∂L/∂x3 = ℓ'(x3),   ∂L/∂θ_k = ∂x_k/∂θ_k · ∂L/∂x_k,   ∂L/∂x_{k-1} = ∂x_k/∂x_{k-1} · ∂L/∂x_k

A partial derivative ∂x/∂v is an array here, first the axes of v, then the axis of x ("denominator
layout"), so that `@` contracts it with ∂L/∂x whatever the rank of v is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from build import OUT, compare, load, run


def main(out: Path = OUT) -> None:
    net = load("three_layers", out)
    θ1, θ2, θ3 = (params := net.init(seed=1)).values()
    x = np.random.default_rng(1).normal(size=4)
    outputs, _ = net.forward(params, x)
    grads = net.grad_L(params, x)

    # Forward
    x1 = np.tanh(θ1 @ x)
    x2 = x1 * (θ2 @ x1)
    x3 = np.sin(θ3 @ x2)

    # The partial derivatives of each layer by its own two arguments
    dx1_dθ1 = np.einsum("ij,k->ikj", np.diag(1 - x1**2), x)
    dx2_dθ2 = np.einsum("ij,k->ikj", np.diag(x1), x1)
    dx2_dx1 = np.diag(θ2 @ x1) + θ2.T * x1
    dx3_dθ3 = np.einsum("ij,k->ikj", np.diag(np.cos(θ3 @ x2)), x2)
    dx3_dx2 = θ3.T * np.cos(θ3 @ x2)

    # Backward, from the last node
    dL_dx3 = x3
    dL_dθ3 = dx3_dθ3 @ dL_dx3
    dL_dx2 = dx3_dx2 @ dL_dx3
    dL_dθ2 = dx2_dθ2 @ dL_dx2
    dL_dx1 = dx2_dx1 @ dL_dx2
    dL_dθ1 = dx1_dθ1 @ dL_dx1

    print("Three layers: the module against backpropagation by hand")
    compare("L = ℓ(x3)", outputs.L, x3 @ x3 / 2)
    compare("∂L/∂x3 = ℓ'(x3)", grads["x3"], dL_dx3)
    compare("∂L/∂θ3 = ∂x3/∂θ3 · ∂L/∂x3", grads["θ3"], dL_dθ3)
    compare("∂L/∂x2 = ∂x3/∂x2 · ∂L/∂x3", grads["x2"], dL_dx2)
    compare("∂L/∂θ2 = ∂x2/∂θ2 · ∂L/∂x2", grads["θ2"], dL_dθ2)
    compare("∂L/∂x1 = ∂x2/∂x1 · ∂L/∂x2", grads["x1"], dL_dx1)
    compare("∂L/∂θ1 = ∂x1/∂θ1 · ∂L/∂x1", grads["θ1"], dL_dθ1)

    # The direct formula: right, but from the left it multiplies matrices, not vectors.
    direct = dx1_dθ1 @ dx2_dx1 @ dx3_dx2 @ dL_dx3
    compare("∂L/∂θ1 = ∂x1/∂θ1 · ∂x2/∂x1 · ∂x3/∂x2 · ∂L/∂x3", grads["θ1"], direct)
    n, d1, d3 = θ1.size, x1.size, x3.size
    from_the_left = n * d1 * d1 + n * d1 * d3 + n * d3
    from_the_right = d1 * d3 + d1 * d1 + n * d1
    print(f"  that product takes {from_the_left} multiplications from the left, as it is written,")
    print(f"  and {from_the_right} from the right: one vector goes backward through the layers")


if __name__ == "__main__":
    run(main)
