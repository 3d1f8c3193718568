"""Works that nobody waits for are left out."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.nests.nest import Leave, Refuse, Turns, Value, Work, elements_in


def without_dead(works: Sequence[Work], live: set[Value] | None = None) -> list[Work]:
    """Leave out works that write nothing which is given, or read later.

    `live` are the values that somebody reads afterwards; those that are read are added.
    """
    live = set() if live is None else live
    kept: list[Work] = []
    for work in reversed(works):
        loops = [one for one in work.statements if isinstance(one, Turns)]
        if loops:
            if _turns_live(loops[0], live):
                kept.append(work)
            continue
        writes = {one.value for one in work.touches if one.writes}
        ends = any(isinstance(one, Refuse | Leave) for one in work.statements)
        if ends or any(value.given or value in live for value in writes):
            live.update(one.value for one in work.touches if not one.writes)
            kept.append(work)
    return kept[::-1]


def _turns_live(loop: Turns, live: set[Value]) -> bool:
    """Leave out what is dead in a loop; false where all of it is.

    What is handed on is alive if a later turn reads it for something that is.
    """
    held = set(loop.holds)
    wanted = {value for value in held if value.given or value in live}
    if not wanted and not _refuses(loop.works):
        return False
    while True:
        read = live | wanted
        kept = without_dead(loop.works, read)
        more = wanted | (read & held)
        if more == wanted:
            break
        wanted = more
    loop.works = kept
    loop.holds = tuple(value for value in loop.holds if value in wanted)
    live |= read | {one.value for one in elements_in(loop.count)}
    return True


def _refuses(works: Sequence[Work]) -> bool:
    """True if a turn may end the function."""
    statements = [one for work in works for one in work.statements]
    inner = [one.works for one in statements if isinstance(one, Turns)]
    return any(isinstance(one, Refuse) for one in statements) or any(map(_refuses, inner))
