"""Derivatives of Python functions of arrays, by dual numbers; themselves differentiable."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.fuzz.meaning import duals
from tests.fuzz.meaning.arrays import array, traced

Function = Callable[[Any], Any]


def gradient(function: Function, x: Any) -> Any:
    """The gradient of a scalar, of the shape of x."""
    if _in_jax(function, x):
        import jax

        return jax.grad(lambda moved: function(moved).sum())(x)
    return _along_all(function, x).reshape(np.shape(x))


def jacobian(function: Function, x: Any) -> Any:
    """The derivative of each element by each, of the shape of the value and that of x."""
    if _in_jax(function, x):
        import jax

        return jax.jacfwd(function)(x)
    found = _along_all(function, x)
    return found.reshape((*found.shape[:-1], *np.shape(x)))


def tangent(function: Function, x: Any, u: Any) -> Any:
    """How the value moves where x moves by u."""
    if _in_jax(function, x, u):
        import jax

        moved, along = (jax.numpy.asarray(one, jax.numpy.float64) for one in (x, u))
        return jax.jvp(function, (moved,), (along,))[1]
    level, moved = duals.seeded(np.asarray(x), np.asarray(u)[..., None])
    return array(duals.taken_apart(function(moved), level, 1)[1][..., 0])


def _in_jax(function: Function, *xs: Any) -> bool:
    """Does JAX trace what is derived by, or what else the function reads?"""
    return traced(*xs) or ("jax" in sys.modules and traced(function(xs[0])))


def _along_all(function: Function, x: Any) -> Any:
    x = np.asarray(x)
    level, moved = duals.seeded(x, np.eye(x.size))
    return duals.taken_apart(function(moved), level, x.size)[1]
