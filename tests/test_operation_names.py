"""Names of operations as names of nodes: a call is the operation, a bare name the node."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import module

from graphc.compile.stages import compile_text
from graphc.source import GraphError

X = np.array([1.0, 2.0, 4.0])

USED = {
    "mean = mean(x)\noutput y = x - mean": X - X.mean(),
    "sum = mean(x)\nmean = sum(x)\noutput y = sum + mean * x": X.mean() + X.sum() * X,
    "output norm = norm(x)\noutput y = x / norm": X / np.sqrt(21),
    "max = max(x)\nexp = exp(x - max)\noutput y = exp / sum(exp)": np.exp(X) / np.exp(X).sum(),
    "scan outer[t in 2] carry power = x {\n    next power = 2 * power\n}\noutput y = power": 4 * X,
    "repeat flip[i in 1..2] carry sqrt = x { next sqrt = sqrt(sqrt) }\noutput y = sqrt": X**0.25,
    "const k = 2\nif k > 1 { abs = -x } else { abs = x }\noutput y = abs(abs) + abs": 0 * X,
    "block f(mean: [N]) -> y: [N] { trace = mean - mean(mean)\n    y = trace }\noutput y = f(x)":
        X - X.mean(),
    "block f(v: [N], sin: fn) -> y: [N] { y = sin(v) }\noutput y = f(x, cos)": np.cos(X),
}  # fmt: skip


@pytest.mark.levels
@pytest.mark.parametrize("text", USED)
def test_a_call_is_the_operation_a_name_the_node(text: str) -> None:
    net = module(f"input x: [3]\n{text}\n")
    np.testing.assert_allclose(net.forward(X)[0].y, USED[text], rtol=1e-12, atol=1e-15)
    assert max(net.check(X).values()) < 1e-6


@pytest.mark.levels
def test_inputs_parameters_dims_and_outputs() -> None:
    net = module(
        "dim size\ninput power: [size]; input trace: int[size]\nparam max: [size]\n"
        "output sum = sum(power * max[trace]) / size\nderive grad sum wrt power, max as slopes\n"
    )
    power, trace = X, np.array([2, 0, 0])
    found = net.slopes({"max": np.arange(3.0)}, power, trace)
    np.testing.assert_allclose(found["power"], np.arange(3.0)[trace] / 3)
    np.testing.assert_allclose(found["max"], [2, 0, 1 / 3])
    assert net.GRAPH["outputs"] == {"sum": "[]"}


def test_a_use_of_a_block_that_is_named_as_an_operation_has_its_parameters_there() -> None:
    net = module("input x: [3]\nnorm = dense(x, 3)\noutput y = norm(norm)\n")
    assert net.PARAMETERS == ("norm.W", "norm.b")
    params = {"norm.W": np.eye(3), "norm.b": np.zeros(3)}
    assert float(net.forward(params, X)[0].y) == pytest.approx(np.sqrt(21))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("block mean(v: [N]) -> y: [N] { y = v }\noutput y = x", "`mean` is an operation"),
        ("instance norm = dense(2)\noutput y = norm(x)", "`norm` is an operation and cannot"),
        ("const relu = tanh\noutput y = relu(x)", "`relu` is an operation and cannot"),
        ("x -> exp -> mean\noutput y = x", "a chain ends in the name it defines"),
        ("mean = x - mean\noutput y = mean", "error[E2"),
        ("tanh = x * 2\noutput y = dense(x, 2, act=tanh)", "found a tensor"),
    ],
)  # fmt: skip
def test_what_would_be_called_has_a_name_of_its_own(text: str, said: str) -> None:
    with pytest.raises(GraphError) as caught:
        compile_text(f"input x: [3]\n{text}\n")
    assert said in str(caught.value)
