"""Files that a command writes: whole or not at all, or it ends."""

from __future__ import annotations

from pathlib import Path

from graphc import files
from graphc.cli.options import fail


def replace(target: Path, text: str) -> None:
    """Put a text in a file in one step; ends the command where that cannot be."""
    try:
        files.replace(target, text)
    except OSError as why:
        raise fail(f"cannot write {target}: {why.strerror or why}") from None
