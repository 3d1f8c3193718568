"""A program as modules, and as the compiler takes it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from graphc.compile.stages import Compilation, Options, finished
from graphc.source import GraphError, Source
from graphc.syntax.tree import Block
from tests.fuzz.finding import Finding, Invalid, Wrong, shown
from tests.fuzz.parsing import parsed
from tests.fuzz.program import Clause, Program
from tests.loading import loaded

UNREACHED = re.compile("`([^`]*)` does not reach")


def compiled(program: Program, levels: Sequence[str]) -> dict[str, ModuleType]:
    """The modules by level, their tiles as small as the setting says."""
    setting = program.setting
    found, at = {}, ""
    try:
        stated = _begun(program)
        for at in levels:
            found[at] = loaded(finished(stated.at(at)).text, "fuzz")
    except GraphError as refused:
        said = "; ".join(f"{d.code} {d.message}" for d in refused.diagnostics)
        if all(_may_be(d.code, d.message) for d in refused.diagnostics):
            raise Invalid(said) from None
        raise Wrong(Finding("refused", at, said)) from None
    except Exception as failure:
        raise Wrong(Finding("crash", at, shown(failure))) from None
    for module in found.values():
        if setting.cache is not None and hasattr(module, "CACHE"):
            module.CACHE = setting.cache
    return found


@lru_cache(1)
def _begun(program: Program) -> Compilation:
    """What all levels begin with; where the setting says so, the blocks are in another file."""
    setting = program.setting
    options = Options(
        dims=dict(setting.dims), consts=dict(setting.consts), dtype=setting.dtype,
        derive=tuple(map(str, program.clauses)) if setting.by_option else (),
        mode=setting.mode, memory=setting.memory,
    )  # fmt: skip
    blocks = []
    if setting.imported:
        statements = parsed(program.text).file.statements
        blocks = [one for one in statements if isinstance(one, Block)]
    if not blocks:
        made = Compilation(Source("graph", program.text), options)
        vars(made).update(parsed=parsed(program.text))
        return made
    names = [one.name.text for one in blocks]
    texts = [program.text[one.span.start : one.span.end] for one in blocks]
    rest = program.text
    for text in texts:
        rest = rest.replace(text, "")
    if setting.imported == "as":
        rest = re.sub(rf"(?<![\w.])({'|'.join(names)})(?!\w)", r"lib.\1", rest)
        rest = f'import "blocks.graph" as lib\n{rest}'
    else:
        rest = f'from "blocks.graph" import {", ".join(names)}\n{rest}'
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "blocks.graph").write_text("\n".join(texts), encoding="utf-8")
        made = Compilation(Source("graph", rest), options, Path(folder))
        _ = made.elaborated  # while the file is there
    return made


def _may_be(code: str, message: str) -> bool:
    """Is this a refusal that a right program may meet?

    Whether a derivative is 0 throughout, whether positions meet, and what fits into a bound.
    """
    return code in REFUSALS or message.startswith(MESSAGES)


MESSAGES = ("in `grad`: the second argument does not", "a surrogate has no forward")
REFUSALS = ("E406", "E408", "E702")


def settled(program: Program) -> Program:
    """The program without paths that reach no output, which only the compiler knows for sure."""
    for _ in range(12):
        try:
            _ = _begun(program).elaborated.sound
        except GraphError as refused:
            found = [UNREACHED.match(d.message) for d in refused.diagnostics if d.code == "E406"]
            idle = {one[1] for one in found if one}
            clauses = tuple(_without(clause, idle) for clause in program.clauses)
            left = tuple(one for one in clauses if one.wrt or one.kind == "value")
            if left == program.clauses:
                return program
            program = replace(program, clauses=left)
        except Exception:
            return program
        else:
            return program
    return program


def _without(clause: Clause, idle: set[str]) -> Clause:
    return replace(clause, wrt=tuple(path for path in clause.wrt if path not in idle))
