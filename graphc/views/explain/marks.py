"""Formulas as they look: names, rows, fractions, scripts; printers turn them into text."""

from __future__ import annotations

from collections.abc import Iterable

from graphc.records import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """A part of a formula on paper.

    name      an identifier, `text`; upright: one that is a word, such as a function
    number    `text` in digits
    operator  `text` between its neighbours; `text` is "" between the factors of a product
    bold      a symbol in bold: no value of the graph is one
    row       its parts side by side
    above     a fraction; derivative: one of two differentials, which a line of text writes with /
    raised    the second part as a superscript of the first; lowered: as a subscript
    root      of its first part, of a degree that is its second
    fence     its part between the two characters of `text`; soft: only in a line of text
    bar       its part under a bar
    """

    kind: str
    text: str = ""
    parts: tuple[Mark, ...] = ()


def name(text: str) -> Mark:
    return Mark("name", text)


def upright(text: str) -> Mark:
    return Mark("upright", text)


def digits(text: str) -> Mark:
    return Mark("number", text)


def operator(text: str) -> Mark:
    return Mark("operator", text)


def row(parts: Iterable[Mark]) -> Mark:
    made = tuple(parts)
    return made[0] if len(made) == 1 else Mark("row", "", made)


def joined(parts: Iterable[Mark], between: str) -> Mark:
    """Parts with an operator between them."""
    made: list[Mark] = []
    for part in parts:
        made.extend([operator(between), part] if made else [part])
    return row(made)


def above(top: Mark, bottom: Mark) -> Mark:
    return Mark("above", "", (top, bottom))


def raised(base: Mark, script: Mark) -> Mark:
    return Mark("raised", "", (base, script))


def lowered(base: Mark, script: Mark) -> Mark:
    return Mark("lowered", "", (base, script))


def fenced(inner: Mark, characters: str = "()") -> Mark:
    return Mark("fence", characters, (inner,))


def softly(inner: Mark) -> Mark:
    """Put in parentheses where all stands on one line."""
    return Mark("soft", "()", (inner,))


def length(mark: Mark) -> int:
    """Count the characters of a formula."""
    return len(mark.text) + sum(map(length, mark.parts))


def unstacked(mark: Mark, wide: int) -> Mark:
    """Write what no line ends in, where it is wider than so many characters, as what lines end in.

    A fraction becomes a quotient, and what e is raised to the argument of exp.
    """
    parts = tuple(unstacked(part, wide) for part in mark.parts)
    made = Mark(mark.kind, mark.text, parts)
    match mark.kind:
        case "soft" if mark.parts[0].kind == "above" and parts[0].kind == "row":
            return fenced(parts[0])
        case "above" if length(mark) > wide:
            return row([_grouped(parts[0]), operator("/"), _grouped(parts[1])])
        case "raised" if parts[0] == EULER and length(mark) > wide:
            return row([upright("exp"), fenced(_hard(parts[1]))])
        case _:
            return made


def _grouped(mark: Mark) -> Mark:
    """Put what stood above or below a line into parentheses, if it is no symbol or call."""
    inner = _hard(mark)
    called = [part.kind for part in inner.parts] == ["upright", "fence"]
    alone = inner.kind in ("name", "number", "lowered", "fence", "root")
    return inner if alone or called else fenced(inner)


def _hard(mark: Mark) -> Mark:
    return mark.parts[0] if mark.kind in ("soft", "fence") and mark.text == "()" else mark


EULER = upright("e")
"""The number, upright: a value of the graph may have the letter."""

BOLD = {"1": "𝟏", "S": "𝐒", "P": "𝐏", "E": "𝐄"}
"""What is printed bold, where letters have no other face."""

TRANSPOSE = operator("T")
