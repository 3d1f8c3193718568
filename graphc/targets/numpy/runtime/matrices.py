"""Functions of matrices that NumPy lacks, over batch axes: copied into generated modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from graphc.later import Later

if TYPE_CHECKING:
    import numpy as np
else:
    np = Later("numpy")  # that modules need it is no reason for compiling to


def _cofactors(x: Any) -> Any:
    """Cofactors of square matrices, from x = u s vᵀ: det u det v u cof(s) vᵀ, of every rank
    (Stewart, "On the adjugate matrix", Linear Algebra Appl. 283, 1998)."""
    finite = np.all(np.isfinite(x), axis=(-2, -1), keepdims=True)
    u, s, vt = np.linalg.svd(np.where(finite, x, 0))
    before, after = np.ones_like(s), np.ones_like(s)
    before[..., 1:] = np.cumprod(s[..., :-1], axis=-1)
    after[..., :-1] = np.cumprod(s[..., :0:-1], axis=-1)[..., ::-1]
    others = before * after * (np.linalg.det(u) * np.linalg.det(vt))[..., None]
    return np.where(finite, (u * others[..., None, :]) @ vt, np.nan)


def _minors(x: Any, along: Any) -> Any:
    """The derivative of the cofactors of x along a matrix, of every rank: with x = u s vᵀ and
    m = uᵀ along v it is det u det v u c vᵀ. There c[i, i] is the sum of p[i, k] m[k, k], and
    c[i, j] = -p[i, j] m[j, i], where p[i, j] is the product of all of s but s[i] and s[j]."""
    finite = np.all(np.isfinite(x), axis=(-2, -1), keepdims=True)
    u, s, vt = np.linalg.svd(np.where(finite, x, 0))
    n = s.shape[-1]
    left_out = np.eye(n, dtype=bool)
    kept = np.where(left_out[:, None] | left_out, 1, s[..., None, None, :])
    others = np.prod(kept, axis=-1) * (np.linalg.det(u) * np.linalg.det(vt))[..., None, None]
    others = np.where(left_out, 0, others)
    inner = np.swapaxes(u, -1, -2) @ along @ np.swapaxes(vt, -1, -2)
    diagonal = np.diagonal(inner, axis1=-2, axis2=-1)[..., None, :]
    moved = np.where(
        left_out,
        np.sum(others * diagonal, axis=-1)[..., None],
        -others * np.swapaxes(inner, -1, -2),
    )
    return np.where(finite, u @ moved @ vt, np.nan)


def _singular_vectors(x: Any) -> Any:
    """The left singular vectors of matrices, and below them the right ones, as columns."""
    u, _, vt = np.linalg.svd(x, full_matrices=False)
    return np.concatenate((u, np.swapaxes(vt, -1, -2)), axis=-2)


def _inverse_gaps(w: Any, strict: bool) -> Any:
    """1 / (w[j] - w[i]) for all pairs of values, 0 for one with itself; of two that are equal but
    for rounding 0, or nan."""
    n = w.shape[-1]
    gaps = w[..., None, :] - w[..., :, None]
    largest = np.max(np.abs(w), axis=-1, initial=0)[..., None, None]
    apart = ~(np.abs(gaps) <= n * np.finfo(w.dtype).eps * largest)
    inverse = 1 / np.where(apart, gaps, np.nan if strict else np.inf)
    return np.where(np.eye(n, dtype=bool), 0, inverse)


def _expm(x: Any) -> Any:
    """The exponential of square matrices: scaled until a Padé approximant of degree 13 is exact but
    for rounding, and squared as often (Higham, SIAM J. Matrix Anal. Appl. 26, 2005, algorithm 2.3,
    in which θ₁₃ is 5.37)."""
    size = np.max(np.sum(np.abs(x), axis=-2), axis=-1, initial=0)
    ratio = np.where(np.isfinite(size), size, 0) / 5.371920351148152
    powers = np.ceil(np.log2(np.maximum(ratio, 1)))[..., None, None].astype(np.int64)
    a = np.ldexp(x, -powers)
    one = np.eye(x.shape[-1], dtype=x.dtype)
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a2 @ a4
    odd = a6 @ (a6 + 16380 * a4 + 40840800 * a2)
    odd = a @ (odd + 33522128640 * a6 + 10559470521600 * a4 + 1187353796428800 * a2
               + 32382376266240000 * one)  # fmt: skip
    even = a6 @ (182 * a6 + 960960 * a4 + 1323241920 * a2)
    even = even + (670442572800 * a6 + 129060195264000 * a4 + 7771770303897600 * a2
                   + 64764752532480000 * one)  # fmt: skip
    y = np.linalg.solve(even - odd, even + odd)
    for power in range(int(np.max(powers, initial=0))):
        y = np.where(power < powers, y @ y, y)
    return y


def _moved_expm(x: Any, along: Any) -> Any:
    """How the exponential of x moves along a matrix e: the corner of that of [[x, e], [0, x]]
    (Higham, Functions of Matrices, 2008, eq. 10.43), of e of the size of 1."""
    n = x.shape[-1]
    size = np.max(np.abs(along), axis=(-2, -1), keepdims=True, initial=0)
    size = np.where((size > 0) & np.isfinite(size), size, 1)
    shape = np.broadcast_shapes(x.shape[:-2], along.shape[:-2])
    block = np.zeros((*shape, 2 * n, 2 * n), x.dtype)
    block[..., :n, :n] = block[..., n:, n:] = x
    block[..., :n, n:] = along / size
    return _expm(block)[..., :n, n:] * size


HELPERS: Mapping[str, Callable[..., Any]] = {
    "cofactors": _cofactors,
    "minors": _minors,
    "singular_vectors": _singular_vectors,
    "inverse_gaps": _inverse_gaps,
    "expm": _expm,
    "moved_expm": _moved_expm,
}
"""What kernels call of these, by their names for it."""
