"""The cost of a graph: multiply-adds, and elements of arrays that are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphc.ir.dims import Dim, sum_dims
from graphc.ir.graph import Graph, Node
from graphc.ir.loop import LOOP, all_steps, body, loop_of
from graphc.ir.sizes import estimate
from graphc.ops.linear.contraction import TYPICAL
from graphc.ops.shape.shaping import in_rows
from graphc.records import dataclass

WRITTEN = 8
"""An element that is written costs about as much time as this many multiply-adds of a product."""


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


def cost_of(graph: Graph) -> Cost:
    """Sum the cost of a graph's nodes; what only changes how memory is seen is free."""
    return _total(graph.nodes)


def _total(nodes: Iterable[Node]) -> Cost:
    adds: list[Dim] = []
    written: list[Dim] = []
    for node in nodes:
        if node.op is LOOP:
            loop = loop_of(node)
            inside = _total(body(loop))
            adds.append(all_steps(inside.multiply_adds, loop))
            written.append(all_steps(inside.written, loop))
        elif node.args and not node.static and (node.op.view_of is None or node.op is in_rows):
            adds.append(node.op.flops(node))
            written.append(node.type.size)
    return Cost(sum_dims(adds), sum_dims(written))
