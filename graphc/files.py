"""Files read within bounds, imports only inside their folder; files written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO, TypeVar

from graphc.limits import FILE

Format = TypeVar("Format", bound=str)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
# A pipe that nobody writes to is opened at once, and refused.
_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


_instead: ContextVar[Mapping[str, str] | None] = ContextVar("_instead", default=None)


@contextmanager
def reading_instead(texts: Mapping[str, str]) -> Iterator[None]:
    """Read these texts, by absolute path, instead of what the files of imports hold."""
    token = _instead.set(texts)
    try:
        yield
    finally:
        _instead.reset(token)


def read(path: Path) -> bytes:
    """Return the content of what a user names, a pipe too; raises OSError, also above FILE."""
    with path.open("rb") as stream:
        return _bounded(stream)


def read_standard_input() -> bytes:
    """Return all of standard input; raises OSError where that is more than FILE."""
    return _bounded(sys.stdin.buffer)


def read_inside(folder: Path, parts: Sequence[str]) -> bytes:
    """Return the content of the file `folder/part/…/part`, no part of which is a link.

    Each part is opened relative to the open folder before it: nobody can put a link in its place
    between a look at it and its use. Where the system cannot do that, the path is read as it is.
    Raises OSError.
    """
    given = (_instead.get() or {}).get(os.path.abspath(folder.joinpath(*parts)))
    if given is not None:
        return given.encode("utf-8", "surrogatepass")
    if os.open not in os.supports_dir_fd or not _NO_LINK:
        return read(folder.joinpath(*parts))
    with ExitStack() as opened:
        place = os.open(folder, _FOLDER)
        opened.callback(os.close, place)
        for part in parts[:-1]:
            place = os.open(part, _FOLDER | _NO_LINK, dir_fd=place)
            opened.callback(os.close, place)
        file = os.open(parts[-1], _FILE | _NO_LINK, dir_fd=place)
        stream = opened.enter_context(os.fdopen(file, "rb"))
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return _bounded(stream)


def _bounded(stream: BinaryIO) -> bytes:
    content = stream.read(FILE + 1)
    if len(content) > FILE:
        raise OSError(errno.EFBIG, f"it has more than {FILE >> 20} MiB")
    return content


def replace(target: Path, content: str | bytes) -> None:
    """Fill a file in one step: what it gets is written beside it, synced, renamed. Keeps its mode.

    A link stays, and the file behind it is filled. Raises OSError, also for a device or a pipe, in
    whose place a file would stand.
    """
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise OSError(errno.EINVAL, "it is not a regular file")
    target = target.resolve()
    name = target.parent / f".{target.name}.{os.urandom(6).hex()}.tmp"
    handle = os.open(name, _NEW, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        os.replace(name, target)
    except BaseException:
        # An interruption may come when the file has its new name already.
        name.unlink(missing_ok=True)
        raise


def _umask() -> int:
    """Read the process's mask for the modes of new files, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def format_of(path: str | os.PathLike[str], endings: Mapping[str, Format], usual: Format) -> Format:
    """Return the format that the ending of a path says, the usual one where it has none.

    Raises ValueError where it has another one.
    """
    ending = Path(path).suffix.lower()
    if ending and ending not in endings:
        *others, last = endings
        known = f"{', '.join(others)} or {last}"
        raise ValueError(f"`{ending}` is no format; a file ends in {known}")
    return endings.get(ending, usual)
