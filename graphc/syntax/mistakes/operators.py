"""The syntax mistakes of numbers and operators: recognisers for `diagnose.py`."""

from __future__ import annotations

import re
from itertools import pairwise

from graphc.source import Diagnostic, Span, error, remedy, write_instead
from graphc.syntax.lexing.literals import number_ends_in_point
from graphc.syntax.lexing.tokens import CONTINUES_AFTER
from graphc.syntax.mistakes.error_site import END, KEYWORD_TYPES, OPEN, ErrorSite


def number_and_name(place: ErrorSite) -> Diagnostic | None:
    previous, found = place.previous, place.found
    if previous is None or found.type not in ("NAME", "INT", "FLOAT", "UNDERSCORE"):
        return None
    if previous.type in ("RPAR", "RSQB") and place.touches() and found.type == "NAME":
        help = f"(...) * {found.value}" if previous.type == "RPAR" else None
    elif previous.type not in ("INT", "FLOAT") or not place.operand_complete():
        return None
    elif place.touches() and re.fullmatch("_[0-9_]+|_", found.value):
        joined = previous.value + found.value.replace("_", "")
        help = remedy(f"write `{joined}`", found.value, found.value.replace("_", ""))
        return error("E105", "digits are not grouped", place.span(found), help=help)
    elif place.touches() and previous.value == "0" and re.match("[xXbBoO][0-9A-Fa-f]", found.value):
        span = place.span(previous).to(place.span(found))
        try:
            help = write_instead(span.text, str(int(span.text, 0)))
        except ValueError:
            help = None
        return error("E105", "numbers are decimal", span, help=help)
    elif found.type == "NAME" and place.tokens[place.at + 1].type != "EQUAL":
        help = f"{previous.value} * {found.value}"
    else:
        return None
    return error("E103", "multiplication is written `*`", place.span(found), help=help)


def point_of_number(place: ErrorSite) -> Diagnostic | None:
    """Recognise `.5` and `1.`."""
    previous, found = place.previous, place.found
    if previous is not None and previous.type == "DOT" and place.at - 2 >= place.first:
        number = place.tokens[place.at - 2]
        if number.type == "INT" and number.end_pos == previous.start_pos:
            return number_ends_in_point(place.span(number).to(place.span(previous)))
    if found.type == "DOT" and place.operand_missing():
        digits = place.tokens[place.at + 1]
        if digits.type in ("INT", "FLOAT") and digits.start_pos == found.end_pos:
            span = place.span(found).to(place.span(digits))
            help = write_instead(span.text, f"0{span.text}")
            return error("E105", "a number needs a digit before its point", span, help=help)
    return None


def decimal_comma(place: ErrorSite) -> Diagnostic | None:
    """Recognise `0,5`, where two values do not fit."""
    for comma in (place.at - 1, place.at):
        around = place.tokens[max(comma - 1, place.first) : comma + 2]
        if [token.type for token in around] != ["INT", "COMMA", "INT"]:
            continue
        span = place.span(around[0]).to(place.span(around[2]))
        if (
            span.text.replace(",", "").isdigit()
            and place.source.text[span.end : span.end + 1] != ","
        ):
            help = write_instead(span.text, span.text.replace(",", "."))
            return error("E105", "the decimals of a number stand behind a point", span, help=help)
    return None


def elementwise_star(place: ErrorSite) -> Diagnostic | None:
    if place.found.type != "STARS" or not place.operand_complete():
        return None
    help = remedy("elementwise multiplication is `*`, the matrix product `@`", ".*", "*")
    return error("E103", "`.*` is not an operator", place.span(place.found), help=help)


def chained_comparison(place: ErrorSite) -> Diagnostic | None:
    if place.found.type != "CMP" or not place.operand_complete():
        return None
    help = "write `a < b and b < c`"
    return error("E103", "comparisons do not chain", place.span(place.found), help=help)


GLUED = {
    ":=": "a definition is written with `=`",
    "===": "equality is `==`",
    "!==": "it is written `!=`",
    "=<": "it is written `<=`",
    "=>": "an edge is written `->`; `>=` compares",
    "<>": "it is written `!=`",
    "~=": "it is written `!=`",
    "-->": "an edge is written `->`",
    "==>": "an edge is written `->`",
    "<<": "there are no bit operations",
    ">>": "there are no bit operations",
}


def glued_operator(place: ErrorSite) -> Diagnostic | None:
    """Recognise two tokens without a blank that are one operator elsewhere: `:=`, `+=`, `=>`."""
    for index in (place.at - 1, place.at):
        if index < place.first or place.tokens[index].type == END:
            continue
        left, right = place.tokens[index], place.tokens[index + 1]
        glued = left.value + right.value
        if left.end_pos != right.start_pos:
            continue
        if glued == ">>" and place.head.type == "NAME" and not place.in_value():
            help = remedy("an edge is written `->`", ">>", "->")
        elif glued in GLUED:
            help = GLUED[glued]
        elif left.type in ("ADD", "MUL", "POW") and right is place.found and glued.endswith("="):
            help = f"a name is defined once: write `new = old {left.value} ...`"
        else:
            continue
        span = place.span(left).to(place.span(right))
        return error("E103", f"`{glued}` is not an operator", span, help=help)
    return None


def open_axis(place: ErrorSite) -> Diagnostic | None:
    """Recognise `input x: [:, 3]`, `[*, 3]` and `[_, 3]`."""
    if place.found.value not in (":", "*", "_") or not place.begins_axis():
        return None
    message = f"`{place.found.value}` is no size"
    return error("E101", message, place.span(place.found), help=OPEN)


def slashes(place: ErrorSite) -> Diagnostic | None:
    """Recognise `// a comment`, `% a comment`, `-- a comment`: the first word is an operand."""
    if place.found.type not in KEYWORD_TYPES | {"NAME"}:
        return None
    for one, other in pairwise(place.tokens[max(place.at - 3, place.first) : place.at]):
        if one.value == other.value == "-" and one.end_pos == other.start_pos:
            return _no_comment("--", place.span(one).to(place.span(other)))
    for token in place.tokens[max(place.at - 2, place.first) : place.at]:
        if token.value in ("//", "%"):
            what = "integer division" if token.value == "//" else "the remainder"
            message, help = f"`{token.value}` is {what}", "a comment begins with `#`"
            return error("E103", message, place.span(token), help=help)
    return None


def comment(place: ErrorSite) -> Diagnostic | None:
    """Recognise `// a comment`, `/* a comment */`, `% a comment` and `-- a comment`."""
    sign = place.found.value
    following = place.tokens[place.at + 1 : place.at + 2]
    previous = place.previous
    if sign in ("*", "**") and previous and previous.value == "/" and place.touches():
        return _no_comment("/*", place.span(previous).to(place.span(place.found)))
    if sign == "/" and following and following[0].value in ("*", "**"):
        sign = "/*"
    if sign == "-" and following and following[0].value == "-":
        sign = "--"
    before = place.source.text[: place.found.start_pos].rpartition("\n")[2]
    begins = place.at == place.first or (not before.strip() and not place.operand_missing())
    ends = sign in ("//", "%", "--") and not place.operand_missing()
    if sign not in ("/*", "//", "%", "--") or not (begins or ends):
        return None
    return _no_comment(sign, place.span(place.found))


def _no_comment(sign: str, span: Span) -> Diagnostic:
    return error("E101", f"`{sign}` begins no comment", span, help="a comment begins with `#`")


def second_equals(place: ErrorSite) -> Diagnostic | None:
    if place.found.type != "EQUAL":
        return None
    span = place.span(place.found)
    before = place.tokens[max(place.at - 2, place.first)]
    previous = place.previous
    if previous is not None and before.type in CONTINUES_AFTER and before.type != "COMMA":
        between = place.source.text[before.end_pos or 0 : previous.start_pos or 0]
        if "\n" in between or ";" in between:
            return error(
                "E101",
                f"an expression is missing after `{before.value}`",
                place.span(before),
                help="a line that ends so goes on in the next",
            )
    if place.head.type == "PARAM" and "TILDE" in place.accepted:
        return error("E101", "a parameter has no value", span, help="an initialiser follows `~`")
    if place.head.type == "INPUT":
        help = "a fixed value is declared with `const`, or by an equation"
        return error("E101", "an input has no value", span, help=help)
    types = [token.type for token in place.tokens[place.first : place.at]]
    if types == ["NAME", "EQUAL", "NAME"]:
        one, _, other = (token.value for token in place.tokens[place.first : place.at])
        help = f"an equation for each: `{other} = ...` and `{one} = {other}`"
        return error("E101", "an equation defines once", span, help=help)
    if place.operand_complete():
        return error("E103", "equality is written `==`", span)
    return None
