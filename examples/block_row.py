"""The Jacobian of L3(L2(L1(x, θ1), θ2), θ3) by θ = (θ1, θ2, θ3) is a block row.

    J_θ f  =  ( J_x3 L3 · J_x2 L2 · J_θ1 L1  |  J_x3 L3 · J_θ2 L2  |  J_θ3 L3 )

A block has a row per component of f and a column per component of θk: the numerator layout. The
denominator layout is its transpose, and so are all of its factors, in the opposite order.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from build import OUT, compare, load, run, show


def main(out: Path = OUT) -> None:
    net = load("block_row", out)
    params = net.init(seed=6)
    x = np.random.default_rng(6).normal(size=4)

    # Each layer by its own two arguments: a matrix each, a θ being read row by row.
    L1_θ = net.L1_θ(params, x)
    L2_x, L2_θ = net.L2_x(params, x), net.L2_θ(params, x)
    L3_x, L3_θ = net.L3_x(params, x), net.L3_θ(params, x)
    J = net.J_θ(params, x)
    blocks = net.blocks(params, x)["f"]

    print("J_θ f is a block row: as far as each θk is from f, so many factors has its block")
    show("J_x3 L3", L3_x)
    show("J_x2 L2", L2_x)
    show("J_θ2 L2", L2_θ)
    show("J_x3 L3 · J_θ2 L2", L3_x @ L2_θ)
    show("the block of J_θ f", blocks["θ2"])
    compare("block of θ3 = J_θ3 L3", blocks["θ3"].reshape(2, -1), L3_θ)
    compare("block of θ2 = J_x3 L3 · J_θ2 L2", blocks["θ2"], L3_x @ L2_θ)
    by_θ1 = L3_x @ L2_x @ L1_θ
    compare("block of θ1 = J_x3 L3 · J_x2 L2 · J_θ1 L1", blocks["θ1"].reshape(2, -1), by_θ1)
    compare("J_θ f = the three blocks, side by side", J, np.hstack([by_θ1, L3_x @ L2_θ, L3_θ]))

    print("A row of J_θ f is the gradient of one component of f; as ∂f/∂θ it stands upright")
    # The cotangent e_i picks component i of f. `pull` multiplies by a transpose: (J_θ f)ᵀ e_i.
    pulled = [net.pull(params, x, cotangents={"f": unit})[1] for unit in np.eye(2)]
    upright = np.stack([net.flatten(columns) for columns in pulled], axis=1)
    print(f"  numerator layout {J.shape}, denominator layout {upright.shape}")
    compare("one is the other transposed: (∂f/∂θ)ᵀ = J_θ f", upright.T, J)
    compare(
        "upright: ∂f/∂θ1 = ∂x2/∂θ1 · ∂x3/∂x2 · ∂f/∂x3, reversed",
        upright[: params["θ1"].size],
        L1_θ.T @ L2_x.T @ L3_x.T,
    )


if __name__ == "__main__":
    run(main)
