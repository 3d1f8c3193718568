"""What an import gives: the text of the graph, and the parameters that the source had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.importing.sheet import Sheet, Value
from graphc.importing.written import file_of, name_for
from graphc.records import dataclass, field
from graphc.source import GraphError
from graphc.syntax.format.print import print_file


@dataclass(frozen=True, slots=True)
class Imported:
    """A graph as text, and the values of its parameters, by path."""

    name: str
    text: str
    params: dict[str, np.ndarray[Any, Any]] = field(hash=False)


def finished(sheet: Sheet, outputs: Sequence[tuple[str, Value]], doc: str, name: str) -> Imported:
    """Write a sheet with these outputs; raises GraphError with all mistakes that were met."""
    if sheet.book.mistakes:
        raise GraphError(sheet.book.mistakes)
    file, called = file_of(sheet, outputs, doc, sheet.clauses)
    params = {called[key]: array for key, array in sheet.book.arrays.items() if key in called}
    return Imported(name_for(name), print_file(file), params)
