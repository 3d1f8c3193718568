"""The definitions of the files of `runtime`, as text: what modules have copies of."""

from __future__ import annotations

import re
from functools import cache

from graphc.resources import PACKAGE

_DEFINITION = re.compile(r"^(?:@.*\n)*(?:def|class) (\w+).*(?:\n(?:[ )].*)?)*", re.MULTILINE)
"""From its decorators to the last line that is indented, or ends its parameters."""


@cache
def definitions_of(file: str, target: str = "numpy") -> dict[str, str]:
    """Return the functions and classes of a file of `runtime` by name, in their own order."""
    text = (PACKAGE / f"targets/{target}/runtime/{file}.py").read_text(encoding="utf-8")
    return {found[1]: found[0].rstrip() for found in _DEFINITION.finditer(text)}
