"""Contestants that compute one value and its gradients: compared first, timed after that.

Two ways of timing, because a warm allocator flatters code that allocates: in turn in one process,
and each in new processes of its own, alternating.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes import peak_memory, quartiles, run
from benchmarks.tables import Format, Table, between, megabytes, power, ratio, seconds, text

Result = tuple[Any, Mapping[str, Any]]  # the value, and its gradients by path
Run = Callable[[], Result]
Say = Callable[[str], None]

DTYPES = ("float64", "float32")
VALUE = "value"  # beside the paths of gradients
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}
PATIENCE = 30.0  # seconds: a contestant that has taken as long gets no more processes


class Disagreement(ArithmeticError):
    """Gradients that differ from the reference: what computes them is not timed."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is differentiated by (`params`) and what is not, as arrays of one precision.

    `modules` is the folder of the generated modules, `dims` what they fix, and `allowed` the
    deviation by path, or of the value, where an array is what cancellation left of larger ones.
    """

    name: str
    dtype: str
    params: Mapping[str, np.ndarray]
    inputs: Mapping[str, np.ndarray]
    modules: Path
    dims: Mapping[str, int] = field(default_factory=dict)
    allowed: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contestant:
    """A way to compute the value and the gradients; `prepare` imports whatever it needs.

    A `bound` does only a part of the work, which nobody can do without: it is timed like the
    others, but what it returns is compared with nothing.
    """

    name: str
    prepare: Callable[[Case], Run]
    needs: str | None = None  # the package that it runs on, beside NumPy
    dtypes: Sequence[str] = DTYPES
    lacks: Callable[[Case], str | None] = lambda case: None
    bound: bool = False

    def missing(self, case: Case) -> str | None:
        """Why it cannot take part in a case, if it cannot."""
        if self.needs is not None and importlib.util.find_spec(self.needs) is None:
            return f"{self.needs} is not installed"
        if case.dtype not in self.dtypes:
            return f"{' and '.join(self.dtypes)} only"
        return self.lacks(case)


@dataclass(frozen=True, slots=True)
class Workload:
    """What is computed, on which data, by whom. The first contestant is what ratios refer to."""

    name: str
    title: str
    build: Callable[[Sequence[Case]], None]  # writes the generated modules
    cases: Callable[[Path], Sequence[Case]]
    small: Callable[[Path], Sequence[Case]]  # for the tests: the same modules, less data
    contestants: Sequence[Contestant]
    reference: Callable[[Case], Run]  # of a case in float64


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    rounds: int = 25  # in one process
    sample: float = 0.02  # seconds
    processes: int = 7  # new ones for each contestant; 0: none
    sizes: int = 4  # of the sources that grow
    without: Sequence[str] = ()  # contestants that are left out


QUICK = Effort(rounds=5, sample=0.005, processes=1, sizes=2)  # a look


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds for one call, a sample a round: by the clock, and of processors on all threads."""

    samples: tuple[float, ...]
    processor: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of the samples were faster."""
        return statistics.median(self.samples)

    @property
    def quartiles(self) -> tuple[float, float]:
        """A quarter of the samples were faster, a quarter slower."""
        return quartiles(self.samples)


def exact(workload: Workload, case: Case) -> Result:
    """The reference on the data of a case, computed in float64 whatever the case is in."""
    params, inputs = (
        {name: a if a.dtype.kind in "iu" else a.astype(np.float64) for name, a in arrays.items()}
        for arrays in (case.params, case.inputs)
    )
    return workload.reference(replace(case, dtype="float64", params=params, inputs=inputs))()


def errors(result: Result, reference: Result) -> dict[str, float]:
    """The largest deviation of the `value` and of each gradient, relative to its largest entry."""
    (value, gradients), (exact, expected) = result, reference
    if gradients.keys() != expected.keys():
        raise Disagreement(f"gradients by {sorted(gradients)}, expected {sorted(expected)}")
    found = {path: _deviation(gradients[path], expected[path]) for path in expected}
    return {VALUE: _deviation(value, exact), **found}


def _deviation(given: Any, expected: Any) -> float:
    found, exact = np.asarray(given, np.float64), np.asarray(expected)
    if found.shape != exact.shape:
        raise Disagreement(f"a gradient of shape {found.shape}, expected {exact.shape}")
    scale = float(np.max(np.abs(exact), initial=0.0)) or 1.0
    worst = float(np.max(np.abs(found - exact), initial=0.0)) / scale
    return worst if worst == worst else np.inf


def compare(runs: Mapping[str, Run], reference: Result, case: Case) -> dict[str, float]:
    """How far each contestant is from the reference; too far is an error."""
    found = {name: errors(call(), reference) for name, call in runs.items()}
    wrong = [
        f"{name} by {far:.1e} in {path} (at most {most:.0e} is allowed)"
        for name, each in found.items()
        for path, far in each.items()
        if not far <= (most := case.allowed.get(path, TOLERANCE[case.dtype]))
    ]
    if wrong:
        raise Disagreement(f"not timed: {', '.join(wrong)}")
    return {name: max(each.values()) for name, each in found.items()}


def interleaved(runs: Mapping[str, Run], effort: Effort) -> dict[str, Timing]:
    """Time each contestant once a round, one after the other, in an order that turns."""
    repeats = {name: _repeats(call, effort.sample) for name, call in runs.items()}
    samples: dict[str, list[float]] = {name: [] for name in runs}
    processor: dict[str, list[float]] = {name: [] for name in runs}
    order = list(runs)
    gc.collect()
    gc.freeze()  # what the libraries keep is not searched again while they are timed
    for _ in range(effort.rounds):
        for name in order:
            wall, cpu = _sample(runs[name], repeats[name])
            samples[name].append(wall / repeats[name])
            processor[name].append(cpu / repeats[name])
        order.append(order.pop(0))
    gc.unfreeze()
    return {name: Timing(tuple(samples[name]), tuple(processor[name])) for name in runs}


def _repeats(call: Run, least: float) -> int:
    """How many calls make a sample of that many seconds."""
    repeats = 1
    while (wall := _sample(call, repeats)[0]) < least:
        repeats = max(repeats + 1, min(10 * repeats, int(1.1 * repeats * least / wall)))
    return repeats


def _sample(call: Run, repeats: int) -> tuple[float, float]:
    """Seconds, and seconds of processor time on all threads, for that many calls."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(repeats):
        call()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(workload: Workload, modules: Path, effort: Effort, say: Say) -> list[Table]:
    """A table for each case of a workload."""
    cases = workload.cases(modules)
    workload.build(cases)
    return [_case(workload, case, effort, say) for case in cases]


def _case(workload: Workload, case: Case, effort: Effort, say: Say) -> Table:
    say(f"{workload.name}: {case.name}, one process")
    absent = {
        one.name: why
        for one in workload.contestants
        if (why := "left out" if one.name in effort.without else one.missing(case))
    }
    chosen = [contestant for contestant in workload.contestants if contestant.name not in absent]
    runs = {contestant.name: contestant.prepare(case) for contestant in chosen}
    bounds = {contestant.name for contestant in chosen if contestant.bound}
    compared = {name: call for name, call in runs.items() if name not in bounds}
    deviations = compare(compared, exact(workload, case), case)
    warm = interleaved(runs, effort)
    fresh = alone(workload, case, list(runs), effort, say)
    base = warm[chosen[0].name].samples
    rows = []
    for name, timing in warm.items():
        row = {
            "contestant": f"{name} (a bound)" if name in bounds else name,
            "median": timing.median,
            "quartiles": timing.quartiles,
            "ratio": _paired(timing.samples, base),
            "processor": statistics.median(timing.processor),
            "processor ratio": _paired(timing.processor, warm[chosen[0].name].processor),
            "error": deviations.get(name),
        }
        if fresh:
            found = {key: _middle(fresh[name], key) for key in fresh[name][0]}
            row |= {
                "fresh": found["median"],
                "fresh ratio": found["median"] / _middle(fresh[chosen[0].name], "median"),
                "fresh processor": found["processor"],
                "first result": found["first"],
                "peak memory": found["peak"],
            }
        rows.append(row)
    columns: dict[str, Format] = {
        "contestant": text,
        "median": seconds,
        "quartiles": between,
        "ratio": ratio,
        "processor": seconds,
        "processor ratio": ratio,
        "fresh": seconds,
        "fresh ratio": ratio,
        "first result": seconds,
        "peak memory": megabytes,
        "error": power,
    }
    listed = "; ".join(f"{name} ({why})" for name, why in absent.items())
    note = f"Not measured: {listed}" if absent else ""
    return Table(f"{workload.title}, {case.name}", columns, rows, note)


def _middle(measured: Sequence[Mapping[str, float]], key: str) -> float:
    """The median over processes."""
    return statistics.median(one[key] for one in measured)


def _paired(samples: Sequence[float], base: Sequence[float]) -> float:
    """The median of the ratios of samples that were taken in the same round."""
    return statistics.median(one / two for one, two in zip(samples, base, strict=True))


def alone(
    workload: Workload, case: Case, names: Sequence[str], effort: Effort, say: Say
) -> dict[str, list[dict[str, float]]]:
    """What each contestant measures of itself in new processes, in turn, while patience lasts."""
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    spent = dict.fromkeys(names, 0.0)
    for turn in range(effort.processes):
        say(f"{workload.name}: {case.name}, new processes, {turn + 1} of {effort.processes}")
        for name in (name for name in names if spent[name] < PATIENCE):
            command = ["-m", "benchmarks.contestant", workload.name, case.name, name]
            start = time.perf_counter()
            printed = run([sys.executable, *command, str(case.modules), str(effort.sample)])
            spent[name] += time.perf_counter() - start
            measured[name].append(json.loads(printed))
    return measured if effort.processes else {}


def itself(contestant: Contestant, case: Case, sample: float) -> dict[str, float]:
    """Time a contestant in a process that runs nothing else."""
    start = time.perf_counter()
    call = contestant.prepare(case)
    call()
    first = time.perf_counter() - start
    timing = interleaved({"itself": call}, Effort(rounds=9, sample=sample))["itself"]
    processor = statistics.median(timing.processor)
    return {"first": first, "median": timing.median, "processor": processor, "peak": peak_memory()}
