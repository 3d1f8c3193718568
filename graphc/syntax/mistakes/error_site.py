"""The place where the parser stopped, and the user's words for what stands there and what could."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from graphc.records import dataclass
from graphc.source import Source, Span
from graphc.syntax.lexing.tokens import BINARY, CLOSERS, OPENERS, SEPARATOR, Token, token_span

END = "$END"
KEYWORDS = """
    import as from dim const input param output instance require next collect until rule block
    repeat scan carry in if else derive wrt per residual or and not true false
"""
KEYWORD_TYPES = frozenset(KEYWORDS.upper().split())
DECLARED = frozenset({"DIM", "CONST", "INPUT", "PARAM", "OUTPUT"})
VALUED = DECLARED | {"NAME", "NEXT", "COLLECT", "RULE"}
OPERANDS = frozenset({"NAME", "INT", "FLOAT", "STRING", "TRUE", "FALSE", "LPAR", "LSQB"})
ENDS = frozenset({SEPARATOR, END, "RBRACE"})
UNNAMED = "this line computes a value but gives it no name"
OPEN = "a size that the caller chooses has a name: declare `dim B`"
NAME_IT = "write `name = ...` or end the chain with `-> name`"
SIGNS = {
    "COMMA": ",", "EQUAL": "=", "COLON": ":", "TILDE": "~", "ARROW": "->", "LPAR": "(",
    "RPAR": ")", "LSQB": "[", "RSQB": "]", "LBRACE": "{", "RBRACE": "}", "DOT": ".", "RANGE": "..",
    "ELLIPSIS": "...", "STARS": ".*", "UNDERSCORE": "_",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ErrorSite:
    """Where the parser stopped: in the statement from `first`, before `at`, and what it takes.

    `in_body` says whether the statement stands in the braces of another one.
    """

    source: Source
    tokens: Sequence[Token]
    first: int
    at: int
    accepted: Collection[str]
    in_body: bool

    @property
    def found(self) -> Token:
        return self.tokens[self.at]

    @property
    def previous(self) -> Token | None:
        """Return the token before, in the same statement."""
        return self.tokens[self.at - 1] if self.at > self.first else None

    @property
    def head(self) -> Token:
        return self.tokens[self.first]

    def span(self, token: Token) -> Span:
        return token_span(self.source, token)

    @property
    def caret(self) -> Span:
        """Return the span of the token found, or of the last where text or line ends too early."""
        if self.found.type in (END, SEPARATOR) and self.at:
            return self.span(self.tokens[self.at - 1])
        return self.span(self.found)

    def operand_missing(self) -> bool:
        return {"NAME", "INT", "LPAR"} <= set(self.accepted)

    def operand_complete(self) -> bool:
        return "ADD" in self.accepted and "INT" not in self.accepted

    def in_value(self) -> bool:
        """True if the mistake lies in the value of a definition, behind its `=`."""
        before = {token.type for token in self.tokens[self.first : self.at]}
        return "EQUAL" in before and self.head.type in VALUED

    def begins_axis(self) -> bool:
        """True if an axis of a declaration begins here: `input x: [` or `[3,`."""
        previous = self.previous
        opened = [one.type for one in self.openers()] == ["LSQB"]
        begins = previous is not None and previous.type in ("LSQB", "COMMA")
        return self.head.type in DECLARED and opened and begins and not self.in_value()

    def closes_nothing(self) -> bool:
        """True if a `}` was found that is one too many, between statements."""
        between = SEPARATOR in self.accepted or self.at == self.first
        return self.found.type == "RBRACE" and between and not (self.in_body or self.openers())

    def touches(self) -> bool:
        """True if no blank stands before the token found."""
        previous = self.previous
        return previous is not None and previous.end_pos == self.found.start_pos

    def openers(self) -> list[Token]:
        """List the brackets that the statement has opened and not closed."""
        return open_brackets(self.tokens[self.first : self.at])


def open_brackets(tokens: Iterable[Token]) -> list[Token]:
    openers: list[Token] = []
    for token in tokens:
        if token.type in OPENERS:
            openers.append(token)
        elif token.type in CLOSERS and openers:
            openers.pop()
    return openers


FORMS = {
    "IMPORT": '`import "file.graph" as name`',
    "FROM": '`from "file.graph" import name`',
    "DIM": "`dim B, T` or `dim D = 64`",
    "CONST": "`const name = value`",
    "INPUT": "`input x: [B, 3]`",
    "PARAM": "`param W: [3, 4] ~ glorot`",
    "OUTPUT": "`output y` or `output y: [B, 3] = ...`",
    "INSTANCE": "`instance name = block(...)`",
    "REQUIRE": '`require cond "why"`',
    "NEXT": "`next h = ...`",
    "COLLECT": "`collect ys = ...`",
    "UNTIL": "`until cond`",
    "RULE": "`rule vjp x = ...` or `rule jvp y = ...`",
    "BLOCK": "`block name(x: [..., K], n: int) -> y: [..., n] { ... }`",
    "REPEAT": "`repeat layer[k in 1..L] carry h = x { ... }`",
    "SCAN": "`scan step[t in T] carry h = h0 { ... }`",
    "IF": "`if cond { ... } else { ... }`",
    "DERIVE": "`derive grad loss wrt params as name`",
    "RESIDUAL": "`x -> residual { ... } -> y`",
}
FORMS_HELP = {kind: f"it is written {form}" for kind, form in FORMS.items()}


def describe_token(token: Token) -> str:
    if token.type == END:
        return "the end of the file"
    if token.type == SEPARATOR:
        return "`;`" if token.value.startswith(";") else "the end of the line"
    if token.type == "STRING":
        return "a string"
    text = token.value if len(token.value) <= 40 else token.value[:37] + "..."
    return f"`{text}`"


def describe_expected(accepted: Collection[str]) -> str:
    """Name the kinds of token that the parser takes, in the user's words: `a name, `,` or `)``."""
    left = set(accepted)
    words: list[str] = []
    if "DERIVE" in left:
        return "a statement"
    if {"NAME", "INT", "LPAR"} <= left:
        words.append("an expression")
        left -= OPERANDS | {"ADD", "NOT"}
    elif {"NAME", "RESIDUAL"} <= left:
        words.append("an operation, a block or a name")
        left -= {"NAME", "RESIDUAL", "REPEAT", "NEXT", "LPAR"}
    elif {"NAME", "LSQB"} <= left:
        words.append("a type")
        left -= {"NAME", "LSQB"}
    elif "ADD" in left:
        left -= BINARY | {"LPAR", "LSQB", "DOT", "AS"}
        if not left:
            words.append("an operator")
    if left & ENDS:
        words.append("the end of the line" if left & {SEPARATOR, END} else "`}`")
        left -= ENDS
    singles = {"NAME": "a name", "INT": "a number", "STRING": "a string"}
    if left - {"STRING"} or words:
        left.discard("STRING")  # a doc string, which may stand anywhere
    words += [singles[kind] for kind in singles if kind in left]
    words += sorted(f"`{SIGNS.get(kind, kind.lower())}`" for kind in left if kind not in singles)
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
