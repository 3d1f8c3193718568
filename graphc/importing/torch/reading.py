"""From the graph of an exported program to a sheet."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from graphc.elaborate.names.scope import Mistake
from graphc.importing.items import ModuleCall, Value
from graphc.importing.python.places import Places
from graphc.importing.sheet import Sheet
from graphc.importing.sizes import read_size
from graphc.ir.dims import Dim
from graphc.ir.types import Dtype, Type
from graphc.source import Span

Handler = Callable[..., Any]
OPERATORS: dict[str, Handler] = {}
"""What each operator of ATen is: called with the reading and its arguments, as they stand."""
SomeHandler = TypeVar("SomeHandler", bound=Handler)
FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
KINDS: Mapping[str, Dtype] = {
    "torch.float32": "float", "torch.float64": "float", "torch.float16": "float",
    "torch.bfloat16": "float", "torch.int64": "int", "torch.int32": "int", "torch.int16": "int",
    "torch.int8": "int", "torch.uint8": "int", "torch.bool": "bool",
}  # fmt: skip


def of(*names: str) -> Callable[[SomeHandler], SomeHandler]:
    """Return a decorator that says what operators are."""

    def register(handler: SomeHandler) -> SomeHandler:
        for name in names:
            OPERATORS[name] = handler
        return handler

    return register


class Reading:
    """A program that is being read."""

    def __init__(self, sheet: Sheet, places: Places) -> None:
        self.sheet, self.places = sheet, places
        self.named: dict[Any, str] = {}
        self.symbols: dict[str, str] = {}  # of sizes, called after the axis that has them

    def read(self, graph: Any, found: dict[Any, Any]) -> Any:
        """Read the nodes of a graph; returns what it returns."""
        for node in graph.nodes:
            if node.op == "placeholder":
                continue
            frames = [*self.frames(node)]
            place = frames[-1] if frames else self.sheet.place
            with self.sheet.at(place), self.sheet.within(*parts_of(node)):
                if node.op == "output":
                    return _mapped(node.args[0], found)
                if node.op != "call_function":
                    raise self.sheet.mistake(f"`{node.op}` has no counterpart in the language")
                try:
                    found[node] = self.call(node, found)
                except Mistake as wrong:
                    self.sheet.book.report(wrong.diagnostic)
                    found[node] = self.unknown(node.meta.get("val"))
                    continue
            if isinstance(found[node], Value):
                self.name(found[node], frames, parts_of(node))
        return None

    def call(self, node: Any, found: Mapping[Any, Any]) -> Any:
        name = operator_name(node.target)
        if name not in OPERATORS:
            raise self.sheet.mistake(f"the operator `{name}` has no counterpart in the language")
        arguments = [_mapped(one, found) for one in node.args]
        named = {key: _mapped(one, found) for key, one in node.kwargs.items()}
        return OPERATORS[name](self, *arguments, **named)

    def unknown(self, like: Any) -> Any:
        if isinstance(like, list | tuple):
            return [self.unknown(one) for one in like]
        if not hasattr(like, "shape"):
            return None
        kind = KINDS.get(str(like.dtype), "float")
        return self.sheet.unknown(Type(kind, tuple(self.sizes(like.shape))))

    # ---- values ----------------------------------------------------------------------------------

    def typed(self, given: Any) -> Value:
        if isinstance(given, Value):
            return given
        return self.sheet.value(self.sheet.draw.expr(given))

    def dim(self, size: Any) -> Dim:
        """Return a size of PyTorch as a dim of the file."""
        if isinstance(size, Dim | int):
            return Dim.of(size)
        found = re.findall(r"[A-Za-z_]\w*", str(size))
        words = {name: self.sheet.dim(self.symbols.get(name, name)) for name in found}
        try:
            return Dim.of(read_size(str(size), words))
        except ValueError:
            message = f"the size {size} has no counterpart in the language"
            raise self.sheet.mistake(message) from None

    def sizes(self, shape: Any) -> list[Dim]:
        return [self.dim(one) for one in shape]

    def type(self, like: Any) -> Type:
        kind = KINDS.get(str(like.dtype))
        if kind is None:
            raise self.sheet.mistake(f"{like.dtype} is no type of the language")
        return Type(kind, tuple(self.sizes(like.shape)))

    def hint(self, value: Value, name: str) -> Value:
        """Return a value that the module around it calls so, where its own source does not."""
        self.sheet.call_it(value, name)
        return value

    # ---- places and names ------------------------------------------------------------------------

    def frames(self, node: Any) -> Iterator[Span]:
        """Yield the lines of the user's own that a node comes from, from the outside."""
        for match in FRAME.finditer(node.meta.get("stack_trace") or ""):
            if self.places.is_users(match["file"]):
                source = self.places.source(match["file"])
                yield self.places.line(source, int(match["line"]))

    def name(self, value: Value, frames: Sequence[Span], parts: Sequence[ModuleCall]) -> None:
        """Call a value as its line does, where it is the last of this line; in each module anew."""
        own = [None, *(one for one in parts if not _is_librarys(one))]
        if len(frames) != len(own):  # functions between modules: the innermost line is the module's
            own, frames = own[-1:], frames[-1:]
        book = self.sheet.book
        for part, place in zip(own, frames, strict=True):
            called = _assigned(place.text)
            if called is None:
                continue
            at = (part, place.source.name, place.start)
            before = self.named.pop(at, None)
            if part is None:
                book.names.pop(before or "", None)
                taken = book.names.setdefault(value.key, called) != called
            else:
                book.inside.pop((part, before or ""), None)
                taken = book.inside.setdefault((part, value.key), called) != called
            if not taken:
                self.named[at] = value.key


def parts_of(node: Any) -> list[ModuleCall]:
    """Return the modules that a node stands in, from the outside; the whole is none."""
    stack = node.meta.get("nn_module_stack") or {}
    return [
        ModuleCall(path.partition("@")[0], kind if isinstance(kind, str) else _class(kind), call)
        for call, (path, kind) in stack.items()
        if path and not call.startswith("_empty")
    ]


def _class(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_librarys(part: ModuleCall) -> bool:
    return part.kind.startswith("torch.")


def operator_name(target: Any) -> str:
    """Return `aten.add` of `aten.add.Tensor`, `operator.mul` of a function of Python's."""
    words = str(target).split(".")
    if words[0] in ("aten", "prims"):
        return ".".join(words[:2])
    return f"{getattr(target, '__module__', '')}.{getattr(target, '__name__', target)}".lstrip("_")


def _mapped(one: Any, found: Mapping[Any, Any]) -> Any:
    if isinstance(one, list | tuple):
        return [_mapped(part, found) for part in one]
    if isinstance(one, slice):
        return slice(*(_mapped(part, found) for part in (one.start, one.stop, one.step)))
    return found.get(one, one) if hasattr(one, "op") and hasattr(one, "target") else one


def _assigned(line: str) -> str | None:
    try:
        (statement,) = ast.parse(line.strip()).body
    except (SyntaxError, ValueError):
        return None
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return None
