"""The words that say how a derivation is told: its layout, its modes, its detail."""

from __future__ import annotations

from typing import Literal

Layout = Literal["numerator", "denominator"]

LAYOUTS: tuple[Layout, ...] = ("numerator", "denominator")
MODES = ("reverse", "forward", "both")
DETAILS = {"sentence": 1, "formulas": 2, "reasons": 3, "everything": 4}


def detail_of(given: str | int) -> int:
    """Return the level of detail that a word or a number names; raises ValueError."""
    by_word = DETAILS | {str(number): number for number in DETAILS.values()}
    if str(given) in by_word:
        return by_word[str(given)]
    words = ", ".join(f"{number} ({word})" for word, number in DETAILS.items())
    raise ValueError(f"there is no level `{given}`; there are {words}")
