"""Values known at compile time: what a constant holds, its type, and what tells it apart."""

from __future__ import annotations

from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.types import Type, promote


def told_apart(value: Any) -> Any:
    """Tell 1, 1.0 and True apart, and 0.0 from -0.0."""
    if isinstance(value, tuple):
        return tuple(map(told_apart, value))
    return (value.__class__.__name__, repr(value)) if isinstance(value, (int, float)) else value


def number_of(value: Any) -> tuple[Any, Type]:
    """Return what a constant node holds of a number or a nested tuple, and its type."""
    number, dtype, shape = _array(value)
    return number, Type(dtype, tuple(map(Dim.of, shape)))


def _array(value: Any) -> tuple[Any, Any, tuple[int, ...]]:
    """Return a number or nested tuple with its dtype and shape; ValueError where rows differ."""
    if not isinstance(value, tuple):
        number = value.constant if isinstance(value, Dim) else value
        dtype = {bool: "bool", int: "int", float: "float"}.get(number.__class__)
        if dtype is None:
            raise ValueError(f"not a number: {value!r}")
        return number, dtype, ()
    rows = [_array(row) for row in value]
    shapes = {shape for _, _, shape in rows}
    if len(shapes) != 1:
        raise ValueError("the rows of an array have one shape")
    dtype = promote([dtype for _, dtype, _ in rows])
    return tuple(row for row, _, _ in rows), dtype, (len(rows), *shapes.pop())
