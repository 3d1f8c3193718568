"""Products, triangles, determinants, factors and systems of matrices, for small ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.fuzz.meaning import duals
from tests.fuzz.meaning.arrays import (
    array,
    floats,
    known,
    space,
    traced,
    where,
)
from tests.fuzz.meaning.elementwise import sqrt


def einsum(subscripts: str, *xs: Any) -> Any:
    """By words: each becomes a letter."""
    sides = subscripts.split("->")
    words = sorted({word for side in sides for word in side.replace(",", " ").split()})
    letter = {word: chr(ord("a") + place) for place, word in enumerate(words)}
    short = ["".join(letter[word] for word in part.split()) for part in sides[0].split(",")]
    result = "".join(letter[word] for word in sides[1].split())
    return array(space(*xs).einsum(",".join(short) + "->" + result, *map(array, xs)))


def matmul(a: Any, b: Any) -> Any:
    a, b = array(a), array(b)
    if traced(a, b) or (a.dtype != object and b.dtype != object):
        return array(space(a, b).matmul(a, b))
    if not a.shape[-1]:
        shape = np.matmul(np.zeros(a.shape), np.zeros(b.shape)).shape
        return np.zeros(shape)
    return array(np.matmul(a.astype(object), b.astype(object)))


def dot(a: Any, b: Any) -> Any:
    if not np.ndim(a) or not np.ndim(b):
        return array(a * b)
    return matmul(a, b)


def _matrix(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the last two axes, of every matrix."""

    def apply(x: Any, *more: Any, **named: Any) -> Any:
        x = array(x)
        if np.ndim(x) == 2:
            return function(x, *more, **named)
        some = x if len(x) else np.broadcast_to(np.eye(*np.shape(x)[-2:]), (1, *np.shape(x)[1:]))
        parts = [apply(one, *more, **named) for one in some]  # of none the shape alone
        if isinstance(parts[0], tuple):
            return tuple(space(x).stack([*each])[: len(x)] for each in zip(*parts, strict=True))
        return space(x).stack(parts)[: len(x)]

    return apply


def diagonal(x: Any, offset: int = 0) -> Any:
    return array(space(x).diagonal(x, offset, -2, -1))


def diag(x: Any, k: int = 0) -> Any:
    if np.ndim(x) > 1:
        return diagonal(x, k)
    side = np.shape(x)[0] + abs(k)
    row, column = np.arange(side)[:, None], np.arange(side)[None, :]
    place = np.clip(np.minimum(row, column) + 0 * row, 0, max(np.shape(x)[0] - 1, 0))
    if not np.shape(x)[0]:
        return np.zeros((side, side))
    return where(column - row == k, array(x)[place], 0.0)


def triangle(lower: bool) -> Callable[..., Any]:
    def apply(x: Any, k: int = 0) -> Any:
        rows, columns = np.shape(x)[-2:]
        apart = np.arange(columns)[None, :] - np.arange(rows)[:, None]
        return where(apart <= k if lower else apart >= k, x, 0.0)

    return apply


def fill_tril(v: Any, n: int) -> Any:
    """The strict lower triangle by columns."""
    v = array(v)
    places = {(i, j): None for j in range(n) for i in range(j + 1, n)}
    order = {place: number for number, place in enumerate(places)}
    zero = space(v).zeros_like(v[..., 0]) if v.dtype != object else v[..., 0] * 0.0
    rows = [
        space(v).stack([array(v[..., order[i, j]]) if i > j else array(zero) for j in range(n)], -1)
        for i in range(n)
    ]
    return space(v).stack(rows, -2)


def _cofactors(rows: Sequence[Sequence[Any]]) -> Any:
    """The determinant by its definition: a sum over permutations, which divides by nothing."""
    size = len(rows)
    if not size:
        return np.float64(1.0)
    found: Any = 0.0
    for order in itertools.permutations(range(size)):
        turns = sum(order[i] > order[j] for i in range(size) for j in range(i + 1, size))
        found = found + math.prod([rows[i][order[i]] for i in range(size)], start=(-1) ** turns)
    return found


@_matrix
def det(x: Any) -> Any:
    return array(_cofactors([[x[i, j] for j in range(x.shape[1])] for i in range(x.shape[0])]))


@_matrix
def inv(x: Any) -> Any:
    return _eliminated(x, np.eye(x.shape[0]))


def _eliminated(a: Any, b: Any) -> Any:
    """a⁻¹ b by Gauss and Jordan, with the largest pivot of each column."""
    if traced(a, b):
        return space(a).linalg.solve(a, b)
    size = a.shape[0]
    a, b = a.copy(), b.astype(a.dtype).copy() if a.dtype == object else b.copy()
    for place in range(size):
        pivot = place + int(np.argmax(np.abs(known(a[place:, place]))))
        a[[place, pivot]], b[[place, pivot]] = a[[pivot, place]], b[[pivot, place]]
        factor = a[place, place]
        a[place], b[place] = a[place] / factor, b[place] / factor
        for row in range(size):
            if row != place:
                by = a[row, place]
                a[row], b[row] = a[row] - a[place] * by, b[row] - b[place] * by
    return b


def _over_batch(function: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    if np.ndim(a) == 2 and np.ndim(b) <= 2:
        return function(a, b) if np.ndim(b) == 2 else function(a, b[:, None])[:, 0]
    size = np.shape(a)[0] if np.ndim(a) > 2 else np.shape(b)[0]
    parts = [
        _over_batch(
            function,
            a[i] if np.ndim(a) > 2 else a,
            b[i] if np.ndim(b) > 2 or np.ndim(a) > np.ndim(b) else b,
        )
        for i in range(size)
    ]
    return space(a, b).stack(parts)


def solve(a: Any, b: Any) -> Any:
    a, b = floats(a), floats(b)
    if not traced(a, b) and object in (a.dtype, b.dtype):
        a, b = a.astype(object), b.astype(object)
    return _over_batch(_eliminated, a, b)


def triangular_solve(a: Any, b: Any, lower: bool = True) -> Any:
    return solve(triangle(lower)(floats(a)), b)


@_matrix
def cholesky(x: Any) -> Any:
    """Row by row (Golub and Van Loan 2013, algorithm 4.2.1), of the symmetric part."""
    x = (x + x.T) / 2
    size = x.shape[0]
    rows: list[list[Any]] = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = x[i, j]
            for k in range(j):
                rest = rest - rows[i][k] * rows[j][k]
            rows[i][j] = sqrt(array(rest))[()] if i == j else rest / rows[j][j]
    if traced(x):
        return space(x).stack([space(x).stack([space(x).asarray(v) for v in r]) for r in rows])
    flat = np.empty(size * size, object)
    flat[:] = [one for row in rows for one in row]
    made = flat.reshape(size, size)
    return made if x.dtype == object else made.astype(np.float64)


def _flipped(x: Any) -> Any:
    return space(x).swapaxes(x, -1, -2)


def pinv(x: Any) -> Any:
    """By the equations of least squares, of full rank."""
    x = floats(x)
    if np.shape(x)[-2] < np.shape(x)[-1]:
        return matmul(_flipped(x), inv(matmul(x, _flipped(x))))
    return matmul(inv(matmul(_flipped(x), x)), _flipped(x))


@_matrix
def expm(x: Any) -> Any:
    """By its series, halved until that converges fast, and squared."""
    x = x * (1 / 64)
    found = term = matmul(np.eye(x.shape[0]), x) + 0.0 * x
    found = found + np.eye(x.shape[0])
    for n in range(2, 16):
        term = matmul(term, x) * (1 / n)
        found = found + term
    for _ in range(6):
        found = matmul(found, found)
    return found


@_matrix
def qr(x: Any) -> Any:
    """One column after the other (Golub and Van Loan 2013, §5.2.7), with the signs of LAPACK."""
    rows, columns = np.shape(x)
    signs = np.sign(np.diagonal(np.linalg.qr(known(x).astype(np.float64))[1]))
    found: list[Any] = []
    for j in range(min(rows, columns)):
        rest = x[:, j]
        for one in (*found, *found):
            rest = rest - one * (one * rest).sum()
        found.append(rest * (signs[j] / sqrt(array((rest * rest).sum()))))
    q = space(x).stack([array(one) for one in found], -1)
    return q, triangle(False)(matmul(_flipped(q), x))


@_matrix
def eigh(x: Any) -> Any:
    """By rotations of pairs (Golub and Van Loan 2013, §8.5), in the order and with the signs of
    LAPACK."""
    x = (x + x.T) * 0.5
    if traced(x):
        return tuple(space(x).linalg.eigh(x))
    size = np.shape(x)[0]
    vectors = np.linalg.eigh(known(x).astype(np.float64))[1]
    turned, v = matmul(matmul(vectors.T, x), vectors), vectors * 1.0 + 0.0 * x
    for _ in range(4):  # from the vectors of LAPACK only what derivatives need is left to turn
        for i in range(size):
            for j in range(i):
                gap = turned[i, i] - turned[j, j]
                if duals.primal(gap) == 0 and not _bent(turned[i, j]):
                    continue  # of equal values each moves as its own vector has it
                angle = turned[i, j] / gap
                turn = np.eye(size) + 0.0 * x
                cosine = 1 / sqrt(array(1 + angle * angle))[()]
                turn[i, i] = turn[j, j] = cosine
                turn[j, i], turn[i, j] = angle * cosine, -angle * cosine
                turned, v = matmul(matmul(turn.T, turned), turn), matmul(v, turn)
    return array(np.diagonal(turned)), v


def _bent(x: Any) -> bool:
    """Has a number derivatives of the second order?"""
    return isinstance(x, duals.Dual) and isinstance(x.value, duals.Dual)


@_matrix
def svd(x: Any) -> Any:
    """From the eigenvectors of xᵀx or of xxᵀ, whichever is smaller."""
    if traced(x):
        return tuple(space(x).linalg.svd(x, full_matrices=False))
    if np.shape(x)[0] < np.shape(x)[1]:
        v, s, ut = svd(x.T)
        u, vt = ut.T, v.T
    else:
        squares, v = eigh(matmul(x.T, x))
        s, v = sqrt(squares[::-1]), v[:, ::-1]
        u, vt = matmul(x, v) / s, v.T
    signs = np.sign((known(vt) * np.linalg.svd(known(x).astype(np.float64))[2][: len(s)]).sum(1))
    return u * signs, s, vt * signs[:, None]


def matrix_power(x: Any, n: int) -> Any:
    x = array(x)
    if n < 0:
        return matrix_power(inv(x), -n)
    found = space(x).broadcast_to(np.eye(np.shape(x)[-1]), np.shape(x))
    for _ in range(n):
        found = matmul(found, x)
    return found


def kron(a: Any, b: Any) -> Any:
    (m, n), (p, q) = np.shape(a), np.shape(b)
    return space(a, b).reshape(
        array(a)[:, None, :, None] * array(b)[None, :, None, :], (m * p, n * q)
    )


def cross(a: Any, b: Any) -> Any:
    a, b = array(a), array(b)
    x, y, z = (
        (a[..., i] * b[..., j]) - (a[..., j] * b[..., i]) for i, j in ((1, 2), (2, 0), (0, 1))
    )
    return space(a, b).stack([array(x), array(y), array(z)], -1)
