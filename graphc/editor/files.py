"""The files that an editor has open, and those beside them: texts, analyses, names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from graphc.editor.analysis import Analysis, analyse
from graphc.editor.completion import Known, paths_of
from graphc.editor.names import Names, names_of
from graphc.editor.places import Edited, edited
from graphc.files import read
from graphc.records import dataclass, field
from graphc.source import GraphError, Source
from graphc.syntax import tree
from graphc.syntax.parse.parser import parse_with_recovery, read_source

SMALL = 8_000
"""Characters of a text that is analysed at once, when it is asked about."""

MOST_FOLDERS = 1_000
"""Folders below that of a project that are looked through for graphs."""


@dataclass(slots=True, eq=False)
class Open:
    """A file that is open: its text as it is, and what was found when it was last analysed.

    `paths` are those of the parameters when the file was sound the last time.
    """

    path: str
    source: Source
    analysis: Analysis | None = None
    paths: tuple[str, ...] = ()

    def take(self, analysis: Analysis) -> None:
        """Keep an analysis of this file."""
        self.analysis = analysis
        if analysis.sound:
            self.paths = paths_of(analysis)


@dataclass(slots=True, eq=False)
class Files:
    """All files of a session, by absolute path."""

    root: str = ""
    open: dict[str, Open] = field(default_factory=dict)
    _read: dict[str, tuple[object, Names]] = field(default_factory=dict)

    def change(self, path: str, text: str) -> Open:
        """Give a file its text."""
        source = Source(path, text.removeprefix("\ufeff"))
        found = self.open.get(path)
        if found is None:
            found = self.open[path] = Open(path, source)
        found.source = source
        return found

    def texts(self) -> dict[str, str]:
        return {path: one.source.text for path, one in self.open.items()}

    def analysing(self, file: Open, whole: bool = False) -> Callable[[], Analysis]:
        """Return what analyses a file as all stand now, whenever it is called.

        It raises GivenUp where the file is another meanwhile.
        """
        source = file.source

        def wanted() -> bool:
            return file.source is source

        folder = Path(file.path).parent
        return partial(analyse, source, folder, self.texts(), whole=whole, wanted=wanted)

    def latest(self, file: Open) -> tuple[Analysis, Edited]:
        """Return the last analysis, a new one where that is quick, and what was edited since."""
        stale = file.analysis is None or file.analysis.source is not file.source
        if file.analysis is None or (stale and len(file.source.text) <= SMALL):
            file.take(self.analysing(file)())
        assert file.analysis is not None
        return file.analysis, edited(file.analysis.source, file.source)

    def names(self, file: Open) -> Names:
        """Return the names of a file as it stands now."""
        if file.analysis is not None and file.analysis.source is file.source:
            return file.analysis.names
        return names_of(parse_with_recovery(file.source).file)

    def known(self, file: Open) -> Known:
        """Return what completion knows of a file."""
        analysis, _ = self.latest(file)
        folder = Path(file.path).parent
        blocks = {}
        for one in analysis.compilation.parsed.file.statements:
            if isinstance(one, tree.Import | tree.FromImport):
                names = self._names_at(str(folder / one.path.value))
                if names is not None:
                    blocks[one.path.value] = tuple(
                        each.name for each in names.symbols if each.kind == "block"
                    )
        return Known(analysis, file.paths, blocks, partial(_beside, file.path))

    def together(self, file: Open) -> dict[str, Names]:
        """Return the names of all files that may use a block of this one, or have one of it."""
        folder = self.root or str(Path(file.path).parent)
        if not file.path.startswith(folder):
            folder = str(Path(file.path).parent)
        found: dict[str, Names] = {}
        for path in _graphs(Path(folder)):
            names = self._names_at(path)
            if names is not None:
                found[path] = names
        return found | {one.path: self.names(one) for one in self.open.values()}

    def _names_at(self, path: str) -> Names | None:
        """Return the names of a file, open or not; None where it cannot be read."""
        path = os.path.abspath(path)
        if path in self.open:
            return self.names(self.open[path])
        try:
            about = os.stat(path)
            stamp = (about.st_mtime_ns, about.st_size)
            if path not in self._read or self._read[path][0] != stamp:
                source = read_source(path, read(Path(path)))
                self._read[path] = stamp, names_of(parse_with_recovery(source).file)
        except (OSError, GraphError):
            return None
        return self._read[path][1]


def _beside(path: str) -> list[str]:
    """List the files that a file can import, as it would write them."""
    folder = Path(path).parent
    return [Path(one).relative_to(folder).as_posix() for one in _graphs(folder) if one != path]


def _graphs(folder: Path) -> Iterator[str]:
    """Yield the graphs below a folder, but for hidden folders and those of packages."""
    for place, folders, names in islice(os.walk(folder), MOST_FOLDERS):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name != "node_modules"
        )
        yield from (os.path.join(place, name) for name in sorted(names) if name.endswith(".graph"))
