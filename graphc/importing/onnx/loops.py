"""Loops and branches of ONNX: Scan, Loop and If."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import numpy_helper

from graphc.importing.items import Value
from graphc.importing.onnx.reading import Given, Node, of
from graphc.importing.sheet import Sheet
from graphc.ir.dims import Dim


@of("If")
def _if(node: Node, condition: Given) -> list[Given]:
    """Read the branch that is known, or both, of whose results one is chosen."""
    scope = node.attributes["scope"]
    branches = [node.attributes[name] for name in ("then_branch", "else_branch")]
    if not isinstance(condition, Value):
        branch = branches[0 if bool(np.asarray(condition).ravel()[0]) else 1]
        return _results(node, branch, scope)
    yes, no = (_results(node, branch, scope) for branch in branches)
    chosen = condition
    if condition.rank:
        chosen = node.sheet.subscript(condition, *[0] * condition.rank)
    return [
        node.sheet.call("where", chosen, node.value(one), node.value(other))
        for one, other in zip(yes, no, strict=True)
    ]


def _results(node: Node, graph: Any, given: dict[str, Given]) -> list[Given]:
    known = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    found = node.reading.read(graph, {**given, **known})
    return [found[one.name] for one in graph.output]


@of("Scan")
def _scan(node: Node, *inputs: Given) -> list[Given]:
    body, count = node.attributes["body"], node.get("num_scan_inputs")
    if node.reading.opset < 9:
        raise node.mistake("Scan before opset 9 goes over batches")
    states = len(inputs) - count
    starts = [
        (name_of(body.input[at].name), node.typed(one)) for at, one in enumerate(inputs[:states])
    ]
    arrays = [node.typed(one) for one in inputs[states:]]
    axes = node.get("scan_input_axes", [0] * count)
    ways = node.get("scan_input_directions", [0] * count)
    length = arrays[0].shape[axes[0]]

    def step(inner: Sheet, index: Dim, carried: list[Value]) -> Any:
        rows = [
            inner.subscript(one, *[slice(None)] * axis, length - 1 - index if back else index)
            for one, axis, back in zip(arrays, axes, ways, strict=True)
        ]
        names = dict(zip((one.name for one in body.input), [*carried, *rows], strict=True))
        made = _inside(node, inner, body, names)
        return made[:states], made[states:], None

    found = node.sheet.loop("step", "t", 0, length, starts, step)
    stacks = found[states:]
    outs = node.get("scan_output_directions", [0] * len(stacks))
    places = node.get("scan_output_axes", [0] * len(stacks))
    for at, (back, axis) in enumerate(zip(outs, places, strict=True)):
        if back:
            stacks[at] = node.sheet.call("flip", stacks[at], axis=0)
        if axis:
            stacks[at] = node.sheet.call("moveaxis", stacks[at], 0, axis)
    return [*found[:states], *stacks]


def name_of(name: str) -> str:
    return name.removesuffix("_in")


def _inside(node: Node, inner: Sheet, body: Any, names: dict[str, Given]) -> list[Value]:
    """Read a body on its own sheet."""
    outer, node.reading.sheet = node.reading.sheet, inner
    try:
        made = _results(node, body, {**node.attributes["scope"], **names})
        return [node.typed(one) for one in made]
    finally:
        node.reading.sheet = outer


@of("Loop")
def _loop(node: Node, trips: Given, condition: Given = None, *starts: Given) -> list[Given]:
    """Read a loop that goes on for as many steps as are known."""
    body = node.attributes["body"]
    if trips is None:
        raise node.mistake("nothing bounds the steps of this loop")
    count = node.number(trips, "the number of steps")
    count = Dim.of(count if isinstance(count, Dim) else int(count))
    named = [(name_of(body.input[at + 2].name), node.typed(one)) for at, one in enumerate(starts)]

    def step(inner: Sheet, index: Dim, carried: list[Value]) -> Any:
        names: dict[str, Given] = {
            body.input[0].name: np.array(index, object), body.input[1].name: np.asarray(True),
        }  # fmt: skip
        for one, value in zip(list(body.input)[2:], carried, strict=True):
            names[one.name] = value
        outer, node.reading.sheet = node.reading.sheet, inner
        try:
            made = _results(node, body, {**node.attributes["scope"], **names})
            goes_on = made[0]
            if isinstance(goes_on, Value) or not bool(np.asarray(goes_on).ravel()[0]):
                raise node.mistake("the loop ends where a value says so")
            values = [node.typed(one) for one in made[1:]]
        finally:
            node.reading.sheet = outer
        return values[: len(starts)], values[len(starts) :], None

    return list(node.sheet.loop("step", "t", 0, count, named, step))
