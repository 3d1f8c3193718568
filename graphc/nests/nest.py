"""The records of loop nests: expressions of elements, statements, and the loops around them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal as OneOf

from graphc.ir.dims import Dim
from graphc.ir.types import Shape
from graphc.records import dataclass, field

Index = tuple[Dim, ...]
"""Where an element is, a position for each axis: of dims, loops (`counter`) and what is defined."""

Kind = OneOf["float", "int", "bool", "wide"]
"""A dtype of the language, or the widest float, in which sums are made."""


@dataclass(eq=False, slots=True)
class Value:
    """A number or an array that statements write and read, under a name.

    One that is `given` lies where the caller says, under that name. `constant` is a table of the
    file. The first axis of `members` is one of arrays that lie apart. A `token` is no number: who
    reads it comes after who writes it.
    """

    name: str
    dtype: Kind
    shape: Shape
    given: bool = False
    members: bool = False
    constant: object = None
    token: bool = False

    def __repr__(self) -> str:
        return self.name


# ---- expressions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a value."""

    value: Value
    index: Index = ()


@dataclass(frozen=True, slots=True)
class Number:
    """A number of the file, or the name of one that depends on the dtype."""

    value: bool | int | float | str
    dtype: Kind


@dataclass(frozen=True, slots=True)
class Size:
    """An integer made of dims, counters and what is defined."""

    dim: Dim


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of numbers, by the name that kernels have for it, on operands of one dtype."""

    name: str
    args: tuple[Expr, ...]
    dtype: Kind
    of: Kind


Expr = Element | Number | Size | Apply


def dtype_of(expr: Expr) -> Kind:
    """Return the dtype of what an expression comes to."""
    match expr:
        case Element(value):
            return value.dtype
        case Size():
            return "int"
        case Number(_, dtype) | Apply(dtype=dtype):
            return dtype


def cast(expr: Expr, dtype: Kind) -> Expr:
    """Bring an expression to a dtype."""
    have = dtype_of(expr)
    if have == dtype or {have, dtype} == {"float", "wide"}:
        return expr
    if isinstance(expr, Number) and isinstance(expr.value, int) and dtype in ("float", "wide"):
        return Number(float(expr.value), dtype)
    return Apply("cast", (expr,), dtype, have)


# ---- statements ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Assign:
    """An element of a value becomes what an expression comes to, `where` this is so."""

    to: Element
    expr: Expr
    comment: str = ""
    where: Expr | None = None


@dataclass(frozen=True, slots=True)
class Define:
    """A symbol of indices: a position that is computed."""

    symbol: str
    expr: Expr


@dataclass(frozen=True, slots=True)
class Refuse:
    """The function ends with this status where the expression is true."""

    fails: Expr
    status: int


@dataclass(frozen=True, slots=True)
class Invoke:
    """A function on whole arrays: the elements are where they begin; `scratch` are values of it.

    What it returns is a status where it is one `of_status`, else goes `into` an element.
    """

    function: str
    operands: tuple[Element | Size, ...]
    writes: tuple[Value, ...]
    of_status: bool = False
    into: Element | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    """The loop of the language ends where the expression is true."""

    done: Expr


@dataclass(eq=False, slots=True)
class Turns:
    """A loop of the language: `count` steps of `body` from index `first` on, or the last one first.

    `holds` are the values that live from step to step; there are never more steps than `most`.
    """

    index: str
    first: Dim
    count: Expr
    most: Dim
    backwards: bool
    works: list[Work]
    holds: tuple[Value, ...]
    comment: str = ""
    body: list[Tree] = field(default_factory=list)


Statement = Assign | Define | Refuse | Invoke | Leave | Turns


# ---- works, and loops around them ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Access:
    """What of a value a work touches: None is all of an axis."""

    value: Value
    index: tuple[Dim | None, ...]
    writes: bool


@dataclass(eq=False, slots=True)
class Work:
    """What is computed at each place of axes, the slowest first; `order` keeps works apart that
    share no value."""

    axes: Shape
    statements: tuple[Statement, ...]
    touches: tuple[Access, ...]


@dataclass(eq=False, slots=True)
class For:
    """A loop over an axis, counted by `counter(depth)`."""

    depth: int
    count: Dim
    body: list[Tree]


Tree = For | Work


def counter(depth: int) -> Dim:
    """Return the position in the loop of this depth."""
    return Dim.symbol(counter_name(depth))


def counter_name(depth: int) -> str:
    """Return the symbol of the position in a loop: a user's name is none such."""
    return f"<{depth}>"


def works_in(trees: Iterable[Tree]) -> Iterator[Work]:
    """Yield the works of loop nests in order, not those inside loops of the language."""
    for tree in trees:
        if isinstance(tree, For):
            yield from works_in(tree.body)
        else:
            yield tree


def elements_in(expr: Expr) -> Iterator[Element]:
    """Yield the elements that an expression reads."""
    match expr:
        case Element():
            yield expr
        case Apply(args=args):
            for arg in args:
                yield from elements_in(arg)


def applies_in(expr: Expr) -> Iterator[Apply]:
    """Yield the functions that an expression is made of."""
    if isinstance(expr, Apply):
        yield expr
        for arg in expr.args:
            yield from applies_in(arg)


def symbols_in(statement: Statement) -> frozenset[str]:
    """Return the symbols that a statement reads, other than those of a loop of the language."""
    match statement:
        case Assign(to, expr, _, where):
            found = [to, expr, *([where] if where is not None else [])]
        case Define(_, expr) | Refuse(expr) | Leave(expr):
            found = [expr]
        case Invoke(operands=operands, into=into):
            found = [*operands, *([into] if into is not None else [])]
        case Turns():
            found = []
    return frozenset[str]().union(*map(_symbols, found))


def _symbols(expr: Expr) -> frozenset[str]:
    match expr:
        case Element(_, index):
            return frozenset[str]().union(*(one.symbols for one in index))
        case Size(dim):
            return frozenset(dim.symbols)
        case Apply(args=args):
            return frozenset[str]().union(*map(_symbols, args))
        case Number():
            return frozenset()
