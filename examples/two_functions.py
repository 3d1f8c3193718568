"""f = 3 x² y and g = 2 x + y⁸: their gradients, stacked, are a Jacobian.

        ⎡ ∂f/∂x  ∂f/∂y ⎤   ⎡ 6 x y   3 x² ⎤
    J = ⎢              ⎥ = ⎢              ⎥
        ⎣ ∂g/∂x  ∂g/∂y ⎦   ⎣   2     8 y⁷ ⎦

A row is what one function depends on: reverse mode finds it at once. A column is what one variable
moves: forward mode finds it at once.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from build import OUT, compare, load, run, show


def main(out: Path = OUT) -> None:
    net = load("two_functions", out)
    x, y = 2.0, 1.0
    J = net.J(x, y)

    print("f = 3 x² y and g = 2 x + y⁸ at x = 2, y = 1")
    show("J", J)
    compare("J = [[6 x y, 3 x²], [2, 8 y⁷]]", J, [[12, 12], [2, 8]], tolerance=0)
    x, y = -1.3, 0.7
    J = net.J(x, y)
    print("and at x = -1.3, y = 0.7")
    show("J", J)
    compare("J = [[6 x y, 3 x²], [2, 8 y⁷]]", J, [[6 * x * y, 3 * x**2], [2, 8 * y**7]])

    gradients = [list(net.grad_f(x, y).values()), list(net.grad_g(x, y).values())]
    compare("the rows of J = ∇f and ∇g", J, gradients)
    blocks = net.blocks(x, y)
    compare("J, entry by entry = blocks[output][path]", J, [list(blocks[f].values()) for f in "fg"])
    for row, name in zip(J, "fg", strict=True):
        _, pulled = net.pull(x, y, cotangents={name: 1.0})
        compare(f"row of {name} = its cotangent 1, pulled back", row, list(pulled.values()))
    for column, name in zip(J.T, "xy", strict=True):
        _, pushed = net.push(x, y, tangents={name: 1.0})
        compare(f"column of {name} = its tangent 1, pushed forward", column, pushed)

    u, v = np.array([0.6, -0.8]), np.array([2.0, -1.0])
    _, pushed = net.push(x, y, tangents={"x": u[0], "y": u[1]})
    _, pulled = net.pull(x, y, cotangents={"f": v[0], "g": v[1]})
    both = v @ pushed, u @ list(pulled.values())
    print(f"  v · (J u) = {both[0]:.12f}, (Jᵀ v) · u = {both[1]:.12f}")
    compare("v · (J u) = (Jᵀ v) · u: the two modes are one matrix", *both)


if __name__ == "__main__":
    run(main)
