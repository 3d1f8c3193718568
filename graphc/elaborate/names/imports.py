"""What a file can call: its own blocks and those that it imports, each file read once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from graphc.elaborate.names.scope import BlockValue, Namespace
from graphc.files import read_inside
from graphc.ops import FUNCTIONS
from graphc.records import dataclass, field
from graphc.source import Diagnostic, GraphError, Span, did_you_mean, error
from graphc.syntax import tree
from graphc.syntax.parse.parser import parse, read_source

HELP = 'a path is relative and stays in the folder of the importing file: "blocks.graph"'


@dataclass(slots=True)
class Loader:
    """Files read so far, the files being read, and what is wrong with them."""

    loaded: dict[Path, Namespace] = field(default_factory=dict)
    reading: list[Path] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def read_namespace(file: tree.File, folder: Path | None, loader: Loader) -> Namespace:
    """Read the blocks and imports of a file whose imports are relative to `folder`."""
    space = Namespace(file.span.source)
    for statement in file.statements:
        match statement:
            case tree.Block(name=name):
                _check_ports(statement, loader)
                if _is_free(space, name, loader):
                    space.blocks[name.text] = BlockValue(statement, space)
            case tree.Import(path=path, name=name):
                found = _load(path, folder, loader)
                if found is None:
                    space.broken.add(name.text)
                elif _is_free(space, name, loader):
                    space.modules[name.text] = found
            case tree.FromImport(path=path, names=names):
                found = _load(path, folder, loader)
                if found is None:
                    space.broken.update(alias.text for _, alias in names)
                for name, alias in names if found is not None else ():
                    _take(space, found, name, alias, loader)
    return space


def _take(
    space: Namespace, found: Namespace | None, name: tree.Ident, alias: tree.Ident, loader: Loader
) -> None:
    block = found.blocks.get(name.text) if found else None
    if block is None:
        known = found.blocks if found else ()
        source = found.source.name if found else "the file"
        message = f"`{name.text}` is not a block of {source}"
        loader.diagnostics.append(
            error("E602", message, name.span, help=did_you_mean(name.text, known))
        )
        space.broken.add(alias.text)
    elif _is_free(space, alias, loader):
        space.blocks[alias.text] = block


def _check_ports(block: tree.Block, loader: Loader) -> None:
    """Report ports of a block that share a name, and results that do."""
    for ports in (block.ports, block.results):
        first: dict[str, tree.Ident] = {}
        for port in ports:
            _check_underscores(port.name, loader)
            if first.setdefault(port.name.text, port.name) is not port.name:
                notes = [f"first defined at {first[port.name.text].span}"]
                message = f"`{port.name.text}` is a port twice"
                loader.diagnostics.append(error("E201", message, port.name.span, notes=notes))


def _check_underscores(name: tree.Ident, loader: Loader) -> None:
    if name.text.startswith("__"):
        message = f"`{name.text}`: a name does not begin with `__`"
        loader.diagnostics.append(error("E215", message, name.span))


def _is_free(space: Namespace, name: tree.Ident, loader: Loader) -> bool:
    """True if a name is not yet a block, an import or an operation; reports it where it is."""
    _check_underscores(name, loader)
    if name.text in FUNCTIONS:
        message = f"`{name.text}` is an operation and cannot be defined"
        loader.diagnostics.append(error("E203", message, name.span, help=f"call it `{name.text}_`"))
        space.broken.add(name.text)
        return False
    if name.text in space.places:
        notes = [f"first defined at {space.places[name.text]}"]
        message = f"`{name.text}` is defined twice"
        loader.diagnostics.append(error("E201", message, name.span, notes=notes))
        return False
    space.places[name.text] = name.span
    return True


def _load(written: tree.Text, folder: Path | None, loader: Loader) -> Namespace | None:
    """Read the namespace of an imported file; None where a mistake was reported."""
    try:
        path = _locate(written, folder)
        if path in loader.loaded:
            return loader.loaded[path]
        if path in loader.reading:
            loop = [*loader.reading[loader.reading.index(path) :], path]
            raise _import_error(
                written.span, f"imports form a cycle: {' -> '.join(p.name for p in loop)}"
            )
        try:
            data = read_inside(folder or Path(), PurePosixPath(written.value).parts)
        except OSError as why:
            raise _import_error(
                written.span, f"cannot read {written.value}: {why.strerror}"
            ) from None
        loader.reading.append(path)
        shown, before = _cite(path, folder, written), len(loader.diagnostics)
        try:
            file = parse(read_source(shown, data))
            loader.loaded[path] = found = read_namespace(file, Path(shown).parent, loader)
        finally:
            loader.reading.pop()
            inside = loader.diagnostics[before:]
            loader.diagnostics[before:] = _note_import(inside, written.span)
        return found
    except GraphError as wrong:
        loader.diagnostics.extend(_note_import(wrong.diagnostics, written.span))
        return None


def _locate(written: tree.Text, folder: Path | None) -> Path:
    """Return the path that an import names: inside the importing file's folder, and no link."""
    path = PurePosixPath(written.value)
    if folder is None:
        raise _import_error(written.span, "a text without a file cannot import")
    if path.is_absolute() or "\\" in written.value or ":" in written.value:
        raise _import_error(written.span, "an import cannot be absolute", HELP)
    if ".." in path.parts:
        raise _import_error(written.span, "an import cannot leave the folder of its file", HELP)
    if path.suffix != ".graph":
        raise _import_error(written.span, "only .graph files are imported", HELP)
    place = folder
    for part in path.parts:
        place = place / part
        if place.is_symlink():
            raise _import_error(
                written.span, f"{place.name} is a link; imports do not follow links"
            )
    if not place.is_file():
        names = [str(p.relative_to(folder)) for p in folder.glob("*.graph")]
        near = did_you_mean(written.value, names)
        raise _import_error(written.span, f"there is no file {written.value}", near)
    return Path(os.path.abspath(place))


def _cite(path: Path, folder: Path | None, written: tree.Text) -> str:
    """Return the name under which messages cite an imported file."""
    return written.value if folder in (None, Path()) else str((folder or Path()) / written.value)


def _import_error(span: Span, message: str, help: str | None = None) -> GraphError:
    return GraphError([error("E601", message, span, help=help)])


def _note_import(diagnostics: Iterable[Diagnostic], span: Span) -> list[Diagnostic]:
    """Note at mistakes of another file the place that imports it."""
    return [
        d
        if d.span is not None and d.span.source is span.source
        else d.with_note(f"imported at {span}")
        for d in diagnostics
    ]
