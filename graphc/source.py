"""Sources, spans and diagnostics: the places of a text, and mistakes shown there."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher, get_close_matches
from typing import Literal

from graphc.records import dataclass, field, replace

LISTED = 8  # names that a remedy lists
BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Source:
    """A text and the name under which messages cite it; a byte order mark is no part of it."""

    name: str
    text: str
    line_starts: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", self.text.removeprefix(BYTE_ORDER_MARK))
        starts = [0, *(i + 1 for i, character in enumerate(self.text) if character == "\n")]
        object.__setattr__(self, "line_starts", tuple(starts))

    @property
    def whole(self) -> Span:
        """Return the span of all of the text."""
        return Span(self, 0, len(self.text))

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset, both counted from 1."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Return the text of a line, without its line end."""
        start = self.line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : len(self.text) if end < 0 else end].rstrip("\r")


@dataclass(frozen=True, slots=True)
class Span:
    """The characters `start <= i < end` of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def to(self, other: Span) -> Span:
        """Return the smallest span that covers both."""
        return Span(self.source, min(self.start, other.start), max(self.end, other.end))

    def __str__(self) -> str:
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a node comes from: its own text, and the use of the block that contains it.

    A node that computes what several texts ask for comes from the first, and is `alike` the others.
    """

    span: Span
    used: Origin | None = None
    alike: tuple[Origin, ...] = ()

    @property
    def outermost(self) -> Span:
        """Return the place in the user's own file."""
        origin = self
        while origin.used is not None:
            origin = origin.used
        return origin.span


@dataclass(frozen=True, slots=True)
class Fix:
    """What mends a text: in the place of its diagnostic, `old` becomes `new`."""

    old: str
    new: str


class Remedy(str):
    """A remedy in words, with what it changes in the text."""

    fix: Fix


def remedy(words: str, old: str, new: str) -> str:
    """Say in words that `old` should be `new`, for readers and for editors."""
    said = Remedy(words)
    said.fix = Fix(old, new)
    return said


def write_instead(old: str, new: str) -> str:
    """Say that `new` is to be written for `old`."""
    return remedy(f"write `{new}`", old, new)


@dataclass(frozen=True, slots=True)
class Note:
    """A line below a diagnostic: `help` says how to mend it, `note` what else matters."""

    kind: Literal["help", "note"]
    message: str

    @property
    def fix(self) -> Fix | None:
        """Return what the remedy changes in the text, where that can be said."""
        return self.message.fix if isinstance(self.message, Remedy) else None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake, warning or note, its place, and what to do about it."""

    code: str
    message: str
    span: Span | None
    notes: tuple[Note, ...] = ()

    @property
    def severity(self) -> str:
        return {"W": "warning", "N": "note"}.get(self.code[0], "error")

    def with_note(self, note: str) -> Diagnostic:
        """Add one more note."""
        return replace(self, notes=(*self.notes, Note("note", note)))

    def with_help(self, help: str) -> Diagnostic:
        """Put a remedy first."""
        return replace(self, notes=(Note("help", help), *self.notes))

    def __str__(self) -> str:
        """Write the message as it is printed: headline, place, line with a caret, notes."""
        head = f"{self.severity}[{self.code}]: {self.message}"
        notes = [f"= {note.kind}: {note.message}" for note in self.notes]
        if self.span is None:
            return "\n".join([head, *(f"  {note}" for note in notes)])
        return "\n".join([head, *excerpt(self.span), *(f"  {note}" for note in notes)])


def excerpt(span: Span) -> list[str]:
    """Write the lines that show a place: where it is, its first line, and carets below it."""
    line_number, column = span.source.position(span.start)
    line = span.source.line(line_number)
    margin = " " * len(str(line_number))
    before = line[: column - 1]
    marked = line[column - 1 : column - 1 + max(span.end - span.start, 1)]
    blanks = "".join("\t" if c == "\t" else " " * _columns(c) for c in before)
    carets = "^" * max(sum(map(_columns, marked)), 1)
    return [
        f"{margin}--> {span}",
        f"{margin} |",
        f"{line_number} | {_printable(line)}",
        f"{margin} | {blanks}{carets}",
    ]


class GraphError(Exception):
    """A `.graph` file is wrong; carries every diagnostic found, in the order of the text."""

    __module__ = "graphc"  # where users find it, as tracebacks say

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.diagnostics))

    def _render_traceback_(self) -> list[str]:
        """Show IPython the mistakes alone, and not where the compiler found them."""
        return str(self).split("\n")


def error(
    code: str,
    message: str,
    span: Span | None,
    *,
    help: str | None = None,
    notes: Sequence[str] = (),
) -> Diagnostic:
    """Build a diagnostic with an optional remedy and further notes."""
    helps = [Note("help", help)] if help else []
    return Diagnostic(code, message, span, (*helps, *(Note("note", note) for note in notes)))


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return the remedy for a misspelt name, or None where nothing comes close."""
    names = sorted(set(known))
    cased = [other for other in names if other.lower() == name.lower()]
    below = [other for other in names if other.endswith(f".{name}")]
    swapped = [other for other in names if sorted(other) == sorted(name)]
    near = [other for other in get_close_matches(name, names, cutoff=0.6) if _close(name, other)]
    close = cased or below or swapped or near
    return remedy(f"did you mean `{close[0]}`?", name, close[0]) if close else None


def _close(name: str, other: str) -> bool:
    """True if a name may be another in haste: two letters of three are its, or it is cut short.

    One of two letters is no likeness: `x` may be `xs`, and `i` is not `pi`.
    """
    alike = len(name) > 1 and SequenceMatcher(None, other, name).ratio() > 0.65
    return alike or name.startswith(other) or other.startswith(name)


def decimals(text: str) -> str | None:
    """Return the remedy for a text that has a number with a comma, such as `0,5`."""
    found = re.search(r"(?<![\w.,])(\d+),(\d+)(?![\w.,])", text)
    return (
        f"the decimals of a number stand behind a point: `{found[1]}.{found[2]}`" if found else None
    )


def near_or_all(name: str, known: Iterable[str], what: str) -> str | None:
    """Return the remedy for a name that is none of a few: what comes close, else all of them."""
    names = list(known)
    shown = ", ".join(f"`{other}`" for other in names[:LISTED])
    more = ", …" if len(names) > LISTED else ""
    return did_you_mean(name, names) or (f"{what}: {shown}{more}" if names else None)


def _columns(character: str) -> int:
    """Count the terminal columns that a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _printable(line: str) -> str:
    """Make control characters visible, which could steer a terminal."""
    return "".join(c if c == "\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
