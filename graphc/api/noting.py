"""Generated modules that know their graph: exceptions in them note the line of their statement."""

from __future__ import annotations

import functools
import inspect
import linecache
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from graphc.records import dataclass
from graphc.source import Source


@dataclass(frozen=True, slots=True)
class Made:
    """What a module was made of: a graph, or its file; the folder of its imports; the options."""

    graph: Source | Path
    folder: Path | None
    options: Mapping[str, Any]


MADE: dict[str, Made] = {}
"""What the modules of this process were made of, by the names that they were imported under."""


def noted(module: ModuleType, places: Mapping[int, str], made: Made) -> ModuleType:
    """Let the public functions of a module note where in its graph they fail; returns it.

    `places` are those of lines, as `net.graph:3`. Nothing is looked up unless a function raises.
    """
    MADE[module.__name__] = made
    for name, one in vars(module).items():
        own = inspect.isfunction(one) and one.__module__ == module.__name__
        if own and not name.startswith("_") and not hasattr(one, "__wrapped__"):
            setattr(module, name, _noting(one, places))
    return module


def _noting(function: Callable[..., Any], places: Mapping[int, str]) -> Callable[..., Any]:
    file = function.__code__.co_filename

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # IPython and pytest leave this frame out
        try:
            return function(*args, **kwargs)
        except Exception as raised:
            said = _said(raised, file, places)
            if said and said not in getattr(raised, "__notes__", ()):
                raised.add_note(said)
            raise

    return call


def _said(raised: Exception, file: str, places: Mapping[int, str]) -> str:
    """Say of which line of the graph the last statement of the module is; "" where of none."""
    found = ""
    trace = raised.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            found = _place(trace.tb_frame, trace.tb_lineno, places) or found
        trace = trace.tb_next
    name, _, line = found.rpartition(":")
    if not name:
        return ""
    return f"{name}, line {line}: {linecache.getline(name, int(line)).strip()}"


def _place(frame: FrameType, line: int, places: Mapping[int, str]) -> str:
    """Return the place of a line, or of the last statement above it in the same function."""
    for number in range(line, frame.f_code.co_firstlineno, -1):
        if number in places:
            return places[number]
    return ""


def remember(name: str, text: str) -> None:
    """Let the lines of a text that is no file be looked up under its name."""
    lines = text.splitlines(keepends=True)
    linecache.cache[name] = (len(text), None, lines, name)
