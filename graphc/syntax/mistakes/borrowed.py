"""Forms that other notations have, where this one has another: recognisers for `diagnose.py`."""

from __future__ import annotations

from graphc.source import Diagnostic, error
from graphc.syntax.lexing.tokens import HEADS_BODY
from graphc.syntax.mistakes.error_site import FORMS_HELP, ErrorSite


def dotted(place: ErrorSite) -> Diagnostic | None:
    """Recognise `tanh.(x)` and `x .+ y` of Julia and MATLAB."""
    previous, found = place.previous, place.found
    if previous is None or previous.type != "DOT" or not place.touches():
        return None
    span = place.span(previous).to(place.span(found))
    if found.type == "LPAR":
        named = place.tokens[place.at - 2] if place.at - 2 >= place.first else None
        if named is None or named.type != "NAME":
            return None
        help = f"without the dot: `{named.value}(x)` is of each element"
        return error("E101", "no dot stands before arguments", span, help=help)
    if found.type in ("ADD", "MUL", "POW", "CMP"):
        help = f"arithmetic is of each element: write `{found.value}`"
        return error("E103", f"`.{found.value}` is not an operator", span, help=help)
    return None


def slice_in_parentheses(place: ErrorSite) -> Diagnostic | None:
    """Recognise `x(1, :)` and `x(1:2)` of MATLAB."""
    openers = place.openers()
    if place.found.type != "COLON" or not openers or openers[-1].type != "LPAR":
        return None
    at = next(i for i in range(place.at) if place.tokens[i] is openers[-1])
    named = place.tokens[at - 1] if at > place.first else None
    if named is None or named.type != "NAME" or named.end_pos != openers[-1].start_pos:
        return None
    help = f"a part of an array stands in square brackets, counted from 0: `{named.value}[0, :]`"
    return error("E101", "arguments have no `:`", place.span(place.found), help=help)


def body_after_a_colon(place: ErrorSite) -> Diagnostic | None:
    """Recognise `if x > 0:` of Python."""
    if place.found.type != "COLON" or place.openers() or place.head.type not in BODIES:
        return None
    help = FORMS_HELP[place.head.type]
    help += "; for values use where(cond, a, b)" if place.head.type == "IF" else ""
    return error("E101", "no body begins with `:`", place.span(place.found), help=help)


BODIES = ("IF", "REPEAT", "SCAN")


def range_in_an_index(place: ErrorSite) -> Diagnostic | None:
    """Recognise `x[1..3]`."""
    openers = place.openers()
    if place.found.type != "RANGE" or not openers or openers[-1].type != "LSQB":
        return None
    help = "a slice is written `x[1:3]`, from position 1 to before 3"
    return error("E101", "an index has no `..`", place.span(place.found), help=help)


def type_behind_a_shape(place: ErrorSite) -> Diagnostic | None:
    """Recognise `input x: [3]float`."""
    previous, found = place.previous, place.found
    if found.type != "NAME" or previous is None or previous.type != "RSQB" or not place.touches():
        return None
    if place.head.type not in ("INPUT", "PARAM") or place.in_value():
        return None
    help = "what the elements are comes first: `int[3]`; of floats it can be left out"
    return error("E101", "a type ends with its shape", place.span(found), help=help)


def range_with_a_colon(place: ErrorSite) -> Diagnostic | None:
    """Recognise `v = 1:5`."""
    if place.found.type != "COLON" or place.openers() or not place.operand_complete():
        return None
    if place.previous is None or place.previous.type not in ("INT", "FLOAT"):
        return None
    help = "numbers in a row are `arange(5)`, or `linspace(0, 1, 5)`; a loop runs over `1..5`"
    return error("E101", "no range is written with `:`", place.span(place.found), help=help)


def list_without_commas(place: ErrorSite) -> Diagnostic | None:
    """Recognise `[1 2; 3 4]`."""
    openers = place.openers()
    numbers = ("INT", "FLOAT")
    if place.found.type not in numbers or not openers or openers[-1].type != "LSQB":
        return None
    if place.previous is None or place.previous.type not in numbers or place.touches():
        return None
    if all(token.type != "EQUAL" for token in place.tokens[place.first : place.at]):
        return None  # a type
    help = "a matrix is a list of its rows: `[[1, 2], [3, 4]]`"
    message = "commas stand between the elements of a list"
    return error("E101", message, place.span(place.found), help=help)


def braces_behind_a_name(place: ErrorSite) -> Diagnostic | None:
    """Recognise `x_{1}` and `max{x, 0}` of LaTeX."""
    previous = place.previous
    if place.found.type != "LBRACE" or previous is None or not place.touches():
        return None
    if previous.type != "NAME" or place.head.type in HEADS_BODY:
        return None
    if not previous.value.endswith("_"):
        help = f"arguments stand in parentheses: `{previous.value}(...)`"
        return error("E101", "no brace follows a name", place.span(place.found), help=help)
    index = place.tokens[place.at + 1].value
    help = f"an index is a part of the name: `{previous.value}{index}`"
    return error("E101", "no brace stands in a name", place.span(place.found), help=help)
