"""The terms of the syntax tree, which statements are made of: names, expressions, types, stages."""

from __future__ import annotations

from graphc.records import dataclass
from graphc.source import Span


@dataclass(frozen=True, slots=True)
class Ident:
    """A name where it is defined or listed (not an expression)."""

    span: Span
    text: str


# ---- expressions -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name:
    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Number:
    span: Span
    value: int | float


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal; `value` is its decoded content."""

    span: Span
    value: str


@dataclass(frozen=True, slots=True)
class Truth:
    span: Span
    value: bool


@dataclass(frozen=True, slots=True)
class ListOf:
    span: Span
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """`op` is one of `+ - not`."""

    span: Span
    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """`op` is one of `+ - * / @ // % ** == != <= >= < > and or`."""

    span: Span
    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Argument:
    """`name` is None for a positional argument."""

    span: Span
    name: Ident | None
    value: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments) as name`; a chain stage is a Call, with or without parentheses.

    `span` covers the call without its `as name`; a stage without arguments has
    `parentheses` False.
    """

    span: Span
    function: Expr
    arguments: tuple[Argument, ...]
    name: Ident | None
    parentheses: bool


@dataclass(frozen=True, slots=True)
class Subscript:
    span: Span
    value: Expr
    indices: tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """`value.name`; the name may be an integer, as in `layer.3.W`."""

    span: Span
    value: Expr
    name: Ident


@dataclass(frozen=True, slots=True)
class Slice:
    span: Span
    start: Expr | None
    stop: Expr | None
    step: Expr | None


@dataclass(frozen=True, slots=True)
class Dots:
    """`...` in a shape or a subscript."""

    span: Span


@dataclass(frozen=True, slots=True)
class NewAxis:
    """`_` in a subscript."""

    span: Span


Expr = Name | Number | Text | Truth | ListOf | Unary | Binary | Call | Subscript | Member
Index = Expr | Slice | Dots | NewAxis


# ---- types -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TypeOf:
    """`float[B, 3]`: `kind` is None where only a shape stands, `axes` is None where none does."""

    span: Span
    kind: Ident | None
    axes: tuple[Expr | Dots, ...] | None


# ---- chain stages ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Residual:
    """`residual { stages }`: its input plus what the stages make of it."""

    span: Span
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """`name[index in first..last]`, or `name[index in count]` with `last` None (0 to count-1)."""

    span: Span
    name: Ident
    index: Ident
    first: Expr
    last: Expr | None


@dataclass(frozen=True, slots=True)
class RepeatStage:
    """`repeat family[k in range] { stages }` inside a chain."""

    span: Span
    family: Family
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Fork:
    """`(branch, branch, …)`: every branch gets the source."""

    span: Span
    branches: tuple[tuple[Stage, ...], ...]


@dataclass(frozen=True, slots=True)
class NextStage:
    """`-> next h` at the end of a chain."""

    span: Span
    name: Ident


Stage = Call | Residual | RepeatStage | Fork | NextStage
