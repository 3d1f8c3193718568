"""A mixture is fitted to a file that is read by chunks, and the run goes on after it was killed.

    loss       L = -1/B Σ_b log Σ_k π_k N(x_b; m_k, s_k)
    of chunks  L = Σ_c (B_c/B) L_c,  ∇L = Σ_c (B_c/B) ∇L_c,  merged in one tree by their places

So the bits do not depend on who computes which chunk, or when; and what is kept after a step, with
the state of the optimiser, is all that the next one needs.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dask
import numpy as np
from build import OUT, claim, compare, load, run

import graphc.dask
from graphc.optimisers import adam

POINTS, BATCH, CHUNK = 24_000, 8_000, 1_000
STEPS = 60
CENTRES = np.array([[-3.0, 0.0], [2.0, 2.0], [2.0, -3.0]])
DESCENT = adam(rate=0.2)


def write_points(path: Path) -> None:
    """Write points of three clouds, a third each, into a file."""
    rng = np.random.default_rng(4)
    held = np.lib.format.open_memmap(path, "w+", np.float64, (POINTS, 2))
    for start in range(0, POINTS, BATCH):
        which = rng.integers(0, 3, BATCH)
        held[start : start + BATCH] = CENTRES[which] + 0.7 * rng.normal(size=(BATCH, 2))
    held.flush()


class NotKept(RuntimeError):
    """What a step has made is not kept: says which rows it has read, and where to go on."""


def keep(path: Path, step: int, losses: list[float], params: Any, state: Any) -> None:
    """Keep all that the next step needs, in one file: the old one is there until the new one is."""
    arrays = {f"params {name}": value for name, value in params.items()}
    for number, one in enumerate(state[1]):
        arrays |= {f"kept{number} {name}": value for name, value in one.items()}
    new = path.with_suffix(".new")
    try:
        with new.open("wb") as file:
            np.savez(file, step=step, losses=losses, **arrays)
            file.flush()
            os.fsync(file.fileno())  # a disk that is full says so here at the latest
        os.replace(new, path)
    except OSError as why:
        new.unlink(missing_ok=True)
        start, stop = rows_of(step - 1)
        raise NotKept(
            f"step {step} (rows {start} to {stop - 1}) is not kept in {path}: {why}; make room, and"
            f" begin again: {f'step {step - 1} is there' if step > 1 else 'nothing is there yet'}"
        ) from why


def rows_of(step: int) -> tuple[int, int]:
    """Where the batch of a step begins and ends."""
    start = step * BATCH % POINTS
    return start, start + BATCH


def kept(path: Path) -> tuple[int, list[float], Any, Any]:
    """What was kept last."""
    with np.load(path) as file:
        found: dict[str, dict[str, Any]] = {}
        for key in file.files:
            group, _, name = key.partition(" ")
            found.setdefault(group, {})[name] = file[key]
    step = int(found["step"][""])
    state = (step, tuple(found[f"kept{number}"] for number in range(DESCENT.kept)))
    return step, [*map(float, found["losses"][""])], found["params"], state


def fit(net: Any, folder: Path, *, at: Any, until: int = STEPS) -> tuple[list[float], Any]:
    """Descend by batches that are read chunk by chunk, from where it was left, if it was."""
    loss_of = graphc.dask.function(net, "value_and_grad_loss", rows=CHUNK, at=at)
    points = np.load(folder / "points.npy", mmap_mode="r")
    place = folder / "kept.npz"
    if place.exists():
        step, losses, params, state = kept(place)
    else:
        params = net.init(seed=5)
        step, losses, state = 0, [], DESCENT.start(params)
    while step < until:
        start, stop = rows_of(step)
        loss, grads = loss_of(params, points[start:stop])
        params, state = DESCENT.step(params, grads, state)
        losses.append(float(loss))
        step += 1
        keep(place, step, losses, params, state)
    return losses, params


def main(out: Path = OUT) -> None:
    net = load("out_of_core", out, level=2, split="B")
    print("A mixture, fitted to a file by chunks")
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        first, second = Path(one), Path(other)
        for folder in (first, second):
            write_points(folder / "points.npy")
        points = np.load(first / "points.npy")
        params = net.init(seed=5)
        loss_of = graphc.dask.function(net, "value_and_grad_loss", rows=CHUNK, at="threads")
        loss, grads = loss_of(params, first / "points.npy")
        whole, right = net.value_and_grad_loss(params, points)
        compare("the loss of 24 chunks, and that of all points at once", loss, whole)
        compare("its gradient by the centres", grads["centre"], right["centre"])

        losses, params = fit(net, first, at="threads")
        fit(net, second, at="synchronous", until=STEPS // 3)
        again, found = fit(net, second, at="threads")
        claim("stopped and resumed, by one worker, then several", losses == again, "the same bits")
        same = all(params[path].tobytes() == found[path].tobytes() for path in params)
        claim("the parameters", same, "the same bits")

        gaps = np.linalg.norm(params["centre"][:, None] - CENTRES, axis=2)
        claim(
            "each centre is found",
            gaps.min(axis=0).max() < 0.1,
            f"within {gaps.min(axis=0).max():.2f}",
        )
        share_of = graphc.dask.function(net, "value_share", rows=CHUNK, at="threads")
        shares = share_of(params, first / "points.npy")
        (sums,) = dask.compute(shares.sum(axis=0) / POINTS, scheduler="threads")
        compare(
            "the shares of the components, by an array of Dask",
            np.sort(sums),
            np.full(3, 1 / 3),
            0.05,
        )


if __name__ == "__main__":
    run(main)
