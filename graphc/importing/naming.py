"""What values are called in a file: by the source, else by what makes them."""

from __future__ import annotations

import re

from graphc.records import dataclass
from graphc.syntax import tree

KEYWORDS = """
    and as block carry collect const derive dim else false from if import in input instance next not
    or output param per repeat require residual rule scan true until wrt inf params inputs
"""
WORDS = frozenset(KEYWORDS.split())
"""What no value is called: keywords, and what clauses and numbers are written with."""
GREEK = "αβγδεζηθικλμνξπρςστυφχψωΓΔΘΛΞΠΣΦΨΩ"
OPERATORS = {
    "+": "total", "-": "difference", "*": "product", "/": "ratio", "@": "product", "**": "power",
    "//": "quotient", "%": "remainder",
}  # fmt: skip


def name_for(wanted: str) -> str:
    """Return the nearest name that a file may define: `layers.0.weight` is `layers_0_weight`."""
    plain = re.sub(rf"[^A-Za-z0-9_{GREEK}]", "_", wanted)
    plain = plain.lstrip("_") or "value"
    if plain[0].isdigit():
        plain = f"n{plain}"
    return f"{plain}_" if plain in WORDS else plain


@dataclass(slots=True)
class Names:
    """The names that are taken, in the file and in all its loops."""

    taken: set[str]

    def fresh(self, wanted: str, numbered: bool = False) -> str:
        """Return a name that is near to the wanted one, and take it."""
        word = name_for(wanted)
        found, number = f"{word}_1" if numbered else word, 1
        while found in self.taken:
            number += 1
            found = f"{word}_{number}"
        self.taken.add(found)
        return found


def word_for(expr: tree.Expr) -> str:
    """Return what a value without a name is called."""
    match expr:
        case tree.Call(function=tree.Name(text=text)):
            return text
        case tree.Binary(op=op):
            return OPERATORS.get(op, "mask")
        case tree.Subscript():
            return "part"
        case tree.Unary(op="not"):
            return "mask"
        case tree.Unary():
            return "negated"
        case tree.Member():
            return "transposed"
    return "value"
