"""The parts of a generated module that run blocks, on threads: copied as they stand here."""

from __future__ import annotations

import contextvars
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from graphc.plan.buffers.report import CACHE

LONG = 2e-5


def _blocks(
    block: Callable[[int, int], tuple[Any, ...]], length: int, width: int, calls: int
) -> list[Any]:
    """What the blocks of an axis return, added up in their order, whichever thread runs which.

    What a block computes in, `width` bytes for each position, stays in the cache; blocks are alike.
    What would be up to three is one: the caches that cores share hold that, and calls take time.
    Threads wait for each other between the calls of NumPy, of which a block has so many: they pay
    where the first block takes LONG for each.
    """
    number = -(-length * width // CACHE)
    if number <= 3:
        return list(block(0, length))
    size = -(-length // number)
    starts = range(0, length, size)
    count = max(1, min(_threads(), len(starts) // 2))
    due = list(reversed(starts))
    found: dict[int, Any] = {}
    if count > 1:
        begin = time.perf_counter()
        found[0] = block(0, size)
        count = count if time.perf_counter() - begin > LONG * calls else 1
    left = starts[1:] if found else starts
    pending: list[Any] = [*[None] * count, *reversed(left)]  # None: a thread ends
    failed: dict[int, BaseException] = {}
    totals: list[Any] = []

    def run(adds: bool) -> None:
        for start in iter(pending.pop, None):
            try:
                found[start] = block(start, min(size, length - start))
            except BaseException as error:
                failed[start] = error
                pending[:] = [None] * count
                if adds:  # in the caller's own thread
                    raise
            if adds:
                _added(totals, found, due)

    threads = _started(run, count - 1)
    try:
        run(True)
    finally:
        pending[:] = [None] * count
        for thread in threads:
            thread.join()
    if failed:
        raise failed[min(failed)]
    _added(totals, found, due)
    return totals


def _added(totals: list[Any], found: dict[int, Any], due: list[int]) -> None:
    """Add what is found, up to the first of those that are due and not there yet."""
    while due and due[-1] in found:
        parts = found.pop(due.pop())
        if not totals:
            totals[:] = parts
            continue
        for number, part in enumerate(parts):
            totals[number] += part  # in place, which no block has kept


def _threads() -> int:
    """How many threads blocks may run on: GRAPHC_THREADS, or as many as there are usable cores."""
    given = os.environ.get("GRAPHC_THREADS", "")
    if not given:
        usable = getattr(os, "sched_getaffinity", None)
        return len(usable(0)) if usable is not None else os.cpu_count() or 1
    try:
        return max(1, int(given))
    except ValueError:
        raise ValueError(f"GRAPHC_THREADS is a whole number, found {given!r}") from None


def _started(run: Callable[[bool], None], number: int) -> list[threading.Thread]:
    """So many threads, each with the caller's settings of NumPy; fewer where there are no more."""
    threads: list[threading.Thread] = []
    for _ in range(number):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(run, False))
        try:
            thread.start()
        except RuntimeError:
            break
        threads.append(thread)
    return threads
