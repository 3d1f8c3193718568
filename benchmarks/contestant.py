"""`python -m benchmarks.contestant WORKLOAD CASE CONTESTANT MODULES SAMPLE`: one of them, alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.harness import itself
from benchmarks.workloads import GRADIENTS


def main(workload: str, case: str, contestant: str, modules: str, sample: str) -> None:
    """Print what `harness.itself` measures, as JSON."""
    found = GRADIENTS[workload]
    cases = {one.name: one for one in found.cases(Path(modules))}
    contestants = {one.name: one for one in found.contestants}
    print(json.dumps(itself(contestants[contestant], cases[case], float(sample))))


if __name__ == "__main__":
    main(*sys.argv[1:])
