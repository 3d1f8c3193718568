"""ONNX models as graphs: node cases that ONNX ships, models with weights, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

import graphc
from graphc.cli.app import app
from tests.onnx_conformance import TABLE, cases, cases_of, outcomes, table

SAMPLE = {
    "add": ["test_add_bcast"],
    "averagepool": ["test_averagepool_2d_pads", "test_averagepool_2d_ceil"],
    "clip": ["test_clip"],
    "conv": ["test_conv_with_autopad_same"],
    "cumsum": ["test_cumsum_1d_reverse_exclusive"],
    "einsum": ["test_einsum_batch_diagonal"],
    "gatherelements": ["test_gather_elements_negative_indices"],
    "gemm": ["test_gemm_all_attributes"],
    "gru": ["test_gru_with_initial_bias"],
    "layernormalization": ["test_layer_normalization_2d_axis1"],
    "lstm": ["test_lstm_with_peepholes"],
    "maxpool": ["test_maxpool_2d_dilations"],
    "mod": ["test_mod_mixed_sign_float64"],
    "gathernd": ["test_gathernd_example_int32_batch_dim1"],
    "gridsample": ["test_gridsample_bicubic", "test_gridsample_nearest"],
    "reducel2": ["test_reduce_l2_keep_dims_random"],
    "resize": [
        "test_resize_downsample_scales_cubic_antialias",
        "test_resize_downsample_scales_linear",
        "test_resize_tf_crop_and_resize_extrapolation_value",
        "test_resize_upsample_sizes_nearest_ceil_half_pixel",
    ],
    "scatterelements": [
        "test_scatter_elements_with_duplicate_indices",
        "test_scatter_elements_with_reduction_min",
    ],
    "slice": ["test_slice_negative_axes", "test_slice_neg_steps"],
    "softmax_cross_entropy_loss": ["test_sce_mean_weight_ii"],
    "topk": ["test_top_k_smallest"],
    "where": ["test_where_example"],
}


def test_a_sample_of_node_cases_is_right_and_its_derivatives_are() -> None:
    found = cases_of(*SAMPLE)
    names = [name for group in SAMPLE.values() for name in group]
    wrong = {
        name: one
        for name, one in outcomes(names, found).items()
        if one.value != "right" or one.derivative not in ("right", "")
    }
    assert wrong == {}


@pytest.mark.long
def test_the_table_is_what_becomes_of_all_cases() -> None:
    assert TABLE.read_text("utf-8").endswith(table(outcomes(cases(), cases())))


def test_the_table_adds_up_and_nothing_in_it_is_wrong() -> None:
    text = TABLE.read_text("utf-8")
    said = re.search(r"Of (\d+) cases (\d+) are imported and right, and (\d+) are wrong", text)
    assert said is not None
    rows = re.findall(r"^\| `\w+` \| (\d+) \| (\d*) \| .* \| (\d*) \|$", text, re.MULTILINE)
    whole, right, refused = (sum(int(row[at] or 0) for row in rows) for at in range(3))
    assert (whole, right, 0) == tuple(map(int, said.groups()))
    assert whole == right + refused


# ---- models -------------------------------------------------------------------------------------


def model_of(nodes: list[Any], inputs: Any, outputs: Any, weights: dict[str, Any]) -> Any:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9)


random = np.random.default_rng(0)


def weight(*shape: int) -> Any:
    return random.normal(size=shape).astype(np.float32)


def perceptron() -> Any:
    nodes = [
        helper.make_node("Gemm", ["x", "fc1.weight", "fc1.bias"], ["/fc1/Gemm_output_0"], transB=1),
        helper.make_node("Relu", ["/fc1/Gemm_output_0"], ["hidden"]),
        helper.make_node("Shape", ["hidden"], ["shape"], start=0, end=1),
        helper.make_node("Concat", ["shape", "minus"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["hidden", "wanted"], ["flat"]),
        helper.make_node("MatMul", ["flat", "fc2"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["p"], axis=-1),
    ]
    weights = {
        "fc1.weight": weight(4, 3), "fc1.bias": weight(4), "fc2": weight(4, 2),
        "minus": np.array([-1]),
    }  # fmt: skip
    return model_of(nodes, [("x", ["batch", 3])], ["p"], weights)


def test_a_model_has_its_names_its_open_axes_and_its_weights(tmp_path: Path) -> None:
    model = perceptron()
    imported = graphc.import_onnx(model)
    assert imported.text == (
        "dim batch\n"
        "param fc1_weight: [4, 3]\n"
        "param fc1_bias: [4]\n"
        "param fc2: [4, 2]\n"
        "input x: [batch, 3]\n"
        "hidden = relu(x @ fc1_weight.T + fc1_bias)\n"
        "scores = hidden @ fc2\n"
        "output p = softmax(scores, axis=-1)\n"
    )
    x = weight(5, 3)
    (expected,) = runtime(model).run(None, {"x": x})
    net = imported.compile().module()
    np.testing.assert_allclose(net.forward(imported.params, x)[0].p, expected, rtol=1e-5, atol=1e-6)


def runtime(model: Any) -> Any:
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def test_the_command_imports_a_file_and_writes_its_weights(tmp_path: Path) -> None:
    onnx.save(perceptron(), tmp_path / "net.onnx")
    source, out = str(tmp_path / "net.onnx"), tmp_path / "net.graph"
    done = CliRunner().invoke(app, ["import", source, "-o", str(out)])
    assert done.exit_code == 0, done.stderr
    module = graphc.load(out)
    params = graphc.load_parameters(tmp_path / "net.npz", module)
    assert module.forward(params, np.ones((2, 3)))[0].p.sum() == pytest.approx(2.0)


def test_a_scan_stays_one() -> None:
    body = helper.make_graph(
        [
            helper.make_node("Add", ["sum_in", "row"], ["sum_out"]),
            helper.make_node("Mul", ["sum_out", "sum_out"], ["square"]),
        ],
        "body",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("sum_in", "row")],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in ("sum_out", "square")],
    )
    node = helper.make_node(
        "Scan", ["start", "x"], ["end", "squares"], body=body, num_scan_inputs=1
    )
    inputs = [("start", [2]), ("x", ["T", 2])]
    imported = graphc.import_onnx(model_of([node], inputs, ["end", "squares"], {}))
    assert "scan step[t in T] carry end = start {" in imported.text
    out = imported.compile().module().forward([1.0, 0.0], [[1.0, 2.0], [3.0, 4.0]])
    found = out[0]
    assert found.end.tolist() == [5.0, 6.0]
    assert found.squares.tolist() == [[4.0, 4.0], [25.0, 36.0]]


def test_what_shapes_depend_on_is_given_or_asked_for() -> None:
    node = helper.make_node("Tile", ["x", "times"], ["y"])
    graph = helper.make_graph(
        [node],
        "net",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]),
            helper.make_tensor_value_info("times", TensorProto.INT64, [1]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    assert "tile(x, [3])" in graphc.import_onnx(model, times=np.array([3])).text
    with pytest.raises(graphc.GraphError) as raised:
        graphc.import_onnx(model)
    said = str(raised.value)
    assert "the number of repetitions of `Tile` decides on shapes" in said
    assert "computed of `times`" in said
    assert "y = Tile (x, times)" in said
    assert "^^^^" in said


def test_an_operator_that_the_language_lacks_is_told_with_its_node() -> None:
    nodes = [
        helper.make_node("Exp", ["x"], ["a"]),
        helper.make_node("DFT", ["a"], ["y"]),
    ]
    with pytest.raises(graphc.GraphError) as raised:
        graphc.import_onnx(model_of(nodes, [("x", [2, 3, 1])], ["y"], {}))
    (found,) = raised.value.diagnostics
    assert found.message == "the operator `DFT` has no counterpart in the language"
    assert found.span is not None
    assert found.span.line == 2


def test_what_is_no_model_is_one_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no model")
    done = CliRunner().invoke(app, ["import", str(tmp_path / "a.onnx")])
    assert done.exit_code == 1
    assert "is no ONNX model" in done.stderr
    done = CliRunner().invoke(app, ["import", str(tmp_path / "b.onnx")])
    assert done.exit_code == 1
    assert "cannot read" in done.stderr


def layered(node: Any) -> Any:
    """A model of two layers and a head, whose nodes `node` makes of an operator and modules."""
    rng = np.random.default_rng(0)
    nodes, weights, before = [], {}, "x"
    for module, size in (("layers.0", 4), ("layers.1", 4), ("head", 2)):
        weights[f"{module}.weight"] = rng.normal(size=(4, size)).astype(np.float32)
        weights[f"{module}.bias"] = rng.normal(size=size).astype(np.float32)
        for op, given, made in (
            ("MatMul", [before, f"{module}.weight"], f"/{module}/MatMul_output_0"),
            ("Add", [f"/{module}/MatMul_output_0", f"{module}.bias"], f"/{module}/Add_output_0"),
            ("Tanh", [f"/{module}/Add_output_0"], f"/{module}/Tanh_output_0"),
        ):
            nodes.append(node(op, given, [made], module))
            before = made
    nodes[-1].output[0] = "y"
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["B", 2])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def _named(op: str, given: list[str], made: list[str], module: str) -> Any:
    """A node as the exporter of TorchScript names it."""
    words = module.split(".")
    scope = "/".join([words[0], module] if words[1:] else words)
    return helper.make_node(op, given, made, name=f"/{scope}/{op}")


def _noted(op: str, given: list[str], made: list[str], module: str) -> Any:
    """A node with what the exporter of `torch.export` writes beside it."""
    one = helper.make_node(op, given, made, name=f"node_{module}_{op}")
    for key, value in (
        ("pkg.torch.onnx.name_scopes", str(["", module, "linear"])),
        ("pkg.torch.onnx.class_hierarchy", str(["Net", "net.Layer", "aten.linear.default"])),
    ):
        entry = one.metadata_props.add()
        entry.key, entry.value = key, value
    return one


@pytest.mark.parametrize("node", [_named, _noted])
def test_modules_are_blocks_as_exporters_write_them_down(node: Any) -> None:
    model = layered(node)
    imported = graphc.import_onnx(model)
    assert imported.text.endswith(
        "dim B\n"
        "input x: [B, 4]\n"
        "x -> repeat layers[i in 2] { layer } -> layers_out\n"
        "output y = head_layer(layers_out) as head\n"
        if node is _named
        else "dim B\n"
        "input x: [B, 4]\n"
        "x -> repeat layers[i in 2] { layer(4) } -> layers_out\n"
        "output y = layer(layers_out, 2) as head\n"
    )
    assert {"layers.0.weight", "layers.1.bias", "head.weight"} <= imported.params.keys()
    x = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    (wanted,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    found = imported.compile().module().forward(dict(imported.params), x.astype(float))[0].y
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_function_of_the_model_that_is_used_again_is_a_block() -> None:
    function = helper.make_function(
        "own", "Bend", ["u", "w"], ["v"],
        [
            helper.make_node("MatMul", ["u", "w"], ["p"]),
            helper.make_node("Tanh", ["p"], ["q"]),
            helper.make_node("Mul", ["q", "p"], ["r"]),
            helper.make_node("Add", ["r", "u"], ["v"]),
        ],
        [helper.make_opsetid("", 18)],
    )  # fmt: skip
    use = [
        helper.make_node("Bend", ["x", "a"], ["h"], domain="own"),
        helper.make_node("Bend", ["h", "b"], ["y"], domain="own"),
    ]
    given = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, shape)
             for name, shape in (("x", ["B", 3]), ("a", [3, 3]), ("b", [3, 3]))]  # fmt: skip
    out = [helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["B", 3])]
    model = helper.make_model(
        helper.make_graph(use, "net", given, out),
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("own", 1)],
        functions=[function],
    )
    text = graphc.import_onnx(model).text
    assert text.count("block bend") == 1
    assert text.endswith("h = bend(x, a)\noutput y = bend(h, b)\n")
    x, a, b = (np.random.default_rng(2).normal(size=size) for size in ((2, 3), (3, 3), (3, 3)))
    h = np.tanh(x @ a) * (x @ a) + x
    found = graphc.compile_text(text, "net").module().forward(x, a, b)[0].y
    np.testing.assert_allclose(found, np.tanh(h @ b) * (h @ b) + h, rtol=1e-12)


def test_a_cast_to_integers_rounds_towards_zero() -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "i"], ["y"]),
    ]
    x, rows = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in "xt")
    rows.name = "table"
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "net", [x, rows], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    imported = graphc.import_onnx(model)
    assert "i = to_int(x)\n" in imported.text
    given = {"x": np.array([0.9, 2.1, 1.5, -0.9], np.float32), "table": weight(4)}
    (expected,) = runtime(model).run(None, given)
    found = imported.compile(dtype="float32").module().forward(**given)[0]
    np.testing.assert_array_equal(found.y, expected)
