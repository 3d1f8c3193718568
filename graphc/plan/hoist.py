"""Hoisting: what a graph computes of its dims alone is computed once for all calls with these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphc.ir.graph import SOURCES, Node
from graphc.ir.loop import BOUND, LOOP, RESULT, loop_arguments
from graphc.ops.storage import owners_of_all


def constants(order: Sequence[Node], ends: Iterable[Node]) -> frozenset[Node]:
    """Return the nodes that depend on dims and constants only, and that nothing writes to.

    What a function ends with is its own, and what a loop starts from may be added to.
    """
    own = list(ends)
    for node in order:
        if node.op is LOOP:
            own += loop_arguments(node)[0]
    owned = {*own, *owners_of_all(own)}
    found: set[Node] = set()
    for node in order:
        made = node.op not in (*SOURCES, BOUND, LOOP, RESULT)
        alone = all(arg.static or arg in found for arg in node.args)
        if made and alone and not node.static and node not in owned:
            found.add(node)
    return frozenset(found)


def constants_read(order: Sequence[Node], found: frozenset[Node]) -> list[Node]:
    """List those of them that the rest of the graph reads, but for numbers that have a name."""
    read = {arg for node in order if node not in found for arg in node.args if arg in found}
    return [node for node in order if node in read and (node.rank or node.args)]
