"""From the text of a `.graph` file to coloured tokens: a lexer for Pygments.

>>> from pygments import highlight
>>> from pygments.formatters import NullFormatter
>>> highlight("output y = tanh(x)  # bent", GraphLexer(), NullFormatter())
'output y = tanh(x)  # bent\\n'
"""

from __future__ import annotations

from typing import ClassVar

from pygments.lexer import RegexLexer, bygroups, words
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

from graphc.syntax.place import KEYWORDS

# What the keywords are to a reader; those that are in none of these lists steer.
DECLARATIONS = frozenset(
    "dim const input param output instance block rule derive require collect next carry".split()
)
NAMESPACES = frozenset({"import", "from", "as"})
LOGIC = frozenset({"and", "or", "not"})
TRUTHS = frozenset({"true", "false"})
FLOW = frozenset(KEYWORDS.split()) - DECLARATIONS - NAMESPACES - LOGIC - TRUTHS

TYPES = ("int", "ints", "float", "bool", "str", "fn")
CONSTANTS = ("pi", "inf")  # `e` is a name more often than the number

GREEK = "αβγδεζηθικλμνξπρςστυφχψωΓΔΘΛΞΠΣΦΨΩ"
NAME = f"[A-Za-z{GREEK}_][A-Za-z0-9{GREEK}_]*"
FLOAT = r"[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+"
INTEGER = "[0-9]+"
LONG_STRING = r'"""[\s\S]*?"""'
STRING = r'"(?!"")(?:[^"\\\n]|\\.)*"'
WORD_END = f"(?![A-Za-z0-9{GREEK}_])"


class GraphLexer(RegexLexer):  # type: ignore[misc]  # Pygments has no type information
    """The language of graphc."""

    name = "graphc"
    aliases: ClassVar = ["graphc", "graph"]
    filenames: ClassVar = ["*.graph"]

    tokens: ClassVar = {
        "root": [
            # A string that a line or a body begins with documents what it stands in.
            (r"[ \t\r\n;]+", Whitespace),
            (LONG_STRING, String.Doc),
            (rf"(?m:^)\ufeff?({STRING})", String.Doc),
            (rf"(?<=[{{;\n])([ \t]*)({STRING})", bygroups(Whitespace, String.Doc)),
        ],
    }
