"""A document for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from unicodedata import combining, east_asian_width

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

WIDTH = 100


def plain(document: Document, width: int = WIDTH) -> str:
    """Write the document as lines of text."""
    lines = [*_blocks(document.blocks, width)]
    return "\n".join(one.rstrip() for one in lines).strip("\n") + "\n"


def _blocks(blocks: Sequence[Block], width: int) -> Iterator[str]:
    for block in blocks:
        match block:
            case Heading(depth, words):
                lines = wrap(_words(words), width, break_long_words=False)
                rule = ("=" if depth == 1 else "-") * max(map(_wide, lines))
                yield from ("", *lines, rule, "")
            case Paragraph(words):
                yield from (*wrap(_words(words), width, break_long_words=False), "")
            case Items(items):
                for item in items:
                    first, *rest = wrap(_words(item), width - 4, break_long_words=False) or [""]
                    yield f"  - {first}"
                    yield from (f"    {one}" for one in rest)
                yield ""
            case Equation():
                yield from _equation(block, width)
            case Table():
                yield from _table(block, width)
            case About(_, _, inner):
                yield from _blocks(inner, width)
            case Inside(title, inner):
                yield from wrap(_words(title), width, break_long_words=False)
                yield from (f"│ {one}" for one in _blocks(inner, max(width - 2, 20)))
                yield ""


def _words(words: Inlines) -> str:
    found = []
    for word in words:
        if isinstance(word, str):
            found.append(word.replace("`", ""))
        else:
            found.append(f"`{word.text}`" if isinstance(word, Code) else line(word))
    return "".join(found)


def _equation(block: Equation, width: int) -> Iterator[str]:
    """Yield the left side once, the right sides below each other; a remark behind, if it fits."""
    left = line(block.left)
    indent = " " * _wide(left)
    shape = f"   {block.shape}" if block.shape else ""
    if not block.rights:
        yield f"{left}{shape}"
    for place, (right, remark) in enumerate(block.rights):
        start = left if not place else indent
        text = f"{start} = {line(right)}"
        note = _words(remark)
        behind = (shape if not place else "") + (f"   {note}" if note else "")
        if _wide(text + behind) <= width:
            yield text + behind
            continue
        yield from _folded(text, len(indent) + 3, width)
        if behind:
            yield from _folded(f"{indent}   {behind.strip()}", len(indent) + 3, width)
    yield ""


def _folded(text: str, indent: int, width: int) -> list[str]:
    """Fold a text whose lines begin under each other, so far in as leaves room for each word."""
    head, rest = text[:indent], text[indent:]
    longest = max(map(_wide, rest.split()), default=0)
    start = " " * max(4, min(indent, width // 2, width - longest))
    if head.strip():
        return wrap(text, width, subsequent_indent=start, break_long_words=False)
    return wrap(rest, width, initial_indent=start, subsequent_indent=start, break_long_words=False)


def _table(block: Table, width: int) -> Iterator[str]:
    """Yield the rows of a table; where that is too wide, each as a line and what follows it."""
    head, *rows = [[_words(cell) for cell in one] for one in (block.head, *block.rows)]
    widths = [max(map(_wide, column)) for column in zip(head, *rows, strict=True)]
    if sum(widths) + 2 * len(widths) > width:
        for first, *others in rows:
            pairs = zip(head[1:], others, strict=True)
            said = ", ".join(f"{name} {cell}".strip() for name, cell in pairs if cell)
            yield f"  {first}"
            yield from wrap(said, width, initial_indent="    ", subsequent_indent="    ")
    else:
        for one in (head, *rows):
            yield "  " + "  ".join(
                cell + " " * (size - _wide(cell)) for cell, size in zip(one, widths, strict=True)
            )
    yield ""


def _wide(text: str) -> int:
    """Count the columns of a terminal that a text takes."""
    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)
