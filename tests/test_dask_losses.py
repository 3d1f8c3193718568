"""What is lost while chunks are computed: memory, disks, schedulers. Errors name the chunks, and
what was kept last goes on to the same bits."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster
from distributed.scheduler import NoWorkerError

import graphc
import graphc.dask
from graphc.api import cache
from graphc.bridges import chunked
from graphc.bridges.chunked import Chunked, ChunkError
from tests.patience import PATIENCE

TEXT = """dim B, N
input x: [B, 3]
param w: [3]
output loss = mean(tanh(x @ w)**2) + 0.01 * sum(w**2)
output spread = sum(tanh(x @ w)) + sum(cos(arange(N) * w[0]))
derive value_and_grad loss wrt params
derive value spread
"""
ROWS = 65
TESTS = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    graph = tmp_path_factory.mktemp("losses") / "net.graph"
    graph.write_text(TEXT)
    return graphc.split(graph, "B", level=0).module()


PARAMS = {"w": np.array([0.3, -1.0, 0.5])}
X = np.random.default_rng(3).normal(size=(ROWS, 3))


def told(call: Callable[[], Any]) -> str:
    with pytest.raises(ChunkError) as raised:
        call()
    return str(raised.value)


def full(*given: Any, **named: Any) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_neighbours_are_merged_as_the_module_merges_them(net: ModuleType) -> None:
    """Of 65 chunks the last is alone in two rounds of eight."""
    over = graphc.dask.function(net, "value_and_grad_loss", rows=1, at="synchronous")
    parts = [net.partial_value_and_grad_loss(PARAMS, X[n : n + 1], N=2) for n in range(ROWS)]
    expected = net.finish_value_and_grad_loss(net.combine_value_and_grad_loss(*parts))
    found = over(PARAMS, X, N=2)
    assert found[0].tobytes() == expected[0].tobytes()
    assert found[1]["w"].tobytes() == expected[1]["w"].tobytes()


def test_a_chunk_without_memory_is_named(net: ModuleType) -> None:
    over = graphc.dask.function(net, "value_spread", rows=40, at="synchronous")
    said = told(lambda: over(PARAMS, X, N=10**15))  # 8 PB
    assert said.startswith("`value_spread`: chunk ")
    assert "MemoryError: Unable to allocate" in said


def test_a_worker_whose_disk_is_full_names_its_chunk(
    net: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = graphc.dask.function(net, "value_and_grad_loss", rows=40, at="synchronous")
    monkeypatch.setattr(chunked, "_LOADED", {})  # as in a worker that is new
    monkeypatch.setattr(cache, "keep", full)
    said = told(lambda: over(PARAMS, X, N=2))
    assert said.endswith("of B): OSError: [Errno 28] No space left on device")
    assert said.startswith("`value_and_grad_loss`: chunk ")


def test_what_fails_when_chunks_are_merged_names_them(
    net: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = graphc.dask.function(net, "value_and_grad_loss", rows=10, at="synchronous")
    monkeypatch.setattr(Chunked, "combine", full)
    assert told(lambda: over(PARAMS, X, N=2)) == (
        "`value_and_grad_loss`: chunks 0 to 6 (rows 0 to 64 of B): OSError: [Errno 28]"
        " No space left on device"
    )


@pytest.mark.parametrize(
    ("why", "what"),
    [
        (
            CancelledError(),
            "the scheduler was lost, and what it had of them: begin again with what was kept last",
        ),
        (NoWorkerError("dict-0", 5), "no worker is left"),
    ],
)
def test_what_all_chunks_are_lost_with_names_them(
    net: ModuleType, monkeypatch: pytest.MonkeyPatch, why: Exception, what: str
) -> None:
    def result() -> NoReturn:
        raise why

    gone = SimpleNamespace(compute=lambda task: SimpleNamespace(result=result))
    monkeypatch.setattr(graphc.dask, "client_at", lambda at: gone)
    over = graphc.dask.function(net, "value_and_grad_loss", rows=10)
    assert told(lambda: over(PARAMS, X, N=2)) == (
        f"`value_and_grad_loss`: chunks 0 to 6 (rows 0 to 64 of B): {what}"
    )


def test_a_scheduler_that_is_there_again_is_connected_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []

    def connected(address: str) -> Any:
        made.append(SimpleNamespace(status="running", address=address))
        return made[-1]

    monkeypatch.setattr(graphc.dask, "_connected", connected)
    monkeypatch.setattr(graphc.dask, "_CLIENTS", {})
    first = graphc.dask.client_at("tcp://there:1")
    assert graphc.dask.client_at("tcp://there:1") is first
    first.status = "closed"
    assert graphc.dask.client_at("tcp://there:1") is made[1]
    assert len(made) == 2


# ---- processes that die -------------------------------------------------------------------------


def descend(at: Any, net: ModuleType, x: Any, place: Path, until: int) -> list[bytes]:
    """Losses and parameters of a descent that is kept after each step, and goes on from there."""
    over = graphc.dask.function(net, "value_and_grad_loss", rows=8, at=at)
    found = dict(np.load(place)) if place.exists() else {"w": PARAMS["w"], "losses": np.zeros(0)}
    while len(found["losses"]) < until:
        loss, grads = over({"w": found["w"]}, x, N=2)
        found = {"w": found["w"] - 0.3 * grads["w"], "losses": np.append(found["losses"], loss)}
        np.savez(place, **found)
    return [found["w"].tobytes(), found["losses"].tobytes()]


class Watched:
    """Rows that another thread is told of when they are read the so-manieth time."""

    shape = X.shape

    def __init__(self, place: Path, reads: int) -> None:
        self.place, self.reads = place, reads

    def __getitem__(self, items: Any) -> Any:
        with self.place.open("ab") as file:
            file.write(b".")
        if self.place.stat().st_size == self.reads:
            threading.Event().wait(PATIENCE)  # until the process is ended
        return X[items]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_dies_in_mid_run_costs_one_step(net: ModuleType, tmp_path: Path) -> None:
    """It is killed while a worker reads a chunk of the third step; another is begun there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    tools = Path(sys.executable).parent / "dask"

    def begin(*words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [tools, *words, "--no-dashboard"], stderr=subprocess.DEVNULL, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"},
        )  # fmt: skip

    def start() -> list[subprocess.Popen[bytes]]:
        scheduler = begin("scheduler", "--host", "127.0.0.1", "--port", str(port))
        return [scheduler, begin("worker", address, "--nthreads", "1", "--no-nanny")]

    expected = descend("synchronous", net, X, tmp_path / "undisturbed.npz", 5)
    reads = tmp_path / "reads"
    running = start()

    def kill() -> None:
        while not reads.exists() or reads.stat().st_size < 22:  # nine chunks a step
            threading.Event().wait(0.05)
        running[0].kill()

    killer = threading.Thread(target=kill)
    try:
        with Client(address, set_as_default=False, timeout=PATIENCE) as waiting:
            waiting.wait_for_workers(1, timeout=PATIENCE)
        killer.start()
        place = tmp_path / "kept.npz"
        with dask.config.set({"distributed.comm.timeouts.connect": "2s"}):
            said = told(lambda: descend(address, net, Watched(reads, 22), place, 5))
        assert "chunks 0 to 8 (rows 0 to 64 of B): the scheduler was lost" in said
        assert len(np.load(place)["losses"]) == 2
        for one in running:
            one.kill()
            one.wait()
        killer.join()
        graphc.dask.client_at(address).close()
        running[:] = start()
        with Client(address, set_as_default=False, timeout=PATIENCE) as waiting:
            waiting.wait_for_workers(1, timeout=PATIENCE)
        assert descend(address, net, X, place, 5) == expected
    finally:
        graphc.dask.client_at(address).close()
        for one in running:
            one.kill()
            one.wait()


@pytest.fixture
def small_workers() -> Iterator[Client]:
    """A worker that is ended when it has 400 MB, and at once."""
    settings = {
        **graphc.dask.LOCAL_CLUSTER,
        "distributed.scheduler.allowed-failures": 0,
        "distributed.worker.memory.monitor-interval": "10ms",
        "distributed.worker.memory.terminate": 0.9,
        "distributed.worker.memory.pause": False,
    }
    with dask.config.set(settings):
        cluster = LocalCluster(
            n_workers=1, threads_per_worker=1, memory_limit="400MB", dashboard_address=None
        )
        found = Client(cluster, set_as_default=False)
        yield found
        with suppress(Exception):
            found.close()
            cluster.close()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_is_out_of_memory_is_told_with_its_chunk(
    net: ModuleType, small_workers: Client
) -> None:
    """One chunk takes twice of what the worker has, and no other is blamed; without it there are
    the same bits as ever."""

    class Growing:
        shape = X.shape

        def __getitem__(self, items: Any) -> Any:
            if items[0].start == 40:
                self.held = np.ones(10**8)  # 800 MB
                threading.Event().wait(PATIENCE)
            return X[items]

    over = graphc.dask.function(net, "value_and_grad_loss", rows=5, at=small_workers)
    said = told(lambda: over(PARAMS, Growing(), N=2))
    assert "chunk 8 (rows 40 to 44 of B): 1 worker died of it, as one without memory does" in said
    alone = graphc.dask.function(net, "value_and_grad_loss", rows=5, at="synchronous")
    assert over(PARAMS, X, N=2)[0].tobytes() == alone(PARAMS, X, N=2)[0].tobytes()
