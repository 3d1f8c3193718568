"""An ONNX model to a graph: its inputs and weights declared, its nodes read on a sheet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from graphc.importing.dtypes import KINDS
from graphc.importing.imported import Imported, finished
from graphc.importing.items import Value
from graphc.importing.naming import name_for
from graphc.importing.onnx import (
    elementwise,
    loops,
    losses,
    positions,
    recurrent,
    reductions,
    resizing,
    shapes,
    windows,
)
from graphc.importing.onnx.reading import Given, Needed, Reading, Stopped
from graphc.importing.sheet import Sheet, new_sheet
from graphc.ir.dims import Dim
from graphc.ir.session import Session
from graphc.ir.types import Type
from graphc.source import GraphError, Source, error

FILLING = (
    elementwise, loops, losses, positions, recurrent, reductions, resizing, shapes, windows,
)  # fmt: skip
"""What fills the table of operators when it is imported."""


def import_onnx(
    model: Any, given: Mapping[str, Any] | None = None, name: str = "model"
) -> Imported:
    """Import a model, or the file of one; `given` are values of inputs on which shapes depend.

    Raises GraphError with the node that cannot be said.
    """
    if not isinstance(model, onnx.ModelProto):
        name = Path(model).stem
        model = _loaded(Path(model))
    graph = model.graph
    lines = [" ".join(onnx.printer.to_text(node).split()) for node in graph.node]
    text = Source(f"{name}.onnx", "\n".join(lines) or "\n")
    opset = max(
        (one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=1
    )
    known: frozenset[str] = frozenset()
    while True:
        try:
            with Session().open():
                return _read(model, text, opset, name, given or {}, known)
        except Needed as needed:
            known |= needed.names


def _read(
    model: Any, text: Source, opset: int, name: str, given: Mapping[str, Any], known: frozenset[str]
) -> Imported:
    """Read a model in which these inputs have the values that are given."""
    graph, sheet = model.graph, new_sheet(text)
    reading = Reading(sheet, given, opset)
    reading.functions = {(one.domain, one.name): one for one in model.functions}
    with sheet.collecting():
        found = _declared(reading, sheet, graph, known)
        try:
            made = reading.read(graph, found, text)
        except Stopped:
            raise GraphError(sheet.book.mistakes) from None
        outputs = [_output(reading, sheet, one.name, made[one.name]) for one in graph.output]
    return finished(sheet, outputs, graph.doc_string.partition("\n\n")[0], name)


def _loaded(path: Path) -> Any:
    try:
        return onnx.load(path)
    except OSError:
        raise
    except Exception as wrong:
        message = f"{path} is no ONNX model: {str(wrong).partition(chr(10))[0]}"
        raise GraphError([error("E001", message, None)]) from None


def _declared(
    reading: Reading, sheet: Sheet, graph: Any, known: frozenset[str]
) -> dict[str, Given]:
    """Declare inputs and weights; whole numbers, and numbers alone, are constants."""
    found: dict[str, Given] = {}
    for one in graph.initializer:
        array = numpy_helper.to_array(one)
        if array.dtype.kind == "f" and array.size > 1:
            found[one.name] = sheet.parameter(one.name, array.astype(np.float64))
        else:
            found[one.name] = array
    for one in graph.input:
        if one.name in found:
            continue
        if one.name in known:
            found[one.name] = np.asarray(reading.examples[one.name])
            continue
        tensor = one.type.tensor_type
        if not one.type.HasField("tensor_type"):
            raise sheet.mistake(f"the input `{one.name}` is no tensor")
        value = sheet.declare("input", one.name, _type(sheet, one.name, tensor))
        found[one.name] = value
        reading.sources[value.key] = frozenset({one.name})
    return found


def _type(sheet: Sheet, name: str, tensor: Any) -> Type:
    try:
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except (KeyError, TypeError):
        raise sheet.mistake(f"the input `{name}` is of a type that the language lacks") from None
    kind = "float" if dtype.name == "bfloat16" else KINDS.get(dtype.kind)
    if kind is None or dtype.itemsize == 0:
        raise sheet.mistake(f"the input `{name}` is of {dtype}, which the language lacks")
    if not tensor.HasField("shape"):
        raise sheet.mistake(f"the input `{name}` has no shape")
    axes = []
    for place, axis in enumerate(tensor.shape.dim):
        if axis.HasField("dim_value"):
            axes.append(Dim.of(axis.dim_value))
        else:
            word = axis.dim_param if axis.dim_param.isidentifier() else f"{name}_{place}"
            axes.append(sheet.dim(name_for(word)))
    return Type(kind, tuple(axes))


def _output(reading: Reading, sheet: Sheet, name: str, given: Given) -> tuple[str, Value]:
    if isinstance(given, Value):
        return name, given
    if given is None:
        raise sheet.mistake(f"the output `{name}` is nothing")
    array = np.asarray(given)
    if array.dtype == object:
        return name, sheet.call("stack", *(sheet.draw.expr(one) for one in array.ravel()))
    if not array.ndim:
        return name, sheet.value(sheet.draw.expr(array.item()))
    return name, sheet.array(array, f"{name}_constant")
