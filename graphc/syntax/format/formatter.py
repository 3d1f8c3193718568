"""From a Source to its canonical text: the same tokens and comments, with settled white space.

No token is added, removed or changed, but for a `;`, which becomes a line end. The rules:

- Four columns for each brace. Statements stand on lines of their own. At most one blank line
  between two, none at either end of a body or of the file. LF; one newline at the end.
- One blank around `=`, `~`, `->` and binary operators, behind `,` and `:`. None around `**`, `.`,
  `..`, the `=` of an argument and the `:` of a slice, or behind a sign. Within `[]` and in the
  values of `dim`, where dims and indices are computed, none around `*`, `/`, `//` and `%` either
  (`[B, 2*D + 1]`); in the bounds of a range or slice also none around `+` and `-` (`0..C-2`).
  The arguments of a call are no part of the brackets around it.
- Line breaks within a statement stay; blank lines there do not. A line that goes on begins under
  what follows the open bracket; where the bracket ends its line, four columns in. `->` stands under
  the first `->` of its chain, an operator outside of brackets under the `=`, an operand two columns
  further; where there is none to stand under, or it is more than forty columns to the right, the
  line begins four columns in. In the head of a body it is eight.
- A chain, or the head of a block, that is longer than 96 columns is broken before `->`. Nothing
  else is broken, and nothing joined but `}` and `else`.
- A body on one line stays there if it holds one statement, which has no body, and all that the
  braces belong to fits; so do those of its `else`.
- Comments stay as they are, but for blanks at their ends. Those on lines of their own are
  indented as what follows them. Behind code they are aligned anew, two columns from the longest of
  consecutive lines with comments; so are the doc strings, at one column, of consecutive
  declarations of one kind. Where one would then end beyond 96 columns, none of them is.
- Strings stay as they are; their line ends become LF, as in their values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from itertools import groupby, pairwise

from graphc.source import Source, Span
from graphc.syntax.format.lines import INDENT, WIDTH, Comment, Gap, Line, Word, break_lines, lay_out
from graphc.syntax.format.spacing import blanks
from graphc.syntax.lexing.characters import blank_forbidden
from graphc.syntax.lexing.tokens import HEADS_BODY, SEPARATOR, Token
from graphc.syntax.parse.parser import parse, tokens_of


def format_source(source: Source) -> str:
    """Return the canonical text; raises GraphError where the source does not parse.

    >>> format_source(Source("a.graph", "input x;y=2*x  # twice"))
    'input x\\ny = 2 * x  # twice\\n'
    """
    before = parse(source)
    words, end = _words(source)
    written = Writer(words).text(end)
    again = Source(source.name, written)
    if not is_same_tree(before, parse(again)) or _comments_of(words, end) != _comments_of(
        *_words(again)
    ):
        raise AssertionError(f"the canonical form of {source.name} is another program")
    return written


def is_same_tree(left: object, right: object) -> bool:
    """True if two trees differ in nothing but their spans."""
    pending = [(left, right)]
    while pending:
        one, other = pending.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, Span):
            continue
        if isinstance(one, tuple) and isinstance(other, tuple):
            if len(one) != len(other):
                return False
            pending += zip(one, other, strict=True)
        elif is_dataclass(one):
            pending += [(getattr(one, f.name), getattr(other, f.name)) for f in fields(one)]
        elif one != other:
            return False
    return True


def _words(source: Source) -> tuple[list[Word], Gap]:
    """Split a source into tokens with the gap before each, and the gap behind the last."""
    text = blank_forbidden(source.text)
    tokens = tokens_of(source)
    words: list[Word] = []
    end = 0
    for (previous, token), space in zip(pairwise((None, *tokens)), blanks(tokens), strict=True):
        if token is None or token.type == SEPARATOR:
            continue
        begins = previous is not None and previous.type == SEPARATOR
        gap = _gap(text[end : token.start_pos], not words)
        words.append(Word(token.type, _spelling(token), space, begins, gap))
        end = token.end_pos or 0
    return words, _gap(text[end:], not words)


def _comments_of(words: Sequence[Word], end: Gap) -> list[str]:
    """List the comments in their order, without blanks at their ends."""
    gaps = [*(word.gap for word in words), end]
    found = [(gap.trailing, *(comment.text for comment in gap.comments)) for gap in gaps]
    return [text for texts in found for text in texts if text]


def _spelling(token: Token) -> str:
    return token.value.replace("\r\n", "\n")


def _gap(text: str, first: bool) -> Gap:
    """Read the comments and line ends between two tokens, or at the beginning of the file."""
    trailing, found, newlines = "", list[Comment](), int(first)
    for match in re.finditer(r"#[^\n]*|\n", text):
        if match[0] == "\n":
            newlines += 1
        elif newlines:
            found.append(Comment(match[0].rstrip(), newlines > 1))
            newlines = 0
        else:
            trailing = match[0].rstrip()
    newline = bool(trailing or found or newlines)
    return Gap(trailing, tuple(found), newline, newlines > 1)


class Writer:
    """The lines of a file, statement by statement."""

    def __init__(self, words: Sequence[Word]) -> None:
        self.words = words
        self.lines: list[Line] = []
        self.bodies = _bodies(words)  # the closers of the braces that hold statements

    def text(self, end: Gap) -> str:
        self.statements(0, len(self.words), 0)
        self.above(end, 0, first=not self.words)
        align_docs(self.lines)
        align_comments(self.lines)
        written = "\n".join(
            f"{line.text}  {line.comment}" if line.comment else line.text for line in self.lines
        )
        return written + "\n" if written else ""

    def statements(self, start: int, stop: int, indent: int) -> None:
        at = start
        while at < stop:
            end = self.end(at, stop)
            gap = self.words[at].gap
            self.above(gap, indent, first=at == start)
            if gap.blank and (gap.comments or at > start):
                self.lines.append(Line(""))
            self.statement(at, end, indent)
            at = end

    def above(self, gap: Gap, indent: int, *, first: bool) -> None:
        """Write the comments before a statement, or before the end of a body."""
        if gap.trailing:
            self.lines[-1].comment = gap.trailing
        for number, comment in enumerate(gap.comments):
            if comment.blank and not (first and number == 0):
                self.lines.append(Line(""))
            self.lines.append(Line(" " * indent + comment.text))

    def end(self, at: int, stop: int) -> int:
        """Return the index behind the statement that begins at a word."""
        at = self.bodies.get(at, at) + 1
        while at < stop and not self.words[at].begins:
            at = self.bodies.get(at, at) + 1
        return at

    def statement(self, start: int, stop: int, indent: int) -> None:
        openers = []
        at = start
        while at < stop:
            if at in self.bodies:
                openers.append(at)
            at = self.bodies.get(at, at) + 1
        if openers and self.fits_a_line(openers):
            lines = lay_out(self.words[start:stop], indent, self.breaks(start, openers[0])).lines
            if all(line.width <= WIDTH for line in lines):
                self.lines += lines
                return
        begin = start
        for opener in openers:
            closer = self.bodies[opener]
            self.lines += break_lines(self.words[begin : opener + 1], indent)
            self.statements(opener + 1, closer, indent + INDENT)
            self.above(self.words[closer].gap, indent + INDENT, first=closer == opener + 1)
            begin = closer
        self.lines += break_lines(self.words[begin:stop], indent)

    def breaks(self, start: int, stop: int) -> set[int]:
        return {at - start for at in range(start + 1, stop) if self.words[at].gap.newline}

    def fits_a_line(self, openers: Sequence[int]) -> bool:
        """True if bodies hold at most one statement each, on the line of their braces."""
        for at in range(openers[0] + 1, self.bodies[openers[-1]] + 1):
            word = self.words[at]
            inner = at in self.bodies and at not in openers
            empty = word.kind == "RBRACE" and self.words[at - 1].kind == "LBRACE"
            comment = word.gap.trailing or word.gap.comments
            if inner or word.begins or comment or (word.gap.newline and not empty):
                return False
            if "\n" in word.text:
                return False
        return True


def _bodies(words: Sequence[Word]) -> dict[int, int]:
    """Map the `{` of each body to its `}`."""
    found: dict[int, int] = {}
    stack: list[int] = []
    head = ""
    for at, word in enumerate(words):
        if word.begins or not head:
            head = word.kind
        if word.kind == "LBRACE":
            body = head in HEADS_BODY
            stack.append(at if body else -1)
            head = "" if body else head
        elif word.kind == "RBRACE":
            opener = stack.pop()
            if opener >= 0:
                found[opener] = at
                head = ""  # what follows, if not the end, is `else`
    return found


# ---- what stands in one column -------------------------------------------------------


def align_comments(lines: Sequence[Line]) -> None:
    """Put the comments of consecutive lines into one column."""
    for commented, run in groupby(lines, lambda line: bool(line.comment)):
        if commented:
            _align([(line, line.width, len(line.comment) + 2) for line in run])


def align_docs(lines: Sequence[Line]) -> None:
    """Put the doc strings of consecutive declarations of one kind into one column."""
    for _, run in groupby(lines, lambda line: line.head):
        _align([(line, line.doc, len(line.text) - line.doc) for line in run if line.doc])


def _align(run: Sequence[tuple[Line, int, int]]) -> None:
    """Move what begins at a column of each line, and is so long, to the farthest of the columns."""
    farthest = max((column for _, column, _ in run), default=0)
    if all(farthest + length <= WIDTH for _, _, length in run):
        for line, column, _ in run:
            at = len(line.text) - line.width + column
            line.text = line.text[:at] + " " * (farthest - column) + line.text[at:]
