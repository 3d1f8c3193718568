"""What each word of a text is to a reader: tokens with the kinds of what they stand for."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from graphc.editor.names import Names
from graphc.editor.places import Count, Edited
from graphc.highlight import LONG_STRING, STRING, GraphLexer
from graphc.source import Source

LONG = '"""'
PIECE = re.compile(rf"(?:{LONG_STRING}|#[^\n]*|{STRING}|[^\n])*\n?")
"""A line, with all of a string that goes over several."""

KINDS = (
    "keyword", "comment", "string", "number", "operator", "type", "function", "class", "parameter",
    "variable", "property", "namespace", "enumMember", "macro",
)  # fmt: skip
"""The kinds of the protocol that are used; a token has the place of its kind."""

WORDS = {
    "Token.Comment.Single": "comment",
    "Token.Keyword": "keyword",
    "Token.Keyword.Declaration": "keyword",
    "Token.Keyword.Namespace": "keyword",
    "Token.Keyword.Constant": "enumMember",
    "Token.Keyword.Type": "type",
    "Token.Literal.String": "string",
    "Token.Literal.String.Doc": "comment",
    "Token.Literal.Number.Float": "number",
    "Token.Literal.Number.Integer": "number",
    "Token.Name.Constant": "enumMember",
    "Token.Name.Function": "function",
    "Token.Operator": "operator",
    "Token.Operator.Word": "keyword",
}
NAMES = {
    "input": "parameter",
    "port": "parameter",
    "parameter": "property",
    "constant": "enumMember",
    "dim": "type",
    "block": "class",
    "instance": "class",
    "file": "namespace",
    "loop": "namespace",
    "index": "macro",
}


Token = tuple[int, int, str]  # column, length and kind, in characters
Line = tuple[Token, ...]


def colours(names: Names, edited: Edited, known: Sequence[Line] = ()) -> list[Line]:
    """List the tokens of each line of the text as it is now.

    Those of lines that are as they were are `known`, where no string goes over several lines.
    """
    source = edited.after
    count, first, same = len(source.line_starts), 0, 0
    if known and LONG not in edited.before.text and LONG not in source.text:
        first = source.position(edited.start)[0] - 1
        same = count - bisect_right(source.line_starts, len(source.text) - edited.end)
    fresh: list[list[Token]] = [[] for _ in range(first, count - same)]
    for start, kind, word in _words(source, first, count - same):
        told = WORDS.get(kind, "")
        if kind.startswith("Token.Name"):
            before = edited.back(start)
            found = None if before is None else names.at(before)
            if found is not None and found[0].name == word:
                told = NAMES.get(found[0].kind, "variable")
            told = told or "variable"
        if told:
            line, column = source.position(start)
            for more, part in enumerate(word.split("\n")):
                bare = len(part.rstrip("\r"))
                if bare:
                    token = (0 if more else column - 1, bare, told)
                    fresh[line - 1 + more - first].append(token)
    return [*known[:first], *map(tuple, fresh), *known[len(known) - same :]]


def _words(source: Source, first: int, last: int) -> Iterator[tuple[int, str, str]]:
    """Yield place, kind and text of the tokens of some lines; a piece that was read is kept."""
    starts = (*source.line_starts, len(source.text))
    text = source.text[starts[first] : starts[last]]
    start = starts[first]
    for piece in PIECE.findall(text) if LONG in text else text.splitlines(keepends=True):
        for at, kind, word in _read(piece):
            yield start + at, kind, word
        start += len(piece)


@lru_cache(maxsize=20_000)
def _read(piece: str) -> tuple[tuple[int, str, str], ...]:
    found = GraphLexer().get_tokens_unprocessed(piece)
    return tuple((at, str(kind), word) for at, kind, word in found if word.strip())


def encoded(lines: Iterable[Line], source: Source, count: Count) -> list[int]:
    """Return tokens as the protocol has them: five numbers each, places counted from the last."""
    data: list[int] = []
    before = 0
    plain = source.text.isascii()
    for number, line in enumerate(lines):
        if line:
            data.append(number - before)
            data += _encoded(line, "" if plain else source.line(number + 1), count)
            before = number
    return data


@lru_cache(maxsize=20_000)
def _encoded(line: Line, text: str, count: Count) -> list[int]:
    """Return the tokens of a line but for the first number; of a text characters are counted."""
    data, before = [], 0
    for column, length, kind in line:
        start, size = column, length
        if text:
            start, size = count(text[:column]), count(text[column : column + length])
        data += [0, start - before, size, KINDS.index(kind), 0]
        before = start
    return data[1:]
