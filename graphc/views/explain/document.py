"""A text with formulas, before it is known in which format it is printed."""

from __future__ import annotations

from graphc.records import dataclass
from graphc.views.explain.marks import Mark


@dataclass(frozen=True, slots=True)
class Code:
    """Words of the graph's own language, quoted."""

    text: str


Inline = str | Mark | Code
Inlines = tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A title: 1 is that of the whole."""

    depth: int
    words: Inlines


@dataclass(frozen=True, slots=True)
class Paragraph:
    words: Inlines


@dataclass(frozen=True, slots=True)
class Equation:
    """`left` = each of `rights`, one below the other, with a remark beside each; its shape."""

    left: Mark
    rights: tuple[tuple[Mark, Inlines], ...]
    shape: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """A list, an item a line."""

    items: tuple[Inlines, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; where its rows are of values of the graph, `names` are those, row by row."""

    head: tuple[Inlines, ...]
    rows: tuple[tuple[Inlines, ...], ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inside:
    """What belongs to one step of a loop."""

    title: Inlines
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class About:
    """What is said of one value of the graph, or of the `derivative` by it."""

    name: str
    derivative: bool
    blocks: tuple[Block, ...]


Block = Heading | Paragraph | Equation | Items | Table | Inside | About


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    blocks: tuple[Block, ...]
