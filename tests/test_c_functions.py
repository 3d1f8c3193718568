"""The functions that texts in C call, compiled once and called: values, hard points, matrices."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special

from graphc.build.compilers import find_compiler, run, shared_options
from graphc.targets.c.printing.elements import OWN
from graphc.targets.c.runtime.library import FUNCTIONS, HEADERS, write_functions
from graphc.targets.numpy.runtime import matrices

TYPES = {"float64": "double", "float32": "float"}
UNARY = tuple(
    name
    for name in sorted(OWN)
    if re.search(
        rf"\bdouble gc_{name}\(double \w+\) {{", write_functions([f"gc_{name}"], "float64")
    )
)
"""Those of one number, by how they are written."""
BINARY = (
    "logaddexp", "maximum", "minimum", "heaviside", "remainder", "floor_divide",
)  # fmt: skip
INTEGER = ("maximum", "minimum", "floor_divide", "remainder", "power")

EACH = """
void each_{name}(ptrdiff_t n, const {type} *x, {type} *y) {{
    for (ptrdiff_t i = 0; i < n; i++) y[i] = gc_{name}(x[i]);
}}
"""
PAIRS = """
void each_{name}(ptrdiff_t n, const {type} *x, const {type} *y, {type} *z) {{
    for (ptrdiff_t i = 0; i < n; i++) z[i] = gc_{name}(x[i], y[i]);
}}
"""
OF_ORDER = ("bessel_j", "bessel_i", "bessel_ie", "bessel_k")
ORDERED = """
void each_{name}(ptrdiff_t n, const {type} *x, int64_t order, {type} *y) {{
    for (ptrdiff_t i = 0; i < n; i++) y[i] = gc_{name}(x[i], order);
}}
"""
ALL = """
void each_polygamma(ptrdiff_t n, const real *x, int order, real *y) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = gc_polygamma(x[i], order);
}
void each_clip(ptrdiff_t n, const real *x, real low, real high, real *y) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = gc_clip(x[i], low, high);
}
int call_cholesky(ptrdiff_t n, const real *x, real *y) { return gc_cholesky(n, x, y); }
int call_solve(ptrdiff_t n, ptrdiff_t m, const real *a, const real *b, real *y, real *work) {
    return gc_solve(n, m, a, b, y, work);
}
int call_inv(ptrdiff_t n, const real *x, real *y, real *work) { return gc_inv(n, x, y, work); }
void call_det(ptrdiff_t n, const real *x, real *y, real *work) { *y = gc_det(n, x, work); }
void call_logdet(ptrdiff_t n, const real *x, real *y, real *work) { *y = gc_logdet(n, x, work); }
void call_cofactors(ptrdiff_t n, const real *x, real *y, real *work) {
    gc_cofactors(n, x, y, work);
}
void call_minors(ptrdiff_t n, const real *x, const real *along, real *y, real *work) {
    gc_minors(n, x, along, y, work);
}
void call_argsort(ptrdiff_t n, const real *x, ptrdiff_t step, int64_t *order, int64_t *work) {
    gc_argsort(n, x, step, order, step, work);
}
void call_argsort_int(ptrdiff_t n, const int64_t *x, int64_t *order, int64_t *work) {
    gc_argsort_int(n, x, 1, order, 1, work);
}
void call_matmul(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const real *a, ptrdiff_t a_row,
                 ptrdiff_t a_column, const real *b, ptrdiff_t b_row, ptrdiff_t b_column, real *c,
                 ptrdiff_t c_row) {
    gc_matmul(m, n, k, a, a_row, a_column, b, b_row, b_column, c, c_row);
}
"""
INTEGERS = "".join(
    f"void each_{name}_int(ptrdiff_t n, const int64_t *x, const int64_t *y, int64_t *z) {{\n"
    f"    for (ptrdiff_t i = 0; i < n; i++) z[i] = gc_{name}_int(x[i], y[i]);\n}}\n"
    for name in INTEGER
)

Library = Callable[..., Any]
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, at hard points


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ctypes.CDLL]:
    """All functions, as warning-free C99, in both types."""
    folder = tmp_path_factory.mktemp("functions")
    compiler = find_compiler(os.environ)
    jobs = []
    for dtype, name in TYPES.items():
        wrapped = "".join(EACH.format(name=one, type=name) for one in UNARY)
        wrapped += "".join(PAIRS.format(name=one, type=name) for one in BINARY)
        wrapped += "".join(ORDERED.format(name=one, type=name) for one in OF_ORDER)
        wrapped += INTEGERS + ALL.replace("real ", f"{name} ")
        includes = "".join(f"#include <{header}>\n" for header in HEADERS)
        text = f"{includes}\n{write_functions(FUNCTIONS, dtype)}\n{wrapped}"
        (folder / f"{dtype}.c").write_text(text, encoding="ascii")
        strict = ["-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
        fast = [] if compiler.family == "msvc" else ["-O1"]  # to compile
        strict = [] if compiler.family == "msvc" else [*strict, "-Wno-unused-function"]
        jobs.append([*strict, *shared_options(compiler, [f"{dtype}.c"], f"{dtype}.so"), *fast])
    run(compiler, jobs, folder)
    return {dtype: ctypes.CDLL(str(Path(folder, f"{dtype}.so"))) for dtype in TYPES}


@pytest.fixture(params=TYPES)
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def call(libraries: dict[str, ctypes.CDLL], dtype: str) -> Library:
    """A function of the library: integers are sizes, floats numbers, arrays their addresses."""

    def called(name: str, *given: Any) -> int:
        kept = [
            ctypes.c_void_p(one.ctypes.data)
            if isinstance(one, np.ndarray)
            else ctypes.c_ssize_t(one)
            if isinstance(one, int)
            else one
            for one in given
        ]
        return int(getattr(libraries[dtype], name)(*kept))

    return called


def each(call: Library, name: str, *arrays: np.ndarray) -> np.ndarray:
    found = np.empty_like(arrays[0])
    call(f"each_{name}", arrays[0].size, *arrays, found)
    return found


def points(name: str, dtype: str, count: int) -> np.ndarray:
    """Numbers over the whole range that a function has values in, dense where it is hard."""
    rng = np.random.default_rng(7)
    sign = rng.choice([-1, 1], count)
    far = {"float64": 709.0, "float32": 87.0}[dtype]
    x = np.concatenate([
        rng.normal(size=count), rng.uniform(-25, 25, count), rng.uniform(-far, far, count),
        sign * 10 ** rng.uniform(-30, 0, count),
    ])  # fmt: skip
    if name in ("log", "log1p"):
        x = np.concatenate([x, 1 + 1e-3 * x, 10 ** rng.uniform(-36, 36, count)])
        x = np.abs(x) if name == "log" else x[x > -1]
    if name in ("sin", "cos"):
        x = np.concatenate([x, np.arange(-count, count) * (np.pi / 2), 1e6 * x / far])
    if name in ("ndtr", "hazard", "hazard_excess"):
        x = x[x > {"float64": -37, "float32": -12}[dtype]]
    if name == "log_ndtr":
        x = x[x < {"float64": 37, "float32": 12}[dtype]]
    if name in ("ndtri", "erfinv", "erfcinv"):
        x = np.concatenate([rng.uniform(0, 1, 2 * count), 10 ** rng.uniform(-30, -1, count)])
        x = x * {"ndtri": 1, "erfinv": sign[0], "erfcinv": 2}[name]
        x = x[np.abs(x) < 2 - (name != "erfcinv")]
    if name == "erfc":
        x = x[x < {"float64": 26, "float32": 9}[dtype]]
    return x.astype(dtype)


def _density(x: Any) -> Any:
    return mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi)


def _below(x: Any) -> Any:
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


EXACT: dict[str, Callable[[Any], Any]] = {
    "ndtr": _below,
    "log_ndtr": lambda x: mpmath.log(_below(x)) if x < 0 else mpmath.log1p(-_below(-x)),
    "hazard": lambda x: _density(x) / _below(x),
    "hazard_excess": lambda x: x + _density(x) / _below(x),
    "ndtri": lambda p: mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1),
    "erfinv": mpmath.erfinv,
    "erfcinv": lambda x: mpmath.erfinv(1 - x),
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
}
ULPS = {
    "exp": 1, "expm1": 2, "log": 1, "log1p": 1, "tanh": 2, "sigmoid": 2, "softplus": 2, "sin": 1.5,
    "cos": 1.5, "erf": 4, "erfc": 4, "ndtr": 4, "log_ndtr": 5, "hazard": 4, "hazard_excess": 20,
    "ndtri": 6, "erfinv": 6, "erfcinv": 6,
}  # fmt: skip
"""The largest errors, in units of the last place: what docs/c.md states."""


def test_every_function_of_one_number_is_compared() -> None:
    """With what is exact; the gamma functions, which have zeros, and two without an error apart."""
    assert EXACT.keys() == ULPS.keys()
    assert {*UNARY} - EXACT.keys() == {"lgamma", "digamma", "sign", "square"}


@pytest.mark.parametrize("name", EXACT)
def test_error_in_units_of_the_last_place(call: Library, name: str, dtype: str) -> None:
    x = points(name, dtype, 120)
    found = each(call, name, x)
    with mpmath.workprec(160):
        exact = [EXACT[name](mpmath.mpf(float(one))) for one in x]
        unit = np.spacing(np.abs(np.array([float(one) for one in exact])).astype(dtype))
        errors = [
            float(abs(mpmath.mpf(float(one)) - right) / mpmath.mpf(float(last)))
            for one, right, last in zip(found, exact, unit, strict=True)
        ]
    worst = int(np.argmax(errors))
    assert errors[worst] <= ULPS[name], (x[worst], found[worst])


@pytest.mark.parametrize("name", OF_ORDER)
def test_bessel_functions(call: Library, name: str, dtype: str) -> None:
    """Relative to the size of the function; of J, which swings, to that of its swing. SciPy's own
    error of order 12 is half of what is allowed."""
    x = np.random.default_rng(3).uniform(0.01, 60, 400).astype(dtype)
    x[:100] = x[:100] / 10
    exact = {"bessel_j": scipy.special.jv, "bessel_i": scipy.special.iv,
             "bessel_ie": scipy.special.ive, "bessel_k": scipy.special.kv}[name]  # fmt: skip
    for order in (0, 1, 2, 5, 12):
        found = np.empty_like(x)
        call(f"each_{name}", x.size, x, order, found)
        right = exact(order, x.astype(np.float64))
        swing = np.sqrt(2 / (np.pi * x)) if name == "bessel_j" else 0
        scale = np.maximum(np.abs(right), np.where(x > order, swing, 0))
        normal = (scale > np.finfo(dtype).tiny) & (scale < np.finfo(dtype).max)
        errors = (np.abs(found - right) / scale)[normal]
        assert np.max(errors) <= 48 * np.finfo(dtype).eps, (order, x[normal][np.argmax(errors)])


def test_special_functions_at_hard_points(call: Library, dtype: str) -> None:
    """As SciPy's: at nan, infinities, the ends of their domains, and beyond."""
    x = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, np.nan, np.inf, -np.inf], dtype)
    exact = {"ndtr": scipy.special.ndtr, "log_ndtr": scipy.special.log_ndtr,
             "ndtri": scipy.special.ndtri, "erfinv": scipy.special.erfinv,
             "erfcinv": scipy.special.erfcinv}  # fmt: skip
    for name, right in exact.items():
        np.testing.assert_allclose(each(call, name, x), right(x), rtol=2e-6, err_msg=name)
    for name, right in (("j", "jv"), ("i", "iv"), ("ie", "ive"), ("k", "kv")):
        for order in (0, 1, 2, 3):
            found = np.empty_like(x)
            call(f"each_bessel_{name}", x.size, x, order, found)
            expected = getattr(scipy.special, right)(order, x.astype(float))
            finite = np.isfinite(x) | np.isnan(x)
            np.testing.assert_allclose(found[finite], expected[finite], rtol=2e-5, atol=1e-6,
                                       err_msg=f"{name} {order}")  # fmt: skip


HARD = (
    0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, -1e-40, 1.0, -1.0, 1000.0, -1000.0, 88.75, -103.5,
    709.9, -745.2, 1e22, -1e22, 3e38,
)  # fmt: skip
NUMPY: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": lambda x: np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x))),
    "softplus": lambda x: np.logaddexp(x, 0),
    "sin": np.sin,
    "cos": np.cos,
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "lgamma": scipy.special.gammaln,
    "sign": np.sign,
    "square": np.square,
}


@pytest.mark.parametrize("name", NUMPY)
def test_hard_points(call: Library, name: str, dtype: str) -> None:
    """nan, infinities, zeros with their signs, denormals, overflow."""
    x = np.array(HARD, dtype)
    x = np.concatenate([x, np.array([np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max])])
    if name == "lgamma":  # where SciPy's is right
        x = x[np.isfinite(x) & (np.abs(x) != np.finfo(dtype).smallest_subnormal)]
    found, right = each(call, name, x.astype(dtype)), NUMPY[name](x.astype(dtype))
    np.testing.assert_allclose(found, right, rtol=8 * np.finfo(dtype).eps, atol=0)
    known = ~np.isnan(right)
    np.testing.assert_array_equal(np.signbit(found)[known], np.signbit(right)[known])


@pytest.mark.parametrize("name", BINARY)
def test_pairs_at_hard_points(call: Library, name: str, dtype: str) -> None:
    values = np.array([*HARD, 0.1, 0.3, 2.5, -2.5, 7.0, -7.0, 6.0, 3.0], dtype)
    x, y = (np.ascontiguousarray(one).ravel() for one in np.meshgrid(values, values))
    found, right = each(call, name, x, y), getattr(np, name)(x, y)
    np.testing.assert_allclose(found, right, rtol=4 * np.finfo(dtype).eps, atol=0)
    if name in ("remainder", "floor_divide"):
        known = ~np.isnan(right)
        np.testing.assert_array_equal(np.signbit(found)[known], np.signbit(right)[known])


@pytest.mark.parametrize("name", INTEGER)
def test_integers(call: Library, name: str) -> None:
    least = np.iinfo(np.int64).min
    values = np.array([0, 1, -1, 2, -2, 3, -3, 7, -7, 10, least, -least - 1])
    powers = values[(values >= 0) & (values < 64)]
    others = powers if name == "power" else values
    x, y = (np.ascontiguousarray(one).ravel() for one in np.meshgrid(values, others))
    np.testing.assert_array_equal(each(call, f"{name}_int", x, y), getattr(np, name)(x, y))


def test_clip(call: Library, dtype: str) -> None:
    x, found = np.array(HARD, dtype), np.empty(len(HARD), dtype)
    real = ctypes.c_double if dtype == "float64" else ctypes.c_float
    call("each_clip", x.size, x, real(-2.5), real(3.0), found)
    np.testing.assert_array_equal(found, np.clip(x, -2.5, 3.0))


@pytest.mark.parametrize("name", ["lgamma", "digamma"])
def test_gamma_functions(call: Library, name: str, dtype: str) -> None:
    """As accurate as those of the NumPy module, relative to 1 near their zeros."""
    rng = np.random.default_rng(3)
    x = np.concatenate(
        [rng.uniform(0.01, 30, 400), rng.uniform(-4.9, 0, 100), 10 ** rng.uniform(1, 9, 50)]
    )
    x = x[(np.abs(x - np.rint(x)) > 0.01) | (x > 0)].astype(dtype)
    right = {"lgamma": scipy.special.gammaln, "digamma": scipy.special.digamma}[name]
    exact = right(x.astype(np.float64))
    error = np.abs(each(call, name, x) - exact) / np.maximum(1, np.abs(exact))
    slope = np.maximum(1, np.abs(x * scipy.special.polygamma(1, x.astype(np.float64))))
    assert np.max(error / slope) < 24 * np.finfo(dtype).eps


def test_gamma_functions_at_poles_and_infinities(call: Library, dtype: str) -> None:
    x = np.array([0.0, -1.0, -2.0, np.inf, np.nan], dtype)
    np.testing.assert_array_equal(each(call, "lgamma", x), [np.inf, np.inf, np.inf, np.inf, np.nan])
    poles = np.array([0.0, -0.0, -1.0, -2.0], dtype)
    np.testing.assert_array_equal(each(call, "digamma", poles), np.full(4, -np.inf))
    for order in (1, 2, 3, 6):
        found = np.empty_like(poles)
        call("each_polygamma", poles.size, poles, ctypes.c_int(order), found)
        np.testing.assert_array_equal(found, np.full(4, np.inf if order % 2 else -np.inf))
    assert np.isnan(each(call, "digamma", np.array([np.nan], dtype))[0])


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_polygamma(call: Library, order: int, dtype: str) -> None:
    x = np.array([0.1, 0.5, 1.0, 2.5, 9.0, 40.0, -0.5, -1.3, -2.75], dtype)
    found = np.empty_like(x)
    call("each_polygamma", x.size, x, ctypes.c_int(order), found)
    with mpmath.workprec(120):
        right = [float(mpmath.polygamma(order, mpmath.mpf(float(one)))) for one in x]
    np.testing.assert_allclose(found, right, rtol=1e4 * np.finfo(dtype).eps)


# ---- matrices ------------------------------------------------------------------------------------


def matrix(n: int, dtype: str, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, n)).astype(dtype)


def tolerance(dtype: str) -> dict[str, float]:
    return {"rtol": 2e-11, "atol": 1e-11} if dtype == "float64" else {"rtol": 5e-3, "atol": 5e-4}


@pytest.mark.parametrize("n", [0, 1, 2, 5, 17])
def test_systems_and_determinants(call: Library, n: int, dtype: str) -> None:
    a, b = matrix(n, dtype), matrix(n, dtype, 1)[:, : max(n - 1, 0)].copy()
    y, inverse, work, one = (np.empty_like(m) for m in (b, a, a, np.zeros(1, dtype)))
    assert call("call_solve", n, b.shape[1], a, b, y, work) == 0
    np.testing.assert_allclose(y, np.linalg.solve(a, b), **tolerance(dtype))
    assert call("call_inv", n, a, inverse, work) == 0
    np.testing.assert_allclose(inverse, np.linalg.inv(a), **tolerance(dtype))
    call("call_det", n, a, one, work)
    np.testing.assert_allclose(one[0], np.linalg.det(a), **tolerance(dtype))
    call("call_logdet", n, a, one, work)
    np.testing.assert_allclose(one[0], np.linalg.slogdet(a)[1], **tolerance(dtype))


def test_pivots_are_chosen(call: Library, dtype: str) -> None:
    a = np.array([[0, 1, 0], [0, 0, 2], [3, 0, 0]], dtype)
    y, work, one = np.empty_like(a), np.empty_like(a), np.empty(1, dtype)
    assert call("call_inv", 3, a, y, work) == 0
    np.testing.assert_allclose(y, np.linalg.inv(a))
    call("call_det", 3, a, one, work)
    assert one[0] == 6


def test_what_fails_is_told(call: Library, dtype: str) -> None:
    """Statuses 4 and 5; of what is nan the values are, as in LAPACK."""
    a = np.array([[1, 2], [2, 4]], dtype)
    y, work, one = np.empty_like(a), np.empty_like(a), np.empty(1, dtype)
    assert call("call_inv", 2, a, y, work) == 5
    assert call("call_solve", 2, 2, a, a, y, work) == 5
    call("call_det", 2, a, one, work)
    assert one[0] == 0
    call("call_logdet", 2, a, one, work)
    assert one[0] == -np.inf
    assert call("call_cholesky", 2, np.array([[1, 2], [2, 1]], dtype), y) == 4
    nan = np.full((2, 2), np.nan, dtype)
    assert call("call_cholesky", 2, nan, y) == 0
    assert np.isnan(y[np.tril_indices(2)]).all()
    assert call("call_inv", 2, nan, y, work) == 0
    assert np.isnan(y).all()


@pytest.mark.parametrize("n", [0, 1, 3, 12])
def test_cholesky(call: Library, n: int, dtype: str) -> None:
    a = matrix(n, dtype)
    x = a @ a.T + n * np.eye(n, dtype=dtype)
    x = np.tril(x) + np.triu(np.full_like(x, 7), 1)  # of which the lower triangle is read
    y = np.empty_like(x)
    assert call("call_cholesky", n, x, y) == 0
    np.testing.assert_allclose(y, np.linalg.cholesky(x), **tolerance(dtype))


def of_rank(n: int, rank: int, dtype: str) -> np.ndarray:
    left, right = matrix(n, "float64"), matrix(n, "float64", 1)
    return (left[:, :rank] @ right[:rank]).astype(dtype)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("lacking", [0, 1, 2, 3])
def test_cofactors_of_every_rank(call: Library, n: int, lacking: int, dtype: str) -> None:
    """By Laplace: minors of order n - 1, and their derivative along a matrix by minors of n - 2."""
    if lacking > n:
        return
    x, along = of_rank(n, n - lacking, dtype), matrix(n, dtype, 5)
    y, moved = np.empty_like(x), np.empty_like(x)
    call("call_cofactors", n, x, y, np.empty(n * n + 2 * n, dtype))
    exact = x.astype(np.float64)
    close = {"rtol": 1e-9, "atol": 1e-11} if dtype == "float64" else {"rtol": 1e-3, "atol": 1e-3}
    np.testing.assert_allclose(y, minors(exact), **close)
    call("call_minors", n, x, along, moved, np.empty(2 * n * n + 2 * n, dtype))
    whole = along.astype(np.float64)
    right = np.zeros((n, n))
    for i, j in np.ndindex(n, n):  # cofactors are linear in each row
        for row in (r for r in range(n) if r != i):
            one = exact.copy()
            one[row] = whole[row]
            right[i, j] += minor(one, i, j)
    np.testing.assert_allclose(moved, right, **close)


def minor(x: np.ndarray, i: int, j: int) -> float:
    rest = np.delete(np.delete(x, i, 0), j, 1)
    return float((-1) ** (i + j) * np.linalg.det(rest)) if rest.size else 1.0


def minors(x: np.ndarray) -> np.ndarray:
    return np.array([[minor(x, i, j) for j in range(len(x))] for i in range(len(x))])


def test_cofactors_of_what_is_not_finite(call: Library, dtype: str) -> None:
    x = np.array([[1, np.inf], [2, 3]], dtype)
    y = np.empty_like(x)
    call("call_cofactors", 2, x, y, np.empty(8, dtype))
    np.testing.assert_array_equal(y, np.full((2, 2), np.nan, dtype))
    np.testing.assert_array_equal(y, matrices._cofactors(x))


SIZES = [(1, 1, 1), (4, 12, 128), (5, 13, 129), (33, 25, 300), (1, 40, 9), (40, 1, 9), (3, 4, 0),
         (0, 3, 2), (3, 0, 2), (7, 2, 1)]  # fmt: skip


@pytest.mark.parametrize(("m", "n", "k"), SIZES)
@pytest.mark.parametrize("turned", ["", "a", "b", "ab"])
def test_products(call: Library, m: int, n: int, k: int, turned: str, dtype: str) -> None:
    """Of rows and columns at any distance, into rows of a larger matrix, which keeps the rest."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(m, k + 2)).astype(dtype)[:, :k]
    b = rng.normal(size=(k, 2 * n)).astype(dtype)[:, ::2]
    a = np.asfortranarray(a) if "a" in turned else a
    b = np.asfortranarray(b) if "b" in turned else b
    c = np.full((m, n + 3), 7, dtype)
    size = a.itemsize
    steps = [one // size for one in (*a.strides, *b.strides)]
    call("call_matmul", m, n, k, a, *steps[:2], b, *steps[2:], c, n + 3)
    right = a.astype(np.float64) @ b.astype(np.float64)
    np.testing.assert_allclose(c[:, :n], right, **tolerance(dtype))
    np.testing.assert_array_equal(c[:, n:], 7)


def test_products_with_infinities_beside_them(call: Library, dtype: str) -> None:
    """What fills a tile is no part of the result."""
    a, b = np.full((5, 3), np.inf, dtype), np.ones((3, 2), dtype)
    c = np.empty((5, 2), dtype)
    call("call_matmul", 5, 2, 3, a, 3, 1, b, 2, 1, c, 2)
    assert (c == np.inf).all()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 8, 37, 100])
def test_sorting_is_stable(call: Library, n: int, dtype: str) -> None:
    """Equal ones as they stand, 0 and -0 among them; nan last; elements at a distance."""
    rng = np.random.default_rng(n)
    x = rng.integers(-5, 5, 3 * n).astype(dtype) / 2
    x[::4], x[1::9] = -0.0, np.nan
    order, work = np.full(3 * n, -7), np.empty(2 * n, np.int64)
    call("call_argsort", n, x, 3, order, work)
    np.testing.assert_array_equal(order[::3], np.argsort(x[::3], kind="stable"))
    np.testing.assert_array_equal(order[1::3], -7)
    whole = rng.integers(-5, 5, n)
    order = np.empty(n, np.int64)
    call("call_argsort_int", n, whole, order, work)
    np.testing.assert_array_equal(order, np.argsort(whole, kind="stable"))


# ---- the text ------------------------------------------------------------------------------------


def test_only_what_is_needed_is_written() -> None:
    text = write_functions(["gc_tanh"], "float64")
    names = [
        line.split("(")[0].split()[-1] for line in text.splitlines() if line.startswith("static")
    ]
    assert names == ["gc_bits", "gc_number", "gc_choose", "gc_exp_rest", "gc_expm1", "gc_tanh"]
    assert "log" not in text


@pytest.mark.parametrize("dtype", TYPES)
def test_every_function_is_written_in_both_types(dtype: str) -> None:
    """Without a word of the pattern left, and float without a literal of double."""
    for name in sorted(FUNCTIONS):
        text = write_functions([name], dtype)
        assert name in text
        code = "\n".join(line for line in text.split("*/") for line in line.split("/*")[:1])
        assert not {"real", "R(", "M("} & set(code.replace("(", "( ").split()), name
