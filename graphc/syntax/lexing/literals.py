"""From the tokens of numbers and strings to their values in the tree."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

from graphc.limits import INTEGER
from graphc.source import Diagnostic, GraphError, Span, error
from graphc.syntax import tree
from graphc.syntax.lexing.tokens import Token, token_span

MOST_DIGITS = len(str(INTEGER))
ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"'}


def integer(span: Span, token: Token) -> tree.Number:
    digits = token.value.lstrip("0")
    if len(digits) <= MOST_DIGITS and int(digits or "0") <= INTEGER:
        return tree.Number(span, int(digits or "0"))
    message = f"an integer of {len(digits)} digits is too long; the largest is {INTEGER}"
    as_float = f"; a number is a float: `{digits[0]}.{digits[1:4]}e{len(digits) - 1}`"
    help = f"no axis is so long{as_float if len(digits) < 309 else ''}"
    raise GraphError([error("E105", message, span, help=help)])


def floating(span: Span, token: Token) -> tree.Number:
    value = float(token.value)
    if math.isinf(value):
        message = f"`{token.value}` is too large for a float64"
        raise GraphError([error("E105", message, span, help="write `inf` for infinity")])
    return tree.Number(span, value)


def string(span: Span, token: Token | None) -> Any:
    """Build the Text of a string token, None of none; triple-quoted text stands as written."""
    if token is None:
        return None
    span = token_span(span.source, token)
    literal = token.value
    if literal.startswith('"""'):
        return tree.Text(span, inspect.cleandoc(literal[3:-3].replace("\r\n", "\n")))
    content = literal[1:-1]
    if "\\" in content:
        mistakes = [
            error(
                "E102",
                f"a string has no escape `{match[0]}`",
                Span(span.source, span.start + 1 + match.start(), span.start + 1 + match.end()),
                help=r"there are `\n`, `\t`, `\\` and `\"`; a backslash itself is `\\`",
            )
            for match in re.finditer(r"\\(.)", content)
            if match[1] not in ESCAPES
        ]
        if mistakes:
            raise GraphError(mistakes)
        content = re.sub(r"\\(.)", lambda match: ESCAPES[match[1]], content)
    return tree.Text(span, content)


def number_ends_in_point(span: Span) -> Diagnostic:
    help = f"write `{span.text}0`; a range is written `1..L`"
    return error("E105", "a number needs a digit after its point", span, help=help)
