"""The same model without what CasADi's own reader of ONNX lacks or reads as something else.

CasADi 3.8 computes a model by onnxruntime, or reads it as expressions of its own (`symbolic`). To
that reader `Squeeze`, `Expand` and `ReduceMean` are unknown, a vector is a column in any product,
and a sum along an axis is the sum of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

LETTERS = "abcdefgh"
PRODUCTS: dict[tuple[int, ...], str] = {(2, 1): "ab,b->a", (1, 1): "a,a->"}
"""Products with a vector behind, by the axes of both."""

FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)


class Kind(NamedTuple):
    shape: tuple[int, ...]
    element: int


def readable_by_casadi(model: Any) -> Any:
    """Return the model with these nodes written otherwise, where their shapes are known."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    made = onnx.ModelProto()
    made.CopyFrom(model)
    written = Rewritten(made.graph, _kinds(inferred.graph))
    for node in model.graph.node:
        written.add(node)
    del made.graph.node[:]
    made.graph.node.extend(written.nodes)
    return made


def _kinds(graph: Any) -> dict[str, Kind]:
    """Return shapes and types by name, of those whose sizes are numbers."""
    found = {one.name: Kind(tuple(one.dims), one.data_type) for one in graph.initializer}
    for one in (*graph.input, *graph.value_info, *graph.output):
        tensor = one.type.tensor_type
        if all(axis.HasField("dim_value") for axis in tensor.shape.dim):
            sizes = tuple(axis.dim_value for axis in tensor.shape.dim)
            found[one.name] = Kind(sizes, tensor.elem_type)
    return found


class Rewritten:
    """The nodes of a graph as they are written again, and its constants."""

    def __init__(self, graph: Any, kinds: Mapping[str, Kind]) -> None:
        self.graph, self.kinds = graph, kinds
        self.arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        self.nodes: list[Any] = []

    def add(self, node: Any) -> None:
        """Write a node, or others with its output."""
        known = all(name in self.kinds for name in (*node.input, *node.output))
        match node.op_type:
            case "Squeeze" if known:
                self._reshape(node.input[0], node.output[0])
            case "Expand" if known:
                kind = self.kinds[node.output[0]]
                ones = np.ones(kind.shape, helper.tensor_dtype_to_np_dtype(kind.element))
                self._write("Mul", [node.input[0], self._constant(ones)], node.output[0])
            case "ReduceSum" | "ReduceMean" if known and self._has_floats(node.input[0]):
                self._sum(node)
            case "MatMul" if known and (equation := PRODUCTS.get(self._ranks(node))):
                self._write("Einsum", node.input, node.output[0], equation=equation)
            case _:
                self.nodes.append(node)

    def _sum(self, node: Any) -> None:
        """Write a sum as a product with ones over letters that go, a mean with shares."""
        x, output = node.input[0], node.output[0]
        shape, element = self.kinds[x]
        given = self.arrays[node.input[1]].ravel() if len(node.input) > 1 else range(len(shape))
        axes = sorted(int(axis) % len(shape) for axis in given)
        letters = LETTERS[: len(shape)]
        gone = "".join(letters[axis] for axis in axes)
        stay = "".join(one for one in letters if one not in gone)
        sizes = [shape[axis] for axis in axes]
        one = 1.0 if node.op_type == "ReduceSum" else 1.0 / np.prod(sizes)
        weights = np.full(sizes, one, helper.tensor_dtype_to_np_dtype(element))
        both = [x, self._constant(weights)]
        found = self._write("Einsum", both, f"{output}/sum", equation=f"{letters},{gone}->{stay}")
        self._reshape(found, output)

    def _has_floats(self, name: str) -> bool:
        kind = self.kinds[name]
        return 0 not in kind.shape and kind.element in FLOATS

    def _ranks(self, node: Any) -> tuple[int, ...]:
        return tuple(len(self.kinds[name].shape) for name in node.input)

    def _reshape(self, x: str, output: str) -> None:
        sizes = np.asarray(self.kinds[output].shape, np.int64)
        self._write("Reshape", [x, self._constant(sizes)], output)

    def _constant(self, value: Any) -> str:
        name = f"constant/{len(self.graph.initializer)}"
        self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def _write(self, operator: str, inputs: Any, output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output
