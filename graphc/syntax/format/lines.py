"""The lines of one statement: which columns its parts take, and where a chain is broken."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.records import dataclass, field
from graphc.syntax.lexing.tokens import BINARY, CLOSERS, HEADS_BODY, OPENERS

WIDTH = 96
INDENT = 4
FARTHEST = 40  # how far right of its beginning a statement may be aligned


@dataclass(frozen=True, slots=True)
class Comment:
    text: str
    blank: bool  # is there a blank line above it?


@dataclass(frozen=True, slots=True)
class Gap:
    """What stands between two tokens: a comment behind the first, comments on their own lines."""

    trailing: str = ""
    comments: tuple[Comment, ...] = ()
    newline: bool = False
    blank: bool = False  # is there a blank line above the second token?


@dataclass(frozen=True, slots=True)
class Word:
    """A token with what stands before it."""

    kind: str
    text: str
    space: bool  # is there a blank before it, where it does not begin a line?
    begins: bool  # is it the first of a statement, behind the end of another?
    gap: Gap


@dataclass(slots=True)
class Line:
    """A line of the result; of a triple-quoted string, all its lines."""

    text: str
    comment: str = ""
    head: str = ""  # of a whole statement: the kind of its first token
    doc: int = 0  # the column of the doc string that ends it

    @property
    def width(self) -> int:
        """Count the columns before what may be written behind the line."""
        return len(self.text) - (self.text.rfind("\n") + 1)


@dataclass(slots=True)
class Indents:
    """The inside of a bracket, or of none: the columns at which a line of it begins."""

    column: int
    closer: int
    arrow: int  # where there is no arrow to stand under
    equal: int | None = None
    first: int | None = None  # the column of the first arrow, once there is one
    limit: int = 10_000  # the last column to align at


@dataclass(slots=True)
class Layout:
    lines: list[Line]
    places: list[tuple[int, int, int]] = field(default_factory=list)  # line, column, depth


def break_lines(words: Sequence[Word], indent: int) -> list[Line]:
    """Break the words of a statement, or of its part up to a `{`, into lines indented by blanks."""
    breaks = {at for at, word in enumerate(words) if at and _begins_line(words, at)}
    while True:
        layout = lay_out(words, indent, breaks)
        at = _next_break(layout, words, breaks)
        if at is None:
            break
        breaks.add(at)
    if len(layout.lines) == 1:
        layout.lines[0].head = words[0].kind
        layout.lines[0].doc = layout.places[-1][1] if _ends_in_doc(words) else 0
    return layout.lines


def _begins_line(words: Sequence[Word], at: int) -> bool:
    gap = words[at].gap
    if words[at].kind == "ELSE" and not gap.comments and not gap.trailing:
        return False
    return gap.newline


def _ends_in_doc(words: Sequence[Word]) -> bool:
    if len(words) < 2 or words[-1].kind != "STRING" or "\n" in words[-1].text:
        return False
    return words[-2].kind in ("NAME", "INT", "FLOAT", "STRING", "TRUE", "FALSE", "RPAR", "RSQB")


def lay_out(words: Sequence[Word], indent: int, breaks: set[int]) -> Layout:
    """Lay out words with these breaks and no others."""
    layout = Layout([])
    head = next((word.kind for word in words if word.kind != "RBRACE"), "")
    levels = [_outermost(head, indent)]
    pieces = [" " * indent]  # of the line
    column = start = indent  # where the line ends so far, and where its first operand begins
    for at, word in enumerate(words):
        level = levels[-1]
        if word.kind in CLOSERS and len(levels) > 1:
            levels.pop()
        if at in breaks:
            layout.lines.append(Line("".join(pieces), word.gap.trailing))
            column = _column(word, level, levels[-1] is not level, indent)
            margin = " " * (level.column if word.kind in CLOSERS else column)
            layout.lines += [Line(margin + comment.text) for comment in word.gap.comments]
            pieces = [" " * column]
            start = column + (len("-> ") if word.kind == "ARROW" else 0)
        elif at and word.space:
            pieces.append(" ")
            column += 1
        layout.places.append((len(layout.lines), column, len(levels) - 1))
        pieces.append(word.text)
        follows = at + 1 < len(words) and at + 1 not in breaks  # is there more on this line?
        level = levels[-1]
        if word.kind in OPENERS:
            levels.append(_inside(word.kind, column, start, follows))
        elif word.kind == "ARROW" and level.first is None:
            aligned = at not in breaks and column <= level.limit
            level.first = column if aligned else level.arrow
        elif word.kind == "COMMA" and len(levels) > 1:
            level.first = None
        elif word.kind in ("EQUAL", "TILDE") and len(levels) == 1 and level.equal is None:
            aligned = follows and column <= level.limit and head not in (*HEADS_BODY, "DIM")
            level.equal = column if aligned else None
        column += len(word.text)
        if "\n" in word.text:
            column = len(word.text) - word.text.rindex("\n") - 1
            start = 0
    layout.lines.append(Line("".join(pieces)))
    return layout


def _outermost(head: str, indent: int) -> Indents:
    if head in HEADS_BODY:  # so far right that the body stands off
        return Indents(indent + 2 * INDENT, indent, indent + 2 * INDENT, limit=-1)
    return Indents(indent + INDENT, indent, indent + INDENT, limit=indent + FARTHEST)


def _inside(opener: str, column: int, start: int, follows: bool) -> Indents:
    if not follows:
        return Indents(start + INDENT, start, start + 2 * INDENT)
    inner = column + (2 if opener == "LBRACE" else 1)
    return Indents(inner, column, inner + INDENT)


def _column(word: Word, level: Indents, closes: bool, indent: int) -> int:
    """Return the column at which a line that begins with the word begins."""
    if closes:
        return level.closer
    if word.kind == "ELSE":
        return indent
    if word.kind == "ARROW":
        return level.arrow if level.first is None else level.first
    if level.equal is not None:
        return level.equal if word.kind in BINARY else level.equal + 2
    return level.column


def _next_break(layout: Layout, words: Sequence[Word], breaks: set[int]) -> int | None:
    """Find an arrow before which to break a line that is too long; None where that mends none."""
    first = next((at for at, word in enumerate(words) if word.kind == "ARROW"), None)
    if first is None:
        return None
    for number, line in enumerate(layout.lines):
        if line.width <= WIDTH:
            continue
        arrows = [
            (at, column, depth)
            for at, (on, column, depth) in enumerate(layout.places)
            if words[at].kind == "ARROW" and on == number and at and at not in breaks
        ]
        later = [arrow for arrow in arrows if arrow[0] != first]
        fitting = [arrow for arrow in later if arrow[1] <= WIDTH + 1]
        if fitting:
            outermost = min(depth for _, _, depth in fitting)
            return max(at for at, _, depth in fitting if depth == outermost)
        if later or arrows:
            return (later or arrows)[0][0]
    return None
