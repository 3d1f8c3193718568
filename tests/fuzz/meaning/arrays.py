"""What the meanings of operations are written with: the same for NumPy, dual numbers and JAX."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.fuzz.meaning import duals


def traced(*xs: Any) -> bool:
    """Is one of them an array of JAX?"""
    jax = sys.modules.get("jax")
    return jax is not None and any(isinstance(x, jax.Array) for x in xs)


def space(*xs: Any) -> Any:
    """NumPy, or `jax.numpy` where JAX traces one of the arrays."""
    return sys.modules["jax.numpy"] if traced(*xs) else np


def array(x: Any) -> Any:
    """A number or an array as an array; a dual number as one of rank 0."""
    return x if traced(x) or isinstance(x, np.ndarray) else np.asarray(x)


def known(x: Any) -> Any:
    """Without derivatives."""
    if traced(x):
        return sys.modules["jax"].lax.stop_gradient(x)
    return duals.values(x)


def is_float(x: Any) -> bool:
    return array(x).dtype.kind in "fcO"


def floats(x: Any) -> Any:
    """Truth values and integers as floats."""
    x = array(x)
    return x if is_float(x) else x.astype(np.float64)


JAX_NAMES = {
    "sigmoid": ("jax.nn", "sigmoid"),
    "erf": ("jax.scipy.special", "erf"),
    "erfc": ("jax.scipy.special", "erfc"),
    "lgamma": ("jax.scipy.special", "gammaln"),
    **{
        name: ("jax.scipy.special", name)
        for name in ("ndtr", "log_ndtr", "ndtri", "erfinv", "i0e", "i1e")
    },
}


def smooth(name: str) -> Callable[[Any], Any]:
    """A function of one number, element by element."""

    def apply(x: Any) -> Any:
        x = floats(x)
        if not traced(x):
            return array(duals.smooth(name, x))
        import jax.numpy as jnp
        import jax.scipy.special as special

        if name == "softplus":
            return jnp.logaddexp(x, 0.0)
        if name == "erfcinv":
            return special.erfinv(1 - x)
        if name.startswith("polygamma"):
            order = int(name.removeprefix("polygamma"))
            return special.polygamma(order, x) if order else special.digamma(x)
        if re.fullmatch("[jik]v[0-9]+", name):
            return _bessel_in_jax(name[0], int(name[2:]), x)
        place, called = JAX_NAMES.get(name, ("jax.numpy", name))
        __import__(place)
        return getattr(sys.modules[place], called)(x)

    return apply


def _bessel_in_jax(name: str, order: int, x: Any) -> Any:
    """By the integral over angles (NIST Handbook, 10.9.2, 10.32.3, 10.32.9), which is smooth."""
    import jax.numpy as jnp

    if name == "k":
        t, step = np.linspace(0.0, 8.0, 161), 8.0 / 160
        weights = np.where((t == 0) | (t == 8), 0.5, 1.0) * step
        inside = jnp.exp(-x[..., None] * np.cosh(t)) * np.cosh(order * t)
        return jnp.sum(inside * weights, axis=-1)
    angles = (np.arange(64) + 0.5) * (np.pi / 64)
    if name == "i":
        return jnp.mean(jnp.exp(x[..., None] * np.cos(angles)) * np.cos(order * angles), axis=-1)
    return jnp.mean(jnp.cos(x[..., None] * np.sin(angles) - order * angles), axis=-1)


def where(condition: Any, x: Any, y: Any) -> Any:
    return space(condition, x, y).where(condition, x, y)


def maximum(a: Any, b: Any) -> Any:
    """The larger; both share a tie; nan where one is."""
    a, b = array(a), array(b)
    known_a, known_b = known(a), known(b)
    middle = (a + b) / 2 if is_float(a) or is_float(b) else a
    middle = where(known_a == known_b, where(space(known_a).isinf(known_a), a, middle), a + b)
    return where(known_a > known_b, a, where(known_b > known_a, b, middle))


def minimum(a: Any, b: Any) -> Any:
    return (
        -maximum(-array(a), -array(b)) if is_float(a) or is_float(b) else space(a, b).minimum(a, b)
    )


def axes_of(x: Any, axis: Any) -> tuple[int, ...]:
    """The axes that are meant, from 0 on."""
    rank = np.ndim(x)
    if axis is None:
        return tuple(range(rank))
    chosen = axis if isinstance(axis, list | tuple) else [axis]
    return tuple(sorted(int(one) % rank for one in chosen))


def total(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return array(space(x).sum(array(x), axis=axes_of(x, axis), keepdims=keepdims))


def largest(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """All that are largest share it evenly."""
    x = array(x)
    axes = axes_of(x, axis)
    top = space(x).max(known(x), axis=axes, keepdims=True)
    if not is_float(x):
        return top if keepdims else top.squeeze(axes)
    here = known(x) == top
    count = space(x).sum(here, axis=axes, keepdims=True)
    # What is largest, and how far each is from it: exact in its value, shared in its derivative.
    apart = where(here, x - top, 0.0)
    found = top + where(~space(top).isfinite(top), 0.0, total(apart, axes, True) / count)
    return found if keepdims else array(space(x).reshape(found, _without(np.shape(x), axes)))


def _without(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for place, size in enumerate(shape) if place not in axes)


def product(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return array(space(x).prod(array(x), axis=axes_of(x, axis), keepdims=keepdims))


def power(a: Any, b: Any) -> Any:
    """a ** b; of a whole constant exponent no logarithm."""
    a, b = array(a), array(b)
    if not is_float(a) and not is_float(b):
        return a**b
    if traced(a, b):
        return a**b
    if a.dtype != object and b.dtype != object:
        return np.power(floats(a), b)
    return array(np.frompyfunc(_power, 2, 1)(a, b))


def _power(a: Any, b: Any) -> Any:
    """(a ** b)' = b a ** (b - 1) a' + a ** b log(a) b'."""
    level = max((one.level for one in (a, b) if isinstance(one, duals.Dual)), default=0)
    if not level:
        return np.float64(a) ** b
    (base, da), (exponent, db) = duals.parts(a, level), duals.parts(b, level)
    value = _power(base, exponent)
    tangents: Any = 0.0
    if np.ndim(da):
        zero = not isinstance(exponent, duals.Dual) and exponent == 0
        tangents = da * (0.0 if zero else _power(base, exponent - 1) * exponent)
    if np.ndim(db):
        flat = duals.primal(base) == 0 and duals.primal(exponent) >= 0
        tangents = tangents + db * (0.0 if flat else duals.smooth("log", base) * value)
    return duals.Dual(level, value, tangents)
