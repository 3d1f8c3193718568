"""What each spelling costs, against the fastest.

    python -m benchmarks.spellings [NAME ...]

Measured is the processor time of one thread for a value and all gradients, the least of many runs
by turns.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.spellings import SPELT
from benchmarks.spellings.timing import times
from benchmarks.tables import ratio, seconds


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
