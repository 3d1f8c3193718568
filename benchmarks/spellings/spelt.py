"""A text in several spellings, and the data that all of them are called with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import graphc
from benchmarks.generated import WORKLOADS
from benchmarks.harness import Case
from benchmarks.spellings.rewriting import Rule, sized, written

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Sample:
    """Parameters by path, in the order of the source, and inputs by name; sizes that are fixed."""

    name: str
    params: Arrays
    inputs: Arrays
    dims: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Spelt:
    """A source, the rules that make each spelling of it, and the functions that are compared.

    The first spelling is the source's own. `apart` says why the counts of some are not those of the
    others.
    """

    source: str
    spellings: Mapping[str, Sequence[Rule]]
    functions: Sequence[str]
    small: Callable[[], Sequence[Sample]]
    samples: Callable[[], Sequence[Sample]]
    derive: Sequence[str] = ()
    apart: Mapping[str, str] = field(default_factory=dict)

    def module(self, spelling: str, sample: Sample, level: int = 2) -> ModuleType:
        """Compile a spelling for a sample."""
        text = written(sized(self.source, sample.dims), *self.spellings[spelling])
        return graphc.compile_text(text, level=level, derive=list(self.derive)).module()

    def call(self, module: ModuleType, sample: Sample) -> Callable[[], list[Any]]:
        """Return what calls all functions with a sample."""
        functions = [getattr(module, name) for name in self.functions]
        given = arguments(module, sample)
        return lambda: [function(*given) for function in functions]


def source(name: str) -> str:
    """Read the graph of a workload."""
    return (WORKLOADS / f"{name}.graph").read_text(encoding="utf-8")


def of_cases(cases: Callable[[Path], Sequence[Case]]) -> Callable[[], Sequence[Sample]]:
    """Return the data of a workload, in float64."""

    def samples() -> Sequence[Sample]:
        found = [one for one in cases(Path()) if one.dtype == "float64"]
        return [
            Sample(one.name.removesuffix(", float64"), one.params, one.inputs, one.dims)
            for one in found
        ]

    return samples


def arguments(module: ModuleType, sample: Sample) -> tuple[Any, ...]:
    """Return what a module's functions take: parameters by its own paths first, then inputs."""
    inputs = {**sample.params, **sample.inputs}
    given = tuple(inputs[name] for name in module.GRAPH["inputs"])
    paths = [*module.init(0)] if hasattr(module, "init") else []
    return (by_paths(paths, sample.params), *given) if paths else given


def by_paths(paths: Sequence[str], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return arrays of the source under a spelling's paths, which are in the same order.

    Where there are fewer, the arrays of all steps of a loop are stacked.
    """
    if len(paths) == len(arrays):
        return dict(zip(paths, arrays.values(), strict=True))
    found: dict[str, list[Any]] = {path: [] for path in paths}
    for path, array in arrays.items():
        found[re.sub(r"\.\d+\.|\.", "_", path)].append(array)
    return {path: np.stack(several) for path, several in found.items()}


def sizes(module: ModuleType, sample: Sample) -> dict[str, int]:
    """Return the dims of a call, as its inputs have them."""
    found = {name: size for name, size in module.GRAPH["dims"].items() if size is not None}
    arrays = {**sample.params, **sample.inputs}
    for name, text in module.GRAPH["inputs"].items():
        axes = text.partition("[")[2].rstrip("]").split(", ")
        pairs = zip(axes, arrays[name].shape, strict=False)
        found |= {axis: size for axis, size in pairs if axis.isidentifier()}
    return found


def multiply_adds(module: ModuleType, functions: Sequence[str], sample: Sample) -> int:
    """Return what a module says that these functions take."""
    known = sizes(module, sample)
    texts = (str(module.GRAPH["multiply_adds"][name]) for name in functions)
    return sum(int(eval(text, {"max": max, "min": min}, known)) for text in texts)
