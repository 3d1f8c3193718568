"""The four equations of backpropagation in a dense network of columns, term by term.

Where do the transpose and the Hadamard product come from? The Jacobian of z = W a + b by a is W,
that of a = σ(z) is the diagonal matrix of σ'(z). A row vector δᵀ meets them from the left; as a
column, δ meets Wᵀ, and to multiply by a diagonal matrix is to multiply element by element.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from build import OUT, compare, load, run

Array = npt.NDArray[np.float64]


def sigma(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def sigma_prime(z: Array) -> Array:
    return sigma(z) * (1 - sigma(z))


def main(out: Path = OUT) -> None:
    net = load("dense_column", out)
    params = net.init(seed=2)
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=6), rng.uniform(size=3)
    deltas, grads = net.deltas(params, x, y), net.grad_C(params, x, y)

    a, z = {0: x}, {}
    for layer in (1, 2, 3):
        z[layer] = params[f"W{layer}"] @ a[layer - 1] + params[f"b{layer}"]
        a[layer] = sigma(z[layer])

    print("A dense network of columns: the module against the equations, from the last layer")
    delta = (a[3] - y) * sigma_prime(z[3])
    compare("δ3 = (a3 - y) ⊙ σ'(z3)", deltas["z3"], delta)
    for layer in (3, 2, 1):
        compare(
            f"∂C/∂W{layer} = δ{layer} a{layer - 1}ᵀ",
            grads[f"W{layer}"],
            np.outer(delta, a[layer - 1]),
        )
        compare(f"∂C/∂b{layer} = δ{layer}", grads[f"b{layer}"], delta)
        if layer == 1:
            break
        W, below = params[f"W{layer}"], layer - 1
        row = delta[None, :] @ W @ np.diag(sigma_prime(z[below]))
        delta = (W.T @ delta) * sigma_prime(z[below])
        compare(f"δ{below} = (W{layer}ᵀ δ{layer}) ⊙ σ'(z{below})", deltas[f"z{below}"], delta)
        compare(
            f"δ{below}ᵀ = δ{layer}ᵀ · W{layer} · diag σ'(z{below}), with Jacobians",
            deltas[f"z{below}"][None, :],
            row,
        )


if __name__ == "__main__":
    run(main)
