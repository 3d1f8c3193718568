r"""The notation of operations, as it is kept in LaTeX with places for arguments, as marks.

Only how a formula looks is read here: what it means is the operation that it stands for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from graphc.views.explain.marks import (
    EULER,
    Mark,
    above,
    digits,
    lowered,
    name,
    operator,
    raised,
    row,
)
from graphc.views.explain.marks import upright as word

TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|<\d[*^]?>|\d+(?:\.\d+)?(?:e-?\d+)?|\s+|.")

OPERATORS: Mapping[str, str] = {
    "odot": "⊙", "times": "×", "bmod": "mod", "le": "≤", "ge": "≥", "lt": "<", "gt": ">",
    "ne": "≠", "lor": "∨", "land": "∧", "lnot": "¬", "top": "T", "cdot": "·",
    "sum": "Σ", "prod": "Π",
}  # fmt: skip
NAMES: Mapping[str, str] = {
    "sigma": "σ", "Phi": "Φ", "varphi": "φ", "Gamma": "Γ", "psi": "ψ", "pi": "π", "infty": "∞",
    "mu": "μ",
}  # fmt: skip
FENCES: Mapping[str, str] = {
    "lvert": "|", "rvert": "|", "lVert": "‖", "rVert": "‖", "lfloor": "⌊", "rfloor": "⌋",
    "lceil": "⌈", "rceil": "⌉",
}  # fmt: skip
CLOSING: Mapping[str, str] = {
    "(": ")", "[": "]", r"\lvert": r"\rvert", r"\lVert": r"\rVert", r"\lfloor": r"\rfloor",
    r"\lceil": r"\rceil",
}  # fmt: skip
SKIPPED = (r"\left", r"\right")
"""What is nothing on paper: parentheses grow with what they hold."""

Place = Callable[[int, str], Mark]
"""The mark of an argument: which one, and how tightly it must hold together."""


def marked(template: str, place: Place) -> Mark:
    """Fill a template with its arguments."""
    tokens = [t for t in TOKEN.findall(template) if not t.isspace() and t not in SKIPPED]
    return _row(iter(tokens), place, "")


def _row(tokens: Iterator[str], place: Place, end: str) -> Mark:
    parts: list[Mark] = []
    for token in tokens:
        if token == end:
            break
        if token in ("^", "_"):
            script = _one(next(tokens), tokens, place)
            parts.append((raised if token == "^" else lowered)(parts.pop(), script))
        elif token in (r"\,", r"\;"):
            parts.append(operator(""))
        else:
            parts.append(_one(token, tokens, place))
    return row(parts)


def _one(token: str, tokens: Iterator[str], place: Place) -> Mark:
    if token == "{":
        return _row(tokens, place, "}")
    if token in CLOSING:
        shown = FENCES.get(token[1:], token)
        closing = CLOSING[token]
        inner = _row(tokens, place, closing)
        return Mark("fence", shown + FENCES.get(closing[1:], closing), (inner,))
    if token.startswith("<"):
        return place(int(token[1]), token[2:-1])
    if token.startswith("\\"):
        return _command(token[1:], tokens, place)
    if token[0].isdigit():
        return digits(token)
    if token == EULER.text:
        return EULER
    return name(token) if token.isalpha() else operator({"-": "−"}.get(token, token))


def _command(command: str, tokens: Iterator[str], place: Place) -> Mark:
    if command in ("frac", "tfrac"):
        first = next(tokens)
        if first.isdigit() and len(first) == 2:  # as LaTeX reads \tfrac12
            return above(digits(first[0]), digits(first[1]))
        top = _one(first, tokens, place)
        return above(top, _one(next(tokens), tokens, place))
    if command == "sqrt":
        token = next(tokens)
        degree = _row(tokens, place, "]") if token == "[" else None
        inner = _one(next(tokens) if degree is not None else token, tokens, place)
        return Mark("root", "", (inner,) if degree is None else (inner, degree))
    if command in ("operatorname", "mathrm", "text", "mathbf"):
        next(tokens)
        letters = []
        for token in tokens:
            if token == "}":
                break
            letters.append(token.removeprefix("\\"))
        return Mark("bold", "".join(letters)) if command == "mathbf" else word("".join(letters))
    if command in OPERATORS:
        return operator(OPERATORS[command])
    return name(NAMES[command]) if command in NAMES else word(command)
