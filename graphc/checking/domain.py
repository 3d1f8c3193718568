"""Points of a graph's domain: arguments at which all that it computes is finite and smooth.

They are found by trial. Each node is looked at (`--trace-nan`) for values that it makes nan or
infinite and for elements near a kink; what lowers their number is kept. So it does not matter by
which way an input comes into a logarithm, a root, a factorisation or an index.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from graphc.records import dataclass
from graphc.targets.numpy.functions.trace import walk_name

Score = tuple[int, int, int, int]
"""What is wrong with a point, worst first: it raises an error, after how many values (negative);
how many elements are made nan or infinite, and how many lie near a kink."""

PERFECT: Score = (0, 0, 0, 0)
TRIALS = 400
SMOOTHING = 30  # of these, where all is finite: a kink may be where the graph always goes
LOOKS = 300_000  # at values, in all trials together: a second or two
PARAMETER = "parameter "  # before the path of one, which may be called as an input is
NEAR = 5e-3  # of a kink, relative to the size of the values, as far as numerical steps go
FAILURES = (ArithmeticError, IndexError, ValueError, np.linalg.LinAlgError)

Draw = Callable[[np.random.Generator, Sequence[int]], Any]
DRAWS: tuple[Draw, ...] = (
    lambda rng, shape: rng.normal(size=shape),
    lambda rng, shape: rng.uniform(0.5, 1.5, shape),
    lambda rng, shape: rng.uniform(0.1, 0.9, shape),
    lambda rng, shape: rng.uniform(1.1, 3.0, shape),
    lambda rng, shape: rng.uniform(-0.9, 0.9, shape),
    lambda rng, shape: rng.uniform(-3.0, -1.1, shape),
    lambda rng, shape: rng.uniform(3.0, 9.0, shape),
)
"""Parts of the line where functions are defined: all of it, and on both sides of -1, 0 and 1."""


@dataclass(frozen=True, slots=True)
class Point:
    """Arguments of a module's functions, how they score, and how many values that took."""

    arguments: Mapping[str, Any]
    score: Score
    looks: int


def find_point(module: ModuleType, drawn: Mapping[str, Any], kept: set[str], seed: int) -> Point:
    """Search for a point of the domain from one that was drawn; `kept` are the names that stay.

    `module` is one with `trace`. Parameters are named by their paths, behind PARAMETER.
    """
    rng = np.random.default_rng([seed, 1])
    score = _scorer(module)
    best = score(drawn)
    moving = [name for name in _flatten(drawn) if name not in kept]
    moving = [name for name in moving if np.asarray(_flatten(drawn)[name]).dtype != bool]
    smoothing, looks = 0, best.looks
    for trial in (*map(_redraw_all, DRAWS[1:]), *([_redraw_one] * TRIALS)) if moving else ():
        finite = best.score[:3] == PERFECT[:3]
        smoothing += finite
        if best.score == PERFECT or smoothing > SMOOTHING or looks > LOOKS:
            break
        trial = _nudge if finite else trial
        found = score(_unflatten(trial(rng, _flatten(best.arguments), moving), drawn))
        looks += found.looks
        best = found if found.score <= best.score else best
    return best


Trial = Callable[[np.random.Generator, dict[str, Any], list[str]], dict[str, Any]]


def _redraw_all(draw: Draw) -> Trial:
    """Draw all floats from one part of the line; square matrices become positive definite."""

    def trial(rng: np.random.Generator, flat: dict[str, Any], moving: list[str]) -> dict[str, Any]:
        return flat | {name: _redraw(rng, flat[name], draw, True) for name in moving}

    return trial


def _redraw_one(
    rng: np.random.Generator, flat: dict[str, Any], moving: list[str]
) -> dict[str, Any]:
    """Draw one argument from another part of the line, or some of its elements."""
    name = moving[rng.integers(len(moving))]
    value = np.asarray(flat[name])
    new = _redraw(rng, value, DRAWS[rng.integers(len(DRAWS))], bool(rng.integers(2)))
    chosen = rng.uniform(size=value.shape) < (1.0, 1.0, 0.5, 0.1)[rng.integers(4)]
    return flat | {name: np.where(chosen, new, value)[()]}


def _nudge(rng: np.random.Generator, flat: dict[str, Any], moving: list[str]) -> dict[str, Any]:
    """Move some floats of one argument a little: away from kinks, and not out of the domain."""
    name = moving[rng.integers(len(moving))]
    value = np.asarray(flat[name])
    if value.dtype.kind != "f":
        return flat
    step = 0.1 * max(1.0, float(np.sqrt(np.mean(np.square(value))) if value.size else 0.0))
    chosen = rng.uniform(size=value.shape) < 0.3
    return flat | {name: (value + chosen * rng.normal(0, step, value.shape))[()]}


def _redraw(rng: np.random.Generator, value: Any, draw: Draw, definite: bool) -> Any:
    """Draw another value of the same kind: indices stay among those there, or get smaller."""
    array = np.asarray(value)
    if array.dtype.kind in "iu":
        return rng.integers(0, rng.integers(1, int(np.max(array, initial=0)) + 2), array.shape)
    new = np.asarray(draw(rng, array.shape))
    if definite and array.ndim >= 2 and array.shape[-1] == array.shape[-2]:
        return new @ np.swapaxes(new, -1, -2) / max(1, array.shape[-1]) + np.eye(array.shape[-1])
    return new[()]


def _scorer(module: ModuleType) -> Callable[[Mapping[str, Any]], Point]:
    """Build the function that scores arguments; it takes the place of what `trace` looks with."""
    counts = [0, 0, 0]  # looks, elements made nan or infinite, elements near kinks
    rows = module._WATCHED

    def look(value: Any, number: int, operands: tuple[Any, ...], steps: tuple[int, ...]) -> Any:
        counts[0] += 1
        if not np.isfinite(value).all():
            axes = rows[number][5]
            bad = (
                np.sum(module._made(kind, value, operands, axes)) for kind in (np.isnan, np.isinf)
            )
            counts[1] += int(sum(bad))
        elif (margin := KINKS.get(rows[number][2])) is not None:
            counts[2] += margin(*operands)
        return value

    def passed(*given: Any) -> None:
        return None

    vars(module).update(_watched=look, _given=passed, _ended=passed)
    walks = [getattr(module, walk_name(function)) for function in module.GRAPH["multiply_adds"]]

    def score(arguments: Mapping[str, Any]) -> Point:
        counts[:] = [0, 0, 0]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                for walk in walks:
                    walk(**arguments)
            except FAILURES:
                return Point(arguments, (1, -counts[0], counts[1], counts[2]), counts[0])
        return Point(arguments, (0, 0, counts[1], counts[2]), counts[0])

    return score


def _close(gap: Any, *values: Any) -> int:
    size = max(1.0, *(float(np.sqrt(np.mean(np.square(one)))) for one in values if np.size(one)))
    return int(np.sum(np.abs(gap) < NEAR * size))


def _near_tie(first: Any, second: Any) -> int:
    """Count where two are nearly equal and not one value."""
    return 0 if first is second else _close(np.subtract(first, second), first, second)


def _near_zero(value: Any, *more: Any) -> int:
    return _close(value, value)


def _near_whole(value: Any, *more: Any) -> int:
    return _close(np.subtract(value, np.round(value)), 1.0)


KINKS: Mapping[str, Callable[..., int]] = {
    "abs": _near_zero, "relu": _near_zero, "leaky_relu": _near_zero, "sign": _near_zero,
    "maximum": _near_tie, "minimum": _near_tie, "floor": _near_whole, "ceil": _near_whole,
}  # fmt: skip
"""How many elements of the operands are near a kink of an operation, or near a jump."""


def _flatten(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Give each parameter an entry of its own; dims are left out."""
    flat = {name: value for name, value in arguments.items() if not isinstance(value, dict | int)}
    return flat | {PARAMETER + path: one for path, one in arguments.get("params", {}).items()}


def _unflatten(flat: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the arguments as functions take them."""
    params = {path: flat[PARAMETER + path] for path in like.get("params", ())}
    values = {name: flat.get(name, value) for name, value in like.items()}
    return values | ({"params": params} if params else {})
