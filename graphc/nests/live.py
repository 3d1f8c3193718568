"""Works that nobody waits for are left out."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.nests.nest import Leave, Refuse, Turns, Value, Work


def without_dead(works: Sequence[Work], live: set[Value] | None = None) -> list[Work]:
    """Leave out works that write nothing which is given, or read later; live values are added to
    `live`."""
    live = set() if live is None else live
    kept: list[Work] = []
    for work in reversed(works):
        turns = [one for one in work.statements if isinstance(one, Turns)]
        if turns:
            (loop,) = turns
            if not any(value.given or value in live for value in loop.holds):
                continue
            live.update(loop.holds)
            loop.works = without_dead(loop.works, live)
            live.update(one.value for one in work.touches if not one.writes)
            kept.append(work)
            continue
        writes = {one.value for one in work.touches if one.writes}
        ends = any(isinstance(one, Refuse | Leave) for one in work.statements)
        if ends or any(value.given or value in live for value in writes):
            live.update(one.value for one in work.touches if not one.writes)
            kept.append(work)
    return kept[::-1]
