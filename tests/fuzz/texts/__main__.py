"""`python -m tests.fuzz.texts`: texts by chance, each a module or a mistake with its place."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

from tests.fuzz.finding import Finding
from tests.fuzz.texts.judging import confine, judged, level_of
from tests.fuzz.texts.mutation import written

CHUNK = 50


def _begin() -> None:
    warnings.simplefilter("ignore")
    judged(b"input x\noutput y = x", "-O2")  # what is loaded once is no text's
    written(0)
    confine()


def _chunk(first: int) -> list[tuple[int, Finding]]:
    found = []
    for seed in range(first, first + CHUNK):
        wrong = judged(written(seed), level_of(seed))
        if wrong is not None:
            found.append((seed, wrong))
    return found


def shrunk(data: bytes, level: str, signature: str, seconds: float = 60.0) -> bytes:
    """A smaller text of which the same is wrong: fewer lines, then fewer characters."""
    end = time.monotonic() + seconds

    def same(candidate: bytes) -> bool:
        found = judged(candidate, level)
        return found is not None and found.signature == signature

    for separator in (b"\n", b" ", b""):
        parts = data.split(separator) if separator else [bytes([one]) for one in data]
        width = max(1, len(parts) // 2)
        while width and time.monotonic() < end:
            place = 0
            while place < len(parts) and time.monotonic() < end:
                fewer = parts[:place] + parts[place + width :]
                if same(separator.join(fewer)):
                    parts = fewer
                else:
                    place += width
            width //= 2
        data = separator.join(parts)
    return data


def _small(job: tuple[int, Finding]) -> tuple[int, Finding, bytes]:
    seed, found = job
    return seed, found, shrunk(written(seed), level_of(seed), found.signature)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.texts", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first text")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--findings", type=Path, default=Path("out/fuzz/texts"))
    given = parser.parse_args()
    start, findings = time.monotonic(), list[tuple[int, Finding]]()
    firsts = range(given.seed, given.seed + given.count, CHUNK)
    kinds: Counter[str] = Counter()
    context = multiprocessing.get_context("fork")
    with context.Pool(given.processes, _begin, maxtasksperchild=10) as pool:
        for done, found in enumerate(pool.imap_unordered(_chunk, firsts), 1):
            for seed, one in found:
                if all(one.signature != other.signature for _, other in findings):
                    print(f"\rseed {seed}: {one.kind} {one.where} {one.found[:150]}", flush=True)
                findings.append((seed, one))
            kinds.update(one.kind for _, one in found)
            counts = ", ".join(f"{n} {kind}" for kind, n in kinds.items()) or "nothing wrong"
            print(f"\r{done * CHUNK}/{given.count} texts, {time.monotonic() - start:.0f} s: "
                  f"{counts} ", end="", file=sys.stderr, flush=True)  # fmt: skip
        print(file=sys.stderr)
        first: dict[str, tuple[int, Finding]] = {}
        for seed, one in sorted(findings, key=lambda item: len(written(item[0]))):
            first.setdefault(one.signature, (seed, one))
        given.findings.mkdir(parents=True, exist_ok=True)
        for seed, one, data in pool.imap_unordered(_small, first.values()):
            name = f"{one.kind.replace(' ', '_')}_{seed}.graph"
            (given.findings / name).write_bytes(data)
            often = sum(other.signature == one.signature for _, other in findings)
            print(f"{often:5}  {one.kind} {one.where} {one.found[:150]}  -> {name}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
