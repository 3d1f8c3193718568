"""Train a residual network on handwritten digits with Adam, all in NumPy; show what it learnt."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
from build import GRAPHS, OUT, load, run
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

matplotlib.use("Agg")
import matplotlib.pyplot as plt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Parameters = dict[str, Floats]

GOAL = 0.97  # of the digits that were held out


class Pictures(NamedTuple):
    """Digits as rows of grey values, and what they are."""

    pixels: Floats
    label: Integers


class History(NamedTuple):
    """The loss of every step, and after every epoch that of the digits held out."""

    steps: list[float]
    held_out: list[float]


def read(split: int = 0) -> tuple[Pictures, Pictures]:
    """The digits to train on, and a fifth of all that is held out: always the same one."""
    with np.load(GRAPHS / "data" / "digits.npz", allow_pickle=False) as data:
        pixels, label = data["images"] / 16, data["labels"].astype(np.int64)
    order = np.random.default_rng(split).permutation(len(label))
    held, rest = np.split(order, [len(label) // 5])
    return Pictures(pixels[rest], label[rest]), Pictures(pixels[held], label[held])


def train(
    net: ModuleType,
    learn: Pictures,
    held: Pictures,
    *,
    epochs: int = 60,
    batch: int = 32,
    rate: float = 2e-3,
    decay: float = 0.1,
    noise: float = 0.2,
    seed: int = 0,
    report: Callable[[float, float], None] = lambda step_loss, held_loss: None,
) -> tuple[Parameters, History]:
    """Adam (Kingma and Ba 2015) with weight decay beside it (Loshchilov and Hutter 2019).

    The rate falls as half a cosine; noise on the pixels keeps the network from learning by heart.
    """
    rng = np.random.default_rng(seed)
    params: Parameters = net.init(seed)
    mean = {path: np.zeros_like(value) for path, value in params.items()}
    square = {path: np.zeros_like(value) for path, value in params.items()}
    batches = -(-len(learn.label) // batch)
    history = History([], [])
    step = 0
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(learn.label)), batches):
            pixels = learn.pixels[rows] + noise * rng.normal(size=(len(rows), 64))
            loss, grads = net.value_and_grad_loss(params, pixels, learn.label[rows])
            history.steps.append(float(loss))
            step += 1
            now = rate * (1 + np.cos(np.pi * step / (epochs * batches))) / 2
            for path, gradient in grads.items():
                mean[path] += 0.1 * (gradient - mean[path])
                square[path] += 0.001 * (gradient**2 - square[path])
                ahead = mean[path] / (1 - 0.9**step)
                spread = np.sqrt(square[path] / (1 - 0.999**step)) + 1e-8
                params[path] -= now * (ahead / spread + decay * params[path])
        history.held_out.append(loss_of(net, params, held))
        report(history.steps[-1], history.held_out[-1])
    return params, history


def loss_of(net: ModuleType, params: Parameters, pictures: Pictures) -> float:
    return float(net.forward(params, *pictures)[0].loss)


def accuracy(net: ModuleType, params: Parameters, pictures: Pictures) -> float:
    """The share of the pictures that the network takes for what they are."""
    guess = np.argmax(net.value_logits(params, *pictures), axis=-1)
    return float(np.mean(guess == pictures.label))


def draw(target: Path, history: History, held: Pictures, logits: Floats) -> None:
    """The loss curve, the confusion matrix and the hardest of the digits, as one picture."""
    guess = np.argmax(logits, axis=-1)
    weights = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    certainty = weights[np.arange(len(guess)), held.label] / np.sum(weights, axis=-1)

    figure = plt.figure(figsize=(11, 6.6), layout="constrained")
    share = np.mean(guess == held.label)
    figure.suptitle(f"Handwritten digits: {share:.1%} of {len(guess)} held out are read right")
    above, below = figure.subfigures(2, 1, height_ratios=(4.2, 1.25))
    left, right = above.subplots(1, 2, width_ratios=(1.15, 1))

    steps = len(history.steps) // len(history.held_out)
    epoch = np.arange(1, len(history.steps) + 1) / steps
    epochs = np.arange(1, len(history.held_out) + 1)
    per_epoch = np.reshape(history.steps, (len(history.held_out), steps)).mean(axis=1)
    left.semilogy(epoch, history.steps, color="#cfdbeb", linewidth=0.5, label="each step")
    left.semilogy(epochs, per_epoch, color="#1f4e8c", linewidth=2, label="mean of an epoch")
    left.semilogy(epochs, history.held_out, color="#d1622b", linewidth=2, label="held out")
    left.set(
        xlabel="epoch",
        ylabel="cross entropy",
        xlim=(0, len(epochs)),
        title="Loss (in training on noisy pixels)",
    )
    left.grid(alpha=0.25, which="major")
    left.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False)

    counts = np.zeros((10, 10), int)
    np.add.at(counts, (held.label, guess), 1)
    right.imshow(np.sqrt(counts), cmap="Blues")  # the root, so that single errors show
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if count > counts.max() / 3 else "black"
            right.text(column, row, str(count), ha="center", va="center", color=colour, size=9)
    right.set(xticks=range(10), yticks=range(10), xlabel="read as", ylabel="is")
    right.set_title("Confusion matrix")
    right.tick_params(length=0)

    below.supylabel("the hardest", size=10)
    for row, axes in zip(np.argsort(certainty), np.ravel(below.subplots(1, 8)), strict=False):
        axes.imshow(held.pixels[row].reshape(8, 8), cmap="gray_r", interpolation="nearest")
        if guess[row] == held.label[row]:
            axes.set_title(f"{guess[row]}, sure to {certainty[row]:.0%}", size=9)
        else:
            axes.set_title(f"{held.label[row]}, read as {guess[row]}", size=9, color="#c0392b")
        axes.axis("off")
    figure.savefig(target, dpi=130)
    plt.close(figure)


def main(out: Path = OUT) -> None:
    started = time.perf_counter()
    net = load("digits", out)
    learn, held = read()
    size = net.flatten(net.init()).size
    print(f"Digits: {len(learn.label)} to learn, {len(held.label)} held out, {size} parameters")
    columns = (
        TextColumn("  epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    epochs = 60
    with Progress(*columns, console=Console(file=sys.stdout)) as progress:
        task = progress.add_task("", total=epochs)
        params, history = train(
            net,
            learn,
            held,
            epochs=epochs,
            report=lambda step, held_out: progress.update(
                task, advance=1, description=f"loss {step:.4f}, held out {held_out:.4f}"
            ),
        )
    draw(out / "digits.png", history, held, net.value_logits(params, *held))
    share = accuracy(net, params, held)
    print(f"  held-out accuracy {share:.1%}, {time.perf_counter() - started:.1f} s")
    print(f"  loss curve and confusion matrix: {out / 'digits.png'}")
    if share < GOAL:
        raise SystemExit(f"the held-out accuracy is below {GOAL:.0%}")


if __name__ == "__main__":
    run(main)
