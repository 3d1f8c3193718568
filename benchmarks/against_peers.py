"""Every spelling of the workloads against libraries that differentiate programs.

    python -m benchmarks.against_peers [NAME ...]

Measured is the processor time of one thread for a value and all gradients, the least of many runs
by turns in one process. Below stand the geometric means, in which each workload counts once, and
so does each size of it and each spelling.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.processes import ROOT, limit_threads

PEERS: Mapping[str, Sequence[str]] = {
    "PyTorch eager": ("PyTorch eager", "torch.func.jacrev"),
    "JAX jit": ("JAX jit", "JAX jacrev", "JAX jacfwd"),
    "autograd": ("autograd",),
}
"""By library what takes part of it: of several the fastest counts."""
WORKLOADS = tuple("abcdefghi")
MEAN = "geometric mean of all spellings"
SLOWEST = "of the slowest spelling of each"


@dataclass(frozen=True, slots=True)
class Raced:
    """Seconds of the spellings of a case, and of the peers that can take part in it."""

    workload: str
    sizes: str
    ours: Sequence[float]
    theirs: Mapping[str, float]


def raced(name: str) -> Iterable[Raced]:
    """Yield each case of a workload; what a peer returns is compared before it is timed."""
    from benchmarks.harness import compare, exact
    from benchmarks.peers import peers
    from benchmarks.spellings import SPELT
    from benchmarks.spellings.timing import times
    from benchmarks.workloads import GRADIENTS, lstm

    workload, spelt = GRADIENTS[name], SPELT[name]
    cases = [one for one in workload.cases(ROOT / "out") if one.dtype == "float64"]
    for case, sample in zip(cases, spelt.samples(), strict=True):
        ours = [spelt.call(spelt.module(one, sample), sample) for one in spelt.spellings]
        named = {one for several in PEERS.values() for one in several}
        contestants = [*workload.contestants, *(peers(lstm.loss) if name == "g" else ())]
        able = [c for c in contestants if c.name in named and c.missing(case) is None]
        theirs = {one.name: one.prepare(case) for one in able}
        compare(theirs, exact(workload, case), case)
        found = times([*ours, *theirs.values()])
        of_each = dict(zip(theirs, found[len(ours) :], strict=True))
        best = {
            peer: min(of_each[one] for one in several if one in of_each)
            for peer, several in PEERS.items()
            if not of_each.keys().isdisjoint(several)
        }
        yield Raced(name, sample.name, found[: len(ours)], best)


def mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def over(peer: str, races: Sequence[Raced], slowest: bool) -> float | None:
    """Return so many times the time of our spellings that a peer takes."""
    ratios: dict[str, list[float]] = defaultdict(list)
    for race in races:
        if peer in race.theirs:
            ours = (max(race.ours),) if slowest else race.ours
            ratios[race.workload].append(mean([race.theirs[peer] / one for one in ours]))
    return mean([*map(mean, ratios.values())]) if ratios else None


def main(names: Sequence[str]) -> None:
    """Print a row for each case, and the means over all."""
    limit_threads(1)
    from benchmarks.tables import seconds

    print(f"| what | sizes | fastest | slowest | {' | '.join(PEERS)} |")
    print(f"|---|---|---:|---:|{'---:|' * len(PEERS)}")
    races: list[Raced] = []
    for name in names or WORKLOADS:
        for race in raced(name):
            races.append(race)
            told = [seconds(time(race.ours)) for time in (min, max)]
            ratios = [over(peer, [race], False) for peer in PEERS]
            print(_row(name, race.sizes, *told, *map(_said, ratios)), flush=True)
    for what, slowest in ((MEAN, False), (SLOWEST, True)):
        ratios = [over(peer, races, slowest) for peer in PEERS]
        print(_row(what, "", "", "", *map(_said, ratios)))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _said(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main(sys.argv[1:])
