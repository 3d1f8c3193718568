"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from graphc.cli.options import fail


def replace(target: Path, text: str) -> None:
    """Put a text in a file in one step: written beside it, synced, renamed. Keeps its mode."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    except OSError as why:
        raise fail(f"cannot write {target}: {why.strerror or why}") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        os.replace(name, target)
    except BaseException as why:
        # An interruption may come when the file has its new name already.
        Path(name).unlink(missing_ok=True)
        if isinstance(why, OSError):
            raise fail(f"cannot write {target}: {why.strerror or why}") from None
        raise


def _umask() -> int:
    """Read the process's mask for the modes of new files, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
