"""What is known of a file as it stands: its compilation, its names, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from graphc.api.checking import NO_MODULE, of_any_file
from graphc.compile.options import DEFAULTS, Options
from graphc.compile.stages import Compilation
from graphc.editor.colours import Line, colours
from graphc.editor.names import Names, Symbol, names_of
from graphc.editor.outline import Item, outline
from graphc.editor.places import edited
from graphc.editor.shapes import shapes
from graphc.elaborate.names.scope import Entry
from graphc.files import reading_instead
from graphc.ir.graph import Node
from graphc.records import dataclass
from graphc.source import Diagnostic, GraphError, Source, Span

Texts = Mapping[str, str]  # of files that are open and not saved, by absolute path
NONE: Texts = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Analysis:
    """A source, how far it compiles, the names in its text, and what an editor shows of all of it.

    `told` are the mistakes and warnings of the first stage that has any.
    """

    source: Source
    compilation: Compilation
    names: Names
    outline: tuple[Item, ...]
    colours: tuple[Line, ...]
    shapes: tuple[tuple[Span, str], ...]
    types: Mapping[Symbol, str]
    entries: Mapping[Span, Entry]
    told: tuple[Diagnostic, ...]

    @property
    def sound(self) -> bool:
        """True if a module can be made of the file: it has no mistake, and more than blocks."""
        return all(one.severity != "error" and one.code != NO_MODULE for one in self.told)

    def entry(self, span: Span) -> Entry | None:
        """Return what stands at a place, as far as the compiler came."""
        return _sound(self.entries.get(span))

    def value(self, symbol: Symbol) -> object:
        """Return what a name stands for, where any of its places tells that."""
        return _value(symbol, self.entries)

    def type_of(self, symbol: Symbol) -> str:
        """Return the type of a value, with its dims; "" where the compiler did not come there."""
        return self.types.get(symbol, "")


def _sound(entry: Entry | None) -> Entry | None:
    return None if entry is None or entry.is_poisoned else entry


def _value(symbol: Symbol, entries: Mapping[Span, Entry]) -> object:
    found = (_sound(entries.get(span)) for span in symbol.places)
    return next((entry.value for entry in found if entry is not None), None)


class GivenUp(Exception):
    """Nobody waits for an analysis any more: its text has changed."""


def analyse(
    source: Source,
    folder: Path | None = None,
    texts: Texts = NONE,
    options: Options = DEFAULTS,
    *,
    whole: bool = True,
    wanted: Callable[[], bool] = lambda: True,
) -> Analysis:
    """Analyse a source, whose imports may be open and not saved; `whole` up to its module.

    Raises GivenUp behind a stage where it is not `wanted` any more.
    """

    def go_on() -> None:
        if not wanted():
            raise GivenUp

    compilation = Compilation(source, options, folder)
    with reading_instead(texts):
        parsed = compilation.parsed
        go_on()
        names, items = names_of(parsed.file), outline(parsed.file.statements)
        go_on()
        entries: Mapping[Span, Entry] = {}
        told = parsed.diagnostics
        try:
            found = compilation.elaborated
            entries = found.occurrences
            told = told or found.diagnostics
            go_on()
            if not told:
                told = compilation.diagnostics if whole else compilation.stated.warnings
        except GraphError as wrong:
            told = told or wrong.diagnostics
    return Analysis(
        source,
        compilation,
        names,
        items,
        tuple(colours(names, edited(source, source))),
        tuple(shapes(parsed.file.statements, names, entries)),
        _types(names, entries),
        entries,
        of_any_file(told),
    )


def _types(names: Names, entries: Mapping[Span, Entry]) -> dict[Symbol, str]:
    values = ((symbol, _value(symbol, entries)) for symbol in names.symbols)
    return {symbol: str(value.type) for symbol, value in values if isinstance(value, Node)}
