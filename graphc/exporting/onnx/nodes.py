"""From a node of the graph to nodes of ONNX: by what its kernel is, and loops as Scan and Loop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphc.exporting.onnx.arrays import CALLS, reduce, running
from graphc.exporting.onnx.elementwise import FORMULAS, LACKING, WHOLE
from graphc.exporting.onnx.loops import write_loop
from graphc.exporting.onnx.places import put, take, view
from graphc.exporting.onnx.writing import Writing, refused
from graphc.ir.graph import Node
from graphc.ir.kernel import Arg, Attr, Call, Elementwise, Put, Reduce, Running, Take, View
from graphc.ir.loop import LOOP, RESULT

ORDER = ("bool", "int", "float").index
"""Types of numbers: each holds those before it."""


def write_nodes(w: Writing, nodes: Iterable[Node], names: dict[Node, str]) -> None:
    """Write nodes in order; those that have a name are called so."""
    for node in nodes:
        if node in w.values:
            continue
        if node.op is LOOP:
            write_loop(w, node, write_nodes)
        elif node.op is RESULT:
            w.values[node] = w.shared.ends[node.args[0]][node.attrs["number"]]
        else:
            found = write_node(w, node)
            w.values[node] = _called(w, found, names.get(node))


def _called(w: Writing, found: str, name: str | None) -> str:
    """Give the output that was just written the name of its node."""
    if not name or not w.nodes or w.nodes[-1].output[0] != found or name in w.shared.taken:
        return found
    w.shared.taken.add(name)
    w.nodes[-1].output[0] = name
    for one, other in list(w.dims.items()):
        if other == found:
            w.dims[one] = name
    return name


def write_node(w: Writing, node: Node) -> str:
    """Write a node; returns the name of its value."""
    inputs = [w.values[arg] for arg in node.args]
    kernel = node.op.kernel
    match node.op.name:
        case "constant":
            return w.constant(node.attrs["value"], node.type.dtype)
        case "dim":
            return w.size(node.attrs["value"])
        case "cast_float" | "cast_int":
            return w.cast(inputs[0], node.type.dtype)
        case "at_least_one":
            return w.add("Max", inputs[0], w.constant(1))
    match kernel:
        case Elementwise():
            return _function(w, node, kernel, inputs)
        case Reduce():
            return reduce(w, node, kernel.name, inputs[0])
        case Running():
            return running(w, node, kernel.name, inputs[0])
        case View():
            return view(w, node, kernel.place, inputs[0])
        case Take():
            return take(w, node, kernel.place, inputs[0], inputs[1:])
        case Put():
            return put(w, node, kernel, inputs)
        case Call() if kernel.name in CALLS:
            return CALLS[kernel.name](w, node, inputs)
    raise refused(f"`{node.op.name}`", node)


def _function(w: Writing, node: Node, kernel: Elementwise, inputs: list[str]) -> str:
    """Write a function of numbers, and those inside of it."""
    whole = all(arg.type.dtype == "int" for arg in node.args) and node.type.dtype == "int"
    kinds = [arg.type.dtype for arg in node.args]
    common = max(kinds, key=ORDER) if node.type.dtype == "bool" else node.type.dtype

    def read(slot: int, function: str) -> str:
        """Return an argument, in the type that all have; a condition stays one."""
        chooses = function == "where" and slot == 0
        if kinds[slot] == common or chooses:
            return inputs[slot]
        return w.cast(inputs[slot], common)

    def write(one: Any, function: str = "") -> Any:
        match one:
            case Arg():
                return read(one.slot, function)
            case Attr():
                number = node.attrs[one.name]
                return number if function in LACKING else w.constant(number, "float")
            case Elementwise():
                operands = one.operands or tuple(Arg(slot) for slot in range(len(inputs)))
                formula = (WHOLE.get(one.name) if whole else None) or FORMULAS.get(one.name)
                if formula is None:
                    raise refused(f"`{node.op.name}`", node)
                return formula(w, *(write(operand, one.name) for operand in operands))
        return w.constant(one, "int" if whole else "float")

    name: str = write(kernel)
    return name
