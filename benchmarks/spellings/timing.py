"""Processor time of calls, the least of many runs by turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

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
