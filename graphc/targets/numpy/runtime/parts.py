"""The parts of a generated module that are the same in each: copied into it as they stand here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

FLOAT = np.float64
Array = npt.NDArray[FLOAT]
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
    array = _as_array(value, what, expected)
    if array.dtype.kind not in {"f": "fiub", "i": "iu", "b": "b"}[dtype.kind]:
        raise TypeError(f"{what} {_no_numbers(value, array)}, expected {expected}")
    if array.ndim != (shape if isinstance(shape, int) else len(shape)):
        fits = _fitting(array.shape, _axes(expected), what)
        raise ValueError(f"{what} has shape {array.shape}, expected {expected}{fits}")
    if dtype.kind == "i" and array.dtype == np.uint64 and np.any(array > np.iinfo(dtype).max):
        raise ValueError(f"{what} holds {np.max(array)}, which no int64 does")
    if not isinstance(shape, int) and array.shape != shape:
        raise _misfit(array, what, expected[expected.index("[") :], shape, bound)
    if array.ndim == 0:
        return dtype.type(array[()])
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def _as_array(value: ArrayLike, what: str, expected: str) -> Any:
    """The value as NumPy takes it: what it refuses, or refuses itself, is named."""
    try:
        return np.asarray(value)
    except (RuntimeError, TypeError, ValueError) as why:
        raise ValueError(f"{what} is not an array, expected {expected}: {why}") from None


def _no_numbers(value: ArrayLike, array: Any) -> str:
    """What is wrong with an array of another dtype: with its first element that is no number."""
    if value is None:
        return "is None"
    held = array.ravel().tolist() if array.dtype.kind in "OUS" else []
    odd = [one for one in held if not isinstance(one, (int, float))][:1]
    return f"holds {odd[0]!r}: not numbers" if odd else f"has dtype {array.dtype}"


def _axes(expected: str) -> list[str]:
    """The sizes in the text of a type."""
    inside = expected[expected.index("[") + 1 : -1]
    return inside.split(", ") if inside else []


def _fitting(shape: tuple[int, ...], axes: Iterable[Any], what: str) -> str:
    """What fits instead of an array that lacks an axis, has one too many, or lies across."""
    name, wanted, more = what.split("`")[1], [str(axis) for axis in axes], ", :" * len(shape)
    ways = [
        (f"for one sample write {name}[None{more}]", (1, *shape)),
        (f"write {name}[{more[2:]}, None]", (*shape, 1)),
        (f"write {name}[..., 0]", shape[: -1 if shape[-1:] == (1,) else None]),
        (f"{name}.T has that shape", shape[::-1]),
    ]
    for text, part in ways if what[:5] == "input" else ways[-1:]:
        pairs = [*zip(wanted, part, strict=False)]
        fits = len(wanted) == len(part) and part != shape and shape
        if fits and all(axis == str(size) or not axis.isdigit() for axis, size in pairs):
            return f"; {text}"
    return ""


def _misfit(array: Any, what: str, expected: str, shape: tuple[int, ...], bound: str) -> ValueError:
    """The error that an array has not the shape that its declaration gives it."""
    axes = [
        axis if f"{axis} = {size} from {what}" in bound else size
        for axis, size in zip(_axes(expected), shape, strict=True)
    ]
    why = (f"; {bound}" if bound else "") + _fitting(array.shape, axes, what)
    return ValueError(f"{what} has shape {array.shape}, expected {expected} = {shape}{why}")


def _outside(why: IndexError, *read: tuple[str, ArrayLike, int]) -> IndexError:
    """The error of an index outside an axis, told by the array that holds it, if it is of these."""
    for what, indices, size in read:
        for one in np.ravel(indices):
            if not -size <= one < size:
                return IndexError(f"{what} holds {one}, expected 0..{size - 1}")
    return why


def _solve(size: int, factor: int, offset: int, what: str) -> int:
    """The dim d of an axis whose size is factor * d + offset."""
    dim, rest = divmod(size - offset, factor)
    if rest or dim < 0:
        raise ValueError(f"{what}: its size {size} fits no whole number")
    return dim


def _whole(value: int | None, name: str, optional: bool = False) -> Any:
    """A dim that is given by name; None where it is not, and need not be."""
    if value is None and optional:
        return None
    if not isinstance(value, (int, np.integer)) or type(value) is bool or value < 0:
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
        nested = any(isinstance(params[name], Mapping) for name in params)
        found += [f"paths are flat, as '{expected[0]}'"] if nested else []
        raise ValueError(f"parameters: {'; '.join(found)}")


def _no_cache(found: Any) -> TypeError:
    """The error that `backward` is given something else than a cache."""
    what = "the Cache that `forward` of this module returns second"
    return TypeError(f"cache: expected {what}, found {type(found)}")


def _cotangent(value: ArrayLike, what: str, shape: tuple[int, ...]) -> Any:
    """The cotangent of an output: an array of its shape; zeros where it is left out."""
    if value is None:
        return np.zeros(shape, FLOAT)[()]
    if type(value) is float and not shape:
        return FLOAT(value)
    array = value if type(value) is np.ndarray else _as_array(value, what, f"float of {shape}")
    if array.dtype.kind not in "fiub" or array.shape != shape:
        raise ValueError(
            f"{what} is {array.dtype} of shape {array.shape}, expected float of {shape}"
        )
    return array.astype(FLOAT)[()]


def _expected(given: Mapping[str, ArrayLike], names: tuple[str, ...], what: str) -> None:
    """Every name that is given is one of these."""
    if type(given) is not dict and not isinstance(given, Mapping):
        raise TypeError(f"{what}: expected a dict of arrays by path")
    known = set(names)
    unknown = [str(name) for name in given if name not in known]
    if unknown:
        found = ", ".join(sorted(unknown))
        raise ValueError(f"{what}: unknown {found}; expected some of {', '.join(names)}")


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
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise TypeError(f"seed: expected an integer of at least 0, found {seed!r}")
    return np.random.default_rng([seed, *path.encode()])


def _bytes_of(values: Iterable[Any]) -> int:
    """The bytes that arrays, numbers and lists of them take."""
    return sum(
        _bytes_of(one) if isinstance(one, list) else np.asarray(one).nbytes for one in values
    )


def _join(params: Mapping[str, ArrayLike], shapes: Mapping[str, tuple[Any, ...]]) -> Array:
    """Parameters in these shapes as one vector; an axis that is a name may have any size."""
    _names(params, tuple(shapes))
    arrays = {path: np.asarray(params[path]) for path in shapes}
    for path, shape in shapes.items():
        array = arrays[path]
        sizes = tuple(
            found if type(size) is str else size
            for size, found in zip(shape, array.shape, strict=False)
        )
        if array.dtype.kind not in "fiub" or array.ndim != len(shape) or array.shape != sizes:
            expected = ", ".join(f"{size}" for size in shape)
            raise ValueError(
                f"parameter `{path}` is {array.dtype} of shape {array.shape}, "
                f"expected float[{expected}]"
            )
    return np.concatenate([np.ravel(array.astype(FLOAT, copy=False)) for array in arrays.values()])


def _split(vector: ArrayLike, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Consecutive parts of a vector in these shapes."""
    flat = np.asarray(vector)
    if flat.dtype.kind not in "fiub":
        raise TypeError(f"the vector has dtype {flat.dtype}, expected {np.dtype(FLOAT)}")
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    if flat.shape != (sum(sizes),):
        raise ValueError(f"the vector has shape {flat.shape}, expected ({sum(sizes)},)")
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return {
        path: part.reshape(shape).astype(FLOAT)[()]
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


def _check_parts(parts: Iterable[Any], kind: Any) -> None:
    """Raise a TypeError where there is nothing to merge, or something that is no part."""
    for part in parts or [None]:
        if type(part) is not kind:
            found = "nothing" if part is None else type(part)
            raise TypeError(f"expected what chunks contribute, {kind}, found {found}")
