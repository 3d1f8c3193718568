"""From the text of a `.graph` file to coloured tokens: a lexer for Pygments.

>>> from pygments import highlight
>>> from pygments.formatters import NullFormatter
>>> highlight("output y = tanh(x)  # bent", GraphLexer(), NullFormatter())
'output y = tanh(x)  # bent\\n'
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

from pygments.lexer import RegexLexer, bygroups, words
from pygments.lexers.python import PythonLexer
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
)

from graphc.syntax.mistakes.error_site import KEYWORDS

# What the keywords are to a reader.
DECLARATIONS = frozenset(
    [
        "dim",
        "const",
        "input",
        "param",
        "output",
        "instance",
        "block",
        "rule",
        "derive",
        "require",
        "collect",
        "next",
        "carry",
    ]
)
NAMESPACES = frozenset({"import", "from"})
LOGIC = frozenset({"and", "or", "not"})
TRUTHS = frozenset({"true", "false"})
CONTROL = frozenset(KEYWORDS.split()) - DECLARATIONS - NAMESPACES - LOGIC - TRUTHS

TYPES = ("int", "ints", "float", "bool", "str", "fn")
CONSTANTS = ("pi", "inf")  # `e` is a name more often than the number

GREEK = "αβγδεζηθικλμνξπρςστυφχψωΓΔΘΛΞΠΣΦΨΩ"
NAME = f"[A-Za-z{GREEK}_][A-Za-z0-9{GREEK}_]*"
WORD_END = f"(?![A-Za-z0-9{GREEK}_])"
FLOAT = r"[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+"
INTEGER = "[0-9]+"
LONG_STRING = r'"""[\s\S]*?"""'
STRING = r'"(?!"")(?:[^"\\\n]|\\.)*"'


def _among(chosen: Iterable[str]) -> words:
    return words(sorted(chosen), suffix=WORD_END)


class GraphLexer(RegexLexer):  # type: ignore[misc]  # Pygments has no type information
    """The language of graphc: a string that is not a value is a doc string."""

    name = "graphc"
    aliases: ClassVar = ["graphc", "graph"]
    filenames: ClassVar = ["*.graph"]

    tokens: ClassVar = {
        "root": [
            (r"[ \t\r\n]+|^\ufeff", Whitespace),
            (r"#[^\n]*", Comment.Single),
            (rf"(import|from)(\s+)({STRING})", bygroups(Keyword.Namespace, Whitespace, String)),
            (rf"([=!]=|=)(\s*)({STRING})", bygroups(Operator, Whitespace, String)),
            (rf"([(\[,])(\s*)({STRING})", bygroups(Punctuation, Whitespace, String)),
            (rf"{LONG_STRING}|{STRING}", String.Doc),
            (FLOAT, Number.Float),
            (INTEGER, Number.Integer),
            (rf"(block)(\s+)({NAME})", bygroups(Keyword.Declaration, Whitespace, Name.Function)),
            (
                rf"(:)([ \t]*)({'|'.join(TYPES)}){WORD_END}",
                bygroups(Punctuation, Whitespace, Keyword.Type),
            ),
            (_among(DECLARATIONS), Keyword.Declaration),
            (_among(NAMESPACES), Keyword.Namespace),
            (_among(LOGIC), Operator.Word),
            (_among(TRUTHS), Keyword.Constant),
            (_among(CONTROL), Keyword),
            (_among(CONSTANTS), Name.Constant),
            (rf"_{WORD_END}", Punctuation),
            (rf"{NAME}(?=[ \t]*\()", Name.Function),
            (NAME, Name),
            (r"\.\.\.", Punctuation),
            (r"->|\*\*|//|\.\.|\.\*|[=!<>]=|[-+*/@%<>=~]", Operator),
            (r"[()\[\]{},:;.]", Punctuation),
        ],
    }


Colour = Literal["", "keyword", "function", "type", "number", "text", "comment"]
"""What a token is to a reader: so many colours has a page."""

_COLOURS: tuple[tuple[Any, Colour], ...] = (
    (Comment, "comment"), (String, "text"), (Number, "number"), (Operator.Word, "keyword"),
    (Keyword.Type, "type"), (Keyword.Constant, "number"), (Keyword, "keyword"),
    (Name.Function, "function"), (Name.Class, "function"), (Name.Constant, "number"),
)  # fmt: skip


def coloured(text: str, python: bool = False) -> Iterator[tuple[int, str, Colour]]:
    """Yield the tokens of a `.graph` file, or of Python, each with its offset and colour."""
    lexer = PythonLexer() if python else GraphLexer()
    for offset, kind, token in lexer.get_tokens_unprocessed(text):
        yield offset, token, next((colour for of, colour in _COLOURS if kind in of), "")
