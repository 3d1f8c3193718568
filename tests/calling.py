"""Modules at several levels, and everything that their functions can be called with."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from conftest import LEVELS

from graphc.compile import graphs, programs
from graphc.compile.stages import Compilation, Options
from graphc.elaborate.names.model import Derivation, Model
from graphc.sample import choose_sizes, random_arguments
from graphc.source import Source
from graphc.syntax.parse.parser import read_source
from graphc.targets.marks import without_marks
from graphc.targets.numpy.module import text as module_text
from tests.loading import loaded

Names = dict[str, Any]
PLAIN = Options()


@dataclass(frozen=True)
class Levels:
    """A graph, and its modules by (level, dtype)."""

    model: Model
    modules: Mapping[tuple[str, str], ModuleType]


def at_levels(
    graph: str | Path,
    options: Options = PLAIN,
    dtypes: Sequence[str] = ("float64",),
    levels: Sequence[str] = LEVELS,
) -> Levels:
    """The modules of a text or a file; what does not depend on level and precision is done once."""
    if isinstance(graph, Path):
        source, folder = read_source(str(graph), graph.read_bytes()), graph.parent
    else:
        source, folder = Source("graph", graph), None
    modules = {}
    compilation = Compilation(source, options, folder)
    with compilation.open(), _derived_once():
        for level in levels:
            at, model = replace(options, level=level), compilation.stated
            for before_ad in at.at.before_ad:
                model = before_ad(model)
            compiled = programs.plan_module(model, at)
            for dtype in dtypes:
                written = module_text(replace(compiled, model=replace(model, dtype=dtype)))
                modules[level, dtype] = loaded(without_marks(written).text, "levels")
    return Levels(compilation.stated, modules)


@contextmanager
def _derived_once() -> Iterator[None]:
    """Inside, derivatives are taken once for each clause: that is most of a compilation.

    What forms before calculus change is another clause: its outputs are other nodes.
    """
    taken: dict[Any, Any] = {}
    take = graphs.derivatives

    def once(model: Model, one: Derivation, modes: Any) -> Any:
        key = one.name, one.nodes, tuple(model.names), tuple(modes)
        if key not in taken:
            taken[key] = take(model, one, modes)
        return taken[key]

    graphs.derivatives = once
    try:
        yield
    finally:
        graphs.derivatives = take


# ---- calls -------------------------------------------------------------------------------------


def given(model: Model, seed: int = 0, dims: Mapping[str, int] | None = None) -> dict[str, Names]:
    """For each function of the module its arguments by name; `backward` has those of `forward` too.

    Cotangents and tangents are random, of everything that may have one.
    """
    chosen = dict(choose_sizes(model) if dims is None else dims)
    shared = random_arguments(model, seed, chosen)
    rng = np.random.default_rng(seed + 1)

    def drawn(node: Any) -> Any:
        return rng.normal(size=[axis.evaluate(chosen) for axis in node.shape])

    found = {"forward": shared}
    if model.backward.wrt:
        pulled = {name: drawn(node) for name, node in model.backward.outputs}
        found["backward"] = shared | {"cotangents": pulled}
    for one in model.derivations:
        more: Names = {}
        if one.kind.given == "cotangents":
            more["cotangents"] = {name: drawn(node) for name, node in one.outputs}
        if one.kind.given == "tangents":
            moved = {path: drawn(node) for path, node in one.wrt}
            more["tangents"] = {p: a for path in moved for p, a in _members(model, path, moved)}
        found[one.name] = copy.deepcopy(shared) | more
    return copy.deepcopy(found)


def _members(model: Model, path: str, moved: Names) -> Iterator[tuple[str, Any]]:
    """The tangent of a path, or those of a family's members, which are its rows."""
    families = {d.name: d for d in model.params if d.family is not None}
    if path in families:
        yield from zip(families[path].paths, moved[path], strict=True)
    else:
        yield path, moved[path]


def call(made: ModuleType, name: str, arguments: Names) -> Any:
    """What a function returns; of `backward` also what `forward` returned before."""
    if name != "backward":
        return getattr(made, name)(**arguments)
    rest = {key: value for key, value in arguments.items() if key != "cotangents"}
    out, cache = made.forward(**rest)
    return out, cache, made.backward(cache, **arguments["cotangents"])


# ---- results -----------------------------------------------------------------------------------


def leaves(value: Any) -> Iterator[Any]:
    """Everything in nested dicts, tuples and lists; of a sparse matrix its three arrays."""
    if hasattr(value, "indptr"):
        value = value.data, value.indices, value.indptr
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        for one in value:
            yield from leaves(one)
    elif value is not None:
        yield value


def bits(value: Any) -> list[tuple[str, tuple[int, ...], bytes]]:
    """Everything in a result, bit by bit."""
    found = [np.asarray(one) for one in leaves(value)]
    return [(one.dtype.str, one.shape, one.tobytes()) for one in found]


def scribble(value: Any) -> None:
    """Write over every array in a value."""
    for one in leaves(value):
        if isinstance(one, np.ndarray) and one.flags.writeable:
            one[...] = 1 if one.dtype.kind == "b" else 77


def arrays(value: Any) -> list[np.ndarray]:
    return [one for one in leaves(value) if isinstance(one, np.ndarray)]
