"""Formulas on a line of text, with the signs that Unicode has for mathematics."""

from __future__ import annotations

import re

from graphc.ir.dims import Dim
from graphc.views.explain.marks import BOLD, EULER, Mark

RAISED = str.maketrans("0123456789+-−nT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿᵀ")
TIGHT = {",": ", ", ":": ":", "·": "·", "(": "(", ")": ")", "//": "//"}
LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def line(mark: Mark) -> str:
    """Write a formula as a line of text."""
    text = _line(mark)
    return " ".join(text.split())


def _line(mark: Mark) -> str:
    parts = mark.parts
    match mark.kind:
        case "operator":
            if mark.text in TIGHT:
                return TIGHT[mark.text]
            return " " if not mark.text else f" {mark.text} "
        case "bold":
            return BOLD.get(mark.text, mark.text)
        case "row":
            return _row(parts)
        case "above":
            between = "/" if {part.kind for part in parts} == {"number"} else " / "
            return f"{_tight(parts[0])}{between}{_tight(parts[1])}"
        case "derivative":
            return f"{_line(parts[0])}/{_line(parts[1])}"
        case "raised" if parts[0] == EULER:
            return f"exp({_line(parts[1]).strip()})"
        case "raised":
            return _line(parts[0]) + _raised(parts[1])
        case "lowered":
            return _line(parts[0]).strip() + _lowered(parts[1])
        case "root":
            sign = {"3": "∛"}.get(_line(parts[1])) if len(parts) > 1 else "√"
            return f"{sign}{_line(parts[0])}" if _atom(parts[0]) else f"{sign}({_line(parts[0])})"
        case "fence" | "soft":
            return f"{mark.text[0]}{_line(parts[0]).strip()}{mark.text[-1]}"
        case "bar":
            return f"{_line(parts[0])}\u0305" if len(_line(parts[0])) == 1 else (
                f"bar({_line(parts[0])})"
            )  # fmt: skip
        case _:
            return mark.text


def _row(parts: tuple[Mark, ...]) -> str:
    """Join parts: a sign in front belongs to what follows it; words stand apart from names."""
    text = ""
    for place, part in enumerate(parts):
        shown = _line(part)
        if part.kind == "operator" and part.text == "−" and place == 0:
            shown = "−"
        if part.kind == "operator" and part.text in ("Σ", "Π"):
            shown = f"{part.text} "
        if text and part.kind == "upright" and text[-1].isalnum():
            shown = f" {shown}"
        if place and parts[place - 1].kind == "upright" and part.kind == "name" and (
            len(parts[place - 1].text) > 1
        ):  # fmt: skip
            shown = f" {shown}"
        text += shown
    return text


def _atom(mark: Mark) -> bool:
    return mark.kind in ("name", "number", "fence", "soft", "lowered")


def _tight(mark: Mark) -> str:
    return _line(mark).strip()


def _raised(script: Mark) -> str:
    text = _line(script).strip()
    if script == Mark("operator", "T"):
        return "ᵀ"
    short = text.replace(" ", "")
    if set(short) <= set("0123456789-−n"):
        return short.translate(RAISED)
    return f"^{text}" if _atom(script) else f"^({text})"


def _lowered(script: Mark) -> str:
    text = _line(script).strip()
    if text.isdigit():
        return text.translate(LOWERED)
    text = text.replace(" − ", "−").replace(" + ", "+")
    if text.startswith("["):
        return text
    if script.kind == "name" and len(text) == 1:
        return f"_{text}"
    return f"[{text}]"


def counted(dim: Dim) -> str:
    """Write how many, as a formula on a line of text."""
    raised = re.sub(r"\*\*(\d+)", lambda m: m[1].translate(RAISED), str(dim))
    return raised.replace("*", "·")
