"""Modules of the JAX target against the same loss written by hand in JAX, both under `jax.jit`.

    python -m benchmarks.jax_by_hand [NAME …]

Time of the processor, one thread, float64, both in one process by turns, the best of many rounds: a
machine that is busy meanwhile changes little. The NumPy module stands beside them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.processes import ROOT, limit_threads

WORKLOADS = ("b", "c", "f", "g", "h")
BY_HAND = "JAX jit"
TAKING = (BY_HAND, "graphc JAX", "graphc -O2")
ROUNDS = 25
SAMPLE = 0.05
"""Seconds that a round measures each."""


def measured(name: str) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield for each case of a workload the best seconds of those that take part."""
    from benchmarks.harness import Effort, compare, exact, interleaved
    from benchmarks.workloads import GRADIENTS

    modules = ROOT / "out" / "benchmarks"
    modules.mkdir(parents=True, exist_ok=True)
    workload = GRADIENTS[name]
    cases = [case for case in workload.cases(modules) if case.dtype == "float64"]
    workload.build(cases)
    for case in cases:
        chosen = [one for one in workload.contestants if one.name in TAKING]
        runs = {one.name: one.prepare(case) for one in chosen}
        compare(runs, exact(workload, case), case)
        found = interleaved(runs, Effort(rounds=ROUNDS, sample=SAMPLE))
        yield f"{name}. {case.name}", {one: min(found[one].processor) for one in runs}


def main(names: list[str]) -> None:
    limit_threads(1)
    print(f"| times of {BY_HAND} | by hand | {' | '.join(TAKING[1:])} |")
    print("|---|---:|---:|---:|")
    for name in names or WORKLOADS:
        for case, best in measured(name):
            ratios = [f"{best[one] / best[BY_HAND]:.2f}" for one in TAKING[1:]]
            print(f"| {case} | {best[BY_HAND] * 1e3:.3g} ms | {' | '.join(ratios)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
