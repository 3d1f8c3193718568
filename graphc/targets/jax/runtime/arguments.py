"""What a module of JAX asks of its arguments: copied as it stands here, beside what is NumPy's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from graphc.targets.numpy.runtime.parts import (
    _as_array,
    _axes,
    _fitting,
    _misfit,
    _names,
    _no_numbers,
)

FLOAT = jnp.float64
ArrayLike = Any


def _wide() -> None:
    """JAX computes in float64, which it does where it is asked to."""
    if jnp.result_type(float) != FLOAT:
        raise RuntimeError(
            "this module computes in float64, which JAX leaves out by default: call "
            "jax.config.update('jax_enable_x64', True) first, or compile with --dtype float32"
        )


def _array(
    value: ArrayLike,
    what: str,
    expected: str,
    dtype: Any,
    shape: int | tuple[int, ...],
    bound: str = "",
) -> Any:
    """The value as an array of JAX of a dtype and shape, traced or not.

    Where the shape is not known yet, the rank stands for it.
    """
    array = value if isinstance(value, jax.Array) else _as_array(value, what, expected)
    if array.dtype.kind not in {"f": "fiub", "i": "iu", "b": "b"}[dtype.kind]:
        raise TypeError(f"{what} {_no_numbers(value, array)}, expected {expected}")
    if array.ndim != (shape if isinstance(shape, int) else len(shape)):
        fits = _fitting(array.shape, _axes(expected), what)
        raise ValueError(f"{what} has shape {array.shape}, expected {expected}{fits}")
    if not isinstance(shape, int) and array.shape != shape:
        raise _misfit(array, what, expected[expected.index("[") :], shape, bound)
    return jnp.asarray(array, {"f": FLOAT, "i": int, "b": bool}[dtype.kind])


def _cotangent(value: ArrayLike, what: str, shape: tuple[int, ...]) -> Any:
    """The cotangent of an output: an array of its shape; zeros where it is left out."""
    if value is None:
        return jnp.zeros(shape, FLOAT)
    expected = f"float of {shape}"
    array = value if isinstance(value, jax.Array) else _as_array(value, what, expected)
    if array.dtype.kind not in "fiub" or array.shape != shape:
        raise ValueError(f"{what} is {array.dtype} of shape {array.shape}, expected {expected}")
    return jnp.asarray(array, FLOAT)


def _join(params: Mapping[str, ArrayLike], shapes: Mapping[str, tuple[Any, ...]]) -> Any:
    """Parameters in these shapes as one vector; an axis that is a name may have any size."""
    _names(params, tuple(shapes))
    arrays = {path: jnp.asarray(params[path]) for path in shapes}
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
    return jnp.concatenate([jnp.ravel(array).astype(FLOAT) for array in arrays.values()])


def _split(vector: ArrayLike, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Consecutive parts of a vector in these shapes."""
    flat = jnp.asarray(vector)
    if flat.dtype.kind not in "fiub":
        raise TypeError(f"the vector has dtype {flat.dtype}, expected {np.dtype(FLOAT)}")
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    if flat.shape != (sum(sizes),):
        raise ValueError(f"the vector has shape {flat.shape}, expected ({sum(sizes)},)")
    parts = jnp.split(flat.astype(FLOAT), np.cumsum(sizes)[:-1])
    return {
        path: part.reshape(shape) for (path, shape), part in zip(shapes.items(), parts, strict=True)
    }
