"""Modules over compiled C: built, and compared with those that need only NumPy."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import itertools
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from calling import PLAIN, call, given, leaves

from graphc.build.extension import build, texts_of
from graphc.compile.stages import Compilation, Options
from graphc.source import Source
from graphc.syntax.parse.parser import read_source
from tests.loading import loaded

_numbers = itertools.count()
QUICK = "-O1"
"""What most tests compile with: how fast a module is they do not ask."""


@functools.cache
def folder() -> Path:
    """Where this session keeps what it builds."""
    made = tempfile.TemporaryDirectory(prefix="graphc-built-", ignore_cleanup_errors=True)
    atexit.register(made.cleanup)
    return Path(made.name)


def built(graph: str | Path, options: Options = PLAIN, flags: str = QUICK) -> ModuleType:
    """The module over compiled C of a text or a file."""
    compilation = compilation_of(graph, replace(options, target="c"))
    texts = texts_of(compilation)
    made = build(texts, os.environ | {"CFLAGS": flags}, folder())
    path = folder() / f"built_{next(_numbers)}.py"
    path.write_text(texts.python(made.name), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def compilation_of(graph: str | Path, options: Options) -> Compilation:
    if isinstance(graph, Path):
        source = read_source(str(graph), graph.read_bytes())
        return Compilation(source, options, graph.parent)
    return Compilation(Source("graph", graph), options)


def compare(
    graph: str | Path, options: Options = PLAIN, seed: int = 0, flags: str = QUICK
) -> ModuleType:
    """Hold that every function of both modules returns the same, called alike."""
    plain = compilation_of(graph, options)
    numpy, made = loaded(plain.text, "beside"), built(graph, options, flags)
    for name, arguments in given(plain.model, seed).items():
        with np.errstate(all="ignore"):
            expected = call(numpy, name, arguments)
            found = call(made, name, arguments)
        for own, right in zip(apart(found), apart(expected), strict=True):
            alike(own, right, options.dtype, name)
    return made


def apart(returned: Any) -> list[Any]:
    """What a function returns, one by one, without a cache: what that holds is the module's."""
    parts = [*returned] if type(returned) is tuple else [returned]
    return [one for one in parts if type(one).__name__ != "Cache"]


def alike(found: Any, expected: Any, dtype: str, what: str) -> None:
    """Hold that two results have the same form, types and numbers: relative to the largest."""
    assert type(found).__name__ == type(expected).__name__, what
    if isinstance(expected, dict):
        assert list(found) == list(expected), what
    if hasattr(expected, "_fields"):
        assert found._fields == expected._fields, what
    bound = 1e-13 if dtype == "float64" else 1e-5
    scale = max([1.0, *(largest(one) for one in leaves(expected))])
    for own, right in zip(leaves(found), leaves(expected), strict=True):
        assert type(own) is type(right), (what, type(own), type(right))
        own, right = np.asarray(own), np.asarray(right)
        assert own.dtype == right.dtype, what
        np.testing.assert_allclose(own, right, rtol=0, atol=bound * scale, err_msg=what)


def largest(value: Any) -> float:
    array = np.asarray(value, float)
    return float(np.max(np.abs(array[np.isfinite(array)]), initial=0.0))
