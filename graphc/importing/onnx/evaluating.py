"""What the reference of ONNX makes of arrays that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator


def folded(proto: Any, inputs: Sequence[Any], opset: int) -> list[Any] | None:
    """Return what a node makes of arrays, by the reference; None where that cannot be said."""
    names = [name for name in proto.input if name]
    arrays = [one for one in inputs if one is not None]
    if len(names) != len(arrays):
        return None
    try:
        infos = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(one.dtype), one.shape
            )
            for name, one in zip(names, arrays, strict=True)
        ]
        outs = [onnx.ValueInfoProto(name=name) for name in proto.output if name]
        graph = helper.make_graph([proto], "folded", infos, outs)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(proto.domain, opset)])
        made = ReferenceEvaluator(model).run(None, dict(zip(names, arrays, strict=True)))
    except Exception:  # what the reference cannot compute is read as any other node
        return None
    found = iter(made)
    results = [next(found) if name else None for name in proto.output]
    if any(one is not None and not isinstance(one, np.ndarray | np.generic) for one in results):
        return None
    return [None if one is None else np.asarray(one) for one in results]


def resized_unit(
    attributes: Mapping[str, Any],
    size: int,
    into: int,
    scale: float | None,
    part: tuple[float, float],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:  # fmt: skip
    """Return the matrix that `Resize` is along an axis, and what it adds, by the reference."""
    kept = {
        name: one for name, one in attributes.items()
        if name not in ("axes", "scope", "scales", "keep_aspect_ratio_policy")
    }  # fmt: skip
    kind = onnx.TensorProto.INT64 if scale is None else onnx.TensorProto.FLOAT
    sizes = ["", "sizes"] if scale is None else ["scales"]
    made = helper.make_node("Resize", ["x", "roi", *sizes], ["y"], axes=[0], **kept)
    infos = [
        helper.make_tensor_value_info("x", onnx.TensorProto.DOUBLE, [size, size]),
        helper.make_tensor_value_info("roi", onnx.TensorProto.DOUBLE, [2]),
        helper.make_tensor_value_info(sizes[-1], kind, [1]),
    ]
    graph = helper.make_graph([made], "resized", infos, [onnx.ValueInfoProto(name="y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])
    by = np.array([into]) if scale is None else np.array([scale], np.float32)
    given = {"roi": np.array(part), sizes[-1]: by}
    evaluate: Any = ReferenceEvaluator(model).run
    moved, added = (
        np.asarray(evaluate(None, {"x": one, **given})[0])
        for one in (np.eye(size), np.zeros((size, size)))
    )
    return moved - added, added[:, 0]
