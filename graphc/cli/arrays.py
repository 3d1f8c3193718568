"""Arrays that a command is given in a file, npz or safetensors."""

from __future__ import annotations

from graphc.cli.options import cite, reason_of
from graphc.parameters import Arrays, Untrue, read_arrays
from graphc.source import GraphError, error


def arrays_of(path: str) -> Arrays:
    """Read the arrays of a file by name; raises GraphError where it is no sound one."""
    try:
        return read_arrays(path)
    except OSError as why:
        said = reason_of(why)
    except Untrue as untrue:
        said = str(untrue)
    raise GraphError([error("E001", f"cannot read {cite(path)}: {said}", None)])
