"""The import hook: `import net` finds `net.graph`, once somebody has asked for that."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, Unpack

from graphc.api.loading import kept_module
from graphc.api.noting import Made, noted
from graphc.api.options import CompileOptions, canonical
from graphc.names import hides_a_library
from graphc.provenance import is_generated


class GraphLoader(SourceFileLoader):
    """Loads a module of the cache under the name of its graph."""

    def __init__(self, name: str, path: str, places: Mapping[int, str], made: Made) -> None:
        super().__init__(name, path)
        self.places, self.made = places, made

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        noted(module, self.places, self.made)


class GraphFinder(MetaPathFinder):
    """Finds graphs on the path, and compiles them where something has changed."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.said = said

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of `NAME.graph` in the first folder that has one.

        A module of that name in the same folder, or before it, comes first, unless graphc has made
        it of a graph. No graph stands in for a module of Python or NumPy.
        """
        name = fullname.rpartition(".")[2]
        if path is None and hides_a_library(name):
            return None
        folders = sys.path if path is None else [*path]
        files = (os.path.join(folder or ".", f"{name}.graph") for folder in folders)
        last = next((number for number, file in enumerate(files) if os.path.isfile(file)), None)
        if last is None:
            return None
        other = PathFinder.find_spec(fullname, [*folders[: last + 1]])
        if other is not None and other.origin and not _is_made(other.origin):
            return None
        file = Path(folders[last] or ".", f"{name}.graph")
        module, places = kept_module(file, self.said)
        loader = GraphLoader(fullname, str(module), places, Made(file, file.parent, self.said))
        return importlib.util.spec_from_file_location(fullname, module, loader=loader)


def _is_made(file: str) -> bool:
    try:
        return is_generated(Path(file).read_bytes())
    except OSError:
        return False


def install_import_hook(**options: Unpack[CompileOptions]) -> None:
    """Let `import net` find `net.graph` where it would find `net.py`, compiled where needed.

    A module that is not of graphc comes first. `importlib.reload(net)` takes changes of the graph.

    The options are those of the command, with its defaults: see `CompileOptions`.
    """
    finder = GraphFinder(canonical(options))
    remove_import_hook()
    sys.meta_path.insert(0, finder)


def remove_import_hook() -> None:
    """Let `import` be as it was; modules that it has found stay."""
    sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, GraphFinder)]
