"""Words that stand many times in a row in a text of letters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """From `start` to `end` each letter is the one that stands `length` letters before it."""

    start: int
    end: int
    length: int


def rows_of(letters: Sequence[int], fewest: int, longest: int) -> Iterator[Row]:
    """Yield where a word of up to `longest` letters stands `fewest` times or more, left to right.

    >>> [*rows_of([9, 1, 2, 1, 2, 1, 2, 1, 5], 3, 8)]
    [Row(start=1, end=8, length=2)]
    """
    before: dict[int, int] = {}  # by letter, where it stood last
    floor = place = 0
    while place < len(letters):
        length = place - before.get(letters[place], place)
        before[letters[place]] = place
        found = None
        if 0 < length <= longest and place - length >= floor:
            found = _row(letters, place, length, floor, fewest)
        if found is not None:
            yield found
            floor = place = found.end
        else:
            place += 1


def _row(letters: Sequence[int], place: int, length: int, floor: int, fewest: int) -> Row | None:
    """Return the row of words of a length that goes through a place, if it is long enough.

    The place is in the second word; the first may have begun before the letter that it repeats.
    """
    start, end = place - length, place + length * (fewest - 2)
    if letters[start : end - length] != letters[place:end]:
        return None
    while end < len(letters) and letters[end] == letters[end - length]:
        end += 1
    while start > floor and letters[start - 1] == letters[start - 1 + length]:
        start -= 1
    return Row(start, end, length) if end - start >= length * fewest else None
