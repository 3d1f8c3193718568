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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes import peak_memory, quartiles, run
from benchmarks.tables import Format, Table, between, megabytes, power, ratio, seconds, text

Result = tuple[Any, Mapping[str, Any]]  # the value, and its gradients by path
Run = Callable[[], Result]
Say = Callable[[str], None]

TOLERANCE = {"float64": 1e-9, "float32": 1e-4}


class Disagreement(ArithmeticError):
    """Gradients that differ from the reference: what computes them is not timed."""


@dataclass(frozen=True, slots=True)
class Case:
    """One set of parameters and inputs; `modules` is the folder of the generated modules."""

    name: str
    dtype: str
    params: Mapping[str, np.ndarray]
    inputs: Mapping[str, np.ndarray]
    modules: Path


@dataclass(frozen=True, slots=True)
class Contestant:
    """A way to compute the value and the gradients; `prepare` imports whatever it needs."""

    name: str
    prepare: Callable[[Case], Run]
    needs: str | None = None  # the package that it runs on, beside NumPy

    def available(self) -> bool:
        """Whether that package is installed."""
        return self.needs is None or importlib.util.find_spec(self.needs) is not None


@dataclass(frozen=True, slots=True)
class Workload:
    """What is computed, on which data, by whom. The first contestant is what ratios refer to."""

    name: str
    title: str
    build: Callable[[Path], None]  # writes the generated modules into a folder
    cases: Callable[[Path], Sequence[Case]]
    contestants: Sequence[Contestant]
    reference: Callable[[Case], Result]  # value and gradients, in float64


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    rounds: int = 25  # in one process
    sample: float = 0.02  # seconds
    processes: int = 7  # new ones for each contestant; 0: none
    sizes: int = 4  # of the sources that grow


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


def error(result: Result, reference: Result) -> float:
    """The largest deviation, relative to the largest entry of each gradient (and to the value)."""
    (value, gradients), (exact, expected) = result, reference
    if gradients.keys() != expected.keys():
        raise Disagreement(f"gradients by {sorted(gradients)}, expected {sorted(expected)}")
    pairs = [(value, exact), *((gradients[path], expected[path]) for path in expected)]
    return max(_deviation(np.asarray(one, np.float64), np.asarray(two)) for one, two in pairs)


def _deviation(found: np.ndarray, exact: np.ndarray) -> float:
    if found.shape != exact.shape:
        raise Disagreement(f"a gradient of shape {found.shape}, expected {exact.shape}")
    scale = float(np.max(np.abs(exact), initial=0.0)) or 1.0
    worst = float(np.max(np.abs(found - exact), initial=0.0)) / scale
    return worst if worst == worst else np.inf


def compare(runs: Mapping[str, Run], reference: Result, tolerance: float) -> dict[str, float]:
    """How far each contestant is from the reference; too far is an error."""
    errors = {name: error(call(), reference) for name, call in runs.items()}
    wrong = {name: found for name, found in errors.items() if not found <= tolerance}
    if wrong:
        listed = ", ".join(f"{name} by {found:.1e}" for name, found in wrong.items())
        raise Disagreement(f"not timed: {listed}; at most {tolerance:.0e} is allowed")
    return errors


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
    workload.build(modules)
    return [_case(workload, case, effort, say) for case in workload.cases(modules)]


def _case(workload: Workload, case: Case, effort: Effort, say: Say) -> Table:
    say(f"{workload.name}: {case.name}, one process")
    chosen = [contestant for contestant in workload.contestants if contestant.available()]
    runs = {contestant.name: contestant.prepare(case) for contestant in chosen}
    errors = compare(runs, workload.reference(case), TOLERANCE[case.dtype])
    warm = interleaved(runs, effort)
    fresh = alone(workload, case, list(runs), effort, say)
    base = warm[chosen[0].name].samples
    rows = []
    for name, timing in warm.items():
        row = {
            "contestant": name,
            "median": timing.median,
            "quartiles": timing.quartiles,
            "ratio": _paired(timing.samples, base),
            "processor": statistics.median(timing.processor),
            "processor ratio": _paired(timing.processor, warm[chosen[0].name].processor),
            "error": errors[name],
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
    return Table(f"{workload.title}, {case.name}", columns, rows)


def _middle(measured: Sequence[Mapping[str, float]], key: str) -> float:
    """The median over processes."""
    return statistics.median(one[key] for one in measured)


def _paired(samples: Sequence[float], base: Sequence[float]) -> float:
    """The median of the ratios of samples that were taken in the same round."""
    return statistics.median(one / two for one, two in zip(samples, base, strict=True))


def alone(
    workload: Workload, case: Case, names: Sequence[str], effort: Effort, say: Say
) -> dict[str, list[dict[str, float]]]:
    """What each contestant measures of itself in new processes, in turn."""
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for turn in range(effort.processes):
        say(f"{workload.name}: {case.name}, new processes, {turn + 1} of {effort.processes}")
        for name in names:
            command = ["-m", "benchmarks.contestant", workload.name, case.name, name]
            printed = run([sys.executable, *command, str(case.modules), str(effort.sample)])
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
