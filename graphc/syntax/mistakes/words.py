"""Recognisers of words: reserved, misspelt, or out of place."""

from __future__ import annotations

from graphc.kinds import KINDS
from graphc.source import Diagnostic, did_you_mean, error
from graphc.syntax.lexing.tokens import BINARY
from graphc.syntax.mistakes.clauses import shape_as_declared
from graphc.syntax.mistakes.error_site import (
    DECLARED,
    FORMS,
    FORMS_HELP,
    KEYWORD_TYPES,
    OPERANDS,
    ErrorSite,
    describe_token,
)
from graphc.syntax.mistakes.habits import (
    first_word_remedy,
)

CALLED_ELSEWHERE = {
    "REPEAT": "elements are repeated by `repeat_elements(x, 2, axis=0)`, the whole by `tile(x, 2)`",
    "SCAN": FORMS_HELP["SCAN"],
}
"""Keywords that are functions elsewhere, and what they are here."""


def reserved_word(place: ErrorSite) -> Diagnostic | None:
    """Recognise a keyword where only a name can stand, or where an equation would begin."""
    found, head = place.found, place.head
    as_name = found.type in BINARY | {"EQUAL", "ARROW", "COLON", "COMMA", "DOT"}
    if as_name and place.at == place.first + 1 and head.type in KEYWORD_TYPES:
        help = f"call it `{head.value}_`"
        if head.type in DECLARED and found.type == "COLON":
            help += f", or write `{head.value} {place.tokens[place.at + 1].value}`"
        elif head.type in DECLARED:
            help += f", or write `{head.value} name {found.value} ...`"
        return error("E104", f"`{head.value}` is a reserved word", place.span(head), help=help)
    if found.type == "IF" and place.previous is not None:
        return error(
            "E101",
            "`if` is a statement, not an operator",
            place.span(found),
            help="for values use where(cond, a, b)",
        )
    if found.type in KEYWORD_TYPES and "NAME" in place.accepted:
        following = place.tokens[place.at + 1 : place.at + 2]
        group = f"{found.value}s" if found.type in ("PARAM", "INPUT") else ""
        is_axis = found.type == "DIM" and following and following[0].type == "EQUAL"
        before = place.previous.type if place.previous is not None else None
        help = f"call it `{found.value}_`"
        if is_axis and before in ("LPAR", "COMMA"):
            help = "an axis is given by `axis=`"
        elif following and following[0].type == "LPAR" and found.type in CALLED_ELSEWHERE:
            help = CALLED_ELSEWHERE[found.type]
        elif group and place.head.type == "DERIVE" and before in ("WRT", "COMMA"):
            help = f"all of them are `{group}`"
        elif found.type in ("INPUT", "PARAM") and before == "EQUAL" and place.at == place.first + 2:
            help = f"write `{found.value} {place.head.value}: {shape_as_declared(place)}`"
        return error("E104", f"`{found.value}` is a reserved word", place.span(found), help=help)
    return None


def misspelt_keyword(place: ErrorSite) -> Diagnostic | None:
    """Recognise two words at the beginning of a line, the first of which is no keyword."""
    if place.at != place.first + 1 or place.head.type != "NAME":
        return None
    if place.found.type not in OPERANDS or place.found.type == "LPAR":
        return None
    help = did_you_mean(place.head.value, (word.lower() for word in FORMS))
    if place.head.value in KINDS:
        help = f"a function is asked for by `derive`: `derive {place.head.value} ...`"
    help = first_word_remedy(place.head.value) or help
    return error(
        "E101",
        f"expected `=` or `->` after `{place.head.value}`, found {describe_token(place.found)}",
        place.caret,
        help=help or "a definition is written `name = ...`",
    )


def stray_else(place: ErrorSite) -> Diagnostic | None:
    """Recognise an `else` behind no `if`."""
    if place.found.type != "ELSE":
        return None
    return error(
        "E101",
        "`else` without `if`",
        place.span(place.found),
        help="`else` follows the `}` of an `if`",
    )
