"""What the tests share: texts are compiled once in a session, and modules loaded from them."""

from __future__ import annotations

import atexit
import functools
import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import pytest

# JAX reads these when it is first imported: the references are computed in float64 on the CPU,
# and each only once, so that an optimised program is not worth its compilation.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
os.environ.pop("COLUMNS", None)  # what the runner of the tests takes for its terminal
os.environ["GRAPHC_CACHE"] = tempfile.mkdtemp(prefix="graphc-tests-")

from graphc.compile.stages import Compilation, Options, finished
from graphc.source import Source
from graphc.syntax.parse.parser import read_source
from tests.loading import loaded

# The same examples each time, however busy the machine is: whether main is green is no matter of
# chance. For others: `pytest --hypothesis-profile=default`.
hypothesis.settings.register_profile(
    "fixed",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("fixed")
atexit.register(shutil.rmtree, os.environ["GRAPHC_CACHE"], ignore_errors=True)
gc.set_threshold(100_000, 50, 1000)  # the modules that are kept leave little to be found

collect_ignore = ["fuzz"]  # a package, which tests import: its files are called as others are
LEVELS = ("-O0", "-O2")
PLAIN = Options()
Pairs = tuple[tuple[str, int], ...]

_level = LEVELS[0]


def long(*values: Any, **given: Any) -> Any:
    """A parameter of a test that `make test-all` alone runs, beside others that are always run."""
    return pytest.param(*values, marks=pytest.mark.long, **given)


def in_turn(argument: str, values: Sequence[Any], ids: Callable[[Any], str] = str) -> Any:
    """Each value at one level, the next at the other one; `make test-all` alone runs the rest."""
    params = [
        (long if (place + number) % 2 else pytest.param)(level, value, id=f"{level}-{ids(value)}")
        for number, level in enumerate(LEVELS)
        for place, value in enumerate(values)
    ]
    both = pytest.mark.parametrize(("level", argument), params, indirect=["level"])
    return lambda test: pytest.mark.readable(both(test))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is marked `levels` runs at each level, but for what is marked `readable` in it."""
    marker = metafunc.definition.get_closest_marker
    if marker("levels") and not marker("readable"):
        metafunc.parametrize("level", LEVELS, indirect=True)


@pytest.fixture(autouse=True)
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """The level of optimisation of what a test compiles; the readable one, where it is not told."""
    global _level
    _level = getattr(request, "param", LEVELS[0])
    yield _level
    _level = LEVELS[0]


@hypothesis.given(hypothesis.strategies.none())
def _first_test(nothing: None) -> None:
    """Before its first test Hypothesis collects garbage: at the beginning there is little."""


def pytest_collection() -> None:
    _first_test()


def pytest_sessionfinish() -> None:
    """What was kept for all tests is not searched for garbage once more at the end."""
    gc.freeze()


@pytest.fixture
def verifying(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every graph on the way to a module is verified."""
    monkeypatch.setenv("GRAPHC_VERIFY", "1")


def compiled(
    text: str | Path,
    *,
    dtype: str = "float64",
    derive: tuple[str, ...] = (),
    dims: Pairs = (),
    consts: tuple[tuple[str, str], ...] = (),
    level: str | None = None,
) -> Compilation:
    """A text or a file, compiled at the level of the test or at that which is given."""
    return _compiled(text, dtype, derive, dims, consts, level or _level)


def module(
    text: str | Path,
    *,
    dtype: str = "float64",
    derive: tuple[str, ...] = (),
    dims: Pairs = (),
    consts: tuple[tuple[str, str], ...] = (),
    level: str | None = None,
) -> ModuleType:
    """The generated module of a text or a file, loaded."""
    return _module(text, dtype, derive, dims, consts, level or _level)


@functools.cache
def _compiled(
    text: str | Path,
    dtype: str,
    derive: tuple[str, ...],
    dims: Pairs,
    consts: tuple[tuple[str, str], ...],
    level: str,
) -> Compilation:
    if dtype != PLAIN.dtype:
        return in_precision(_compiled(text, PLAIN.dtype, derive, dims, consts, level), dtype)
    return finished(_stated(text, derive, dims, consts).at(level))


@functools.cache
def _stated(
    text: str | Path,
    derive: tuple[str, ...],
    dims: Pairs,
    consts: tuple[tuple[str, str], ...],
) -> Compilation:
    """What all levels begin with."""
    options = Options(dict(dims), dict(consts), derive=derive)
    if isinstance(text, Path):
        return Compilation(read_source(str(text), text.read_bytes()), options, text.parent)
    return Compilation(Source("graph", text), options)


def in_precision(made: Compilation, dtype: str) -> Compilation:
    """The same in another precision, planned only once: nothing but what is written knows of it."""
    options = replace(made.options, dtype=dtype)
    other = Compilation(made.source, options, made.folder)
    stated, model = (replace(one, dtype=dtype) for one in (made.stated, made.model))
    programs, complete = (
        replace(one, model=model, options=options.stated) for one in (made.programs, made.complete)
    )
    vars(other).update(
        parsed=made.parsed, stated=stated, model=model, programs=programs, complete=complete
    )
    return other


@functools.cache
def _module(
    text: str | Path,
    dtype: str,
    derive: tuple[str, ...],
    dims: Pairs,
    consts: tuple[tuple[str, str], ...],
    level: str,
) -> ModuleType:
    return loaded(_compiled(text, dtype, derive, dims, consts, level).text)
