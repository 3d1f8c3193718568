"""The definitions of the files of `runtime`, as text: what modules have copies of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from graphc.resources import PACKAGE

_DEFINITION = re.compile(r"^(?:@.*\n)*(?:def|class) (\w+).*(?:\n(?:[ )].*)?)*", re.MULTILINE)
"""From its decorators to the last line that is indented, or ends its parameters."""


@cache
def definitions_of(file: str, target: str = "numpy") -> dict[str, str]:
    """Return the functions and classes of a file of `runtime` by name, in their own order."""
    text = (PACKAGE / f"targets/{target}/runtime/{file}.py").read_text(encoding="utf-8")
    return {found[1]: found[0].rstrip() for found in _DEFINITION.finditer(text)}


def called_of(definitions: Mapping[str, str], read: Iterable[str]) -> list[str]:
    """List which definitions are called where these names are read, in their own order."""
    needed: set[str] = set()
    pending = definitions.keys() & read
    while pending:
        needed |= pending
        words = {name for part in pending for name in words_in(definitions[part])}
        pending = (definitions.keys() & words) - needed
    return [name for name in definitions if name in needed]


@cache
def words_in(text: str) -> frozenset[str]:
    """Return the words of a definition, among which are the names that it reads.

    That it passes, and that nothing else in it is called as a name, the tests hold.
    """
    return frozenset(re.findall(r"[A-Za-z_]\w*", text))
