"""`load`: a `.graph` file to its imported module, compiled only where something has changed."""

from __future__ import annotations

import codecs
import os
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, Unpack

from graphc import files
from graphc.api import cache
from graphc.api.noting import Made, noted
from graphc.api.options import CompileOptions, canonical


class GraphWarning(UserWarning):
    """There is something to say of a graph that compiles."""


def load(path: str | os.PathLike[str], **options: Unpack[CompileOptions]) -> ModuleType:
    """Compile a `.graph` file and import its module; where nothing has changed, import it again.

    A change of the file, of a file that it imports, of the options or of graphc is seen. Without
    one the same module is returned. It is kept in the folder that `GRAPHC_CACHE` names, by default
    in that of the system for caches.

    The options are those of the command, with its defaults: see `CompileOptions`.

    `load_parameters` reads the parameters.

    Raises GraphError with every mistake, OSError where the file cannot be read; warns of what the
    command warns of when it compiles.
    """
    file, said = Path(path), canonical(options)
    module, places = kept_module(file, said)
    return noted(cache.imported(module), places, Made(file, file.parent, said))


def kept_module(path: Path, said: dict[str, Any]) -> tuple[Path, dict[int, str]]:
    """Return the module of a graph in the cache, and the places that its lines come from.

    It is compiled where something has changed.
    """
    key = cache.key_of([os.path.abspath(path), said])
    found = cache.recall(key)
    if found is not None and (unchanged := _unchanged(found)):
        return unchanged
    from graphc.api.compiling import compiled, source_of

    made = compiled(source_of(path), path.parent, said)
    for one in made.warnings:
        warnings.warn(f"{path}\n{one}", GraphWarning, stacklevel=3)
    module = made.keep()
    sources = (made.source, *made.imported)
    read = {os.path.abspath(one.name): cache.digest(one.text.encode()) for one in sources}
    record = {"module": module.name, "content": cache.digest(made.text.encode()), "read": read}
    cache.remember(key, {**record, "places": made.places})
    return module, dict(made.places)


def _unchanged(record: dict[str, Any]) -> tuple[Path, dict[int, str]] | None:
    """Return what a record is of, if the module and all that was read for it are as they were."""
    try:
        module = cache.folder() / str(record["module"])
        wanted = {str(module): record["content"], **record["read"]}
        same = all(cache.digest(_text(one)) == content for one, content in wanted.items())
        places = {int(line): str(place) for line, place in record["places"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return (module, places) if same else None


def _text(path: str) -> bytes:
    return files.read(Path(path)).removeprefix(codecs.BOM_UTF8)
