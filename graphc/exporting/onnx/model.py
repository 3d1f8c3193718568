"""A graph, or a derived function of it, as an ONNX model that its own checker has looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from graphc import __version__
from graphc.compile.clauses import cheapest
from graphc.compile.functions import begin_of
from graphc.compile.graphs import candidates
from graphc.compile.stages import Compilation
from graphc.elaborate.names.model import Derivation, Model
from graphc.exporting.onnx.casadi import readable_by_casadi
from graphc.exporting.onnx.nodes import write_nodes
from graphc.exporting.onnx.writing import Shared, Writing
from graphc.ir.graph import COTANGENT, TANGENT, Graph, Node
from graphc.ir.results import ResultKey
from graphc.optimise.passes import PASSES, rewritten
from graphc.plan.signature import Entry
from graphc.source import GraphError, error, near_or_all

OPSET = 18
IR_VERSION = 9
FORWARD = "forward"


def export_onnx(
    compilation: Compilation,
    function: str = FORWARD,
    weights: Mapping[str, Any] | None = None,
    casadi: bool = False,
) -> Any:
    """Return the model of `forward`, or of a function that is derived, by its name.

    Parameters are inputs, but those in `weights` are initialisers. Results are called by outputs
    and paths: `loss`, `d.W`, `J.y.x`; as CasADi calls them they are `adj_…` and `fwd_…`.

    Raises GraphError where ONNX has nothing for an operation.
    """
    model = compilation.stated
    with compilation.open():
        begin = begin_of(model)
        graph = _graph(compilation, model, function)
        made = _model(model, graph, begin, function, weights or {}, casadi)
    made = readable_by_casadi(made) if casadi else made
    onnx.checker.check_model(made, full_check=True)
    return made


def functions_of(model: Model) -> list[str]:
    return [FORWARD, *(one.name for one in model.derivations)]


def _graph(compilation: Compilation, model: Model, function: str) -> Graph:
    """Return the graph of a function, of a Jacobian in its cheapest mode."""
    if function == FORWARD:
        outputs = {ResultKey("value", d.name): d.node for d in model.outputs}
        return rewritten(Graph(model.name, outputs, model.names), PASSES)
    found: Derivation | None = next((d for d in model.derivations if d.name == function), None)
    if found is None:
        near = near_or_all(function, functions_of(model), "there are")
        message = f"no function `{function}` is derived"
        raise GraphError([error("E812", message, None, help=near)])
    if found.kind.returns == "sparse":
        raise GraphError([error("E812", "a sparse matrix has no counterpart in ONNX", found.span)])
    made = candidates(model, found, compilation.options)
    return made[cheapest({mode: one.cost for mode, one in made.items()})].graph


def _model(
    model: Model,
    graph: Graph,
    begin: Entry,
    function: str,
    weights: Mapping[str, Any],
    casadi: bool,
) -> Any:
    shared = Shared(model.dtype)
    w = Writing(shared, {})
    declared = {d.node: d.name for d in (*model.inputs, *model.params)}
    held = _held(model, weights, shared.float)
    inputs: list[Any] = []
    for node, name in declared.items():
        shared.taken.add(name)
        w.values[node] = name
        if name in held:
            shared.initializers.append(numpy_helper.from_array(held[name], name))
        else:
            inputs.append(_info(shared, name, node))
    for node in graph.nodes:
        if node.op in (COTANGENT, TANGENT):
            word = {COTANGENT: "adj" if casadi else "ct", TANGENT: "fwd" if casadi else "t"}[
                node.op
            ]
            name = shared.name(f"{word}{'_' if casadi else '.'}{node.attrs['name']}")
            w.values[node] = name
            inputs.append(_info(shared, name, node))
    inputs += _dims(w, begin)
    outputs = {key: _label(key, casadi) for key in graph.results}
    reserved = {*outputs.values()}
    shared.taken |= reserved
    names = {node: name for node, name in graph.names.items() if name not in reserved}
    write_nodes(w, graph.nodes, names)
    infos = []
    for key, node in graph.results.items():
        name = outputs[key]
        w.nodes.append(helper.make_node("Identity", [w.values[node]], [name]))
        infos.append(_info(shared, name, node))
    made = helper.make_graph(
        w.nodes, model.name, inputs, infos, shared.initializers, doc_string=model.doc
    )
    return helper.make_model(
        made,
        producer_name="graphc",
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        doc_string=function,
    )


def _held(
    model: Model, weights: Mapping[str, Any], dtype: np.dtype[Any]
) -> dict[str, np.ndarray[Any, Any]]:
    """Return values of parameters that become a part; raises GraphError where they do not fit."""
    params = {one.name: one.node for one in model.params}
    found = {}
    for name, value in weights.items():
        if name not in params:
            near = near_or_all(name, params, "there are")
            raise GraphError([error("E812", f"there is no parameter `{name}`", None, help=near)])
        array, type = np.asarray(value), params[name].type
        sizes = [axis.constant for axis in type.shape]
        fits = len(sizes) == array.ndim and all(
            size in (None, n) for size, n in zip(sizes, array.shape, strict=True)
        )
        if not fits or array.dtype.kind not in "fiu":
            kind = f"{array.dtype}{[*array.shape]}"
            raise GraphError([error("E812", f"`{name}` is {kind}, expected float{type}", None)])
        found[name] = array.astype(dtype)
    return found


def _info(shared: Shared, name: str, node: Node) -> Any:
    sizes = [axis.constant if axis.constant is not None else str(axis) for axis in node.shape]
    return helper.make_tensor_value_info(name, shared.element(node.type.dtype), sizes)


def _dims(w: Writing, begin: Entry) -> list[Any]:
    """Say where sizes come from: an axis of an input, or an input of their own."""
    found = []
    for name in begin.keywords:
        w.shared.taken.add(name)
        w.sizes[name] = name
        found.append(helper.make_tensor_value_info(name, onnx.TensorProto.INT64, []))
    for one in begin.bindings:
        whole = w.add("Shape", w.values[one.source.node], start=one.axis, end=one.axis + 1)
        size = w.add("Squeeze", whole, w.constant([0]), name=one.dim)
        if not one.plain:
            size = w.add("Sub", size, w.size(one.offset), name="size")
            size = w.add("Div", size, w.constant(one.factor), name=one.dim)
        w.sizes[one.dim] = size
    return found


def _label(key: ResultKey, casadi: bool) -> str:
    """Return what a result is called."""
    if not casadi:
        return key.label
    match key.kind:
        case "value":
            return key.of
        case "gradient":
            return f"adj_{key.by}"
        case "tangent":
            return f"fwd_{key.of}"
        case "jacobian":
            return f"jac_{key.of}_{key.by}"
        case "hessian":
            return f"hess_{key.of}_{key.by}"
    return key.label.replace(".", "_")
