"""What writes a part of a program."""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.program import Axis
from tests.fuzz.writing.writer import Writer

Write = Callable[[Writer], None]


Shape = tuple[Axis, ...]
