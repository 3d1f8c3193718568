"""From an ONNX graph to a sheet: what is known stays an array of numbers or dims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import onnx
from onnx import helper, numpy_helper

from graphc.elaborate.names.scope import Mistake
from graphc.importing.items import ModuleCall, Value
from graphc.importing.onnx.evaluating import folded
from graphc.importing.onnx.modules import AUTOMATIC, is_made_up, parts_of
from graphc.importing.sheet import Sheet
from graphc.ir.dims import Dim
from graphc.source import Source, Span

Given = Any
"""What a node is given: an array of numbers, or of dims as objects, a Value, or None."""
Handler = Callable[..., Any]
OPERATORS: dict[str, Handler] = {}
"""What each operator is: called with the node and its inputs, it gives what it makes."""
SomeHandler = TypeVar("SomeHandler", bound=Handler)
FLOAT, INT64, BOOL = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL


def of(*names: str) -> Callable[[SomeHandler], SomeHandler]:
    """Return a decorator that says what operators are."""

    def register(handler: SomeHandler) -> SomeHandler:
        for name in names:
            OPERATORS[name] = handler
        return handler

    return register


class Node:
    """A node that is being read: its attributes, and the sheet that it is written on."""

    def __init__(self, reading: Reading, proto: Any) -> None:
        self.reading, self.proto = reading, proto
        self.op, self.outputs = proto.op_type, list(proto.output)
        self.attributes = {one.name: _attribute(one) for one in proto.attribute}

    @property
    def sheet(self) -> Sheet:
        return self.reading.sheet

    def get(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)

    def mistake(self, message: str, help: str | None = None) -> Mistake:
        return self.sheet.mistake(message, help)

    # ---- inputs ----------------------------------------------------------------------------------

    def value(self, given: Given) -> Any:
        """Return an input as the sheet takes it: a value or a number."""
        if isinstance(given, Value):
            return given
        if given is None:
            raise self.mistake(f"`{self.op}` lacks an input that it needs")
        array = np.asarray(given)
        if array.dtype == object:
            if array.ndim:
                return self.sheet.call("stack", *(self.sheet.draw.expr(one) for one in array))
            return array.item()
        return array.item() if not array.ndim else self.reading.constant(array)

    def typed(self, given: Given) -> Value:
        found = self.value(given)
        return found if isinstance(found, Value) else self.sheet.value(self.sheet.draw.expr(found))

    def known(self, given: Given, what: str) -> Any:
        """Return an input that has to be known when the file is written."""
        if not isinstance(given, Value):
            return given
        names = self.reading.sources.get(given.key, frozenset())
        if names and names <= self.reading.examples.keys():
            raise Needed(names)
        of = ", ".join(f"`{name}`" for name in sorted(names)) or "weights"
        raise self.mistake(
            f"{what} of `{self.op}` decides on shapes, and is computed of {of}",
            "give the values of these when importing",
        )

    def sizes(self, given: Given, what: str) -> list[Any]:
        """Return a list of whole numbers or dims."""
        found = self.known(given, what)
        return [one if isinstance(one, Dim) else int(one) for one in np.asarray(found).ravel()]

    def number(self, given: Given, what: str) -> Any:
        return np.asarray(self.known(given, what)).ravel()[0]


class Reading:
    """A model that is being read; `examples` are values of inputs, taken where they are needed."""

    def __init__(self, sheet: Sheet, examples: Mapping[str, Any], opset: int) -> None:
        self.sheet, self.examples, self.opset = sheet, examples, opset
        self.sources: dict[str, frozenset[str]] = {}  # the inputs that a value is computed of
        self.arrays: list[tuple[np.ndarray[Any, Any], Value]] = []
        self.functions: dict[tuple[str, str], Any] = {}
        self.functions_read = 0  # how many of the model's own are being read

    def constant(self, array: np.ndarray[Any, Any], name: str = "constant") -> Value:
        for held, value in self.arrays:
            if held is array:
                return value
        value = self.sheet.array(array, name)
        self.arrays.append((array, value))
        return value

    def read(
        self, graph: Any, given: Mapping[str, Given], text: Source | None = None
    ) -> dict[str, Given]:
        """Read the nodes of a graph; returns what all names in it stand for."""
        found = dict(given)
        starts = text.line_starts if text is not None else ()
        for number, proto in enumerate(graph.node):
            place = self.sheet.place
            if text is not None:
                place = Span(text, starts[number], starts[number] + len(text.line(number + 1)))
            with self.sheet.at(place), self.sheet.within(*parts_of(proto)):
                inputs = [found[name] if name else None for name in proto.input]
                node = Node(self, proto)
                node.attributes["scope"] = found
                self.call_weights(node, inputs)
                try:
                    made = self.node(node, inputs)
                except Mistake as wrong:
                    self.sheet.book.report(wrong.diagnostic)
                    raise Stopped from None
                of = [
                    self.sources.get(one.key, frozenset())
                    for one in inputs
                    if isinstance(one, Value)
                ]
                for name, one in zip(proto.output, made, strict=False):
                    found[name] = one
                    if isinstance(one, Value):
                        self.sources.setdefault(one.key, frozenset().union(*of))
                    if isinstance(one, Value) and name and not is_made_up(name, proto):
                        if self.functions_read:
                            self.sheet.call_it(one, name)
                        else:
                            self.sheet.book.names.setdefault(one.key, name)
        return found

    def call_weights(self, node: Node, inputs: Sequence[Given]) -> None:
        """Call weights whose names are made up after the module that takes them first."""
        names, parts = self.sheet.book.names, self.sheet.parts
        for place, one in enumerate(inputs):
            if not (parts and isinstance(one, Value) and one.key in self.sheet.book.arrays):
                continue
            word = "bias" if place == 2 or node.op == "Add" else "weight"
            called = f"{parts[-1].path}.{word}"
            if AUTOMATIC.fullmatch(names[one.key]) and called not in names.values():
                names[one.key] = called

    def node(self, node: Node, inputs: list[Given]) -> list[Given]:
        """Read a node: computed where all is known, by its operator, or by those that define it."""
        known = all(isinstance(one, np.ndarray) or one is None for one in inputs)
        plain = known and all(one is None or one.dtype != object for one in inputs)
        if plain and node.op not in ("If", "Loop", "Scan") and not node.op.startswith("Random"):
            results = folded(node.proto, inputs, self.opset)
            if results is not None:
                return results
        handler = OPERATORS.get(node.op) if node.proto.domain in ("", "ai.onnx") else None
        if handler is not None:
            made = handler(node, *inputs)
            return made if isinstance(made, list) else [made]
        function = self.function(node, inputs)
        if function is None:
            raise node.mistake(f"the operator `{node.op}` has no counterpart in the language")
        names = dict(zip(function.input, inputs, strict=False))
        for missing in list(function.input)[len(inputs) :]:
            names[missing] = None
        attributes = {one.name: one for one in node.proto.attribute}
        for one in function.attribute_proto:
            attributes.setdefault(one.name, one)
        opset = self.opset
        parts = [ModuleCall("", node.op, node.proto.output[0])] if self.is_own(node) else []
        self.opset = max(
            (one.version for one in function.opset_import if not one.domain), default=opset
        )
        try:
            with self.sheet.within(*parts):
                self.functions_read += len(parts)
                if parts:
                    given = [one for one in names.items() if isinstance(one[1], Value)]
                    self.sheet.enter(parts[0], given)
                found = self.read(_bound(function, attributes), names)
                self.functions_read -= len(parts)
        finally:
            self.opset = opset
        return [found.get(name) for name in function.output]

    def is_own(self, node: Node) -> bool:
        """True if a node is a use of a function of the model's own."""
        return (node.proto.domain, node.op) in self.functions

    def function(self, node: Node, inputs: list[Given]) -> Any:
        """Return the function that defines an operator, of the model or of the standard."""
        if self.is_own(node):
            return self.functions[node.proto.domain, node.op]
        try:
            schema: Any = onnx.defs.get_schema(node.op, self.opset, node.proto.domain)
        except onnx.defs.SchemaError:
            return None
        if schema.has_function:
            return schema.function_body
        if not schema.has_context_dependent_function:
            return None
        types = [_type_of(one).SerializeToString() for one in inputs]
        versions = schema.context_dependent_function_opset_versions
        fitting = [one for one in versions if one <= self.opset] or versions
        made = schema.get_context_dependent_function_with_opset_version(
            max(fitting), node.proto.SerializeToString(), types
        )
        function = onnx.FunctionProto()
        function.ParseFromString(made)
        return function if function.node else None


class Needed(Exception):
    """Values of inputs are needed, on which shapes depend."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(*names)
        self.names = names


class Stopped(Exception):
    """A node could not be read; its mistake is told."""


def _type_of(given: Given) -> Any:
    if given is None:
        return onnx.TypeProto()
    if isinstance(given, Value):
        kind = {
            "float": onnx.TensorProto.FLOAT,
            "int": onnx.TensorProto.INT64,
            "bool": onnx.TensorProto.BOOL,
        }
        shape = [axis.constant if axis.constant is not None else str(axis) for axis in given.shape]
        return helper.make_tensor_type_proto(kind[given.dtype], shape)
    array = np.asarray(given)
    if array.dtype == object:
        return helper.make_tensor_type_proto(INT64, array.shape)
    return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def _bound(function: Any, attributes: Mapping[str, Any]) -> Any:
    """Return a function's nodes, with the attributes that its use gives them."""
    graph = onnx.GraphProto()
    for proto in function.node:
        node = graph.node.add()
        node.CopyFrom(proto)
        kept = []
        for one in node.attribute:
            if not one.ref_attr_name:
                kept.append(one)
            elif one.ref_attr_name in attributes:
                given = onnx.AttributeProto()
                given.CopyFrom(attributes[one.ref_attr_name])
                given.name = one.name
                kept.append(given)
        copies = [onnx.AttributeProto.FromString(one.SerializeToString()) for one in kept]
        del node.attribute[:]
        node.attribute.extend(copies)
    return graph


def _attribute(one: Any) -> Any:
    found = helper.get_attribute_value(one)
    if isinstance(found, bytes):
        return found.decode()
    if isinstance(found, onnx.TensorProto):
        return numpy_helper.to_array(found)
    return found
