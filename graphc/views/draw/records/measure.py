"""Widths of text by a table, so that a picture does not depend on the fonts of a machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

FONT = "'DejaVu Sans', Verdana, 'Segoe UI', Helvetica, Arial, sans-serif"
"""The font that the table is of, and others, which are narrower."""

LARGE, SMALL = 13, 11
"""Sizes of names, and of all else."""

_BY_WIDTH: Mapping[int, str] = {
    20: "ₗᵢⱼ",
    25: "′",
    30: "'IJijlÌÍÎÏìíîïΙΪₜ",
    35: " ,./:;\\|¦·ίι",
    40: "()-[]ft\xadₐₙₛᵀ″",
    45: "!r¡²³¹⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉ₑₒₓₕₖₚℓ",
    50: '"*_`§¨ª¯°´¸º–‖‾',
    55: "?csz¿çέεζ⁺⁻₊₋∂",
    60: "FLkvxyýÿΓΰγκλνξςυχ",
    65: "$0123456789EPSTYabdeghnopqu{}¢£¤¥«µ¶»ÈÉÊËÝÞßàáâãäåèéêëðñòóôõöøùúûüþΕΞΡΣΤΥΫήβδηθμοπρστₘ√ϵ∘",
    70: "ABCKRVXZÀÁÂÃÄÅÇΑΒΔΖΚΛΧάαφψ∇∑",
    75: "NUÑÙÚÛÜΝ",
    80: "&DGHOQÐÒÓÔÕÖØΗΘΟΠΦΨΩ∏",
    85: "#+<=>^w~¬±×÷ω⊙⊗∞≤≥≠≈−→←↑↓",
    90: "MΜ∈⊤",
}
"""Hundredths of the size of the font, rounded up; whatever is not here is as wide as it is high."""

_WIDTH = {character: width for width, characters in _BY_WIDTH.items() for character in characters}
_WIDEST = 100
_BOLD = 1.12


def width(text: str, size: float, bold: bool = False) -> int:
    """Return how wide a text is in pixels, rounded up.

    >>> width("[B, 4]", 10)
    29
    """
    hundredths = sum(_WIDTH.get(character, _WIDEST) for character in text)
    return -int(-hundredths * size * (_BOLD if bold else 1) // 100)


def wrap(text: str, size: float, widest: float, lines: int) -> tuple[str, ...] | None:
    """Break a text at its spaces into lines of at most this width; None where it takes more lines.

    >>> wrap("a b", 10, 8, 2)
    ('a', 'b')
    >>> wrap("a b", 10, 8, 1)
    """
    made: list[str] = []
    for line in _lines(text.split(" "), size, widest):
        if len(made) == lines or width(line, size) > widest:
            return None
        made.append(line)
    return tuple(made)


def _lines(words: Sequence[str], size: float, widest: float) -> Iterator[str]:
    line = ""
    for word in words:
        longer = f"{line} {word}" if line else word
        if line and width(longer, size) > widest:
            yield line
            line = word
        else:
            line = longer
    yield line


def shortened(text: str, size: float, widest: float) -> str:
    """Return the text, or so much of it as fits, with dots."""
    if width(text, size) <= widest:
        return text
    end = len(text)
    while end and width(text[:end].rstrip() + "…", size) > widest:
        end -= 1
    return text[:end].rstrip() + "…"
