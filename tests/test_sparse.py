"""Sparse Jacobians have the entries of the dense matrix, in every mode and at every point."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import compiled, in_turn, module

from graphc.compile.stages import Options, compile_text
from graphc.sample import random_arguments
from tests.loading import loaded

pytestmark = pytest.mark.levels

STEPS = """input x: [2]
repeat r[k in 1..3] carry h = x { param p: [2]; param W: [2, 2]; next h = sin(W @ (h * p)) }
output y = h
"""
X4 = "input x: [4]\n"
TABLE = "input x: [4, 3]\n"

GRAPHS = [
    ("a family", STEPS, "y wrt r.*"),
    ("a family and an input", STEPS, "y wrt r.*, x"),
    ("members of a family", STEPS, "y wrt r.2.p, x, r.1.W"),
    ("an iteration", STEPS, "y wrt r.2.*"),
    ("parameters", STEPS, "y wrt params"),
    ("a member that is read elsewhere, too", f"{STEPS}output z = r.1.p**2 + y",
     "z, y wrt r.1.p, r.2.p"),
    ("a name for a member", f"{STEPS}q = r.1.p\noutput z = q**2 * y", "z wrt q, r.*"),
    ("by argmax", f"{X4}i = stack(argmax(x))\noutput y = x[i]**2", "y wrt x"),
    ("by argsort", f"{X4}output y = x[argsort(x)]**2 * x", "y wrt x"),
    ("rows by argsort", f"{TABLE}output y = sin(x[argsort(x[:, 0])])", "y wrt x"),
    ("picked by argmax", f"{TABLE}output y = pick(x, argmax(x, axis=-1))**2", "y wrt x"),
    ("picked of a node by argmax",
     f"{TABLE}z = x * x\noutput y = pick(z, argmax(z, axis=-1))**2", "y wrt z, x"),
    ("windows", "input x: [1, 1, 6]\nparam w: [1, 1, 3]\noutput y = conv1d(x, w, pad=1)",
     "y wrt x, w"),
    ("a rule", "input x: [3]\nblock f(x: [K]) -> y: [K] { y = sin(x); rule vjp x = cotangent(y) * "
     "cos(x) }\noutput y = f(x[::-1]) * x", "y wrt x"),
    ("parts joined", f"{X4}output y = 2 * concat(x[2:], x[:2])", "y wrt x"),
    ("a scan", "input x: [4, 2]\nscan s[t in 4] carry h = zeros([2]) {\n"
     "    next h = tanh(h + x[t]); collect c = h\n}\noutput y = c", "y wrt x"),
    ("a loop's end in another loop", "input x: [2]\n"
     "scan r[t in 2] carry h = x { next h = sin(h) }\n"
     "scan s[t in 3] carry g = h { next g = g * sin(g) }\noutput y = g", "y wrt h, x"),
    ("a loop's end that another loop collects", "input x: [2]\n"
     "scan r[t in 2] carry h = x { next h = sin(h) }\nscan s[t in 3] { collect c = h }\n"
     "output y = c", "y wrt h, x"),
    ("ends of two loops", "input x: [2]\nscan r[t in 2] carry h = x { next h = sin(h) }\n"
     "scan s[t in 3] carry g = h { next g = g * sin(g) }\nscan u[t in 2] { collect c = g * h }\n"
     "output y = c", "y wrt h, g"),
    ("a stated derivative in a loop", "input x: [2]\nblock f(x: [K]) -> y: [K] { y = sin(x); "
     "rule vjp x = cotangent(y) * cos(x) }\nh = f(x)\nscan s[t in 2] { collect c = h * h }\n"
     "scan u[t in 3] carry g = h { next g = sin(g) }\noutput y = g; output z = c",
     "y, z wrt h, x"),
    ("a condition", f"{X4}output y = where(x > 0, x, x[::-1])", "y wrt x"),
    ("sorted", f"{X4}output y = sort(x)**2", "y wrt x"),
    ("nothing of it", "input x: [1]\noutput y = x**2; output z = x[0:0]", "y, z wrt x"),
]  # fmt: skip


def _given(text: str) -> dict[str, Any]:
    """Arguments at which no parameter is zero."""
    given = random_arguments(compiled(text).model, 1, {})
    rng = np.random.default_rng(2)
    if "params" in given:
        given["params"] = {path: rng.normal(size=p.shape) for path, p in given["params"].items()}
    return given


MODES = ["forward", "reverse", "mixed", ""]
EACH = [(*one, MODES[turn ^ place % 2]) for place, one in enumerate(GRAPHS) for turn in range(4)]


@in_turn("case", EACH, ids=lambda case: f"{case[0]}-{case[3]}")
def test_sparse_is_dense(case: tuple[str, str, str, str], level: str) -> None:
    _, text, clause, mode = case
    both = f"{text}\nderive sparse_jacobian {clause} as S\nderive jacobian_matrix {clause} as D\n"
    made = loaded(compile_text(both, options=Options(level=level, mode=mode)).text, "sparse")
    given = _given(both)
    dense = made.D(**given)
    assert np.count_nonzero(dense) > 0
    np.testing.assert_allclose(made.S(**given).toarray(), dense, rtol=1e-12, atol=1e-14)


HESSIANS = {
    "a chain": ("x: [N]", "sum(100 * (x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2)", [9], 25),
    "a grid": (
        "x: [N, 3]",
        "sum((x[1:, :] - x[:-1, :])**4) + sum(exp(x[:, 1:] * x[:, :-1]))",
        [4, 3],
        46,
    ),
    "edges by index": ("x: [N]", "sum((x[i] - x[j])**4) + sum(x**3)", [8], None),
    "what is padded": ("x: [N]", "sum(pad(x, 2)**3) + sum(tanh(x))", [5], 5),
    "of all together": ("x: [N]", "sum(x)**2 + prod(x[:2])", [4], 16),
    "of a straight line": ("x: [N]", "sum(3 * x)", [4], 0),
}


@pytest.mark.parametrize("mode", ["forward", "reverse", ""])
@pytest.mark.parametrize("name", HESSIANS)
def test_sparse_hessians_are_dense_ones(name: str, mode: str, level: str) -> None:
    """With no more entries than there are second derivatives, where structure says so."""
    declared, value, shape, entries = HESSIANS[name]
    text = f"""dim N
input {declared}
input i, j: int[6]
output f = {value}
derive sparse_hessian f wrt x as S
derive hessian_matrix f wrt x as D
derive value_and_sparse_hessian f wrt x as both
"""
    made = loaded(compile_text(text, options=Options(level=level, mode=mode)).text, "sparse")
    rng = np.random.default_rng(4)
    x, i, j = 0.6 * rng.normal(size=shape), *rng.integers(0, shape[0], (2, 6))
    found = made.S(x, i, j)
    np.testing.assert_allclose(found.toarray(), made.D(x, i, j), rtol=1e-12, atol=1e-13)
    assert (abs(found - found.T)).nnz == 0
    assert entries is None or found.nnz == entries
    value, again = made.both(x, i, j)
    assert value == made.forward(x, i, j)[0].f
    np.testing.assert_array_equal(again.toarray(), found.toarray())
    assert max(made.check(x, i, j).values()) < 1e-4


def test_sparse_hessians_by_families_and_by_what_is_between(level: str) -> None:
    text = """
input x: [4]
repeat layer[k in 3] carry h = x { param w: [4]; next h = h * w + sin(w) }
g = h * x
output f = sum(g**2) + sum(g[1:] * g[:-1])
derive sparse_hessian f wrt layer.*, g, x as S
derive hessian_matrix f wrt layer.*, g, x as D
"""
    made = loaded(compile_text(text, options=Options(level=level)).text, "sparse")
    given = _given(text)
    np.testing.assert_allclose(made.S(**given).toarray(), made.D(**given), rtol=1e-12, atol=1e-13)


def test_the_entries_of_an_iteration() -> None:
    """Two, at r.k.p = k · [.3, .6] and x = [.3, .7], by the chain rule on paper."""
    text = """input x: [2]
        repeat r[k in 1..3] carry h = x { param p: [2]; next h = sin(h * p) }
        output h
        derive sparse_jacobian h wrt r.2.p as S
        derive sparse_jacobian h wrt r.* as F
    """
    x, p = np.array([0.3, 0.7]), np.array([[0.3, 0.6], [0.6, 1.2], [0.9, 1.8]])
    params = {f"r.{k}.p": row for k, row in enumerate(p, 1)}
    h, values = x, []
    for row in p:
        values.append(h)
        h = np.sin(h * row)
    slopes = np.cos(np.array(values) * p)
    after = [slopes[1:].prod(0) * p[1:].prod(0), slopes[2] * p[2], np.ones(2)]
    by = slopes * np.array(values) * np.array(after)
    found = module(text).S(params, x)
    assert found.nnz == 2
    np.testing.assert_allclose(found.toarray(), np.diag(by[1]), rtol=1e-13)
    family = module(text).F(params, x)
    assert family.nnz == 6
    np.testing.assert_allclose(family.toarray(), np.hstack([np.diag(row) for row in by]))


def test_what_goes_two_ways_counts_once_on_each() -> None:
    """sin(x) + x, where the second is an `id` of the file's own: 1 + cos(x) on the diagonal."""
    text = """input x: [4, 1]
        n = flatten(x)
        n -> (sin, id) -> stack(axis=0) -> sum(axis=0) -> y
        output y
        derive sparse_jacobian y wrt x as S
    """
    x = np.array([[0.1], [0.5], [-0.7], [1.3]])
    np.testing.assert_allclose(module(text).S(x).toarray(), np.diag(1 + np.cos(x[:, 0])))


@pytest.mark.parametrize("mode", ["forward", "reverse", "mixed"])
def test_windows_through_a_node_between(mode: str, level: str) -> None:
    """A convolution by windows of one image: entry (i, j) is the weight that reaches i from j."""
    text = """input k: [1, 1, 2]
        param x: [1, 1, 3]
        output y = conv1d(x, k)
        derive sparse_jacobian y wrt x as S
    """
    made = loaded(compile_text(text, options=Options(level=level, mode=mode)).text, "windows")
    found = made.S({"x": np.ones((1, 1, 3))}, [[[2.0, 5.0]]])
    assert found.toarray().tolist() == [[2.0, 5.0, 0.0], [0.0, 2.0, 5.0]]
    deep = """input k: [1, 1, 2, 2, 1]
        param x: [1, 1, 2, 3, 2]
        output y = conv3d(x, k)
        derive sparse_jacobian y wrt x as S
    """
    made = loaded(compile_text(deep, options=Options(level=level, mode=mode)).text, "deep")
    kernel = np.arange(1.0, 5.0).reshape(1, 1, 2, 2, 1)
    right = np.zeros((2, 2, 2, 3, 2))
    for i, j, a, b in np.ndindex(2, 2, 2, 2):
        right[i, j, a, i + b, j] = kernel[0, 0, a, b, 0]
    found = made.S({"x": np.ones((1, 1, 2, 3, 2))}, kernel)
    np.testing.assert_allclose(found.toarray(), right.reshape(4, 12))
