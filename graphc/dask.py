"""The bridge to Dask: a derived function over arrays of chunks, by the functions of chunks.

The bits depend on how the rows are cut alone, not on how many workers there are, on which of them
computes what, and on who is lost meanwhile.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack
from functools import cache
from importlib import import_module
from itertools import pairwise
from os import PathLike, fspath
from types import ModuleType
from typing import Any
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
from dask.delayed import Delayed, delayed
from dask.diagnostics import ProgressBar
from distributed import Client, LocalCluster, default_client, get_worker, progress
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker, NoWorkerError
from threadpoolctl import threadpool_limits

from graphc.bridges.chunked import Chunked, ChunkError, Part, chunked, leaves, with_leaves
from graphc.records import dataclass, replace

LOCAL = ("threads", "synchronous")
"""Schedulers of Dask without a cluster."""
LOCAL_CLUSTER = {
    "distributed.scheduler.no-workers-timeout": "60s",
    "distributed.comm.timeouts.connect": "5s",  # here who does not answer is dead
}
"""Settings of workers on this machine."""
TOGETHER = 8
"""Neighbours that a task merges: a power of two, so that they are merged as in pairs."""


@dataclass(frozen=True, slots=True, repr=False)
class Function:
    """A derived function over arrays of chunks; called as the module's, it returns what that does.

    Results with a row for each row are arrays of Dask, computed chunk by chunk when these are.
    """

    module: ModuleType
    of: Chunked
    rows: int | None
    at: Any
    progress: bool

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Compute it; raises ChunkError where a chunk cannot be computed."""
        inputs, whole = self._bound(arguments, named)
        work = _work(self.of, self.rows, inputs, whole)
        merged = self._computed(work, work.tree()) if self.of.merged else None
        if not self.of.rows:
            assert merged is not None
            return self.of.finish(merged)
        first = self._computed(work, work.part(work.numbers[0], rows=True))
        if merged is None:  # all is computed row by row, and the rest is the same for all
            merged = self.of.without_rows(first, work.cuts[-1])
        return with_leaves(self.of.finish(merged), work.row_results(merged, first))

    def __repr__(self) -> str:
        return f"<{self.of.name} over {self.of.over}: {', '.join(self.of.fields)}>"

    def _bound(
        self, arguments: Sequence[Any], named: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the arguments that have rows, and the others, by their names."""
        called = getattr(self.module, self.of.name)
        given = inspect.signature(called).bind(*arguments, **named).arguments
        inputs = {name: given.pop(name) for name in self.of.inputs}
        return inputs, dict(given)

    def _computed(self, work: _Work, task: Delayed) -> Part:
        at = self.at
        if at in LOCAL:
            with ExitStack() as stack:
                stack.enter_context(threadpool_limits(1, "blas"))
                if self.progress:
                    stack.enter_context(ProgressBar())
                (found,) = dask.compute(task, scheduler=at)
                return tuple(found)
        client = client_at(at)
        future = client.compute(task)
        if self.progress:
            progress(future, notebook=False)
        try:
            return tuple(future.result())
        except KilledWorker as why:
            raise ChunkError(
                f"{work.said_of(str(why.task))}: {why.allowed_failures + 1} workers died"
                " of it, as one without memory does: cut smaller chunks, or give them more"
            ) from why
        except NoWorkerError as why:
            raise ChunkError(f"{work.said_of(str(why.task))}: no worker is left") from why
        except (CommClosedError, CancelledError, OSError) as why:
            if client.status == "running":
                raise  # as it is
            raise ChunkError(
                f"`{self.of.name}`: the scheduler was lost while {len(work.numbers)} chunks were"
                " computed: begin again with what was kept last"
            ) from why


def function(
    module: ModuleType,
    name: str,
    *,
    rows: int | None = None,
    at: Any = None,
    progress: bool = False,
) -> Function:
    """Return a derived function of a module over arrays of chunks.

    module    with functions of chunks: `graphc.split("net.graph", "B").module()`
    rows      of a chunk; by default those of the first array of Dask
    at        a Client, the address of a scheduler, "threads", or "synchronous"; by default the
              client that there is, else workers on this machine
    progress  shows a bar

    Arrays with rows are of Dask, of NumPy, of Zarr, or paths of `.npy` and `.zarr` files, which
    each worker reads by itself. Raises TypeError where the module has no such function.
    """
    if rows is not None and rows < 1:
        raise ValueError(f"rows: a chunk has at least 1, found {rows}")
    return Function(module, chunked(module, name), rows, at, progress)


def client_at(at: Any = None) -> Client:
    """Return the client of a scheduler: itself, by its address, the present one, or a local one."""
    if isinstance(at, Client):
        return at
    if at is not None:
        return _connected(str(at))
    try:
        return default_client()
    except ValueError:
        return _embedded()


@cache
def _connected(address: str) -> Client:
    try:
        return Client(address, set_as_default=False)
    except (OSError, ValueError) as why:
        raise ChunkError(f"no scheduler answers at {address}: {why}") from None


@cache
def _embedded() -> Client:
    """Start workers on this machine, one thread each: Dask lets their BLAS have no more.

    One that does not come back is replaced.
    """
    with dask.config.set(LOCAL_CLUSTER):
        cluster = LocalCluster(threads_per_worker=1, dashboard_address=None)
    workers = len(cluster.worker_spec)
    cluster.adapt(minimum=workers, maximum=workers)
    return Client(cluster, set_as_default=False)


# ---- chunks -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Work:
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

    def said(self, number: int) -> str:
        """Name a chunk for messages."""
        start, stop = self.cuts[number : number + 2]
        what = f"rows {start} to {stop - 1}" if stop > start else "no rows"
        return f"`{self.of.name}`: chunk {number} ({what} of {self.of.over})"

    def said_of(self, key: str) -> str:
        """Name the chunk of a task by its key."""
        before, _, number = key.rpartition("-")
        is_chunk = before.endswith(self.token) and number.isdigit()
        return self.said(int(number)) if is_chunk else f"`{self.of.name}`: `{key}`"

    def part(self, number: int, rows: bool) -> Delayed:
        """Return the task of what a chunk contributes, with its own rows or without."""
        own = {name: blocks[number] for name, blocks in self.blocks.items()}
        key = f"{self.of.name}-{'rows' if rows else 'part'}-{self.token}-{number}"
        return delayed(_contribute, pure=False)(
            *self.shared, own, self.said(number), rows, dask_key_name=key
        )

    def tree(self) -> Delayed:
        """Return the task of what all chunks contribute, merged in one tree by their places."""
        parts = [self.part(number, rows=False) for number in self.numbers]
        while len(parts) > 1:
            groups = [parts[n : n + TOGETHER] for n in range(0, len(parts), TOGETHER)]
            parts = [delayed(_combine, pure=False)(self.shared[0], group) for group in groups]
        return parts[0]

    def row_results(self, merged: Part, first: Part) -> dict[tuple[Any, ...], Any]:
        """Return arrays of Dask of the results that have rows, by their place."""
        none = leaves(self.of.finish(merged))
        some = leaves(self.of.with_rows(merged, first))
        whole = delayed(merged, traverse=False)
        tasks = {
            number: delayed(_with_rows, pure=False)(
                self.shared[0], whole, self.part(number, rows=True)
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
) -> Part:
    _one_thread()
    part = of.contribute(said, {**whole, **own})
    return part if rows else of.without_rows(part)


def _combine(of: Chunked, parts: Sequence[Part]) -> Part:
    return of.combine(*parts)


def _with_rows(of: Chunked, whole: Part, part: Part) -> dict[tuple[Any, ...], Any]:
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


def _work(
    of: Chunked, rows: int | None, inputs: Mapping[str, Any], whole: Mapping[str, Any]
) -> _Work:
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
    work = _Work(of, cuts, token, shared, {})
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


def _blocks(work: _Work, name: str, array: Any) -> list[Any]:
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
            dask_key_name=f"{work.of.name}-{name}-{work.token}-{number}",
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
    try:
        return np.array(_taken(held, start, stop, axis))
    except Exception as why:
        raise ChunkError(f"{said} cannot be read: {type(why).__name__}: {why}") from why


def _taken(array: Any, start: int, stop: int, axis: int) -> Any:
    return np.asarray(array[(slice(None),) * axis + (slice(start, stop),)])
