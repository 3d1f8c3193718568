"""A program at every level against what is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType

import numpy as np

from tests.fuzz.calling import Names, arguments, called, leaves, point_of
from tests.fuzz.compiling import compiled
from tests.fuzz.finding import Doubt, Finding, Invalid, Wrong, shown
from tests.fuzz.opinions import by_differences, by_jax
from tests.fuzz.program import Program
from tests.fuzz.right import Pair, Right, gap_of

LEVELS = ("-O0", "-O2")
MEMORIES = ("60%", "85%", "100%", "")
LEVELS_AGREE = {"float64": 1e-10, "float32": 2e-3}


def check(program: Program, levels: Sequence[str] = LEVELS) -> Finding | Doubt | None:
    """The first thing that is wrong, a doubt where nothing can be said, or None."""
    try:
        with np.errstate(all="ignore"):
            return _checked(program, levels)
    except Invalid as invalid:
        return Doubt(f"refused: {invalid}"[:120])
    except Wrong as wrong:
        return wrong.finding


def _checked(program: Program, levels: Sequence[str]) -> Doubt | None:
    program, modules = _fitting(program, levels)
    given = arguments(program, modules[levels[0]])
    found = {level: called(program, module, given, level) for level, module in modules.items()}
    doubt, sure = None, program.setting.style != "large"  # which rounding moves if it is periodic
    try:
        right = Right(program, given)
        if program.origin is not None:
            _as_origin(program, right)
        for level in levels:
            sure &= right.compare(found[level], level)
        _other_opinions(program, right)
    except (
        ArithmeticError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        IndexError,
    ) as failure:
        doubt = Doubt(shown(failure)[:200])
    if sure:
        for level in levels[1:]:
            _agree(program, found[levels[0]], found[level], level)
    return doubt


def _fitting(program: Program, levels: Sequence[str]) -> tuple[Program, dict[str, ModuleType]]:
    """The program with the first bound of memory from its own on that it fits into."""
    first = MEMORIES.index(program.setting.memory)
    for memory in MEMORIES[first:]:
        program = replace(program, setting=replace(program.setting, memory=memory))
        try:
            return program, compiled(program, levels)
        except Invalid as invalid:
            if not memory or "E702" not in str(invalid):
                raise
    raise AssertionError(program.setting)


def _other_opinions(program: Program, right: Right) -> None:
    """Differences and JAX see what dual numbers say of some programs, not of stated derivatives."""
    stated = any(word in program.text for word in ("rule ", "stop(", "grad("))
    generic, tame = program.setting.style == "generic", program.setting.style != "large"
    for name, s in right.by.items():
        if generic and not stated:
            _other(name, by_differences(right.point, s, program.seed))
        if program.seed % 100 == 0 and tame and "rule " not in program.text:
            _other(name, by_jax(right.point, s, program.seed))


def _other(name: str, said: str) -> None:
    if said:
        raise Wrong(Finding("oracle", f"{name}:", said))


def _as_origin(program: Program, right: Right) -> None:
    """A variant has the values of what it comes from."""
    assert program.origin is not None
    origin = program.origin
    names = {old: new for old, new in program.called if new in right.values}
    given = right.given.inputs.values()
    inputs = dict(zip((one.name for one in origin.inputs), given, strict=False))
    renamed = {new.name: old.name for new, old in zip(program.params, origin.params, strict=False)}
    params = {renamed.get(path, path): value for path, value in right.given.params.items()}
    before = point_of(origin, replace(right.given, inputs=inputs, params=params))
    for old, value in before.values([*names]).items():
        pair = Pair(old, right.values[names[old]], value)
        if gap_of(pair, 1e-8) > 1:
            raise Wrong(Finding("variant", f"{old}:", repr(pair.found), repr(value)))


def _agree(program: Program, first: Names, other: Names, level: str) -> None:
    """Both levels give the same, in structure and in value."""
    tolerance = LEVELS_AGREE[program.setting.dtype]
    for name in first:
        ours, theirs = dict(leaves(first[name])), dict(leaves(other[name]))
        if list(ours) != list(theirs):
            raise Wrong(Finding("levels", f"{name}: {level}", str(list(theirs)), str(list(ours))))
        largest = max([1.0, *map(_size, ours.values())])
        for path, one in ours.items():
            pair = Pair(name + path, np.asarray(theirs[path]), np.asarray(one))
            if gap_of(pair, tolerance, tolerance * largest) > 1:
                raise Wrong(
                    Finding("levels", f"{name}: {path} {level}", repr(theirs[path]), repr(one))
                )


def _size(value: object) -> float:
    array = np.asarray(value)
    if array.dtype.kind != "f" or not array.size:
        return 0.0
    return float(np.max(np.abs(array), where=np.isfinite(array), initial=0))
