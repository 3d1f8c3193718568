"""From the lexer's tokens to those that the parser sees: the newline rule and its tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from graphc.source import Source, Span


class Token(Protocol):
    """What is asked of a lexer's token, which is also the `str` of its text."""

    @property
    def type(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def start_pos(self) -> int | None: ...
    @property
    def end_pos(self) -> int | None: ...


SomeToken = TypeVar("SomeToken", bound=Token)


def token_span(source: Source, token: Token) -> Span:
    return Span(source, token.start_pos or 0, token.end_pos or 0)


SEPARATOR = "_SEP"
BAD = "BAD"
BINARY = frozenset({"CMP", "ADD", "MUL", "POW", "AND", "OR"})
CONTINUES_AFTER = BINARY | {"COMMA", "EQUAL", "TILDE", "ARROW", "LBRACE"}
CONTINUES_BEFORE = BINARY | {"ARROW", "RBRACE", "ELSE"}
OPENERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
CLOSERS = {closer: opener for opener, closer in OPENERS.items()}

# Nothing goes on before these: a line that begins with one begins a statement.
STATEMENT_WORDS = """
    IMPORT FROM DIM CONST INPUT PARAM OUTPUT INSTANCE REQUIRE COLLECT UNTIL RULE BLOCK SCAN IF
    DERIVE
"""
BEGINS_STATEMENT = frozenset(STATEMENT_WORDS.split())
HEADS_BODY = frozenset({"BLOCK", "REPEAT", "SCAN", "IF", "ELSE"})
ENDS_OPERAND = frozenset(
    {"NAME", "INT", "FLOAT", "STRING", "TRUE", "FALSE", "RPAR", "RSQB", "RBRACE"}
)
BEGINS_OPERAND = frozenset({"NAME", "INT", "FLOAT", "TRUE", "FALSE", "NOT"})


class NewlineRule:
    """The lexical rule of newlines, as a lark postlex: drops the separators that end nothing.

    A bracket that was never closed would swallow the rest of the file. So a line that cannot go on
    inside `()` or `[]` ends its statement all the same, and the parser then meets the mistake
    where it is. No valid text has such a line.
    """

    always_accept = (SEPARATOR, BAD)

    def process(self, stream: Iterable[SomeToken]) -> Iterator[SomeToken]:
        depth = 0  # of () and []
        outer_depths: list[int] = []  # the depths outside of the open braces
        previous = head = None
        separator: SomeToken | None = None
        for token in stream:
            kind = token.type
            if kind == SEPARATOR:
                separator = separator or token
                continue
            if separator is not None:
                if previous is None or previous == "LBRACE":
                    ends = False
                elif kind in BEGINS_STATEMENT:
                    ends = True
                elif depth:
                    ends = previous in ENDS_OPERAND and kind in BEGINS_OPERAND
                else:
                    ends = previous not in CONTINUES_AFTER and kind not in CONTINUES_BEFORE
                if ends:
                    yield separator
                    depth = 0
                    head = None
                separator = None
            head = head or kind
            if kind == "LPAR" or kind == "LSQB":
                depth += 1
            elif kind == "RPAR" or kind == "RSQB":
                depth = max(depth - 1, 0)
            elif kind == "LBRACE":
                outer_depths.append(depth)
                if head in HEADS_BODY:
                    depth = 0
                    head = None
            elif kind == "RBRACE":
                depth = outer_depths.pop() if outer_depths else 0
                head = None
            yield token
            previous = kind
