"""Loops of the graph as those of ONNX, whose bodies see what is around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
from onnx import helper

from graphc.exporting.onnx.writing import Writing
from graphc.ir.graph import Node
from graphc.ir.loop import Loop, captures_of, limit, loop_arguments, loop_of
from graphc.ir.order import topological
from graphc.ir.types import Type
from graphc.records import dataclass

WriteNodes = Callable[..., None]


def write_loop(w: Writing, node: Node, write: WriteNodes) -> None:
    """Write a loop: as Scan over its positions, or as Loop where values say how many there are."""
    loop = loop_of(node)
    initials, sources, _ = loop_arguments(node)
    step, limited = w.shared.name("step"), limit(node)
    count = w.size(loop.count) if limited is None else w.values[limited]
    inner = Writing(w.shared, {}, w)
    at = step
    if loop.backwards:
        at = inner.add("Sub", inner.add("Sub", count, w.constant(1)), step)
    starts_at_0 = loop.first.constant == 0
    inner.sizes[loop.index] = at if starts_at_0 else inner.add("Add", at, w.size(loop.first))
    names = [w.shared.name(f"{one.attrs['name']}_in") for one in loop.carried]
    inner.values.update(zip(loop.carried, names, strict=True))
    for element, source in zip(loop.elements, sources, strict=True):
        given = w.values[source]
        inner.values[element.node] = inner.add("Gather", given, at, axis=element.axis)
    known = {*loop.bound, *captures_of(loop)}
    write(inner, [one for one in topological(loop.roots, known) if one not in known], {})
    outputs = [inner.add("Identity", inner.values[one]) for one in loop.results]
    infos = [_info(w, name, one.type) for name, one in zip(outputs, loop.results, strict=True)]
    states = [_info(w, name, one.type) for name, one in zip(names, loop.carried, strict=True)]
    starts = [w.values[one] for one in initials]
    if loop.until is None and limited is None:
        steps = helper.make_tensor_value_info(step, onnx.TensorProto.INT64, [])
        graph = helper.make_graph(inner.nodes, w.shared.name("body"), [*states, steps], infos)
        made = w.several(
            "Scan", [*starts, w.arange(loop.count)], len(outputs), body=graph, num_scan_inputs=1
        )
        ends, stacks = made[: len(names)], made[len(names) :]
        w.shared.ends[node] = [*ends, *(_turned(w, one, loop) for one in stacks)]
        return
    bound = LoopNames(step, count, _going_on(inner, loop))
    made = _bounded(w, inner, bound, (starts, states, infos))
    ends, taken, stacks = made[: len(names)], made[len(names)], made[len(names) + 1 :]
    whole = [
        _filled(w, one, taken, loop, item) for one, item in zip(stacks, loop.collected, strict=True)
    ]
    w.shared.ends[node] = [*ends, *whole, taken]


def _info(w: Writing, name: str, type: Type) -> Any:
    sizes = [axis.constant for axis in type.shape]
    return helper.make_tensor_value_info(name, w.shared.element(type.dtype), sizes)


@dataclass(frozen=True, slots=True)
class LoopNames:
    """The names of the step, of how many there may be, and of whether another one follows."""

    step: str
    count: str
    going_on: str


def _going_on(inner: Writing, loop: Loop) -> str:
    true = inner.constant(True, "bool")
    return inner.add("Identity", true) if loop.until is None else (
        inner.add("Not", inner.values[loop.until])
    )  # fmt: skip


def _bounded(
    w: Writing, inner: Writing, bound: LoopNames, parts: tuple[list[str], list[Any], list[Any]]
) -> list[str]:
    """Write a Loop, which counts its steps behind what it carries."""
    starts, states, infos = parts
    before, after = w.shared.name("taken_in"), inner.add("Add", bound.step, w.constant(1))
    goes = w.shared.name("goes_in")
    number = onnx.TensorProto.INT64
    graph = helper.make_graph(
        inner.nodes,
        w.shared.name("body"),
        [
            helper.make_tensor_value_info(bound.step, number, []),
            helper.make_tensor_value_info(goes, onnx.TensorProto.BOOL, []),
            *states,
            helper.make_tensor_value_info(before, number, []),
        ],
        [
            helper.make_tensor_value_info(bound.going_on, onnx.TensorProto.BOOL, []),
            *infos[: len(states)],
            helper.make_tensor_value_info(after, number, []),
            *infos[len(states) :],
        ],
    )
    given = [bound.count, w.constant(True, "bool"), *starts, w.constant(0)]
    return w.several("Loop", given, len(infos) + 1, body=graph)


def _turned(w: Writing, stack: str, loop: Loop) -> str:
    """Return what was collected in the order of the index."""
    if not loop.backwards:
        return stack
    back = w.constant([-1])
    return w.add("Slice", stack, back, w.constant([-(2**62)]), w.constant([0]), back)


def _filled(w: Writing, stack: str, taken: str, loop: Loop, item: Node) -> str:
    """Return a stack with a row for each step of the range: 0 for those that are not taken."""
    if not item.shape:  # of numbers the reference makes a column
        stack = w.add("Reshape", stack, w.vector(taken), allowzero=1)
    rest = w.vector(w.add("Sub", w.size(loop.count), taken))
    shape = w.add("Concat", rest, w.shape(item.shape), axis=0) if item.shape else rest
    stack = _turned(w, stack, loop)
    zero = w.constant(False if item.type.dtype == "bool" else 0, item.type.dtype)
    return w.add("Concat", stack, w.add("Expand", zero, shape), axis=0)
