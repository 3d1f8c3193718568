"""The harness measures, refuses what is wrong, and the contestants agree."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import long

from benchmarks import generated, harness, picture, rules
from benchmarks.harness import Case, Contestant, Disagreement, Effort, Workload
from benchmarks.processes import ROOT, Failed, alternate, python
from benchmarks.sources import GROWTH
from benchmarks.tables import Table, ratio, seconds, text
from benchmarks.workloads import GRADIENTS, WORKLOADS
from graphc.cli.app import app
from graphc.compile.stages import Options, compile_file, compile_text, load
from graphc.syntax.format.formatter import format_source
from graphc.syntax.parse.parser import read_source

LITTLE = Effort(rounds=3, sample=0.0005, processes=0, sizes=1)
TOO_SLOW_TO_IMPORT = {"torch"}


def silent(line: str) -> None:
    """Say nothing."""


def compiled_here(command: Sequence[str]) -> str:
    """`python -m graphc …` without a new process: the tests want many modules."""
    assert command[1:3] == ["-m", "graphc"]
    done = CliRunner().invoke(app, list(command[3:]))
    if done.exit_code:
        raise Failed(done.output)
    return done.output


COMPILED = {"a", "digits"}
"""Workloads whose C is compiled here, which takes seconds for each."""
SAMPLED = {"a", "hessian"}
"""Workloads whose contestants from libraries, and in both precisions, are always run."""


class Small:
    """The small cases of the workloads, by their names and precisions; modules compiled once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: dict[tuple[str, str], Sequence[Case]] = {}

    def __call__(self, name: str, dtype: str = "float64") -> Sequence[Case]:
        if (name, dtype) not in self.found:
            workload = GRADIENTS[name]
            cases = [one for one in workload.small(self.folder) if one.dtype == dtype]
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("CFLAGS", "-O0")  # soon compiled; how fast they are is not asked here
                patch.setattr(generated, "run", compiled_here)
                if name not in COMPILED:
                    rest = {
                        way: how for way, how in generated.LEVELS.items() if way not in ("C", "JAX")
                    }
                    patch.setattr(generated, "LEVELS", rest)
                workload.build(cases)
            self.found[name, dtype] = cases
        return self.found[name, dtype]


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return Small(tmp_path_factory.mktemp("modules"))


def present(workload: Workload, case: Case) -> list[Contestant]:
    """The contestants of a case that are quick to import, and to compile; no bounds."""
    return [
        one
        for one in workload.contestants
        if not one.missing(case)
        and not one.bound
        and one.needs not in TOO_SLOW_TO_IMPORT
        and (case.dtype == "float64" or one.needs is None)
    ]


def compare(workload: Workload, case: Case, contestants: Sequence[Contestant]) -> None:
    """All of them compute the derivatives of the reference."""
    runs = {one.name: one.prepare(case) for one in contestants}
    reference = harness.exact(workload, case)
    assert harness.compare(runs, reference, case).keys() == runs.keys()
    harness.compare(runs, reference, case)  # again: nothing of the first is left in its arrays


@pytest.mark.parametrize("name", GRADIENTS)
def test_contestants_agree(name: str, small: Small) -> None:
    """Those that need nothing but NumPy."""
    for case in small(name):
        contestants = present(GRADIENTS[name], case)
        compare(GRADIENTS[name], case, [one for one in contestants if one.needs is None])


@pytest.mark.parametrize("dtype", harness.DTYPES)
@pytest.mark.parametrize("name", [one if one in SAMPLED else long(one) for one in GRADIENTS])
def test_all_contestants_agree(name: str, dtype: str, small: Small) -> None:
    """Libraries in float64, graphc in both precisions."""
    for case in small(name, dtype):
        compare(GRADIENTS[name], case, present(GRADIENTS[name], case))


MATRICES = {"i", "jacobian", "jacobian-batch", "per-example", "hessian"}
"""Workloads that ask for more than the gradient of a scalar: they are compared with JAX."""


@pytest.mark.parametrize("name", [name for name in GRADIENTS if name not in MATRICES])
def test_the_reference_is_the_derivative(name: str, small: Small) -> None:
    """Along a random direction, the reference is what central differences give."""
    workload = GRADIENTS[name]
    case = small(name)[0]
    value, gradients = harness.exact(workload, case)
    shapes = {path: array.shape for path, array in case.params.items()}
    assert not np.ndim(value)
    assert {path: np.shape(g) for path, g in gradients.items()} == shapes
    rng = np.random.default_rng(1)
    along = {path: rng.normal(size=shape) for path, shape in shapes.items()}

    def moved(step: float) -> float:
        params = {path: array + step * along[path] for path, array in case.params.items()}
        return float(harness.exact(workload, dataclasses.replace(case, params=params))[0])

    expected = sum(float(np.sum(gradients[path] * along[path])) for path in along)
    assert (moved(1e-6) - moved(-1e-6)) / 2e-6 == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("path", sorted(generated.WORKLOADS.glob("*.graph")), ids=lambda p: p.stem)
def test_graphs_are_canonical(path: Path) -> None:
    """As `graphc fmt` writes them; and each belongs to a workload."""
    source = read_source(str(path), path.read_bytes())
    assert format_source(source) == source.text
    used = [one.build.args[0].path for one in GRADIENTS.values()]  # type: ignore[attr-defined]
    assert path in used


def test_a_wrong_gradient_is_not_timed(small: Small) -> None:
    """One part in a million too much in one gradient ends the measurement."""
    workload = GRADIENTS["digits"]
    cases = small("digits")[:1]
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
        workload,
        contestants=(honest, Contestant("a cheat", wrong)),
        cases=lambda folder: cases,
        build=lambda cases: None,
    )
    with pytest.raises(Disagreement, match=r"not timed: a cheat by 1\.0e-06"):
        harness.measure(cheating, cases[0].modules, LITTLE, silent)
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
    case = Case("one", "float64", {}, {}, Path())
    with pytest.raises(Disagreement, match=message):
        harness.compare({"one": lambda: (1.0, found)}, exact, case)


def test_measures(small: Small, tmp_path: Path) -> None:
    """A row for each contestant; the first is what the ratios refer to; who is missing is named."""
    workload = GRADIENTS["digits"]
    cases = workload.cases(small("digits")[0].modules)  # a new process finds these by name
    absent = (
        Contestant("nobody", workload.reference, needs="nothing_of_that_name"),
        Contestant("one precision", workload.reference, dtypes=("float32",)),
    )
    little = dataclasses.replace(
        workload,
        contestants=(*workload.contestants[:2], *absent),
        cases=lambda folder: cases[:1],
        build=lambda cases: None,
    )
    effort = dataclasses.replace(LITTLE, processes=1)
    (table,) = harness.measure(little, cases[0].modules, effort, silent)
    first, second = table.rows
    assert first["ratio"] == 1
    assert first["fresh ratio"] == 1
    assert second["ratio"] == pytest.approx(second["median"] / first["median"], rel=0.9)
    assert second["quartiles"][0] <= second["median"] <= second["quartiles"][1]
    assert 5e6 < second["peak memory"] < 1e9
    assert len(table.cells()[0]) == len(table.columns)
    assert table.note == (
        "Not measured: nobody (nothing_of_that_name is not installed); one precision (float32 only)"
    )
    path = tmp_path / "picture.svg"
    assert picture.draw([table], path)
    assert "<svg" in path.read_text(encoding="utf-8")
    assert not picture.draw([], path)


def multiply_adds(call: harness.Run) -> int:
    """Those of the products that a bound takes."""
    products = inspect.getclosurevars(call).nonlocals["products"]
    return sum(left.shape[-1] * out.size for left, _, out in products)


@pytest.mark.parametrize("name", ["b", "c", "h"])
def test_bounds_take_the_products_of_the_module(name: str, small: Small) -> None:
    """No more multiply-adds than the module has, and most of them at a usual size."""
    workload = GRADIENTS[name]
    (bound,) = [one for one in workload.contestants if one.bound]
    for case in (small(name)[0], workload.cases(small(name)[0].modules)[0]):
        call = bound.prepare(case)
        assert call() == (0.0, {})
        sizes = dict(zip("BT", case.inputs["x"].shape, strict=False))
        source = workload.build.args[0].path  # type: ignore[attr-defined]
        made = compile_file(source, Options(dims=dict(case.dims)))
        listed = load(made.text, name).GRAPH["multiply_adds"]["value_and_grad_loss"]
        counted = eval(str(listed), {}, sizes)
        assert multiply_adds(call) < counted
    assert multiply_adds(call) > 0.9 * counted


def test_a_bound_is_timed_and_not_compared(small: Small) -> None:
    workload = GRADIENTS["digits"]
    cases = small("digits")[:1]
    part = Contestant("a part", lambda case: lambda: (0.0, {}), bound=True)
    few = dataclasses.replace(
        workload,
        contestants=(workload.contestants[0], part),
        cases=lambda folder: cases,
        build=lambda cases: None,
    )
    (table,) = harness.measure(few, cases[0].modules, LITTLE, silent)
    first, second = table.rows
    assert (first["contestant"], second["contestant"]) == ("graphc -O2", "a part (a bound)")
    assert second["ratio"] < 1
    assert table.cells()[1][-1] == ""  # no error


def test_a_clause_that_cannot_be_derived_yet_leaves_no_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its contestant is missing; any other error of the compiler is one here too."""
    case = Case("one", "float64", {}, {}, tmp_path)
    graphc, *_ = generated.graphc(source := generated.Source(tmp_path / "some.graph"), "grad_loss")

    def refused(code: str) -> Callable[[Sequence[str]], str]:
        def run(command: Sequence[str]) -> str:
            raise Failed(f"error[{code}]: this version of graphc does not derive `it`")

        return run

    monkeypatch.setattr(generated, "run", refused("E500"))
    generated.build(source, [case])
    assert graphc.missing(case) == "graphc does not derive this yet"
    monkeypatch.setattr(generated, "run", refused("E501"))
    with pytest.raises(Failed, match="E501"):
        generated.build(source, [case])


def test_a_slower_run_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that what is run moves on itself: ten times the work takes ten times as long."""
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0], process_time=lambda: now[0] / 2)
    monkeypatch.setattr(harness, "time", clock)

    def run_for(seconds: float) -> harness.Run:
        def run() -> harness.Result:
            now[0] += seconds
            return 0.0, {}

        return run

    timed = harness.interleaved({"once": run_for(1e-5), "ten times": run_for(1e-4)}, LITTLE)
    assert timed["ten times"].median == pytest.approx(1e-4)
    assert timed["once"].median == pytest.approx(1e-5)
    assert timed["once"].processor == pytest.approx([5e-6] * LITTLE.rounds)


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


@pytest.mark.parametrize("name", rules.CASES)
def test_a_measured_rule_applies(name: str) -> None:
    """With the rule another module is written than without it, and afterwards as before."""
    whole = rules.text(name, rules.SIZES[-1])
    with rules.without(name):
        assert rules.text(name, rules.SIZES[-1]) != whole
    assert rules.text(name, rules.SIZES[-1]) == whole


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


def test_importing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The generated module imports NumPy, which is most of what it costs."""
    startup = importlib.import_module("benchmarks.workloads.startup")
    monkeypatch.setattr(startup, "LIBRARIES", ())
    monkeypatch.setattr(generated, "run", compiled_here)
    monkeypatch.setattr(generated, "LEVELS", {"-O2": generated.LEVELS["-O2"]})
    (table,) = startup.measure(tmp_path, harness.QUICK, lambda line: None)
    peak = {row["process"]: row["peak memory"] for row in table.rows}
    assert list(peak) == ["import digits", "import numpy", "nothing"]
    assert peak["nothing"] < peak["import numpy"] < 1.2 * peak["import digits"]
    assert all(row["median"] > 0 for row in table.rows)
