"""Why back-propagation, and not forward-propagation? Both, by hand, give the same J_θ f.

    forward    G^1 = J_θ1 L1,   G^k = ( J_xk Lk · G^{k-1} | J_θk Lk ),   and J_θ f = G^l
    backward   D = I; for k from l to 1:   J_θk f = D · J_θk Lk,   D = D · J_xk Lk

What they cost follows from the shapes alone, and depends on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from build import OUT, claim, compare, load, run, show

Matrix = npt.NDArray[np.float64]

NETS = {
    "wide": (24, 6, 6, 1),  # many inputs, one output: as with a loss
    "square": (6, 6, 6, 6),
    "tall": (3, 3, 3, 24),  # few inputs, many outputs
}
LAYERS = (1, 2, 3)


class Layers(NamedTuple):
    """The Jacobians of each layer by its own two arguments, from the first layer."""

    by_x: list[Matrix]
    by_θ: list[Matrix]


def times(a: Matrix, b: Matrix, spent: list[int]) -> Matrix:
    """The product, and in `spent` the multiply-adds that it took."""
    spent.append(a.shape[0] * a.shape[1] * b.shape[1])
    return a @ b


def forward(layers: Layers, spent: list[int]) -> Matrix:
    G = layers.by_θ[0]
    for by_x, by_θ in zip(layers.by_x[1:], layers.by_θ[1:], strict=True):
        G = np.hstack([times(by_x, G, spent), by_θ])
    return G


def backward(layers: Layers, spent: list[int]) -> Matrix:
    # D = I goes through the last layer: nothing is to be multiplied there.
    D, blocks = layers.by_x[-1], [layers.by_θ[-1]]
    for k in reversed(range(len(layers.by_θ) - 1)):
        blocks.insert(0, times(D, layers.by_θ[k], spent))
        if k:  # by x itself nobody asks
            D = times(D, layers.by_x[k], spent)
    return np.hstack(blocks)


def costs(widths: Sequence[int]) -> tuple[int, int]:
    """The multiply-adds of both, from n_0 … n_l, where θk has p_k = n_k n_{k-1} elements.

    forward    Σ_{k=2..l}    n_k n_{k-1} (p_1 + … + p_{k-1})
    backward   Σ_{k=1..l-1}  n_l n_k p_k  +  Σ_{k=2..l-1}  n_l n_k n_{k-1}
    """
    n, last = widths, len(widths) - 1
    p = [0] + [n[k] * n[k - 1] for k in range(1, last + 1)]
    there = sum(n[k] * n[k - 1] * sum(p[:k]) for k in range(2, last + 1))
    back = sum(n[last] * n[k] * p[k] for k in range(1, last))
    return there, back + sum(n[last] * n[k] * n[k - 1] for k in range(2, last))


def both(net: ModuleType, widths: Sequence[int]) -> tuple[Matrix, Matrix, Matrix, tuple[int, int]]:
    """J_θ f of a net of these widths by the module, forward, backward; and what these two took."""
    params = net.init(seed=7, **{f"D{k}": width for k, width in enumerate(widths)})
    x = np.random.default_rng(7).normal(size=widths[0])
    # No G and no D meets the Jacobian of the first layer by x, so it is not derived.
    by_x = [np.empty((widths[1], 0)), net.L2_x(params, x), net.L3_x(params, x)]
    layers = Layers(by_x, [getattr(net, f"L{k}_θ")(params, x) for k in LAYERS])
    there: list[int] = []
    back: list[int] = []
    G, D = forward(layers, there), backward(layers, back)
    return net.J_θ(params, x), G, D, (sum(there), sum(back))


def main(out: Path = OUT) -> None:
    net = load("forward_backward", out)
    for name, widths in NETS.items():
        J, G, D, spent = both(net, widths)
        print(f"A {name} net of widths {' → '.join(map(str, widths))}: J_θ f is {J.shape}")
        show("forward,  row 1, columns 1 to 6", G[0, :6])
        show("backward, row 1, columns 1 to 6", D[0, :6])
        compare("G^l, forward = J_θ f", G, J)
        compare("the blocks D · J_θk Lk, backward = J_θ f", D, J)
        there, back = costs(widths)
        claim(
            "multiply-adds, forward and backward, as the formulas say",
            costs(widths) == spent,
            f"{there}, {back}",
        )
        assert (there < back) == (name == "tall")
        cheaper, ratio = "forward" if there < back else "backward", there / back
        print(f"    {cheaper} is cheaper, by a factor of {max(ratio, 1 / ratio):.1f}")

    print("Where it turns: widths 3 → 3 → 3 → m cost 81 + 54 m forward, 63 m backward")
    for m in (1, 3, 6, 9, 12, 24, 100):
        there, back = costs((3, 3, 3, m))
        assert (there, back) == (81 + 54 * m, 63 * m)
        sign = "<" if there < back else ">" if there > back else "="
        print(f"    m = {m:3}    forward {there:5}  {sign}  {back:5} backward")
    turns = [m for m in range(1, 1000) if np.equal(*costs((3, 3, 3, m)))]
    claim("equal where 81 + 54 m = 63 m, so at m = 9 only", turns == [9], f"{turns}")
    print("One scalar loss is m = 1: D is a row, and each product a row times a matrix. Forward")
    print("never wins by much here: θ enters at every layer, so that G is as wide as θ is long.")


if __name__ == "__main__":
    run(main)
