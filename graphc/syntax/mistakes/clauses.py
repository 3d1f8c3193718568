"""The syntax mistakes of `derive` clauses and of brackets: recognisers for `diagnose.py`."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from graphc.kinds import CLAUSES
from graphc.source import Diagnostic, error
from graphc.syntax.lexing.tokens import BINARY, CLOSERS, SEPARATOR, Token
from graphc.syntax.mistakes.error_site import ENDS, ErrorSite, open_brackets

ORDER = ("WRT", "PER", "AS")
ORDER_OR_COMMA = (*ORDER, "COMMA")
ORDER_HELP = "the order is `derive grad loss wrt x per B as name`"

OPENED = frozenset({"LPAR", "LSQB"})
VARIADIC = frozenset({"add", "mul", "concat", "stack"})

# Words that are natural in a clause, and what is written for them.
WORDS = {
    "of": "write `derive grad loss`: the output follows its kind",
    "with": "`with respect to` is written `wrt`",
    "respect": "`with respect to` is written `wrt`",
    "for": "the function's name follows `as`",
    "by": "`by` is written `wrt`",
    "to": "`with respect to` is written `wrt`",
}


def derive_clause(place: ErrorSite) -> Diagnostic | None:
    """Recognise a part of a clause that is missing, out of order or of another form."""
    if place.found.type in ORDER and place.at == place.first:
        return _torn_clause(place)
    if place.head.type != "DERIVE" or place.previous is None:
        return None
    words = (place.previous, place.found) if place.found.type == "NAME" else ()
    for token in words:
        if token.type == "NAME" and token.value in WORDS:
            message = f"`{token.value}` is no word of a derive clause"
            return error("E101", message, place.span(token), help=WORDS[token.value])
    if place.found.type in ORDER:
        return _misplaced_part(place)
    if place.found.type in ENDS and place.at == place.first + 2:
        return _one_word(place)
    return _call(place) or _no_output(place) or _no_name(place)


def _one_word(place: ErrorSite) -> Diagnostic:
    """Recognise `derive loss` and `derive grad`."""
    word = place.tokens[place.first + 1]
    missing = f"an output is missing: `derive {word.value} loss`"
    if word.value not in CLAUSES:
        missing = f"a kind is missing: `derive grad {word.value}`"
    message = "a derive clause names a kind and an output"
    return error("E101", message, place.span(word), help=missing)


def _call(place: ErrorSite) -> Diagnostic | None:
    """Recognise `derive grad(loss, x)`."""
    if place.found.type != "LPAR" or place.at != place.first + 2:
        return None
    inner = _rest(place, place.at + 1, ("COMMA",))
    after = _rest(place, place.at + 2 + len(inner), ())
    named = [token for token in after if token.type not in ("WRT", "EQUAL")]
    paths = f" wrt {_text(place, named)}" if named and named[0].type == "NAME" else ""
    clause = f"derive {place.tokens[place.at - 1].value} {_text(place, inner)}{paths}"
    help = f"without parentheses: `{clause}`"
    return error("E101", "a derive clause is no call", place.span(place.found), help=help)


def _no_output(place: ErrorSite) -> Diagnostic | None:
    """Recognise an expression where an output stands."""
    before = {token.type for token in place.tokens[place.first : place.at]}
    value = place.found.type in BINARY | OPENED | {"DOT"}
    if not value or before & {*ORDER} or place.at < place.first + 3:
        return None
    commas = [i for i in range(place.first, place.at) if place.tokens[i].type == "COMMA"]
    begin = commas[-1] if commas else place.first + 1
    one = _text(place, _rest(place, begin + 1, ORDER_OR_COMMA))
    help = f"name it: `output v = {one}`, and derive `v`"
    message = "what is derived are outputs, by their names"
    return error("E101", message, place.span(place.found), help=help)


def _torn_clause(place: ErrorSite) -> Diagnostic | None:
    """Recognise a part that stands on a line of its own."""
    before = place.tokens[: max(place.at - 1, 0)]
    ends = [i for i, token in enumerate(before) if token.type in (SEPARATOR, "LBRACE", "RBRACE")]
    begin = ends[-1] + 1 if ends else 0
    if place.at == 0 or begin >= len(before) or before[begin].type != "DERIVE":
        return None
    word = place.found.value
    return error(
        "E101",
        f"a line does not begin with `{word}`",
        place.span(place.found),
        help=f"`{word}` continues the line above: put it there",
    )


def _misplaced_part(place: ErrorSite) -> Diagnostic | None:
    found, previous = place.found, place.previous
    word, span = found.value, place.span(found)
    clause = place.tokens[place.first : place.at]
    rest = _text(place, _rest(place, place.at + 1))
    if previous is not None and previous.type == "COMMA":
        message = f"no comma stands before `{word}`"
        help = f"drop the comma: `{place.tokens[place.at - 2].value} {word} {rest}`"
        return error("E101", message, place.span(previous), help=help)
    if len(clause) <= 2:
        only = clause[-1].value
        help = f"a kind is missing: `derive grad {only} {word} {rest}`"
        if len(clause) == 1:
            help = f"write `derive grad loss {word} {rest}`"
        elif only in CLAUSES:
            help = f"an output is missing: `derive {only} loss {word} {rest}`"
        message = "a derive clause names a kind and an output"
        return error("E101", message, place.span(clause[-1]), help=help)
    if any(token.type == found.type for token in clause):
        more = "names are separated by commas" if word == "wrt" else None
        return error("E101", f"a derive clause has one `{word}`", span, help=more)
    later = [t.value for t in clause if t.type in ORDER[ORDER.index(found.type) :]]
    if later:
        return error("E101", f"`{word}` stands before `{later[0]}`", span, help=ORDER_HELP)
    return None


def _no_name(place: ErrorSite) -> Diagnostic | None:
    """Recognise an expression, brackets or a colon after `wrt`, where names stand."""
    found, previous = place.found, place.previous
    behind = [i for i in range(place.first, place.at) if place.tokens[i].type == "WRT"]
    if previous is None or not behind:
        return None
    if found.type == "COLON" and previous.type == "WRT":
        message = "no colon stands after `wrt`"
        help = f"write `wrt {_text(place, _rest(place, place.at + 1))}`"
        return error("E101", message, place.span(found), help=help)
    if found.type == "DOT" and previous.type == "STARS":
        help = "`wrt layer.*` is everything below `layer`, `wrt layer.1.W` one parameter"
        return error("E101", "`*` stands last", place.span(found), help=help)
    if found.type not in BINARY | OPENED:
        return None
    begin = max(i for i in range(behind[-1], place.at) if place.tokens[i].type in ("WRT", "COMMA"))
    part = _rest(place, begin + 1)
    if open_brackets(part) or part[-1].type in BINARY:
        return None
    if found is part[0] and found.type in OPENED:
        help = f"without brackets: `wrt {_text(place, _rest(place, place.at + 1))}`"
    else:
        one = _text(place, _rest(place, begin + 1, ORDER_OR_COMMA))
        help = f"name a node: `v = {one}`, use it, and derive by `v`"
        if re.fullmatch(r"[\w.]+\[\w+\]\.[\w.]+", one):
            help = f"iterations are members: `{one.replace('[', '.').replace(']', '')}`"
    return error("E101", "a derivative is by names", place.span(found), help=help)


def tuple_of_values(place: ErrorSite) -> Diagnostic | None:
    """Recognise `zeros((B, 5))`, where a list is meant."""
    openers = place.openers()
    if place.found.type != "COMMA" or not place.operand_complete():
        return None
    if len(openers) < 2 or openers[-1].type != "LPAR":
        return None
    at = next(i for i in range(place.at) if place.tokens[i] is openers[-1])
    inner = _rest(place, at + 1)
    close = place.tokens[at + 1 + len(inner)]
    if close.type != "RPAR":
        return None
    span = place.span(openers[-1]).to(place.span(close))
    help = f"shapes are lists: `[{_text(place, inner)}]`"
    callee = place.tokens[at - 2].value
    if callee in VARIADIC:
        help = f"write `{callee}({_text(place, inner)})`"
    return error("E101", "a list stands in square brackets", span, help=help)


def shape_as_declared(place: ErrorSite) -> str:
    """Write the shape of `W = param([4, 3])` as a declaration has it, to follow `param`."""
    opened = place.tokens[place.at + 1 : place.at + 3]
    if [token.type for token in opened] != ["LPAR", "LSQB"]:
        return "[...]"
    return f"[{_text(place, _rest(place, place.at + 3))}]"


def _rest(place: ErrorSite, begin: int, ends: Collection[str] = ORDER) -> list[Token]:
    """List the tokens from there to the end of the part, or of the brackets around them."""
    part: list[Token] = []
    for token in place.tokens[begin:]:
        inside = open_brackets(part)
        if token.type in ENDS or (not inside and token.type in {*CLOSERS, *ends}):
            break
        part.append(token)
    return part


def _text(place: ErrorSite, tokens: Sequence[Token]) -> str:
    """Return the tokens as they are written; a colon at their beginning left out."""
    kept = [token for i, token in enumerate(tokens) if i or token.type != "COLON"]
    if not kept:
        return "..."
    return " ".join(place.span(kept[0]).to(place.span(kept[-1])).text.split())
