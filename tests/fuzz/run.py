"""Many programs: in several processes, each within a time; what is wrong is made small and kept."""

from __future__ import annotations

import multiprocessing
import random
import re
import signal
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.check import check
from tests.fuzz.compiling import settled
from tests.fuzz.corpus import written
from tests.fuzz.coverage import Coverage
from tests.fuzz.finding import Doubt, Finding, shown
from tests.fuzz.program import Program
from tests.fuzz.shrink import shrunk
from tests.fuzz.writing.generate import generate

NUMBER = re.compile(r"\d[\d.]*( bytes| [KM]B)?|`\w*`")
TOGETHER = 100
"""So many programs are written by what the others reached before them."""
SECONDS = 30.0
"""Of its own time that a program may take; more is a finding."""


class Late(BaseException):
    """A program took too long."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise Late after so much time of this process."""

    def ring(*_: Any) -> None:
        raise Late

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@dataclass(frozen=True)
class Outcome:
    seed: int
    wanted: tuple[str, ...]
    tags: frozenset[str]
    seconds: float
    finding: Finding | None = None
    doubt: str = ""
    program: Program | None = None


def judged(program: Program) -> Finding | Doubt | None:
    """As `check`; what takes too long hangs."""
    try:
        with within(SECONDS):
            return check(program)
    except Late:
        return Finding("hang", "", f"over {SECONDS:.0f} s")


def outcome(job: tuple[int, tuple[str, ...]]) -> Outcome:
    """One program, written and checked."""
    seed, wanted = job
    start = time.process_time()
    warnings.simplefilter("ignore")
    try:
        with within(SECONDS):
            program = settled(generate(seed, wanted))
    except Late:
        return Outcome(seed, wanted, frozenset(), SECONDS, Finding("hang", "", "while elaborating"))
    except Exception as failure:
        return Outcome(seed, wanted, frozenset(), 0.0, doubt=f"not written: {shown(failure)}")
    found = judged(program)
    took = time.process_time() - start
    if isinstance(found, Doubt):
        return Outcome(seed, wanted, program.tags, took, doubt=found.why)
    return Outcome(seed, wanted, program.tags, took, found, program=program if found else None)


def jobs(first: int, count: int, coverage: Coverage) -> list[tuple[int, tuple[str, ...]]]:
    """Seeds with what was reached rarely until now."""
    return [(seed, coverage.rare(random.Random(seed))) for seed in range(first, first + count)]


@dataclass
class Report:
    counts: Counter[str] = field(default_factory=Counter)
    doubts: Counter[str] = field(default_factory=Counter)
    findings: dict[str, list[Outcome]] = field(default_factory=lambda: defaultdict(list))
    seconds: float = 0.0

    def add(self, one: Outcome) -> None:
        self.seconds += one.seconds
        if one.finding is not None:
            self.counts[one.finding.kind] += 1
            self.findings[one.finding.signature].append(one)
        elif one.doubt:
            self.counts["doubt"] += 1
            self.doubts[NUMBER.sub("#", one.doubt)[:100]] += 1
        else:
            self.counts["right"] += 1


def run(first: int, count: int, processes: int, folder: Path) -> Report:
    """Check so many programs; what is wrong is written at once, the first of a kind also small."""
    report, coverage = Report(), Coverage()
    start = time.monotonic()
    with multiprocessing.get_context("fork").Pool(processes, maxtasksperchild=500) as pool:
        done = 0
        with suppress(KeyboardInterrupt):  # what was found until then is told
            for begin in range(0, count, TOGETHER):
                some = jobs(first + begin, min(TOGETHER, count - begin), coverage)
                for one in pool.imap_unordered(outcome, some):
                    done += 1
                    report.add(one)
                    coverage.add(one.tags)
                    if one.finding is not None:
                        print(f"\n{one.seed}: {one.finding.signature}", file=sys.stderr)
                        if one.program is not None:
                            _write(folder, one.seed, one.program, one.finding)
                    if done % 25 == 0 or done == count:
                        _progress(done, count, time.monotonic() - start, report, coverage)
        print(file=sys.stderr)
        firsts = [min(found, key=lambda o: len(o.program.text) if o.program else 0)
                  for found in report.findings.values()]  # fmt: skip
        for one, small, found in pool.imap_unordered(_small, [o for o in firsts if o.program]):
            _write(folder, one.seed, small, found)
    for line in coverage.lines():
        print(line)
    return report


def _progress(done: int, count: int, seconds: float, report: Report, coverage: Coverage) -> None:
    counts = ", ".join(f"{number} {kind}" for kind, number in sorted(report.counts.items()))
    rate = report.seconds / done
    print(f"\r{done}/{count} programs, {rate:.2f} s each, {seconds:.0f} s: {counts}; "
          f"{coverage.share():.1%} of pairs ", end="", file=sys.stderr, flush=True)  # fmt: skip


def _small(one: Outcome) -> tuple[Outcome, Program, Finding]:
    """Make a program small, and find again what is wrong with it."""
    assert one.finding is not None
    assert one.program is not None
    warnings.simplefilter("ignore")
    signature = one.finding.signature

    def wrong(candidate: Program) -> bool:
        try:
            found = judged(candidate)
        except Exception:
            return False
        return isinstance(found, Finding) and found.signature == signature

    small = shrunk(one.program, wrong, 120.0)
    found = judged(small)
    return one, small, found if isinstance(found, Finding) else one.finding


def _write(folder: Path, seed: int, program: Program, found: Finding) -> None:
    """Write a graph, and beside it how it is compiled, what was found and what is right."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{found.kind.replace(' ', '_')}_{seed}"
    (folder / f"{name}.graph").write_text(written(program, found))
