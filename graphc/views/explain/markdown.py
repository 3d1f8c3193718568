"""A document in Markdown, with its formulas in LaTeX between dollars."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
from graphc.views.explain.latex import latex, text


def markdown(document: Document) -> str:
    """Write the document as Markdown reads it on the pages of repositories."""
    return "\n".join(_blocks(document.blocks)).strip("\n") + "\n"


def _blocks(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Heading(depth, words):
                yield f"{'#' * depth} {_words(words)}\n"
            case Paragraph(words):
                yield f"{_words(words)}\n"
            case Items(items):
                yield from (f"- {_words(item)}" for item in items)
                yield ""
            case Equation():
                yield from _equation(block)
            case Table():
                yield f"| {' | '.join(map(_cell, block.head))} |"
                yield f"|{' --- |' * len(block.head)}"
                yield from (f"| {' | '.join(map(_cell, one))} |" for one in block.rows)
                yield ""
            case About(_, _, inner):
                yield from _blocks(inner)
            case Inside(title, inner):
                yield f"{_words(title)}\n"
                for lines in _blocks(inner):
                    yield from (f"> {line}".rstrip() for line in lines.split("\n"))
                yield ""


def _cell(words: Inlines) -> str:
    return _words(words).replace("|", r"\|")


def _equation(block: Equation) -> Iterator[str]:
    shape = rf" \qquad \text{{{text(block.shape)}}}" if block.shape else ""
    rows = [
        f"{latex(block.left) if not place else ''} &= {latex(right)}{shape if not place else ''}"
        for place, (right, _) in enumerate(block.rights)
    ] or [f"& {latex(block.left)}{shape}"]
    inner = " \\\\\n".join(rows)
    yield f"$$\n\\begin{{aligned}}\n{inner}\n\\end{{aligned}}\n$$\n"
    remarks = [_words(remark) for _, remark in block.rights if remark]
    if remarks:
        yield f"{'; '.join(remarks)}\n"


def _words(words: Inlines) -> str:
    found = []
    for word in words:
        if isinstance(word, str):
            found.append(re.sub(r"([*_<>|\[\]$])", r"\\\1", word))
        elif isinstance(word, Code):
            fence = "``" if "`" in word.text else "`"
            found.append(f"{fence}{word.text}{fence}")
        else:
            found.append(f"${latex(word)}$")
    return "".join(found)
