"""What no busy machine changes: work that is counted, and waits without a hurry."""

from __future__ import annotations

import cProfile
from collections.abc import Callable

PATIENCE = 600
"""Seconds: what has not answered by then hangs, on the busiest machine, too."""


def count_calls(work: Callable[[], object]) -> int:
    """Count the calls of functions in a piece of work, also of those written in C."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return sum(entry.callcount for entry in profile.getstats())
