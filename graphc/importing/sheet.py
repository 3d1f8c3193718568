"""The sheet that an importer writes on: values in the language's own expressions, typed at once.

An expression names other values by their keys, as `%3`, which no file can define. So what is a
statement of its own, and what is written into the expression that uses it, is decided in the end
(`graphc/importing/written.py`); and whatever the language refuses is a mistake at the place in the
source that is being read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np

from graphc.elaborate.expressions.expressions import evaluate
from graphc.elaborate.names.imports import Loader, read_namespace
from graphc.elaborate.names.model import DimInfo
from graphc.elaborate.names.scope import Context, Entry, Mistake, Scope
from graphc.elaborate.names.standard import StandardBlocks
from graphc.elaborate.statements.body import run_body
from graphc.elaborate.values.values import to_node
from graphc.importing.items import Computed, Given, Item, Looped, ModuleCall, Stated, Value
from graphc.importing.terms import Drawer, expression_of
from graphc.ir.dims import Dim
from graphc.ir.graph import INPUT, Node, source
from graphc.ir.loop import bound
from graphc.ir.types import Type, fit_together, known_facts, learn
from graphc.names import identifier
from graphc.ops import FUNCTIONS
from graphc.records import dataclass, field, replace
from graphc.source import Diagnostic, GraphError, Source, Span, error
from graphc.syntax import tree

CONSTANTS = 100
"""Elements of an array of floats that stands in the text; a larger one is a parameter."""
LITERALS = 10_000
"""Elements of an array of integers or truth values that stands in the text."""


@dataclass(slots=True, eq=False)
class Book:
    """What all sheets of one import share: counters, mistakes, arrays of parameters."""

    context: Context
    numbers: Iterator[int] = field(default_factory=count)
    mistakes: list[Diagnostic] = field(default_factory=list)
    arrays: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)  # of parameters, by key
    names: dict[str, str] = field(default_factory=dict)  # what the source calls values, by key
    inside: dict[tuple[ModuleCall, str], str] = field(
        default_factory=dict
    )  # what a part calls them
    ports: dict[ModuleCall, tuple[str, ...]] = field(
        default_factory=dict
    )  # what a function is given
    rules: dict[ModuleCall, list[Stated]] = field(default_factory=dict)
    types: dict[str, Type] = field(default_factory=dict)  # of values, by key

    def report(self, found: Diagnostic) -> None:
        """Keep a mistake, in which values are called as in the source."""
        notes = tuple(replace(note, message=self._readable(note.message)) for note in found.notes)
        told = replace(found, message=self._readable(found.message), notes=notes)
        if told not in self.mistakes:
            self.mistakes.append(told)

    def _readable(self, message: str) -> str:
        return re.sub(r"`(%\d+)`", lambda key: f"`{self.names.get(key[1], 'it')}`", message)


class Sheet:
    """The statements of a file, or of the body of a loop, as far as the source has been read."""

    def __init__(self, book: Book, scope: Scope, place: Span, outer: Sheet | None = None) -> None:
        self.book, self.scope, self.place, self.outer = book, scope, place, outer
        self.items: list[Item] = []
        self.parts: tuple[
            ModuleCall, ...
        ] = ()  # of the source that are being read, from the outside
        self.clauses: tuple[tree.Derive, ...] = ()

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Turn what ends the reading into a GraphError with all mistakes that were met."""
        try:
            yield
        except Exception as wrong:
            told = _mistake_behind(wrong)
            if told is None:
                raise
            self.book.report(told.diagnostic)
            raise GraphError(self.book.mistakes) from None

    @contextmanager
    def at(self, place: Span) -> Iterator[None]:
        """Make what is written inside come from this place of the source."""
        before, self.place = self.place, place
        try:
            yield
        finally:
            self.place = before

    def call_it(self, value: Value, name: str) -> None:
        """Call a value so, in the part that is being read, where it has no name there yet."""
        if (part := self.part) is not None:
            self.book.inside.setdefault((part, value.key), name)
        else:
            self.book.names.setdefault(value.key, name)

    @property
    def part(self) -> ModuleCall | None:
        """Return the part of the source that is being read, also around a loop."""
        if self.parts:
            return self.parts[-1]
        return None if self.outer is None else self.outer.part

    def enter(self, part: ModuleCall, given: Sequence[tuple[str, Value]]) -> None:
        """Take down what a function is given, and what it calls that."""
        self.book.inside.update({(part, value.key): name for name, value in given})
        self.book.ports[part] = tuple(dict.fromkeys(value.key for _, value in given))

    def change_of(self, word: str, value: Value) -> Value:
        """Return the tangent or cotangent of a value, which a rule is written in."""
        made = self._enter(_result(value.type))
        self.items.append(Computed((made.key,), self.draw.call(word, value), True, self.parts))
        return made

    def state(self, kind: str, of: Value, rule: Value) -> None:
        """State a derivative of the part that is being read."""
        stated = self.book.rules.setdefault(self.parts[-1], [])
        stated.append(Stated(kind, of.key, rule.key))

    @contextmanager
    def within(self, *parts: ModuleCall) -> Iterator[None]:
        """Make what is written inside belong to parts of the source."""
        before, self.parts = self.parts, (*self.parts, *parts)
        try:
            yield
        finally:
            self.parts = before

    # ---- what the file declares ------------------------------------------------------------------

    def dim(self, name: str) -> Dim:
        """Return the symbolic dim of this name, declared where it is new."""
        symbol = Dim.symbol(identifier(name))
        context = self.book.context
        if identifier(name) not in context.dims:
            context.dims[identifier(name)] = DimInfo(name, symbol, None, self.place, "")
            self.scope.entries[name] = Entry(symbol, self.place, is_dim=True)
        return symbol

    def declare(self, kind: str, name: str, type: Type, doc: str = "") -> Value:
        """Declare an input or a parameter."""
        return self._given(kind, name, source(INPUT, name, type), doc=doc)

    def parameter(self, name: str, array: np.ndarray[Any, Any]) -> Value:
        """Declare a parameter whose values are given."""
        shape = tuple(Dim.of(size) for size in array.shape)
        value = self._given("param", name, source(INPUT, name, Type("float", shape)))
        self.book.arrays[value.key] = array
        return value

    def _given(
        self, kind: str, name: str, node: Any, start: tree.Expr | None = None, doc: str = ""
    ) -> Value:
        file = self
        while file.outer is not None:
            file = file.outer
        value = file._enter(node)
        self.book.names[value.key] = name
        file.items.append(Given((value.key,), kind, value.type, start, doc))
        return value

    # ---- values ----------------------------------------------------------------------------------

    def value(self, expr: tree.Expr) -> Value:
        """Write an expression; raises Mistake where the language refuses it."""
        found = evaluate(self.book.context, self.scope, expr)
        value = self._enter(found)
        literal = not isinstance(found, Node)
        self.items.append(Computed((value.key,), expr, literal, self.parts))
        return value

    def values(self, expr: tree.Expr) -> list[Value]:
        """Write an expression that makes several values."""
        found = [self._enter(one) for one in evaluate(self.book.context, self.scope, expr)]
        self.items.append(Computed(tuple(one.key for one in found), expr, False, self.parts))
        return found

    def _enter(self, found: Any) -> Value:
        key = f"%{next(self.book.numbers)}"
        self.scope.entries[key] = Entry(found, self.place)
        value = Value(key, to_node(found, self.place), self.place)
        self.book.types[key] = value.type
        return value

    def call(self, function: str, *arguments: Any, **named: Any) -> Value:
        """Write a call; arguments are values, numbers, texts, dims or lists of these."""
        if function not in FUNCTIONS:
            raise self.mistake(f"`{function}` has no counterpart in the language")
        return self.value(self.draw.call(function, *arguments, **named))

    def binary(self, operator: str, left: Any, right: Any) -> Value:
        """Write an operator between values of shapes that broadcast as NumPy's do."""
        return self.value(self.draw.binary(operator, *self.fitted(left, right)))

    def unary(self, operator: str, operand: Any) -> Value:
        return self.value(self.draw.unary(operator, operand))

    def broadcast(self, function: str, *arguments: Any, **named: Any) -> Value:
        """Write a call of what works element by element, on shapes that broadcast as NumPy's do."""
        return self.call(function, *self.fitted(*arguments), **named)

    def subscript(self, value: Any, *parts: Any) -> Value:
        """Write a subscript: integers, dims, slices, `None`, `...` and values."""
        if not parts:
            return self.value(expression_of(value, self.place))
        if isinstance(value, Value) and not value.rank and set(parts) <= {None, ...}:
            row = self.call("stack", value)
            more = parts.count(None) - 1
            return self.call("reshape", row, [1] * parts.count(None)) if more else row
        return self.value(self.draw.subscript(value, *parts))

    def is_known(self, value: Value) -> bool:
        """True if a value is known when compiling: a number, a list."""
        entry = self.scope.find(value.key)
        return entry is not None and not isinstance(entry.value, Node)

    @property
    def draw(self) -> Drawer:
        """Return what makes expressions of the place that is being read."""
        return Drawer(self.place)

    def fitted(self, *arguments: Any) -> list[Any]:
        """Give values of lower rank the axes that NumPy would add, where the language wants them.

        Of operands of one rank it stretches any literal 1, else that of the lower rank alone.
        """
        values = [one for one in arguments if isinstance(one, Value) and one.rank]
        rank = max((one.rank for one in values), default=0)
        if fit_together([one.shape for one in values]):
            return list(arguments)
        return [
            self.subscript(one, *[None] * (rank - one.rank))
            if isinstance(one, Value) and 0 < one.rank < rank
            else one
            for one in arguments
        ]

    # ---- arrays ----------------------------------------------------------------------------------

    def array(self, array: np.ndarray[Any, Any], name: str = "constant") -> Value:
        """Write an array of the source: as what makes it, as a constant, or as a parameter."""
        if array.dtype.kind not in "fiub":
            raise self.mistake(f"an array of {array.dtype} is none of numbers")
        if array.ndim == 0:
            return self.value(expression_of(array.item(), self.place))
        made = _regular(self.draw, array)
        if made is not None:
            return self.value(made)
        if array.size > CONSTANTS and array.dtype.kind == "f":
            return self.parameter(name, array)
        if array.size > LITERALS:
            message = f"an array of {array.size} integers or truth values stands in the function"
            raise self.mistake(message, "make it an argument of the function")
        expr = expression_of(array.tolist(), self.place)
        found = evaluate(self.book.context, self.scope, expr)
        return self._given("const", name, found, expr)

    # ---- loops -----------------------------------------------------------------------------------

    def loop(
        self,
        name: str,
        index: str,
        first: int | Dim,
        count_: Dim,
        starts: Sequence[tuple[str, Value]],
        step: Callable[[Sheet, Dim, list[Value]], tuple[Sequence[Value], Sequence[Value], Any]],
    ) -> list[Value]:
        """Write a scan; `step` gives the next carried values, what is collected, and the end."""
        book = self.book
        symbol = book.context.fresh_index(index)
        at, low = Dim.symbol(symbol), Dim.of(first)
        book.context.ranges[symbol] = (low, low + count_ - 1)
        learn(known_facts().with_nonnegative(at - low).with_nonnegative(low + count_ - 1 - at))
        inner = Sheet(book, Scope(None, self.scope.space, self.scope), self.place, self)
        inner.scope.entries[symbol] = Entry(at, self.place)
        carried = [inner._enter(bound(called, value.type)) for called, value in starts]
        for one, (called, _) in zip(carried, starts, strict=True):
            book.names[one.key] = called
        try:
            nexts, collects, until = step(inner, at, carried)
        finally:
            book.context.ranges.pop(symbol)
            learn(known_facts().without(symbol))
        for (called, start), following in zip(starts, nexts, strict=True):
            if start.type != following.type:
                message = f"`{called}` starts as {start.type} and becomes {following.type}"
                raise self.mistake(message, "what a loop hands on keeps its shape and type")
        ends = [self._enter(_result(value.type)) for _, value in starts]
        stacks = [
            self._enter(_result(Type(one.type.dtype, (count_, *one.shape)))) for one in collects
        ]
        whole = first == 0
        self.items.append(
            Looped(
                tuple(one.key for one in (*ends, *stacks)),
                name,
                symbol,
                expression_of(count_ if whole else first, self.place),
                None if whole else expression_of(low + count_ - 1, self.place),
                tuple(
                    (one.key, expression_of(start, self.place))
                    for one, (_, start) in zip(carried, starts, strict=True)
                ),
                inner.items,
                tuple(nexts),
                tuple(collects),
                until,
                self.parts,
            )
        )
        return [*ends, *stacks]

    # ---- mistakes --------------------------------------------------------------------------------

    def mistake(self, message: str, help: str | None = None) -> Mistake:
        """Return the mistake that the language cannot say what stands at this place."""
        return Mistake(error("E801", message, self.place, help=help))

    def unknown(self, type: Type) -> Value:
        """Return a value to go on with behind a mistake."""
        return self._enter(_result(type))


def _mistake_behind(wrong: BaseException | None) -> Mistake | None:
    """Return the mistake that an exception comes of, through what libraries made of it."""
    while wrong is not None and not isinstance(wrong, Mistake):
        wrong = wrong.__cause__ or wrong.__context__
    return wrong


_unknowns = count()


def _result(type: Type) -> Node:
    """Return a node of its own, which says no more than its type."""
    return source(INPUT, f"%result{next(_unknowns)}", type)


def _regular(draw: Drawer, array: np.ndarray[Any, Any]) -> tree.Expr | None:
    """Return what makes an array that is all one number, a range or a unit matrix."""
    kind = array.dtype.kind
    if array.size == 0 or (array.size > 1 and kind == "f" and np.all(array == array.flat[0])):
        number = float(array.flat[0]) if array.size else 0.0
        if number in (0.0, 1.0) and not np.signbit(number):
            return draw.call("zeros" if number == 0 else "ones", list(array.shape))
        return draw.call("full", list(array.shape), number)
    if kind in "iu" and array.ndim == 1 and array.size > 2:
        if np.array_equal(array, np.arange(array.size)):
            return draw.call("arange", array.size)
        return None
    square = array.ndim == 2 and array.shape[0] == array.shape[1] > 1
    if kind == "f" and square and np.array_equal(array, np.eye(array.shape[0])):
        return draw.call("eye", array.shape[0])
    return None


def new_sheet(source: Source) -> Sheet:
    """Return an empty sheet for what is read from a source; used inside a session."""
    file = tree.File(source.whole, ())
    space = read_namespace(file, None, Loader())
    context = Context("float64", {}, {}, evaluate, run_body)
    context.standard = StandardBlocks()
    return Sheet(Book(context), Scope("", space), source.whole)
