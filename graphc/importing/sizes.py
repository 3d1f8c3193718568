"""A size as another framework prints it, read without being run."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
CALLS: dict[str, Callable[[Any, Any], Any]] = {"floordiv": operator.floordiv, "mod": operator.mod}
"""What JAX writes as a call."""


def read_size(text: str, symbols: Mapping[str, Any]) -> Any:
    """Return what a printed size is of these symbols; JAX writes powers with `^`.

    Raises ValueError where it is made of anything but whole numbers, symbols and their arithmetic.
    """
    try:
        tree = ast.parse(text.replace("^", "**"), mode="eval")
    except SyntaxError:
        raise ValueError(text) from None
    return _read(tree.body, symbols)


def _read(tree: ast.expr, symbols: Mapping[str, Any]) -> Any:
    match tree:
        case ast.Constant(value=int() as number):
            return number
        case ast.Name(id=name) if name in symbols:
            return symbols[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_read(operand, symbols)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in OPERATORS:
            return OPERATORS[type(sign)](_read(left, symbols), _read(right, symbols))
        case ast.Call(func=ast.Name(id=name), args=[left, right]) if name in CALLS:
            return CALLS[name](_read(left, symbols), _read(right, symbols))
    raise ValueError(ast.unparse(tree))
