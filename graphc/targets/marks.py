"""Marks at the ends of lines: the statement that a line is of, and its place in the graph.

They stand there while a module is written, places in comments, and are taken out when it is whole.
So each line keeps them however it is laid out. No text of a user has their characters: what is not
printable is replaced or escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from graphc.ir.graph import Node
from graphc.plan.program import AnyStep, BlockStep
from graphc.records import dataclass

_OPEN, _CLOSE, _STATEMENT = "\ue000", "\ue001", "\ue002"
_MARK = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")
_ALONE = re.compile(f"  #({_MARK.pattern})$")


def mark(node: Node | None) -> str:
    """Return the mark of the statement in the user's own file that made a node; "" of none.

    >>> without_marks(f"y = x  # twice{_OPEN}net.graph:3{_CLOSE}\\nz = y{_STATEMENT}7")
    Unmarked(text='y = x  # twice\\nz = y', places={1: 'net.graph:3'}, statements={2: 7})
    """
    if node is None or node.origin is None:
        return ""
    span = node.origin.outermost
    name = span.source.name
    return f"{_OPEN}{name}:{span.line}{_CLOSE}" if name.isprintable() else ""


def of_statement(lines: Sequence[str], step: AnyStep) -> list[str]:
    """Mark the lines of a statement, but for those that one inside of it has marked."""
    mine = f"{_STATEMENT}{number_of(step)}"
    return [line if _STATEMENT in line else f"{line}{mine}" for line in lines]


def number_of(step: AnyStep) -> int:
    """Return the number of a statement: no other node of a compilation has that of its node."""
    return (step.made[0] if isinstance(step, BlockStep) else step.node).number


def without_statements(text: str) -> str:
    """Return a text without the marks of statements: what is left is Python, or C."""
    return re.sub(rf"{_STATEMENT}\d+", "", text)


@dataclass(frozen=True, slots=True)
class Unmarked:
    """A text without marks, and what they said by line, counted from 1.

    `places` are those in the graph, as `net.graph:3`, `statements` the numbers of statements.
    """

    text: str
    places: Mapping[int, str]
    statements: Mapping[int, int]


def without_marks(text: str) -> Unmarked:
    """Take the marks out of a text."""
    lines = text.split("\n")
    places: dict[int, str] = {}
    statements: dict[int, int] = {}
    for number, marked in enumerate(lines, 1):
        line, statement, said = marked.partition(_STATEMENT)
        if statement:
            statements[number] = int(said)
        if _OPEN in line:
            found = _MARK.search(line)
            assert found is not None
            places[number] = found[1]
            line = _MARK.sub("", _ALONE.sub("", line))
        lines[number - 1] = line
    return Unmarked("\n".join(lines), places, statements)
