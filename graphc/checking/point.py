"""Where to look at a graph: arguments that are given, the others drawn from its domain."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from graphc.checking.domain import PARAMETER, PERFECT, find_point
from graphc.compile.functions import begin_of
from graphc.elaborate.names.model import Model
from graphc.records import dataclass
from graphc.sample import choose_sizes, random_arguments
from graphc.source import GraphError, error


@dataclass(frozen=True, slots=True)
class Start:
    """Where to look: the seed of what is drawn, and the values that are given by name."""

    seed: int = 0
    given: Mapping[str, Any] | None = None


def choose_point(model: Model, traced: ModuleType, place: Start) -> tuple[dict[str, Any], bool]:
    """Find the arguments of a module with `trace`; returns also whether all is finite there."""
    given = _by_variable(model, place.given or {})
    drawn = random_arguments(
        model, place.seed, choose_sizes(model, _dims_of(model, place.given or {}))
    )
    for name, value in given.items():
        if name.startswith(PARAMETER):
            drawn["params"][name.removeprefix(PARAMETER)] = value
        else:
            drawn[name] = value
    found = find_point(traced, drawn, set(given), place.seed)
    return dict(found.arguments), found.score[:3] == PERFECT[:3]


def _by_variable(model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """Rename what is given as the arguments of functions; raises GraphError."""
    begin = begin_of(model)
    paths = random_arguments(model).get("params", ())
    known = {d.name: begin.variables[d.name] for d in model.inputs}
    known |= {path: PARAMETER + path for path in paths}
    known |= {info.name: info.variable for info in model.dims if info.variable in begin.keywords}
    if unknown := sorted(given.keys() - known.keys()):
        message = f"--at: {', '.join(unknown)}: there are {', '.join(known)}"
        raise GraphError([error("E217", message, None)])
    return {
        known[name]: int(value) if known[name] in begin.keywords else value
        for name, value in given.items()
    }


def _dims_of(model: Model, given: Mapping[str, Any]) -> dict[str, int]:
    """Read dims from the shapes of what is given."""
    found: dict[str, int] = {}
    free = {info.variable: info.name for info in model.dims if info.fixed is None}
    for variable, name in free.items():
        if name in given:
            found[variable] = int(given[name])
    for declared in (*model.inputs, *model.params):
        shape = np.shape(given[declared.name]) if declared.name in given else ()
        for axis, size in zip(declared.shape, shape, strict=False):
            if str(axis) in free:
                found.setdefault(str(axis), size)
    return found
