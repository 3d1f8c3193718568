"""What functions that move, repeat and join elements give: NumPy's functions of the same names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sampling import SMOOTH, Entry, on


def _pad(x: np.ndarray, width: Any, mode: str = "constant", **more: Any) -> np.ndarray:
    return np.pad(x, width, mode, **more)


def _by(x: np.ndarray, f: Callable[..., Any]) -> Any:
    """The reference is given with each call."""
    return f(x)


def _linspace(start: Any, stop: Any = 0, num: int = 50, f: Callable[..., Any] | None = None) -> Any:
    return np.linspace(start, stop, num) if f is None else f(start)


def _broadcast(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(x, shape)


SHAPES: dict[str, Entry] = {
    "transpose": Entry(
        np.transpose,
        SMOOTH,
        (
            *(on(type) for type in ("[]", "[4]", "[2, 3]", "[2, 3, 4]", "[N, 3]", "int[2, 3]")),
            on("[2, 3, 4]", "a, axes=[1, 0, 2]", axes=(1, 0, 2)),
            on("[2, 1, 4]", "a, axes=[2, 0, 1]", axes=(2, 0, 1)),
            on("[2, 3, 4]", "a, axes=[-1, 0, 1]", axes=(2, 0, 1)),
            on("[2, N, 4]", "a, axes=[0, 2, 1]", axes=(0, 2, 1)),
        ),
    ),
    "reshape": Entry(
        np.reshape,
        SMOOTH,
        (
            on("[1, 1]", "a, []", shape=()),
            on("[]", "a, [1, 1]", shape=(1, 1)),
            on("[2, 3]", "a, [6]", shape=(6,)),
            on("[2, 3, 4]", "a, [4, 1, 6]", shape=(4, 1, 6)),
            on("[0, 4]", "a, [2, 0]", shape=(2, 0)),
            on("[N, 3]", "a, [3*N]", shape=(-1,)),
            on("[N, 2, 3]", "a, [N, 1, 6]", shape=("N", 1, 6)),
            on("int[2, 3]", "a, [3, 2]", shape=(3, 2)),
        ),
    ),
    "broadcast_to": Entry(
        _broadcast,
        SMOOTH,
        (
            on("[]", "a, [2, 3]", shape=(2, 3)),
            on("[3]", "a, [2, 3]", shape=(2, 3)),
            on("[3, 1]", "a, [2, 3, 4]", shape=(2, 3, 4)),
            on("[2, 1, 4]", "a, [2, 3, 4]", shape=(2, 3, 4)),
            on("[2, 3]", "a, [2, 3]", shape=(2, 3)),
            on("[1]", "a, [0]", shape=(0,)),
            on("[N]", "a, [2, N]", shape=(2, "N")),
            on("int[3]", "a, [2, 3]", shape=(2, 3)),
        ),
    ),
    "concat": Entry(
        lambda *xs, axis=-1: np.concatenate(xs, axis),
        SMOOTH,
        (
            on("[3]"),
            on(("[3]", "[2]"), "a, b"),
            on(("[1]", "[2]", "[3]"), "a, b, c"),
            on(("[2, 3]", "[2, 1]"), "a, b"),
            on(("[1, 3]", "[2, 3]"), "a, b, axis=0", axis=0),
            on(("[2, 3, 4]", "[2, 1, 4]"), "a, b, axis=1", axis=1),
            on(("[N, 3]", "[1, 3]"), "a, b, axis=0", axis=0),
            on(("[N, 2]", "[N, 3]"), "a, b"),
            on(("[0]", "[2]"), "a, b"),
            on(("int[3]", "int[2]"), "a, b"),
            on(("[3]", "int[2]"), "a, b"),
        ),
    ),
    "stack": Entry(
        lambda *xs, axis=0: np.stack(xs, axis),
        SMOOTH,
        (
            on(("[]", "[]"), "a, b"),
            on("[3]"),
            on(("[3]", "[3]", "[3]"), "a, b, c"),
            on(("[2, 3]", "[2, 3]"), "a, b, axis=-1", axis=-1),
            on(("[2, 3]", "[2, 3]"), "a, b, axis=1", axis=1),
            on(("[2, 1]", "[2, 1]"), "a, b, axis=2", axis=2),
            on(("[N]", "[N]"), "a, b"),
            on(("int[3]", "[3]"), "a, b"),
        ),
    ),
    "split": Entry(
        lambda x, n, axis=-1: tuple(np.split(x, n, axis)),
        SMOOTH,
        (
            on("[4]", "a, 2", n=2),
            on("[2, 3]", "a, 3", n=3),
            on("[2, 3]", "a, n=2, axis=0", n=2, axis=0),
            on("[2, 3, 4]", "a, 3, axis=1", n=3, axis=1),
            on("[N, 4]", "a, 2", n=2),
            on("int[4, 1]", "a, 2, axis=0", n=2, axis=0),
        ),
        results=lambda keywords: keywords["n"],
    ),
    "flatten": Entry(
        lambda x, start=0: np.reshape(x, (*x.shape[:start], int(np.prod(x.shape[start:])))),
        SMOOTH,
        (
            *(on(type) for type in ("[]", "[3]", "[2, 3]", "[2, 3, 4]", "[0, 2]", "int[2, 3]")),
            on("[2, 3, 4]", "a, start=1", start=1),
            on("[N, 3, 1]", "a, start=1", start=1),
        ),
    ),
    "squeeze": Entry(
        np.squeeze,
        SMOOTH,
        (
            on("[1, 3, 1]"),
            on("[1, 3, 1]", "a, axis=0", axis=0),
            on("[1, N, 1]", "a, axis=[0, -1]", axis=(0, -1)),
            on("[2, 3]"),
            on("[1]"),
            on("int[1]"),
        ),
    ),
    "expand_dims": Entry(
        np.expand_dims,
        SMOOTH,
        (
            on("[]", "a, 0", axis=0),
            on("[3]", "a, 0", axis=0),
            on("[2, 3]", "a, -1", axis=-1),
            on("[2, 3]", "a, axis=[0, -1]", axis=(0, -1)),
            on("[N, 3]", "a, axis=[0, 2]", axis=(0, 2)),
            on("int[N]", "a, 1", axis=1),
        ),
    ),
    "swapaxes": Entry(
        lambda x, i, j: np.swapaxes(x, i, j),
        SMOOTH,
        (
            on("[2, 3]", "a, 0, 1", i=0, j=1),
            on("[2, 3, 4]", "a, 0, 2", i=0, j=2),
            on("[2, N, 4]", "a, -1, 0", i=-1, j=0),
            on("[N, 3]", "a, -1, -2", i=-1, j=-2),
            on("int[2, 3]", "a, 1, 1", i=1, j=1),
        ),
    ),
    "moveaxis": Entry(
        lambda x, i, j: np.moveaxis(x, i, j),
        SMOOTH,
        (
            on("[2, 3, 4]", "a, 0, 2", i=0, j=2),
            on("[2, N, 4]", "a, -1, 0", i=-1, j=0),
            on("[2, 3]", "a, 0, 1", i=0, j=1),
            on("[0, 3]", "a, 1, 0", i=1, j=0),
            on("int[2, 3]", "a, 1, 1", i=1, j=1),
        ),
    ),
    "flip": Entry(
        np.flip,
        SMOOTH,
        (
            *(on(type) for type in ("[4]", "[]", "[2, 3]", "[0]", "int[3]")),
            on("[2, 3]", "a, axis=1", axis=1),
            on("[N, 3]", "a, axis=[0, 1]", axis=(0, 1)),
            on("[2, 3, 4]", "a, axis=[0, -1]", axis=(0, -1)),
        ),
    ),
    "roll": Entry(
        lambda x, shift, axis=None: np.roll(x, shift, axis),
        SMOOTH,
        (
            on("[5]", "a, 2", shift=2),
            on("[2, 3]", "a, -1", shift=-1),
            on("[2, 3]", "a, 4, axis=1", shift=4, axis=1),
            on("[3, 2]", "a, 7, axis=0", shift=7, axis=0),
            on("[3, 4]", "a, [1, 2], axis=[0, 1]", shift=(1, 2), axis=(0, 1)),
            on("[N, 3]", "a, [1, -1], axis=[0, 1]", (3, 5, 1), shift=(1, -1), axis=(0, 1)),
            on("int[4]", "a, 1, axis=0", shift=1, axis=0),
        ),
    ),
    "tile": Entry(
        np.tile,
        SMOOTH,
        (
            on("[3]", "a, 2", reps=2),
            on("[2, 3]", "a, 2", reps=2),
            on("[2, 3]", "a, [2, 3]", reps=(2, 3)),
            on("[3]", "a, [2, 1]", reps=(2, 1)),
            on("[2, 2]", "a, [3]", reps=(3,)),
            on("[N, 2]", "a, [2, N]", reps=(2, "N")),
            on("int[2]", "a, 2", reps=2),
        ),
    ),
    "repeat_elements": Entry(
        np.repeat,
        SMOOTH,
        (
            on("[3]", "a, 2, axis=0", repeats=2, axis=0),
            on("[2, 3]", "a, 2, axis=1", repeats=2, axis=1),
            on("[2, N, 2]", "a, 3, axis=1", repeats=3, axis=1),
            on("[N, 3]", "a, N, axis=0", repeats="N", axis=0),
            on("int[2, 1]", "a, 3, -1", repeats=3, axis=-1),
        ),
    ),
    "pad": Entry(
        _pad,
        SMOOTH,
        (
            on("[3]", "a, 2", width=2),
            on("[3]", "a, [1, 2]", width=(1, 2)),
            on("[2, 3]", "a, [[0, 0], [1, 2]]", width=((0, 0), (1, 2))),
            on("[2, 3]", "a, 1, constant_values=7", width=1, constant_values=7),
            on("[N, 3]", "a, [[N, 0], [1, 0]]", width=(("N", 0), (1, 0))),
            on("[4]", 'a, [1, 2], mode="edge"', width=(1, 2), mode="edge"),
            on("[2, 4]", 'a, [[0, 1], [2, 3]], "reflect"', width=((0, 1), (2, 3)), mode="reflect"),
            on("[4]", 'a, [4, 2], mode="symmetric"', width=(4, 2), mode="symmetric"),
            on("[N]", 'a, [1, 2], mode="wrap"', (3, 5), width=(1, 2), mode="wrap"),
            on("[3]", "a, 0", width=0),
            on("int[3]", "a, 1", width=1),
            on("int[3]", "a, 1, constant_values=4", width=1, constant_values=4),
        ),
    ),
    "full": Entry(
        lambda x, shape: np.full(shape, x, x.dtype),
        SMOOTH,
        (
            on("[]", "[2, 3], a", shape=(2, 3)),
            on("[]", "[], a", shape=()),
            on("[]", "[0], a", shape=(0,)),
            on("[]", "[2, N], a", shape=(2, "N")),
            on("[]", "[1, 3], a", shape=(1, 3)),
            on("[]", "shape=[N], fill_value=a", shape=("N",)),
            on("int[]", "[3], a", shape=(3,)),
        ),
    ),
    "linspace": Entry(
        _linspace,
        SMOOTH,
        (
            on(("[]", "[]"), "a, b"),
            on(("[]", "[]"), "a, b, 1", num=1),
            on(("[]", "[]"), "a, stop=b, num=4", num=4),
            on(("[]", "[]"), "a, b, 2", num=2),
            on(("[]", "[]"), "a, b, 3", num=3),
            on(("[]", "[]"), "stop=b, start=a, num=7", num=7),
            on("[]", "a, 1, 5", stop=1, num=5),
            on("[]", "0, a, 5", f=lambda stop: np.linspace(0, stop, 5)),
            on("[]", "a, a, 4", f=lambda start: np.full(4, start)),
            on(("int[]", "[]"), "a, b, 3", num=3),
            on(("[]", "int[]"), "a, b, 3", num=3),
        ),
    ),
    "rearrange": Entry(
        _by,
        SMOOTH,
        (
            on("[2, 3]", 'a, "b t -> t b"', f=np.transpose),
            on(
                "[2, 3, 4]",
                'a, "b t (h d) -> b h t d", h=2',
                f=lambda x: x.reshape(2, 3, 2, 2).transpose(0, 2, 1, 3),
            ),
            on(
                "[2, 2, 3, 2]",
                'a, "b h t d -> b t (h d)"',
                f=lambda x: x.transpose(0, 2, 1, 3).reshape(2, 3, 4),
            ),
            on("[2, 3]", 'a, "x y -> (y x) 1"', f=lambda x: x.T.reshape(6, 1)),
            on("[2, 1, 3]", 'a, "x 1 y -> y x"', f=lambda x: x[:, 0].T),
            on("[2, 3, 4]", 'a, "x ... -> ... x"', f=lambda x: np.moveaxis(x, 0, -1)),
            on(
                "[N, 4]",
                'a, "n (p q) -> (p n) q", p=2',
                f=lambda x: x.reshape(-1, 2, 2).transpose(1, 0, 2).reshape(-1, 2),
            ),
            on("int[2, 3]", 'a, "i j -> (j i)"', f=lambda x: x.T.ravel()),
        ),
    ),
}
