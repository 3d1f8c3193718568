"""What a program is called with, and what its functions give."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from tests.fuzz.finding import Finding, Invalid, Wrong, shown
from tests.fuzz.oracle import Point
from tests.fuzz.program import Clause, Program

Names = dict[str, Any]
RANGE = re.compile(r"\d+\\\.\\\.\d+")
"""In a record of a module: the iterations of a repeat, as `1..3`, in a path that is escaped."""


@dataclass(frozen=True)
class Arguments:
    """Arrays by name and by path, and the dims that nothing binds."""

    inputs: Names
    params: Names
    dims: Mapping[str, int]
    axes: Mapping[str, tuple[str, ...]]
    """Of a parameter what is written for its axes."""


def arguments(program: Program, module: ModuleType) -> Arguments:
    """Random values in the dtype of the module."""
    setting, sizes = program.setting, program.sizes()
    inputs = {one.name: _input(program, place) for place, one in enumerate(program.inputs)}
    dims = {name: sizes[name] for name in _keywords(module.forward) if name in sizes}
    params: Names = {}
    places = {one.name: place for place, one in enumerate(program.params)}
    if hasattr(module, "init"):
        sized = {name: sizes[name] for name in _keywords(module.init) if name in sizes}
        for path, value in module.init(seed=program.seed, **sized).items():
            stream = places.get(path, zlib.crc32(path.encode()))
            rng = np.random.default_rng([program.seed, 1, stream])
            params[path] = _drawn(rng, np.shape(value), setting.style).astype(setting.dtype)
    written = module.GRAPH.get("params", {}) if hasattr(module, "init") else {}
    axes = {
        path: tuple(text.strip("[]").split(", "))
        for one, text in written.items()
        for path in params
        if re.fullmatch(RANGE.sub(r"\\d+", re.escape(one)), path)
    }
    return Arguments(inputs, params, dims, axes)


def _input(program: Program, place: int) -> np.ndarray:
    """An input has a stream of its own by its place, whatever it is called."""
    one = program.inputs[place].type
    rng = np.random.default_rng([program.seed, 0, place])
    if one.kind == "int":
        return rng.integers(0, max(one.below, 1), one.sizes)
    if one.kind == "bool":
        return np.asarray(rng.random(one.sizes) < 0.6)
    return _drawn(rng, one.sizes, program.setting.style).astype(program.setting.dtype)


def _drawn(rng: np.random.Generator, shape: tuple[int, ...], style: str) -> np.ndarray:
    if style == "grid":
        return np.asarray(rng.integers(-2, 3, shape) / 2.0)
    if style == "zeros":
        return np.where(rng.random(shape) < 0.6, 0.0, np.clip(rng.normal(size=shape), -2, 2))
    if style == "large":
        return np.asarray(rng.normal(size=shape) * 10.0 ** rng.integers(0, 3, shape))
    return np.asarray(np.clip(rng.normal(size=shape), -2, 2) * 0.9)


def _keywords(function: Any) -> tuple[str, ...]:
    code = function.__code__
    return tuple(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def point_of(program: Program, given: Arguments) -> Point:
    consts = program.setting.known_consts()
    return Point(program.text, program.sizes(), given.inputs, given.params, consts)


def called(program: Program, module: ModuleType, given: Arguments, level: str) -> Names:
    """What every function gives, by its name; three times with the same bits, at last into arrays
    that are given."""
    before = {name: np.array(value) for name, value in (given.inputs | given.params).items()}
    with _threads(program.setting.threads):
        found = _once(program, module, given, level)
        kept = {name: [np.array(one) for _, one in leaves(value)] for name, value in found.items()}
        again = _once(program, module, given, level)
        placed = _once(program, module, given, level, found)
    for name, arrays in kept.items():
        for once, twice in ((found, "kept"), (again, "again"), (placed, "in what is given")):
            for (path, one), other in zip(leaves(once[name]), arrays, strict=True):
                if not np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind == "f"):
                    raise Wrong(Finding(f"not the same {twice}", f"{name}: {path} {level}",
                                        repr(one), repr(other)))  # fmt: skip
    for name, value in before.items():
        if not np.array_equal((given.inputs | given.params)[name], value):
            raise Wrong(Finding("input written", f"{name}: {level}", name))
    _apart(found, given, level)
    return found


def _once(
    program: Program, module: ModuleType, given: Arguments, level: str, before: Names | None = None
) -> Names:
    """What every function gives; into arrays like those of `before` where it takes some."""
    place = ([dict(given.params)] if hasattr(module, "init") else []) + [*given.inputs.values()]
    found: Names = {}
    where = "forward"
    try:
        out = module.forward(*place, **given.dims)
        if hasattr(module, "backward"):
            out, cache = out
            where = "backward"
            fields = dict(zip(program.outputs, out._fields, strict=True))
            chosen = cotangents_of(program, named(program.outputs, out))
            into = _places(module.backward, before and before[where])
            cotangents = {fields[n]: c for n, c in chosen.items()}
            found["backward"] = module.backward(cache, **cotangents, **into)
        found["forward"] = named(program.outputs, out)
        for clause in program.clauses:
            where = clause.called
            more = _more(program, clause, given, found["forward"])
            function = getattr(module, where)
            into = _places(function, before and before[where])
            found[where] = function(*place, **given.dims, **more, **into)
    except Exception as failure:
        if not all(program.sizes().values()) and "the dims do not fit" in str(failure):
            raise Invalid(str(failure)) from None  # as a maximum of nothing
        raise Wrong(Finding("call", f"{where}: {level}", shown(failure))) from None
    return found


def _places(function: Any, before: Any) -> Names:
    """Arrays in different orders for a dict of gradients, where a function takes some."""
    if before is None or "out" not in _keywords(function):
        return {}
    gradients = before if isinstance(before, Mapping) else before[-1]
    return {
        "out": {path: _place(place, one) for place, (path, one) in enumerate(gradients.items())}
    }


def _place(place: int, like: Any) -> np.ndarray:
    """Contiguous, strided, turned over or backwards, full of what does not matter."""
    like = np.asarray(like)
    if not like.ndim or place % 4 == 0:
        return np.full(like.shape, np.nan, like.dtype)
    if place % 4 == 1:
        return np.full((*like.shape, 2), np.nan, like.dtype)[..., 0]
    if place % 4 == 2:
        return np.full(like.shape[::-1], np.nan, like.dtype).T
    return np.full(like.shape, np.nan, like.dtype)[::-1]


def named(names: Sequence[str], values: Any) -> Names:
    """A NamedTuple by the names of the graph, which may be no names of Python."""
    return dict(zip(names, values, strict=True))


def _apart(found: Names, given: Arguments, level: str) -> None:
    """No array that is returned shares memory with another, or with an argument."""
    for name, value in found.items():
        arrays = [(path, one) for path, one in leaves(value) if isinstance(one, np.ndarray)]
        arrays = [(path, one) for path, one in arrays if one.size]
        seen = [(path, one) for path, one in (given.inputs | given.params).items()]
        for path, one in arrays:
            for other, before in seen:
                if isinstance(before, np.ndarray) and np.shares_memory(one, before):
                    raise Wrong(Finding("shared", f"{name}: {path} {level}", other))
            seen.append((path, one))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    os.environ["GRAPHC_THREADS"] = str(count)
    try:
        yield
    finally:
        del os.environ["GRAPHC_THREADS"]


def cotangents_of(program: Program, outputs: Mapping[str, Any]) -> Names:
    """One for each float output."""
    rng = np.random.default_rng(program.seed + 7)
    return {
        name: rng.normal(size=np.shape(value)).astype(program.setting.dtype)
        for name, value in outputs.items()
        if np.asarray(value).dtype.kind == "f"
    }


def _more(program: Program, clause: Clause, given: Arguments, outputs: Names) -> Names:
    if clause.kind == "vjp":
        chosen = cotangents_of(program, outputs)
        return {"cotangents": {name: chosen[name] for name in clause.outputs}}
    if clause.kind in ("jvp", "hvp"):
        return {"tangents": tangents_of(program, clause, given)}
    return {}


def tangents_of(program: Program, clause: Clause, given: Arguments) -> Names:
    """One for each path of a clause."""
    rng = np.random.default_rng(program.seed + 11)
    point = point_of(program, given)
    return {
        path: rng.normal(size=np.shape(point.at(path))).astype(program.setting.dtype)
        for path in expanded(clause.wrt, given)
    }


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every array of a result, with its place there."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if hasattr(value, "toarray"):
        yield path, value.toarray()
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from leaves(one, f"{path}[{key}]")
    elif isinstance(value, tuple | list):
        for place, one in enumerate(value):
            yield from leaves(one, f"{path}[{place}]")
    else:
        yield path, value


def expanded(wrt: Sequence[str], given: Arguments) -> list[str]:
    """Paths, with those below a prefix in the place of `prefix.*`."""
    found: list[str] = []
    for path in wrt:
        if path == "params":
            found += given.params
        elif path == "inputs":
            found += [name for name, value in given.inputs.items() if value.dtype.kind == "f"]
        elif path.endswith(".*"):
            found += [one for one in given.params if one.startswith(path[:-1])]
        else:
            found.append(path)
    return found
