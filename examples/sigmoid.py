"""The sigmoid, element by element: its Jacobian is the diagonal matrix of its derivatives.

J_θ(f) = diag( f'(θ_i) ),    f'(θ_i) = 1 / ((1 + exp(θ_i)) (1 + exp(-θ_i)))
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from build import OUT, claim, compare, load, run, show


def main(out: Path = OUT) -> None:
    net = load("sigmoid", out)
    θ = np.array([-3.0, -0.5, 0.0, 2.0])
    f = net.forward(θ)[0].f
    J, diagonal = net.J(θ), net.diagonal(θ)["f"]["θ"]
    derivative = 1 / ((1 + np.exp(θ)) * (1 + np.exp(-θ)))

    print("f = sigmoid(θ), element by element")
    show("θ", θ)
    show("J", J)
    show("f'(θ)", derivative)
    compare("J = diag f'(θ)", J, np.diag(derivative))
    compare("f'(θ) = f (1 - f)", derivative, f * (1 - f))
    beside = J[~np.eye(len(θ), dtype=bool)]
    claim("beside the diagonal is 0, exactly", np.all(beside == 0), f"{len(beside)} zeros")
    compare("`per N`: the diagonal alone = f'(θ)", diagonal, derivative)

    print("With a vector v: a product with a diagonal matrix is elementwise, and symmetric")
    v = np.array([1.0, -2.0, 3.0, 0.5])
    compare("diag(f') v = f' ⊙ v", np.diag(derivative) @ v, derivative * v)
    compare("what the module pulls back = f' ⊙ v", net.pull(θ, cotangents={"f": v})[1]["θ"], J @ v)

    large = np.linspace(-5, 5, 1000)
    compare("1000 elements: the same", np.diag(net.J(large)), net.diagonal(large)["f"]["θ"])
    sizes = net.J(large).size, net.diagonal(large)["f"]["θ"].size
    claim("but N² numbers against N", sizes == (1000**2, 1000), f"{sizes[0]} against {sizes[1]}")


if __name__ == "__main__":
    run(main)
