"""A program -> the same program, whose gradients are computed in the caller's arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from graphc.ir.graph import Node, arguments_first
from graphc.ir.loop import loop_of
from graphc.ir.results import gradient_by
from graphc.ir.types import same
from graphc.names import Identifiers, flat
from graphc.ops.linear.products import matmul
from graphc.ops.storage import owners_of_all
from graphc.paths import is_family
from graphc.plan.lower import every_name
from graphc.plan.program import AnyStep, BlockStep, LoopStep, Program, Step
from graphc.records import replace


def with_destinations(
    program: Program, wrt: Collection[str], taken: Collection[str] = ()
) -> tuple[Program, Mapping[str, str]]:
    """Compute gradients in the caller's arrays; returns their variables by path.

    Of a family it is a list of these. It takes one statement that makes the gradient and nothing
    else: zeros may be made wherever they are read. Of a family it is one that makes each member by
    itself, which nothing reads.
    """
    results = program.results.values()
    behind = Counter(owner for node in results for owner in owners_of_all([node]))
    read = {arg for node in arguments_first(results) for arg in node.args}
    makers = Counter(node for step in program.steps for node in _nodes_of(step))
    names = Identifiers({*every_name(program), *taken})
    asked: dict[str, str] = {}
    wanted: dict[Node, str] = {}
    for path in wrt:
        node = program.results[gradient_by(path)]
        alone = behind[node] == 1 and makers[node] == 1
        if alone and not (is_family(path) and node in read):
            wanted[node] = path

    def place(node: Node) -> str:
        asked[wanted[node]] = variable = names.fresh(f"out_{flat(wanted[node])}")
        return variable

    steps: list[AnyStep] = []
    for step in program.steps:
        if isinstance(step, Step):
            if step.node not in wanted or not _is_made(step):
                steps.append(step)
            elif not is_family(wanted[step.node]):
                steps.append(replace(step, given=place(step.node)))
            elif _is_row_by_row(step.node):
                steps.append(replace(step, way="rows", given=place(step.node)))
            else:
                steps.append(step)
        else:
            found = {
                name: place(node)
                for name, node, parts in _arrays(step)
                if node in wanted and (parts or not is_family(wanted[node]))
            }
            steps.append(replace(step, given=found))
    return replace(program, steps=tuple(steps)), {
        path: asked[path] for path in wrt if path in asked
    }


def _nodes_of(step: AnyStep) -> list[Node]:
    """List the nodes that a step makes in arrays that a caller could give."""
    return [step.node] if isinstance(step, Step) else [node for _, node, _ in _arrays(step)]


def _is_made(step: Step) -> bool:
    return bool(step.way and step.node.rank and not step.out)


def _is_row_by_row(node: Node) -> bool:
    """True for a stack of products of the rows of two stacks."""
    rows = [arg.rank == node.rank and same(arg.shape[0], node.shape[0]) for arg in node.args]
    return node.op is matmul and node.rank > 2 and all(rows)


def _arrays(step: LoopStep | BlockStep) -> Iterator[tuple[str, Node, bool]]:
    """Yield the new arrays that a loop or blocks fill, and if they are filled by rows of arrays."""
    if isinstance(step, BlockStep):
        yield from (
            (name, node, False) for name, node, _, _ in step.outputs if name not in step.places
        )
        return
    loop = loop_of(step.node)
    if not loop.limited and loop.until is None:  # else rows may stay as they are
        for name, item, node in step.stacks:
            if name not in step.places:
                yield name, node, name in step.written and item.rank > 0
