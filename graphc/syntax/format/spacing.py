"""Spacing: between which tokens of a line the canonical form has a blank."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.records import dataclass
from graphc.syntax.lexing.tokens import CLOSERS, ENDS_OPERAND, OPENERS, SEPARATOR, Token

OPERAND_ENDS = ENDS_OPERAND | {"UNDERSCORE", "ELLIPSIS"}
TIGHT = frozenset({"POW", "DOT", "RANGE"})
TIGHT_BEFORE = frozenset({"COMMA", "COLON", "RPAR", "RSQB", "STARS"})
INDEX_MARKS = frozenset({"COLON", "RANGE"})


@dataclass(slots=True)
class Bracket:
    """A bracket that is open: what it is, and at which of its parts, between commas, one stands."""

    opener: int  # the index of its token; -1 outside of all brackets
    kind: str
    role: str  # of a `(`: call, ports or group
    dims: bool  # is what stands in it the arithmetic of dims and indices?
    part: int = 0


def blanks(tokens: Sequence[Token]) -> list[bool]:
    """Tell for each token if a blank stands before it; of no account where it begins a line.

    >>> from graphc.source import Source
    >>> from graphc.syntax.parse.parser import tokens_of
    >>> tokens = tokens_of(Source("a.graph", "x:[2 * D]=f( y,axis = - 1 )**2"))
    >>> "".join(" " * blank + token for blank, token in zip(blanks(tokens), tokens))
    'x: [2*D] = f(y, axis=-1)**2'
    """
    tight, signs = _tight(tokens)
    found = []
    for at, token in enumerate(tokens):
        previous = tokens[at - 1].type if at else SEPARATOR
        if previous == SEPARATOR:
            blank = False
        elif token.type == "DOT" and previous == "INT":
            # `a.3 .4` names a member of a member; `3.4` would be one number.
            blank = at + 1 < len(tokens) and tokens[at + 1].type == "INT"
        elif previous == "COMMA":
            blank = token.type not in ("RPAR", "RSQB")
        elif at in tight or at - 1 in tight or at - 1 in signs or token.type in TIGHT_BEFORE:
            blank = False
        elif token.type in ("LPAR", "LSQB"):
            blank = previous not in (*OPERAND_ENDS, "LPAR", "LSQB")
        elif token.type == "RBRACE" and previous == "LBRACE":
            blank = False
        else:
            blank = previous not in ("LPAR", "LSQB")
        found.append(blank)
    return found


def _tight(tokens: Sequence[Token]) -> tuple[set[int], set[int]]:
    """Find the tokens with no blank around them, and the signs, which have none behind them."""
    tight: set[int] = set()
    signs: set[int] = set()
    sums: dict[tuple[int, int], list[int]] = {}  # by bracket and part: the + and - there
    bounds: set[tuple[int, int]] = set()  # the parts that hold a slice or a range
    outside = Bracket(-1, "", "", False)
    stack = [outside]
    for at, token in enumerate(tokens):
        kind = token.type
        previous = tokens[at - 1].type if at else SEPARATOR
        if kind in CLOSERS and len(stack) > 1:  # a text with mistakes closes what is not open
            stack.pop()
        bracket = stack[-1]
        place = bracket.opener, bracket.part
        in_index = bracket.kind == "LSQB"
        if kind in OPENERS:
            stack.append(_bracket_at(tokens, at, bracket))
        elif kind == "COMMA":
            bracket.part += 1
        elif kind == "DIM":
            outside.dims = True
        if kind in ("LBRACE", SEPARATOR):
            outside.dims = False
        if kind == "ADD" and previous not in OPERAND_ENDS:
            signs.add(at)
        elif kind == "ADD":
            sums.setdefault(place, []).append(at)
        elif (
            kind in TIGHT
            or (kind == "MUL" and bracket.dims and token.value != "@")
            or (kind == "EQUAL" and bracket.role == "call")
            or (kind == "COLON" and in_index)
        ):
            tight.add(at)
        if kind in INDEX_MARKS and in_index:
            bounds.add(place)
    for place in bounds:
        tight.update(sums.get(place, ()))
    return tight, signs


def _bracket_at(tokens: Sequence[Token], at: int, around: Bracket) -> Bracket:
    kind = tokens[at].type
    if kind != "LPAR":
        return Bracket(at, kind, "", kind == "LSQB")
    if at >= 2 and tokens[at - 2].type == "BLOCK":
        return Bracket(at, kind, "ports", False)
    if at and tokens[at - 1].type in OPERAND_ENDS:
        return Bracket(at, kind, "call", False)
    return Bracket(at, kind, "group", around.dims)
