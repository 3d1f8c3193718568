"""Families of parameters as nodes: one array, with a member at each position of its first axis."""

from __future__ import annotations

from graphc.ir.dims import Dim
from graphc.ir.graph import PARAMETER, Node, source
from graphc.ir.types import Type
from graphc.ops.shape.shaping import index, part_at


def family_node(path: str, count: Dim, type: Type) -> Node:
    """Make a new family of so many members of a type."""
    return source(PARAMETER, path, type.with_shape((count, *type.shape)), family=True)


def member_node(whole: Node, position: Dim) -> Node:
    """Take one member of a family."""
    return part_at(whole, 0, position)


def family_of(node: Node) -> Node:
    """Return the family that a parameter belongs to; every other node as it is."""
    return node.args[0] if node.args and is_of_family(node) else node


def is_of_family(node: Node) -> bool:
    """True for a family of parameters, and for a member of one."""
    return _is_family(node.args[0] if node.op is index else node)


def is_in_family(node: Node) -> bool:
    """True for a family of parameters, which a module holds as a list, or a part of that."""
    while node.op is index:
        node = node.args[0]
    return _is_family(node)


def _is_family(node: Node) -> bool:
    return bool(node.attrs.get("family", False))
