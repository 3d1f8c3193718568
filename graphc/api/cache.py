"""The cache: generated modules by their content, and what they were made of, in a folder.

A module is called after its content, so that two processes that write it write the same, and no
reader sees anything else under its name. It is one of the package `graphc.generated`: whatever is
made of its classes pickles from one process to another. The folder may be emptied at any time.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import stat
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from graphc import __version__
from graphc.files import replace
from graphc.resources import GRAMMAR_FOLDERS, PACKAGE

VARIABLE = "GRAPHC_CACHE"
"""The environment variable that names the folder."""


def own_folder() -> Path:
    """Return the folder, which nobody else can write to; a passing one where there is none."""
    chosen = os.environ.get(VARIABLE)
    folder = Path(chosen) if chosen else _usual() / "graphc"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_own(folder):
            return folder
    except OSError:
        pass
    import atexit
    import tempfile

    passing = tempfile.TemporaryDirectory(prefix="graphc-")
    atexit.register(passing.cleanup)
    return Path(passing.name)


def _usual() -> Path:
    """Return where this system keeps what can be made again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _is_own(folder: Path) -> bool:
    """True if this user alone writes here: what lies there is imported."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    if sys.platform == "win32":
        return True
    found = folder.stat()
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def folder() -> Path:
    """Return the folder of this process."""
    package = importlib.import_module("graphc.generated")
    return Path(next(iter(package.__path__)))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ---- modules -----------------------------------------------------------------------------------


def keep(name: str, text: str) -> Path:
    """Write a module called after the graph and its content, unless it is there; returns its file.

    What is there under its name but differs, as after a crash of the machine, is replaced.
    """
    content = text.encode()
    path = folder() / f"{name}_{digest(content)[:16]}.py"
    if _read(path) != content:
        replace(path, text)
        importlib.invalidate_caches()
    return path


def imported(path: Path) -> ModuleType:
    """Import a module of the cache; twice it is the same object."""
    return importlib.import_module(f"graphc.generated.{path.stem}")


# ---- what they were made of --------------------------------------------------------------------


def remember(key: str, record: Mapping[str, Any]) -> None:
    """Note under a key what a module was made of."""
    replace(folder() / f"{key}.json", json.dumps(record, ensure_ascii=False))


def recall(key: str) -> dict[str, Any] | None:
    """Return what was noted under a key; None where that is nothing, or not whole."""
    try:
        found = json.loads((_read(folder() / f"{key}.json") or b"").decode())
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def key_of(what: Any) -> str:
    """Return the key of something that JSON can say, for this very compiler."""
    said = json.dumps([what, __version__, _compiler()], sort_keys=True, ensure_ascii=False)
    return digest(said.encode())[:32]


@cache
def _compiler() -> str:
    """Hash sizes and times of the compiler's own files: one that was changed compiles anew."""
    found = []
    for top in (PACKAGE, *GRAMMAR_FOLDERS):
        for where, folders, files in os.walk(top):
            folders[:] = [one for one in folders if one != "__pycache__"]
            for file in files:
                about = os.stat(os.path.join(where, file))
                found.append((file, about.st_size, about.st_mtime_ns))
    return digest(repr(sorted(found)).encode())


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
