"""A generated module as it describes itself: its arguments, its outputs, what is derived in it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from graphc.kinds import BACKWARD, CLAUSES, KINDS, Kind
from graphc.records import dataclass

_FAMILY = re.compile(r"(.*)\b(\d+)\.\.(\d+)\b(.*)")


@dataclass(frozen=True, slots=True)
class DerivedFunction:
    """A derived function: what it is of, by which paths, and how it is called."""

    name: str
    kind: Kind
    outputs: tuple[str, ...]
    wrt: tuple[str, ...]
    per: str
    call: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Described:
    """A module, with the Python names of inputs and outputs by the names in the graph.

    `backward` is that function, with what it is of and by, where the module has one.
    """

    module: ModuleType
    paths: tuple[str, ...]
    inputs: Mapping[str, str]
    keywords: tuple[str, ...]
    outputs: Mapping[str, str]
    functions: tuple[DerivedFunction, ...]
    backward: DerivedFunction | None

    @property
    def types(self) -> Mapping[str, str]:
        """Return the types of inputs, parameters and outputs, as text."""
        graph = self.module.GRAPH
        params = {p: kind for path, kind in graph["params"].items() for p in members(path)}
        return {**graph["inputs"], **params, **graph["outputs"]}

    def of(self, name: str) -> DerivedFunction:
        """Return the function of this name; raises TypeError where there is none."""
        if name == BACKWARD.name and self.backward is not None:
            return self.backward
        for one in self.functions:
            if one.name == name:
                return one
        there = ", ".join(one.name for one in self.functions) or "none"
        raise TypeError(f"{self.module.GRAPH['name']} has no derived function `{name}`: {there}")

    def find(
        self, kinds: Collection[str], outputs: Sequence[str], wrt: Collection[str]
    ) -> DerivedFunction | None:
        """Return the first function of such a kind, of these outputs by just these paths."""
        for one in self.functions:
            right = one.kind.name in kinds and not one.per
            if right and one.outputs == tuple(outputs) and set(one.wrt) == set(wrt):
                return one
        return None


def described(module: ModuleType) -> Described:
    """Describe a generated module; raises TypeError where it is none."""
    graph = getattr(module, "GRAPH", None)
    if not isinstance(graph, dict) or "backward" not in graph:
        raise TypeError(f"{module!r} is no module that this version of graphc makes")
    parameters = inspect.signature(module.forward).parameters.values()
    names = [one.name for one in parameters if one.kind is not one.KEYWORD_ONLY]
    paths = tuple(getattr(module, "PARAMETERS", ()))

    def function(name: str, one: Mapping[str, Any]) -> DerivedFunction:
        wrt = paths if one["wrt"] == "params" else [p for path in one["wrt"] for p in members(path)]
        outputs, call = tuple(one["outputs"]), getattr(module, name)
        return DerivedFunction(
            name, CLAUSES[one["kind"]], outputs, tuple(wrt), one.get("per", ""), call
        )

    stated = graph["backward"]
    return Described(
        module,
        paths,
        dict(zip(graph["inputs"], names[1:] if paths else names, strict=True)),
        tuple(one.name for one in parameters if one.kind is one.KEYWORD_ONLY),
        dict(zip(graph["outputs"], module.Outputs._fields, strict=True)),
        tuple(function(name, one) for name, one in graph["derived"].items()),
        function(BACKWARD.name, stated) if stated else None,
    )


def drawn(graph: Described, dims: Mapping[str, int], seed: int = 0) -> dict[str, Any]:
    """Draw the parameters by the module's `init`; `dims` may have others than it needs."""
    wanted = inspect.signature(graph.module.init).parameters if graph.paths else {}
    sizes = {name: size for name, size in dims.items() if name in wanted}
    return dict(graph.module.init(seed, **sizes)) if graph.paths else {}


def members(path: str) -> list[str]:
    """Return the paths that `layer.1..3.W` stands for.

    >>> members("layer.1..2.W"), members("W")
    (['layer.1.W', 'layer.2.W'], ['W'])
    """
    found = _FAMILY.fullmatch(path)
    if found is None:
        return [path]
    before, first, last, after = found.groups()
    return [f"{before}{number}{after}" for number in range(int(first), int(last) + 1)]


def by_backward(graph: Described, output: str) -> DerivedFunction | None:
    """Return the gradient of a scalar output by `forward`, then `backward`: by all that is by."""
    back = graph.backward
    if back is None or output not in back.outputs or graph.types[output] != "[]":
        return None

    def call(*arguments: Any, **dims: Any) -> Any:
        out, cache = graph.module.forward(*arguments, **dims)
        fields = {name: graph.outputs[name] for name in back.outputs}
        cotangents = {
            field: np.full(np.shape(getattr(out, field)), float(name == output))
            for name, field in fields.items()
        }
        return getattr(out, fields[output]), back.call(cache, **cotangents)

    return DerivedFunction(BACKWARD.name, KINDS["value_and_grad"], (output,), back.wrt, "", call)
