"""A JAX function to a graph: traced with the types that are declared, its jaxpr read on a sheet."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax import export

from graphc.importing.declared import Declarations
from graphc.importing.imported import Imported, finished
from graphc.importing.items import Value
from graphc.importing.jax import arrays, calls, elementwise, gathers, loops
from graphc.importing.jax.reading import Reading
from graphc.importing.python.places import Places
from graphc.importing.python.results import leaves, returned_names
from graphc.importing.sheet import Sheet, new_sheet
from graphc.importing.sizes import read_size
from graphc.ir.dims import Dim
from graphc.ir.session import Session
from graphc.source import GraphError, error

FILLING = (arrays, calls, elementwise, gathers, loops)
"""What fills the table of primitives when it is imported."""
DTYPES = {"float": np.float64, "int": np.int64, "bool": np.bool_}


def import_jax(
    function: Callable[..., Any], declared: str = "", given: Mapping[str, Any] | None = None
) -> Imported:
    """Import a function of JAX; `declared` and `given` are as for NumPy's.

    Raises GraphError with every mistake.
    """
    places = Places()
    plain = inspect.unwrap(function)
    code = getattr(plain, "__code__", None)
    source = places.source(code.co_filename if code else "<function>")
    name = getattr(plain, "__name__", "function")
    with Session().open(), jax.enable_x64(True):
        sheet = new_sheet(source)
        sheet.place = places.line(source, code.co_firstlineno if code else 1)
        said = Declarations(sheet, declared)
        traced, fixed = _arguments(sheet, said, plain, given or {})
        symbols = _symbols(traced)
        structure = jax.tree_util.tree_structure(traced, is_leaf=_is_value)
        values = jax.tree_util.tree_leaves(traced, is_leaf=_is_value)
        structs = jax.tree_util.tree_unflatten(structure, [_struct(one, symbols) for one in values])
        head = sheet.place
        with sheet.collecting():
            closed, shapes = _traced(function, fixed, structs)
            reading = Reading(sheet, places, {name: Dim.symbol(name) for name in symbols})
            found = reading.read(closed.jaxpr, [np.asarray(one) for one in closed.consts], values)
            sheet.place = head
            results = jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(shapes), found)
            outputs = list(_outputs(reading, plain, name, results))
        doc = (inspect.getdoc(plain) or "").partition("\n\n")[0]
        return finished(sheet, outputs, doc, name)


def _traced(function: Any, fixed: dict[str, Any], structs: dict[str, Any]) -> Any:
    """Trace a function; what it or JAX raises is a mistake of the import."""

    def call(arguments: dict[str, Any]) -> Any:
        return function(**arguments, **fixed)

    try:
        return jax.make_jaxpr(call, return_shape=True)(structs)
    except Exception as wrong:
        message = f"JAX raises {type(wrong).__name__}: {str(wrong).partition(chr(10))[0]}"
        raise GraphError([error("E801", message, None)]) from None


def _is_value(one: Any) -> bool:
    return isinstance(one, Value)


def _symbols(traced: dict[str, Any]) -> dict[str, Any]:
    """Return the symbolic sizes of JAX by the names of dims."""
    values = jax.tree_util.tree_leaves(traced, is_leaf=_is_value)
    names = {name for one in values for axis in one.shape for name in axis.symbols}
    scope = export.SymbolicScope()
    return {name: export.symbolic_shape(name, scope=scope)[0] for name in sorted(names)}


def _struct(value: Value, symbols: dict[str, Any]) -> jax.ShapeDtypeStruct:
    shape = [
        axis.constant if axis.constant is not None else read_size(str(axis), symbols)
        for axis in value.shape
    ]
    return jax.ShapeDtypeStruct(tuple(shape), DTYPES[value.dtype])


def _arguments(
    sheet: Sheet, said: Declarations, function: Any, given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments that are traced, as values, and those that stay as they are."""
    traced: dict[str, Any] = {}
    fixed: dict[str, Any] = {}
    parameters = inspect.signature(function).parameters
    for parameter in parameters.values():
        name = parameter.name
        if name in said.types:
            traced[name] = said.declare(name)
        elif name in said.consts:
            fixed[name] = said.consts[name]
        elif name in given:
            held = given[name]
            if _has_arrays(held):
                traced[name] = said.nested(name, held)
            else:
                fixed[name] = held
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD,
        ):  # fmt: skip
            traced[name] = said.scalar(name)
    unknown = [name for name in (*said.names, *given) if name not in parameters]
    if unknown:
        raise said.unknown(unknown[0], list(parameters))
    return traced, fixed


def _has_arrays(given: Any) -> bool:
    return any(hasattr(one, "shape") for one in jax.tree_util.tree_leaves(given))


def _outputs(
    reading: Reading, function: Any, name: str, results: Any
) -> Iterator[tuple[str, Value]]:
    found = list(leaves(results, "", returned_names(function)))
    own = "output" if name == "<lambda>" else name
    names = reading.sheet.book.names
    for place, (called, one) in enumerate(found):
        value = reading.typed(one)
        hint = called or names.get(value.key, "")
        yield hint or (own if len(found) == 1 else f"{own}_{place + 1}"), value
