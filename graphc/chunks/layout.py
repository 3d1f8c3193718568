"""How a node lies over an axis whose rows are cut into chunks: one of six records."""

from __future__ import annotations

from typing import Literal, TypeAlias

from graphc.ad.positions import Apart
from graphc.ir.graph import Node
from graphc.records import dataclass

Merge = Literal[
    "summed", "averaged", "largest", "smallest", "logsumexp", "moments", "norm", "product",
    "any", "all", "weighted",
]  # fmt: skip
"""How the values that two chunks have of a node become that of both together.

An average is weighted by rows, what is `weighted` by the exponential of a logsumexp; `moments` are
a variance with its mean.
"""

LINEAR: frozenset[Merge] = frozenset({"summed", "averaged"})
"""Merges that whatever is linear in a value has, too."""

COUNT = "count"
"""The weight of rows that are divided by the number of all rows."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The same for every chunk: no row goes into it. A `share` is divided by the number of rows."""

    share: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """A slice for each row, which depends on this row alone, but for a weight.

    That is 1 over the number of rows, or 1 over the sum of the exponentials whose logarithm is the
    node. What is linear in such rows may be summed; nothing else may read them.
    """

    place: Apart
    weight: Node | str | None = None


@dataclass(frozen=True, slots=True)
class Merged:
    """A statistic of the rows: a chunk has its own, and these are merged."""

    merge: Merge
    weight: Node | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """Computed of statistics, of the number of rows and of what is whole, once all are merged."""


@dataclass(frozen=True, slots=True)
class Counting:
    """The positions of the rows, counted from the first: only for taking each row by itself."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """Not computed of chunks in one pass: this node mixes rows, for this reason."""

    node: Node
    why: str
    fix: str


Layout: TypeAlias = "Whole | Rows | Merged | Finished | Counting | Mixed"

WHOLE, FINISHED, COUNTING = Whole(), Finished(), Counting()
