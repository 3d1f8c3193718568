"""What tiles buy: the fast module of each workload with them and without.

    python -m benchmarks.tiles [WORKLOAD ...]

Measured is the processor time of one thread, the least of many runs by turns. A workload that is
left out has no tiles: the cost model expects less than a tenth.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.processes import limit_threads

if TYPE_CHECKING:  # these import NumPy, which reads the number of threads then
    from benchmarks.generated import Source
    from benchmarks.harness import Case, Workload

RUNS = 12
SECONDS = 0.03  # that a run takes, or more


@contextmanager
def without_tiles() -> Iterator[None]:
    """Inside, the NumPy target plans none."""
    from graphc.compile import options
    from graphc.records import replace
    from graphc.targets.numpy.target import NUMPY

    stages = tuple(stage for stage in NUMPY.stages if stage.__name__ != "in_blocks")
    options.TARGETS[NUMPY.name] = replace(NUMPY, stages=stages)
    try:
        yield
    finally:
        options.TARGETS[NUMPY.name] = NUMPY


def text(source: Source, case: Case) -> str:
    from graphc.compile.stages import Options, compile_file

    options = Options(
        level="-O2", dims=dict(case.dims), dtype=case.dtype, derive=source.derive
    )  # fmt: skip
    return compile_file(source.path, options).text


def measured(workload: Workload, case: Case) -> tuple[float, float] | None:
    """Seconds with tiles and without; None where the module has none."""
    from benchmarks.generated import arguments
    from graphc.compile.stages import load

    fast = next(one for one in workload.contestants if one.name == "graphc -O2")
    build, prepare = workload.build, fast.prepare
    assert isinstance(build, partial)
    assert isinstance(prepare, partial)
    (source,) = build.args
    names: Sequence[str] = prepare.keywords["functions"]
    tiled = text(source, case)
    with without_tiles():
        plain = text(source, case)
    if tiled == plain:
        return None
    runs: list[Callable[[], object]] = []
    for module in (load(tiled, "tiled"), load(plain, "plain")):
        calls = [partial(getattr(module, one), *arguments(module, case)) for one in names]
        runs.append(partial(call_each, calls))
    number = max(1, int(SECONDS / max(seconds(runs[1], 2), 1e-6)))
    pairs = [[seconds(one, number) for one in runs] for _ in range(RUNS)]
    return min(one for one, _ in pairs), min(other for _, other in pairs)


def call_each(calls: Sequence[Callable[[], object]]) -> None:
    for call in calls:
        call()


def seconds(run: Callable[[], object], number: int) -> float:
    before = time.process_time()
    for _ in range(number):
        run()
    return (time.process_time() - before) / number


def main(names: Sequence[str]) -> None:
    limit_threads(1)
    from benchmarks.workloads import GRADIENTS

    print(f"{'':52}{'with':>12}{'without':>12}{'gain':>8}")
    with TemporaryDirectory() as folder:
        for name in names or GRADIENTS:
            for case in GRADIENTS[name].cases(Path(folder)):
                found = measured(GRADIENTS[name], case)
                if found is not None:
                    one, other = (1e6 * each for each in found)
                    line = f"{name:16}{case.name:36}{one:9.0f} us{other:9.0f} us"
                    print(f"{line}{other / one:8.2f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
