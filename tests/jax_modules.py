"""Modules of the JAX target, called as those of the NumPy target are: their results compared."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # each runs once

import jax
import numpy as np
from calling import PLAIN, Names, call, given

from graphc.compile.stages import Compilation, Options
from graphc.elaborate.names.model import Model
from graphc.source import Source
from graphc.syntax.parse.parser import read_source
from tests.loading import loaded

jax.config.update("jax_enable_x64", True)
TOLERANCES = {"float64": 1e-12, "float32": 1e-4}


def modules(graph: str | Path, options: Options = PLAIN) -> tuple[Model, ModuleType, ModuleType]:
    """The model of a text or a file, its module of NumPy, and that of JAX."""
    if isinstance(graph, Path):
        source, folder = read_source(str(graph), graph.read_bytes()), graph.parent
    else:
        source, folder = Source("graph", graph), None
    plain = Compilation(source, options, folder)
    other = Compilation(source, replace(options, target="jax"), folder)
    return plain.stated, loaded(plain.text, "of_numpy"), loaded(other.text, "of_jax")


def compare(
    graph: str | Path,
    options: Options = PLAIN,
    dims: Mapping[str, int] | None = None,
    values: Mapping[str, Any] | None = None,
    moved: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Every function of a graph computes in JAX what it computes in NumPy.

    Arguments are drawn, but for the `values` by what the module calls them. Where there are values
    that are `moved` by a rounding, results may be further apart by what NumPy's move then.
    """
    model, plain, other = modules(graph, options)
    limit = TOLERANCES[options.dtype]
    fields = dict(zip((one.name for one in model.outputs), plain.Outputs._fields, strict=True))
    for name, drawn in given(model, dims=dims).items():
        if name == "backward":  # which takes cotangents as arguments
            pulled = drawn["cotangents"]
            drawn["cotangents"] = {fields[output]: one for output, one in pulled.items()}
        with np.errstate(all="ignore"):
            expected = outputs_of(call(plain, name, drawn | dict(values or {})))
            near = [outputs_of(call(plain, name, drawn | dict(one))) for one in moved]
        found = outputs_of(call(other, name, drawn | dict(values or {})))
        assert [*found] == [*expected], name
        for path, value in expected.items():
            swing = max((_apart(one[path], value) for one in near), default=0.0)
            agree(found[path], value, limit, f"{name}: {path}", 1e3 * swing)


def _apart(one: Any, other: Any) -> float:
    with np.errstate(invalid="ignore"):
        gaps = np.abs(np.asarray(one, float) - np.asarray(other, float))
    return float(np.max(gaps[np.isfinite(gaps)], initial=0.0))


def agree(found: Any, expected: Any, limit: float, what: str, slack: float = 0.0) -> None:
    """Arrays of one shape and dtype, whose numbers differ by no more, relative to the largest."""
    one, other = np.asarray(found), np.asarray(expected)
    assert (one.shape, one.dtype) == (other.shape, other.dtype), what
    finite = np.isfinite(other) if other.dtype.kind == "f" else np.zeros(other.shape, bool)
    scale = max(1.0, float(np.max(np.abs(other[finite]), initial=0)))
    np.testing.assert_allclose(one, other, rtol=limit, atol=limit * scale + slack, err_msg=what)


def outputs_of(value: Any, path: str = "") -> Names:
    """Everything in a result by where it stands; of a sparse matrix the dense one; no cache."""
    return dict(_leaves(value, path))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if hasattr(value, "todense"):
        yield path, np.asarray(value.todense())
    elif hasattr(value, "_asdict") and type(value).__name__ != "Cache":
        yield from _leaves(value._asdict(), path)
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _leaves(one, f"{path}.{name}")
    elif isinstance(value, tuple) and type(value).__name__ != "Cache":
        for number, one in enumerate(value):
            yield from _leaves(one, f"{path}[{number}]")
    elif type(value).__name__ != "Cache":
        yield path, value
