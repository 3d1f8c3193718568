"""What others say of the derivatives that dual numbers give: central differences, and JAX."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.fuzz.meaning import duals
from tests.fuzz.meaning.reductions import orders
from tests.fuzz.oracle import Names, Point, Slopes

STEP = 1e-4
NEAR = 1e-5


def by_differences(point: Point, s: Slopes, seed: int) -> str:
    """What is wrong along one direction by differences, "" where nothing is, or nothing is sure.

    Two widths must agree, or the function has a kink between. At a kink each operation takes a
    slope of its own, and what they make together is no error, unless it is far from what both sides
    say; nor is anything where elements change places.
    """
    along = np.random.default_rng(seed).normal(size=s.directions.shape[1])
    step = s.directions @ along
    outputs = list(s.outputs)

    def slope(width: float) -> Names:
        ahead = _at(point, s, step * width, outputs)
        behind = _at(point, s, step * -width, outputs)
        return {name: (ahead[name] - behind[name]) / (2 * width) for name in outputs}

    def kink(name: str) -> Any:
        """Half the difference of the slopes to both sides."""
        seen = []
        for width in (STEP, 0.0, -STEP):
            with orders() as found:
                seen.append((_at(point, s, step * width, outputs)[name], found))
        (ahead, first), (here, _), (behind, last) = seen
        return np.inf if first != last else np.abs(ahead - 2 * here + behind) / (2 * STEP)

    wide, narrow = slope(2 * STEP), slope(STEP)
    for name in outputs:
        better = (4 * narrow[name] - wide[name]) / 3
        found = s.outputs[name] @ along
        scale = 1 + np.abs(better)
        sure = np.abs(wide[name] - narrow[name]) < NEAR * scale
        sure &= np.isfinite(better) & np.isfinite(found)
        sure &= np.abs(found - better) > 10 * NEAR * scale
        if np.any(sure) and np.any(sure & (np.abs(found - better) > 100 * kink(name))):
            return f"{name}: {found!r} by dual numbers, {better!r} by differences"
    return ""


def _at(point: Point, s: Slopes, step: np.ndarray, outputs: list[str]) -> Names:
    frame = point.frame(moved(s.paths, step))
    return {name: np.asarray(duals.values(frame.lookup(name)), np.float64) for name in outputs}


def moved(paths: Mapping[str, Any], step: Any) -> Names:
    """The values of paths, moved by the parts of one vector."""
    found, start = {}, 0
    for path, value in paths.items():
        size = int(np.size(value))
        found[path] = value + step[start : start + size].reshape(np.shape(value))
        start += size
    return found


def by_jax(point: Point, s: Slopes, seed: int) -> str:
    """The same by JAX's forward mode through the interpreter, to the last digits but some."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # each runs once
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    along = np.random.default_rng(seed).normal(size=s.directions.shape[1])
    outputs = list(s.outputs)

    def function(step: Any) -> Any:
        frame = point.frame(moved({p: jnp.asarray(v) for p, v in s.paths.items()}, step))
        return [jnp.asarray(frame.lookup(name)) for name in outputs]

    start = jnp.zeros(s.directions.shape[0])
    _, tangents = jax.jvp(function, (start,), (jnp.asarray(s.directions @ along),))
    for name, tangent in zip(outputs, tangents, strict=True):
        found, other = s.outputs[name] @ along, np.asarray(tangent)
        sure = np.isfinite(found) & np.isfinite(other)
        scale = 1 + np.max(np.abs(other[sure]), initial=0)
        if np.any(np.abs(found - other)[sure] > 1e-8 * scale):
            return f"{name}: {found!r} by dual numbers, {other!r} by JAX"
    return ""
