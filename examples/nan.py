"""Where nan comes from: `--trace-nan` names the first node that makes it, and what went in.

variance = mean(x²) - mean(x)²

cancels where the mean is large, to less than nothing, and is 0 for a row of equal numbers, where
the root has no slope.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from build import OUT, claim, compare, load, run


def main(out: Path = OUT) -> None:
    net = load("nan", out, trace_nan=True)
    params = {"gain": 1.0}
    x = np.array([[1.0, 2.0, 4.0], [0.5, -1.0, 3.0]])

    print("Where all is well")
    loss, grads = net.value_and_grad_loss(params, x)
    centred, deviation = x - x.mean(axis=1, keepdims=True), x.std(axis=1, keepdims=True)
    compare("loss = Σ deviations", loss, deviation.sum())
    compare("∂loss/∂x = (x - mean) / (3 deviation)", grads["x"], centred / (3 * deviation))
    claim("there is nothing to trace", net.trace(params, x) is None, "None")

    print("Far from zero: the difference of two squares of 10⁹ is noise")
    far = x + np.array([[0.0], [1e9]])
    with np.errstate(invalid="ignore"):
        value = net.value_and_grad_loss(params, far)[0]
    claim("the loss is nan", np.isnan(value), f"{value}")
    found = net.trace(params, far)
    print(f"\n{found}\n")
    squares = (far * far).mean(axis=1) - far.mean(axis=1) ** 2
    claim("made by the root, forward", found.operation == "sqrt", found.function)
    claim("in the row that is far away", found.position == (1,), f"{found.position}")
    compare("of this variance, which is negative", found.operands[0].here, squares[1])

    print("Equal numbers: a value, but no gradient")
    equal = np.array([[2.0, 2.0, 2.0], [0.5, -1.0, 3.0]])
    with np.errstate(divide="ignore", invalid="ignore"):
        value, grads = net.value_and_grad_loss(params, equal)
    claim("the loss is a number", np.isfinite(value), f"{value:.4f}")
    claim("the gradient is nan", np.isnan(grads["x"][0]).all(), f"{grads['x'][0]}")
    found = net.trace(params, equal)
    print(f"\n{found}\n")
    claim("made on the way back", found.function == "value_and_grad_loss", found.function)
    claim("through the root", "sqrt(variance)" in found.line, found.place)
    claim("in the row of equal numbers", found.position == (0,), f"{found.position}")


if __name__ == "__main__":
    run(main)
