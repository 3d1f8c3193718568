"""What each word of a text is to a reader: tokens with the kinds of what they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from graphc.editor.names import Names
from graphc.editor.places import Edited
from graphc.highlight import GraphLexer

LONG = '"""'

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


def colours(names: Names, edited: Edited) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and kind of the tokens of the text as it is now, a line at most each."""
    for start, kind, word in _words(edited.after.text):
        told = WORDS.get(kind, "")
        if kind.startswith("Token.Name"):
            before = edited.back(start)
            found = None if before is None else names.at(before)
            if found is not None and found[0].name == word:
                told = NAMES.get(found[0].kind, "variable")
            told = told or "variable"
        if not told:
            continue
        for line in word.splitlines(keepends=True):
            bare = line.rstrip("\r\n")
            if bare:
                yield start, start + len(bare), told
            start += len(line)


def _words(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield place, kind and text of the tokens; lines that were read before are not read again."""
    if LONG in text:  # strings over several lines
        for start, kind, word in GraphLexer().get_tokens_unprocessed(text):
            yield start, str(kind), word
        return
    start = 0
    for line in text.splitlines(keepends=True):
        for at, kind, word in _line(line):
            yield start + at, kind, word
        start += len(line)


@lru_cache(maxsize=20_000)
def _line(line: str) -> tuple[tuple[int, str, str], ...]:
    found = GraphLexer().get_tokens_unprocessed(line)
    return tuple((at, str(kind), word) for at, kind, word in found if word.strip())
