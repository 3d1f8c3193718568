"""Terms of the language made for importers: numbers, dims, calls and subscripts at a place."""

from __future__ import annotations

import math
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.types import Type
from graphc.records import dataclass
from graphc.source import Source, Span
from graphc.syntax import tree
from graphc.syntax.parse.parser import parse


def expression_of(given: Any, place: Span) -> tree.Expr:
    """Return the expression of a value, number, truth value, text, dim or list of these."""
    match given:
        case tree.Name() | tree.Binary() | tree.Call() | tree.Unary() | tree.Subscript():
            return given
        case tree.Number() | tree.Text() | tree.Truth() | tree.ListOf() | tree.Member():
            return given
        case bool():
            return tree.Truth(place, given)
        case int() | float():
            return number(given, place)
        case str():
            return tree.Text(place, given)
        case Dim():
            return dim_expression(given, place)
        case list() | tuple():
            return tree.ListOf(place, tuple(expression_of(one, place) for one in given))
    if hasattr(given, "key"):
        return tree.Name(given.place, given.key)
    if hasattr(given, "item"):  # a number of NumPy's
        return expression_of(given.item(), place)
    raise TypeError(f"{type(given).__name__} is no term")


def number(given: int | float, place: Span) -> tree.Expr:
    """Return a number as the language writes it: signs are operators, infinity is a name."""
    if isinstance(given, float) and math.isnan(given):
        infinity = tree.Name(place, "inf")
        return tree.Binary(place, "-", infinity, infinity)
    if given < 0 or (given == 0 and math.copysign(1, given) < 0):
        return tree.Unary(place, "-", number(-given, place))
    if given == math.inf:
        return tree.Name(place, "inf")
    return tree.Number(place, given)


def dim_expression(dim: Dim, place: Span) -> tree.Expr:
    """Return a dim as an expression of the file's dims."""
    if dim.constant is not None:
        return number(dim.constant, place)
    (statement,) = parse(Source("dim", f"dim_={dim}")).statements
    assert isinstance(statement, tree.Equation)
    return statement.value


def type_of(type: Type, place: Span) -> tree.TypeOf:
    """Return a type as it is written behind a name."""
    kind = None if type.dtype == "float" and type.rank else tree.Ident(place, type.dtype)
    axes = tuple(dim_expression(axis, place) for axis in type.shape) if type.rank else None
    return tree.TypeOf(place, kind, axes)


@dataclass(frozen=True, slots=True)
class Drawer:
    """Makes expressions, all of one place in the source."""

    place: Span

    def call(self, function: str, *arguments: Any, **named: Any) -> tree.Call:
        places = [at for at, one in enumerate(arguments) if one is not None]
        there = arguments[: places[-1] + 1] if places else ()
        given = [tree.Argument(self.place, None, self.expr(one)) for one in there]
        given += [
            tree.Argument(self.place, tree.Ident(self.place, name), self.expr(one))
            for name, one in named.items()
            if one is not None
        ]
        called = tree.Name(self.place, function)
        return tree.Call(self.place, called, tuple(given), None, True)

    def binary(self, operator: str, left: Any, right: Any) -> tree.Binary:
        if operator in "+-" and isinstance(right, int | float) and right < 0:
            operator, right = "-" if operator == "+" else "+", -right
        return tree.Binary(self.place, operator, self.expr(left), self.expr(right))

    def unary(self, operator: str, operand: Any) -> tree.Unary:
        return tree.Unary(self.place, operator, self.expr(operand))

    def subscript(self, value: Any, *parts: Any) -> tree.Subscript:
        return tree.Subscript(self.place, self.expr(value), tuple(map(self._index, parts)))

    def transposed(self, value: Any) -> tree.Member:
        return tree.Member(self.place, self.expr(value), tree.Ident(self.place, "T"))

    def expr(self, given: Any) -> tree.Expr:
        return expression_of(given, self.place)

    def _index(self, part: Any) -> tree.Index:
        if part is None:
            return tree.NewAxis(self.place)
        if part is Ellipsis:
            return tree.Dots(self.place)
        if isinstance(part, slice):
            bounds = (part.start, part.stop, part.step)
            return tree.Slice(self.place, *(None if b is None else self.expr(b) for b in bounds))
        return self.expr(part)
