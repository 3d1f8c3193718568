"""Arrays from an npz file, whose headers are compared with what it holds before any is made."""

from __future__ import annotations

import math
import zipfile
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from graphc.cli.options import cite, reason_of
from graphc.source import GraphError, error

Arrays = dict[str, np.ndarray[Any, Any]]
NO_ARCHIVE = "it is no npz file of numbers, as numpy.savez writes it"
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def arrays_of(path: str) -> Arrays:
    """Read the arrays of an npz file by name; raises GraphError where it is no sound one."""
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as stream:
                    _check(stream, entry)
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except OSError as why:
        said = reason_of(why)
    except MemoryError:
        said = "its arrays do not fit into memory"
    except _Untrue as untrue:
        said = str(untrue)
    except (ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile):
        said = NO_ARCHIVE
    raise GraphError([error("E001", f"cannot read {cite(path)}: {said}", None)])


class _Untrue(Exception):
    """An entry is not the array of numbers that its header claims."""


def _check(stream: IO[bytes], entry: zipfile.ZipInfo) -> None:
    """Check that an entry holds as many bytes of numbers as its header says."""
    name = cite(entry.filename.removesuffix(".npy"))
    version = npy.read_magic(stream)
    if version not in HEADERS:
        raise _Untrue(NO_ARCHIVE)
    shape, _, dtype = HEADERS[version](stream)
    if dtype.kind not in "fiub":
        raise _Untrue(f"`{name}` holds {dtype}, which are no numbers")
    claimed, there = math.prod(shape) * dtype.itemsize, entry.file_size - stream.tell()
    if claimed != there:
        raise _Untrue(
            f"the header of `{name}` claims {claimed} bytes of {shape}, there are {there}"
        )
