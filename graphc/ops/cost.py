"""The cost model: what multiply-adds, elements and calls take, and what a graph takes of them.

Everything that chooses between equal computations asks here: which mode a Jacobian is made in,
which loops are taken apart or written out, what is joined, what runs in blocks. The unit is a
multiply-add of a product of matrices. The ratios are those of NumPy on processors of today; what is
chosen by them is checked in tests and benchmarks, not the ratios themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphc.ir.dims import Dim, sum_dims
from graphc.ir.graph import Graph, Node, arguments_first
from graphc.ir.loop import LOOP, all_steps, body, loop_of
from graphc.ir.sizes import TYPICAL, estimate, typical
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.shape.shaping import in_rows
from graphc.records import dataclass

WRITTEN = 8
"""An element that is written costs about as much time as this many multiply-adds of a product."""
FAR = 4
"""So much more an element costs that goes to memory and back, since the caches do not hold it."""
CALL = 1024
"""A call of NumPy takes as long as so many elements."""
NUMBER = 40
"""An operation on Python's own numbers takes as long as so many elements."""
LONG = 4 * CALL
"""Elements from which on the time of an array is its own: a call more or less is little, a copy of
it is much."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one evaluation, symbolic in the dims."""

    multiply_adds: Dim
    written: Dim

    @property
    def work(self) -> Dim:
        """Return the multiply-adds that would take about as long."""
        return self.multiply_adds + self.written * WRITTEN

    def typical(self, dims: Mapping[str, int] | None = None) -> int:
        """Estimate the work, with 32 for each dim that is not given."""
        known = dims or {}
        work = self.work
        return estimate(work, {name: known.get(name, TYPICAL) for name in work.symbols})


def cost_of(graph: Graph, given: Iterable[Node] = ()) -> Cost:
    """Sum the cost of what a graph computes of what is given."""
    return _total(arguments_first(graph.results.values(), set(given)))


def _total(nodes: Iterable[Node]) -> Cost:
    adds: list[Dim] = []
    written: list[Dim] = []
    for node in nodes:
        if node.op is LOOP:
            loop = loop_of(node)
            inside = _total(body(loop))
            adds.append(all_steps(inside.multiply_adds, loop))
            written.append(all_steps(inside.written, loop))
            continue
        adds.append(node.op.flops(node))
        if node.args and not node.static and (node.op.view_of is None or node.op is in_rows):
            written.append(node.type.size)  # what only changes how memory is seen is free
    return Cost(sum_dims(adds), sum_dims(written))


def is_small(node: Node) -> bool:
    """True if computing a node takes about as long as calling what computes it."""
    return typical(node.type.size) < LONG


def calls(node: Node) -> int:
    """Estimate a small array's time in calls of elementwise functions; others take three."""
    if node.op is accumulate:
        return len(node.args) - 1
    return 1 if node.op.structure == "elementwise" else 3
