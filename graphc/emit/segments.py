"""What loops over segments of steps say, and what the steps of a sparing function drop."""

from __future__ import annotations

from graphc.emit.comments import place
from graphc.plan.schedule import LoopStep, Step


def about(step: LoopStep) -> str:
    """The statement of the graph; of a loop over segments of its steps also how long these are."""
    index = step.node.attrs["loop"].index
    inner = [one.node.attrs["loop"] for one in step.body.steps if isinstance(one, LoopStep)]
    lengths = [loop.count for loop in inner if index in loop.first.symbols]
    said = place(step.node)
    return f"{lengths[0]} steps at a time: {said}" if lengths else said


def left(step: LoopStep) -> list[str]:
    """The arrays of a step that nothing has dropped when it has handed on and saved its results."""
    program = step.body
    arrays = {name for node, name in program.variables.items() if node.rank}
    gone = {name for one in program.steps for name in one.frees} | {n for n, _ in step.carries}
    made: dict[str, None] = {}
    for one in program.steps:
        if isinstance(one, Step):
            made[one.target] = None
        elif isinstance(one, LoopStep):
            carries = [name for name, _ in one.carries]
            stacks = [name for name, _, _ in one.stacks]
            ends = [name for name, _ in one.ends]
            made.update(dict.fromkeys([*carries, *stacks, *ends]))
    return [name for name in made if name in arrays - gone]
