"""What is declared of a source beside it, in the words of a file: dims, inputs, parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.elaborate.calls.ports import evaluate_type
from graphc.elaborate.expressions.expressions import evaluate
from graphc.importing.dtypes import KINDS
from graphc.importing.items import Value
from graphc.importing.sheet import Sheet
from graphc.ir.dims import Dim
from graphc.ir.types import Type
from graphc.source import GraphError, Source, error, near_or_all
from graphc.syntax import tree
from graphc.syntax.parse.parser import parse

ALLOWED = "declared are `input`, `param`, `const` and `derive`: `input x: [B, 3]`"


class Declarations:
    """Inputs, parameters and constants by name; dims are open unless they are numbers."""

    def __init__(self, sheet: Sheet, text: str) -> None:
        self.sheet = sheet
        self.types: dict[str, tuple[str, tree.TypeOf | None, tree.Text | None]] = {}
        self.consts: dict[str, Any] = {}
        self.clauses: list[tree.Derive] = []
        for statement in parse(Source("--declare", text)).statements if text.strip() else ():
            match statement:
                case tree.Input() | tree.Param():
                    kind = "input" if isinstance(statement, tree.Input) else "param"
                    for name in statement.names:
                        self.types[name.text] = kind, statement.type, statement.doc
                case tree.Const():
                    found = evaluate(sheet.book.context, sheet.scope, statement.value)
                    self.consts[statement.name.text] = _plain(found)
                case tree.Derive():
                    self.clauses.append(statement)
                case _:
                    raise GraphError([error("E802", ALLOWED, statement.span)])
        sheet.clauses = tuple(self.clauses)

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.types, *self.consts)

    def declare(self, name: str) -> Value:
        """Declare an input or a parameter as it is said."""
        kind, written, doc = self.types[name]
        for axis in _names(written):
            self.sheet.dim(axis)
        type = evaluate_type(self.sheet.book.context, self.sheet.scope, written)
        return self.sheet.declare(kind, name, type, doc.value if doc else "")

    def scalar(self, name: str) -> Value:
        return self.sheet.declare("input", name, Type("float"))

    def example(self, kind: str, name: str, array: np.ndarray[Any, Any]) -> Value:
        """Declare an array of the shape and type of one that is given; a parameter keeps it."""
        dtype = KINDS.get(array.dtype.kind)
        if dtype is None:
            raise self.sheet.mistake(f"`{name}` holds {array.dtype}, which are no numbers")
        if kind == "param":
            return self.sheet.parameter(name, array)
        shape = tuple(Dim.of(size) for size in array.shape)
        return self.sheet.declare(kind, name, Type(dtype, shape))

    def nested(self, path: str, given: Any, inside: bool = False) -> Any:
        """Declare the arrays in an argument, each a value in its place.

        Floats in dicts and lists are parameters, with values; an array alone is an input.
        """
        if isinstance(given, Mapping):
            return {key: self.nested(f"{path}_{key}", one, True) for key, one in given.items()}
        if hasattr(given, "_fields"):
            pairs = zip(given._fields, given, strict=True)
            return type(given)(*(self.nested(f"{path}_{key}", one, True) for key, one in pairs))
        if isinstance(given, list | tuple):
            each = (self.nested(f"{path}_{at}", one, True) for at, one in enumerate(given))
            return type(given)(each)
        if not hasattr(given, "shape") or not hasattr(given, "dtype"):
            return given
        array = np.asarray(given)
        kind = "param" if inside and array.dtype.kind == "f" else "input"
        return self.example(kind, path, array)

    def unknown(self, name: str, known: Sequence[str]) -> GraphError:
        near = near_or_all(name, known, "its arguments")
        return GraphError(
            [error("E802", f"the function has no argument `{name}`", None, help=near)]
        )


def _names(type: tree.TypeOf | None) -> Iterator[str]:
    """Yield the names of dims in a type."""
    pending: list[Any] = list(type.axes or ()) if type is not None else []
    while pending:
        one = pending.pop(0)
        if isinstance(one, tree.Name):
            yield one.text
        elif isinstance(one, tree.Binary):
            pending += [one.left, one.right]


def _plain(found: Any) -> Any:
    if isinstance(found, Dim):
        return found.constant
    if isinstance(found, tuple):
        return [_plain(one) for one in found]
    return found
