"""What is right: values by the interpreter, derivatives by dual numbers through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.fuzz.meaning import duals
from tests.fuzz.meaning.arrays import array
from tests.fuzz.meaning.interpreter import Frame, run
from tests.fuzz.meaning.rounding import Rounding

Names = dict[str, Any]
MOST = 48
"""Directions that are followed at most: of more elements, random combinations."""


@dataclass(frozen=True)
class Point:
    """Where a program is evaluated."""

    text: str
    dims: Mapping[str, int]
    inputs: Names
    params: Names
    consts: Mapping[str, Any] = field(default_factory=dict)
    rounding: Rounding | None = None
    """Of decompositions, made larger."""

    def frame(self, moved: Mapping[str, Any] = {}) -> Frame:
        inputs = {name: moved.get(name, value) for name, value in self.inputs.items()}
        params = {path: moved.get(path, value) for path, value in self.params.items()}
        rest = {
            path: array(value - self.at(path))
            for path, value in moved.items()
            if path not in inputs and path not in params
        }
        rounding = None if self.rounding is None else self.rounding.mover()
        return run(self.text, self.dims, inputs, params, rest, self.consts, rounding)

    def values(self, outputs: Sequence[str]) -> Names:
        frame = self.frame()
        return {name: duals.values(frame.lookup(name)) for name in outputs}

    def at(self, path: str) -> Any:
        """The value of an input, a parameter or a node."""
        if path in self.inputs:
            return self.inputs[path]
        if path in self.params:
            return self.params[path]
        return duals.values(self.frame().reached(path))


@dataclass(frozen=True)
class Slopes:
    """Along each direction how each output moves: arrays [*shape, directions].

    `directions` has a row for each element of the paths; `bent` is the second derivative of the
    scalar along each direction and one more, `along`.
    """

    paths: Names
    directions: np.ndarray
    outputs: Names
    along: np.ndarray | None = None
    bent: Any = None


def directions_of(paths: Names, seed: int) -> np.ndarray:
    """Unit vectors, or random ones where there are many."""
    size = sum(int(np.size(one)) for one in paths.values())
    if size <= MOST:
        return np.eye(size)
    return np.random.default_rng(seed).normal(size=(size, 8))


def slopes(
    point: Point, outputs: Sequence[str], wrt: Sequence[str], seed: int, scalar: str | None = None
) -> Slopes:
    """First derivatives of outputs, and of a scalar second ones too."""
    paths = {path: point.at(path) for path in wrt}
    directions = directions_of(paths, seed)
    along = None
    moved: Names = dict(paths)
    outer = 0
    if scalar is not None:
        along = np.random.default_rng(seed + 1).normal(size=directions.shape[0])
        outer, moved = _raised(moved, along[:, None])
    level, moved = _raised(moved, directions)
    frame = point.frame(moved)
    found, bent = {}, None
    count = directions.shape[1]
    for name in outputs:
        _, tangents = duals.taken_apart(frame.lookup(name), level, count)
        if scalar is not None and name == scalar:
            _, second = duals.taken_apart(tangents, outer, 1)
            bent = duals.values(second[..., 0])
        found[name] = duals.values(tangents)
    return Slopes(paths, directions, found, along, bent)


def _raised(paths: Names, directions: np.ndarray) -> tuple[int, Names]:
    """All of them at one level."""
    flat = duals.packed(
        [one for value in paths.values() for one in _elements(value)], (directions.shape[0],)
    )
    level, moved = duals.seeded(flat, directions)
    found, start = {}, 0
    for path, value in paths.items():
        size = int(np.size(value))
        found[path] = moved[start : start + size].reshape(np.shape(value))
        start += size
    return level, found


def _elements(value: Any) -> list[Any]:
    value = array(value)
    return list(value.ravel() if value.dtype == object else value.astype(np.float64).ravel())
