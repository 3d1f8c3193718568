"""The harness measures, refuses what is wrong, and the contestants agree."""

from __future__ import annotations

import dataclasses
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import harness
from benchmarks.harness import Contestant, Disagreement, Effort, Workload
from benchmarks.processes import ROOT, alternate, python
from benchmarks.sources import GROWTH
from benchmarks.tables import Table, ratio, seconds, text
from benchmarks.workloads import GRADIENTS, WORKLOADS
from graphc.pipeline import compile_text

LITTLE = Effort(rounds=3, sample=0.0005, processes=0, sizes=1)
TOO_SLOW_TO_IMPORT = {"torch"}


def silent(line: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated modules of all workloads."""
    folder = tmp_path_factory.mktemp("modules")
    for workload in GRADIENTS.values():
        workload.build(folder)
    return folder


def available(workload: Workload) -> list[Contestant]:
    """The contestants that are quick to import."""
    return [c for c in workload.contestants if c.available() and c.needs not in TOO_SLOW_TO_IMPORT]


@pytest.mark.parametrize("name", GRADIENTS)
def test_contestants_agree(name: str, modules: Path) -> None:
    """Everyone computes the gradients of the reference, in the first case of each precision."""
    workload = GRADIENTS[name]
    first = {case.dtype: case for case in reversed(workload.cases(modules))}
    for case in first.values():
        runs = {one.name: one.prepare(case) for one in available(workload)}
        errors = harness.compare(runs, workload.reference(case), harness.TOLERANCE[case.dtype])
        assert errors.keys() == runs.keys()


@pytest.mark.parametrize("name", GRADIENTS)
def test_the_reference_is_the_derivative(name: str, modules: Path) -> None:
    """Along a random direction, the reference is what central differences give."""
    workload = GRADIENTS[name]
    case = workload.cases(modules)[0]
    rng = np.random.default_rng(1)
    along = {path: rng.normal(size=array.shape) for path, array in case.params.items()}

    def value(step: float) -> float:
        moved = {path: array + step * along[path] for path, array in case.params.items()}
        return float(workload.reference(dataclasses.replace(case, params=moved))[0])

    _, gradients = workload.reference(case)
    expected = sum(float(np.sum(gradients[path] * along[path])) for path in along)
    assert (value(1e-5) - value(-1e-5)) / 2e-5 == pytest.approx(expected, rel=1e-6)


def test_a_wrong_gradient_is_not_timed(modules: Path) -> None:
    """One part in a million too much in one gradient ends the measurement."""
    workload = GRADIENTS["digits"]
    honest = workload.contestants[1]
    timed = []

    def wrong(case: harness.Case) -> harness.Run:
        call = honest.prepare(case)

        def run() -> harness.Result:
            timed.append(case)
            value, gradients = call()
            path = next(iter(gradients))
            return value, {**gradients, path: gradients[path] * (1 + 1e-6)}

        return run

    cheating = dataclasses.replace(
        workload, contestants=(honest, Contestant("a cheat", wrong)), build=lambda folder: None
    )
    with pytest.raises(Disagreement, match=r"not timed: a cheat by 1\.0e-06"):
        harness.measure(cheating, modules, LITTLE, silent)
    assert len(timed) == 1  # for the comparison only


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"W": [1.0, np.nan]}, "not timed"),
        ({"W": [1.0]}, "shape"),
        ({"V": [1.0, 2.0]}, "gradients by"),
    ],
)
def test_what_else_is_refused(found: dict[str, Any], message: str) -> None:
    """No numbers, another shape, other names."""
    exact = (1.0, {"W": np.array([1.0, 2.0])})
    with pytest.raises(Disagreement, match=message):
        harness.compare({"one": lambda: (1.0, found)}, exact, 1e-9)


def test_measures(modules: Path) -> None:
    """A row for each contestant; the first is what the ratios refer to."""
    workload = GRADIENTS["digits"]
    small = dataclasses.replace(
        workload,
        contestants=workload.contestants[:2],
        cases=lambda folder: workload.cases(folder)[:1],
        build=lambda folder: None,
    )
    effort = dataclasses.replace(LITTLE, processes=1)
    (table,) = harness.measure(small, modules, effort, silent)
    first, second = table.rows
    assert first["ratio"] == 1
    assert first["fresh ratio"] == 1
    assert second["ratio"] == pytest.approx(second["median"] / first["median"], rel=0.9)
    assert second["quartiles"][0] <= second["median"] <= second["quartiles"][1]
    assert 5e6 < second["peak memory"] < 1e9
    assert len(table.cells()[0]) == len(table.columns)


def test_a_slower_run_takes_longer() -> None:
    """Ten times the work takes several times as long."""
    runs: dict[str, harness.Run] = {
        "once": lambda: (sum(range(1_000)), {}),
        "ten times": lambda: (sum(range(10_000)), {}),
    }
    timed = harness.interleaved(runs, LITTLE)
    assert timed["ten times"].median > 3 * timed["once"].median


def test_processes_alternate() -> None:
    """Each command is run in turn; what it prints is kept, and its failure is an error."""
    runs = alternate({"one": python("print(1)"), "two": python("print(2)")}, rounds=2)
    assert {name: one.output.strip() for name, one in runs.items()} == {"one": "1", "two": "2"}
    assert all(len(one.seconds) == 2 for one in runs.values())
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        alternate({"one": python("1 / 0")}, rounds=1)


@pytest.mark.parametrize("name", GROWTH)
def test_generated_sources_compile(name: str) -> None:
    """The sources that grow are graphs, and they grow."""
    source, sizes = GROWTH[name]
    three, six = (compile_text(source(n), name).text.count("\n") for n in (3, 6))
    assert three <= six  # a loop stays a loop
    assert list(sizes) == sorted(sizes)


def test_tables() -> None:
    """A cell that a row lacks is empty; numbers are rounded only when printed."""
    columns = {"who": text, "time": seconds, "ratio": ratio}
    table = Table("T", columns, [{"who": "a", "time": 0.0012345, "ratio": 1.0}, {"who": "b"}])
    assert "| a | 1.23 ms | 1.00× |" in table.markdown()
    assert table.cells()[1] == ["b", "", ""]
    assert table.data()["rows"][0]["time"] == 0.0012345


def test_threads_are_set_before_numpy() -> None:
    """Later it would have no effect, so it is refused."""
    processes = importlib.import_module("benchmarks.processes")
    with pytest.raises(RuntimeError, match="before NumPy"):
        processes.limit_threads(1)


def test_an_unknown_workload() -> None:
    """Is named, with those that there are."""
    command = [sys.executable, "-m", "benchmarks", "nothing"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert all(name in done.stdout for name in ("nothing", *WORKLOADS))
