"""`graphc show`: the schedule of each function, its buffers, its memory and its multiply-adds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from graphc.cli.command import command
from graphc.cli.messages import print_diagnostics
from graphc.cli.options import (
    COMPILED,
    FILE,
    FORMAT,
    folder_of,
    read_bytes,
)
from graphc.source import GraphError

if TYPE_CHECKING:
    from graphc.ir.dims import Dim
    from graphc.ir.graph import Node
    from graphc.plan.buffers.report import Row
    from graphc.plan.module import Compiled, Derived


@command(
    "show",
    "graphc show net.graph",
    "graphc show net.graph --function backward",
    "graphc show net.graph --after simplify",
)
@FILE
@click.option(
    "--function",
    metavar="NAME",
    multiple=True,
    help="Only this function. Repeatable.",
)
@click.option(
    "--after",
    metavar="PASS",
    default="",
    help="The graph of each function after this pass instead; all: after each that changes it.",
)
@FORMAT
@COMPILED
def show_(file: str, function: Sequence[str], after: str, format: str, **given: Any) -> None:
    """Print the statements of each function of FILE in order: types, memory and multiply-adds.

    With --after, print the graphs that become these functions, as passes leave them.
    """
    from graphc.compile.stages import Compilation, Options
    from graphc.syntax.parse.parser import read_source

    options = Options(**given)
    try:
        compilation = Compilation(read_source(*read_bytes(file)), options, folder_of(file))
        if after:
            from graphc.cli.graphs import show_after

            show_after(compilation, after, function, format)
            return
        compiled = compilation.programs
        with compilation.open():
            functions = [function_record(compiled, one) for one in _select(compiled, function)]
            graph = graph_record(compiled)
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise Exit(1) from None
    if format == "json":
        told = {"graph": graph, "functions": functions}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    from graphc.cli.tables import print_function, print_graph, terminal

    console = terminal()
    print_graph(console, graph)
    for one in functions:
        print_function(console, one)
    symbolic = any(isinstance(one["peak"], str) for one in functions)
    why = ", with 32 for each dim that is not known" if symbolic else ""
    console.print(f"\n* the peak is while this runs{why}; arguments do not count")


def _select(compiled: Compiled, names: Sequence[str]) -> list[Derived]:
    """Select the functions of these names, or all; each of their modes is one."""
    from graphc.source import did_you_mean

    backward = [compiled.backward] if compiled.backward.wrt else []
    modes = [each for one in compiled.derived for each in (one, *one.others)]
    all_of_them = [compiled.forward, *backward, *modes]
    known = dict.fromkeys(one.program.name for one in all_of_them)
    for name in names:
        if name not in known:
            near = did_you_mean(name, known) or f"there are {', '.join(known)}"
            raise click.BadParameter(f"no function `{name}`; {near}", param_hint="--function")
    return [one for one in all_of_them if not names or one.program.name in names]


# ---- what is told -------------------------------------------------------------------------------


def function_record(compiled: Compiled, one: Derived) -> dict[str, Any]:
    """Describe a function as a record: statements, buffers, totals."""
    from graphc.ir.types import FLOAT_BYTES, Type
    from graphc.plan.buffers.report import live

    width = FLOAT_BYTES[compiled.model.dtype]
    both = one is compiled.forward and bool(compiled.backward.wrt)
    found = live(one.program, width, compiled.cached if both else ())
    return {
        "function": one.program.name,
        "mode": one.mode,
        "multiply_adds": number_or_text(one.flops),
        "peak": number_or_text(found.peak),
        "statements": [_statement(row, one) for row in found.rows],
        "buffers": [
            {
                "name": scratch.name,
                "type": str(Type(scratch.dtype, scratch.shape)),
                "bytes": number_or_text(size),
                "view_of": scratch.base,
            }
            for scratch, size in found.scratch
        ],
    }


def _statement(row: Row, one: Derived) -> dict[str, Any]:
    from graphc.ir.loop import loop_of
    from graphc.plan.program import BlockStep, LoopStep
    from graphc.targets.numpy.printing.places import name_storage

    step = row.step
    told: dict[str, Any] = {"depth": row.depth, "variable": row.target}
    if isinstance(step, LoopStep):
        loop = loop_of(step.node)
        over = f"for {loop.index} in {loop.first}..{loop.first + loop.count - 1}"
        told |= {"operation": "loop", "written": over + " backwards" * loop.backwards}
    elif isinstance(step, BlockStep):
        told |= {"operation": "blocks", "written": f"in blocks of {step.length}"}
    else:
        written = _expression(step.node, row.program.variables)
        told |= {"operation": step.node.op.name, "written": written, "type": str(step.node.type)}
    return told | {
        "bytes": number_or_text(row.bytes),
        "buffer": "" if row.out is None else name_storage(row.out),
        "multiply_adds": number_or_text(row.multiply_adds),
        "frees": list(row.frees),
        "during": number_or_text(row.during),
        "live": number_or_text(row.live),
    }


def _expression(node: Node, variables: Mapping[Node, str]) -> str:
    """Write the right side of a statement; what NumPy has no expression for, by its name."""
    from graphc.targets.numpy.printing.expression import expression, length, statements

    if length(node) is None:
        return f"{node.op.name}({', '.join(expression(arg, variables) for arg in node.args)})"
    (line,) = statements("_", node, variables)
    return line.removeprefix("_ = ").replace("np.", "")


def number_or_text(dim: Dim) -> int | str:
    """Convert a dim to a number, or to a polynomial as text."""
    return str(dim) if dim.constant is None else dim.constant


def graph_record(compiled: Compiled) -> dict[str, Any]:
    """Describe the graph itself: its dims, inputs and parameters."""
    from graphc.ir.types import FLOAT_BYTES, type_bytes

    model = compiled.model
    width = FLOAT_BYTES[model.dtype]
    sources = {"inputs": model.inputs, "params": model.params, "outputs": model.outputs}
    told: dict[str, Any] = {
        "name": model.name,
        "dtype": model.dtype,
        "level": compiled.level.name,
        "dims": {one.name: one.fixed for one in model.dims},
    }
    for kind, declared in sources.items():
        told[kind] = [
            {
                "name": one.name,
                "type": str(one.type),
                "bytes": number_or_text(type_bytes(one.node.type, width)),
            }
            for one in declared
        ]
    return told
