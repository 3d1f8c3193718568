"""What each spelling costs, against the fastest.

    python -m benchmarks.spellings [NAME ...]

Measured is the processor time of one thread for a value and all gradients, the least of many runs
by turns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.spellings import SPELT
from benchmarks.tables import ratio, seconds

RUNS = 15
SECONDS = 0.05  # that a run takes, or more


def times(runs: Sequence[Callable[[], Any]]) -> list[float]:
    """Seconds of each, the least of many runs by turns."""
    found = [float("inf")] * len(runs)
    for _ in range(RUNS):
        for place, run in enumerate(runs):
            calls, start = 0, time.process_time()
            while (taken := time.process_time() - start) < SECONDS:
                run()
                calls += 1
            found[place] = min(found[place], taken / calls)
    return found


def main(names: Sequence[str]) -> None:
    print("| what | sizes | spelling | time | over the fastest |\n|---|---|---|---|---|")
    for name in names or SPELT:
        one = SPELT[name]
        for sample in one.samples():
            runs = [one.call(one.module(spelling, sample), sample) for spelling in one.spellings]
            found = times(runs)
            for spelling, taken in zip(one.spellings, found, strict=True):
                more = ratio(taken / min(found))
                line = f"| {name} | {sample.name} | {spelling} | {seconds(taken)} | {more} |"
                print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
