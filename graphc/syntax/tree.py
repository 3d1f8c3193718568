"""The syntax tree: frozen records, each with the span of its text, and nothing else."""

from __future__ import annotations

from graphc.records import dataclass
from graphc.source import Span
from graphc.syntax.terms import Argument as Argument
from graphc.syntax.terms import Binary as Binary
from graphc.syntax.terms import Call as Call
from graphc.syntax.terms import Dots as Dots
from graphc.syntax.terms import Expr as Expr
from graphc.syntax.terms import Family as Family
from graphc.syntax.terms import Fork as Fork
from graphc.syntax.terms import Ident as Ident
from graphc.syntax.terms import Index as Index
from graphc.syntax.terms import ListOf as ListOf
from graphc.syntax.terms import Member as Member
from graphc.syntax.terms import Name as Name
from graphc.syntax.terms import NewAxis as NewAxis
from graphc.syntax.terms import NextStage as NextStage
from graphc.syntax.terms import Number as Number
from graphc.syntax.terms import RepeatStage as RepeatStage
from graphc.syntax.terms import Residual as Residual
from graphc.syntax.terms import Slice as Slice
from graphc.syntax.terms import Stage as Stage
from graphc.syntax.terms import Subscript as Subscript
from graphc.syntax.terms import Text as Text
from graphc.syntax.terms import Truth as Truth
from graphc.syntax.terms import TypeOf as TypeOf
from graphc.syntax.terms import Unary as Unary


@dataclass(frozen=True, slots=True)
class Doc:
    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Import:
    """`import "path" as name`."""

    span: Span
    path: Text
    name: Ident


@dataclass(frozen=True, slots=True)
class FromImport:
    """`from "path" import name as alias, …`: pairs (name, alias), the alias by default the name."""

    span: Span
    path: Text
    names: tuple[tuple[Ident, Ident], ...]


@dataclass(frozen=True, slots=True)
class DimDeclaration:
    span: Span
    dims: tuple[tuple[Ident, Expr | None], ...]
    doc: Text | None


@dataclass(frozen=True, slots=True)
class Const:
    span: Span
    name: Ident
    type: TypeOf | None
    value: Expr
    doc: Text | None


@dataclass(frozen=True, slots=True)
class Input:
    span: Span
    names: tuple[Ident, ...]
    type: TypeOf | None
    doc: Text | None


@dataclass(frozen=True, slots=True)
class Param:
    span: Span
    names: tuple[Ident, ...]
    type: TypeOf | None
    initialiser: Expr | None
    doc: Text | None


@dataclass(frozen=True, slots=True)
class Output:
    span: Span
    names: tuple[Ident, ...]
    type: TypeOf | None
    value: Expr | None
    doc: Text | None


@dataclass(frozen=True, slots=True)
class Instance:
    span: Span
    name: Ident
    value: Expr
    doc: Text | None


@dataclass(frozen=True, slots=True)
class Require:
    span: Span
    condition: Expr
    doc: Text | None


@dataclass(frozen=True, slots=True)
class Equation:
    span: Span
    targets: tuple[Ident, ...]
    type: TypeOf | None
    value: Expr
    doc: Text | None


@dataclass(frozen=True, slots=True)
class Chain:
    """`sources -> stages -> targets`; `targets` is empty where the last stage is a NextStage."""

    span: Span
    sources: tuple[Expr, ...]
    stages: tuple[Stage, ...]
    targets: tuple[Ident, ...]
    type: TypeOf | None
    doc: Text | None


@dataclass(frozen=True, slots=True)
class Next:
    span: Span
    names: tuple[Ident, ...]
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Collect:
    span: Span
    name: Ident
    value: Expr


@dataclass(frozen=True, slots=True)
class Until:
    span: Span
    condition: Expr


@dataclass(frozen=True, slots=True)
class Rule:
    """`rule vjp x = …`; `kind` is `vjp`, `jvp` or `surrogate`."""

    span: Span
    kind: Ident
    name: Ident
    value: Expr


@dataclass(frozen=True, slots=True)
class Port:
    span: Span
    name: Ident
    type: TypeOf
    default: Expr | None
    doc: Text | None


@dataclass(frozen=True, slots=True)
class Block:
    span: Span
    name: Ident
    ports: tuple[Port, ...]
    results: tuple[Port, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Carry:
    """`h = h0`; the span of a loop's first one begins at the word `carry`."""

    span: Span
    name: Ident
    start: Expr


@dataclass(frozen=True, slots=True)
class Repeat:
    span: Span
    family: Family
    carries: tuple[Carry, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    span: Span
    family: Family
    carries: tuple[Carry, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class If:
    """`orelse` is empty where there is no else; `else if` is an If inside it."""

    span: Span
    condition: Expr
    body: tuple[Statement, ...]
    orelse: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """`layer.3.W`, `enc.*`, `params`: the dotted words, and whether `.*` ends it."""

    span: Span
    words: tuple[str, ...]
    star: bool


@dataclass(frozen=True, slots=True)
class Derive:
    span: Span
    kind: Ident
    outputs: tuple[Ident, ...]
    wrt: tuple[Path, ...]
    per: Ident | None
    name: Ident | None


Statement = (
    Doc | Import | FromImport | DimDeclaration | Const | Input | Param | Output | Instance | Require
    | Equation | Chain | Next | Collect | Until | Rule | Block | Repeat | Scan | If | Derive
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    span: Span
    statements: tuple[Statement, ...]
