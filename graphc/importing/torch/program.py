"""A program of `torch.export` to a graph: parameters and buffers by path, nodes on a sheet."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphc.importing.imported import Imported, finished
from graphc.importing.items import Value
from graphc.importing.python.places import Places
from graphc.importing.sheet import new_sheet
from graphc.importing.torch import modules, operators, recurrent, shapes, windows
from graphc.importing.torch.reading import OPERATORS, Reading, operator_name
from graphc.ir.session import Session
from graphc.source import GraphError, Source, error

FILLING = (modules, operators, recurrent, shapes, windows)
"""What fills the table of operators when it is imported."""

AXES = {4: "BCHW", 5: "BCDHW"}
SIZES = "NMKLPQRS"
"""What sizes are called: PyTorch does not keep the names that they were given."""
ROUNDS = 8
"""How often operators are written in others, which may be in no table either."""


def import_torch(program: Any, name: str = "model") -> Imported:
    """Import a program, or the file of one; its parameters and buffers have values.

    Raises GraphError with every mistake.
    """
    if not hasattr(program, "graph_signature"):
        name = Path(program).stem
        program = _loaded(Path(program))
    program = _known(program)
    with Session().open():
        sheet = new_sheet(Source(name, "\n"))
        reading = Reading(sheet, Places())
        with sheet.collecting():
            found = _declared(reading, program)
            results = reading.read(program.graph, found)
            outputs = []
            leaves = [one for one in results if one is not None]
            for place, one in enumerate(leaves):
                value = reading.typed(one)
                called = sheet.book.names.get(value.key, "")
                outputs.append((called or (f"output_{place + 1}" if leaves[1:] else "y"), value))
        return finished(sheet, outputs, "", name)


def _loaded(path: Path) -> Any:
    try:
        return torch.export.load(path)
    except OSError:
        raise
    except Exception as wrong:
        message = f"{path} is no exported program: {str(wrong).partition(chr(10))[0]}"
        raise GraphError([error("E001", message, None)]) from None


def _known(program: Any) -> Any:
    """Return the program, in which operators that are in no table are written in others."""
    for _ in range(ROUNDS):
        called = {one.target for one in program.graph.nodes if one.op == "call_function"}
        unknown = {one for one in called if operator_name(one) not in OPERATORS}
        every = torch.export.default_decompositions()
        fitting = {one: every[one] for one in unknown if one in every}
        if not fitting:
            return program.run_decompositions() if unknown else program
        program = program.run_decompositions(fitting)
    return program


def _declared(reading: Reading, program: Any) -> dict[Any, Any]:
    """Declare inputs, and parameters and buffers under their paths, with their values."""
    sheet = reading.sheet
    places = {one.name: one for one in program.graph.nodes if one.op == "placeholder"}
    found: dict[Any, Any] = {}
    for spec in program.graph_signature.input_specs:
        node, kind = places[spec.arg.name], spec.kind.name
        if kind == "USER_INPUT":
            found[node] = _input(reading, node, {*places})
            continue
        held = program.state_dict.get(spec.target)
        if held is None:
            held = program.constants.get(spec.target)
        array = held.detach().cpu().to(torch.float64 if held.is_floating_point() else held.dtype)
        plain = array.numpy()
        if plain.dtype.kind == "f" and (kind == "PARAMETER" or plain.size > 1):
            found[node] = sheet.parameter(spec.target, plain)
        else:
            found[node] = sheet.array(np.asarray(plain), spec.target)
    return found


def _input(reading: Reading, node: Any, inputs: Collection[str]) -> Value | Any:
    like = node.meta.get("val")
    if not hasattr(like, "shape"):
        return like
    for axis, size in enumerate(like.shape):
        if str(size).isidentifier() and str(size) not in reading.symbols:
            taken = {*reading.symbols.values(), *inputs}
            letters = AXES.get(len(like.shape), "BT")[axis : axis + 1] + SIZES
            free = [one for one in letters if one not in taken]
            reading.symbols[str(size)] = free[0] if free else f"{node.name}_{axis}"
    return reading.sheet.declare("input", node.name, reading.type(like))
