"""Shapes beside the names of values whose type the text does not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphc.editor.names import Names
from graphc.elaborate.names.scope import Entry
from graphc.ir.graph import Node
from graphc.source import Span
from graphc.syntax import tree

UNTYPED = (tree.Equation, tree.Chain, tree.Output)


def shapes(
    statements: tuple[tree.Statement, ...], names: Names, entries: Mapping[Span, Entry]
) -> Iterator[tuple[Span, str]]:
    """Yield the place behind a name, and its type as a declaration says it.

    In blocks nothing is shown: each use has shapes of its own.
    """
    blocks = [one.span for one in statements if isinstance(one, tree.Block)]
    for symbol in names.symbols:
        statement = symbol.statement
        if not isinstance(statement, UNTYPED) or statement.type is not None:
            continue
        for span in symbol.defined:
            if any(block.start <= span.start < block.end for block in blocks):
                continue
            entry = entries.get(span)
            if entry is not None and not entry.is_poisoned and isinstance(entry.value, Node):
                yield Span(span.source, span.end, span.end), f": {entry.value.type}"
