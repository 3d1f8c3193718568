"""The bridge to Dask: functions over arrays of chunks against those of whole arrays."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster

import graphc
import graphc.dask
from graphc.bridges.chunked import ChunkError, leaves
from tests.test_split import assert_close

TEXT = """dim B
input x: [B, 3]
input label: int[B]
input scale
h = dense(x, 4, act=tanh)
output logits: [B, 3] = (dense(h, 3) as head) * scale
output loss = cross_entropy(logits, label)
output soft = logsumexp(logits[:, 0])
derive value_and_grad loss wrt params
derive value logits, soft
derive grad soft wrt h.W
derive grad loss wrt h.W per B
derive jacobian logits wrt h.b per B
derive value_and_grad loss wrt x as by_x
derive value_and_grad soft wrt x as soft_by_x
"""
ROWS = 50


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    graph = tmp_path_factory.mktemp("dask") / "net.graph"
    graph.write_text(TEXT)
    return graphc.split(graph, "B", level=0).module()


@pytest.fixture(scope="module")
def given(net: ModuleType) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    return {
        "params": net.init(seed=1),
        "x": rng.normal(size=(ROWS, 3)),
        "label": rng.integers(0, 3, ROWS),
        "scale": 1.5,
    }


def computed(result: Any) -> Any:
    """What a function over chunks returns, with its arrays of Dask computed."""
    (found,) = dask.compute(result, scheduler="synchronous")
    return found


# ---- values, gradients, Jacobian rows, results by example ----------------------------------------


@pytest.mark.parametrize("function", ["value_and_grad_loss", "grad_soft", "soft_by_x"])
def test_what_is_merged(net: ModuleType, given: dict[str, Any], function: str) -> None:
    over = graphc.dask.function(net, function, rows=7, at="synchronous")
    assert_close(over(**given), getattr(net, function)(**given), 1e-13)


@pytest.mark.parametrize("function", ["value_logits_soft", "grad_loss", "jacobian_logits", "by_x"])
@pytest.mark.parametrize("chunks", [(ROWS,), (20, 0, 1, 29), (0, ROWS)])
def test_what_has_rows_is_an_array_of_dask(
    net: ModuleType, given: dict[str, Any], function: str, chunks: tuple[int, ...]
) -> None:
    x = da.from_array(given["x"], chunks=(chunks, 2))
    over = graphc.dask.function(net, function, at="threads")
    found = over(**{**given, "x": x, "label": da.from_array(given["label"], chunks=11)})
    (first, *_) = [one for one in leaves(found).values() if isinstance(one, da.Array)]
    assert first.chunks[0] == tuple(n for n in chunks if n)
    assert_close(computed(found), getattr(net, function)(**given), 1e-13)


def test_no_rows_at_all(net: ModuleType, given: dict[str, Any]) -> None:
    none = {**given, "x": given["x"][:0], "label": given["label"][:0]}
    over = graphc.dask.function(net, "value_logits_soft", rows=7, at="synchronous")
    with np.errstate(divide="ignore"):
        found = computed(over(**none))
    assert found.logits.shape == (0, 3)
    assert found.soft == -np.inf


def test_files_are_read_by_chunks(net: ModuleType, given: dict[str, Any], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", given["x"])
    np.save(tmp_path / "label.npy", given["label"])
    over = graphc.dask.function(net, "value_and_grad_loss", rows=8, at="threads")
    in_memory = over(**given)
    files = {"x": tmp_path / "x.npy", "label": str(tmp_path / "label.npy")}
    np.save(tmp_path / "more.npy", np.concatenate([np.zeros((4, 3)), given["x"], np.ones((2, 3))]))
    part = np.load(tmp_path / "more.npy", mmap_mode="r")[4:][:ROWS]
    mapped = {"label": np.load(tmp_path / "label.npy", mmap_mode="r"), "x": part}
    for held in (files, files | mapped):
        loss, grads = over(**{**given, **held})
        assert loss.tobytes() == in_memory[0].tobytes()
        assert all(grads[path].tobytes() == in_memory[1][path].tobytes() for path in grads)


def test_zarr_is_read_by_chunks(net: ModuleType, given: dict[str, Any], tmp_path: Path) -> None:
    path = str(tmp_path / "x.zarr")
    held = zarr.open_array(path, mode="w", shape=(ROWS, 3), chunks=(9, 3), dtype="f8")
    held[:] = given["x"]
    over = graphc.dask.function(net, "value_and_grad_loss", rows=8, at="threads")
    for x in (path, zarr.open_array(path, mode="r")):
        assert over(**{**given, "x": x})[0].tobytes() == over(**given)[0].tobytes()


# ---- errors -------------------------------------------------------------------------------------


def test_a_poisoned_chunk_is_named(net: ModuleType, given: dict[str, Any]) -> None:
    label = given["label"].copy()
    label[33] = 7
    over = graphc.dask.function(net, "value_and_grad_loss", rows=10, at="threads")
    said = (
        r"`value_and_grad_loss`: chunk 3 \(rows 30 to 39 of B\): IndexError: input `label` holds 7"
    )
    with pytest.raises(ChunkError, match=said):
        over(**{**given, "label": label})


def test_a_chunk_that_cannot_be_read_is_named(
    net: ModuleType, given: dict[str, Any], tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", given["x"])
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    (tmp_path / "x.npy").unlink()
    over = graphc.dask.function(net, "value_and_grad_loss", rows=60, at="threads")
    said = r"chunk 0 \(rows 0 to 49 of B\): `x` cannot be read: FileNotFoundError: "
    with pytest.raises(ChunkError, match=said):
        over(**{**given, "x": x})


def test_what_does_not_fit_is_told_before_anything_is_sent(
    net: ModuleType, given: dict[str, Any], tmp_path: Path
) -> None:
    over = graphc.dask.function(net, "value_and_grad_loss", rows=10, at="synchronous")
    with pytest.raises(ValueError, match="`label` has 49 rows of B, `x` has 50"):
        over(**{**given, "label": given["label"][1:]})
    with pytest.raises(TypeError, match="missing a required argument: 'label'"):
        over(given["params"], given["x"])
    with pytest.raises(ValueError, match="say how many `rows`"):
        graphc.dask.function(net, "value_and_grad_loss", at="threads")(**given)
    with pytest.raises(ValueError, match="rows: a chunk has at least 1"):
        graphc.dask.function(net, "value_and_grad_loss", rows=0)
    with pytest.raises(TypeError, match="no function `loss` of chunks: value_and_grad_loss, "):
        graphc.dask.function(net, "loss")
    x = da.from_array(given["x"], chunks=(10, 3))
    with pytest.raises(ValueError, match=r"`x` has chunks of unknown sizes: .*compute_chunk_sizes"):
        over(**{**given, "x": x[x[:, 0] > 0]})
    (tmp_path / "plain.graph").write_text(TEXT)
    with pytest.raises(TypeError, match=r"plain has no functions of chunks: `graphc\.split"):
        graphc.dask.function(graphc.load(tmp_path / "plain.graph"), "value_and_grad_loss")


def test_a_graph_whose_inputs_have_no_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "flat.graph").write_text("dim B\noutput y = sum(ones([B]))\nderive value y\n")
    net = graphc.split(tmp_path / "flat.graph", "B").module()
    with pytest.raises(TypeError, match="no input of flat has rows of B"):
        graphc.dask.function(net, "value_y")


# ---- workers ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    settings = {**graphc.dask.LOCAL_CLUSTER, "distributed.scheduler.allowed-failures": 2}
    with dask.config.set({**settings, "distributed.comm.timeouts.connect": "2s"}):
        cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
        cluster.adapt(minimum=2, maximum=2)
        found = Client(cluster, set_as_default=False)
        yield found
        with suppress(Exception):  # it looks for workers that were killed when it closes
            found.close()
            cluster.close()


def descend(net: ModuleType, given: dict[str, Any], at: Any, kills: int, steps: int) -> list[bytes]:
    """Losses and parameters of gradient descent, while so many workers are killed."""
    over = graphc.dask.function(net, "value_and_grad_loss", rows=6, at=at)
    params, kept = given["params"], []
    for step in range(steps):
        if step < kills:
            at.wait_for_workers(2)
            _kill(at, step)
        loss, grads = over(**{**given, "params": params})
        params = {path: value - 0.3 * grads[path] for path, value in params.items()}
        kept.append(loss.tobytes() + b"".join(value.tobytes() for value in params.values()))
    return kept


def _kill(client: Client, step: int) -> None:
    """Kill one of the workers; another takes its place."""
    known = client.cluster.scheduler.workers
    nannies = [*client.cluster.workers.values()]
    pids = [nanny.pid for nanny in nannies if nanny.worker_address in known and nanny.pid]
    os.kill(pids[step % len(pids)], signal.SIGKILL)


@pytest.mark.filterwarnings("ignore")
def test_a_killed_worker_costs_its_chunk(
    net: ModuleType, given: dict[str, Any], client: Client
) -> None:
    expected = descend(net, given, "synchronous", kills=0, steps=3)
    assert descend(net, given, "threads", kills=0, steps=3) == expected
    assert descend(net, given, client, kills=1, steps=3) == expected


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_fifty_killed_workers_change_no_bit(
    net: ModuleType, given: dict[str, Any], client: Client
) -> None:
    expected = descend(net, given, "synchronous", kills=0, steps=60)
    assert descend(net, given, client, kills=50, steps=60) == expected


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_a_chunk_that_kills_its_workers_is_named(
    net: ModuleType, given: dict[str, Any], client: Client
) -> None:
    class Deadly:
        """An array that ends the process of who reads its second chunk of ten rows."""

        shape = given["x"].shape

        def __getitem__(self, place: Any) -> Any:
            if place[0].start == 10:
                os._exit(1)
            return np.zeros((10, 3))

    over = graphc.dask.function(net, "value_and_grad_loss", rows=10, at=client)
    said = r"chunk 1 \(rows 10 to 19 of B\): 3 workers died of it"
    with pytest.raises(ChunkError, match=said):
        over(**{**given, "x": Deadly()})


def test_progress_is_shown(
    net: ModuleType, given: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    over = graphc.dask.function(net, "value_and_grad_loss", rows=9, at="threads", progress=True)
    over(**given)
    assert "100% Completed" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_the_workers_of_this_machine_are_there_by_themselves(
    net: ModuleType, given: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """And so is the bar: they are no client that Dask would take by itself."""
    over = graphc.dask.function(net, "value_and_grad_loss", rows=9, progress=True)
    again = graphc.dask.function(net, "value_and_grad_loss", rows=9, at="threads")
    assert over(**given)[0].tobytes() == again(**given)[0].tobytes()
    assert "Completed" in capsys.readouterr().out
    graphc.dask.client_at().cluster.close()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_a_lost_scheduler_ends_with_what_to_do(net: ModuleType, given: dict[str, Any]) -> None:
    with pytest.raises(ChunkError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"):
        graphc.dask.function(net, "value_and_grad_loss", rows=9, at="tcp://127.0.0.1:9")(**given)
