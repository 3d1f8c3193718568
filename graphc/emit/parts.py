"""The parts of a generated module that are the same in each: copied into it as they stand here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

FLOAT = np.float64
ArrayLike = Any  # what np.asarray takes
_SCRATCH: dict[Any, dict[Any, list[tuple[Any, ...]]]] = {}


def _array(
    value: ArrayLike,
    what: str,
    expected: str,
    dtype: Any,
    shape: int | tuple[int, ...],
    bound: str = "",
) -> Any:
    """The value as a C-contiguous, aligned array of a dtype and shape; of rank 0 as a scalar.

    Where the shape is not known yet, the rank stands for it.
    """
    try:
        array = np.asarray(value)
    except ValueError as why:
        raise ValueError(f"{what} is not an array, expected {expected}: {why}") from None
    if array.dtype.kind not in {"f": "fiub", "i": "iu", "b": "b"}[dtype.kind]:
        raise TypeError(f"{what} has dtype {array.dtype}, expected {expected}")
    if array.ndim != (shape if isinstance(shape, int) else len(shape)):
        raise ValueError(f"{what} has shape {array.shape}, expected {expected}")
    if dtype.kind == "i" and array.dtype == np.uint64 and np.any(array > np.iinfo(dtype).max):
        raise ValueError(f"{what} holds {np.max(array)}, which no int64 does")
    if not isinstance(shape, int) and array.shape != shape:
        raise _misfit(array, what, expected[expected.index("[") :], shape, bound)
    if array.ndim == 0:
        return dtype.type(array[()])
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def _misfit(array: Any, what: str, expected: str, shape: tuple[int, ...], bound: str) -> ValueError:
    """The error that an array has not the shape that its declaration gives it."""
    why = f"; {bound}" if bound else ""
    return ValueError(f"{what} has shape {array.shape}, expected {expected} = {shape}{why}")


def _solve(size: int, factor: int, offset: int, what: str) -> int:
    """The dim d of an axis whose size is factor * d + offset."""
    dim, rest = divmod(size - offset, factor)
    if rest or dim < 0:
        raise ValueError(f"{what}: its size {size} fits no whole number")
    return dim


def _whole(value: int, name: str) -> int:
    """A dim that is given by name."""
    if not isinstance(value, (int, np.integer)) or value < 0:
        raise ValueError(f"dim {name} is a whole number of at least 0, found {value!r}")
    return int(value)


def _names(params: Mapping[str, ArrayLike], expected: tuple[str, ...]) -> None:
    """The parameters are there, and no others."""
    if not isinstance(params, Mapping):
        raise TypeError("parameters: expected a dict by path")
    known = set(expected)
    if params.keys() != known:
        missing = [name for name in expected if name not in params]
        extra = sorted(str(name) for name in params if name not in known)
        found = [f"missing {', '.join(missing)}"] if missing else []
        found += [f"unknown {', '.join(extra)}"] if extra else []
        raise ValueError(f"parameters: {'; '.join(found)}")


def _cotangent(value: ArrayLike, what: str, shape: tuple[int, ...]) -> Any:
    """The cotangent of an output: an array of its shape; zeros where it is left out."""
    if value is None:
        return np.zeros(shape, FLOAT)[()]
    array = np.asarray(value)
    if array.dtype.kind not in "fiub" or array.shape != shape:
        raise ValueError(
            f"{what} is {array.dtype} of shape {array.shape}, expected float of {shape}"
        )
    return array.astype(FLOAT)[()]


def _expected(given: Mapping[str, ArrayLike], names: tuple[str, ...], what: str) -> None:
    """Every name that is given is one of these."""
    known = set(names)
    unknown = sorted(str(name) for name in given if name not in known)
    if unknown:
        raise ValueError(
            f"{what}: unknown {', '.join(unknown)}; expected some of {', '.join(names)}"
        )


def _take(make: Callable[..., tuple[Any, ...]], *dims: int) -> tuple[Any, ...]:
    """Scratch for these dims that no other call uses now."""
    try:
        return _SCRATCH[make][dims].pop()
    except (KeyError, IndexError):
        return make(*dims)


def _give(scratch: tuple[Any, ...], make: Callable[..., tuple[Any, ...]], *dims: int) -> None:
    """Scratch goes back for the next call; that of dims that are long out of use is dropped."""
    by_dims = _SCRATCH.setdefault(make, {})
    kept = by_dims.setdefault(dims, [])
    if len(kept) < 16:
        kept.append(scratch)
    for old in list(by_dims)[:-16]:
        by_dims.pop(old, None)


def _stream(seed: int, path: str) -> np.random.Generator:
    """Random numbers for one parameter: another parameter more or less does not change them."""
    return np.random.default_rng([seed, *path.encode()])


def _split(vector: ArrayLike, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Consecutive parts of a vector in these shapes."""
    flat = np.asarray(vector, FLOAT)
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    if flat.shape != (sum(sizes),):
        raise ValueError(f"the vector has shape {flat.shape}, expected ({sum(sizes)},)")
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return {
        path: part.reshape(shape).copy()[()]
        for (path, shape), part in zip(shapes.items(), parts, strict=True)
    }


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Fan-in and fan-out: [in, out] for a matrix, [out, in, …] for a kernel."""
    if len(shape) <= 2:
        return (shape[0] if shape else 1), (shape[-1] if shape else 1)
    window = int(np.prod(shape[2:]))
    return shape[1] * window, shape[0] * window


def _glorot(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Uniform in ±sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16)."""
    bound = np.sqrt(6 / max(sum(_fans(shape)), 1))
    return rng.uniform(-bound, bound, shape)


def _he(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Normal with variance 2 / fan_in (He et al. 2015, eq. 10)."""
    return rng.normal(0, np.sqrt(2 / max(_fans(shape)[0], 1)), shape)


def _orthogonal(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Orthonormal rows or columns, Haar distributed (Mezzadri 2007, §5)."""
    rows = shape[0] if shape else 1
    columns = int(np.prod(shape[1:]))
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diag(r) < 0, -1, 1)
    return (q if rows >= columns else q.T).reshape(shape)


def _slope(value: Callable[[float], float], width: float) -> float:
    """The derivative of value(h) at 0: central differences, extrapolated once (Richardson 1911)."""
    coarse = (value(width) - value(-width)) / (2 * width)
    fine = (value(width / 2) - value(-width / 2)) / width
    return float(4 * fine - coarse) / 3


def _gap(value: Callable[[float], float], analytic: float, widths: tuple[float, ...]) -> float:
    """|analytic - numerical| / max(1, |numerical|), for the width that agrees best.

    A narrow step meets fewer kinks, a wide one less rounding; a wrong derivative fits neither.
    """
    numerical = [_slope(value, width) for width in widths]
    gaps = [abs(analytic - one) / max(1.0, abs(one)) for one in numerical]
    return min((np.inf if np.isnan(gap) else gap for gap in gaps), default=np.inf)


def _disagreement(
    value: Callable[[dict[str, Any]], float],
    at: Mapping[str, Any],
    paths: Iterable[str],
    slope: Callable[[str, Any], float],
) -> float:
    """The largest gap between `slope(path, direction)` and numerical derivatives of `value`.

    They are compared along three random directions a path; an intermediate node is passed over,
    since its value cannot be chosen. Where nothing can be compared, the gap is nan.
    """
    rng = np.random.default_rng(0)
    widths = (1e-3, 1e-5) if FLOAT is np.float64 else (3e-2, 3e-3)
    compared = [path for path in paths if path in at]
    worst = 0.0 if compared else float("nan")
    for path in compared:
        start = np.asarray(at[path], np.float64)
        for _ in range(3 if start.size else 0):
            direction = _direction(rng, start)

            def along(
                h: float, path: str = path, start: Any = start, way: Any = direction
            ) -> float:
                return value({**at, path: start + h * way})

            worst = max(worst, _gap(along, slope(path, direction), widths))
    return worst


def _direction(rng: np.random.Generator, start: Any) -> Any:
    """A random direction, as long as the value that is moved along it is large."""
    direction = rng.normal(size=start.shape)
    return direction * (max(1.0, np.sqrt(np.mean(start * start))) / np.linalg.norm(direction))


def _curvature(
    value: Callable[[dict[str, Any]], float],
    at: Mapping[str, Any],
    paths: Iterable[str],
    bend: Callable[[dict[str, Any], dict[str, Any]], float],
) -> float:
    """The largest gap between `bend(u, v)`, which is uᵀHv, and second differences of `value`.

    Along pairs of random directions of all paths together, for the width that agrees best.
    """
    rng = np.random.default_rng(0)
    start = {path: np.asarray(at[path], np.float64) for path in paths if path in at}
    if not any(one.size for one in start.values()):
        return float("nan")
    worst = 0.0
    for _ in range(3):
        u = {path: _direction(rng, one) if one.size else one for path, one in start.items()}
        v = {path: _direction(rng, one) if one.size else one for path, one in start.items()}
        analytic = bend(u, v)

        def second(h: float, u: Any = u, v: Any = v) -> float:
            def moved(a: float, b: float) -> float:
                return value({**at, **{p: start[p] + a * h * u[p] + b * h * v[p] for p in start}})

            return (moved(1, 1) - moved(1, -1) - moved(-1, 1) + moved(-1, -1)) / (4 * h * h)

        widths = (1e-2, 1e-3, 3e-4) if FLOAT is np.float64 else (3e-1, 1e-1, 3e-2)
        numerical = [second(h) for h in widths]
        gaps = [abs(analytic - one) / max(1.0, abs(one)) for one in numerical]
        worst = max(worst, min(np.inf if np.isnan(gap) else gap for gap in gaps))
    return worst


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
    sizes: Mapping[str, int], moved: Mapping[str, Any], rows: int = 1, axis: int | None = None
) -> Any:
    """Tangents by path as the columns of a Jacobian matrix: a row, or one for each position."""
    parts = []
    for path, size in sizes.items():
        part = np.zeros((1, size)) if path not in moved else np.reshape(moved[path], (1, -1))
        if path in moved and axis is not None:
            part = np.moveaxis(moved[path], axis, 0).reshape(rows, -1)
        parts.append(np.broadcast_to(part, (rows, size)))
    return np.concatenate(parts, 1)


def _report(errors: dict[str, float], tolerance: float) -> dict[str, float]:
    """The errors, or an ArithmeticError that names the functions above the tolerance."""
    wrong = {name: error for name, error in errors.items() if error > tolerance}
    if wrong:
        raise ArithmeticError(f"derivatives that differ from numerical ones: {wrong}")
    return errors
