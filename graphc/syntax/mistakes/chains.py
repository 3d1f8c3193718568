"""The syntax mistakes of chains, and of several names: recognisers for `diagnose.py`."""

from __future__ import annotations

from graphc.source import Diagnostic, error
from graphc.syntax.lexing.tokens import BINARY
from graphc.syntax.mistakes.error_site import (
    DECLARED,
    ENDS,
    FORMS_HELP,
    OPERANDS,
    ErrorSite,
    describe_token,
)


def empty_stage(place: ErrorSite) -> Diagnostic | None:
    previous = place.previous
    if place.found.type == "ARROW" and previous is None:
        help = "write `x -> ...`"
        return error("E101", "an edge needs a source", place.span(place.found), help=help)
    if previous is None or previous.type != "ARROW" or "RESIDUAL" not in place.accepted:
        return None
    if place.found.type == "ARROW":
        message = "an operation is missing between `->` and `->`"
        return error("E101", message, place.span(place.found))
    if place.found.type in ENDS | {"RPAR", "COMMA", "EQUAL"}:
        help = "a chain ends in the name that it defines: `-> name`"
        return error("E101", "nothing follows `->`", place.span(previous), help=help)
    if place.found.type == "LBRACE":
        help = "write `residual { ... }` or `repeat layer[k in 1..L] { ... }`"
        return error("E101", "braces need a word before them", place.span(place.found), help=help)
    return None


def stage(place: ErrorSite) -> Diagnostic | None:
    """Recognise arithmetic, a list or round brackets, where a chain has a stage."""
    found, previous = place.found, place.previous
    if previous is None or not _in_chain(place):
        return None
    if previous.type == "ARROW" and found.type == "LSQB":
        help = "a fork stands in parentheses: `x -> (f, g) -> add -> y`"
    elif previous.type == "RESIDUAL" and found.type == "LPAR":
        help = FORMS_HELP["RESIDUAL"]
    elif (previous.type == "ARROW" and found.type in OPERANDS | BINARY | {"NOT"}) or (
        found.type in BINARY and "ARROW" in place.accepted
    ):
        help = "arithmetic stands in an equation: `y = ...`"
    else:
        return None
    message = f"a stage is an operation, a block or a fork, found {describe_token(found)}"
    return error("E101", message, place.span(found), help=help)


def edge_of_equation(place: ErrorSite) -> Diagnostic | None:
    """Recognise `y = x -> tanh`, also of an output."""
    before = place.tokens[place.first : place.at]
    if place.found.type != "ARROW" or place.openers() or not place.operand_complete():
        return None
    keyword = place.head.type in ("OUTPUT", "NEXT")
    name = before[keyword] if len(before) > keyword else place.head
    equal = next((token for token in before if token.type == "EQUAL"), None)
    if equal is None or name.type != "NAME" or (not keyword and before[1] is not equal):
        return None
    value = place.source.text[equal.end_pos : place.found.start_pos].strip()
    line = place.source.text[place.found.end_pos :].partition("\n")[0]
    stages = line.partition("#")[0].partition(";")[0].strip()
    end = f"next {name.value}" if place.head.type == "NEXT" else name.value
    also = f", and `output {name.value}`" if place.head.type == "OUTPUT" else ""
    help = f"a chain ends in what it defines: `{value} -> {stages} -> {end}`"
    message = "a chain of edges is no value of an equation"
    return error("E101", message, place.span(place.found), help=help + also)


def _in_chain(place: ErrorSite) -> bool:
    return any(token.type == "ARROW" for token in place.tokens[place.first : place.at]) and (
        place.head.type not in (*DECLARED, "BLOCK", "DERIVE")
    )


def several_values(place: ErrorSite) -> Diagnostic | None:
    """Recognise `a, b = x, y` and `(a, b) = ...`."""
    between = [token.type for token in place.tokens[place.first : place.at]]
    if not between or place.found.type != "COMMA" or place.head.type in ("DERIVE", "BLOCK", "DIM"):
        return None
    span = place.span(place.found)
    if place.head.type == "LPAR" and between.count("LPAR") == 1 and set(between[1:]) == {"NAME"}:
        message = "names that are defined stand without parentheses"
        return error("E101", message, place.span(place.head), help="write `a, b = ...`")
    if "EQUAL" in between and not place.openers() and place.operand_complete():
        help = "an equation for each: `a = ...`; several names take what one call gives"
        return error("E101", "an equation has one value", span, help=help)
    return None
