"""Signs in a picture that not everyone knows -> a note that says what they are."""

from __future__ import annotations

import re
from collections.abc import Mapping

from graphc.records import replace
from graphc.views.draw.records.picture import Picture

SIGNS: Mapping[str, str] = {
    r"⊙": "⊙ multiplies element by element",
    r"𝟏": "𝟏 is a column of ones",
    r"\[[^]\n]* [<>≤≥=] [^]\n]*\]": r"\g<0> is 1 where that holds, else 0",
    r"σ\(": "σ is the sigmoid, σ(x) = 1 / (1 + e^(−x))",
    r"Φ\(": "Φ is the distribution function of the normal distribution",
    r"\S × [^\s\d]": "× is the cross product",
    r"placed\(": "placed(δ, …) is δ at these positions among zeros",
    r"scatter\(": "scatter(δ, i, …) adds δ up at the positions i",
    r"Σ_(\w)": r"Σ_\1 is the sum over the steps \1",
}
"""What is written, and what a note says of it, once."""


def with_signs(picture: Picture) -> Picture:
    """Return a picture that says below what the signs in its formulas are."""
    texts = [line for node in picture.nodes for line in node.lines]
    whole = "\n".join([*texts, *(edge.label for edge in picture.edges)])
    found = ((re.search(sign, whole), said) for sign, said in SIGNS.items())
    told = [sign.expand(said) for sign, said in found if sign is not None]
    return replace(picture, notes=(*picture.notes, "; ".join(told) + ".")) if told else picture
