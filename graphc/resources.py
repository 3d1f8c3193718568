"""The files that travel with graphc: the text of a file of `grammar/`, wheel or checkout alike."""

from __future__ import annotations

from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
GRAMMAR_FOLDERS = (PACKAGE / "grammar", PACKAGE.parent / "grammar")  # a wheel; a checkout


@cache
def grammar_text(name: str) -> str:
    """Return the text of `grammar/NAME`."""
    for folder in GRAMMAR_FOLDERS:
        path = folder / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(f"graphc is not installed completely: grammar/{name} is missing")
