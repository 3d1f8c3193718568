"""Decompositions and incomplete functions in C, against what defines them and against SciPy."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.special
from c_functions import compare, compiled
from calling import PLAIN

from graphc.build.compilers import find_compiler, run, shared_options
from graphc.compile.stages import Options
from graphc.targets.c.contract import FINITE
from graphc.targets.c.runtime.library import HEADERS, write_functions

TYPES = {"float64": "double", "float32": "float"}
OF_MATRICES = {
    "eigvalsh": "ptrdiff_t n, const real *x, real *w, real *work",
    "eigenvectors": "ptrdiff_t n, const real *x, real *y, real *work",
    "inverse_gaps": "ptrdiff_t n, int strict, const real *w, real *y",
    "svdvals": "ptrdiff_t m, ptrdiff_t n, const real *x, real *s, real *work",
    "singular_vectors": "ptrdiff_t m, ptrdiff_t n, const real *x, real *y, real *work",
    "pinv": "ptrdiff_t m, ptrdiff_t n, const real *x, real *y, real *work",
    "orthonormal": "ptrdiff_t m, ptrdiff_t n, const real *x, real *y, real *work",
    "expm": "ptrdiff_t n, const real *x, real *y, real *work",
    "moved_expm": "ptrdiff_t n, const real *x, const real *e, real *y, real *work",
}
STATUSES = ("svdvals", "singular_vectors", "pinv", "expm", "moved_expm")
OF_NUMBERS = {
    "gammainc": "a, x", "gammaincc": "a, x", "gamma_density": "a, x", "betainc": "a, b, x",
    "beta_density": "a, b, x",
}  # fmt: skip
Call = Callable[..., Any]


def callable_of(name: str, parameters: str) -> str:
    names = ", ".join(one.split()[-1].lstrip("*") for one in parameters.split(","))
    kind, said = ("int", "return ") if name in STATUSES else ("void", "")
    return f"{kind} call_{name}({parameters}) {{ {said}gc_{name}({names}); }}\n"


def each_of(name: str, arguments: str) -> str:
    names = arguments.split(", ")
    taken = ", ".join(f"const real *{one}" for one in names)
    read = ", ".join(f"{one}[i]" for one in names)
    return (
        f"void call_{name}(ptrdiff_t n, {taken}, real *y) {{\n"
        f"    for (ptrdiff_t i = 0; i < n; i++) y[i] = gc_{name}({read});\n}}\n"
    )


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ctypes.CDLL]:
    folder = tmp_path_factory.mktemp("decompositions")
    compiler = find_compiler(os.environ)
    jobs = []
    for dtype, name in TYPES.items():
        wrapped = "".join(callable_of(*one) for one in OF_MATRICES.items())
        wrapped += "".join(each_of(*one) for one in OF_NUMBERS.items())
        includes = "".join(f"#include <{header}>\n" for header in HEADERS)
        body = write_functions([f"gc_{one}" for one in (*OF_MATRICES, *OF_NUMBERS)], dtype)
        text = f"{includes}\n{body}\n{wrapped.replace('real ', f'{name} ')}"
        (folder / f"{dtype}.c").write_text(text, encoding="ascii")
        fast = [] if compiler.family == "msvc" else ["-O1"]  # to compile
        jobs.append([*shared_options(compiler, [f"{dtype}.c"], f"{dtype}.so"), *fast])
    run(compiler, jobs, folder)
    return {dtype: ctypes.CDLL(str(Path(folder, f"{dtype}.so"))) for dtype in TYPES}


@pytest.fixture(params=TYPES)
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def call(libraries: dict[str, ctypes.CDLL], dtype: str) -> Call:
    """A function of the library, with room for what it computes in; its status."""

    def called(name: str, *given: Any) -> int:
        work = np.zeros(36 * max(max(np.size(one) for one in given), 1) + 64, dtype)
        kept = [
            ctypes.c_void_p(one.ctypes.data)
            if isinstance(one, np.ndarray)
            else ctypes.c_ssize_t(one)
            for one in (*given, work)
        ]
        return int(getattr(libraries[dtype], f"call_{name}")(*kept))

    return called


def rounding(dtype: str) -> float:
    return float(np.finfo(dtype).eps)


def drawn(dtype: str, *shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape).astype(dtype)


def symmetric(kind: str, dtype: str) -> np.ndarray:
    x = drawn(dtype, 12, 12)
    if kind == "generic":
        return x + x.T
    if kind == "equal values":  # as of a projection
        q = np.linalg.qr(x.astype(float))[0][:, :5]
        return (q @ q.T).astype(dtype)
    if kind == "far apart":
        size = 10.0 ** -np.arange(12)
        return ((x + x.T) * np.outer(size, size)).astype(dtype)
    return {
        "nothing": np.zeros((3, 3)), "diagonal": np.diag([3.0, -1, 0, 2]),
        "one": np.array([[-2.0]]), "turned": np.array([[0.0, 1], [1, 0]]), "none": np.empty((0, 0)),
    }[kind].astype(dtype)  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    ["generic", "equal values", "far apart", "nothing", "diagonal", "one", "turned", "none"],
)
def test_eigenvalues_and_vectors(call: Call, dtype: str, kind: str) -> None:
    """In order; the vectors are orthonormal and give the matrix back."""
    x = symmetric(kind, dtype)
    n = len(x)
    w, v = np.empty(n, dtype), np.empty((n, n), dtype)
    call("eigvalsh", n, x, w)
    call("eigenvectors", n, x, v)
    w, v, x = w.astype(float), v.astype(float), x.astype(float)
    bound = 40 * rounding(dtype)
    scale = np.max(np.abs(x), initial=0)
    assert np.all(np.diff(w) >= 0)
    np.testing.assert_allclose(v.T @ v, np.eye(n), rtol=0, atol=bound)
    np.testing.assert_allclose((v * w) @ v.T, x, rtol=0, atol=bound * scale)


def oblong(kind: str, dtype: str) -> np.ndarray:
    generic = drawn(dtype, 11, 6)
    flat = generic.copy()
    flat[:, 3:] = flat[:, :3]
    holes = generic.copy()
    holes[:, [1, 4]] = 0
    return {
        "tall": generic, "wide": generic.T.copy(), "square": generic[:6].copy(),
        "of rank 3": flat, "with columns of zeros": holes,
        "wide with rows of zeros": holes.T.copy(),
        "nothing": np.zeros_like(generic[:4]), "huge": generic * (np.finfo(dtype).max / 8),
        "tiny": generic * (np.finfo(dtype).tiny * 8), "a row": generic[:1].copy(),
        "none": generic[:, :0].copy(),
    }[kind].astype(dtype)  # fmt: skip


OBLONG = [
    "tall", "wide", "square", "of rank 3", "with columns of zeros", "wide with rows of zeros",
    "nothing", "huge", "tiny", "a row", "none",
]  # fmt: skip


@pytest.mark.parametrize("kind", OBLONG)
def test_singular_values_and_vectors(call: Call, dtype: str, kind: str) -> None:
    x = oblong(kind, dtype)
    m, n = x.shape
    k = min(m, n)
    s, y = np.empty(k, dtype), np.empty((m + n, k), dtype)
    assert call("svdvals", m, n, x, s) == 0
    assert call("singular_vectors", m, n, x, y) == 0
    scale = max(float(np.max(np.abs(x), initial=0)), float(np.finfo(dtype).tiny))
    s, y, x = s.astype(float) / scale, y.astype(float), x.astype(float) / scale
    bound = 40 * rounding(dtype)
    assert np.all(np.diff(s) <= 0)
    assert np.all(s >= 0)
    for one in (y[:m], y[m:]):
        np.testing.assert_allclose(one.T @ one, np.eye(k), rtol=0, atol=bound)
    np.testing.assert_allclose((y[:m] * s) @ y[m:].T, x, rtol=0, atol=bound)
    np.testing.assert_allclose(s, np.linalg.svd(x, compute_uv=False), rtol=0, atol=bound)


@pytest.mark.parametrize("kind", [kind for kind in OBLONG if kind not in ("huge", "tiny")])
def test_the_pseudo_inverse_has_penroses_four_properties(call: Call, dtype: str, kind: str) -> None:
    x = oblong(kind, dtype)
    m, n = x.shape
    y = np.empty((n, m), dtype)
    assert call("pinv", m, n, x, y) == 0
    x, y = x.astype(float), y.astype(float)
    size = [np.max(np.abs(one), initial=0) for one in (x, y)]
    bound = 20 * rounding(dtype) * max(1, size[0] * size[1])
    for found, right in ((x @ y @ x, x), (y @ x @ y, y), ((x @ y).T, x @ y), ((y @ x).T, y @ x)):
        scale = max(1, float(np.max(np.abs(right), initial=0)))
        np.testing.assert_allclose(found, right, rtol=0, atol=bound * scale)


@pytest.mark.parametrize("kind", ["tall", "square", "with columns of zeros", "nothing", "none"])
def test_orthonormal_columns_are_those_of_lapack(call: Call, dtype: str, kind: str) -> None:
    """With its signs, since these reach what is computed of q and of r."""
    x = oblong(kind, dtype)
    x = x[:, :4].copy() if kind == "nothing" else x
    m, n = x.shape
    y = np.empty((m, n), dtype)
    call("orthonormal", m, n, x, y)
    right = np.linalg.qr(x.astype(float))[0]
    np.testing.assert_allclose(y, right, rtol=0, atol=20 * rounding(dtype))


def test_gaps_of_equal_values_are_zero_or_nan(call: Call, dtype: str) -> None:
    w = np.array([1, 3, 3 + 3 * rounding(dtype), 7], dtype)
    for strict in (0, 1):
        y = np.empty((4, 4), dtype)
        call("inverse_gaps", 4, strict, w, y)
        right = np.subtract.outer(w, w).T
        tied = np.abs(right) < 0.1
        np.testing.assert_allclose(y[~tied], 1 / right[~tied], rtol=4 * rounding(dtype))
        assert np.all(np.diagonal(y) == 0)
        beside = y[tied & ~np.eye(4, dtype=bool)]
        assert np.all(np.isnan(beside) if strict else beside == 0)


@pytest.mark.parametrize("size", [1e-8, 0.5, 3.0, 40.0])
def test_the_exponential_of_a_rotation(call: Call, dtype: str, size: float) -> None:
    """exp of [[0, -t], [t, 0]] has cosines and sines; along itself it moves by it times that."""
    x = np.array([[0, -size], [size, 0]], dtype)
    angle = float(x[1, 0])
    c, s = np.cos(angle), np.sin(angle)
    turned = np.array([[c, -s], [s, c]])
    y, moved = np.empty_like(x), np.empty_like(x)
    assert call("expm", 2, x, y) == 0
    assert call("moved_expm", 2, x, x, moved) == 0
    bound = 40 * rounding(dtype) * max(1, size)
    np.testing.assert_allclose(y, turned, rtol=0, atol=bound)
    np.testing.assert_allclose(moved, x.astype(float) @ turned, rtol=0, atol=bound * max(size, 1))


def test_exponentials_are_those_of_scipy(call: Call, dtype: str) -> None:
    x, along = drawn(dtype, 7, 7), drawn(dtype, 7, 7)[::-1].copy()
    y, moved = np.empty_like(x), np.empty_like(x)
    assert call("expm", 7, x, y) == 0
    assert call("moved_expm", 7, x, along, moved) == 0
    right = scipy.linalg.expm_frechet(x.astype(float), along.astype(float))
    for found, one in zip((y, moved), right, strict=True):
        bound = 100 * rounding(dtype) * np.max(np.abs(one))
        np.testing.assert_allclose(found, one, rtol=0, atol=bound)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_or_nan(call: Call, dtype: str, bad: float) -> None:
    x = drawn(dtype, 4, 4)
    x[1, 2] = x[2, 1] = bad
    w, y = np.empty(4, dtype), np.empty((4, 4), dtype)
    assert call("svdvals", 4, 4, x, w) == FINITE.number
    assert call("pinv", 4, 4, x, y) == FINITE.number
    call("eigvalsh", 4, x, w)
    call("eigenvectors", 4, x, y)
    assert np.all(np.isnan(w))
    assert np.all(np.isnan(y))


def test_incomplete_functions_are_those_of_scipy(call: Call, dtype: str) -> None:
    rng = np.random.default_rng(0)
    n = 300
    a, b = 10 ** rng.uniform(-2, 2.5, (2, n))
    x, y = a * 10 ** rng.uniform(-1, 1, n), rng.uniform(0, 1, n)
    x[:3], y[:3] = [0, 1, np.inf], [0, 1, 0.5]
    a[3:6] = [0, -1, np.nan]
    a, b, x, y = (one.astype(dtype) for one in (a, b, x, y))
    with np.errstate(all="ignore"):
        right = {
            "gammainc": ((a, x), scipy.special.gammainc),
            "betainc": ((a, b, y), scipy.special.betainc),
            "gammaincc": ((a, x), scipy.special.gammaincc),
        }  # fmt: skip
    for name, (given, function) in right.items():
        found = np.empty(n, dtype)
        call(name, n, *given, found)
        expected = function(*(one.astype(float) for one in given))
        expected[3:6] = np.nan
        np.testing.assert_allclose(found, expected, rtol=0, atol=60 * rounding(dtype))


@pytest.mark.parametrize(
    ("name", "given", "right"),
    [
        ("gamma_density", [(0.5, 0), (1, 0), (2, 0), (3, 1), (30, 28)],
         [np.inf, 1, 0, np.exp(-1) / 2, np.exp(29 * np.log(28) - 28 - math.lgamma(30))]),
        ("beta_density", [(0.5, 2, 0), (1, 3, 0), (2, 2, 0), (3, 0.5, 1), (7, 5, 0.25)],
         [np.inf, 3, 0, np.inf, 2310 * 0.25**6 * 0.75**4]),
    ],
)  # fmt: skip
def test_densities_are_their_formulas(
    call: Call, dtype: str, name: str, given: Any, right: list[float]
) -> None:
    """x^(a-1) e^-x / Γ(a) and x^(a-1) (1-x)^(b-1) / B(a, b); at 0 and 1 what they tend to."""
    found = np.empty(5, dtype)
    call(name, 5, *np.array(given, dtype).T.copy(), found)
    np.testing.assert_allclose(found, right, rtol=100 * rounding(dtype))


TOGETHER = """
dim B, M, N
input x: [B, N, N]
input r: [B, M, N]
input v: [M]
require M >= N
S = x @ swapaxes(x, -1, -2)
w, V = eigh(S)
output a = eigvalsh(S)
output b = V @ (w[:, :, _]**2 * swapaxes(V, -1, -2))
U, s, Vt = svd(r)
output c = (U * s[:, _, :]**2) @ Vt
q, u = qr(r)
output d = q * sum(u**2)
output e = sum(pinv(swapaxes(r, -1, -2))) * lstsq(r[0], v)
output f = expm(x) * svdvals(r)[:, :, _]
output g = gammainc(s + 1, w**2) * betainc(s, s + 2, sigmoid(w))
derive vjp a, b, c, d, e, f, g wrt x, r, v as back
"""


@pytest.mark.parametrize(
    ("level", "dtype"),
    [("-O0", "float64"), pytest.param("-O2", "float32", marks=pytest.mark.long)],
)
def test_decompositions_agree_with_derivatives(level: str, dtype: str) -> None:
    dims = [{"B": 2, "M": 6, "N": 4}, {"B": 1, "M": 1, "N": 1}, {"B": 1, "M": 4, "N": 0}]
    tolerance = 1e-12 if dtype == "float64" else 1e-3
    compare(TOGETHER, Options(level=level, dtype=dtype), dims=dims, tolerance=tolerance)


def test_what_has_no_room_to_be_computed_in_is_refused() -> None:
    """What `moved_expm` computes in has 36 n² numbers: more than the arrays that are given."""
    library = compiled(
        "dim N\ninput x: [N, N]\nderive grad y wrt x\noutput y = sum(expm(x))", PLAIN
    )
    for size, status in ((-1, 1), (3 * 10**8, 2), (2**31, 2), (2**62, 2)):
        dims = {"N": 2}
        found, made, _ = library.call("grad_y", {"x": np.eye(2)}, dims, passed={"N": size})
        assert found == status
        assert all(np.all(one == 77) for one in made.values())
