"""From the place where the parser stopped to a diagnostic in the user's words."""

from __future__ import annotations

from collections.abc import Callable

from graphc.source import Diagnostic, Span, error, remedy, write_instead
from graphc.syntax.lexing.characters import foreign_character
from graphc.syntax.lexing.tokens import BAD, BINARY, HEADS_BODY, SEPARATOR
from graphc.syntax.mistakes.borrowed import (
    body_after_a_colon,
    braces_behind_a_name,
    dotted,
    list_without_commas,
    range_in_an_index,
    range_with_a_colon,
    slice_in_parentheses,
    type_behind_a_shape,
)
from graphc.syntax.mistakes.brackets import extra_closer, unclosed_body, unclosed_bracket
from graphc.syntax.mistakes.chains import edge_of_equation, empty_stage, several_values, stage
from graphc.syntax.mistakes.clauses import derive_clause, tuple_of_values
from graphc.syntax.mistakes.error_site import (
    DECLARED,
    ENDS,
    FORMS_HELP,
    KEYWORD_TYPES,
    NAME_IT,
    OPEN,
    OPERANDS,
    UNNAMED,
    ErrorSite,
    describe_expected,
    describe_token,
)
from graphc.syntax.mistakes.habits import (
    HABITS,
    code_habit,
    command_remedy,
    foreign_import,
)
from graphc.syntax.mistakes.operators import (
    chained_comparison,
    comment,
    decimal_comma,
    elementwise_star,
    glued_operator,
    number_and_name,
    open_axis,
    point_of_number,
    second_equals,
    slashes,
)
from graphc.syntax.mistakes.words import misspelt_keyword, reserved_word, stray_else


def diagnose(place: ErrorSite) -> Diagnostic:
    """Return the diagnostic of the first recogniser that knows the mistake."""
    for recognise in RECOGNISERS:
        diagnostic = recognise(place)
        if diagnostic is not None:
            return diagnostic
    return unexpected(place)


# ---- tokens that no rule takes ---------------------------------------------------------

OR_EDGE = "of conditions it is `or`; an edge is written `->`, as in `x -> tanh -> y`"
# What a token that no rule takes may begin with: code, message, remedy, and the caret's width.
BAD_BEGINNINGS: tuple[tuple[str, str, str, str | None], ...] = (
    ('"""', "E102", "this text is never closed", 'a `"""` is missing'),
    ('"', "E102", "this string is not closed on its line", 'longer text stands between `"""`'),
    ("'''", "E102", "strings use double quotes", 'longer text stands between `"""`'),
    ("'", "E102", "this string is not closed on its line", "strings use double quotes"),
    ("^", "E103", "`^` is not an operator", remedy("the power operator is `**`", "^", "**")),
    ("!", "E103", "`!` is not an operator", write_instead("!", "not")),
    ("&&", "E103", "`&&` is not an operator", write_instead("&&", "and")),
    ("||", "E103", "`||` is not an operator", write_instead("||", "or")),
    ("|>", "E103", "`|>` is not an operator", remedy("an edge is written `->`", "|>", "->")),
    ("&", "E103", "`&` is not an operator", write_instead("&", "and")),
    ("|", "E103", "`|` is not an operator", remedy(OR_EDGE, "|", "or")),
    ("$", "E101", "`$` has no meaning", "formulas stand as they are, without `$`"),
    ("?", "E103", "`?` is not an operator", "write where(cond, a, b)"),
    (
        "\\",
        "E101",
        "`\\` does not continue a line",
        "a line goes on by itself inside brackets, and after or before an operator",
    ),
)


def bad_token(place: ErrorSite) -> Diagnostic | None:
    if place.found.type != BAD:
        return None
    text = place.found.value
    if not text[0].isascii():
        return foreign_character(place.source, place.found)
    start = place.found.start_pos or 0
    meant = _otherwise(place)
    if meant is not None:
        message = f"`{text[0]}` is not an operator"
        return error("E103", message, Span(place.source, start, start + 1), help=meant)
    if text[0] == "'" == text[1:][-1:] and not place.source.text.startswith("'''", start):
        return _in_single_quotes(place)
    for beginning, code, message, help in BAD_BEGINNINGS:
        if place.source.text.startswith(beginning, start):
            return error(
                code, message, Span(place.source, start, start + len(beginning)), help=help
            )
    return error("E101", f"`{text[0]}` has no meaning", Span(place.source, start, start + 1))


def _otherwise(place: ErrorSite) -> str | None:
    """Return the remedy for a sign that means something else at this place than elsewhere."""
    text = place.found.value
    if text.startswith("'") and place.touches() and place.operand_complete():
        return "the transpose is `x.T`; a derivative has a name of its own"
    following = place.tokens[place.at + 1]
    if text == "^" and following.value == "T" and following.start_pos == place.found.end_pos:
        return remedy("the transpose is `x.T`", "^T", ".T")
    if text.startswith("||") and place.operand_missing():
        return "the norm is `norm(x)`"
    if text.startswith("|") and place.operand_missing():
        return "the absolute value is `abs(x)`"
    edge = place.source.text.startswith("|>", place.found.start_pos)
    if text.startswith("|") and not edge and place.head.type == "NAME" and not place.in_value():
        return write_instead("|", "->")
    if text.startswith("\\"):
        return _backslash(place)
    return OPEN if text.startswith("?") and place.begins_axis() else None


def _in_single_quotes(place: ErrorSite) -> Diagnostic:
    """Tell how a string is written, and that what an argument names is none."""
    text = place.found.value
    word, string = text[1:-1], f'"{text[1:-1]}"'
    if word.isidentifier() and place.openers():
        help = remedy(f"operations and blocks have no quotes: `{word}`", text, word)
        notes = [f"a string would be `{string}`"]
    else:
        help, notes = write_instead(text, string), []
    span = place.span(place.found)
    return error("E102", "strings use double quotes", span, help=help, notes=notes)


def _backslash(place: ErrorSite) -> str | None:
    """Return the remedy for `A \\ b`, and for a command of LaTeX."""
    following, behind = place.tokens[place.at + 1], place.tokens[place.at + 2 : place.at + 3]
    solved = following.type in OPERANDS and place.operand_complete()
    if following.start_pos == place.found.end_pos and following.type in KEYWORD_TYPES | {"NAME"}:
        known = command_remedy(following.value)
        called = bool(behind) and behind[0].type == "LPAR"
        if known or called or not (solved and place.touches()):
            return known or f"without the backslash: `{following.value}`"
    if solved:
        return "the solution of `A x = b` is `solve(A, b)`"
    return None


# ---- what is missing --------------------------------------------------------------------


def unnamed_value(place: ErrorSite) -> Diagnostic | None:
    if place.found.type not in ENDS or not {"EQUAL", "ARROW"} <= set(place.accepted):
        return None
    help = NAME_IT
    second = place.tokens[place.first + 1]
    if place.at == place.first + 1 and place.head.value in ("break", "continue", "pass"):
        help = "a scan ends by `until cond`; its other steps are all taken"
    elif place.head.type == "NAME" and place.head.value in HABITS and second.type != "CMP":
        help = HABITS[place.head.value]
    elif [token.value for token in place.tokens[place.at - 3 : place.at]] == ["backward", "(", ")"]:
        help = f"ask for a derivative: `derive grad {place.head.value} wrt params`"
    if place.head.type == "NAME" and second.type == "CMP" and second.value == "==":
        help = f"a definition is written with one `=`: `{place.head.value} = ...`"
    if second.value == "<" and place.tokens[place.first + 2].start_pos == second.end_pos:
        help = f"`<-` is no arrow here: `{place.head.value} = ...`, or an edge `->`"
    caret = place.span(place.previous) if place.previous is not None else place.caret
    return error("E106", UNNAMED, caret, help=help)


def missing_type(place: ErrorSite) -> Diagnostic | None:
    accepted = set(place.accepted)
    after_colon = place.previous is not None and place.previous.type == "COLON"
    if after_colon and {"NAME", "LSQB"} <= accepted and "INT" not in accepted:
        message = f"expected a type after `:`, found {describe_token(place.found)}"
        help = "such as `[B, 3]`, `int[B]` or `float`"
        if place.found.type in ("LPAR", "INT"):
            help = "a shape stands in square brackets: `[3, 4]`; a number has none: `x: []`"
        if place.head.type == "CONST":
            help = FORMS_HELP["CONST"]
        return error("E101", message, place.caret, help=help)
    if place.found.type == "LSQB" and "COLON" in accepted and place.head.type in DECLARED:
        help = f"write `{place.previous.value if place.previous else 'x'}: [...]`"
        return error("E101", "a `:` is missing before the type", place.span(place.found), help=help)
    if place.head.type == "BLOCK" and accepted == {"COLON"}:
        help = "such as `x: [B, 3]`; `x: []` is a scalar, `n: int` an argument"
        return error("E101", "every port has a type", place.caret, help=help)
    return None


def missing_operand(place: ErrorSite) -> Diagnostic | None:
    previous, found = place.previous, place.found
    if previous is None or not place.operand_missing():
        return None
    after = previous.value
    if found.type == "LBRACE" and place.head.type not in HEADS_BODY:
        help = "a list is written `[1, 2]`"
        return error("E101", "braces hold statements", place.span(found), help=help)
    if found.type in ENDS | {"RPAR", "RSQB", "COMMA", "LBRACE"} and after not in ("(", "[", "{"):
        span = place.span(previous)
        return error("E101", f"an expression is missing after `{after}`", span)
    if found.type in BINARY and previous.type in BINARY:
        message = f"an expression is missing between `{after}` and `{found.value}`"
        return error("E101", message, place.span(found))
    if found.type == "TILDE":
        help = write_instead("~", "not")
        return error("E103", "`~` is not an operator", place.span(found), help=help)
    return None


def several_declared(place: ErrorSite) -> Diagnostic | None:
    """Recognise `input x: [3], t: [4]`."""
    words = [token.type for token in place.tokens[place.at : place.at + 3]]
    if place.head.type not in DECLARED or words != ["COMMA", "NAME", "COLON"] or place.openers():
        return None
    head, name = place.head.value, place.tokens[place.at + 1].value
    message = f"one `{head}` declares names of one type"
    help = f"write `; {head} {name}: ...` in place of `, {name}: ...`"
    return error("E101", message, place.span(place.found), help=help)


def declared_by_nothing(place: ErrorSite) -> Diagnostic | None:
    """Recognise `x: [3]`, a line that says a type and no more."""
    types = [token.type for token in place.tokens[place.first : place.first + 2]]
    if types != ["NAME", "COLON"] or place.found.type not in ENDS or "EQUAL" not in place.accepted:
        return None
    text = place.source.text[place.head.start_pos or 0 : place.caret.end]
    message = f"what is `{place.head.value}`? A type alone declares nothing"
    help = f"write `input {text}` or `param {text}`, or add `= ...`"
    return error("E101", message, place.span(place.head), help=help)


def same_line(place: ErrorSite) -> Diagnostic | None:
    if SEPARATOR not in place.accepted or place.found.type in ENDS or place.previous is None:
        return None
    if place.operand_complete() and place.found.type not in OPERANDS | KEYWORD_TYPES:
        return None
    help: str | None = "statements are separated by a newline or `;`"
    if place.operand_complete() and place.in_value() and place.found.type in OPERANDS:
        help = "an operator is missing, as in `a * b`; arguments have parentheses: `f(x)`"
    elif place.previous.type != "RBRACE":
        help = _form(place) or help
    return error(
        "E101",
        f"expected {describe_expected(place.accepted)}, found {describe_token(place.found)}",
        place.caret,
        help=help,
    )


def unexpected(place: ErrorSite) -> Diagnostic:
    """Say what was expected and found, for any mistake that no recogniser knows."""
    return error(
        "E101",
        f"expected {describe_expected(place.accepted)}, found {describe_token(place.found)}",
        place.caret,
        help=_form(place),
    )


def _form(place: ErrorSite) -> str | None:
    """Say how the statement is written, where that is what is wrong, and not its value."""
    previous = place.previous.type if place.previous is not None else ""
    form = FORMS_HELP.get(previous) or FORMS_HELP.get(place.head.type)
    return None if place.in_value() else form


RECOGNISERS: tuple[Callable[[ErrorSite], Diagnostic | None], ...] = (
    bad_token,
    unclosed_body,
    unclosed_bracket,
    extra_closer,
    comment,
    slashes,
    derive_clause,
    open_axis,
    dotted,
    slice_in_parentheses,
    body_after_a_colon,
    range_with_a_colon,
    range_in_an_index,
    list_without_commas,
    braces_behind_a_name,
    type_behind_a_shape,
    code_habit,
    stray_else,
    reserved_word,
    number_and_name,
    point_of_number,
    decimal_comma,
    elementwise_star,
    glued_operator,
    chained_comparison,
    second_equals,
    tuple_of_values,
    several_values,
    empty_stage,
    edge_of_equation,
    stage,
    missing_type,
    several_declared,
    declared_by_nothing,
    unnamed_value,
    missing_operand,
    foreign_import,
    misspelt_keyword,
    same_line,
)
