"""From a Source to its syntax tree and every syntax mistake of the file."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from lark import Lark, Token
from lark.exceptions import UnexpectedInput, UnexpectedToken

from graphc.records import dataclass
from graphc.source import Diagnostic, GraphError, Source
from graphc.syntax import tree
from graphc.syntax.lexing.characters import (
    blank_forbidden,
    forbidden_characters,
    foreign_characters,
    read_source,
)
from graphc.syntax.lexing.tokens import HEADS_BODY, SEPARATOR
from graphc.syntax.mistakes.diagnose import diagnose
from graphc.syntax.mistakes.doc_strings import misplaced_docs
from graphc.syntax.mistakes.error_site import ErrorSite
from graphc.syntax.parse.build import Draft
from graphc.syntax.parse.tables import parser_of

if TYPE_CHECKING:
    from lark.parsers.lalr_interactive_parser import InteractiveParser

__all__ = ["Parsed", "parse", "parse_with_recovery", "read_source"]

_LOCK = Lock()  # one parser, one draft: files are parsed one after the other


@dataclass(frozen=True, slots=True)
class Parsed:
    """The statements of a file that could be read, and all mistakes in the others."""

    file: tree.File
    diagnostics: tuple[Diagnostic, ...]


def parse(source: Source) -> tree.File:
    """Parse a file; raises GraphError with all its syntax mistakes, in order of the text.

    >>> parse(Source("a.graph", "y = x + 1")).statements[0].value.op
    '+'
    """
    found = parse_with_recovery(source)
    if found.diagnostics:
        raise GraphError(found.diagnostics)
    return found.file


def parse_with_recovery(source: Source) -> Parsed:
    """Parse what can be read of a file; its mistakes are returned beside it, in order of the text.

    >>> found = parse_with_recovery(Source("a.graph", "y = x * / 2\\nz = x"))
    >>> [statement.span.text for statement in found.file.statements], len(found.diagnostics)
    (['z = x'], 1)
    """
    mistakes = forbidden_characters(source)
    text = blank_forbidden(source.text)
    with _LOCK:
        parser, draft = _parser()
        draft.source, draft.mistakes = source, []
        try:
            read: Any = parser.parse(text)
            statements: tuple[tree.Statement, ...] = read.value
            mistakes += draft.mistakes + misplaced_docs(statements)
        except UnexpectedInput:
            draft.mistakes = []
            # A line with a character that was taken for a blank says no more than that.
            lines = {mistake.span.line for mistake in mistakes if mistake.span}
            found, statements = _recover(parser, draft, text)
            mistakes += [m for m in found if not lines or (m.span and m.span.line not in lines)]
        finally:
            draft.source, draft.mistakes = _NOWHERE, []
    in_order = sorted(mistakes, key=lambda one: one.span.start if one.span else 0)
    return Parsed(tree.File(source.whole, statements), tuple(in_order))


_NOWHERE = Source("", "")


@cache
def _parser() -> tuple[Lark, Draft]:
    """Make the parser of the language and the draft that it fills, once."""
    draft = Draft(_NOWHERE, [])
    return parser_of(draft.callbacks()), draft


def tokens_of(source: Source) -> list[Token]:
    """List the tokens of a source, comments and the newlines that end nothing left out."""
    lark, _ = _parser()
    parser = lark.parse_interactive(blank_forbidden(source.text))
    return list(parser.lexer_thread.lex(parser.parser_state))  # type: ignore[no-untyped-call]


def _recover(
    lark: Lark, draft: Draft, text: str
) -> tuple[list[Diagnostic], tuple[tree.Statement, ...]]:
    """Return a mistake for each faulty statement of a text, and the other statements.

    The parser's state is kept at the beginning of each statement. After a mistake it goes back
    there, takes a doc string in place of the statement, and goes on behind it; where the mistake
    is in the head of a block or loop, it takes `if true` for the head and goes on in the braces.
    """
    parser = lark.parse_interactive(text)
    tokens = [*parser.lexer_thread.lex(parser.parser_state)]  # type: ignore[no-untyped-call]
    tokens.append(Token("$END", "", len(text), end_pos=len(text)))
    found: list[Diagnostic] = []
    # Where the open statements begin: their first tokens, and the states and mistakes before them.
    begun: list[tuple[int, InteractiveParser, int]] = []
    bodies: list[bool] = []  # of the open braces: do they hold statements, rather than stages?
    mark = (0, parser)  # a token, and the state before it, from which `rewind` starts over

    def keep() -> tuple[int, InteractiveParser]:
        return at, parser.copy(deepcopy_values=False)  # type: ignore[no-untyped-call]

    def begin() -> None:
        begun.append((*keep(), len(draft.mistakes)))

    def feed(*words: tuple[str, str]) -> None:
        for kind, word in words:
            parser.feed_token(Token(kind, word, tokens[at].start_pos, end_pos=tokens[at].end_pos))

    def rewind() -> InteractiveParser:
        """Return the parser before the token that it refused, with all its choices."""
        start, state = mark
        again: InteractiveParser = state.copy(deepcopy_values=False)  # type: ignore[no-untyped-call]
        for earlier in tokens[start:at]:
            again.feed_token(earlier)
        return again

    at = 0
    begin()
    mark = keep()
    read: Any = None
    while at < len(tokens):
        token = tokens[at]
        try:
            read = parser.feed_token(token)
        except UnexpectedToken:
            first, state, known = begun[-1]
            parser = rewind()
            place = ErrorSite(draft.source, tokens, first, at, parser.accepts(), any(bodies))  # type: ignore[no-untyped-call]
            del draft.mistakes[known:]
            diagnostic = diagnose(place)
            # A name that is a reserved word is one mistake, however often it is used.
            if diagnostic.code != "E104" or all(d.message != diagnostic.message for d in found):
                found.append(diagnostic)
            if token.type == "$END" and "RBRACE" in place.accepted:
                # The last word on this file, of which the end is missing.
                read = _close_braces(parser, token, len(bodies))
                break
            if place.closes_nothing():
                # The statement before it, if there is one, is sound.
                if SEPARATOR not in place.accepted:
                    feed(("STRING", '""'))
                at += 1
                mark = keep()
                continue
            end = _end_of_statement(tokens, first, at)
            body = _body(tokens, first, at, end)
            found += foreign_characters(draft.source, tokens[at + 1 : body or end])
            while bodies and not bodies[-1]:
                bodies.pop()
            parser = state.copy(deepcopy_values=False)  # type: ignore[no-untyped-call]
            if body is not None:
                feed(("IF", "if"), ("TRUE", "true"), ("LBRACE", "{"))
                bodies.append(True)
                at = body + 1
                begin()
            else:
                feed(("STRING", '""'))
                at = end
                begun[-1] = (at, state, known)
            mark = keep()
            continue
        at += 1
        if token.type == SEPARATOR:
            begun.pop()
            begin()
            mark = keep()
        elif token.type == "LBRACE":
            bodies.append("DERIVE" in parser.choices())  # type: ignore[no-untyped-call]
            if bodies[-1]:
                begin()
                mark = keep()
        elif token.type == "RBRACE" and bodies.pop():
            begun.pop()
            mark = keep()
    statements = read.value if read is not None else ()
    return [*found, *draft.mistakes], tuple(s for s in statements if not _is_stand_in(s))


def _close_braces(parser: InteractiveParser, end: Token, braces: int) -> Any:
    """Return what was read once the open braces are closed; None where that does not help."""
    try:
        for _ in range(braces):
            parser.feed_token(Token("RBRACE", "}", end.start_pos, end_pos=end.end_pos))
        return parser.feed_token(end)
    except UnexpectedToken:
        return None


def _is_stand_in(statement: tree.Statement) -> bool:
    """True for the doc string that was taken in place of a statement with a mistake."""
    return isinstance(statement, tree.Doc) and not statement.text


def _end_of_statement(tokens: list[Token], first: int, at: int) -> int:
    """Return the index of the separator, brace or end behind the mistake at `tokens[at]`."""
    if tokens[at].type == SEPARATOR:
        return at
    depth = 0
    for index in range(first, len(tokens)):
        kind = tokens[index].type
        depth += kind == "LBRACE"
        if index >= at and depth == 0 and kind in (SEPARATOR, "RBRACE"):
            return index
        depth -= kind == "RBRACE"
    return len(tokens) - 1


PYTHON_HEADS = frozenset({"def", "class", "for", "while", "elif"})


def _body(tokens: list[Token], first: int, at: int, end: int) -> int | None:
    """Find the `{` behind a mistake in the head of a block, loop or condition, if it is in one."""
    head = tokens[first]
    heads_body = head.type in HEADS_BODY or head.value in PYTHON_HEADS
    in_head = heads_body and all(token.type != "LBRACE" for token in tokens[first:at])
    if not in_head and tokens[at].type != "ELSE":
        return None
    return next((index for index in range(at, end) if tokens[index].type == "LBRACE"), None)
