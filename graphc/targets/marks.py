"""Marks at the ends of lines: the place in the graph that a statement comes from.

They stand in comments while a module is written, and are taken out when it is whole. So each line
keeps its place however it is laid out. No text of a user has their characters: what is not
printable is replaced or escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from graphc.ir.graph import Node

_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")
_ALONE = re.compile(f"  #({_MARK.pattern})$")


def mark(node: Node | None) -> str:
    """Return the mark of the statement in the user's own file that made a node; "" of none.

    >>> without_marks(f"y = x  # twice{_OPEN}net.graph:3{_CLOSE}\\nz = y")
    ('y = x  # twice\\nz = y', {1: 'net.graph:3'})
    """
    if node is None or node.origin is None:
        return ""
    span = node.origin.outermost
    name = span.source.name
    return f"{_OPEN}{name}:{span.line}{_CLOSE}" if name.isprintable() else ""


def without_marks(text: str) -> tuple[str, Mapping[int, str]]:
    """Return the text without its marks, and what they said by line, counted from 1."""
    if _OPEN not in text:
        return text, {}
    lines, places = text.split("\n"), {}
    for number, line in enumerate(lines):
        if _OPEN in line:
            found = _MARK.search(line)
            assert found is not None
            places[number + 1] = found[1]
            lines[number] = _MARK.sub("", _ALONE.sub("", line))
    return "\n".join(lines), places
