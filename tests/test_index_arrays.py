"""Several index arrays in one subscript, and values put where they say, under every feature."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import compiled, module

from graphc.source import GraphError

pytestmark = [pytest.mark.levels, pytest.mark.usefixtures("verifying")]

RNG = np.random.default_rng(3)
ACCURATE = 1e-4


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_axes_of_the_result_are_those_of_numpy(dtype: str) -> None:
    text = """
dim N
input A: [3, N, 4]
input i: int[5]
input j: int[2, 1]
output together = A[:, j, i[_, :] % 4]
output apart = A[i, :, i]
output parted = A[:, j, _, i[_, :] % 4]
output dotted = A[i, ..., i]
output ranged = A[i, 1:, i]
"""
    A = RNG.normal(size=(3, 6, 4)).astype(dtype)
    i, j = RNG.integers(0, 3, 5), RNG.integers(-6, 6, (2, 1))
    out = module(text, dtype=dtype).forward(A, i, j)[0]
    assert np.array_equal(out.together, A[:, j, i])
    assert np.array_equal(out.apart, A[i, :, i])
    assert np.array_equal(out.parted, A[:, j, None, i])
    assert np.array_equal(out.dotted, A[i, ..., i])
    assert np.array_equal(out.ranged, A[i, 1:, i])


def test_an_index_outside_is_an_error() -> None:
    for call in ("A[i, j]", "put(A, 0, i, j)", "put_add(A, 0, i, j)"):
        net = module(f"input A: [3, 4]\ninput i, j: int[2]\noutput y = {call}")
        with pytest.raises(IndexError):
            net.forward(np.zeros((3, 4)), [0, 3], [0, 0])


WORDS = """
dim B, T, C
input ids: int[B]
input words: int[T]
input pairs: int[B, 2]
input label: int[B]
param E: [10, 4]
param P: [C, 4]
scan s[t in T] carry m = zeros([4]) { next m = tanh(m + E[words[t]]) }
e = E[ids] * P[pairs[:, 0]] + E[pairs[:, 1]] + m
z = dense(e, 5)
output loss = cross_entropy(z, label)
derive grad loss wrt E
derive jacobian loss wrt P
"""


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ids", [0, 10, 0], "input `ids` holds 10, expected 0..9"),
        ("ids", [0, -11, 0], "input `ids` holds -11, expected 0..9"),
        ("words", [1, 10], "input `words` holds 10, expected 0..9"),
        ("pairs", [[0, 9], [6, 0], [5, 5]], "input `pairs` holds 6, expected 0..5"),
        ("pairs", [[0, 9], [5, 17], [5, 5]], "input `pairs` holds 17, expected 0..9"),
        ("label", [4, 4, 5], "input `label` holds 5, expected 0..4"),
    ],
)
def test_an_index_outside_is_told_by_the_input_that_holds_it(
    name: str, value: list[int], said: str
) -> None:
    net = module(WORDS)
    params = net.init(C=6)
    right = {"ids": [0, 9, -1], "words": [3, 9], "pairs": [[5, 9]] * 3, "label": [0, 4, 1]}
    for call in (net.forward, net.grad_loss, net.jacobian_loss):
        call(params, **right)
        with pytest.raises(IndexError) as raised:
            call(params, **{**right, name: value})
        assert str(raised.value) == said


def test_an_index_that_is_computed_is_told_in_the_words_of_numpy() -> None:
    net = module("input i: int[2]\ninput x: [4]\noutput y = x[i + 1]")
    with pytest.raises(IndexError, match="index 4 is out of bounds for axis 0 with size 4"):
        net.forward([0, 3], np.zeros(4))


def test_hessians_through_what_is_put() -> None:
    """Of two values for one position the first has no derivative, and nor has what was there."""
    text = """
input A: [2, 2]
input t: [3]
input i, j: int[3]
p = put(A, t, i, j)
output loss = sum(p**3)
derive hessian_matrix loss wrt A, t as H
"""
    A, t = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 6.0, 7.0])
    net = module(text)
    H = net.H(A, t, [0, 1, 0], [1, 0, 1])  # A[0, 1] gets 5, and then 7
    assert np.array_equal(H, np.diag([6.0, 0, 0, 24, 0, 36, 42]))
    assert max(net.check(A, t, [0, 1, 0], [1, 0, 1]).values()) < ACCURATE


def test_by_example_and_in_sparse_rows() -> None:
    text = """
dim B, N
input A: [N, N]
input t: [B]
input i, j: int[B]
output r = A[i, j] * t
output loss = sum(r**2) + sum(put_add(A, t, i, j))
derive grad loss wrt A, t per B as each
derive grad loss wrt A, t as whole
derive sparse_jacobian r wrt A as J
derive jacobian_matrix r wrt A as dense
"""
    net = module(text)
    given = (
        RNG.normal(size=(5, 5)), RNG.normal(size=4), RNG.integers(0, 5, 4), RNG.integers(-5, 5, 4)
    )  # fmt: skip
    each, whole = net.each(*given), net.whole(*given)
    np.testing.assert_allclose(each["A"].sum(0), whole["A"], rtol=1e-12)
    np.testing.assert_allclose(each["t"], whole["t"], rtol=1e-12)
    assert net.J(*given).nnz == 4
    assert np.array_equal(net.J(*given).toarray(), net.dense(*given))


def test_in_the_steps_of_a_map() -> None:
    """Steps become positions of arrays; an index that counts them keeps these apart."""
    text = """
dim B
input x: [B, 3]
input v: [B, 2]
input i: int[B, 2]
scan each[b in B] {
    p = put(x[b], v[b], i[b])
    q = put_add(x[b], v[b], i[b])
    collect es = sum(p**2) + sum(sin(q) * p) + sum(x[b][i[b]]**3)
}
output e = es
output loss = sum(es)
derive grad loss wrt x, v per B as rows
derive jacobian e wrt x, v per B as J
"""
    net = module(text)
    x, v, i = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 2)), RNG.integers(-3, 3, (4, 2))
    i[0] = [1, -2]  # the same position twice
    assert max(net.check(x, v, i).values()) < ACCURATE


def test_of_the_last_of_equal_indices_however_many() -> None:
    """Also where a batch axis stands before, and where there are no indices at all."""
    text = """
dim B, K
input x: [B, 5]
input v: [B, K]
input k: int[K]
output y = put(x, v, k, axis=1)
output loss = sum(y**2)
"""
    net = module(text)
    x, v, k = RNG.normal(size=(3, 5)), RNG.normal(size=(3, 40)), RNG.integers(0, 5, 40)
    expected = x.copy()
    for n in range(40):
        expected[:, k[n]] = v[:, n]
    assert np.array_equal(net.forward(x, v, k)[0].y, expected)
    assert max(net.check(x, v, k).values()) < ACCURATE
    assert np.array_equal(net.forward(x, v[:, :0], k[:0])[0].y, x)


WRONG = {
    "A[i, j]": "E301: shapes do not fit in `x[i, j]`: [2] and [3]",
    "A[i, i, i]": "E308: 3 indices for [3, 4], which has 2 axes",
    "A[i, m]": "E308: an index is an integer, found bool[2]",
    "put(A, t, i, i)": "E301: `put` takes values of [2] here, found [3]",
    "put(A, 0, i, i, i)": "E308: `put` has 3 indices from axis 0 on for [3, 4], which has 2 axes",
    "put(A, 0)": "E209: `put` needs an index for each axis that it is about",
    "put_add(A, 0, t)": "E308: an index of `put_add` is an integer, found float[3]",
    "put(A, 0, 3)": "E308: in `put`: index 3 is outside axis 0 of [3, 4]",
}


@pytest.mark.readable
@pytest.mark.parametrize("call", WRONG)
def test_what_is_refused(call: str) -> None:
    text = f"""
input A: [3, 4]
input i: int[2]
input j: int[3]
input m: bool[2]
input t: [3]
output y = {call}
"""
    with pytest.raises(GraphError) as wrong:
        compiled(text)
    (found,) = wrong.value.diagnostics
    assert f"{found.code}: {found.message}" == WRONG[call]
