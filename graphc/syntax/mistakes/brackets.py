"""Recognisers of brackets that close nothing, or are never closed."""

from __future__ import annotations

from graphc.source import Diagnostic, error
from graphc.syntax.lexing.tokens import CLOSERS, OPENERS, SEPARATOR
from graphc.syntax.mistakes.error_site import (
    END,
    ENDS,
    SIGNS,
    ErrorSite,
    describe_token,
    open_brackets,
)


def extra_closer(place: ErrorSite) -> Diagnostic | None:
    """Recognise a bracket that closes nothing, or one of another kind."""
    kind = place.found.type
    if kind not in CLOSERS:
        return None
    openers = place.openers()
    sign = SIGNS[kind]
    if not openers:
        if kind == "RBRACE" and not place.closes_nothing():
            return None
        opener = SIGNS[CLOSERS[kind]]
        help = f"delete it, or add the missing `{opener}`"
        return error("E107", f"`{sign}` closes nothing", place.span(place.found), help=help)
    opened = openers[-1]
    if opened.type == CLOSERS[kind] or kind == "RBRACE":
        return None
    return error(
        "E107",
        f"`{sign}` cannot close `{opened.value}`",
        place.span(place.found),
        help=f"a `{SIGNS[OPENERS[opened.type]]}` is missing",
        notes=[f"`{opened.value}` is opened at {place.span(opened)}"],
    )


def unclosed_bracket(place: ErrorSite) -> Diagnostic | None:
    """Recognise a bracket that is open where a statement ends."""
    openers = place.openers()
    late = ENDS | {"LBRACE", "ARROW"} if place.head.type == "BLOCK" else ENDS | {"LBRACE"}
    if not openers or place.found.type not in late:
        return None
    opened = openers[-1]
    if opened.type == "LBRACE" and place.found.type != SEPARATOR:
        return None
    closer = SIGNS[OPENERS[opened.type]]
    return error(
        "E107",
        f"`{opened.value}` is never closed",
        place.span(opened),
        help=f"a `{closer}` is missing, at the latest before {describe_token(place.found)}",
    )


def unclosed_body(place: ErrorSite) -> Diagnostic | None:
    """Recognise a file that ends inside a block."""
    if place.found.type != END or "RBRACE" not in place.accepted:
        return None
    openers = [t for t in open_brackets(place.tokens[: place.at]) if t.type == "LBRACE"]
    notes = [f"`{{` is opened at {place.span(openers[-1])}"] if openers else []
    return error(
        "E107", "the file ends inside a block", place.caret, help="a `}` is missing", notes=notes
    )
