"""A program -> the text of a function's body."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from graphc.emit.comments import place, term
from graphc.emit.expression import DTYPES, expression, statements
from graphc.graph import Adjoint, Node
from graphc.ops.arithmetic import accumulate, negative
from graphc.plan.schedule import Program, Step
from graphc.source import Source

WIDTH = 96


def body(program: Program, source: Source) -> list[str]:
    """The statements of a program, each with its comment."""
    lines: list[str] = []
    heading = ""
    for step in program.steps:
        said = "" if step.adjoints else place(step.node, source)
        if step.adjoints:
            lines += _adjoint(step, program.variables, program.labels)
        else:
            written = statements(step.target, step.node, program.variables)
            lines += written if said == heading else _beside(written, said)
            heading = said
        if step.frees:
            lines.append(f"del {', '.join(step.frees)}")
    return lines


def _adjoint(step: Step, variables: Mapping[Node, str], labels: Mapping[Node, str]) -> list[str]:
    """The statement of an adjoint; where a node has several children, a line for each term."""
    first, *others = step.adjoints
    if step.node.op is accumulate and len(first.terms) == len(step.node.args):
        lines = _sum_over_children(step, first, variables, labels)
    else:
        lines = _beside(statements(step.target, step.node, variables), _said(first, labels))
    for other in others:
        lines.append(f"# d_{labels[other.of]} = {step.target}: {_said(other, labels)}")
    return lines


def _sum_over_children(
    step: Step, adjoint: Adjoint, variables: Mapping[Node, str], labels: Mapping[Node, str]
) -> list[str]:
    children = list(dict.fromkeys(labels[t.child] for t in adjoint.terms if t.child is not None))
    used = ", ".join(children) + (" and is an output" if adjoint.terms[0].child is None else "")
    lines = [
        f"# {labels[adjoint.of]} goes into {used}: its adjoint is the sum of what comes back",
        f"{step.target} = (",
    ]
    for number, (arg, part) in enumerate(zip(step.node.args, adjoint.terms, strict=True)):
        subtracted = bool(number) and arg.op is negative and arg not in variables
        shown = ast.unparse(expression(arg.args[0] if subtracted else arg, variables))
        sign = "- " if subtracted else "+ " if number else ""
        lines.append(f"    {sign}{shown}  # {term(part, adjoint.of, labels)}")
    return [*lines, ")"]


def _said(adjoint: Adjoint, labels: Mapping[Node, str]) -> str:
    return " + ".join(term(part, adjoint.of, labels) for part in adjoint.terms)


def _beside(lines: Sequence[str], comment: str) -> list[str]:
    """A comment behind a statement, or above it where the line would be long."""
    if not comment:
        return list(lines)
    if len(lines) == 1 and len(lines[0]) + len(comment) + 4 <= WIDTH:
        return [f"{lines[0]}  # {comment}"]
    return [f"# {comment}", *lines]


def result(node: Node, program: Program, shared: bool = False) -> str:
    """A result as it is returned: never memory of an input, of the cache or of another result."""
    text = ast.unparse(expression(node, program.variables))
    if not node.rank:
        return (
            f"{DTYPES[node.type.dtype]}({text})" if node.static or node.op.name in _ARRAYS else text
        )
    if shared or node.op.view_of is not None or not node.args:
        return f"{text}.copy()"
    return text


_ARRAYS = frozenset({"where", "pick", "reshape", "broadcast_to", "accumulate"})
"""What makes an array also of rank 0, where everything else gives a NumPy scalar."""
