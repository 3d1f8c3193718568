"""What an import gives: the text of the graph, and the parameters that the source had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.elaborate.build import elaborate
from graphc.importing.file import file_of
from graphc.importing.items import Computed, Item, Looped, ModuleCall, Value
from graphc.importing.naming import name_for
from graphc.importing.sheet import Sheet
from graphc.ir.session import Session
from graphc.records import dataclass, field
from graphc.source import GraphError, Source
from graphc.syntax.format.print import print_file
from graphc.syntax.parse.parser import parse


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
    text, called = _text(sheet, outputs, doc)
    params = {called[key]: array for key, array in sheet.book.arrays.items() if key in called}
    return Imported(name_for(name), text, params)


def _text(
    sheet: Sheet, outputs: Sequence[tuple[str, Value]], doc: str
) -> tuple[str, dict[str, str]]:
    """Return the text, and the paths of parameters by key.

    What parts of one kind have in common is one block; of a kind for which that does not check,
    since its sizes stand in a relation that letters do not show, each has its own.
    """
    kinds = sorted({part.kind for item in sheet.items for part in _parts(item)})
    general = [*kinds]

    def written() -> tuple[str, dict[str, str]]:
        file, called = file_of(sheet, outputs, doc, sheet.clauses, general.__contains__)
        return print_file(file), called

    text, called = written()
    if not kinds or _checks(text):
        return text, called
    general.clear()
    for kind in kinds:
        general.append(kind)
        if not _checks(written()[0]):
            general.pop()
    return written()


def _parts(item: Item) -> tuple[ModuleCall, ...]:
    if isinstance(item, Looped):
        return (*item.parts, *(part for one in item.body for part in _parts(one)))
    return item.parts if isinstance(item, Computed) else ()


def _checks(text: str) -> bool:
    with Session().open():
        return elaborate(parse(Source("imported", text))).model is not None
