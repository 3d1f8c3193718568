"""How large what a file asks for may grow: every limit, and the exception that one is passed."""

from __future__ import annotations

from graphc.source import Span

FILE = 16 << 20
"""Bytes that are read of one file, or of standard input."""
INTEGER = 2**63 - 1
"""The largest integer known at compile time: arrays of integers are int64."""
RANK = 64
"""Axes of an array, as NumPy's."""
MEMORY = 2**42
"""Bytes of an array that a function is given or makes; more no machine has."""
ELEMENTS = 2**100
"""Elements of an array, whatever becomes of it: sizes stay far below the largest float."""
LISTED = 100_000
"""Numbers in a list that is known at compile time."""
COPIES = 10_000
"""Steps of a loop that are written out one after the other; nested loops multiply theirs."""
MEMBERS = 1_000_000
"""Parameters of loops, those of each step counted: a module has the names of all."""
EXPANDED = 20_000
"""Statements in blocks, each time that one is used, and in steps that are written out."""
DERIVED = 5_000
"""Operations that derivatives in a file make, beside DERIVED_EACH for each of its own."""
DERIVED_EACH = 100
PARTS = 10_000
"""Values that one operation gives."""
DIM_FACTORS = 64
"""Symbols and numbers in a dim that is written out as a sum of products."""
DIM_POWER = 64
"""The highest power of a dim."""
DIM_NESTING = 8
"""Floor divisions inside of one another, where `%` is one too."""
SIZE_TERMS = 256
"""Terms in the number of elements of an array, written out as a sum of products."""


class Exceeded(Exception):
    """A limit is passed; `span` is where, which whoever knows it adds."""

    def __init__(self, message: str, help: str | None = None, span: Span | None = None) -> None:
        super().__init__(message)
        self.message, self.help, self.span = message, help, span
