"""`python -m tests.fuzz`: programs by chance, and whether what is made of them is right."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--programs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first program")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--findings", type=Path, default=Path("out/fuzz"))
    given = parser.parse_args()
    report = run(given.seed, given.programs, given.processes, given.findings)
    for signature, found in sorted(report.findings.items(), key=lambda item: -len(item[1])):
        print(f"{len(found):5}  {signature}  seeds {[one.seed for one in found[:4]]}")
        print(f"       the first with {found[0].wanted}")
    for why, count in report.doubts.most_common(10):
        print(f"{count:5}  undecided: {why}")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
