"""Eigenvalues, singular values, QR, pseudo-inverses, exponentials; what happens at equal values."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from conftest import compiled, module

from graphc.source import GraphError

pytestmark = [pytest.mark.levels, pytest.mark.usefixtures("verifying")]

RNG = np.random.default_rng(11)
A = RNG.normal(size=(3, 3))
S = (A + A.T) / 2
ACCURATE = 1e-4


def test_functions_of_eigenvalues_have_their_closed_forms() -> None:
    """The sum is the trace, that of squares the Frobenius norm, of the logarithms log det."""
    text = """
input A: [3, 3]
w = eigvalsh(A @ A.T + eye(3))
output trace_ = sum(w)
output squares = sum(w**2)
output logs = sum(log(w))
derive jacobian trace_, squares, logs wrt A as J
derive hessian_matrix logs wrt A as H
derive hessian_matrix plain wrt A as K
output plain = logdet(A @ A.T + eye(3))
"""
    net = module(text)
    M, J = A @ A.T + np.eye(3), net.J(A)
    np.testing.assert_allclose(J["trace_"]["A"], 2 * A, rtol=1e-12)
    np.testing.assert_allclose(J["squares"]["A"], 4 * M @ A, rtol=1e-12)
    np.testing.assert_allclose(J["logs"]["A"], 2 * np.linalg.inv(M) @ A, rtol=1e-11)
    np.testing.assert_allclose(net.H(A), net.K(A), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_functions_of_symmetric_matrices_by_their_eigenvectors(dtype: str) -> None:
    """v exp(w) vᵀ is the exponential, and so are its first and second derivatives."""
    text = """
dim B
input A: [B, 3, 3]
S = 0.5 * (A + transpose(A, [0, 2, 1]))
w, v = eigh(A)
output one = sum((v @ (exp(w)[:, :, _] * transpose(v, [0, 2, 1])))**2)
output other = sum(expm(S)**2)
derive value_and_grad one, other wrt A
derive hvp one wrt A
derive hvp other wrt A
"""
    text = text.replace("derive value_and_grad one, other wrt A\n", "")
    net = module(text, dtype=dtype)
    given = np.stack([A, 0.3 * A.T, np.diag([1.0, 2.0, -1.0])])
    along = {"A": RNG.normal(size=given.shape)}
    tolerance = {"float64": 1e-10, "float32": 3e-3}[dtype]
    for found, wanted in zip(
        net.hvp_one(given, tangents=along), net.hvp_other(given, tangents=along), strict=True
    ):
        assert found["A"].dtype == dtype
        np.testing.assert_allclose(found["A"], wanted["A"], rtol=tolerance, atol=tolerance)


PROJECTOR = """
input A: [4, 4]
w, v = eigh(A)
output P = v[:, :2] @ v[:, :2].T
output spread = sum(w[:2])
output mixed = sum(P * A)
derive jvp P, spread, mixed wrt A as push
derive grad mixed wrt A
"""


def test_within_equal_eigenvalues_what_has_no_basis_has_its_derivative() -> None:
    """The projector on a space of two equal eigenvalues, as perturbation theory has it."""
    net = module(PROJECTOR)
    Q = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
    given = Q @ np.diag([1.0, 1.0, 3.0, 5.0]) @ Q.T
    along = RNG.normal(size=(4, 4))
    E = Q.T @ (along + along.T) @ Q / 2
    X = np.zeros((4, 4))
    X[:2, 2:] = E[:2, 2:] / (1 - np.array([3.0, 5.0]))
    _, pushed = net.push(given, tangents={"A": along})
    np.testing.assert_allclose(pushed.P, Q @ (X + X.T) @ Q.T, atol=1e-12)
    np.testing.assert_allclose(pushed.spread, np.trace(E[:2, :2]), rtol=1e-12)
    exact = module(PROJECTOR).grad_mixed(np.diag([2.0, 2.0, 3.0, 5.0]))["A"]
    np.testing.assert_allclose(exact, np.diag([1.0, 1, 0, 0]), atol=1e-12)


def test_second_derivatives_at_equal_values_are_nan_and_not_wrong() -> None:
    for call, given in (("eigvalsh(A)", np.eye(2)), ("svdvals(A)", np.eye(2))):
        net = module(f"input A: [2, 2]\noutput l = sum({call}**3)\nderive hessian_matrix l wrt A")
        assert np.isnan(net.hessian_matrix_l(given)).any()
        assert np.isfinite(net.hessian_matrix_l(np.diag([1.0, 2.0]))).all()
        np.testing.assert_allclose(net.backward(net.forward(given)[1])["A"], 3 * given)


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3)])
def test_what_is_decomposed_is_put_together_again(shape: tuple[int, int]) -> None:
    """u s vt and q r are the matrix: their Jacobians are the identity, their Hessians 0."""
    text = f"""
input x: {list(shape)}
u, s, vt = svd(x)
q, r = qr(x)
output one = (u * s) @ vt
output other = q @ r
output third = x @ pinv(x) @ x
output cubes = sum(one**3) + sum(other**3) + sum(third**3)
derive jacobian_matrix one, other, third wrt x as J
derive hessian_matrix cubes wrt x as H
"""
    net, x = module(text), RNG.normal(size=shape)
    out, _ = net.forward(x)
    for value in out[:3]:
        np.testing.assert_allclose(value, x, atol=1e-14)
    np.testing.assert_allclose(net.J(x), np.tile(np.eye(x.size), (3, 1)), atol=1e-12)
    np.testing.assert_allclose(net.H(x), 18 * np.diag(x.ravel()), atol=2e-10)


def test_singular_values_by_those_of_a_diagonal() -> None:
    net = module("input x: [3, 2]\noutput s = svdvals(x)\nderive jacobian s wrt x as J")
    x = np.array([[0.0, -2.0], [0, 0], [5.0, 0.0]])
    out, _ = net.forward(x)
    assert out.s.tolist() == [5.0, 2.0]
    expected = np.zeros((2, 3, 2))
    expected[0, 2, 0], expected[1, 0, 1] = 1, -1
    np.testing.assert_allclose(net.J(x)["s"]["x"], expected, atol=1e-15)


def test_least_squares_by_the_normal_equations_and_of_less_than_full_rank() -> None:
    text = """
input a: [5, 2]
input b: [5]
output y = lstsq(a, b)
output z = solve(a.T @ a, a.T @ b)
derive jacobian y, z wrt a, b as J
"""
    net, a, b = module(text), RNG.normal(size=(5, 2)), RNG.normal(size=5)
    out, _ = net.forward(a, b)
    J = net.J(a, b)
    np.testing.assert_allclose(out.y, out.z, rtol=1e-12)
    for path in "ab":
        np.testing.assert_allclose(J["y"][path], J["z"][path], rtol=1e-10, atol=1e-13)
    same = np.stack([a[:, 0], a[:, 0]], 1)
    found = module("input a: [5, 2]\ninput b: [5]\noutput y = lstsq(a, b)").forward(same, b)[0].y
    np.testing.assert_allclose(found, np.linalg.lstsq(same, b, rcond=None)[0], rtol=1e-10)


@pytest.mark.readable
@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0])
def test_exponentials_and_their_slopes_to_many_digits(size: float) -> None:
    """Of matrices that are not normal, against 50 digits; the slope by [[x, e], [0, x]]."""
    net = module("input x, e: [3, 3]\noutput y = expm(x)\noutput d = jvp(expm(x), x, e)")
    x, e = size * (np.triu(A) + np.triu(S, 1)), RNG.normal(size=(3, 3))
    block = np.block([[x, e], [np.zeros((3, 3)), x]])
    with mpmath.workdps(50):
        exact = np.array(mpmath.expm(mpmath.matrix(block.tolist())).tolist(), float)
    out, _ = net.forward(x, e)
    scale = np.abs(exact).max()
    np.testing.assert_allclose(out.y, exact[:3, :3], atol=1e-14 * scale, rtol=1e-13)
    np.testing.assert_allclose(out.d, exact[:3, 3:], atol=1e-14 * scale, rtol=1e-12)


def test_exponentials_by_example_and_twice() -> None:
    text = """
dim B
input x: [B, 2, 2]
output y = sum(expm(x)**2)
derive grad y wrt x per B as each
derive hessian y wrt x per B as H
"""
    net, x = module(text), RNG.normal(size=(3, 2, 2))
    assert max(net.check(x).values()) < ACCURATE
    assert net.each(x[:0])["x"].shape == (0, 2, 2)


WRONG = {
    "w = eigvalsh(x)": "E301: `eigvalsh` takes square matrices, found [N, M]",
    "w, v = eigh(v0)": "E301: `eigh` takes square matrices, found [M]",
    "w = svdvals(x)": "E302: in `svdvals`: `svd` depends on which side of [N, M] is the shorter "
    "one, and the dims leave that open",
    "w = pinv(v0)": "E301: `pinv` takes a matrix, found [M]",
    "w = lstsq(x, v0)": "E301: shapes do not fit in `lstsq`: [N, M] and [M]",
    "w = expm(x)": "E301: `expm` takes square matrices, found [N, M]",
    "w = np.linalg.svd(x)": "E208: only a block, an operation or an instance is called",
    "w = eig(x)": "E200: unknown block or operation `eig`",
}


@pytest.mark.readable
@pytest.mark.parametrize("line", WRONG)
def test_what_is_refused(line: str) -> None:
    text = f"dim N, M\ninput x: [N, M]\ninput v0: [M]\n{line}\noutput w"
    with pytest.raises(GraphError) as wrong:
        compiled(text)
    found = wrong.value.diagnostics[0]
    assert f"{found.code}: {found.message}" == WRONG[line]


@pytest.mark.readable
def test_the_shorter_side_may_be_stated() -> None:
    text = "dim N, M\nrequire N >= M\ninput x: [N, M]\nu, s, vt = svd(x)\noutput y = (u * s) @ vt"
    x = RNG.normal(size=(4, 2))
    np.testing.assert_allclose(module(text).forward(x)[0].y, x, atol=1e-14)
