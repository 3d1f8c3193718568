"""A Gaussian mixture whose data no worker holds, over one worker of Dask and over two.

    python -m benchmarks.chunks [ROWS]

The rows lie in a file, 400 bytes each, which is written first where it is not there; ROWS is 10⁷
where nothing is said. Each worker has a thread and 1 GB. Bits that differ are an error. What a
chunk costs beside its computation is measured of chunks of a row.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from benchmarks.processes import limit_threads

MIXTURE = """
dim B
dim D = 50
dim K = 20
input x: [B, D]
param mean: [K, D]
param log_scale: [K, D]
param weight: [K]
scale = exp(-log_scale)
z = einsum("b d, k d -> b k d", x, scale) - (mean * scale)[_, :, :]
fit = log_softmax(weight) - sum(log_scale, axis=1)
output loss = -mean(logsumexp(fit[_, :] - 0.5 * sum(z**2, axis=2), axis=1))
derive value_and_grad loss wrt params
"""
CHUNK = 50_000
SMALL = 500
"""Chunks of a row that tell what a chunk costs."""
WORKERS = (1, 2)
MEMORY = "1GB"


def written(rows: int) -> Path:
    """Return the file of so many rows, in the folder for what is temporary."""
    import numpy as np

    path = Path(gettempdir()) / f"graphc_rows_{rows}.npy"
    if not path.exists():
        data = np.lib.format.open_memmap(path, mode="w+", dtype="float64", shape=(rows, 50))
        rng = np.random.default_rng(0)
        for start in range(0, rows, CHUNK):
            data[start : start + CHUNK] = rng.normal(size=data[start : start + CHUNK].shape)
        data.flush()
    return path


@dataclass(frozen=True)
class Measured:
    """Seconds of a value and its gradients, of a chunk that has one row, and all bytes."""

    seconds: float
    of_a_chunk: float
    bits: bytes


def measured(workers: int, path: Path) -> Measured:
    """Compute a value and its gradients by so many workers."""
    import dask
    import numpy as np
    from distributed import Client, LocalCluster

    import graphc
    import graphc.dask

    net = graphc.split(graphc.compile_text(MIXTURE), "B").module()
    params = net.init(seed=0)
    alone: dict[str, Any] = {"threads_per_worker": 1, "memory_limit": MEMORY}
    with (
        dask.config.set(graphc.dask.LOCAL_CLUSTER),
        LocalCluster(n_workers=workers, dashboard_address=None, **alone) as cluster,
        Client(cluster) as client,
    ):
        function = graphc.dask.function(net, "value_and_grad_loss", rows=CHUNK, at=client)
        function(params, np.zeros((2 * workers * CHUNK, 50)))  # each worker reads the module
        before = time.perf_counter()
        value, gradients = function(params, path)
        taken = time.perf_counter() - before
        few = np.load(path, mmap_mode="r")[:SMALL]
        by_row = graphc.dask.function(net, "value_and_grad_loss", rows=1, at=client)
        before = time.perf_counter()
        by_row(params, few)
        of_a_chunk = (time.perf_counter() - before) / SMALL
    arrays = [value, *(gradients[name] for name in sorted(gradients))]
    return Measured(taken, of_a_chunk, b"".join(one.tobytes() for one in arrays))


def main(rows: int) -> None:
    limit_threads(1)
    path = written(rows)
    found = {workers: measured(workers, path) for workers in WORKERS}
    assert len({each.bits for each in found.values()}) == 1, "the bits depend on the workers"
    one, two = (each.seconds for each in found.values())
    print(f"{rows:,} rows: one worker {one:.1f} s, two {two:.1f} s: {one / two:.2f} times")
    for workers, each in found.items():
        print(f"a chunk of one row, {workers} at work: {each.of_a_chunk * 1e3:.1f} ms")


if __name__ == "__main__":
    main(int(float(sys.argv[1])) if len(sys.argv) > 1 else 10**7)
