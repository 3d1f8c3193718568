"""Exponentials that are too small to be normal do not reach sums; where one sees them they stay."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.compile.stages import Options, compile_text, load

MIXTURE = """
dim N, K, D
input x: [N, D]
input mu: [K, D]
input W: [K, D]
p = softmax(sum((x[:, _, :] - mu[_, :, :])**2, axis=-1), axis=1)
"""
SMALLEST = {"float64": 2.2e-308, "float32": 1.2e-38}
TOLERANCE = {"float64": 1e-13, "float32": 1e-5}


def text_of(ends: str, dtype: str = "float64", level: str = "-O2") -> str:
    text = f"{MIXTURE}\n{ends}\n"
    return compile_text(text, options=Options(dtype=dtype, level=level)).text


LOSS = "output loss = sum(logsumexp(-sum((x[:, _, :] - mu[_, :, :])**2, axis=-1), axis=1))"
FLUSHED = {
    "logsumexp": f"{LOSS}\nderive value_and_grad loss wrt mu",
    "cross entropy": """
        input label: int[N]
        output loss = cross_entropy(x @ W.T, label)
        derive value_and_grad loss wrt W""",
}
LEFT = {
    "a value": "output y = p\nderive value y",
    "a logarithm of a product": "output loss = sum(log(p @ W))\nderive value_and_grad loss wrt W",
    "a quotient by a product": "output loss = sum(1 / (p @ W))\nderive value_and_grad loss wrt W",
    "a gradient by the logits": """
        input z: [N, K]
        output loss = sum(logsumexp(z, axis=1))
        derive grad loss wrt z""",
}


@pytest.mark.parametrize("name", FLUSHED)
def test_on_their_way_to_sums_they_are_0(name: str) -> None:
    assert "TINY" in text_of(FLUSHED[name])
    assert "TINY" not in text_of(FLUSHED[name], level="-O0")


@pytest.mark.parametrize("name", LEFT)
def test_what_other_operations_see_stays(name: str) -> None:
    assert "TINY" not in text_of(LEFT[name])


@pytest.mark.parametrize("dtype", SMALLEST)
def test_gradients_are_those_of_the_readable_module(dtype: str) -> None:
    """Far out the smaller of two exponentials is e^(1 - 2 x): it runs through all sizes to 0."""
    fast, readable = (
        load(text_of(FLUSHED["logsumexp"], dtype, level), f"denormals_{dtype}{level[2:]}")
        for level in ("-O2", "-O0")
    )
    x = np.linspace(0, -0.55 * np.log(SMALLEST[dtype]), 400)[:, None].astype(dtype)
    mu = np.array([[0.0], [1.0]], dtype)
    smaller = np.exp(1 - 2 * x)
    assert np.any((smaller > 0) & (smaller < SMALLEST[dtype]))
    (value, found), (expected, gradient) = (
        made.value_and_grad_loss(x=x, mu=mu, W=mu) for made in (fast, readable)
    )
    np.testing.assert_allclose(value, expected, rtol=TOLERANCE[dtype])
    scale = np.abs(gradient["mu"]).max()
    np.testing.assert_allclose(found["mu"], gradient["mu"], rtol=0, atol=TOLERANCE[dtype] * scale)
