"""A function of NumPy arrays, as it was written, becomes a graph, and that a readable gradient.

The function is run once with arrays that write down what is done; its gradient by the module is
compared with a complex step: f'(w) = Im f(w + i h) / h, to the last digits for any small h.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from build import OUT, claim, compare, run

import graphc


def loss(x: Any, t: Any, w: Any, decay: float = 0.1) -> Any:
    """Logistic regression with a penalty."""
    z = x @ w
    p = 1 / (1 + np.exp(-z))
    likelihood = np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
    return decay * np.sum(w**2) - likelihood


def main(out: Path = OUT) -> None:
    imported = graphc.import_numpy(loss, "input x: [B, 3]; input t: [B]; param w: [3]")
    print("the function, as a graph:\n")
    print(imported)
    compiled = imported.compile(level=0)
    out.mkdir(parents=True, exist_ok=True)
    compiled.write(out / "imported.py")
    text = str(compiled)
    gradient = text[text.index("def value_and_grad_loss(") :]
    print("\n".join(gradient[: gradient.index("\n\n\n")].splitlines()[-18:]), "\n")

    random = np.random.default_rng(0)
    x, t, w = random.normal(size=(5, 3)), np.array([0.0, 1, 1, 0, 1]), random.normal(size=3)
    value, grads = compiled.module().value_and_grad_loss({"w": w}, x, t)
    compare("the value = that of the function", value, loss(x, t, w))
    steps = 1e-30j * np.eye(3)
    by_hand = [loss(x, t, w + step).imag / 1e-30 for step in steps]
    compare("the gradient = a complex step, number by number", grads["w"], by_hand)
    claim("the likelihood is stable in the module", "logaddexp" in text, "log(1 - p) is no more")


if __name__ == "__main__":
    run(main)
