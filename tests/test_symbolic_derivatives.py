"""One module for all sizes, and derivatives of derivatives by nesting."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import compiled, module
from derivative_checks import Names, by_jax, clauses, compare

pytestmark = pytest.mark.levels

TEXT = """
dim N, K
input x: [N, K]
input y: [K]
input s: []
param W: [K, 2]
h = tanh(x * y) @ W
c = concat(h, s * h[:, ::-1], axis=1)
output c
output d = softmax(sum(x, axis=1) * s, axis=0)
output loss = sum(c**2) + sum(d[:, _] * x * y)
"""


def by_hand(moving: Names) -> Names:
    x, y, s, W = (moving[name] for name in ("x", "y", "s", "W"))
    h = jnp.tanh(x * y) @ W
    c = jnp.concatenate([h, s * h[:, ::-1]], 1)
    z = jnp.sum(x, 1) * s
    shifted = jnp.exp(z - (jnp.max(z) if z.size else 0.0))
    d = shifted / jnp.sum(shifted)
    return {"c": c, "d": d, "loss": jnp.sum(c**2) + jnp.sum(d[:, None] * x * y)}


@pytest.mark.parametrize("sizes", [(3, 4), (5, 2), (1, 3), (2, 1), (1, 1), (0, 3), (3, 0), (0, 0)])
def test_sizes(sizes: tuple[int, int]) -> None:
    """Axes of one element, and of none."""
    every = clauses(["c", "d", "loss"], "x, y, s, W", "loss")
    made = module("\n".join([TEXT, *(f"derive {one}" for one in every)]))
    rng = np.random.default_rng(sum(sizes))
    n, k = sizes
    x, y, W = rng.normal(size=(n, k)), rng.normal(size=k), rng.normal(size=(k, 2))
    moving = {"x": x, "y": y, "s": rng.normal(), "W": W}
    given = {"params": {"W": W}, "x": x, "y": y, "s": moving["s"]}
    compare(made, given, by_jax(by_hand, moving, "loss"), "loss")


@pytest.mark.readable
def test_a_mode_is_printed_once() -> None:
    """Sizes that no shape allows, as N = 1 here, decide nothing."""
    text = "dim N\ninput x: [N]\noutput r = x[2:] * x[:-2]\nderive jacobian r wrt x as J"
    assert compiled(text).text.count("J_r_x = ") == 1


def test_third_derivatives_by_nesting() -> None:
    """The Hessian of a directional derivative, through a scan: jax.hessian of jax.jvp."""
    text = """
        input x, v: [3]
        scan turn[k in 4] carry h = x { next h = sin(h) + 0.1 * h * sum(h) }
        energy = sum(exp(h) * x)
        output along = sum(grad(energy, x) * v)
        derive hessian along wrt x as H
    """

    def energy(x: jnp.ndarray) -> jnp.ndarray:
        h = x
        for _ in range(4):
            h = jnp.sin(h) + 0.1 * h * jnp.sum(h)
        return jnp.sum(jnp.exp(h) * x)

    x, v = np.array([0.3, -0.8, 0.5]), np.array([1.0, 0.5, -2.0])
    expected = jax.jit(jax.hessian(lambda x: jax.jvp(energy, (x,), (v,))[1]))(x)
    np.testing.assert_allclose(module(text).H(x, v)["x"]["x"], expected, rtol=1e-11, atol=1e-11)
