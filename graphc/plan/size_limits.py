"""Arrays that no machine holds, found in programs whose sizes are known when compiling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphc.ir.graph import Node, arguments_first
from graphc.ir.types import Type, type_bytes
from graphc.limits import MEMORY
from graphc.optimise.memory.budget import amount
from graphc.optimise.memory.estimate import takes_nothing
from graphc.plan.program import BlockStep, LoopStep, Program
from graphc.source import Diagnostic, Span, error


def beyond_any_machine(
    programs: Iterable[tuple[Program, Span | None]], width: int
) -> Iterator[Diagnostic]:
    """Report arrays that programs make and no machine holds; views and tiles are none.

    Beside each program stands what asks for it: the place of what no statement states.
    """
    pending = list(programs)
    while pending:
        program, asked = pending.pop()
        for node in _nodes_made(program):
            if not takes_nothing(node):
                span = asked if node.origin is None else node.origin.outermost
                yield from report_size("an array", node.type, span, width)
        pending += [(step.body, asked) for step in program.steps if isinstance(step, LoopStep)]


def _nodes_made(program: Program) -> Iterator[Node]:
    """Yield the nodes that are computed whole: by a statement of their own, or inside of one."""
    for step in (*program.constants, *program.steps):
        if isinstance(step, LoopStep):
            yield from (end for _, _, end in step.stacks)
            roots = [initial for _, initial in step.carries]
        elif isinstance(step, BlockStep):
            roots = []
            yield from (node for _, node, _, _ in step.outputs)
        else:
            yield step.node
            roots = [*step.node.args]
        yield from arguments_first(roots, program.variables)
    yield from arguments_first(program.results.values(), program.variables)


def report_size(what: str, type: Type, span: Span | None, width: int) -> Iterator[Diagnostic]:
    """Report an array of this type if it is larger than any memory."""
    bytes = type_bytes(type, width).constant
    if bytes is not None and bytes > MEMORY:
        yield error(
            "E703",
            f"{what} of {type} takes {amount(bytes)}, more than any machine has",
            span,
            help="check the sizes: a dim of the file gets another value by `--dim`",
        )
