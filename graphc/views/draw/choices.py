"""What can be chosen of a picture, by the words of options; nothing heavy is imported."""

from __future__ import annotations

from typing import Literal, get_args

Format = Literal["svg", "dot", "mermaid"]
FORMATS: tuple[Format, ...] = get_args(Format)

ENDINGS: dict[str, Format] = {
    ".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid",
}  # fmt: skip
"""The format of a file by how its name ends."""

Direction = Literal["forward", "backward"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
"""What is shown: how values are computed, or what flows back."""

Layouter = Literal["own", "dot"]
LAYOUTERS: tuple[Layouter, ...] = get_args(Layouter)
"""Who gives everything its place: graphc, the same everywhere; or Graphviz, as it is installed."""
