"""Lint: unused names, parameters without gradient, hidden blocks, derivative traps."""

from __future__ import annotations

from collections.abc import Iterable

from graphc.elaborate.lint.derivative_traps import find_traps
from graphc.elaborate.names.references import defined_names
from graphc.elaborate.names.scope import Context
from graphc.ir.graph import Node, uses
from graphc.source import Diagnostic, error
from graphc.syntax import tree


def find_warnings(context: Context, file: tree.File) -> tuple[Diagnostic, ...]:
    """Return the warnings for a file without mistakes, in the order of the text."""
    unused = list(_unused_names(context, file))
    said = {warning.span for warning in unused}
    found = [
        *unused,
        *(warning for warning in _without_gradient(context) if warning.span not in said),
        *_shadows(context, file),
        *find_traps(context),
    ]
    return tuple(sorted(found, key=lambda d: d.span.start if d.span else -1))


def _unused_names(context: Context, file: tree.File) -> Iterable[Diagnostic]:
    """Warn of names that nothing reads: no other statement, no output, no derivative."""
    mentioned = set(context.read) | set(context.outputs)
    for statement in file.statements:
        if isinstance(statement, tree.Derive):
            mentioned |= {path.words[0] for path in statement.wrt}
    # A named use of a block in mid-chain is used by the chain; its name holds parameters.
    holders = {holder for holder, dot, _ in (p.partition(".") for p in context.params) if dot}
    for statement in file.statements:
        if isinstance(statement, tree.Output | tree.Repeat | tree.Scan):
            continue
        for name in defined_names(statement):
            if name.text not in mentioned and name.text not in holders:
                yield error("W700", f"`{name.text}` is never used", name.span)


def _without_gradient(context: Context) -> Iterable[Diagnostic]:
    """Warn of parameters that reach no float output."""
    outputs = [d.node for d in context.outputs.values() if d.type.dtype == "float"]
    reached: set[Node] = set(uses(outputs))
    for path, declared in context.params.items():
        if declared.node not in reached:
            yield error(
                "W701", f"parameter `{path}` reaches no output: its gradient is 0", declared.span
            )


def _shadows(context: Context, file: tree.File) -> Iterable[Diagnostic]:
    """Warn of blocks that hide a standard one."""
    for statement in file.statements:
        if isinstance(statement, tree.Block) and statement.name.text in context.standard:
            yield error(
                "W702",
                f"`{statement.name.text}` hides the standard block of that name",
                statement.name.span,
            )
