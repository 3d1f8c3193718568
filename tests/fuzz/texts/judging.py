"""What a text may end in: a module that can be imported, or mistakes with their places."""

from __future__ import annotations

import random
import resource
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from graphc.compile.stages import Options, compile_source, load
from graphc.elaborate.names.model import Model
from graphc.source import Diagnostic, GraphError
from graphc.syntax.parse.parser import read_source
from tests.fuzz.finding import Finding, shown
from tests.fuzz.run import Late, within

SECONDS = 2.0
"""For each kilobyte of a text, of which the first counts whole."""
BYTES = 500 << 20
LARGEST = 200_000
"""Elements of parameters that are drawn."""


def level_of(seed: int) -> str:
    return random.Random(seed).choice(["-O0", "-O2"])


def confine() -> None:
    """From here on this process takes no more memory than one text may."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + BYTES, now + BYTES))


def judged(data: bytes, level: str, patience: float = 1.0) -> Finding | None:
    """What is wrong with what comes of a text, or None; with more patience, after more seconds."""
    seconds = patience * SECONDS * max(1.0, len(data) / 1000)
    try:
        with within(seconds):
            return _judged(data, level)
    except Late:
        return Finding("slow", level, f"over {seconds:.1f} s")
    except MemoryError:
        return Finding("memory", level, f"over {BYTES >> 20} MB")
    except Exception as failure:
        return Finding("crash", level, shown(failure))


def _judged(data: bytes, level: str) -> Finding | None:
    try:
        result = compile_source(read_source("a.graph", data), Options(level=level))
    except GraphError as wrong:
        return _said(wrong.diagnostics, str(wrong), len(data))
    found = _said(result.warnings, "\n\n".join(map(str, result.warnings)), len(data))
    try:
        module = load(result.text, "fuzzed")
    except Exception as failure:
        return Finding("import", level, shown(failure))
    if not result.model.params:
        return found
    return found or _drawn(module.init, result.model, level)


def _said(diagnostics: Iterable[Diagnostic], text: str, length: int) -> Finding | None:
    """Every mistake has a place, and all of them take no more to print than they should."""
    for one in diagnostics:
        if one.span is None or not one.message or one.code[0] not in "EWN":
            return Finding("no place", "", str(one)[:200])
    if len(text) > 20_000 + 300 * length:
        return Finding("long", "", f"{len(text)} characters are said about {length}")
    return None


def _drawn(init: object, model: Model, level: str) -> Finding | None:
    """Parameters can be drawn, at sizes that are a few and fit."""
    assert callable(init)
    sizes = {next(iter(d.symbol.symbols)): 2 for d in model.dims if d.fixed is None}
    needed = {name for d in model.params for axis in d.node.shape for name in axis.symbols}
    try:
        counts = [d.node.type.size.evaluate(sizes) for d in model.params]
    except (KeyError, ZeroDivisionError):
        return None
    if sum(counts) > LARGEST or min(counts, default=0) < 0:
        return None
    try:
        params = init(seed=0, **{name: sizes[name] for name in sorted(needed)})
    except (ValueError, ZeroDivisionError):  # sizes that do not fit
        return None
    except Exception as failure:
        return Finding("init", level, shown(failure))
    assert isinstance(params, dict)
    if not all(np.asarray(value).dtype == np.float64 for value in params.values()):
        return Finding("init", level, "a parameter that is not float")
    return None
