"""Random programs in C and in NumPy."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from c_functions import compare

from graphc.compile.stages import Compilation, Options, load
from graphc.source import GraphError, Source
from tests.fuzz.calling import arguments
from tests.fuzz.program import Program
from tests.fuzz.writing.generate import generate


def disagreements(seeds: Iterable[int]) -> list[str]:
    """What C computes otherwise, or does not compile, of the programs of these seeds."""
    found = []
    for seed in seeds:
        program = generate(seed)
        for level in ("-O0", "-O2"):
            said = _disagreement(program, level)
            if said:
                found.append(f"{seed} {level}: {said}")
    return found


def _disagreement(program: Program, level: str) -> str:
    setting = program.setting
    clauses = tuple(map(str, program.clauses)) if setting.by_option else ()
    options = Options(
        dims=dict(setting.dims), consts=dict(setting.consts), dtype=setting.dtype,
        derive=clauses, level=level, mode=setting.mode,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            values = _values(program, options)
        except GraphError:
            return ""  # what may be refused, is
        try:
            tolerance = 1e-11 if setting.dtype == "float64" else 1e-3
            compare(program.text, options, dims=program.sizes(), values=values, tolerance=tolerance)
        except AssertionError as wrong:
            return str(wrong)[:400]
    return ""


def _values(program: Program, options: Options) -> dict[str, Any]:
    """The arguments of a program by what its functions call them."""
    numpy = Compilation(Source("graph", program.text), options)
    module = load(numpy.text, "drawn")
    drawn = arguments(program, module)
    called = numpy.programs.begin.variables
    values: dict[str, Any] = {called[name]: np.asarray(x) for name, x in drawn.inputs.items()}
    if drawn.params:
        values["params"] = drawn.params
    return values | dict(drawn.dims)
