"""The Jacobian of n losses is their n gradients, stacked; the sum of its rows is the gradient.

    loss = Σ_i losses_i,     J[i, :] = ∇ losses_i,     Σ_i J[i, :] = ∇ loss

`grad loss … per B` gives row i as a dict: what sample i contributes, from one backward pass.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from build import OUT, claim, compare, load, run, show

SAMPLES = 32
LIMIT = 2.0
Array = npt.NDArray[np.float64]


def clipped(rows: dict[str, Array], limit: float) -> tuple[dict[str, Array], Array]:
    """The sum of gradients no longer than `limit` each, and their lengths before.

    One step of differentially private SGD adds noise to this sum (Abadi et al. 2016, section 3.1).
    """
    flat = [row.reshape(len(row), -1) for row in rows.values()]
    lengths = np.sqrt(sum(np.sum(part**2, axis=1) for part in flat))
    scale = np.minimum(1, limit / lengths)
    return {path: np.tensordot(scale, row, axes=1) for path, row in rows.items()}, lengths


def main(out: Path = OUT) -> None:
    net = load("per_sample", out)
    params = net.init(seed=9)
    rng = np.random.default_rng(9)
    x, label = rng.normal(size=(SAMPLES, 5)), rng.integers(0, 3, SAMPLES)
    loss, whole = net.value_and_grad_loss(params, x, label)
    losses, rows = net.per_sample(params, x, label)

    # B is symbolic: the same function takes a single sample.
    loop = [net.value_and_grad_loss(params, x[i : i + 1], label[i : i + 1]) for i in range(SAMPLES)]

    print(f"{SAMPLES} samples: each gradient by itself")
    for path, row in rows.items():
        print(f"  {path}: {whole[path].shape}, per sample {row.shape}")
    compare("the losses = those of a loop over single samples", losses, [one for one, _ in loop])
    compare("their sum = the loss", losses.sum(), loss)
    for path, row in rows.items():
        compare(f"{path}: row i = gradient of sample i alone", row, [one[path] for _, one in loop])
        compare(f"{path}: the sum of the rows = the gradient", row.sum(axis=0), whole[path])

    show("sum of the rows of logits.b", rows["logits.b"].sum(axis=0))
    show("gradient by logits.b       ", whole["logits.b"])

    print("As one matrix")
    J = net.J(params, x, label)
    show("two rows of J, the last 6 columns", J[:2, -6:])
    stacked = [net.flatten(one) for _, one in loop]
    compare(f"the Jacobian of the losses, {J.shape} = the gradients, stacked", J, stacked)
    compare("1ᵀ J = the gradient of their sum", np.ones(SAMPLES) @ J, net.flatten(whole))
    shares = net.shares(params, x, label)
    compare("of the mean loss, a sample contributes 1/n", shares["h.W"], rows["h.W"] / SAMPLES)

    print(f"What rows are good for, and a sum is not: no sample may pull harder than {LIMIT}")
    total, lengths = clipped(rows, limit=LIMIT)
    by_row = sum(row / max(1, np.linalg.norm(row) / LIMIT) for row in J)
    print(f"  lengths from {lengths.min():.2f} to {lengths.max():.2f}")
    claim(
        "some are longer, and some are not",
        0 < np.sum(lengths > LIMIT) < SAMPLES,
        f"{np.sum(lengths > LIMIT)} of {SAMPLES}",
    )
    compare("the sum of the clipped rows = that from J, row by row", net.flatten(total), by_row)


if __name__ == "__main__":
    run(main)
