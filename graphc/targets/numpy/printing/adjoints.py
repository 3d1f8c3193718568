"""The statements of adjoints, with the terms of the chain rule beside them."""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.graph import Adjoint, Node
from graphc.ops.elementwise.arithmetic import LONGEST_SUM, accumulate, negative
from graphc.plan.program import Program, Step
from graphc.targets.comments import shaped, term, terms
from graphc.targets.marks import mark
from graphc.targets.numpy.printing.expression import typed_argument
from graphc.targets.numpy.printing.text import beside
from graphc.targets.numpy.printing.written import FLOAT, SUM, Fragment

Operand = Callable[[Node], Fragment]
"""How a node is written where a statement reads it."""


def adjoint(
    step: Step, program: Program, computed: Callable[[Step], list[str]], operand: Operand
) -> list[str]:
    """Write the statement of an adjoint; a line for each term where a node has several children.

    `computed` writes the statement of a step, without what is said beside it.
    """
    first, *others = step.adjoints
    summed = step.node.op is accumulate and len(first.terms) == len(step.node.args)
    if summed and not step.way:
        lines = _sum_over_children(step, first, program, operand)
    else:
        source = first.terms[0].child or first.of
        said = f"{terms(first, program)}{shaped(step.node)}"
        lines = beside(computed(step), said, mark(source))
    more: dict[str, None] = {}
    for other in others:
        label = program.labels[other.of]
        through = any(t.child is None or program.labels[t.child] != label for t in other.terms)
        if f"d_{label}" != step.target:
            said = f": {terms(other, program)}" if through else ""
            more[f"# d_{label} = {step.target}{said}"] = None
    lines += more
    return lines


def _sum_over_children(
    step: Step, adjoint: Adjoint, program: Program, operand: Operand
) -> list[str]:
    labels = program.labels
    children = list(dict.fromkeys(labels[t.child] for t in adjoint.terms if t.child is not None))
    shown = children if len(children) <= 5 else [*children[:4], f"{len(children) - 4} others"]
    used = ", ".join(shown) + (" and is an output" if adjoint.terms[0].child is None else "")
    lines = [
        f"# {labels[adjoint.of]} goes into {used}: "
        f"its adjoint is the sum of what comes back{shaped(step.node)}"
    ]
    parts = list(zip(step.node.args, adjoint.terms, strict=True))
    typed = typed_argument(step.node)
    for start in range(0, len(parts), LONGEST_SUM):
        lines.append(f"{step.target} {'+=' if start else '='} (")
        for number, (arg, part) in enumerate(parts[start : start + LONGEST_SUM]):
            subtracted = bool(number) and arg.op is negative and arg not in program.variables
            written = operand(arg.args[0] if subtracted else arg)
            text = written.within(SUM + bool(number))  # sums in sums are computed by themselves
            text = f"{FLOAT}({text})" if start + number == typed else text
            sign = "- " if subtracted else "+ " if number else ""
            said = term(part, adjoint.of, program)
            lines.append(f"    {sign}{text}  # {said}{mark(part.child or adjoint.of)}")
        lines.append(")")
    return lines
