"""Expressions as text, with how tight they bind; sizes, numbers and dtypes as Python source."""

from __future__ import annotations

import ast
import math
from functools import lru_cache
from typing import Any

from graphc.ir.dims import Dim
from graphc.records import dataclass

CHOICE, OR, AND, NOT, COMPARISON, BIT_OR, BIT_AND, SUM, PRODUCT, SIGN, POWER, ATOM = (
    1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 15,
)  # fmt: skip
"""How tight Python's operators bind; an operand that has to bind tighter than one of these needs
the next number."""

FLOAT = "FLOAT"
DTYPES = {"float": FLOAT, "int": "np.int64", "bool": "np.bool_"}


@dataclass(frozen=True, slots=True)
class Fragment:
    """An expression as text, and how tight its outermost operator binds."""

    text: str
    binds: int = ATOM

    def within(self, least: int) -> str:
        """Return the text, in parentheses where it binds less tight than that."""
        return self.text if self.binds >= least else f"({self.text})"


def number(text: str) -> Fragment:
    """Write a number, which may have a sign."""
    return Fragment(text, SIGN if text.startswith("-") else ATOM)


# ---- values --------------------------------------------------------------------------------------


def show(value: Any) -> str:
    """Write an attribute as Python source."""
    if isinstance(value, tuple):
        items = ", ".join(map(show, value))
        return f"({items},)" if len(value) == 1 else f"({items})"
    if isinstance(value, Dim):
        return str(value)
    return literal(value) if isinstance(value, float) else repr(value)


def with_spaces(value: Any) -> str:
    """Write the same with spaces around the operators of dims, as in expressions."""
    if isinstance(value, tuple):
        items = ", ".join(map(with_spaces, value))
        return f"({items},)" if len(value) == 1 else f"({items})"
    return size(value).text if isinstance(value, Dim) else show(value)


@lru_cache(maxsize=1000)
def size(dim: Dim) -> Fragment:
    """Write a dim as an expression."""
    if dim.constant is not None:
        return number(str(dim.constant))
    tree = ast.parse(str(dim), mode="eval").body
    binds = {ast.Add: SUM, ast.Sub: SUM, ast.Mult: PRODUCT, ast.FloorDiv: PRODUCT, ast.Pow: POWER}
    if isinstance(tree, ast.BinOp):
        return Fragment(ast.unparse(tree), binds[type(tree.op)])
    return Fragment(ast.unparse(tree), SIGN if isinstance(tree, ast.UnaryOp) else ATOM)


def literal(value: float) -> str:
    """Write a number as Python source; `2` for 2.0, of which an array makes the same."""
    if math.isnan(value):
        return "np.nan"
    if math.isinf(value):
        return "np.inf" if value > 0 else "-np.inf"
    negative_zero = value == 0 and math.copysign(1, value) < 0
    whole = value.is_integer() and abs(value) < 1e15 and not negative_zero
    return str(int(value)) if whole else repr(value)


def constant(value: Any) -> str:
    """Write a number, or nested lists of numbers."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(constant, value)) + "]"
    return literal(value) if isinstance(value, float) else repr(value)
