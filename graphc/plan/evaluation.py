"""The memory that it takes to evaluate an expression: new arrays, views, what is there meanwhile.

As NumPy does it: a large array without a name gives its memory to the operator that reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from graphc.dims import Dim
from graphc.graph import SOURCES, Node, arguments_first
from graphc.ops.arithmetic import accumulate
from graphc.ops.contraction import typical
from graphc.ops.shaping import in_rows, reshape, transpose
from graphc.plan.naming import template

MEANWHILE = {
    "sigmoid": 1, "bce_logits": 1, "erf": 13, "erfc": 15, "lgamma": 10, "digamma": 9,
    "polygamma": 9,
}  # fmt: skip
"""So many arrays like its result does an operation hold while it computes it."""
LARGE = 256 * 1024
"""From so many bytes on, NumPy computes an operator in the place of an operand without a name."""
OPERATORS = {
    "{0} + {1}": (0, 1), "{0} * {1}": (0, 1), "{0} - {1}": (0,), "{0} / {1}": (0,), "-{0}": (0,),
}  # fmt: skip
"""The operators that do, and which of their operands may be overwritten."""
NOTHING = Dim.of(0)

Objects = frozenset[int]


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression comes to: memory that has a name, new memory, and the most meanwhile."""

    objects: Objects = frozenset()
    new: Dim = NOTHING
    peak: Dim = NOTHING


def evaluated(
    root: Node,
    named: Callable[[Node], Objects | None],
    size: Callable[[Node], Dim],
    placed: bool = False,
) -> Value:
    """What it takes to compute a node, unless `placed` into memory of its own.

    `named` is the memory of what a variable holds; None where an expression computes it.
    """
    known: dict[Node, Value] = {}
    for node in arguments_first([root], Where(named)):
        args = [known.get(arg) or Value(named(arg) or frozenset()) for arg in node.args]
        known[node] = _computed(node, args, size(node), placed and node is root)
    return known[root]


def _computed(node: Node, args: Sequence[Value], size: Dim, placed: bool) -> Value:
    """One operation: its arguments are there one after the other, then together with its result."""
    held, peak = NOTHING, NOTHING
    for number, arg in enumerate(args):
        peak = most((peak, held + arg.peak))
        held += arg.new
        if number and node.op is accumulate and not placed:  # a partial sum at a time
            partial = number > 1 or size in (args[0].new, arg.new)
            peak = most((peak, held if partial and _is_large(size) else held + size))
            held = size
    seen = _seen_through(node)
    if seen is not None:
        of = args[node.args.index(seen)]
        return Value(of.objects, of.new, peak)
    if node.static or not node.rank or (not node.args and node.op in SOURCES):
        return Value(peak=peak)
    own = NOTHING if placed or node.op is accumulate else size
    slots = OPERATORS.get(template(node), ())
    if _is_large(size) and any(args[slot].new == size for slot in slots):
        own = NOTHING
    during = held + own + size * MEANWHILE.get(node.op.name, 0)
    return Value(new=NOTHING if placed else size, peak=most((peak, during)))


def _seen_through(node: Node) -> Node | None:
    """The argument whose memory a node is a view of."""
    if node.op.view_of is None or node.op is in_rows:
        return None
    argument = node.args[node.op.view_of]
    return None if node.op is reshape and argument.op is transpose else argument


def _is_large(size: Dim) -> bool:
    return size.constant is None or size.constant >= LARGE


def most(amounts: Iterable[Dim]) -> Dim:
    """The largest, at a typical size of each dim."""
    return max(amounts, key=typical)


@dataclass(frozen=True, slots=True)
class Where:
    """The nodes that a variable holds."""

    named: Callable[[Node], Objects | None]

    def __contains__(self, node: object) -> bool:
        return isinstance(node, Node) and self.named(node) is not None
