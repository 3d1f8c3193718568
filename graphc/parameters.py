"""Parameters in files: npz and safetensors, read and written; nothing in a file is executed.

What a header claims is compared with what the file holds, and with what a module expects, before
an array is made. (A module itself opens no file, and is verified for that.)
"""

from __future__ import annotations

import inspect
import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from graphc.files import replace

Arrays = dict[str, np.ndarray[Any, Any]]
Shapes = Mapping[str, tuple[int, ...]]

NPZ, SAFETENSORS = ".npz", ".safetensors"
NO_ARCHIVE = "it is no npz file of numbers, as numpy.savez writes it"
NO_TENSORS = "it is no safetensors file"
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
LONGEST_HEADER = 100_000_000  # bytes, as the format says
TENSORS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
_UNSOUND = (
    ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
WORDS = {kind: word for word, kind in TENSORS.items() if word != "BF16"}


class Untrue(ValueError):
    """A file does not hold what its headers claim, or not what is expected of it."""


# ---- of a module --------------------------------------------------------------------------------


def load_parameters(
    path: str | os.PathLike[str], module: ModuleType, **dims: int
) -> dict[str, Any]:
    """Read the parameters of a module from an npz or safetensors file, by path.

    `dims` are those of the parameters' shapes that the graph leaves open, as `init` takes them.

    Raises ValueError where names or shapes are not those of the module, or the file is not sound,
    before anything of its size is allocated; OSError where it cannot be read.
    """
    found = read_arrays(path, shapes_of(module, dims, "load_parameters(path, {}{})"))
    return {name: found[name].astype(module.FLOAT)[()] for name in module.PARAMETERS}


def save_parameters(
    path: str | os.PathLike[str], params: Mapping[str, Any], module: ModuleType | None = None
) -> None:
    """Write parameters to an npz or safetensors file, as its name ends, whole or not at all.

    With a module, names and dtypes are those of the module: ValueError where they do not fit.
    """
    arrays = {name: np.asarray(value) for name, value in params.items()}
    if module is not None:
        _check_names(arrays, dict.fromkeys(module.PARAMETERS, ()))
        arrays = {name: arrays[name].astype(module.FLOAT) for name in module.PARAMETERS}
    write_arrays(path, arrays)


def shapes_of(module: Any, dims: Mapping[str, int], call: str) -> Shapes:
    """Return the shapes of a module's parameters.

    `call` is how dims are given, with {} for the module's name, and {} for them.
    """
    if not hasattr(module, "PARAMETERS"):
        raise TypeError(f"{module.__name__} has no parameters")
    needed = inspect.signature(module._shapes).parameters
    if dims.keys() != needed.keys():
        takes = ", ".join(needed)
        given = ", ".join(dims) or "none"
        sizes = "".join(f", {name}=…" for name in needed)
        raise TypeError(
            f"the shapes of the parameters leave dims open: expected {takes}, found {given}; give"
            f" each a size, as {call.format(module.GRAPH['name'], sizes)}"
            if needed
            else f"the shapes of the parameters leave no dim open, found {given}"
        )
    shapes: Shapes = module._shapes(**dims)
    return shapes


# ---- files --------------------------------------------------------------------------------------


def read_arrays(path: str | os.PathLike[str], expected: Shapes | None = None) -> Arrays:
    """Read arrays by name; raises Untrue, or OSError where a file cannot be read.

    With `expected` there are exactly these names and shapes.
    """
    file = Path(path)
    if file.suffix == SAFETENSORS:
        return _read_tensors(file, expected)
    try:
        with zipfile.ZipFile(file) as archive:
            headers = {}
            for entry in archive.infolist():
                with archive.open(entry) as stream:
                    headers[entry.filename.removesuffix(".npy")] = _header(stream, entry)
        _check(headers, expected)
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except MemoryError:
        raise Untrue("its arrays do not fit into memory") from None
    except Untrue:
        raise
    except _UNSOUND:
        raise Untrue(NO_ARCHIVE) from None


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Any]) -> None:
    """Write arrays by name, whole or not at all; raises OSError, or ValueError for other names."""
    file = Path(path)
    if file.suffix not in (NPZ, SAFETENSORS):
        raise ValueError(f"{file.name}: expected a name that ends in {NPZ} or {SAFETENSORS}")
    replace(file, (_tensors if file.suffix == SAFETENSORS else _archive)(arrays))


def _check(headers: Shapes, expected: Shapes | None) -> None:
    if expected is None:
        return
    _check_names(headers, expected)
    for name, shape in expected.items():
        if headers[name] != shape:
            raise Untrue(f"parameter `{name}` has shape {headers[name]}, expected {shape}")


def _check_names(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    if found.keys() != expected.keys():
        missing = [name for name in expected if name not in found]
        extra = [_cited(name) for name in found if name not in expected]
        said = [f"missing {', '.join(missing)}"] if missing else []
        said += [f"unknown {', '.join(extra)}"] if extra else []
        raise Untrue(f"parameters: {'; '.join(said)}")


def _cited(name: str) -> str:
    """Write a name from a file for a message: no control characters, not without end."""
    plain = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name)
    return plain if len(plain) <= 100 else plain[:99] + "…"


# ---- npz ----------------------------------------------------------------------------------------


def _header(stream: IO[bytes], entry: zipfile.ZipInfo) -> tuple[int, ...]:
    """Return the shape of an entry, which holds as many bytes of numbers as its header says."""
    name = _cited(entry.filename.removesuffix(".npy"))
    version = npy.read_magic(stream)
    if version not in HEADERS:
        raise Untrue(NO_ARCHIVE)
    shape, _, dtype = HEADERS[version](stream)
    if dtype.kind not in "fiub":
        raise Untrue(f"`{name}` holds {dtype}, which are no numbers")
    claimed, there = math.prod(shape) * dtype.itemsize, entry.file_size - stream.tell()
    if claimed != there:
        raise Untrue(f"the header of `{name}` claims {claimed} bytes of {shape}, there are {there}")
    return tuple(shape)


def _archive(arrays: Mapping[str, Any]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, value in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                npy.write_array(stream, np.asarray(value), allow_pickle=False)
    return content.getvalue()


# ---- safetensors (huggingface.co/docs/safetensors, "Format") ------------------------------------


def _read_tensors(file: Path, expected: Shapes | None) -> Arrays:
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > min(size - 8, LONGEST_HEADER):
            raise Untrue(f"{NO_TENSORS}: its header claims {length} bytes, it has {size}")
        try:
            header = json.loads(stream.read(length), object_pairs_hook=_once)
        except (ValueError, RecursionError):
            raise Untrue(f"{NO_TENSORS}: its header is no JSON") from None
        places = _places(header, size - 8 - length)
        _check({name: shape for name, (_, shape, _, _) in places.items()}, expected)
        found = {}
        for name, (word, shape, begin, end) in places.items():
            stream.seek(8 + length + begin)
            plain = np.frombuffer(stream.read(end - begin), TENSORS[word]).reshape(shape)
            wide = (plain.astype("<u4") << 16).view("<f4") if word == "BF16" else plain
            found[name] = wide.astype(wide.dtype.newbyteorder("="), copy=True)
        return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _places(header: Any, room: int) -> dict[str, tuple[str, tuple[int, ...], int, int]]:
    """Return dtype, shape, first and last byte by name: consecutive parts of all that there is."""
    if not isinstance(header, dict):
        raise Untrue(f"{NO_TENSORS}: its header is no object")
    places = {}
    for name, one in header.items():
        if name == "__metadata__":
            continue
        match one:
            case {"dtype": str(word), "shape": list(axes), "data_offsets": [int(begin), int(end)]}:
                shape = tuple(axis for axis in axes if type(axis) is int and axis >= 0)
            case _:
                raise Untrue(f"{NO_TENSORS}: the entry of `{_cited(name)}` is no tensor")
        if word not in TENSORS:
            raise Untrue(f"`{_cited(name)}` holds {_cited(word)}, which is not read")
        claimed = math.prod(shape) * np.dtype(TENSORS[word]).itemsize
        if len(shape) != len(axes) or claimed != end - begin or not 0 <= begin <= end <= room:
            raise Untrue(
                f"the header of `{_cited(name)}` claims {claimed} bytes at {begin} to {end}, "
                f"there are {room}"
            )
        places[name] = word, shape, begin, end
    reached = 0
    for _, _, begin, end in sorted(places.values(), key=lambda place: place[2:]):
        if begin != reached:
            raise Untrue(f"{NO_TENSORS}: its parts do not follow each other at {begin}")
        reached = end
    if reached != room:
        raise Untrue(f"{NO_TENSORS}: {room - reached} bytes belong to nothing")
    return places


def _tensors(arrays: Mapping[str, Any]) -> bytes:
    header: dict[str, Any] = {}
    parts: list[bytes] = []
    begin = 0
    for name, value in arrays.items():
        array = np.asarray(value)
        plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        if plain.dtype.str not in WORDS:
            raise ValueError(f"`{name}` is {array.dtype}, which safetensors does not have")
        parts.append(plain.tobytes())
        end = begin + len(parts[-1])
        word = WORDS[plain.dtype.str]
        header[name] = {"dtype": word, "shape": [*array.shape], "data_offsets": [begin, end]}
        begin = end
    written = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    written += b" " * (-len(written) % 8)  # numbers begin at a multiple of 8 bytes
    return b"".join([len(written).to_bytes(8, "little"), written, *parts])
