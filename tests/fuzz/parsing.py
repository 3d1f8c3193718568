"""The tree of a program, which its compilation and its meaning read."""

from __future__ import annotations

from functools import lru_cache

from graphc.source import Source
from graphc.syntax.parse.parser import Parsed, parse_with_recovery


@lru_cache(16)
def parsed(text: str) -> Parsed:
    """The statements of a program, and what is wrong with its text."""
    return parse_with_recovery(Source("graph", text))
