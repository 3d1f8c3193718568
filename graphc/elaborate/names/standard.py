"""The blocks that ship with graphc, each parsed when a file first calls it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from graphc.elaborate.names.scope import BlockValue, Namespace
from graphc.resources import grammar_text
from graphc.source import Source
from graphc.syntax import tree
from graphc.syntax.parse.parser import parse

FILE = "std.graph"
_BLOCK = re.compile(r"^block (\w+)(?:.*\n)*?\}\n", re.MULTILINE)


class StandardBlocks(Mapping[str, BlockValue]):
    """The standard blocks by name, which call one another."""

    def __init__(self) -> None:
        self._space = Namespace(Source(FILE, grammar_text(FILE)))

    def __getitem__(self, name: str) -> BlockValue:
        known = self._space.blocks
        if name not in known:
            known[name] = BlockValue(_parsed(name), self._space)
        return known[name]

    def __contains__(self, name: object) -> bool:
        return name in _places()

    def __iter__(self) -> Iterator[str]:
        return iter(_places())

    def __len__(self) -> int:
        return len(_places())


@cache
def _places() -> dict[str, tuple[int, int]]:
    """Return where each block begins and ends."""
    return {found[1]: found.span() for found in _BLOCK.finditer(grammar_text(FILE))}


@cache
def _parsed(name: str) -> tree.Block:
    """Parse a block at its place in the file, whose other lines are blank meanwhile."""
    text = grammar_text(FILE)
    start, end = _places()[name]
    before, after = (re.sub(r"[^\n]", " ", part) for part in (text[:start], text[end:]))
    (block,) = parse(Source(FILE, before + text[start:end] + after)).statements
    assert isinstance(block, tree.Block)
    return block
