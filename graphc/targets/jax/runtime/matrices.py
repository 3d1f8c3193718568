"""Functions of matrices that JAX lacks, where those of the NumPy target write into arrays."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def _cofactors(x: Any) -> Any:
    """Cofactors of square matrices, from x = u s vᵀ: det u det v u cof(s) vᵀ, of every rank
    (Stewart, "On the adjugate matrix", Linear Algebra Appl. 283, 1998)."""
    finite = jnp.all(jnp.isfinite(x), axis=(-2, -1), keepdims=True)
    u, s, vt = jnp.linalg.svd(jnp.where(finite, x, 0))
    one = jnp.ones_like(s[..., :1])
    before = jnp.cumprod(jnp.concatenate((one, s), axis=-1), axis=-1)[..., :-1]
    after = jnp.cumprod(jnp.concatenate((one, s[..., ::-1]), axis=-1), axis=-1)[..., -2::-1]
    others = before * after * (jnp.linalg.det(u) * jnp.linalg.det(vt))[..., None]
    return jnp.where(finite, (u * others[..., None, :]) @ vt, jnp.nan)


def _moved_expm(x: Any, along: Any) -> Any:
    """How the exponential of x moves along a matrix."""
    shape = jnp.broadcast_shapes(x.shape, along.shape)
    given, moved = jnp.broadcast_to(x, shape), jnp.broadcast_to(along, shape)
    return jax.jvp(jax.scipy.linalg.expm, (given,), (moved,))[1]
