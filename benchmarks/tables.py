"""Tables of measured numbers: seconds, bytes and ratios as data, rounded only when printed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Format = Callable[[Any], str]


def text(value: object) -> str:
    """Words and counts, as they are."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def significant(value: float) -> str:
    """Three significant digits, without an exponent.

    >>> [significant(value) for value in (0.01234, 1.5, 123.4, 12345.6)]
    ['0.0123', '1.50', '123', '12,346']
    """
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{max(digits, 0)}f}"


def seconds(value: float) -> str:
    """A time, in the unit that suits it.

    >>> [seconds(value) for value in (3.2e-7, 0.00042, 0.0421, 3.5)]
    ['0.320 µs', '420 µs', '42.1 ms', '3.50 s']
    """
    for limit, scale, unit in ((1e-3, 1e6, "µs"), (1, 1e3, "ms")):
        if value < limit:
            return f"{significant(value * scale)} {unit}"
    return f"{significant(value)} s"


def between(quartiles: tuple[float, float]) -> str:
    """Where the middle half of the times is."""
    return " – ".join(map(seconds, quartiles))


def difference(value: float) -> str:
    """A time more or less."""
    return f"{1000 * value:+.1f} ms"


def megabytes(value: float) -> str:
    """Bytes, in millions."""
    return f"{value / 1e6:,.0f} MB"


def ratio(value: float) -> str:
    """How many times as much."""
    return f"{value:.2f}×"


def number(value: float) -> str:
    """A plain number."""
    return f"{value:.2f}"


def power(value: float) -> str:
    """An order of magnitude."""
    return f"{value:.0e}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of numbers under the headings of its columns; a cell that a row lacks stays empty."""

    title: str
    columns: Mapping[str, Format]
    rows: Sequence[Mapping[str, Any]]
    note: str = ""

    def cells(self) -> list[list[str]]:
        """The rows as they are printed."""
        return [
            [
                "" if row.get(name) is None else form(row[name])
                for name, form in self.columns.items()
            ]
            for row in self.rows
        ]

    def markdown(self) -> str:
        """The table for a README."""
        rule = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = [" | ".join(cells) for cells in ([*self.columns], rule, *self.cells())]
        body = "\n".join(f"| {line} |" for line in lines)
        return f"**{self.title}**\n\n{body}\n" + (f"\n{self.note}\n" if self.note else "")

    def data(self) -> dict[str, Any]:
        """The table for JSON: every number as it was measured."""
        return {"title": self.title, "note": self.note, "rows": [dict(row) for row in self.rows]}
