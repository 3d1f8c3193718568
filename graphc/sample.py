"""Random arguments for a model: sizes that satisfy its conditions, indices that lie inside."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.compile.functions import begin_of
from graphc.elaborate.names.model import Declared, Initialiser, Model
from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.loop import BOUND, LOOP, RESULT, STEPS, everywhere, loop_of
from graphc.ir.loop import loop_arguments as arguments_of

SIZES = (3, 4, 2, 6, 5, 8, 1, 12)


def choose_sizes(model: Model, known: Mapping[str, int] | None = None) -> dict[str, int]:
    """Choose a small size for each dim without a value, such that every condition holds.

    Different dims get different sizes where the conditions allow; raises ValueError where no
    small sizes do. Those that are `known` stay.
    """
    known = known or {}
    free = [info.variable for info in model.dims if info.fixed is None]
    ranges = [(known[name],) if name in known else SIZES for name in free]
    choices = itertools.islice(itertools.product(*ranges), 200_000)
    valid = (
        chosen
        for values in sorted(choices, key=lambda v: -len(set(v)))
        if _holds(model, chosen := dict(zip(free, values, strict=True)))
    )
    found = next(valid, None)
    if found is None:
        raise ValueError("no small dims satisfy the conditions of this graph")
    return found


def _holds(model: Model, dims: Mapping[str, int]) -> bool:
    return all(condition.holds(dims) for condition in model.conditions) and all(
        axis.evaluate(dims) >= 0 for d in (*model.inputs, *model.params) for axis in d.node.shape
    )


def random_arguments(
    model: Model, seed: int = 0, dims: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Draw the keyword arguments of the module's functions: inputs, `params`, unbound dims."""
    rng = np.random.default_rng(seed)
    chosen = choose_sizes(model) if dims is None else dims
    limits = _limits(model, chosen)
    begin = begin_of(model)
    values: dict[str, Any] = {dim: chosen[dim] for dim in begin.keywords}
    values |= {
        begin.variables[d.name]: _random_input(d, rng, chosen, limits.get(d.name, 2))
        for d in model.inputs
    }
    if model.params:
        values["params"] = {
            path: _random_parameter(d, rng, chosen) for d in model.params for path in d.paths
        }
    return values


def _random_input(
    declared: Declared, rng: np.random.Generator, dims: Mapping[str, int], limit: int
) -> Any:
    shape = tuple(axis.evaluate(dims) for axis in declared.shape)
    match declared.type.dtype:
        case "int":
            return rng.integers(0, max(limit, 1), shape)
        case "bool":
            return rng.integers(0, 2, shape).astype(bool)
    return rng.normal(size=shape)


def _random_parameter(declared: Declared, rng: np.random.Generator, dims: Mapping[str, int]) -> Any:
    """Draw values around what the initialiser gives, but nowhere at zero, where kinks are."""
    shape = tuple(axis.evaluate(dims) for axis in declared.shape)
    base = {Initialiser("ones"): 1.0}.get(declared.initialiser or Initialiser("zeros"), 0.0)
    fan = shape[0] if len(shape) > 1 else 4
    return base + rng.normal(size=shape) / np.sqrt(max(fan, 1))


def _limits(model: Model, dims: Mapping[str, int]) -> dict[str, int]:
    """Return for each integer input the length of the shortest axis that its values index.

    Values go on through views, tables of indices, selections and what loops carry.
    """
    readers = _readers(model)
    limits: dict[str, int] = {}
    for declared in model.inputs:
        pending = [declared.node] if declared.type.dtype == "int" else []
        seen: set[Node] = set()
        while pending:
            node = pending.pop()
            if node in seen:
                continue
            seen.add(node)
            for child, slot in readers.get(node, ()):
                axis = _index_target(child, slot) if slot else None
                if axis is not None and not axis.symbols - dims.keys():
                    limit = limits.get(declared.name, 1 << 30)
                    limits[declared.name] = min(limit, axis.evaluate(dims))
                elif slot in PASSED_ON.get(child.op.name, ()) or child.op.view_of == slot:
                    pending.append(child)
    return limits


PASSED_ON: Mapping[str, tuple[int, ...]] = {
    "gather": (0,), "pick": (0,), "take_along_axis": (0,), "where": (1, 2), "concat": (0, 1, 2, 3),
    "maximum": (0, 1), "minimum": (0, 1), "max": (0,), "min": (0,), "sort": (0,),
    BOUND.name: (0,), RESULT.name: (0,),
}  # fmt: skip
"""The arguments of which a result has the values, by operation."""


def _readers(model: Model) -> dict[Node, list[tuple[Node, int]]]:
    """Map nodes to their readers, with the slot; loops hand on to what stands inside."""
    readers: dict[Node, list[tuple[Node, int]]] = {}

    def reads(node: Node, child: Node, slot: int) -> None:
        readers.setdefault(node, []).append((child, slot))

    for node in everywhere([d.node for d in model.outputs]):
        for slot, arg in enumerate(node.args):
            if node.op not in (LOOP, RESULT):
                reads(arg, node, slot)
        if node.op is LOOP:
            loop = loop_of(node)
            initials, sources, _ = arguments_of(node)
            for start, carried, after in zip(initials, loop.carried, loop.nexts, strict=True):
                reads(start, carried, 0)
                reads(after, carried, 0)
            for source, element in zip(sources, loop.elements, strict=True):
                reads(source, element.node, 0)
        elif node.op is RESULT and node.attrs["number"] != STEPS:
            reads(loop_of(node.args[0]).results[node.attrs["number"]], node, 0)
            if node.attrs["number"] < len(loop_of(node.args[0]).carried):
                reads(node.args[0].args[node.attrs["number"]], node, 0)
    return readers


def _index_target(node: Node, slot: int) -> Dim | None:
    """Return the axis into which an argument of a node points, if it names positions."""
    named = node.args[1:-1] if node.op.name == "put" else node.args[1:]
    if slot > len(named):
        return None
    axis: int = node.attrs.get("axis", -1) + slot - 1
    if node.op.name in ("gather", "pick", "take_along_axis", "put"):
        return node.args[0].shape[axis]
    return node.shape[axis] if node.op.name in ("scatter", "unpick") else None
