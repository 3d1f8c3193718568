"""How much of a derivation is told."""

from __future__ import annotations

from graphc.records import dataclass
from graphc.views.explain.expression import Expression

SENTENCE, STEPS, REASONS, EVERYTHING = 1, 2, 3, 4
"""The levels: a sentence for each derivative, the formulas, their reasons, every operation."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a derivation is told: how much, in which mode, and of which value alone."""

    level: int = REASONS
    mode: str = "reverse"
    node: str = ""

    @property
    def forward(self) -> bool:
        return self.mode in ("forward", "both")

    @property
    def reverse(self) -> bool:
        return self.mode in ("reverse", "both")

    def of(self, value: Expression) -> bool:
        return not self.node or (value.kind == "symbol" and value.data[0] == self.node)
