"""An index that points outside its axis is told by the input that holds it, where it is first read.

That costs nothing where all point inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import INPUT, Node
from graphc.ir.kernel import Put, Take
from graphc.kinds import BACKWARD
from graphc.ops.shape.shaping import index
from graphc.ops.storage import seen_in
from graphc.plan.program import Program, Step
from graphc.targets.numpy.printing.expression import expression
from graphc.targets.numpy.printing.text import write_list

Told = tuple[str, str, str]
"""Of an index input: what it is, what is read of it, and the size of the axis."""


def first_reads(program: Program) -> dict[Node, list[Told]]:
    """Return the nodes of the statements that are the first to take by an input of indices.

    What is in the cache has been read by `forward`.
    """
    found: dict[Node, list[Told]] = {}
    if program.name != BACKWARD.name:
        _collect(program, found, set())
    return found


def _collect(program: Program, found: dict[Node, list[Told]], seen: set[tuple[Node, Dim]]) -> None:
    for step in program.steps:
        if not isinstance(step, Step):
            _collect(step.body, found, seen)
            continue
        for indices, size in _named_in(step.node, program.variables):
            source = _source(indices)
            if source.op is INPUT and (indices, size) not in seen:
                seen.add((indices, size))
                read = expression(indices, program.variables)
                told = f"input `{source.attrs['name']}`", read, str(size)
                found.setdefault(step.node, []).append(told)


def _named_in(node: Node, variables: Mapping[Node, str]) -> Iterator[tuple[Node, Dim]]:
    """Yield the arrays of indices that a statement takes or puts by, with the sizes of the axes."""
    pending = [node]
    while pending:
        one = pending.pop()
        yield from _named(one)
        pending += [arg for arg in one.args if arg not in variables]


def _named(node: Node) -> Iterator[tuple[Node, Dim]]:
    kernel, first = node.op.kernel, node.args[:1]
    if not isinstance(kernel, Take | Put) or not first or first[0].type.dtype != "float":
        return
    whole = first[0].shape if isinstance(kernel, Take) else node.shape
    indices: Sequence[Node] = node.args[1:]
    if isinstance(kernel, Put) and kernel.onto:
        indices = indices[:-1]
    axes = {"axis": node.attrs.get("axis", 0), "along": node.attrs.get("axis", 0), "label": -1}
    if kernel.place in (*axes, "entries", "vector"):
        start = axes.get(kernel.place, 0) % max(len(whole), 1)
        yield from zip(indices, whole[start:], strict=False)


def _source(node: Node) -> Node:
    """Return what an array of indices is a part of."""
    while True:
        argument = node.args[0] if node.op is index else seen_in(node)
        if argument is None:
            return node
        node = argument


def told(lines: Sequence[str], reads: Sequence[Told]) -> list[str]:
    """Write lines that read these first, and what is raised where one of them points outside."""
    given = [f"({what!r}, {name}, {size})" for what, name, size in reads]
    return [
        "try:",
        *(f"    {line}" for line in lines),
        "except IndexError as _why:",
        *(f"    {line}" for line in write_list("raise _outside(_why, ", given, ") from None")),
    ]
