"""Places in a text as editors count them, and where a place was before the text was edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphc.records import dataclass
from graphc.source import Source, Span

Position = tuple[int, int]  # line and unit in it, both from 0
Count = Callable[[str], int]


def utf16(text: str) -> int:
    """Count the units of a text in UTF-16, which is what editors count by default."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf8(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


COUNTS: Mapping[str, Count] = {"utf-16": utf16, "utf-8": utf8, "utf-32": len}
"""How the units of a line are counted, by the name that the protocol has for it."""


def position(source: Source, offset: int, count: Count = utf16) -> Position:
    """Return the position of an offset.

    >>> position(Source("a", "a = 1\\n# \\N{GRINNING FACE} b"), 10)
    (1, 5)
    """
    line, column = source.position(offset)
    start = source.line_starts[line - 1]
    return line - 1, count(source.text[start : start + column - 1])


def offset(source: Source, place: Position, count: Count = utf16) -> int:
    """Return the offset of a position; behind the end of a line it is that end.

    >>> offset(Source("a", "a = 1\\n# \\N{GRINNING FACE} b"), (1, 5))
    10
    """
    line, unit = place
    if line >= len(source.line_starts):
        return len(source.text)
    start = source.line_starts[line]
    text = source.line(line + 1)
    if text.isascii():
        return start + min(unit, len(text))
    units = 0
    for column, character in enumerate(text):
        if units >= unit:
            return start + column
        units += count(character)
    return start + len(text)


@dataclass(frozen=True, slots=True)
class Edited:
    """A text that became another: what stands before and behind the change is the same in both."""

    before: Source
    after: Source
    start: int
    end: int  # counted from the end of both

    def back(self, offset: int) -> int | None:
        """Return where a place of the new text was in the old; None inside of what changed."""
        if offset <= self.start:
            return offset
        if offset >= len(self.after.text) - self.end:
            return offset + len(self.before.text) - len(self.after.text)
        return None

    def forth(self, span: Span) -> Span | None:
        """Return where a span of the old text is in the new; None where it changed."""
        if span.source is not self.before:
            return span
        if span.end <= self.start:
            return Span(self.after, span.start, span.end)
        if span.start >= len(self.before.text) - self.end:
            by = len(self.after.text) - len(self.before.text)
            return Span(self.after, span.start + by, span.end + by)
        return None


def edited(before: Source, after: Source) -> Edited:
    """Compare two texts."""
    start = _common(before.text, after.text)
    end = _common(before.text[start:][::-1], after.text[start:][::-1])
    return Edited(before, after, start, end)


def _common(one: str, other: str) -> int:
    """Count the characters that two texts begin with, by halves."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low
