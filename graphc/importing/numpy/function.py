"""A NumPy function to a graph: it is run once, with arrays that write down what is done with them.

What NumPy's own dispatch does not reach, such as `np.array` of traced numbers and the arrays that
the function makes and writes into, is replaced while it runs.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np

from graphc.elaborate.names.scope import Mistake
from graphc.importing.declared import Declarations
from graphc.importing.imported import Imported, finished
from graphc.importing.items import Value
from graphc.importing.numpy import creating, linear, positions, shapes
from graphc.importing.numpy.arrays import Size, Trace, Traced
from graphc.importing.numpy.elementwise import TABLE
from graphc.importing.python.places import Places
from graphc.importing.python.results import leaves, returned_names
from graphc.importing.sheet import new_sheet
from graphc.ir.session import Session

FILLING = (linear, positions, shapes)
"""What fills the table when it is imported."""


def import_numpy(
    function: Callable[..., Any], declared: str = "", given: Mapping[str, Any] | None = None
) -> Imported:
    """Import a function of arrays; `declared` says what its arguments are, as a file does.

    `given` are arguments by name that stay as they are: numbers, texts, truth values; an array is
    an input of its shape. What is in neither is a scalar, or its default.

    Raises GraphError with every mistake.
    """
    places = Places()
    code = inspect.unwrap(function).__code__ if hasattr(function, "__code__") else None
    source = places.source(code.co_filename if code else "<function>")
    with Session().open():
        sheet = new_sheet(source)
        head = places.line(source, code.co_firstlineno if code else 1)
        sheet.place = head
        name = getattr(function, "__name__", "function")
        trace = Trace(sheet, places, TABLE, name)
        said = Declarations(sheet, declared)
        arguments = _arguments(trace, function, said, given or {})
        with sheet.collecting():
            with _watched(trace), creating.replaced(trace, function), _told(trace):
                results = function(*arguments.args, **arguments.kwargs)
            sheet.place = head
            outputs = list(_outputs(trace, function, results))
        doc = (inspect.getdoc(function) or "").partition("\n\n")[0]
        return finished(sheet, outputs, doc, name)


def _arguments(
    trace: Trace, function: Callable[..., Any], said: Declarations, given: Mapping[str, Any]
) -> inspect.BoundArguments:
    """Bind traced arrays to what is declared, and the rest to defaults or scalars."""
    signature = inspect.signature(function)
    bound = signature.bind_partial()
    values: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        name = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if name in said.types:
            values[name] = trace.wrap(said.declare(name))
        elif name in said.consts:
            values[name] = said.consts[name]
        elif name in given:
            values[name] = _wrapped(trace, said.nested(name, given[name]))
        elif parameter.default is parameter.empty:
            values[name] = trace.wrap(said.scalar(name))
    unknown = [name for name in (*said.names, *given) if name not in signature.parameters]
    if unknown:
        raise said.unknown(unknown[0], list(signature.parameters))
    bound.arguments.update({n: values[n] for n in signature.parameters if n in values})
    return bound


def _wrapped(trace: Trace, given: Any) -> Any:
    """Return an argument with arrays in the place of values."""
    if isinstance(given, Value):
        return trace.wrap(given)
    if isinstance(given, Mapping):
        return {key: _wrapped(trace, one) for key, one in given.items()}
    if hasattr(given, "_fields"):
        return type(given)(*(_wrapped(trace, one) for one in given))
    if isinstance(given, list | tuple):
        return type(given)(_wrapped(trace, one) for one in given)
    return given


@contextmanager
def _told(trace: Trace) -> Iterator[None]:
    """Make what the function itself raises a mistake at its place."""
    try:
        yield
    except Mistake:
        raise
    except Exception as wrong:
        at, found = wrong.__traceback__, trace.sheet.place
        while at is not None:
            if trace.places.is_users(at.tb_frame.f_code.co_filename):
                found = trace.places.span(at.tb_frame.f_code, at.tb_lasti, at.tb_lineno)
            at = at.tb_next
        with trace.sheet.at(found):
            message = f"the function raises {type(wrong).__name__}: {wrong}"
            raise trace.sheet.mistake(message) from wrong


@contextmanager
def _watched(trace: Trace) -> Iterator[None]:
    """Take the names of what users' functions return with, when they return."""
    before = sys.getprofile()

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and trace.places.is_users(frame.f_code.co_filename):
            trace.name(frame.f_locals)

    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(before)


# ---- what comes back ----------------------------------------------------------------------------


def _outputs(trace: Trace, function: Any, results: Any) -> Iterator[tuple[str, Value]]:
    """Yield the outputs, called as they are in the function, as a dict says, or as it is called."""
    names = trace.sheet.book.names
    own = getattr(function, "__name__", "output").strip("<>")
    own = "output" if own == "lambda" else own
    found = list(leaves(results, "", returned_names(function)))
    if not found:
        raise trace.sheet.mistake(f"`{own}` returns nothing", "return what it computes")
    for place, (name, one) in enumerate(found):
        if (
            not isinstance(one, Size)
            and type(one) is not Traced
            and not isinstance(one, int | float | np.ndarray | np.generic)
        ):
            raise trace.sheet.mistake(f"`{own}` returns a `{type(one).__name__}`, no array")
        value = trace.typed(one)
        hint = name or names.get(value.key, "")
        yield hint or (own if len(found) == 1 else f"{own}_{place + 1}"), value
