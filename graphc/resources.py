"""The files that travel with graphc: the text of a file of `grammar/`, wheel or checkout alike."""

from __future__ import annotations

from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
DOCS_FOLDERS = (PACKAGE / "docs", PACKAGE.parent / "docs")
GRAMMAR_FOLDERS = (PACKAGE / "grammar", PACKAGE.parent / "grammar")  # a wheel; a checkout


@cache
def grammar_text(name: str) -> str:
    """Return the text of `grammar/NAME`."""
    return grammar_path(name).read_text(encoding="utf-8")


def grammar_path(name: str) -> Path:
    """Return where `grammar/NAME` is."""
    for folder in GRAMMAR_FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"graphc is not installed completely: grammar/{name} is missing")


def docs_folder() -> Path:
    """Return where the documentation is."""
    return next(folder for folder in DOCS_FOLDERS if folder.is_dir())
