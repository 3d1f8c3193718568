"""Shapes of outputs from those of arguments, as the types in GRAPH tell them."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.bridges.described import Described

_NAME = re.compile(r"[^\W\d]\w*")
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}


def shapes_of(
    graph: Described, arguments: Sequence[Any], dims: Mapping[str, int]
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the outputs, for the arguments of `forward`, of which shapes are known.

    Raises TypeError where these leave a dim open, or are others than it takes; ValueError where
    their shapes do not fit.
    """
    given = by_name(graph, arguments)
    sizes = sizes_of(graph, given, dims)
    try:
        for name, value in given.items():
            expected = tuple(evaluated(axis, sizes) for axis in axes(graph.types[name]))
            if np.shape(value) != expected:
                kind = graph.types[name]
                raise ValueError(
                    f"`{name}` has shape {np.shape(value)}, expected {kind} = {expected}"
                )
        return {
            name: tuple(evaluated(axis, sizes) for axis in axes(graph.types[name]))
            for name in graph.outputs
        }
    except KeyError as unknown:
        raise TypeError(f"the arguments do not say what {unknown} is") from None


def by_name(graph: Described, arguments: Sequence[Any]) -> dict[str, Any]:
    """Return inputs by name and parameters by path; raises TypeError where there are others."""
    expected = ["params", *graph.inputs] if graph.paths else [*graph.inputs]
    if len(arguments) != len(expected):
        raise TypeError(f"expected {', '.join(expected)}, found {len(arguments)} arguments")
    if not graph.paths:
        return dict(zip(expected, arguments, strict=True))
    params, *inputs = arguments
    named = [*params.keys()] if hasattr(params, "keys") else None
    if named is None or {*named} != {*graph.paths}:
        found = type(params).__name__ if named is None else ", ".join(named)
        raise TypeError(f"parameters: expected a dict of {', '.join(graph.paths)}, found {found}")
    return {**params, **dict(zip(graph.inputs, inputs, strict=True))}


def sizes_of(graph: Described, given: Mapping[str, Any], dims: Mapping[str, int]) -> dict[str, int]:
    """Return the dims that have a value, or get one from the shapes of arguments by name."""
    sizes = {name: size for name, size in graph.module.GRAPH["dims"].items() if size is not None}
    sizes |= dims
    pairs = [
        (axis, size)
        for name, value in given.items()
        if name in graph.types
        for axis, size in zip(axes(graph.types[name]), np.shape(value), strict=False)
    ]
    while found := dict(_bound(pairs, sizes)):
        sizes |= found
    return sizes


def axes(kind: str) -> list[str]:
    """Return the sizes in a type.

    >>> axes("int[B, 2*L + 1]"), axes("[]"), axes("int")
    (['B', '2*L + 1'], [], [])
    """
    inside = kind.partition("[")[2].rstrip("]")
    return [one.strip() for one in inside.split(",")] if inside else []


def _bound(pairs: Iterable[tuple[str, int]], sizes: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the dims that an axis binds in which no other is open."""
    found = []
    for axis, size in pairs:
        unknown = set(_NAME.findall(axis)) - sizes.keys()
        if len(unknown) == 1:
            (name,) = unknown
            start, step = (evaluated(axis, {**sizes, name: one}) for one in (0, 1))
            if step != start:
                found.append((name, (size - start) // (step - start)))
    return found


def evaluated(axis: str, sizes: Mapping[str, int]) -> int:
    """Evaluate a size; raises KeyError where a dim has no value.

    >>> evaluated("2*L + N//2 - 1", {"L": 3, "N": 5})
    7
    """
    written = _NAME.sub(lambda name: f"({sizes[name[0]]})", axis)
    return _number(ast.parse(written, mode="eval").body)


def _number(tree: ast.AST) -> int:
    match tree:
        case ast.Constant(int(value)):
            return value
        case ast.BinOp(left, sign, right) if type(sign) in _OPERATORS:
            return int(_OPERATORS[type(sign)](_number(left), _number(right)))
        case ast.UnaryOp(ast.USub(), operand):
            return -_number(operand)
    raise TypeError(f"no size: {ast.unparse(tree)}")
