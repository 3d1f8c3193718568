"""The C target, as a record."""

from __future__ import annotations

from graphc.ir.graph import Node
from graphc.nests.expressions import is_local
from graphc.targets.c.functions.module import header, text
from graphc.targets.target import Target, as_it_is


def measure(node: Node) -> int | None:
    """Measure what is written where it is read; all else has a statement, a line of a loop."""
    return 0 if is_local(node) else None


C = Target(
    "c",
    ".c",
    measure,
    lowering=(),
    stages=(),
    small=as_it_is,
    write=text,
    beside={".h": header},
)
