"""From a jaxpr to a sheet: what is known stays a number or a dim, all else is a value."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, TypeVar

import numpy as np
from jax._src import source_info_util

from graphc.elaborate.names.scope import Mistake
from graphc.importing.dtypes import KINDS
from graphc.importing.items import ModuleCall, Value
from graphc.importing.python.places import Places
from graphc.importing.sheet import Sheet
from graphc.importing.sizes import read_size
from graphc.ir.dims import Dim
from graphc.ir.types import Type
from graphc.source import Span

Given = Any
"""What an equation is given: an array or number that is known, a Dim, or a Value."""
Handler = Callable[..., Any]
PRIMITIVES: dict[str, Handler] = {}
"""What each primitive is: called with the reading, its operands and its parameters."""
SomeHandler = TypeVar("SomeHandler", bound=Handler)


def of(*names: str) -> Callable[[SomeHandler], SomeHandler]:
    """Return a decorator that says what primitives are."""

    def register(handler: SomeHandler) -> SomeHandler:
        for name in names:
            PRIMITIVES[name] = handler
        return handler

    return register


class Reading:
    """A jaxpr that is being read; `dims` are those that stand in its shapes."""

    def __init__(self, sheet: Sheet, places: Places, dims: dict[str, Dim]) -> None:
        self.sheet, self.places, self.dims = sheet, places, dims
        self.origins: dict[str, tuple[str, tuple[Given, ...], dict[str, Any]]] = {}
        self.thin: dict[str, Value] = {}  # of what is repeated along axes, what it is of
        self.rows: dict[str, tuple[Value, set[int]]] = {}  # slices of length 1, as positions
        self.indices: set[str] = set()  # of loops
        self.assigned: dict[str, dict[tuple[int, int], Any]] = {}
        self.named: dict[Any, str] = {}
        self.calls = count()
        self.stating = False  # is it a rule that is being read?

    # ---- equations -------------------------------------------------------------------------------

    def read(self, jaxpr: Any, consts: Sequence[Given], arguments: Sequence[Given]) -> list[Given]:
        """Read a jaxpr with these constants and arguments; returns what it returns."""
        found: dict[Any, Given] = {}
        found.update(zip(jaxpr.constvars, consts, strict=True))
        found.update(zip(jaxpr.invars, arguments, strict=True))

        def given(atom: Any) -> Given:
            return np.asarray(atom.val) if hasattr(atom, "val") else found[atom]

        scopes = list[tuple[str, ModuleCall]]()
        for equation in jaxpr.eqns:
            scopes = self.entered(scopes, scope_names(equation))
            place = self.place(equation) or self.sheet.place
            with self.sheet.at(place), self.sheet.within(*(part for _, part in scopes)):
                results = self.equation(equation, tuple(map(given, equation.invars)))
                found.update(zip(equation.outvars, results, strict=True))
        return [given(atom) for atom in jaxpr.outvars]

    def equation(self, equation: Any, operands: tuple[Given, ...]) -> Sequence[Given]:
        """Read an equation; behind a mistake it goes on with values of the types that it says."""
        name = equation.primitive.name
        handler = PRIMITIVES.get(name)
        try:
            if name in FOLDED and _is_known(equation, operands):
                return self.folded(equation, operands)
            if handler is None:
                raise self.sheet.mistake(f"the primitive `{name}` has no counterpart")
            made = handler(self, *operands, equation=equation)
        except Mistake as wrong:
            self.sheet.book.report(wrong.diagnostic)
            return [self.unknown(one.aval) for one in equation.outvars]
        results = made if isinstance(made, list) else [made]
        self.name_all(results, self.sheet.place)
        for one in results:
            if isinstance(one, Value):
                self.origins.setdefault(one.key, (name, operands, dict(equation.params)))
                self.name(one, self.sheet.place)
        return results

    def entered(
        self, before: Sequence[tuple[str, ModuleCall]], names: Sequence[str]
    ) -> list[tuple[str, ModuleCall]]:
        """Return the scopes around an equation, by name; those that the last one stands in stay."""
        same = 0
        while same < min(len(before), len(names)) and before[same][0] == names[same]:
            same += 1
        new = [(one, ModuleCall("", kind_of(one), str(next(self.calls)))) for one in names[same:]]
        return [*before[:same], *new]

    def unknown(self, aval: Any) -> Value:
        """Return a value to go on with, of the shape that is said."""
        kind = KINDS.get(np.dtype(aval.dtype).kind, "float")
        return self.sheet.unknown(Type(kind, tuple(self.shape(aval.shape))))

    def folded(self, equation: Any, operands: tuple[Given, ...]) -> list[Given]:
        """Return the results of an equation whose operands are known."""
        made = equation.primitive.bind(*operands, **equation.params)
        return [
            np.asarray(one) for one in (made if equation.primitive.multiple_results else [made])
        ]

    # ---- values ----------------------------------------------------------------------------------

    def value(self, given: Given) -> Any:
        """Return an operand as the sheet takes it: a value, a dim, or a number."""
        if isinstance(given, Value | Dim):
            return given
        array = np.asarray(given)
        return array.item() if not array.ndim else self.sheet.array(array)

    def typed(self, given: Given) -> Value:
        found = self.value(given)
        return found if isinstance(found, Value) else self.sheet.value(self.sheet.draw.expr(found))

    def dim(self, given: Any) -> Dim:
        """Return a size of JAX as a dim."""
        if isinstance(given, int | np.integer):
            return Dim.of(int(given))
        try:
            return Dim.of(read_size(str(given), self.dims))
        except ValueError:
            raise self.sheet.mistake(
                f"the size {given} has no counterpart in the language"
            ) from None

    def dim_or_number(self, found: Any) -> Given:
        """Return a whole number as what is known, where it is."""
        dim = Dim.of(found)
        return np.asarray(dim.constant) if dim.constant is not None else dim

    def is_index(self, dim: Dim) -> bool:
        """True if a dim differs from step to step of a loop."""
        return not self.indices.isdisjoint(dim.symbols)

    def shape(self, sizes: Sequence[Any]) -> list[Dim]:
        return [self.dim(one) for one in sizes]

    def type(self, aval: Any) -> Type:
        kind = KINDS.get(np.dtype(aval.dtype).kind)
        if kind is None:
            raise self.sheet.mistake(f"{aval.dtype} is no type of the language")
        return Type(kind, tuple(self.shape(aval.shape)))

    def origin(self, given: Given, *names: str) -> tuple[tuple[Given, ...], dict[str, Any]] | None:
        """Return operands and parameters of what made a value, where that is one of these."""
        found = self.origins.get(given.key) if isinstance(given, Value) else None
        return None if found is None or found[0] not in names else found[1:]

    # ---- places and names ------------------------------------------------------------------------

    def place(self, equation: Any) -> Span | None:
        frame = source_info_util.user_frame(equation.source_info.traceback)
        if frame is None or not self.places.is_users(frame.file_name):
            return None
        source = self.places.source(frame.file_name)
        return self.places.between(
            source, frame.start_line, frame.end_line, frame.start_column, frame.end_column
        )

    def names_of(self, place: Span) -> str | tuple[str, ...] | None:
        """Return what the statement calls its values that an expression is the whole of."""
        source = place.source
        if source.name not in self.assigned:
            self.assigned[source.name] = _assigned(source)
        return self.assigned[source.name].get((place.start, place.end))

    def name_all(self, values: Sequence[Given], place: Span) -> None:
        """Call several values as the statement does that takes them apart."""
        found = self.names_of(place)
        if isinstance(found, tuple) and len(found) == len(values):
            for one, name in zip(values, found, strict=True):
                if isinstance(one, Value) and name != "_":
                    self.sheet.call_it(one, name)

    def name(self, value: Value, place: Span) -> None:
        """Call a value as the statement does that its expression is the whole of."""
        source, found = place.source, self.names_of(place)
        if not isinstance(found, str):
            return
        part, book = self.sheet.part, self.sheet.book
        at = (part, source.name, place.start, place.end)
        before = self.named.pop(at, None)  # what the last of its equations makes is called so
        if before is not None and part is not None:
            del book.inside[part, before]
        elif before is not None:
            del book.names[before]
        if (part, value.key) not in book.inside and (part or value.key not in book.names):
            self.sheet.call_it(value, found)
            self.named[at] = value.key


def scope_names(equation: Any) -> list[str]:
    """List the named scopes around an equation; none where a derivative is traced through them."""
    stack = equation.source_info.name_stack.stack
    plain = all(type(one).__name__ == "Scope" for one in stack)
    return [one.name for one in stack] if plain else []


def kind_of(scope: str) -> str:
    """Return what scopes are called that are numbered: `layer` of `layer_3`."""
    return re.sub(r"[\W_]*\d+$", "", scope) or scope


def _is_known(equation: Any, operands: Sequence[Given]) -> bool:
    """True if the results of an equation can be computed: arrays of sizes that are numbers."""
    known = all(isinstance(one, np.ndarray | np.generic) for one in operands)
    sizes = [size for one in equation.outvars for size in one.aval.shape]
    return known and all(isinstance(size, int | np.integer) for size in sizes)


def _assigned(source: Any) -> dict[tuple[int, int], Any]:
    """Return the names that statements give, by the expression that stands behind `=`."""
    places = Places()
    try:
        parsed = ast.parse(source.text)
    except SyntaxError:
        return {}
    found: dict[tuple[int, int], Any] = {}
    for one in ast.walk(parsed):
        if isinstance(one, ast.Assign) and len(one.targets) == 1:
            _note(found, places, source, one.targets[0], one.value)
        elif isinstance(one, ast.AnnAssign) and one.value is not None:
            _note(found, places, source, one.target, one.value)
    return found


def _note(found: dict[Any, Any], places: Places, source: Any, target: Any, value: Any) -> None:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, other in zip(target.elts, value.elts, strict=False):
            _note(found, places, source, one, other)
    elif isinstance(target, ast.Name | ast.Tuple):
        span = places.between(
            source, value.lineno, value.end_lineno, value.col_offset, value.end_col_offset
        )
        whole = target.id if isinstance(target, ast.Name) else tuple(_flat(target))
        found[span.start, span.end] = whole


def _flat(target: Any) -> Iterator[str]:
    """Yield the names in a target that takes values apart; `_` for what is no name."""
    for one in target.elts:
        if isinstance(one, ast.Tuple):
            yield from _flat(one)
        else:
            yield one.id if isinstance(one, ast.Name) else "_"


KNOWN = """
    add sub mul div neg max min eq ne lt le gt ge and or not select_n convert_element_type
    broadcast_in_dim reshape squeeze expand_dims concatenate slice transpose iota rem sign abs floor
    ceil exp log sqrt integer_pow pow square reduce_sum reduce_prod reduce_max reduce_min copy clamp
    rev cumsum sin cos tan tanh rsqrt log1p expm1 stop_gradient
"""
FOLDED = frozenset(KNOWN.split())
"""Primitives of which equations between known arrays are computed."""
