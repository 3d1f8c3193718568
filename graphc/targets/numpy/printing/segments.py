"""The comments of loops over segments of steps."""

from __future__ import annotations

from graphc.ir.loop import loop_of
from graphc.plan.program import LoopStep
from graphc.targets.comments import place


def about(step: LoopStep) -> str:
    """Write the statement of the graph; of a loop over segments of its steps also their length."""
    index = loop_of(step.node).index
    inner = [loop_of(one.node) for one in step.body.steps if isinstance(one, LoopStep)]
    lengths = [loop.count for loop in inner if index in loop.first.symbols]
    said = place(step.node)
    return f"{lengths[0]} steps at a time: {said}" if lengths else said
