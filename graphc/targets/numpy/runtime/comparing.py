"""The parts of a generated module that compare derivatives: copied into it as they stand here.

What is compared is (gap, analytic, numerical): two directional derivatives, and the gap
|analytic - numerical| / max(1, |numerical|). It is nan where there is nothing to compare with: the
numerical one is nan as well where the function has no finite values around the point; else it has a
kink there, or rounding or steepness let steps of different widths give no one number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

FLOAT = np.float64


def _slope(value: Callable[[float], float], width: float) -> float:
    """The derivative of value(h) at 0: central differences, extrapolated once (Richardson 1911)."""
    coarse = (value(width) - value(-width)) / (2 * width)
    fine = (value(width / 2) - value(-width / 2)) / width
    return float(4 * fine - coarse) / 3


def _gap(analytic: float, numerical: Iterable[float]) -> tuple[float, float, float]:
    """The comparison with the numerical derivative that agrees best, of several widths.

    A narrow step meets fewer kinks, a wide one less rounding; a wrong derivative fits neither.
    """
    best = (np.nan, analytic, np.nan)
    for one in numerical:
        if np.isfinite(one):
            gap = abs(analytic - one) / max(1.0, abs(one))
            gap = float(gap) if np.isfinite(gap) else np.inf
            best = best if best[0] <= gap else (gap, analytic, one)
    return best


def _small(
    along: Callable[[float], float],
    one: tuple[float, float, float],
    numerical: list[float],
    widths: tuple[float, ...],
) -> tuple[float, float, float]:
    """The comparison; of small derivatives relative to them, where that is more than rounding.

    So it is where the differences of values are and the widths agree.
    """
    unit = max(abs(one[1]), abs(one[2]))
    if not 0 < unit < 1e-3 or abs(one[1] - one[2]) <= 0.01 * unit:
        return one
    rounding = 1e4 * float(np.finfo(FLOAT).eps) * abs(along(0.0))
    agree = max(numerical) - min(numerical) <= 1e-3 * abs(one[2])
    resolved = all(abs(n * width) > rounding for n, width in zip(numerical, widths, strict=True))
    return (abs(one[1] - one[2]) / unit, *one[1:]) if agree and resolved else one


def _slopes(
    value: Callable[[dict[str, Any]], float],
    at: Mapping[str, Any],
    paths: Iterable[str],
    slope: Callable[[str, Any], float],
) -> dict[str, tuple[float, float, float]]:
    """By path the worst comparison of `slope(path, direction)` in three random directions."""
    rng = np.random.default_rng(0)
    widths = (1e-3, 1e-5) if FLOAT is np.float64 else (3e-2, 3e-3)
    found = {}
    for path in (one for one in paths if one in at):
        start = np.asarray(at[path], np.float64)
        worst = (0.0, 0.0, 0.0) if start.size == 0 else (np.nan, np.nan, np.nan)
        for _ in range(3 if start.size else 0):
            way = _directions(rng, {path: start})[path]

            def along(h: float, path: str = path, start: Any = start, way: Any = way) -> float:
                return value({**at, path: start + h * way})

            numerical = [_slope(along, width) for width in widths]
            one = _small(along, _gap(slope(path, way), numerical), numerical, widths)
            worst = _worse(worst, _settled_slope(along, one, widths))
        found[path] = worst
    return found


def _worse(
    one: tuple[float, float, float], other: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Of two comparisons that with the larger gap; nan is the smallest."""
    return one if one[0] >= other[0] or (np.isnan(other[0]) and not np.isnan(one[2])) else other


def _settled_slope(
    along: Callable[[float], float], one: tuple[float, float, float], widths: tuple[float, ...]
) -> tuple[float, float, float]:
    """The comparison, or that there is none: no two widths agree, the gap is what rounding makes,
    or the slope jumps here, and what was found lies between.

    The jump of a smooth function is in proportion to the step.
    """
    limit = 1e-6 if FLOAT is np.float64 else 2e-2
    if not one[0] > limit:
        return one
    slopes = [_slope(along, width) for width in (*widths, *(width / 10 for width in widths))]
    slopes = [slopes[place] for place in (0, 2, 1, 3)]
    pairs = [(slopes[place], slopes[place + 1]) for place in range(3)]
    if not any(abs(a - b) <= 0.1 * max(abs(a), abs(b)) for a, b in pairs):
        return (np.nan, *one[1:])
    middle = along(0.0)
    rounding = 10 * float(np.finfo(FLOAT).eps) * abs(middle) / widths[-1]
    if abs(one[1] - one[2]) <= rounding:
        return (np.nan, *one[1:])
    sides = [((middle - along(-h)) / h, (along(h) - middle) / h) for h in (widths[0], widths[-1])]
    (left, right), jumps = sides[-1], [abs(right - left) for left, right in sides]
    size = max(abs(one[1]), abs(one[2]))
    unit = size if size < 1e-3 else max(1.0, abs(one[2]))
    kinked = jumps[1] > max(jumps[0] / 2, limit * unit)
    slack = abs(jumps[1] - jumps[0]) + limit * unit
    between = min(left, right) - slack <= one[1] <= max(left, right) + slack
    steep = jumps[1] > 2 * jumps[0] and not np.isfinite(one[1])
    return (np.nan, one[1], one[2]) if kinked and (between or steep) else one


def _directions(rng: np.random.Generator, start: Mapping[str, Any]) -> dict[str, Any]:
    """A random direction of all values together; each moves as far as it is large."""
    drawn = {path: rng.normal(size=one.shape) for path, one in start.items()}
    length = np.sqrt(sum(np.sum(one * one) for one in drawn.values()))
    return {
        path: drawn[path] * (max(1.0, np.sqrt(np.mean(one * one) if one.size else 0.0)) / length)
        for path, one in start.items()
    }


def _bends(
    value: Callable[[dict[str, Any]], float],
    at: Mapping[str, Any],
    paths: Iterable[str],
    bend: Callable[[dict[str, Any], dict[str, Any]], float],
) -> dict[str, tuple[float, float, float]]:
    """By path the worst comparison of `bend(u, v)`, which is uᵀHv, with second differences.

    The direction u is of the path, v of all together.
    """
    rng = np.random.default_rng(0)
    start = {path: np.asarray(at[path], np.float64) for path in paths if path in at}
    widths = (1e-2, 1e-3, 3e-4) if FLOAT is np.float64 else (3e-1, 1e-1, 3e-2)
    found = {}
    for path, own in start.items():
        worst = (0.0, 0.0, 0.0) if own.size == 0 else (np.nan, np.nan, np.nan)
        for _ in range(3 if own.size else 0):
            u, v = _directions(rng, {path: own}), _directions(rng, start)

            def second(h: float, u: Any = u, v: Any = v, path: str = path) -> float:
                def moved(a: float, b: float) -> float:
                    point = {p: start[p] + b * h * v[p] for p in start}
                    return value({**at, **point, path: point[path] + a * h * u[path]})

                return (moved(1, 1) - moved(1, -1) - moved(-1, 1) + moved(-1, -1)) / (4 * h * h)

            worst = _worse(worst, _settled_bend(bend(u, v), [second(h) for h in widths]))
        found[path] = worst
    return found


def _settled_bend(analytic: float, bends: list[float]) -> tuple[float, float, float]:
    """The comparison with second differences, from the widest on, or that they do not settle.

    At a kink they grow with 1 / width.
    """
    one = _gap(analytic, bends)
    doubt = min(abs(bends[0] - bends[1]), abs(bends[1] - bends[2]))
    kinked = abs(bends[2]) > 5 * max(1.0, abs(bends[0]))
    unsettled = kinked or abs(one[1] - one[2]) <= 3 * doubt
    limit = 1e-4 if FLOAT is np.float64 else 2e-1
    return (np.nan, *one[1:]) if limit < one[0] < np.inf and unsettled else one


def _weigh(values: Any, weights: Mapping[str, Any], names: Iterable[str]) -> float:
    """Σ ⟨weight, value⟩ over the fields of these names."""
    return float(sum(np.sum(weights[name] * getattr(values, name)) for name in names))


def _applied(blocks: Any, tangent: Any) -> Any:
    """J · tangent, for a block of the shape of an output, then that of the tangent."""
    return np.tensordot(blocks, tangent, np.ndim(tangent))


def _apart(blocks: Any, tangent: Any, axis: int | None) -> Any:
    """The same where the block has its first axis apart, which the tangent may have at `axis`."""
    if axis is None:
        return _applied(blocks, tangent)
    rows = zip(blocks, np.moveaxis(tangent, axis, 0), strict=True)
    return np.array([_applied(block, row) for block, row in rows]).reshape(
        blocks.shape[: blocks.ndim - tangent.ndim + 1]
    )


def _columns(
    sizes: Mapping[str, int], moved: Mapping[str, Any], rows: int = 1, axes: Mapping[str, int] = {}
) -> Any:
    """Tangents by path as the columns of a Jacobian matrix: a row, or one for each position.

    `axes` are those along which paths have the positions.
    """
    parts = []
    for path, size in sizes.items():
        part = np.zeros((1, size)) if path not in moved else np.reshape(moved[path], (1, -1))
        if path in moved and path in axes:
            part = np.moveaxis(moved[path], axes[path], 0).reshape(rows, -1)
        parts.append(np.broadcast_to(part, (rows, size)))
    return np.concatenate(parts, 1)


def _report(
    found: Mapping[str, Mapping[str, tuple[float, float, float]]], limits: Mapping[str, float]
) -> dict[str, float]:
    """The largest gap by function, or an ArithmeticError that says which are above its limit."""
    wrong = [
        f"`{name}` by `{path}`: {analytic:.6g}, numerically {numerical:.6g}"
        for name, by_path in found.items()
        for path, (gap, analytic, numerical) in by_path.items()
        if gap > limits[name]
    ]
    if wrong:
        raise ArithmeticError(f"derivatives that differ from numerical ones: {'; '.join(wrong)}")
    gaps = {name: [one[0] for one in by_path.values()] for name, by_path in found.items()}
    return {
        name: max([one for one in by_path if not np.isnan(one)], default=float("nan"))
        for name, by_path in gaps.items()
    }
