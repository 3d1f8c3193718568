"""Nodes -> Python expressions and statements that compute them, as syntax trees and as text."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

from graphc.dims import Dim
from graphc.graph import CONSTANT, DIM, Node
from graphc.plan.naming import template

FLOAT = "FLOAT"
DTYPES = {"float": FLOAT, "int": "np.int64", "bool": "np.bool_"}


def statements(target: str, node: Node, variables: Mapping[Node, str]) -> list[str]:
    """The lines that give `target` the value of a node."""
    if "{out}" not in template(node):
        return [f"{target} = {ast.unparse(expression(node, variables, top=True))}"]
    return [ast.unparse(line) for line in _filled(node, variables, out=target).body]


def expression(node: Node, variables: Mapping[Node, str], top: bool = False) -> ast.expr:
    """The expression of a node: its variable, or its source around those of its arguments.

    `top` asks for the source even where the node has a variable.
    """
    if node in variables and not top:
        return ast.Name(variables[node])
    if node.op is CONSTANT:
        return _parsed(_constant(node))
    if node.op is DIM:
        return _parsed(str(node.attrs["value"]))
    only = _filled(node, variables).body[0]
    assert isinstance(only, ast.Expr), node
    return only.value


def _filled(node: Node, variables: Mapping[Node, str], **places: str) -> ast.Module:
    """The template of a node with its arguments in their places."""
    arguments = [expression(arg, variables) for arg in node.args]
    typed = _typed_argument(node)
    if typed is not None:
        dtype = ast.Name(DTYPES[node.type.dtype])
        arguments[typed] = ast.Call(dtype, [arguments[typed]], [])
    holes = [f"_hole_{slot}" for slot in range(len(arguments))]
    attrs = {name: show(value) for name, value in node.attrs.items()}
    named = {**DTYPES, "shape": show(node.shape), **attrs, **places}
    tree = ast.parse(template(node).format(*holes, **named))
    _Fill(dict(zip(holes, arguments, strict=True))).visit(tree)
    return ast.fix_missing_locations(tree)


def _typed_argument(node: Node) -> int | None:
    """Where all floats of an operation are Python's, the one that gets the module's dtype."""
    if node.static or node.type.dtype != "float":
        return None
    if any(arg.type.dtype == "float" and not arg.static for arg in node.args):
        return None
    return next((slot for slot in reversed(range(len(node.args))) if node.args[slot].static), None)


class _Fill(ast.NodeTransformer):
    """Puts expressions in the place of names."""

    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.values.get(node.id, node)


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def show(value: Any) -> str:
    """An attribute as Python source."""
    if isinstance(value, tuple):
        items = ", ".join(map(show, value))
        return f"({items},)" if len(value) == 1 else f"({items})"
    if isinstance(value, Dim):
        return str(value)
    return literal(value) if isinstance(value, float) else repr(value)


def literal(value: float) -> str:
    """A number as Python source; `2` for 2.0, of which an array makes the same."""
    if math.isnan(value):
        return "np.nan"
    if math.isinf(value):
        return "np.inf" if value > 0 else "-np.inf"
    negative_zero = value == 0 and math.copysign(1, value) < 0
    whole = value.is_integer() and abs(value) < 1e15 and not negative_zero
    return str(int(value)) if whole else repr(value)


def _constant(node: Node) -> str:
    if isinstance(node.value, tuple):
        return f"np.array({_nested(node.value)}, {DTYPES[node.type.dtype]})"
    return _nested(node.value)


def _nested(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_nested, value)) + "]"
    return literal(value) if isinstance(value, float) else repr(value)
