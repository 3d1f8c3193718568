"""Nodes at values of dims: what a graph is where some of its symbols are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, as_node, intern
from graphc.ir.sizes import check_dim
from graphc.ir.types import Type


def specialise(node: Node, args: tuple[Node, ...], fixed: Mapping[str, int | Dim]) -> Node:
    """Make the node on these arguments, with the values of dims substituted."""
    attrs = {name: _substitute(value, fixed) for name, value in node.attrs.items()}
    shape = tuple(axis.substitute(fixed) for axis in node.shape)
    if node.op.name == "dim" and attrs["value"].constant is not None:
        return as_node(check_dim(attrs["value"]))
    if args == node.args and attrs == dict(node.attrs) and shape == node.shape:
        return node
    return intern(node.op, args, attrs, Type(node.type.dtype, shape), node.salt)


def _substitute(value: Any, fixed: Mapping[str, int | Dim]) -> Any:
    if isinstance(value, Dim):
        return value.substitute(fixed)
    if isinstance(value, Type):
        return Type(value.dtype, tuple(axis.substitute(fixed) for axis in value.shape))
    return tuple(_substitute(item, fixed) for item in value) if isinstance(value, tuple) else value
