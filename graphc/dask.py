"""The bridge to Dask: a derived function over arrays of chunks, by the functions of chunks.

The bits depend on how the rows are cut alone, not on how many workers there are, on which of them
computes what, and on who is lost meanwhile.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from types import ModuleType
from typing import Any

import dask
from dask.delayed import Delayed
from dask.diagnostics import ProgressBar
from distributed import Client, LocalCluster, default_client, progress
from distributed.client import ClosedClientError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker, NoWorkerError
from threadpoolctl import threadpool_limits

from graphc.bridges.chunked import Chunked, ChunkError, PartialResult, chunked, with_leaves
from graphc.bridges.tasks import Work, work_of
from graphc.records import dataclass

LOST = (CommClosedError, CancelledError, ClosedClientError)
"""What a client raises whose scheduler is there no more, or has begun anew."""
LOCAL = ("threads", "synchronous")
"""Schedulers of Dask without a cluster."""
LOCAL_CLUSTER = {
    "distributed.scheduler.no-workers-timeout": "60s",
    "distributed.scheduler.worker-saturation": 1.0,  # who dies had one chunk, and that is named
    "distributed.comm.timeouts.connect": "5s",  # here who does not answer is dead
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,  # what a chunk frees stays
}
"""Settings of workers on this machine."""


@dataclass(frozen=True, slots=True, repr=False)
class ChunkedFunction:
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
        work = work_of(self.of, self.rows, inputs, whole)
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

    def _computed(self, work: Work, task: Delayed) -> PartialResult:
        at = self.at
        if at in LOCAL:
            with ExitStack() as stack:
                stack.enter_context(threadpool_limits(1, "blas"))
                if self.progress:
                    stack.enter_context(ProgressBar())
                (found,) = dask.compute(task, scheduler=at)
                return tuple(found)
        try:
            client = client_at(at)
            future = client.compute(task)
            if self.progress:
                progress(future, notebook=False, scheduler=client.scheduler.address)
            return tuple(future.result())
        except KilledWorker as why:
            died = why.allowed_failures + 1
            raise ChunkError(
                f"{work.said_of(str(why.task))}: {died} worker{'s' * (died > 1)} died of it, as one"
                " without memory does: cut smaller chunks, or give them more"
            ) from why
        except NoWorkerError as why:
            raise ChunkError(f"{work.said(*work.ends)}: no worker is left") from why
        except LOST as why:
            raise ChunkError(
                f"{work.said(*work.ends)}: the scheduler was lost, and what it had of them:"
                " begin again with what was kept last"
            ) from why


def function(
    module: ModuleType,
    name: str,
    *,
    rows: int | None = None,
    at: Any = None,
    progress: bool = False,
) -> ChunkedFunction:
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
    return ChunkedFunction(module, chunked(module, name), rows, at, progress)


def client_at(at: Any = None) -> Client:
    """Return the client of a scheduler: itself, by its address, the present one, or a local one."""
    if isinstance(at, Client):
        return at
    if at is None:
        with suppress(ValueError):
            return default_client()
    address = "" if at is None else str(at)
    if address not in _CLIENTS or _CLIENTS[address].status == "closed":
        _CLIENTS[address] = _connected(address) if address else _embedded()
    return _CLIENTS[address]


_CLIENTS: dict[str, Client] = {}
"""Clients by the address of their scheduler, without one that of this machine."""


def _connected(address: str) -> Client:
    try:
        return Client(address, set_as_default=False)
    except (OSError, ValueError) as why:
        raise ChunkError(f"no scheduler answers at {address}: {why}") from None


def _embedded() -> Client:
    """Start workers on this machine, one thread each: Dask lets their BLAS have no more.

    One that does not come back is replaced.
    """
    with dask.config.set(LOCAL_CLUSTER):
        cluster = LocalCluster(threads_per_worker=1, dashboard_address="localhost:0")
    workers = len(cluster.worker_spec)
    cluster.adapt(minimum=workers, maximum=workers)
    return Client(cluster, set_as_default=False)
