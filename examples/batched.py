"""Batches: the gradient of a batch is the sum (or the mean) of the gradients of its samples.

The same layer with a sample per row, Y = tanh(X W + b), and with a sample per column,
Y = tanh(V X + c): V is W transposed, and so is its gradient.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from build import OUT, compare, load, run


def main(out: Path = OUT) -> None:
    net = load("batched", out)
    params = net.init(seed=5)
    W, b = params["W"], params["b"]
    params |= {"V": W.T, "c": b}  # the layer of columns is the layer of rows
    rng = np.random.default_rng(5)
    X, T = rng.normal(size=(6, 5)), rng.uniform(-1, 1, size=(6, 3))

    rows = net.grad_total(params, X, T)
    mean = net.grad_average(params, X, T)
    columns = net.grad_total_columns(params, X, T)
    # B is symbolic: the same function takes a single row.
    single = [net.grad_total(params, X[i : i + 1], T[i : i + 1]) for i in range(len(X))]

    print("A batch of 6 rows against 6 batches of one row")
    for name in ("W", "b"):
        per_row = [gradient[name] for gradient in single]
        compare(
            f"gradient of the summed loss by {name} = Σ of those of the rows",
            rows[name],
            np.sum(per_row, axis=0),
        )
        compare(
            f"gradient of the mean loss by {name} = their mean",
            mean[name],
            np.mean(per_row, axis=0),
        )

    print("Rows against columns")
    Y = np.tanh(X @ W + b)
    delta = (Y - T) * (1 - Y**2)  # a row per sample
    outputs, _ = net.forward(params, X, T)
    compare("the losses agree", outputs.total_columns, outputs.total)
    compare("rows: ∂L/∂W = Xᵀ δ", rows["W"], X.T @ delta)
    compare("rows: ∂L/∂W = Σ outer(x_i, δ_i)", rows["W"], sum(map(np.outer, X, delta)))
    compare("columns: ∂L/∂V = δᵀ X", columns["V"], delta.T @ X)
    compare("columns: ∂L/∂V = Σ outer(δ_i, x_i)", columns["V"], sum(map(np.outer, delta, X)))
    compare("one is the other transposed: ∂L/∂V = (∂L/∂W)ᵀ", columns["V"], rows["W"].T)
    compare(
        "the bias is broadcast over the samples, so its gradient is summed",
        rows["b"],
        delta.sum(axis=0),
    )
    compare("columns: ∂L/∂c = ∂L/∂b", columns["c"], rows["b"])


if __name__ == "__main__":
    run(main)
