"""Use counts: a node read in one place only can be computed there in another way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import chain

from graphc.ir.graph import Node, Op
from graphc.ir.loop import LOOP, everywhere, loop_of

Once = Callable[[Node], bool]
"""Is a node read in one place only, so that nothing is computed twice if that does without it?"""

Rule = Callable[[Node, Once], Node | None]
Rules = Mapping[Op, tuple[Rule, ...]]
"""Rules of one node by its operation."""


def reads_of(roots: Iterable[Node]) -> Counter[Node]:
    """Count the reads of each node that the roots reach, also inside loops.

    What a loop captures is read in its body and by the loop, so never once.
    """
    roots = list(roots)
    nodes = everywhere(roots)
    inside = (loop_of(node).roots for node in nodes if node.op is LOOP)
    return Counter(chain(roots, chain.from_iterable(node.args for node in nodes), *inside))


def move(reads: Counter[Node], old: Node, new: Node) -> None:
    """Count the reads of a node as those of the same node with the arguments that took the place
    of its own."""
    counted = reads[new] > 0
    reads[new] += reads.pop(old, 0)
    if counted:
        _drop(reads, new)


def exchange(reads: Counter[Node], old: Node, new: Node) -> None:
    """Count what a new node reads, in place of an old one, and no more what only that has read.

    Bodies of loops are counted as before: too many reads are only found out later.
    """
    pending = [] if reads[new] else [new]
    while pending:
        for arg in pending.pop().args:
            if not reads[arg]:
                pending.append(arg)
            reads[arg] += 1
    reads[new] += reads.pop(old, 0)
    _drop(reads, old)


def _drop(reads: Counter[Node], node: Node) -> None:
    """Count the arguments of a node once less, and below those that nothing reads any more."""
    pending = [node]
    while pending:
        for arg in pending.pop().args:
            reads[arg] -= 1
            if not reads[arg]:
                pending.append(arg)
