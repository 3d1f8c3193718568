"""Modules of the JAX target, called as those of the NumPy target are: their results compared."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
from calling import PLAIN, Names, call, given

from graphc.compile.stages import Compilation, Options, load
from graphc.elaborate.names.model import Model
from graphc.source import Source
from graphc.syntax.parse.parser import read_source

jax.config.update("jax_enable_x64", True)
_numbers = itertools.count()
TOLERANCES = {"float64": 1e-12, "float32": 1e-4}


def modules(graph: str | Path, options: Options = PLAIN) -> tuple[Model, ModuleType, ModuleType]:
    """The model of a text or a file, its module of NumPy, and that of JAX."""
    if isinstance(graph, Path):
        source, folder = read_source(str(graph), graph.read_bytes()), graph.parent
    else:
        source, folder = Source("graph", graph), None
    plain = Compilation(source, options, folder)
    other = Compilation(source, replace(options, target="jax"), folder)
    number = next(_numbers)
    return (
        plain.stated,
        load(plain.text, f"of_numpy_{number}"),
        load(other.text, f"of_jax_{number}"),
    )


def compare(graph: str | Path, options: Options = PLAIN, tolerance: float = 0.0) -> None:
    """Every function of a graph computes in JAX what it computes in NumPy."""
    model, plain, other = modules(graph, options)
    limit = tolerance or TOLERANCES[options.dtype]
    for name, arguments in given(model).items():
        with np.errstate(all="ignore"):
            expected = outputs_of(call(plain, name, arguments))
            found = outputs_of(call(other, name, arguments))
        assert [*found] == [*expected], name
        for path, value in expected.items():
            agree(found[path], value, limit, f"{name}: {path}")


def agree(found: Any, expected: Any, limit: float, what: str) -> None:
    """Arrays of one shape and dtype, whose numbers differ by no more, relative to the largest."""
    one, other = np.asarray(found), np.asarray(expected)
    assert (one.shape, one.dtype) == (other.shape, other.dtype), what
    finite = np.isfinite(other) if other.dtype.kind == "f" else np.zeros(other.shape, bool)
    scale = max(1.0, float(np.max(np.abs(other[finite]), initial=0)))
    np.testing.assert_allclose(one, other, rtol=limit, atol=limit * scale, err_msg=what)


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
