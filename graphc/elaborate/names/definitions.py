"""Definitions: the names that values get; a name of one scope is a node, and no other name is."""

from __future__ import annotations

from typing import Any

from graphc.elaborate.names.scope import Context, Entry, InstanceValue, Scope
from graphc.ir.graph import SOURCES, Node, intern
from graphc.ir.loop import BOUND, RESULT, RULED
from graphc.ops.elementwise.arithmetic import identity
from graphc.ops.shape.members import is_of_family
from graphc.syntax import tree


def define(
    context: Context,
    scope: Scope,
    name: tree.Ident,
    value: Any,
    instance: InstanceValue | None = None,
) -> Any:
    """Give a name to a value and return it; a node is also called so in the module.

    What else computes the same, or has a name already, is another node, so that a derivative by
    this one does not go through it. That holds of each use of a block and of each copy of an
    iteration: their scopes differ, whether they have a path or not.
    """
    if isinstance(value, Node):
        given = value if instance is not None else None
        if given is None or context.owned.get(given) == scope.number:
            value = _apart(context, scope, name.text, value)
        context.owned[value] = scope.number
        path = scope.join(name.text)
        if given is not None and path is not None:  # it is called by what it defines last
            before = context.names.pop(given, None)
            context.nodes[path] = value
            context.names[value] = path
            if value is not given and before is not None:
                context.names[given] = before
        context.name_node(value, path)
    _enter(context, scope, name, Entry(value, name.span, instance))
    return value


def declare(context: Context, scope: Scope, name: tree.Ident, node: Node) -> None:
    """Give an input or a parameter its name in the scope that declares it."""
    context.owned[node] = scope.number
    context.name_node(node, scope.join(name.text))
    _enter(context, scope, name, Entry(node, name.span))


def _enter(context: Context, scope: Scope, name: tree.Ident, entry: Entry) -> None:
    scope.entries[name.text] = context.occurrences[name.span] = entry


def alias_node(scope: Scope, name: str, node: Node) -> Node:
    """Return a node of its own with the value of another; what is known when compiling stays so."""
    salt = f"{scope.number}.{name}"
    if node.static:
        return intern(node.op, node.args, node.attrs, node.type, salt)
    return intern(identity, (node,), {}, node.type, salt)


def _apart(context: Context, scope: Scope, name: str, node: Node) -> Node:
    """Return the node that is called so in this scope, and nothing else."""
    if node in context.owned or node.op in (*SOURCES, BOUND) or is_of_family(node):
        return alias_node(scope, name, node)
    if node.op in (RESULT, RULED):
        return node
    return intern(node.op, node.args, node.attrs, node.type, f"{scope.number}.{name}")
