"""Formulas and documents in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import sqrt

from graphc.views.explain.document import (
    About,
    Block,
    Code,
    Document,
    Equation,
    Heading,
    Inlines,
    Inside,
    Items,
    Paragraph,
    Table,
)
from graphc.views.explain.lines import line
from graphc.views.explain.marks import Mark, length, unstacked

OPERATORS = {
    "": r"\,", "⊙": r"\odot ", "⊗": r"\otimes ", "×": r"\times ", "−": "-", "≤": r"\le ",
    "≥": r"\ge ", "<": "<", ">": ">", "≠": r"\ne ", "∨": r"\lor ", "∧": r"\land ", "¬": r"\lnot ",
    "T": r"\top ", "·": r"\cdot ", "Σ": r"\sum ", "Π": r"\prod ", "mod": r"\bmod ", "…": r"\dots ",
    "|": r"\mid ", "//": r"\mathbin{/\!/}",
}  # fmt: skip
LOWER = """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau
upsilon varphi chi psi omega"""
UPPER = "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
GREEK = {
    **dict(zip("αβγδεζηθικλμνξπρστυφχψω", LOWER.split(), strict=True)),
    **dict(zip("ΓΔΘΛΞΠΣΥΦΨΩ", UPPER.split(), strict=True)),
    "∞": "infty",
}
FUNCTIONS = {
    "ln", "log", "max", "min", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos",
    "arctan", "det", "exp",
}  # fmt: skip
FENCES = {"|": r"\lvert |\rvert", "‖": r"\lVert |\rVert", "⌊": r"\lfloor |\rfloor",
          "⌈": r"\lceil |\rceil"}  # fmt: skip
ESCAPED = {"_": r"\_", "*": r"\mathord*", "#": r"\#", "%": r"\%", "&": r"\&", "$": r"\$",
           "{": r"\{", "}": r"\}", "~": r"\sim ", "^": r"\hat{}", "\\": r"\backslash "}  # fmt: skip


def latex(mark: Mark) -> str:
    """Write a formula in LaTeX's mathematics."""
    return re.sub(r" +", " ", _math(mark)).strip()


def _math(mark: Mark) -> str:
    parts = mark.parts
    match mark.kind:
        case "name":
            return _name(mark.text)
        case "upright":
            return _upright(mark.text)
        case "number":
            return _number(mark.text)
        case "operator":
            return OPERATORS.get(mark.text, mark.text)
        case "bold":
            return rf"\mathbf {mark.text}"
        case "row":
            return "".join(_spaced(_math(part)) for part in parts)
        case "above" | "derivative":
            return rf"\frac{{{_math(parts[0])}}}{{{_math(parts[1])}}}"
        case "raised":
            return f"{_base(parts[0])}^{{{_math(parts[1]).strip()}}}"
        case "lowered":
            return f"{_base(parts[0])}_{{{_math(parts[1]).strip()}}}"
        case "root":
            degree = f"[{_math(parts[1])}]" if len(parts) > 1 else ""
            return rf"\sqrt{degree}{{{_math(parts[0])}}}"
        case "soft":
            return _math(parts[0])
        case "bar":
            return rf"\overline{{{_math(parts[0])}}}"
        case _:
            first, last = FENCES.get(mark.text[0], f"{mark.text[0]}|{mark.text[-1]}").split("|", 1)
            return rf"\left{first}{_math(parts[0])}\right{last}"


def _base(mark: Mark) -> str:
    """Write what gets a script: what has one gets the next behind it, or beside, if it is long."""
    if mark.kind not in ("raised", "lowered"):
        return _math(mark)
    return f"{_math(mark)}{{}}" if length(mark) > WIDE else f"{{{_math(mark)}}}"


def _spaced(text: str) -> str:
    """End a command before a letter."""
    return f"{text} " if re.search(r"\\[a-zA-Z]+$", text) else text


def _name(text: str) -> str:
    if len(text) == 1:
        return rf"\{GREEK[text]} " if text in GREEK else ESCAPED.get(text, text)
    inner = "".join(
        rf"\{GREEK[one]} "
        if one in GREEK
        else ESCAPED.get(one, one.replace("−", "-").replace("·", r"\cdot "))
        for one in text
    )
    return rf"\mathit{{{inner}}}"


def _upright(text: str) -> str:
    if text == "∂":
        return r"\partial "
    if len(text) == 1:
        return rf"\mathrm {text}"
    if text in FUNCTIONS:
        return rf"\{text}"
    inner = "".join(ESCAPED.get(one, one.replace("−", "-")) for one in text)
    return rf"\operatorname{{{inner}}}"


def _number(text: str) -> str:
    mantissa, e, exponent = text.partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else text


# ---- documents ----------------------------------------------------------------------------------

PREAMBLE = r"""\documentclass[a4paper,fleqn]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage[margin=22mm]{geometry}
\usepackage{amsmath,amssymb,array,longtable}
\setlength{\parindent}{0pt}
\setlength{\parskip}{4pt}
\allowdisplaybreaks
\raggedright
{\catcode`\,=13 \gdef,{\mathchar"613B\allowbreak}}
\newcommand{\breaks}{\let\left\mathopen\let\right\mathclose
  \def\,{\mskip\thinmuskip\allowbreak}\mathcode`\,="8000 }
"""

LONG = 70
"""Characters of a formula, as a line of text, from which on it may break: in brackets, too, which
do not grow then."""

WIDE = 60
"""Characters of a fraction or a power, at most, in such a formula."""

FILLED = 0.9
"""The part of a line that columns take, apart from the spaces between them."""

ROOM = 80
"""Characters that fit into the rows of a table."""

SECTIONS = {1: "section*", 2: "subsection*", 3: "subsubsection*"}


def paper(document: Document) -> str:
    """Write a document as a file that a TeX engine reads."""
    body = "\n".join(_blocks(document.blocks))
    return f"{PREAMBLE}\\begin{{document}}\n{body}\n\\end{{document}}\n"


def _blocks(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Heading(depth, words):
                yield rf"\{SECTIONS[depth]}{{{_words(words)}}}"
            case Paragraph(words):
                yield f"{_words(words)}\n"
            case Items(items):
                yield r"\begin{itemize}"
                yield from (rf"\item {_words(item)}" for item in items)
                yield r"\end{itemize}"
            case Equation():
                yield from _equation(block)
            case Table():
                yield rf"\begin{{longtable}}[l]{{{_columns(block)}}}"
                rows = (" & ".join(map(_words, one)) for one in (block.head, *block.rows))
                yield " \\\\[2pt]\n".join(rows)
                yield "\\end{longtable}\n"
            case About(_, _, inner):
                yield from _blocks(inner)
            case Inside(title, inner):
                yield f"{_words(title)}\n"
                yield r"\begin{quote}"
                yield from _blocks(inner)
                yield r"\end{quote}"


def _equation(block: Equation) -> Iterator[str]:
    """Yield rows below each other, aligned where none of them is long."""
    short = max((_length(block, *row) for row in block.rights), default=0) < LONG
    left, shape = latex(block.left), _small(text(block.shape)) if block.shape else ""
    rows = [
        (
            "" if place else left,
            latex(right if short else unstacked(right, WIDE)),
            shape * (not place),
            _small(_words(remark)),
        )
        for place, (right, remark) in enumerate(block.rights)
    ]
    if not rows:
        yield rf"\begin{{align*}}& {left}{_beside(shape)}\end{{align*}}"
    elif short:
        lines = (f"{start} &= {right}{_beside(*notes)}" for start, right, *notes in rows)
        yield r"\begin{align*}"
        yield " \\\\\n".join(lines)
        yield r"\end{align*}"
    else:
        for start, right, *notes in rows:
            beside = "".join(f"\\quad {note}" for note in notes if note)
            yield rf"{{\breaks\hangindent=4em $\displaystyle {start} = {right}${beside}\par}}"


def _columns(block: Table) -> str:
    """Write how wide columns are: as wide as their cells, or so that their lines break and fit."""
    cells = zip(*(map(_characters, one) for one in (block.head, *block.rows)), strict=True)
    widths = [max(column) for column in cells]
    if sum(widths) <= ROOM:
        return "l" * len(widths)
    short = [wide for wide in widths if wide <= ROOM / len(widths)]
    shares = [sqrt(wide) for wide in widths if wide > ROOM / len(widths)]
    part = (1 - sum(short) / ROOM) / sum(shares)
    paragraph = r">{\raggedright\arraybackslash}p"
    return "".join(
        "l"
        if wide <= ROOM / len(widths)
        else rf"{paragraph}{{{part * sqrt(wide) * FILLED:.3f}\linewidth}}"
        for wide in widths
    )


def _length(block: Equation, right: Mark, remark: Inlines) -> int:
    """Count the characters of a row, with what stands beside it."""
    return len(line(block.left) + line(right) + block.shape) + _characters(remark)


def _characters(words: Inlines) -> int:
    return sum(
        len(line(one) if isinstance(one, Mark) else one.text if isinstance(one, Code) else one)
        for one in words
    )


def _small(words: str) -> str:
    return rf"{{\small {words}}}" if words else ""


def _beside(*notes: str) -> str:
    """Write notes in the mathematics of a row."""
    return "".join(rf"\quad\text{note}" for note in notes if note)


def _words(words: Inlines) -> str:
    found = []
    for word in words:
        if isinstance(word, str):
            found.append(text(word))
        elif isinstance(word, Code):
            found.append(rf"\texttt{{{text(word.text)}}}")
        else:
            long = len(line(word)) >= LONG
            formula = f"${latex(unstacked(word, WIDE) if long else word)}$"
            found.append(rf"{{\breaks {formula}}}" if long else formula)
    return "".join(found)


SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}", "#": r"\#", "$": r"\$", "%": r"\%", "&": r"\&", "∂": r"$\partial$",
    "⊙": r"$\odot$", "ᵀ": r"$^{\top}$", "×": r"$\times$", "·": r"$\cdot$", "…": r"\dots{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
    **{sign: f"$^{digit}$" for digit, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{letter: rf"$\{name}$" for letter, name in GREEK.items()},
}  # fmt: skip


def text(words: str) -> str:
    """Words outside of formulas; what pdfTeX has no letter for is a question mark."""
    found = (SIGNS.get(one, one) for one in words)
    return "".join(one if len(one) > 1 or ord(one) < 0x180 else "?" for one in found)
