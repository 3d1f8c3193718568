"""The NumPy target, as a record."""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.ops.cost import cost_of
from graphc.optimise.loops.fusion import prune_loops
from graphc.optimise.scalarise.loops import loops_in_numbers
from graphc.optimise.scalarise.python_floats import by_number
from graphc.plan.buffers.assign import in_memory
from graphc.plan.module import Derived
from graphc.plan.signature import Entry
from graphc.plan.tiles.lower import in_blocks
from graphc.records import replace
from graphc.targets.numpy.functions.python_floats import plan_numbers
from graphc.targets.numpy.lowering import settle
from graphc.targets.numpy.module import text
from graphc.targets.numpy.printing.expression import length
from graphc.targets.target import Target


def in_python_floats(one: Derived, graph: Graph, begin: Entry) -> Derived:
    """Plan the function in Python's own floats, where its graph is tiny and plain."""
    if one.kind.given:  # cotangents and tangents are dicts
        return one
    numbers = by_number(graph)
    found = numbers and plan_numbers(numbers, begin, one.program, begin.taken)
    if not numbers or not found:
        return one
    work = cost_of(numbers.graph).multiply_adds
    return replace(one, program=found[0], numbers=found[1], flops=work)


NUMPY = Target(
    "numpy",
    ".py",
    length,
    lowering=(loops_in_numbers, prune_loops, settle),
    stages=(in_blocks, in_memory),
    small=in_python_floats,
    write=text,
    checks=True,
)
