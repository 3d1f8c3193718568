"""What is written out of habit: words of other languages, their imports, commands of LaTeX."""

from __future__ import annotations

import unicodedata

from graphc.source import Diagnostic, error, write_instead
from graphc.syntax.lexing.characters import ALPHABET
from graphc.syntax.lexing.tokens import BINARY, SEPARATOR
from graphc.syntax.mistakes.error_site import FORMS, ErrorSite

HABITS = {
    "def": "a function is a block: `block name(x: [...]) -> y: [...] { ... }`",
    "class": "a component is a block: `block name(x: [...]) -> y: [...] { ... }`",
    "for": "a loop is written `repeat layer[k in 1..L] carry h = x { ... }`, or `scan` to share "
    "its parameters",
    "while": "a loop is written `scan step[t in 1..N] carry h = h0 { ... until cond }`",
    "lambda": "there are no lambdas: an argument of type `fn` takes an operation or a block",
    "return": "a block ends with its results' equations: `y = ...`; a file with `output y = ...`",
    "elif": "write `} else if ... {`",
    "let": "an equation needs no keyword: `y = ...`",
    "var": "an equation needs no keyword: `y = ...`; a parameter is declared with `param`",
    "global": "a block sees only its ports; pass what it needs as an argument",
    "assert": "write `require cond`",
    "del": "names are defined once and stay",
    "with": "no gradient goes through `stop(x)`",
    "function": "a function is a block: `block name(x: [...]) -> y: [...] { ... }`",
    "fn": "a function is a block: `block name(x: [...]) -> y: [...] { ... }`",
    "func": "a function is a block: `block name(x: [...]) -> y: [...] { ... }`",
    "using": "delete this line: operations stand by themselves, `tanh(x)`",
    "end": "a body stands between `{` and `}`",
    "yield": "to stack the results of a loop, write `collect ys = ...`",
    "print": "every `output` is returned; there is nothing to print",
    "is": "equality is written `==`",
    "range": "a range is written `1..L`; both ends belong to it",
}

MODEL = "the file is the model: its statements stand by themselves"
FIRST_WORDS = {
    **dict.fromkeys(("parameter", "trainable", "weight", "weights", "bias", "variable"), "param"),
    **dict.fromkeys(("placeholder", "data", "feed", "given", "argument", "arg"), "input"),
    **dict.fromkeys(("constant", "final", "val", "static"), "const"),
    **dict.fromkeys(("dims", "size", "axis", "shape"), "dim"),
    **dict.fromkeys(("module", "layer", "component", "cell", "fun", "macro"), "block"),
}
"""Words that declare elsewhere what a word of the language declares here."""


def first_word_remedy(word: str) -> str | None:
    """Return the remedy for a line that begins with a word that declares something elsewhere."""
    if word in ("model", "net", "network", "graph", "program"):
        return MODEL
    return write_instead(word, FIRST_WORDS[word]) if word in FIRST_WORDS else None


def code_habit(place: ErrorSite) -> Diagnostic | None:
    if place.found.type == "BAD":
        return None
    for token in (place.previous, place.found):
        if token is None or token.type != "NAME" or token.value not in HABITS:
            continue
        if token is place.found and place.operand_missing():
            continue
        if token is place.previous and place.found.type in BINARY | {"EQUAL", "DOT", SEPARATOR}:
            continue
        return error(
            "E101",
            f"there is no `{token.value}` in this language",
            place.span(token),
            help=HABITS[token.value],
        )
    return None


def foreign_import(place: ErrorSite) -> Diagnostic | None:
    previous = place.previous
    if previous is None or previous.type not in ("IMPORT", "FROM") or place.at != place.first + 1:
        return None
    if place.found.type != "NAME":
        return None
    if place.found.value in LIBRARIES:
        return error(
            "E101",
            "a graph imports graphs, and no Python",
            place.span(place.found),
            help="delete this line: operations stand by themselves, `tanh(x)`",
        )
    form = FORMS["IMPORT"] if previous.type == "IMPORT" else FORMS["FROM"]
    return error(
        "E101",
        "an import names a file in double quotes",
        place.span(place.found),
        help=f"write {form}",
    )


LIBRARIES = frozenset(
    ["numpy", "np", "torch", "tensorflow", "tf", "keras", "jax", "flax", "math", "scipy", "random"]
)
COMMANDS = {
    "frac": "a quotient is written `a / b`",
    "cdot": "multiplication is written `*`",
    "times": "multiplication is written `*`",
    "odot": "multiplication is written `*`",
    "sqrt": "a root is written `sqrt(x)`",
    "top": "the transpose is `x.T`",
    "partial": "ask for a derivative: `derive grad loss wrt x`",
    "nabla": "ask for a derivative: `derive grad loss wrt x`",
    "to": "an edge is written `->`",
    "mapsto": "an edge is written `->`",
    "sum": "a sum is `sum(x)`, of products over an index `einsum`",
    "prod": "a product is `prod(x)`",
    "hat": "a name has no accent: `y_hat`",
    "bar": "a name has no accent: `y_bar`",
    "tilde": "a name has no accent: `y_tilde`",
    "pi": "write `pi`",
    "infty": "write `inf`",
    "leq": "it is written `<=`",
    "geq": "it is written `>=`",
    "neq": "it is written `!=`",
    "int": "there are no integrals: a sum of values is `sum(y * h)`",
    "in": "a shape is declared: `input x: [3]`",
    "begin": "a matrix is a list of its rows: `[[1, 2], [3, 4]]`",
    **dict.fromkeys(("left", "right", "big", "bigl", "bigr"), "brackets stand by themselves: `(`"),
    **dict.fromkeys(
        ("mathbf", "mathrm", "mathit", "mathcal", "boldsymbol", "bm", "vec", "text"),
        "a name stands by itself: `x`",
    ),
}
"""Commands of LaTeX that are no letter and no name of an operation, or that one all the same."""


def command_remedy(command: str) -> str | None:
    """Return the remedy for a command of LaTeX that is called otherwise, such as `\\sigma`."""
    known = COMMANDS.get(command.partition("_")[0])
    if known:
        return known
    kind = "CAPITAL" if command[0].isupper() else "SMALL"
    try:
        letter = unicodedata.lookup(f"GREEK {kind} LETTER {command.replace('lambda', 'lamda')}")
    except KeyError:
        letter = ""
    if ALPHABET.fullmatch(letter):
        return f"a Greek letter stands by itself: `{letter}`"
    return None
