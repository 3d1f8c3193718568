"""Derivatives over chunks: by what has rows itself, and products in place of `vjp` and `hvp`."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.bridges.chunked import chunked
from graphc.compile.stages import Compilation
from graphc.source import Source
from graphc.views.split import judge
from tests.test_split import by_chunks, module_of


def test_gradients_by_rows_are_rows_where_each_is_its_own() -> None:
    """Behind a sum or a mean nothing of all rows goes into that of a row; behind others it does."""
    net = module_of(
        "dim B\ninput x: [B, 2]\nparam w: [2]\noutput f = mean((x @ w)**2) + sum(w)\n"
        "output g = logsumexp(x @ w)\noutput zero = log(mean(floor(x))) * w[0]\n"
        "derive grad f wrt x, w\nderive grad g wrt x, w\nderive grad zero wrt x, w\n"
    )
    functions = net.GRAPH["split"]["functions"]
    assert [*functions["grad_f"]["rows"].values()] == [0]
    assert functions["grad_g"]["rows"] == {}
    x, w = np.arange(10.0).reshape(5, 2), np.array([0.5, -1.0])
    grads = by_chunks(net, "grad_f", {"params": {"w": w}, "x": x}, [0, 1, 5])
    assert np.allclose(grads["x"], 2 / 5 * (x @ w)[:, None] * w, rtol=1e-14)
    assert np.allclose(grads["w"], 2 / 5 * x.T @ (x @ w) + 1, rtol=1e-14)
    zeros = by_chunks(net, "grad_zero", {"params": {"w": w}, "x": x}, [0, 2, 5])["x"]
    assert zeros.tolist() == [[0.0] * 2] * 5


PRODUCTS = """dim B
input x: [B, 2]
input v: [2]
input c: [B]
param w: [2]
output y = tanh(x @ w)
output loss = mean(y**2)
output slope = sum(grad(loss, w) * v)
output pulled = sum(y * c)
derive grad slope wrt w as times_v
derive grad pulled wrt w as back
derive hvp loss wrt w as by_hvp
derive vjp y wrt w as by_vjp
derive sparse_hessian loss wrt w as by_sparse
"""
SIZES = (9, 2), 2, 9


def test_what_has_no_functions_of_chunks_says_so() -> None:
    lines = judge(Compilation(Source("net.graph", PRODUCTS)), "B").lines
    found = {(one.function, one.result): one.said for one in lines}
    without = "averaged (without functions of chunks)"
    assert found["by_hvp", "by w"] == found["by_sparse", "data"] == without
    assert found["times_v", "by w"] == "averaged"
    with pytest.raises(
        TypeError, match=r"no function `by_hvp` of chunks \(no hvp has one\): times_v"
    ):
        chunked(module_of(PRODUCTS), "by_hvp")


def test_products_are_gradients_of_another_output() -> None:
    net, rng = module_of(PRODUCTS), np.random.default_rng(1)
    params, x, v, c = {"w": rng.normal(size=2)}, *map(rng.normal, (0.0,) * 3, (1.0,) * 3, SIZES)
    _, curved = net.by_hvp(params, x, v, c, tangents={"w": v})
    _, pulled = net.by_vjp(params, x, v, c, cotangents={"y": c})
    for name, expected in {"times_v": curved, "back": pulled}.items():
        partial = getattr(net, f"partial_{name}")
        parts = [partial(params, x[rows], v, c[rows]) for rows in (slice(4), slice(4, 9))]
        found = getattr(net, f"finish_{name}")(getattr(net, f"combine_{name}")(*parts))
        assert np.allclose(found["w"], expected["w"], rtol=1e-13)
