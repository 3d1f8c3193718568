"""The 3-2-1 network: the derivative of the output is a product of Jacobian matrices.

    dy/dx  =  dy/dz · dz/dx        [1,3] = [1,2] · [2,3]

A Jacobian has a row per component of the function and a column per component of its argument.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from build import OUT, compare, load, run, show

FACTORS = {
    "dy_du": "σ'(u)",
    "du_dz": "vᵀ",
    "dz_dh": "diag σ'(h)",
    "dh_dx": "W",
    "dy_dz": "dy/du · du/dz",
    "dz_dx": "dz/dh · dh/dx",
    "dy_dx": "dy/dz · dz/dx",
}


def main(out: Path = OUT) -> None:
    net = load("net321", out)
    params = net.init(seed=3)
    W, b, v, c = params.values()
    x = np.array([0.5, -1.0, 2.0])
    chain, grads = net.chain(params, x), net.grad_y(params, x)

    h = W @ x + b
    z = 1 / (1 + np.exp(-h))
    u = v @ z + c
    y = 1 / (1 + np.exp(-u))

    # Every factor as a full matrix
    dy_du = np.array([[y * (1 - y)]])
    du_dz = v[None, :]
    dz_dh = np.diag(1 / ((1 + np.exp(h)) * (1 + np.exp(-h))))
    dh_dx = W
    dy_dz = dy_du @ du_dz
    dz_dx = dz_dh @ dh_dx
    dh_dW = np.einsum("ij,k->ijk", np.eye(2), x)

    print("A 3-2-1 network: dy/dx = dy/dz · dz/dx")
    found = {name: getattr(net, name)(params, x) for name in FACTORS}
    for name in ("dy_dz", "dz_dx", "dy_dx"):
        show(name.replace("_", "/"), found[name])
    compare("y", net.forward(params, x)[0].y, y)

    print("Factor by factor: the module's Jacobians against those by hand")
    by_hand = (dy_du, du_dz, dz_dh, dh_dx, dy_dz, dz_dx, dy_dz @ dz_dx)
    for (name, formula), factor in zip(FACTORS.items(), by_hand, strict=True):
        compare(f"{name.replace('_', '/')} = {formula}", found[name], factor)
    product = found["dy_dz"] @ found["dz_dx"]
    compare("the module's dy/dx = its dy/dz · dz/dx", found["dy_dx"], product)

    print("And as backpropagation finds them, a row at a time")
    compare("dy/du = σ'(u)", chain["u"], dy_du[0, 0])
    compare("dy/dz = dy/du · du/dz", chain["z"], dy_dz[0])
    compare("dy/dh = dy/dz · dz/dh, where dz/dh is diagonal", chain["h"], (dy_dz @ dz_dh)[0])
    compare("dy/dx = dy/dh · dh/dx, where dh/dx is W", chain["x"], (dy_dz @ dz_dh @ dh_dx)[0])
    compare("dy/dx = dy/dz · dz/dx", chain["x"], (dy_dz @ dz_dx)[0])
    compare("dy/dc = dy/du", grads["c"], dy_du[0, 0])
    compare("dy/dv = dy/du · zᵀ", grads["v"], (dy_du * z)[0])
    compare("dy/db = dy/dh", grads["b"], (dy_dz @ dz_dh)[0])
    compare("dy/dW = dy/dh · dh/dW", grads["W"], np.tensordot(dy_dz @ dz_dh, dh_dW, axes=1)[0])


if __name__ == "__main__":
    run(main)
