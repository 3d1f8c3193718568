"""Optimisers for those who have none, over flat dicts of arrays, as modules return gradients.

>>> import numpy as np
>>> descent = adam(rate=0.1)
>>> params = {"w": np.array([1.0, -2.0])}
>>> state = descent.start(params)
>>> for _ in range(200):
...     params, state = descent.step(params, {"w": 2 * params["w"]}, state)
>>> bool(np.all(np.abs(params["w"]) < 1e-2))
True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphc.records import dataclass

Arrays = Mapping[str, Any]
State = tuple[int, tuple[dict[str, Any], ...]]
"""How many steps were taken, and what is kept by path."""

Rule = Callable[..., tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Optimiser:
    """A way to move parameters: `start` gives its state, `step` moves, and gives the next state.

    `rule` maps a gradient, the number of the step and what is kept of its path, to the move and
    what is kept then; of each path it keeps `kept` arrays.
    """

    rule: Rule
    kept: int

    def start(self, params: Arrays) -> State:
        """Return the state before the first step."""
        zeros = {path: np.zeros_like(np.asarray(value)) for path, value in params.items()}
        return 0, tuple(dict(zeros) for _ in range(self.kept))

    def step(self, params: Arrays, grads: Arrays, state: State) -> tuple[dict[str, Any], State]:
        """Return the parameters after a step, and the state; what was given stays as it is."""
        number, kept = state[0] + 1, state[1]
        moved: dict[str, Any] = {}
        after: tuple[dict[str, Any], ...] = tuple({} for _ in kept)
        for path, value in params.items():
            move, *now = self.rule(grads[path], number, *(one[path] for one in kept))
            moved[path] = value - move
            for one, array in zip(after, now, strict=True):
                one[path] = array
        return moved, (number, after)


def sgd(rate: float) -> Optimiser:
    """Return steepest descent with a fixed rate."""
    return Optimiser(lambda grad, number: (rate * grad,), 0)


def momentum(rate: float, keep: float = 0.9) -> Optimiser:
    """Return the heavy ball: velocities keep this share from step to step (Polyak 1964)."""

    def rule(grad: Any, number: int, velocity: Any) -> tuple[Any, ...]:
        velocity = keep * velocity + grad
        return rate * velocity, velocity

    return Optimiser(rule, 1)


def adam(
    rate: float = 1e-3, keep: float = 0.9, keep_squares: float = 0.999, least: float = 1e-8
) -> Optimiser:
    """Return Adam: moves scaled by moving means of squares (Kingma and Ba 2015, algorithm 1)."""

    def rule(grad: Any, number: int, mean: Any, square: Any) -> tuple[Any, ...]:
        mean = keep * mean + (1 - keep) * grad
        square = keep_squares * square + (1 - keep_squares) * np.square(grad)
        scale = np.sqrt(square / (1 - keep_squares**number)) + least
        return rate * (mean / (1 - keep**number)) / scale, mean, square

    return Optimiser(rule, 2)


OPTIMISERS: Mapping[str, Callable[..., Optimiser]] = {
    "sgd": sgd,
    "momentum": momentum,
    "adam": adam,
}
"""All of them by name; for whole batches `graphc.scipy.problem(…).minimize(method="L-BFGS-B")`."""
