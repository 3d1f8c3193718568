"""A function over arrays of chunks as tasks of Dask: where rows are cut, what is done with each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from itertools import pairwise
from os import PathLike, fspath
from typing import Any
from uuid import uuid4

import dask.array as da
import numpy as np
from dask.delayed import Delayed, delayed
from distributed import get_worker
from threadpoolctl import threadpool_limits

from graphc.bridges.chunked import Chunked, PartialResult, leaves, naming
from graphc.records import dataclass, replace

TOGETHER = 8
"""Neighbours that a task merges: a power of two, so that they are merged as in pairs."""


@dataclass(frozen=True, slots=True)
class Work:
    """One call: where the rows are cut, and tasks for what all chunks need and each by itself."""

    of: Chunked
    cuts: tuple[int, ...]
    token: str
    shared: tuple[Delayed, Delayed]
    blocks: Mapping[str, Sequence[Any]]

    @property
    def numbers(self) -> list[int]:
        """List the chunks that have rows; where none has, the first."""
        some = [n for n in range(len(self.cuts) - 1) if self.cuts[n] < self.cuts[n + 1]]
        return some or [0]

    @property
    def ends(self) -> tuple[int, int]:
        """Return the first of these chunks, and the last."""
        return self.numbers[0], self.numbers[-1]

    def said(self, first: int, last: int | None = None) -> str:
        """Name a chunk for messages, or all from one to another."""
        last = first if last is None else last
        chunks = f"chunk {first}" if first == last else f"chunks {first} to {last}"
        start, stop = self.cuts[first], self.cuts[last + 1]
        what = f"rows {start} to {stop - 1}" if stop > start else "no rows"
        return f"`{self.of.name}`: {chunks} ({what} of {self.of.over})"

    def said_of(self, key: str) -> str:
        """Name the chunks of a task by its key."""
        _, is_own, numbers = key.rpartition(f"{self.token}-")
        return self.said(*map(int, numbers.split("-"))) if is_own else f"`{self.of.name}`: `{key}`"

    def key(self, what: str, *numbers: int) -> str:
        """Return the key of a task that does this with a chunk, or with all from one to another."""
        return "-".join([self.of.name, what, self.token, *map(str, numbers)])

    def part(self, number: int, rows: bool) -> Delayed:
        """Return the task of what a chunk contributes, with its own rows or without."""
        own = {name: blocks[number] for name, blocks in self.blocks.items()}
        key = self.key("rows" if rows else "part", number)
        return delayed(_contribute, pure=False)(
            *self.shared, own, self.said(number), rows, dask_key_name=key
        )

    def tree(self) -> Delayed:
        """Return the task of what all chunks contribute, merged in one tree by their places."""
        parts = [(number, number, self.part(number, rows=False)) for number in self.numbers]
        while len(parts) > 1:
            groups = [parts[n : n + TOGETHER] for n in range(0, len(parts), TOGETHER)]
            parts = [self.merged(group) if len(group) > 1 else group[0] for group in groups]
        return parts[0][-1]

    def merged(self, parts: Sequence[tuple[int, int, Delayed]]) -> tuple[int, int, Delayed]:
        """Return the task that merges what neighbours contribute, from the first to the last."""
        first, last = parts[0][0], parts[-1][1]
        tasks = [task for *_, task in parts]
        task = delayed(_combine, pure=False)(
            self.shared[0], self.said(first, last), tasks,
            dask_key_name=self.key("merged", first, last),
        )  # fmt: skip
        return first, last, task

    def row_results(
        self, merged: PartialResult, first: PartialResult
    ) -> dict[tuple[Any, ...], Any]:
        """Return arrays of Dask of the results that have rows, by their place."""
        none = leaves(self.of.finish(merged))
        some = leaves(self.of.with_rows(merged, first))
        whole = delayed(merged, traverse=False)
        tasks = {
            number: delayed(_with_rows, pure=False)(
                self.shared[0], self.said(number), whole, self.part(number, rows=True)
            )
            for number in self.numbers
        }
        size = np.diff(self.cuts)
        found = {}
        for place, like in some.items():
            grown = [axis for axis, n in enumerate(like.shape) if none[place].shape[axis] != n]
            if not grown:
                continue
            (axis,) = grown
            each = like.shape[axis] // size[self.numbers[0]]
            blocks = [
                da.from_delayed(
                    task[place],
                    (*like.shape[:axis], int(each * size[number]), *like.shape[axis + 1 :]),
                    like.dtype,
                )
                for number, task in tasks.items()
            ]
            found[place] = da.concatenate(blocks, axis=axis)
        return found


def _contribute(
    of: Chunked, whole: Mapping[str, Any], own: Mapping[str, Any], said: str, rows: bool
) -> PartialResult:
    _one_thread()
    with naming(said):
        part = of.contribute({**whole, **own})
    return part if rows else of.without_rows(part)


def _combine(of: Chunked, said: str, parts: Sequence[PartialResult]) -> PartialResult:
    with naming(said):
        return of.combine(*parts)


def _with_rows(
    of: Chunked, said: str, whole: PartialResult, part: PartialResult
) -> dict[tuple[Any, ...], Any]:
    with naming(said):
        return leaves(of.with_rows(whole, part))


def _one_thread() -> None:
    """Give a worker of a cluster one thread: of BLAS, since how many it has may change the bits,
    and of the module's blocks, since other workers have the other cores."""
    try:
        get_worker()
    except ValueError:
        return  # in the caller's own process, which has seen to it
    _limited()


@cache
def _limited() -> None:
    threadpool_limits(1, "blas")
    os.environ.setdefault("GRAPHC_THREADS", "1")


# ---- arrays -------------------------------------------------------------------------------------


def work_of(
    of: Chunked, rows: int | None, inputs: Mapping[str, Any], whole: Mapping[str, Any]
) -> Work:
    """Cut the arguments; raises ValueError where they do not fit, or nothing says how."""
    opened = {name: _opened(value) for name, value in inputs.items()}
    sizes = {name: one.shape[of.inputs[name]] for name, one in opened.items()}
    unknown = [name for name, size in sizes.items() if np.isnan(size)]
    if unknown:
        raise ValueError(
            f"`{unknown[0]}` has chunks of unknown sizes: call its `compute_chunk_sizes()` first"
        )
    (first, total), *others = sizes.items()
    for name, size in others:
        if size != total:
            raise ValueError(f"`{name}` has {size} rows of {of.over}, `{first}` has {total}")
    cuts = _cuts(of, rows, opened, int(total))
    token = uuid4().hex[:12]
    shared = (delayed(of, traverse=False), delayed(dict(whole), traverse=False))
    work = Work(of, cuts, token, shared, {})
    blocks = {name: _blocks(work, name, one) for name, one in opened.items()}
    return replace(work, blocks=blocks)


def _cuts(of: Chunked, rows: int | None, inputs: Mapping[str, Any], total: int) -> tuple[int, ...]:
    if rows is not None:
        return (*range(0, total, rows), total) if total else (0, 0)
    for name, one in inputs.items():
        if isinstance(one, da.Array):
            return (0, *(int(n) for n in np.cumsum(one.chunks[of.inputs[name]])))
    raise ValueError("no argument is an array of Dask: say how many `rows` a chunk has")


def _opened(value: Any) -> Any:
    """Return what is there of an array: a file is opened, and not read."""
    if isinstance(value, str | PathLike):
        path = fspath(value)
        if path.endswith(".npy"):
            return np.load(path, mmap_mode="r")
        return import_module("zarr").open_array(path, mode="r")
    return value if hasattr(value, "shape") else np.asarray(value)


def _blocks(work: Work, name: str, array: Any) -> list[Any]:
    """List the chunks of an array, or what a worker reads them by."""
    axis, pairs = work.of.inputs[name], [*pairwise(work.cuts)]
    if isinstance(array, da.Array):
        chunks = dict.fromkeys(range(array.ndim), -1) | {
            axis: tuple(stop - start for start, stop in pairs)
        }
        return list(array.rechunk(chunks).to_delayed().ravel())
    if isinstance(array, np.memmap) and array.flags.c_contiguous and array.filename is not None:
        held: Any = _Mapped(str(array.filename), array.dtype, _offset(array), array.shape)
    elif isinstance(array, np.ndarray):
        return [_taken(array, *pair, axis) for pair in pairs]  # it goes with what reads it
    else:
        held = array
    return [
        delayed(_read, pure=False)(
            held, *pair, axis, f"{work.said(number)}: `{name}`",
            dask_key_name=work.key(name, number),
        )
        for number, pair in enumerate(pairs)
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Mapped:
    """An array in a file, row by row from an offset on: whoever takes a part of it maps that."""

    path: str
    dtype: Any
    offset: int
    shape: tuple[int, ...]

    def __getitem__(self, items: Any) -> Any:
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)[items]


def _offset(array: Any) -> int:
    """Return where in its file a memory map begins, which may be a part of another."""
    whole = array
    while isinstance(whole.base, np.memmap):
        whole = whole.base
    return int(whole.offset + array.ctypes.data - whole.ctypes.data)


def _read(held: Any, start: int, stop: int, axis: int, said: str) -> Any:
    with naming(f"{said} cannot be read"):
        return np.array(_taken(held, start, stop, axis))


def _taken(array: Any, start: int, stop: int, axis: int) -> Any:
    return np.asarray(array[(slice(None),) * axis + (slice(start, stop),)])
