"""Temporaries: the memory that it takes to evaluate an expression, and what lives meanwhile.

As NumPy does it: a large array without a name gives its memory to the operator that reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphc.ir.dims import Dim
from graphc.ir.graph import SOURCES, Node, arguments_first
from graphc.ir.kernel import Elementwise, Kernel
from graphc.ir.types import product, same_shape
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.fused import vdot
from graphc.ops.linear.contraction import typical
from graphc.ops.linear.diagonals import tril, triu
from graphc.ops.linear.products import outer
from graphc.ops.shape.shaping import broadcast_to, expand, in_rows, reshape, transpose
from graphc.optimise.memory.estimate import MEANWHILE

AS_THE_ARGUMENT = {
    "scatter": 1, "recurrence": 2, "det": 1, "logdet": 1, "cofactors": 3, "moved_cofactors": 4,
}  # fmt: skip
"""So many arrays like its first argument does an operation hold while it computes."""
PIECE = 8192
"""In pieces of so many elements NumPy copies an operand that does not lie as the result does."""
BUFFER = PIECE * 8
ADDED_IN_PARTS = frozenset({"overlap", "added_up"})
"""Operations that add to parts of a whole, which NumPy reads and writes in two such pieces."""
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
NOTHING = Dim.of(0)

Objects = frozenset[int]


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression comes to: memory that has a name, new memory, and the most meanwhile."""

    objects: Objects = frozenset()
    new: Dim = NOTHING
    peak: Dim = NOTHING


def evaluate(
    root: Node,
    named: Callable[[Node], Objects | None],
    size: Callable[[Node], Dim],
    placed: bool = False,
) -> Value:
    """Evaluate what it takes to compute a node, unless `placed` into memory of its own.

    `named` is the memory of what a variable holds; None where an expression computes it.
    """
    known: dict[Node, Value] = {}
    for node in arguments_first([root], Where(named)):
        args = [known.get(arg) or Value(named(arg) or frozenset()) for arg in node.args]
        known[node] = _compute(node, args, size, placed and node is root)
    return known[root]


def _compute(
    node: Node, args: Sequence[Value], size_of: Callable[[Node], Dim], placed: bool
) -> Value:
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
    seen = _look_through(node)
    if seen is not None:
        of = args[node.args.index(seen)]
        return Value(of.objects, of.new, peak)
    if node.static or (not node.args and node.op in SOURCES):
        return Value(peak=peak)
    own = NOTHING if placed or node.op is accumulate else size
    slots = OPERATORS.get(node.op.kernel, ())
    if _is_large(size) and any(args[slot].new == size for slot in slots):
        own = NOTHING
    during = held + own + _meanwhile(node, size_of)
    return Value(new=NOTHING if placed else size, peak=most((peak, during)))


def _meanwhile(node: Node, size: Callable[[Node], Dim]) -> Dim:
    """Return what an operation holds while it computes, beside its arguments and result."""
    total = size(node) * MEANWHILE.get(node.op.name, 0)
    if node.op.name in AS_THE_ARGUMENT:
        total += size(node.args[0]) * AS_THE_ARGUMENT[node.op.name] + 2 * BUFFER
    if node.op in (tril, triu):  # a mask
        total += product(node.shape[-2:])
    if node.op is vdot:  # whose arguments have to lie row by row
        total += sum((size(arg) for arg in node.args if _is_permuted(arg)), NOTHING)
    if node.op.name in ADDED_IN_PARTS:
        total += _pieces_of_parts(node, size(node))
    if node.op.structure == "elementwise" or node.op in (accumulate, outer):
        other = [arg for arg in node.args if arg.rank and not _lies_alike(arg, node)]
        total += sum((_piece(arg, node, size(arg)) for arg in other[:2]), NOTHING)
    return total


def _pieces_of_parts(node: Node, size: Dim) -> Dim:
    """Return the bytes of the pieces of the whole, read and written, and of a strided part."""
    part = node.args[0].shape
    taken = part[: -len(node.attrs["stride"])] if node.op.name == "overlap" else part
    elements, whole, bytes = product(taken).constant, node.type.size.constant, size.constant
    pieces = 3 if any(map(_is_permuted, node.args)) else 2
    if elements is None or not whole or bytes is None:
        return Dim.of(BUFFER * pieces)
    return Dim.of(min(elements, PIECE) * (bytes // whole) * pieces)


def _piece(arg: Node, node: Node, size: Dim) -> Dim:
    """Return the bytes of the piece in which an operand is copied."""
    elements, own, bytes = node.type.size.constant, arg.type.size.constant, size.constant
    if elements is None or not own or bytes is None:
        return Dim.of(BUFFER)
    return Dim.of(min(elements, PIECE) * (bytes // own))


def _lies_alike(arg: Node, node: Node) -> bool:
    """True if an operand has the shape of the result, and its axes in their order."""
    return same_shape(arg.shape, node.shape) and not _is_permuted(arg)


def _is_permuted(node: Node) -> bool:
    """True for a view with its axes in another order, or with other elements between its own."""
    while node.op in (expand, reshape):
        node = node.args[0]
    return node.op.view_of is not None and node.op is not in_rows


def _look_through(node: Node) -> Node | None:
    """Return the argument whose memory a node is a view of."""
    if node.op.view_of is None or node.op is in_rows:
        return None
    argument = node.args[node.op.view_of]
    return None if node.op is reshape and argument.op in (transpose, broadcast_to) else argument


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
