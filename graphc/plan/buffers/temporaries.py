"""Temporaries: the memory that it takes to evaluate an expression, and what lives meanwhile.

As NumPy does it: a large array without a name gives its memory to the operator that reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import SOURCES, Node, arguments_first
from graphc.ir.kernel import Elementwise, Kernel
from graphc.ir.sizes import typical
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.storage import seen_in
from graphc.ops.workspace import NOTHING, workspace
from graphc.records import dataclass

LARGE = 256 * 1024
"""From so many bytes on, NumPy computes an operator in the place of an operand without a name."""
OPERATORS: Mapping[Kernel | None, tuple[int, ...]] = {
    Elementwise("add"): (0, 1),
    Elementwise("multiply"): (0, 1),
    Elementwise("subtract"): (0,),
    Elementwise("divide"): (0,),
    Elementwise("negative"): (0,),
}
"""The operators that do, and which of their operands may be overwritten."""

Objects = frozenset[int]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What an expression comes to: memory that has a name, new memory, and the most meanwhile."""

    objects: Objects = frozenset()
    new: Dim = NOTHING
    peak: Dim = NOTHING


def evaluate(
    root: Node,
    named: Callable[[Node], Objects | None],
    size: Callable[[Node], Dim],
    placed: bool = False,
) -> Evaluated:
    """Evaluate what it takes to compute a node, unless `placed` into memory of its own.

    `named` is the memory of what a variable holds; None where an expression computes it.
    """
    known: dict[Node, Evaluated] = {}
    for node in arguments_first([root], Where(named)):
        args = [known.get(arg) or Evaluated(named(arg) or frozenset()) for arg in node.args]
        known[node] = _compute(node, args, size, placed and node is root)
    return known[root]


def _compute(
    node: Node, args: Sequence[Evaluated], size_of: Callable[[Node], Dim], placed: bool
) -> Evaluated:
    """Evaluate one operation: arguments one after the other, then together with the result."""
    size = size_of(node)
    held, peak = NOTHING, NOTHING
    for number, arg in enumerate(args):
        peak = most((peak, held + arg.peak))
        held += arg.new
        if number and node.op is accumulate and not placed:  # a partial sum at a time
            partial = number > 1 or size in (args[0].new, arg.new)
            peak = most((peak, held if partial and _is_large(size) else held + size))
            held = size
    seen = seen_in(node)
    if seen is not None:
        of = args[node.args.index(seen)]
        return Evaluated(of.objects, of.new, peak)
    if node.static or (not node.args and node.op in SOURCES):
        return Evaluated(peak=peak)
    own = NOTHING if placed or node.op is accumulate else size
    slots = OPERATORS.get(node.op.kernel, ())
    if _is_large(size) and any(args[slot].new == size for slot in slots):
        own = NOTHING
    during = held + own + workspace(node, size_of)
    return Evaluated(new=NOTHING if placed else size, peak=most((peak, during)))


def _is_large(size: Dim) -> bool:
    return size.constant is None or size.constant >= LARGE


def most(amounts: Iterable[Dim]) -> Dim:
    """Return the largest, at a typical size of each dim."""
    return max(amounts, key=typical)


@dataclass(frozen=True, slots=True)
class Where:
    """The nodes that a variable holds."""

    named: Callable[[Node], Objects | None]

    def __contains__(self, node: object) -> bool:
        return isinstance(node, Node) and self.named(node) is not None
