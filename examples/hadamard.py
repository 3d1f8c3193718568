"""Where the transposes come from, and when a product is Hadamard's.

With a = σ(z), z_next = W a + b and δ_next = ∂C/∂z_next, the chain rule reads

    ∂C/∂z  =  A · B · S  =  δ_nextᵀ · W · diag(σ'(z))        [1, M] · [M, N] · [N, N]

of which nothing is elementwise: a derivative is a row, and σ has an N by N Jacobian. Two remarks
make the usual formula of it. As a column the same is (A · B · S)ᵀ = Sᵀ Bᵀ Aᵀ, so that W is
transposed; and a diagonal matrix times a vector is an elementwise product:

    δ  =  (Wᵀ δ_next) ⊙ σ'(z)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from build import OUT, claim, compare, load, run, show


def main(out: Path = OUT) -> None:
    net = load("hadamard", out)
    params = net.init(seed=8)
    rng = np.random.default_rng(8)
    given = params, rng.normal(size=4), rng.uniform(-1, 1, size=3)
    W, z = params["W"], given[1]
    σ = 1 / (1 + np.exp(-z))
    slope = σ * (1 - σ)
    A, B, S, row = net.A(*given), net.B(*given), net.S(*given), net.row(*given)
    gradients = net.gradients(*given)
    δ_next, δ = gradients["z_next"], gradients["z"]

    print("The three factors, as Jacobians")
    show("A = ∂C/∂z_next", A)
    show("B = ∂z_next/∂a", B)
    show("S = ∂a/∂z", S)
    compare("A = δ_nextᵀ, a row", A, δ_next[None, :])
    compare("B = W", B, W)
    compare("S = diag σ'(z), a matrix and not the vector σ'(z)", S, np.diag(slope))

    print("Their product, lying and upright")
    show("A · B · S", A @ B @ S)
    show("(Wᵀ δ_next) ⊙ σ'(z)", (W.T @ δ_next) * slope)
    compare("∂C/∂z = A · B · S", row, A @ B @ S)
    compare("numerator layout: ∂C/∂z = δ_nextᵀ · W · diag σ'(z)", row[0], δ_next @ W @ S)
    compare("denominator layout: δ = diag σ'(z) · Wᵀ · δ_next", δ, S.T @ W.T @ δ_next)
    compare("diag σ'(z) · u = σ'(z) ⊙ u, here with u = Wᵀ δ_next", S @ (W.T @ δ_next), δ)
    compare("δ = (Wᵀ δ_next) ⊙ σ'(z)", δ, (W.T @ δ_next) * slope)
    compare("Wᵀ δ_next on its way = ∂C/∂a", gradients["a"], W.T @ δ_next)
    wrong = δ_next @ W @ slope
    claim(
        "with σ'(z) as a vector, δ_next · W · σ'(z) is no gradient",
        np.shape(wrong) != z.shape,
        f"shape {np.shape(wrong)}, δ has {z.shape}",
    )

    print("The same without a matrix for B or S: each pulls a cotangent back")
    _, through_B = net.pull_B(*given, cotangents={"z_next": δ_next})
    _, through_S = net.pull_S(*given, cotangents={"a": through_B["a"]})
    compare("δ = pull_S(pull_B(δ_next))", through_S["z"], δ)
    N, M = len(z), len(δ_next)
    print(f"  multiplications from the left: M N + N² = {M * N + N * N} with S as a matrix,")
    print(f"  and M N + N = {M * N + N} with ⊙; for 1000 neurons each, 2000000 and 1001000")


if __name__ == "__main__":
    run(main)
