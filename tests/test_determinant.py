"""The derivative of a determinant is the matrix of cofactors, also where there is no inverse."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import module
from sampling import DTYPES

pytestmark = pytest.mark.levels

GRAPH = "dim B, N\ninput x: [B, N, N]\noutput y = det(x)"


def minors(x: np.ndarray) -> np.ndarray:
    """Cofactors by their definition: signed determinants of what is left of a row and a column."""
    found = np.empty(x.shape)
    for i, j in np.ndindex(x.shape):
        rest = np.delete(np.delete(x, i, 0), j, 1)
        found[i, j] = (-1) ** (i + j) * np.linalg.det(rest)
    return found


def of_rank(rank: int, size: int) -> np.ndarray:
    """Whole numbers, so that the rank is exact."""
    rng = np.random.default_rng(size)
    left, right = rng.integers(-3, 4, (size, rank)), rng.integers(-3, 4, (rank, size))
    return (left @ right).astype(float)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_of_every_rank(size: int, dtype: str) -> None:
    x = np.stack([of_rank(rank, size) for rank in range(size + 1)])
    generated = module(GRAPH, dtype=dtype)
    _, cache = generated.forward(x)
    found = generated.backward(cache, y=np.ones(len(x)))["x"]
    assert found.dtype == dtype
    expected = np.stack([minors(one) for one in x])
    scale = np.max(np.abs(x)) ** (size - 1)
    tolerance = {"float64": 1e-13, "float32": 1e-5}[dtype]
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(scale, 1))


def test_where_there_is_an_inverse() -> None:
    x = np.random.default_rng(1).normal(size=(50, 4, 4))
    generated = module(GRAPH)
    _, cache = generated.forward(x)
    found = generated.backward(cache, y=np.ones(50))["x"]
    expected = jax.vmap(jax.grad(jnp.linalg.det))(x)
    gap = np.max(np.abs(found - expected), axis=(1, 2)) / np.max(np.abs(expected), axis=(1, 2))
    assert gap.max() < 1e-12


def test_second_derivative() -> None:
    text = """
        dim N
        input x: [N, N]
        input w: [N, N]
        g = grad(det(x), x)
        output z = sum(g * w)
    """
    rng = np.random.default_rng(2)
    for size in (1, 2, 3, 5):
        x, w = rng.normal(size=(2, size, size))
        _, cache = module(text).forward(x, w)
        found = module(text).backward(cache, z=1.0)
        expected = jax.grad(lambda x, w=w: jnp.sum(jax.grad(jnp.linalg.det)(x) * w))(x)
        np.testing.assert_allclose(found["x"], expected, atol=1e-11)
        np.testing.assert_allclose(found["w"], minors(x), atol=1e-13)


def test_of_nothing_and_of_what_is_no_number() -> None:
    generated = module(GRAPH)
    for shape in ((0, 3, 3), (2, 0, 0)):
        out, cache = generated.forward(np.zeros(shape))
        np.testing.assert_array_equal(out.y, np.ones(shape[0]))
        assert generated.backward(cache, y=np.ones(shape[0]))["x"].shape == shape
    x = np.stack([np.eye(2), np.full((2, 2), np.nan)])
    with np.errstate(invalid="ignore"):  # NumPy's own warning
        _, cache = generated.forward(x)
    found = generated.backward(cache, y=np.ones(2))["x"]
    np.testing.assert_allclose(found[0], np.eye(2), atol=1e-15)
    assert np.isnan(found[1]).all()
