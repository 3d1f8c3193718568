"""Where a name is defined, where it is used, and what renaming it changes, across files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from graphc.editor.analysis import Analysis
from graphc.editor.names import Foreign, Names, Symbol
from graphc.elaborate.build import standard
from graphc.elaborate.names.scope import BlockValue
from graphc.ops import FUNCTIONS
from graphc.source import Source, Span
from graphc.syntax import tree
from graphc.syntax.mistakes.error_site import KEYWORDS

Files = Mapping[str, Names]  # of the files that belong together, by absolute path
Block = tuple[str, str]  # the file that a block is in, and its name

NAME = re.compile("[A-Za-zα-ωΓΔΘΛΞΠΣΦΨΩ_][A-Za-z0-9α-ωΓΔΘΛΞΠΣΦΨΩ_]*")


def definition(analysis: Analysis, offset: int, path: str, files: Files) -> Span | None:
    """Return where the name at a place is defined; of a standard block its place in std.graph."""
    block = _block_at(analysis.names, offset, path)
    if block is not None and block[0] in files:
        found = _symbol_of(files[block[0]], block[1])
        if found is not None:
            return found.defined[0]
    named = analysis.names.at(offset)
    if named is not None:
        return named[0].defined[0]
    for span, entry in analysis.entries.items():
        here = span.source is analysis.source and span.start <= offset <= span.end
        if here and isinstance(entry.value, BlockValue):
            return entry.value.tree.name.span
    return None


def references(names: Names, offset: int, path: str, files: Files) -> list[Span]:
    """List all places of the name at a place, in the order of files and texts."""
    block = _block_at(names, offset, path)
    if block is not None:
        return [span for file, one in files.items() for span in _uses(one, file, block)]
    found = names.at(offset)
    return [] if found is None else sorted(found[0].places, key=lambda span: span.start)


class Unfit(Exception):
    """A name cannot become what was asked for; says why."""


def renamed(names: Names, offset: int, path: str, files: Files, new: str) -> list[Span]:
    """List the places that get a new name; raises Unfit where that would mean something else."""
    if not NAME.fullmatch(new) or new in KEYWORDS.split():
        raise Unfit(f"`{new}` is not a name")
    found = names.at(offset)
    places = references(names, offset, path, files)
    if not places:
        raise Unfit("nothing of this file has a name here")
    if found is not None and found[0].name == new:
        return []
    seen = [scope.visible() for scope in names.scopes]
    if found is not None:
        seen = [one for one in seen if found[0] in one.values()]
    if any(new in one for one in seen):
        raise Unfit(f"`{new}` is taken here")
    if new in FUNCTIONS or new in standard_blocks():
        raise Unfit(f"`{new}` is an operation or a standard block")
    return places


def standard_blocks() -> Mapping[str, tree.Block]:
    """Return the blocks that ship with graphc, by name."""
    return {one.name.text: one for one in standard().statements if isinstance(one, tree.Block)}


def _block_at(names: Names, offset: int, path: str) -> Block | None:
    """Return the block that the name at a place stands for, here or in another file."""
    for foreign, span in names.foreign:
        if span.start <= offset <= span.end:
            return _located(foreign, path)
    found = names.at(offset)
    if found is None:
        return None
    symbol, span = found
    if symbol.kind != "block":
        return None
    if symbol.foreign is None:
        return path, symbol.name
    # An alias is a name of this file alone, unless it is the name of the block, too.
    return _located(symbol.foreign, path) if symbol.foreign[1] == symbol.name else None


def _located(foreign: Foreign, path: str) -> Block:
    return os.path.abspath(Path(path).parent / foreign[0]), foreign[1]


def _symbol_of(names: Names, block: str) -> Symbol | None:
    for symbol in names.symbols:
        if symbol.kind == "block" and symbol.name == block and symbol.foreign is None:
            return symbol
    return None


def _uses(names: Names, path: str, block: Block) -> Iterator[Span]:
    """Yield the places of a block in a file: where it is defined, imported and used."""
    found: set[Span] = set()
    for foreign, span in names.foreign:
        if _located(foreign, path) == block:
            found.add(span)
    for symbol in names.symbols:
        if symbol.kind != "block":
            continue
        own = symbol.foreign is None and (path, symbol.name) == block
        taken = symbol.foreign is not None and symbol.foreign[1] == symbol.name
        if own or (taken and symbol.foreign and _located(symbol.foreign, path) == block):
            found.update(symbol.places)
    yield from sorted(found, key=lambda span: span.start)


def import_of(analysis: Analysis, source: Source) -> Span | None:
    """Return the place where a file imports another, itself or through others."""
    imports = [
        one
        for one in analysis.compilation.parsed.file.statements
        if isinstance(one, tree.Import | tree.FromImport)
    ]
    folder = Path(analysis.source.name).parent
    for one in imports:
        if os.path.abspath(folder / one.path.value) == os.path.abspath(source.name):
            return one.path.span
    return imports[0].path.span if imports else None
