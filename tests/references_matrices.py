"""What functions compute of vectors and matrices: products, triangles, inverses, factors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
from sampling import SMOOTH, Entry, Use, on


def _fill_tril(v: np.ndarray, n: int) -> np.ndarray:
    matrix = np.zeros((*v.shape[:-1], n, n), v.dtype)
    place = 0
    for column in range(n):
        for line in range(column + 1, n):
            matrix[..., line, column] = v[..., place]
            place += 1
    return matrix


def _diagonal(x: np.ndarray, offset: int = 0) -> np.ndarray:
    return np.diagonal(x, offset, -2, -1)


def _words(subscripts: str, *arrays: np.ndarray) -> np.ndarray:
    """NumPy's einsum with a letter for each word."""
    letters: dict[str, str] = {}
    for word in subscripts.replace(",", " ").replace("->", " ").split():
        if word != "...":
            letters.setdefault(word, chr(ord("a") + len(letters)))
    text = " ".join(
        letters.get(word, word)
        for word in subscripts.replace(",", " , ").replace("->", " -> ").split()
    )
    return np.einsum(text.replace(" ", ""), *arrays)


def _einsum_calls() -> tuple[Use, ...]:
    rows = (
        ("i j -> j i", "[2, 3]"),
        ("i i ->", "[3, 3]"),
        ("i i -> i", "[3, 3]"),
        ("b i i -> b", "[2, 3, 3]"),
        ("i, i ->", "[3]", "[3]"),
        ("i, j -> i j", "[3]", "[2]"),
        ("i, j -> j i", "[3]", "[2]"),
        ("i, i -> i", "[3]", "[3]"),
        (", i -> i", "[]", "[3]"),
        ("i j, j -> i", "[2, 3]", "[3]"),
        ("i, i j -> j", "[2]", "[2, 3]"),
        ("i j, j k -> i k", "[2, 3]", "[3, 4]"),
        ("i j, k j -> k i", "[2, 3]", "[4, 3]"),
        ("b t d, b s d -> b t s", "[2, 3, 4]", "[2, 2, 4]"),
        ("b h t d, b h s d -> b h t s", "[2, 2, 3, 4]", "[2, 2, 1, 4]"),
        ("b t d, d e -> b t e", "[2, 3, 4]", "[4, 2]"),
        ("k i j, n k j -> n k i", "[2, 3, 3]", "[4, 2, 3]"),
        ("b i, b i -> b", "[2, 3]", "[2, 3]"),
        ("b i j, b i j -> b", "[2, 3, 2]", "[2, 3, 2]"),
        ("i j, i j ->", "[2, 3]", "[2, 3]"),
        ("i j k, j k l -> i l", "[2, 3, 2]", "[3, 2, 4]"),
        ("i j, j k, k l -> i l", "[2, 3]", "[3, 2]", "[2, 4]"),
        ("i, i j, j ->", "[2]", "[2, 3]", "[3]"),
        ("... i, i j -> ... j", "[2, 3, 4]", "[4, 2]"),
        ("... i j, ... j k -> ... i k", "[2, 2, 3]", "[2, 3, 4]"),
        ("n i, i j -> n j", "[N, 3]", "[3, 2]"),
        ("n i, n j -> i j", "[N, 3]", "[N, 2]"),
        ("i i, i -> i", "[3, 3]", "[3]"),
        ("i j, j -> i", "int[2, 3]", "int[3]"),
    )
    return tuple(
        on(tuple(types), f'"{text}", {", ".join("abc"[: len(types)])}', words=text)
        for text, *types in rows
    )


def _shifted(x: np.ndarray) -> np.ndarray:
    return x + 5 * np.eye(x.shape[-1])


def _positive(x: np.ndarray) -> np.ndarray:
    return x @ np.swapaxes(x, -1, -2) + 3 * np.eye(x.shape[-1])


SQUARES = (
    on("[3, 3]", "a + 5 * eye(3)"),
    on("[1, 1]", "a + 5 * eye(1)"),
    on("[2, 3, 3]", "a + 5 * eye(3)"),
    on("[2, 1, 2, 2]", "a + 5 * eye(2)"),
    on("[0, 2, 2]", "a + 5 * eye(2)"),
    on("[N, N]", "a + 5 * eye(N)"),
    on("[N, 2, 2]", "a + 5 * eye(2)"),
)
TALL_AND_WIDE = (
    *(on(type) for type in ("[4, 2]", "[2, 4]", "[1, 1]", "[3, 1]", "[2, 3, 2]", "[0, 3, 2]")),
    on("[N, 2, 3]"),
    on("[3, 3]", "a + 5 * eye(3)", shift=5),
)
"""Matrices of full rank, whose values are apart."""


def _of_each(f: Callable[[np.ndarray], Any]) -> Callable[..., Any]:
    return lambda x, shift=0: f(x + shift * np.eye(3) if shift else x)


def _symmetric(x: np.ndarray) -> np.ndarray:
    return (_shifted(x) + np.swapaxes(_shifted(x), -1, -2)) / 2


def _thin(x: np.ndarray) -> Any:
    return np.linalg.svd(x, full_matrices=False)


def _pinv(x: Any) -> Any:
    """By the equations of least squares, which hold for complex numbers without conjugates."""
    flipped = np.swapaxes(x, -1, -2)
    if x.shape[-2] < x.shape[-1]:
        return flipped @ np.linalg.inv(x @ flipped)
    return np.linalg.inv(flipped @ x) @ flipped


PRODUCTS = (
    ("[3]", "[3]"),
    ("[2, 3]", "[3]"),
    ("[3]", "[3, 2]"),
    ("[2, 3]", "[3, 4]"),
    ("[1, 3]", "[3, 1]"),
    ("[2, 1]", "[1, 4]"),
    ("[5, 2, 3]", "[3, 4]"),
    ("[2, 3]", "[5, 3, 4]"),
    ("[5, 2, 3]", "[5, 3, 4]"),
    ("[1, 2, 3]", "[5, 3, 4]"),
    ("[5, 2, 3]", "[1, 3, 4]"),
    ("[5, 2, 3]", "[3]"),
    ("[3]", "[5, 3, 2]"),
    ("[4, 1, 2, 3]", "[1, 5, 3, 2]"),
    ("[4, 5, 2, 3]", "[5, 3, 2]"),
    ("[4, 5, 2, 3]", "[3]"),
    ("[3]", "[4, 5, 3, 2]"),
    ("[0, 3]", "[3, 2]"),
    ("[2, 0]", "[0, 3]"),
    ("[N, 2]", "[2, N]"),
    ("[2, N]", "[N, 4]"),
    ("int[2, 3]", "int[3, 4]"),
    ("[2, 3]", "int[3]"),
    ("int[3]", "[3]"),
    ("bool[2, 3]", "bool[3, 2]"),
)


def _factor(x: Any) -> Any:
    """Cholesky's factor for complex numbers too, without conjugates."""
    lower = np.zeros_like(x)
    for j in range(x.shape[-1]):
        row = lower[..., j, :j]
        lower[..., j, j] = np.sqrt(x[..., j, j] - np.sum(row * row, -1))
        for i in range(j + 1, x.shape[-1]):
            rest = x[..., i, j] - np.sum(lower[..., i, :j] * row, -1)
            lower[..., i, j] = rest / lower[..., j, j]
    return lower


def _solve(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if b.ndim == 1:
        return np.linalg.solve(_shifted(a), b[:, None])[..., 0]
    return np.linalg.solve(_shifted(a), b)


MATRICES: dict[str, Entry] = {
    "einsum": Entry(lambda *arrays, words: _words(words, *arrays), SMOOTH, _einsum_calls()),
    "matmul": Entry(np.matmul, SMOOTH, tuple(on(types, "a, b") for types in PRODUCTS)),
    "outer": Entry(
        np.outer,
        SMOOTH,
        tuple(
            on(types, "a, b")
            for types in (
                ("[3]", "[2]"),
                ("[1]", "[4]"),
                ("[3]", "[1]"),
                ("[0]", "[2]"),
                ("[N]", "[2]"),
                ("[N]", "[N]"),
                ("int[2]", "int[3]"),
                ("[2]", "int[3]"),
            )
        ),
    ),
    "vdot": Entry(
        lambda a, b: np.sum(a * b),
        SMOOTH,
        tuple(on((type,) * 2, "a, b") for type in ("[]", "[3]", "[2, 3]", "[0]", "[N, 2]")),
    ),
    "dot": Entry(
        np.dot,
        SMOOTH,
        (
            on(("[3]", "[3]"), "a, b"),
            on(("[2, 3]", "[3, 2]"), "a, b"),
            on(("[]", "[3]"), "a, b"),
            on(("[2, 3]", "[3]"), "a, b"),
            on(("[N, 3]", "[3]"), "a, b"),
        ),
    ),
    "cross": Entry(
        np.cross,
        SMOOTH,
        (
            on(("[3]", "[3]"), "a, b"),
            on(("[2, 3]", "[2, 3]"), "a, b"),
            on(("[2, 3]", "[3]"), "a, b"),
            on(("[N, 3]", "[N, 3]"), "a, b"),
        ),
    ),
    "kron": Entry(
        np.kron,
        SMOOTH,
        tuple(
            on(types, "a, b")
            for types in (
                ("[2, 3]", "[3, 1]"),
                ("[1, 1]", "[2, 2]"),
                ("[N, 2]", "[2, N]"),
                ("[2, 2]", "int[2, 1]"),
            )
        ),
    ),
    "diagonal": Entry(
        _diagonal,
        SMOOTH,
        (
            on("[3, 3]"),
            on("[2, 3, 3]"),
            on("[3, 4]", "a, 1", offset=1),
            on("[4, 3]", "a, offset=-1", offset=-1),
            on("[2, 5]"),
            on("[N, N]"),
            on("int[2, 2]"),
        ),
    ),
    "diag": Entry(
        np.diag,
        SMOOTH,
        (
            on("[3]"),
            on("[3]", "a, k=1", k=1),
            on("[3]", "a, -2", k=-2),
            on("[3, 3]", "a, 1", k=1),
            on("[N]"),
            on("[N, N]"),
            on("int[2]"),
        ),
    ),
    "trace": Entry(
        lambda x, offset=0: np.trace(x, offset, -2, -1),
        SMOOTH,
        (
            on("[3, 3]"),
            on("[2, 3, 4]"),
            on("[2, 3]", "a, 1", offset=1),
            on("[0, 2, 2]"),
            on("[N, N]"),
        ),
    ),
    **{
        name: Entry(
            value,
            SMOOTH,
            (
                on("[3, 3]"),
                on("[2, 3, 4]", "a, k=1", k=1),
                on("[4, 3]", "a, k=-2", k=-2),
                on("[N, 3]", "a, -1", k=-1),
                on("[N, N]"),
                on("int[2, 2]"),
            ),
        )
        for name, value in {"tril": np.tril, "triu": np.triu}.items()
    },
    "fill_tril": Entry(
        _fill_tril,
        SMOOTH,
        (
            on("[3]", "a, 3", n=3),
            on("[2, 6]", "a, n=4", n=4),
            on("[0]", "a, 1", n=1),
            on("[N, 3]", "a, 3", n=3),
        ),
    ),
    "inv": Entry(lambda x: np.linalg.inv(_shifted(x)), SMOOTH, SQUARES),
    "det": Entry(lambda x: np.linalg.det(_shifted(x)), (-1, 1), SQUARES),
    "logdet": Entry(
        lambda x: np.linalg.slogdet(_shifted(x))[1],
        SMOOTH,
        SQUARES,
        analytic=lambda x: np.log(np.linalg.det(_shifted(x))),
    ),
    "solve": Entry(
        _solve,
        SMOOTH,
        tuple(
            on(types, f"a + 5 * eye({side}), b")
            for types, side in (
                (("[3, 3]", "[3]"), 3),
                (("[3, 3]", "[3, 2]"), 3),
                (("[2, 3, 3]", "[2, 3, 2]"), 3),
                (("[2, 3, 3]", "[3]"), 3),
                (("[2, 3, 3]", "[3, 1]"), 3),
                (("[N, N]", "[N, 2]"), "N"),
            )
        ),
    ),
    "triangular_solve": Entry(
        lambda a, b, part=np.tril: np.linalg.solve(part(_shifted(a)), b),
        SMOOTH,
        (
            on(("[3, 3]", "[3]"), "a + 5 * eye(3), b"),
            on(("[3, 3]", "[3, 2]"), "a + 5 * eye(3), b"),
            on(("[2, 3, 3]", "[2, 3, 1]"), "a + 5 * eye(3), b, lower=false", part=np.triu),
            on(("[N, N]", "[N, 2]"), "a + 5 * eye(N), b"),
        ),
    ),
    "cholesky": Entry(
        lambda x: np.linalg.cholesky(_positive(x)),
        SMOOTH,
        (
            on("[3, 3]", "a @ a.T + 3 * eye(3)"),
            on("[1, 1]", "a @ a.T + 3 * eye(1)"),
            on("[2, 3, 3]", "a @ swapaxes(a, -1, -2) + 3 * eye(3)"),
            on("[N, N]", "a @ a.T + 3 * eye(N)"),
        ),
        analytic=lambda x: _factor(_positive(x)),
    ),
    "eigvalsh": Entry(lambda x: np.linalg.eigvalsh(_symmetric(x)), SMOOTH, SQUARES, analytic=False),
    "eigh": Entry(
        lambda x: np.linalg.eigh(_symmetric(x)),
        SMOOTH,
        SQUARES,
        analytic=False,
        results=lambda keywords: 2,
    ),
    "svdvals": Entry(_of_each(np.linalg.svdvals), SMOOTH, TALL_AND_WIDE, analytic=False),
    "svd": Entry(
        _of_each(_thin), SMOOTH, TALL_AND_WIDE, analytic=False, results=lambda keywords: 3
    ),
    "qr": Entry(
        _of_each(np.linalg.qr),
        SMOOTH,
        TALL_AND_WIDE,
        analytic=False,
        results=lambda keywords: 2,
    ),
    "pinv": Entry(_of_each(np.linalg.pinv), SMOOTH, TALL_AND_WIDE, analytic=_of_each(_pinv)),
    "lstsq": Entry(
        lambda a, b: np.linalg.pinv(a) @ b,
        SMOOTH,
        tuple(
            on(types, "a, b")
            for types in (
                ("[4, 2]", "[4]"),
                ("[4, 2]", "[4, 3]"),
                ("[2, 4]", "[2]"),
                ("[2, 4, 2]", "[4]"),
                ("[2, 4, 2]", "[2, 4, 3]"),
                ("[N, 3, 2]", "[3, 1]"),
            )
        ),
        analytic=lambda a, b: _pinv(a) @ b,
    ),
    "expm": Entry(
        _of_each(scipy.linalg.expm),
        SMOOTH,
        tuple(on(type) for type in ("[3, 3]", "[1, 1]", "[2, 2, 2]", "[0, 2, 2]", "[N, 2, 2]")),
    ),
    "matrix_power": Entry(
        lambda x, n: np.linalg.matrix_power(_shifted(x), n),
        (-1, 1),
        (
            *(on("[2, 2]", f"a + 5 * eye(2), {n}", n=n) for n in (-2, 0, 1, 3)),
            on("[N, 2, 2]", "a + 5 * eye(2), 2", n=2),
        ),
    ),
}
