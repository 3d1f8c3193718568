"""Which characters a text may hold: decoding, what is refused anywhere, what is no letter here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from graphc.source import Diagnostic, GraphError, Source, Span, error, remedy, write_instead
from graphc.syntax.lexing.tokens import BAD, Token

OTHERS = (
    ".py", ".pyi", ".ipynb", ".c", ".h", ".npz", ".npy", ".safetensors", ".json", ".toml", ".md",
    ".html", ".svg",
)  # fmt: skip
"""How files end that stand beside graphs and are none, so that one mistake is told of them."""


def is_another(name: str) -> bool:
    """True if a file is told by the end of its name to be no graph."""
    return name.lower().endswith(OTHERS)


def read_source(name: str, data: bytes) -> Source:
    """Decode the text of a file; raises GraphError where it is not UTF-8, or no graph by name."""
    if is_another(name):
        arrays = name.lower().endswith((".npz", ".safetensors"))
        help = "name the graph, as `net.graph`" + (
            "; parameters are read by `graphc.load_parameters`" if arrays else ""
        )
        raise GraphError([error("E001", f"{name} is no .graph file", None, help=help)])
    try:
        return Source(name, data.decode())
    except UnicodeDecodeError as problem:
        offset = problem.start
        source = Source(name, data.decode(errors="replace"))
        start = len(Source(name, data[:offset].decode()).text)
        wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        raise GraphError(
            [
                error(
                    "E100",
                    f"byte {offset} (0x{data[offset]:02x}) is not UTF-8",
                    Span(source, start, start + 1),
                    help="this looks like UTF-16; save the file as UTF-8"
                    if wide
                    else "save the file as UTF-8",
                )
            ]
        ) from None


# Control characters other than tab, newline and the CR of a CRLF; what reorders text or ends lines
# for some readers only; what UTF-8 cannot hold.
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ud800-\udfff]|\r(?!\n)"
)


def forbidden_characters(source: Source) -> list[Diagnostic]:
    """Report each run of characters that are allowed nowhere, comments included."""
    return [
        error(
            "E100",
            f"{character_name(match[0])} is not allowed in a graph",
            Span(source, match.start(), match.end()),
            help="end the line with a newline"
            if match[0] == "\r"
            else remedy("delete it", match[0], ""),
        )
        for match in FORBIDDEN.finditer(source.text)
    ]


def blank_forbidden(text: str) -> str:
    """Replace each character that is allowed nowhere by a blank; the length stays."""
    return FORBIDDEN.sub(" ", text)


CONTROL_NAMES = {"\0": "NUL", "\b": "BACKSPACE", "\v": "VERTICAL TAB", "\f": "FORM FEED"}
CONTROL_NAMES |= {"\r": "a lone CARRIAGE RETURN", "\x1b": "ESCAPE", "\x7f": "DELETE"}


def character_name(character: str) -> str:
    """Name a character: `U+00B5 MICRO SIGN`."""
    kinds = {"Cs": "a lone surrogate", "Cc": "a control character", "Co": "a private-use character"}
    fallback = kinds.get(unicodedata.category(character), "an unassigned character")
    name = CONTROL_NAMES.get(character) or unicodedata.name(character, fallback)
    return f"U+{ord(character):04X} {name}"


CYRILLIC = dict(zip("аеорсухіјѕԁһԛԝАВЕКМНОРСТУХІЈЅ", "aeopcyxijsdhqwABEKMHOPCTYXIJS", strict=True))
GREEK = dict(zip("οΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "oABEZHIKMNOPTYX", strict=True))
SPELLINGS = {
    "×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "∕": "/", "−": "-", "–": "-", "—": "-",
    "≤": "<=", "≥": ">=", "≠": "!=", "→": "->", "⟶": "->", "⇒": "->", "“": '"', "”": '"',
    "‘": '"', "’": '"', "„": '"', "«": '"', "»": '"', "²": "**2", "³": "**3",
    "∞": "inf", "…": "...", "‥": "..", "¬": "not", "∧": "and", "∨": "or",
    "←": "=", "⊙": "*", "∘": "*", "ᵀ": ".T", "⊤": ".T", "ℓ": "l", "ı": "i",
}  # fmt: skip
_DERIVED = "as a value it is `grad(loss, x)`; for a function write `derive grad loss wrt x`"
MEANT = {
    "√": remedy("write `sqrt(x)`", "√", "sqrt"), "∑": remedy("write `sum(x)`", "∑", "sum"),
    "∏": remedy("write `prod(x)`", "∏", "prod"), "∂": _DERIVED, "∇": _DERIVED,
    "∈": "a shape is declared: `input x: [3]`; a loop runs over `[k in 1..3]`",
    "↦": remedy("an edge is written `->`", "↦", "->"), "⊗": "write `outer(x, y)` or `kron(x, y)`",
    "‖": "the norm is `norm(x)`", "ℝ": "a shape is declared: `input x: [3]`",
}  # fmt: skip
"""Signs of which more is to be said than what stands in their place."""
LOOK_ALIKES = CYRILLIC | GREEK | SPELLINGS
ALPHABET = re.compile("[A-Za-z0-9_αβγδεζηθικλμνξπρςστυφχψωΓΔΘΛΞΠΣΦΨΩ]+")


def foreign_character(source: Source, token: Token) -> Diagnostic:
    """Report a character that the language has no use for, with what was probably meant."""
    character = token.value[0]
    span = Span(source, token.start_pos or 0, (token.start_pos or 0) + 1)
    plain = unicodedata.normalize("NFKC", character)
    decomposed = unicodedata.normalize("NFD", character)[0]
    category = unicodedata.category(character)
    if character in MEANT:
        help = MEANT[character]
    elif character in LOOK_ALIKES:
        help = write_instead(character, LOOK_ALIKES[character])
    elif category == "Nd":
        help = write_instead(character, str(unicodedata.decimal(character)))
    elif plain.isspace():
        help = remedy("use an ordinary blank", character, " ")
    elif category == "Cf":
        help = remedy("it is invisible; delete it", character, "")
    elif ALPHABET.fullmatch(plain):
        help = f"write `{plain}`"
        if not plain.isascii():
            help += f" ({', '.join(map(character_name, plain))})"
    elif ALPHABET.fullmatch(decomposed):
        help = write_instead(character, decomposed)
    elif character.isalpha():
        help = "names take ASCII letters, digits, `_` and Greek letters"
    else:
        help = "delete it; only strings and comments may hold it"
    shown = f" `{character}`" if character.isprintable() else ""
    return error(
        "E100", f"{character_name(character)}{shown} is not in the alphabet", span, help=help
    )


def foreign_characters(source: Source, tokens: Iterable[Token]) -> list[Diagnostic]:
    return [
        foreign_character(source, token)
        for token in tokens
        if token.type == BAD and not token.value[0].isascii()
    ]
