"""The panel of the module: its functions line by line, what is not of the graph folded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from graphc.highlight import coloured
from graphc.targets.marks import Unmarked
from graphc.views.report.links import Of
from graphc.views.report.markup import Markup, element, joined
from graphc.views.report.source import COLOURED, Token, line_of, listing, split_lines


def tell_code(written: Unmarked, statements: Mapping[int, Of]) -> Markup:
    """Write a module; parts without statements of the graph are folded."""
    return joined([*_parts(written, statements)])


def _parts(written: Unmarked, statements: Mapping[int, Of]) -> Iterator[Markup]:
    lines = written.text.rstrip("\n").split("\n")
    contents = _contents(written.text, plain=len(lines) > COLOURED)
    folded: list[Markup] = []
    start = 1
    for first, last in _bounds(lines):
        numbers = range(first, last + 1)
        of_graph = any(number in written.statements for number in numbers)
        rows = [
            line_of(contents[number - 1], statements.get(written.statements.get(number, -1), Of()))
            for number in numbers
        ]
        if of_graph:
            yield from _fold(folded, start)
            yield listing(rows, first)
            folded, start = [], last + 1
        else:
            folded += rows
    yield from _fold(folded, start)


def _bounds(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the first and last lines of the parts of a module: two blank lines end one."""
    first = 1
    for number in range(2, len(lines)):
        if not lines[number - 1] and not lines[number - 2]:
            yield first, number
            first = number + 1
    yield first, len(lines)


def _contents(text: str, plain: bool) -> list[list[Token]]:
    """Split a module into the tokens of its lines."""
    tokens: Iterable[Token] = [(text, "", None)]
    if not plain:
        tokens = ((token, colour, None) for _, token, colour in coloured(text, python=True))
    return split_lines(tokens)


def _fold(rows: list[Markup], first: int) -> Iterator[Markup]:
    if rows:
        title = f"{len(rows)} lines that check, convert and describe"
        yield element("details", element("summary", title), listing(rows, first))
