"""Graphs as ONNX models: values and derived functions, in onnxruntime and in the reference."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner
from onnx.reference import ReferenceEvaluator

import graphc
from graphc.cli.app import app
from tests.conftest import long

onnxruntime.set_default_logger_severity(3)

PERCEPTRON = """\
dim B
input x: [B, 8]
input t: [B, 4]
x -> dense(16, act=tanh) as up -> h
y = h + dense(h, 16, act=relu) as branch
output p = dense(y, 4)
output loss = mean((p - t)**2)
derive value_and_grad loss wrt params
derive vjp p wrt x as pull
derive jvp p wrt x as push
derive jacobian_matrix p wrt up.b as J
derive hessian loss wrt p.b as H
"""
RECURRENT = """\
dim B, T
input x: [B, T, 3]
h0 = zeros([B, 5])
scan step[t in T] carry h = h0 {
    u = dense(concat(x[:, t, :], h), 5, act=tanh)
    next h = u
    collect us = u
}
output last: [B, 5] = h
output states = us
output loss = sum(h**2) + mean(us)
derive value_and_grad loss wrt params, x as gradient
"""
MIXTURE = """\
dim N, K
input x: [N, 2]
param mu, log_sigma: [K, 2]
param logits: [K]
d = (x[:, _] - mu[_, :]) / exp(log_sigma)[_, :]
each = -0.5 * sum(d**2, axis=-1) - sum(log_sigma, axis=-1) + log_softmax(logits)
output loss = -sum(logsumexp(each, axis=1))
derive value_and_grad loss wrt params
derive hessian_matrix loss wrt logits as H
"""
ATTENTION = """\
dim B, T
dim D = 8
input x: [B, T, D]
y = self_attention(layernorm(x) as n, 2, causal=true) as a
output loss = mean(y**2)
derive value_and_grad loss wrt params, x as gradient
"""
ASSORTED = """\
input x: [6]
input ids: int[4]
a = x[ids] * 2 + take(x, ids)
b = where(x > 0, x**2, -x) + clip(x, -0.5, 0.5) + abs(x) + expm1(x) + log1p(x**2) + hypot(x, 2*x)
more = x % 0.7 + cbrt(x) + logaddexp(x, 2*x) + floor(x) + relu(x)
c = flip(x) + roll(x, 2) + cumsum(x) + sort(x) + x[::-1]
e = diag(x[1:4]) @ reshape(x, [3, 2])
g = scatter_add(x, ids, a)
k = tril(outer(x, x)) + triu(outer(x, x), k=1)
parts = sum(a) + sum((b + more) * c) + sum(e) + sum(g * x) + sum(k * k) + max(x) + var(x) + norm(x)
output y = parts + sum(x[::2]**3) + sum(linspace(0.0, 1.0, 6) * x) + median(x) + sum(pad(x, 2)**2)
derive value_and_grad y wrt x
derive hessian_matrix y wrt x as H
"""
LOGISTIC = """\
dim B
input x: [B, 3]
input xs: [2, B, 3]
input t: [B]
param w: [3]
y = tanh(x @ w)
output loss = mean((y - t)**2) + sum((2.0 * x.T) @ y) + sum((swapaxes(xs, 1, 2) @ y) * w)
derive value_and_grad loss wrt w as gradient
derive vjp loss wrt x, xs, t as pull
"""
"""Products of transposed matrices and vectors, of which onnxruntime makes others."""
GRAPHS = {
    "logistic": LOGISTIC, "perceptron": PERCEPTRON, "recurrent": RECURRENT, "mixture": MIXTURE,
    "attention": ATTENTION, "assorted": ASSORTED,
}  # fmt: skip
SIZES = {"B": 3, "T": 4, "N": 5, "K": 2, "D": 8}


def leaves(found: Any) -> list[Any]:
    if isinstance(found, dict):
        found = tuple(found.values())
    if isinstance(found, tuple):
        return [leaf for one in found for leaf in leaves(one)]
    return [np.asarray(found)]


def drawn(model: Any, dtype: str) -> dict[str, Any]:
    """Inputs of a model, of these sizes."""
    random = np.random.default_rng(0)
    found = {}
    for one in model.graph.input:
        tensor = one.type.tensor_type
        shape = [axis.dim_value or SIZES[axis.dim_param] for axis in tensor.shape.dim]
        whole = tensor.elem_type == onnx.TensorProto.INT64
        found[one.name] = (
            random.integers(0, 6, shape) if whole else random.normal(size=shape).astype(dtype)
        )
    return found


def expected(net: Any, function: str, given: dict[str, Any], **sizes: int) -> list[Any]:
    """What the module gives for inputs of the model."""
    params = {path: given[path] for path in getattr(net, "PARAMETERS", ())}
    arguments = [*([params] if params else []), *(given[name] for name in net.GRAPH["inputs"])]
    if function == "forward":
        found = net.forward(*arguments, **sizes)
        outs = found if hasattr(found, "_fields") else found[0]
        return [np.asarray(getattr(outs, name)) for name in net.GRAPH["outputs"]]
    named: dict[str, Any] = {**sizes}
    for word, keyword in (("ct.", "cotangents"), ("t.", "tangents")):
        directions = {n.removeprefix(word): v for n, v in given.items() if n.startswith(word)}
        if directions:
            named[keyword] = directions
    return leaves(getattr(net, function)(*arguments, **named))


@pytest.mark.parametrize("dtype", ["float64", long("float32")])
@pytest.mark.parametrize("name", GRAPHS)
def test_values_and_derivatives_are_those_of_the_module(name: str, dtype: str) -> None:
    """To 1e-12, in float32 to 1e-6 of the largest element, in onnxruntime and the reference.

    In float32 with the weights that a net begins with: of others rounding alone may take more.
    """
    text, accuracy = GRAPHS[name], {"float64": 1e-12, "float32": 1e-6}[dtype]
    net = graphc.compile_text(text, name, level=0, dtype=dtype).module()
    begins = first_weights(net) if dtype == "float32" else {}
    for function in ("forward", *derived(text)):
        model = exported(text, function, dtype)
        given = drawn(model, dtype) | begins
        wanted = expected(net, function, given)
        for found in ran(model, {one.name: given[one.name] for one in model.graph.input}):
            assert len(found) == len(wanted), function
            for one, other in zip(found, wanted, strict=True):
                largest = np.max(np.abs(other), initial=0.0)
                within = accuracy * (largest or 1.0)
                np.testing.assert_allclose(one, other, rtol=accuracy, atol=within)


@pytest.mark.long
@pytest.mark.parametrize("name", GRAPHS)
def test_float32_is_as_near_to_float64_as_numpy_is(name: str) -> None:
    """Of weights of any size, of which float32 itself takes more digits in an attention."""
    text = GRAPHS[name]
    nets = [graphc.compile_text(text, name, level=0, dtype=one).module()
            for one in ("float64", "float32")]  # fmt: skip
    for function in derived(text):
        model = exported(text, function, "float32")
        given = drawn(model, "float32")
        double = {n: v if v.dtype == np.int64 else v.astype(np.float64) for n, v in given.items()}
        exact = expected(nets[0], function, double)
        own = largest_error(expected(nets[1], function, given), exact)
        for found in ran(model, given):
            assert largest_error(found, exact) < 2 * own + 1e-6, function


def first_weights(net: Any) -> dict[str, Any]:
    if not hasattr(net, "init"):
        return {}
    dims = {name: SIZES[name] for name in inspect.signature(net.init).parameters if name in SIZES}
    weights: dict[str, Any] = net.init(seed=0, **dims)
    return weights


def derived(text: str) -> list[str]:
    clauses = [line.split() for line in text.splitlines() if line.startswith("derive")]
    return [one[-1] if "as" in one else f"{one[1]}_{one[2]}" for one in clauses]


def largest_error(found: list[Any], exact: list[Any]) -> float:
    """Relative to the largest element of each."""
    return max(
        float(np.max(np.abs(one - other)) / (np.max(np.abs(other)) or 1.0))
        for one, other in zip(found, exact, strict=True)
    )


def exported(text: str, function: str, dtype: str = "float64", **named: Any) -> Any:
    graph = graphc.compile_text(text, "net", level=0, dtype=dtype)
    return graphc.export_onnx(graph, function, **named)


def ran(model: Any, given: dict[str, Any]) -> list[list[Any]]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [session.run(None, given), ReferenceEvaluator(model).run(None, given)]


def test_names_stay_and_axes_are_open() -> None:
    model = exported(PERCEPTRON, "value_and_grad_loss")
    graph = model.graph
    assert [one.name for one in graph.input][:3] == ["x", "t", "up.W"]
    assert [axis.dim_param or axis.dim_value for axis in
            graph.input[0].type.tensor_type.shape.dim] == ["B", 8]  # fmt: skip
    assert [one.name for one in graph.output][:2] == ["loss", "d.up.W"]
    made = {name for node in graph.node for name in node.output}
    assert {"h", "y", "branch", "p"} <= made


def test_a_loop_is_a_scan_whatever_its_length() -> None:
    model = exported(RECURRENT, "gradient")
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("Scan") == 2  # there and back
    net = graphc.compile_text(RECURRENT, "net", level=0).module()
    params = net.init(seed=0)
    for steps in (1, 7):
        x = np.random.default_rng(steps).normal(size=(2, steps, 3))
        wanted = leaves(net.gradient(params, x))
        for found in ran(model, {**params, "x": x}):
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


UNTIL = """dim T
input a
input xs: [T, 2]
scan newton[i in 50] carry y = a {
    better = (y + a / y) / 2
    until abs(better - y) < 1e-12
    next y = better
    collect ys = better
}
scan rows[t in T] carry h = zeros([2]) {
    g = tanh(h + xs[t]) * y
    until sum(g) > 1.5
    next h = g
    collect hs = g
    collect taken = 1
}
output root = y
output e = sum(h**2) + sum(hs * hs) + sum(ys[:6])
output hs, taken
derive value_and_grad e wrt a, xs as gradient
derive jvp e wrt a, xs as push
"""


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_loop_that_ends_where_a_value_says_so_is_a_loop(steps: int) -> None:
    """Rows of steps that are not taken are 0, forwards and backwards."""
    net = graphc.compile_text(UNTIL, "until", level=0).module()
    for function in ("forward", "gradient", "push"):
        model = exported(UNTIL, function)
        given = drawn(model, "float64")
        given |= {"a": np.array(2.0), "xs": np.full((steps, 2), 0.4)}
        given |= {"t.xs": np.full((steps, 2), 0.3)} if "t.xs" in given else {}
        wanted = expected(net, function, given)
        for found in ran(model, given):
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_a_dim_that_no_input_has_is_an_input() -> None:
    model = exported("dim T\ninput x: [2]\noutput y = sum(arange(T) / T) * sum(x)\n", "forward")
    assert [one.name for one in model.graph.input] == ["x", "T"]
    for (found,) in ran(model, {"x": np.array([1.0, 2.0]), "T": np.array(4)}):
        assert found == pytest.approx(1.5 * 3, abs=1e-15)


@pytest.mark.parametrize(
    ("text", "function", "message"),
    [
        ("input x: [2, 2]\noutput y = inv(x)", "forward", "`inv` has no counterpart in ONNX"),
        ("input x: [2]\noutput y = x", "grad_y", "no function `grad_y` is derived"),
        (
            "input x: [2]\noutput y = x * x\nderive sparse_jacobian y wrt x as J",
            "J",
            "a sparse matrix has no counterpart in ONNX",
        ),
    ],
)
def test_what_onnx_lacks_is_told(text: str, function: str, message: str) -> None:
    with pytest.raises(graphc.GraphError) as raised:
        exported(text, function)
    assert message in str(raised.value)


def test_the_command_writes_a_model_with_its_weights(tmp_path: Path) -> None:
    text = "input x: [3]\nparam w: [3]\noutput y = sum(w * x)\n"
    (tmp_path / "net.graph").write_text(text, "utf-8")
    np.savez(tmp_path / "w.npz", w=np.array([1.0, 2.0, 3.0]))
    arguments = [
        "export",
        "--onnx",
        str(tmp_path / "net.graph"),
        "--params",
        str(tmp_path / "w.npz"),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    model = onnx.load(tmp_path / "net.onnx")
    assert [one.name for one in model.graph.input] == ["x"]
    for (found,) in ran(model, {"x": np.ones(3)}):
        assert found == 6.0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"v": np.ones(3)}, "there is no parameter `v`"),
        ({"x": np.ones(3)}, "there is no parameter `x`"),
        ({"w": np.ones(4)}, "`w` is float64[4], expected float[3]"),
        ({"w": np.ones((3, 1))}, "`w` is float64[3, 1], expected float[3]"),
        ({"w": "many"}, "expected float[3]"),
        ("w.npz", "params: expected a dict by path, as load_parameters reads, found str"),
    ],
)
def test_weights_that_do_not_fit_are_told(params: Any, message: str) -> None:
    text = "input x: [3]\nparam w: [3]\noutput y = sum(w * x)\n"
    with pytest.raises((graphc.GraphError, TypeError)) as raised:
        exported(text, "forward", params=params)
    assert message in str(raised.value)


def test_a_model_that_was_exported_is_imported_again() -> None:
    imported = graphc.import_onnx(exported(MIXTURE, "value_and_grad_loss"))
    net = imported.compile().module()
    was = graphc.compile_text(MIXTURE, "net", level=0).module()
    random = np.random.default_rng(0)
    x, mu, log_sigma = random.normal(size=(5, 2)), random.normal(size=(2, 2)), np.zeros((2, 2))
    logits = np.array([0.3, -0.1])
    params = {"mu": mu, "log_sigma": log_sigma, "logits": logits}
    wanted = leaves(was.value_and_grad_loss(params, x))
    found = net.forward(x=x, **params)
    outs = found if hasattr(found, "_fields") else found[0]
    for one, other in zip(outs, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
