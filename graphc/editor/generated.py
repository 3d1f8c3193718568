"""The lines of the generated module that compute a value and its adjoint."""

from __future__ import annotations

import re

from graphc.compile.stages import Compilation
from graphc.editor.analysis import Analysis
from graphc.names import identifier
from graphc.optimise.levels import READABLE
from graphc.records import dataclass, replace


@dataclass(frozen=True, slots=True)
class Generated:
    """A module at the readable level, and the lines of it, from 0, that a value has."""

    text: str
    lines: tuple[int, ...]


def generated(analysis: Analysis, name: str) -> Generated:
    """Compile to the readable module and find a value in it; raises GraphError."""
    before = analysis.compilation
    options = replace(before.options, level=READABLE.name)
    text = Compilation(before.source, options, before.folder).text
    word = re.escape(identifier(name))
    assigned = re.compile(rf"\s*(?:#\s*)?(?:d_)?{word} \+?= ")
    lines = [number for number, line in enumerate(text.split("\n")) if assigned.match(line)]
    if not lines:  # it has no statement of its own: where it is read first
        read = re.compile(rf"\b{word}\b")
        lines = [n for n, line in enumerate(text.split("\n")) if read.search(line)][:1]
    return Generated(text, tuple(lines))
