"""Graphs computed node by node, as they stand: no order, buffers or blocks, loops step by step."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.ir.graph import COTANGENT, INPUT, PARAMETER, TANGENT, Graph, Node, arguments_first
from graphc.ir.loop import LOOP, RESULT, RULED, STEPS, limit, loop_arguments, loop_of
from graphc.ir.results import ResultKey
from graphc.ops.fused import LIMITS
from graphc.targets.numpy.module import ready_made
from graphc.targets.numpy.printing.expression import statements

GIVEN = (INPUT, PARAMETER, COTANGENT, TANGENT)
Known = dict[Node, Any]


def computed(graph: Graph, dims: Mapping[str, int], seed: int = 0) -> dict[ResultKey, Any]:
    """The results for random sources, which are the same for sources of one name."""
    known: Known = {}
    for node in sorted((n for n in graph.nodes if n.op in GIVEN), key=repr):
        called = f"{node.op.name} {node.attrs['name']} {seed}"
        rng = np.random.default_rng([ord(letter) for letter in called])
        known[node] = _drawn(node, [n.evaluate(dims) for n in node.shape], rng)
    _compute([*graph.results.values()], known, {**_module(), **dims})
    return {key: known[node] for key, node in graph.results.items()}


@functools.cache
def _module() -> dict[str, Any]:
    """What statements read of a generated module."""
    names: dict[str, Any] = {"np": np, "FLOAT": np.float64}
    names |= {name: eval(of["float64"], {"np": np}) for name, of in LIMITS.items()}
    names |= {f"math_{name}": value for name, value in vars(math).items()}
    for part in ready_made().values():
        exec(part, names)
    return names


def _drawn(node: Node, shape: list[int], rng: np.random.Generator) -> Any:
    if node.type.dtype == "float":
        return rng.normal(size=shape)
    return rng.integers(0, 2, shape).astype(bool if node.type.dtype == "bool" else np.int64)


def _compute(roots: list[Node], known: Known, names: dict[str, Any]) -> None:
    """Fill in the values of what the roots reach."""
    for node in arguments_first(roots, known):
        if node.op is LOOP:
            known[node] = _looped(node, known, names)
        elif node.op is RESULT:
            known[node] = known[node.args[0]][node.attrs["number"]]
        elif node.op is RULED:
            known[node] = known[node.args[0]]
        elif node.op.lower is not None:
            simpler = node.op.lower(*node.args, **node.attrs)
            _compute([simpler], known, names)
            known[node] = known[simpler]
        else:
            called = {arg: f"_{slot}" for slot, arg in enumerate(node.args) if not arg.static}
            space = names | {name: known[arg] for arg, name in called.items()}
            exec("\n".join(statements("_", node, called)), space)
            known[node] = space["_"]


def _looped(node: Node, known: Known, names: dict[str, Any]) -> dict[int, Any]:
    """The values that a loop ends with, by number."""
    loop, steps = loop_of(node), limit(node)
    initials, sources, _ = loop_arguments(node)
    carried = [known[one] for one in initials]
    dims = {name: value for name, value in names.items() if isinstance(value, int)}
    first, count = loop.first.evaluate(dims), loop.count.evaluate(dims)
    stacks: list[dict[int, Any]] = [{} for _ in loop.collected]
    places = range(count if steps is None else min(count, int(known[steps])))
    taken = 0
    for place in reversed(places) if loop.backwards else places:
        here = known | dict(zip(loop.carried, carried, strict=True))
        for element, source in zip(loop.elements, sources, strict=True):
            here[element.node] = np.take(known[source], place, axis=element.axis)
        _compute([*loop.roots], here, names | {loop.index: first + place})
        carried = [here[one] for one in loop.nexts]
        for stack, one in zip(stacks, loop.collected, strict=True):
            stack[place] = here[one]
        taken += 1
        if loop.until is not None and here[loop.until]:
            break
    collected = [np.array([stack[place] for place in sorted(stack)]) for stack in stacks]
    return dict(enumerate([*carried, *collected])) | {STEPS: taken}
