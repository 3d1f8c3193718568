"""Exported models for CasADi: names, and nodes that its own reader knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from test_export_onnx import PERCEPTRON, drawn, exported, ran

import graphc


def test_names_are_those_of_casadi_where_these_are_asked_for() -> None:
    pulled = exported(PERCEPTRON, "pull", casadi=True).graph
    assert [one.name for one in pulled.input][-1] == "adj_p"
    assert [one.name for one in pulled.output] == ["p", "adj_x"]
    pushed = exported(PERCEPTRON, "push", casadi=True).graph
    assert [one.name for one in pushed.input][-1] == "fwd_x"
    assert [one.name for one in pushed.output] == ["p", "fwd_p"]


@pytest.mark.filterwarnings("ignore")
def test_casadi_differentiates_by_the_names_that_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    casadi: Any = pytest.importorskip(
        "casadi", reason="CasADi is a peer of the benchmarks, of 100 MB: pip install casadi"
    )
    (library,) = (Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*")
    monkeypatch.setenv("CASADI_ONNXRUNTIME_LIB", str(library))
    monkeypatch.chdir(tmp_path)
    onnx.save(exported(OF_CASADI, "pull", casadi=True), "pull.onnx")
    draw = np.random.default_rng(0)
    x, w = draw.normal(size=(4, 3)), draw.normal(size=3)
    net = graphc.compile_text(OF_CASADI, "net", level=0).module()
    value, wanted = net.value_and_grad_loss({"w": w}, x)
    onnx.save(exported(OF_CASADI, "forward", casadi=True), "net.onnx")
    for path, options in (("pull.onnx", {}), ("net.onnx", {"symbolic": True})):
        loss = casadi.GraphBuilder(path, {}).create("loss", ["x", "w"], ["loss"], options)
        given = casadi.MX.sym("w", 3)
        gradient = casadi.Function("gradient", [given], [casadi.gradient(loss(x, given), given)])
        np.testing.assert_allclose(float(loss(x, w)), value, rtol=1e-12)
        np.testing.assert_allclose(np.asarray(gradient(w)).ravel(), wanted["w"], rtol=1e-12)


OF_CASADI = """input x: [4, 3]
param w: [3]
y = tanh(x @ w) + sum(x, axis=1)
output loss = mean(y**2) + x[1] @ w + sum(mean(x, axis=0, keepdims=true) * w)
derive vjp loss wrt x, w as pull
derive value_and_grad loss wrt w
"""


def test_what_casadi_cannot_read_is_written_otherwise() -> None:
    for function in ("forward", "pull", "value_and_grad_loss"):
        plain = exported(OF_CASADI, function)
        model = exported(OF_CASADI, function, casadi=True)
        operators = {node.op_type for node in model.graph.node}
        assert not operators & {"Squeeze", "Expand", "ReduceMean", "ReduceSum"}
        given = drawn(plain, "float64")
        wanted = ran(plain, given)[1]
        for found in ran(model, {n.replace("ct.", "adj_"): v for n, v in given.items()}):
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)
