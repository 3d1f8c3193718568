"""`graphc show --after`: the graph of each function after a pass, or after each that changes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from graphc.compile.stages import Compilation
    from graphc.views.passes import After

ALL = "all"


def show_after(compilation: Compilation, name: str, functions: Sequence[str], format: str) -> None:
    """Print the graphs of these functions, or of all, after the pass of this name, or after all.

    Raises GraphError, and BadParameter where there is no such pass or function.
    """
    from graphc.views.passes import after_each, halves_of, passes_in

    _check_known(name, (*passes_in(compilation), ALL), "pass", "--after")
    model = compilation.model
    known = (*halves_of(model), *(one.name for one in model.derivations))
    for function in functions:
        _check_known(function, known, "function", "--function")
    with compilation.open():
        chosen = [
            step
            for step in after_each(compilation)
            if name in (ALL, step.made_by)
            and (not functions or not {*functions}.isdisjoint(step.functions))
        ]
        if format == "json":
            told = {"graphs": [*map(_describe, chosen)]}
            click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        else:
            click.echo(_write(chosen, only_changes=name == ALL), nl=False)


def _check_known(name: str, names: Sequence[str], what: str, option: str) -> None:
    if name not in names:
        there = f"no {what} `{name}`; there are {', '.join(names)}"
        raise click.BadParameter(there, param_hint=option)


def _describe(step: After) -> dict[str, Any]:
    """Describe a graph as a record."""
    from graphc.ir.print import section_of

    return {
        "functions": step.functions,
        "mode": step.mode,
        "after": step.made_by,
        "turn": step.turn,
        **asdict(section_of(step.graph, step.cached)),
    }


def _write(steps: Iterable[After], only_changes: bool) -> str:
    """Write graphs one after the other; of what a pass leaves as it is, perhaps only that."""
    from graphc.ir.print import text_of

    before: dict[tuple[tuple[str, ...], str], str] = {}
    blocks = []
    for step in steps:
        of = ", ".join(step.functions) or "the file"
        mode = f" ({step.mode} mode)" if step.mode else ""
        turn = f", turn {step.turn}" if step.turn > 1 else ""
        title = f"{of}{mode}, after {step.made_by}{turn}:"
        text = text_of(step.graph, step.cached)
        same = only_changes and before.get((step.functions, step.mode)) == text
        before[step.functions, step.mode] = text
        blocks.append(f"{title} as before\n" if same else f"{title}\n\n{text}")
    return "\n".join(blocks)
