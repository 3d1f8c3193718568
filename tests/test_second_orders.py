"""Products with a Hessian two ways: forward over reverse, and reverse over reverse."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import module

pytestmark = pytest.mark.levels

ENERGIES = {
    "a network": "mean(tanh(tanh(x @ w) @ w.T)**2)",
    "an attention": "sum(softmax(x @ w @ x.T) @ x * sin(x))",
    "a norm of a norm": "sum(x / norm(x, axis=1, keepdims=true)) * log(1 + sum(w**2))",
    "a likelihood": "sum(logsumexp(x @ w, axis=1)) - sum(pick(x @ w, [0, 2, 1, 0]))",
    "a determinant": "logdet(w @ w.T + eye(3)) * sum(x[0] * cumsum(x[1]))",
    "a solution": "sum(solve(w.T @ w + 3 * eye(3), x[0]) ** 3) + prod(x[1])",
    "windows": "sum(sin(conv1d(x[:3, :].T[_, :, :], w[:, :, _] * ones([3, 3, 2])))**2)",
    "a choice": "sum(where(x > 0, x**3, exp(x))) * sum(maximum(w, 0.1)**2)",
}
SCAN = """
scan turn[t in 4] carry h = zeros([3]) { next h = tanh(h @ w + x[t]) }
"""


def twice(energy: str, before: str = "") -> str:
    """hvp, and the gradient of the gradient's product with a direction."""
    return f"""
        input x, dx: [4, 3]
        input w, dw: [3, 3]
        {before}
        output e = {energy}
        output along = sum(grad(e, x) * dx) + sum(grad(e, w) * dw)
        derive hvp e wrt x, w as forward_over_reverse
        derive grad along wrt x, w as reverse_over_reverse
    """


@pytest.mark.parametrize("name", [*ENERGIES, "a recurrence"])
def test_both_ways_agree(name: str) -> None:
    text = twice("sum(sin(h) * h)", SCAN) if name == "a recurrence" else twice(ENERGIES[name])
    made = module(text)
    rng = np.random.default_rng(5)
    x, dx = rng.normal(size=(2, 4, 3))
    w, dw = rng.normal(size=(2, 3, 3))
    _, one = made.forward_over_reverse(x, dx, w, dw, tangents={"x": dx, "w": dw})
    other = made.reverse_over_reverse(x, dx, w, dw)
    for path in ("x", "w"):
        scale = max(1.0, float(np.max(np.abs(other[path]))))
        assert np.max(np.abs(other[path])) > 1e-3
        np.testing.assert_allclose(one[path], other[path], rtol=0, atol=1e-12 * scale)
