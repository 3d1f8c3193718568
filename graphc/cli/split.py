"""`graphc split`: what of a graph splits over the rows of an axis, and the functions of chunks."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from graphc.cli.command import command
from graphc.cli.compile import check_name, target_of, write
from graphc.cli.messages import print_diagnostics
from graphc.cli.options import COMPILED, FILE, FORMAT, STANDARD, folder_of, read_bytes
from graphc.source import GraphError

if TYPE_CHECKING:
    from rich.console import Console

    from graphc.views.split import Verdict


@command(
    "split",
    "graphc split net.graph --over B",
    "graphc split net.graph --over B -o split_net.py",
    "graphc split net.graph --over B --format json",
)
@FILE
@click.option(
    "--over",
    metavar="DIM",
    default="",
    help="The dim whose rows are cut in chunks. Default: the first that is open.",
)
@click.option(
    "-o",
    "--out",
    metavar="OUT",
    default="",
    help="Write the module with the functions of chunks here; - is standard output.",
)
@FORMAT
@COMPILED
def split(file: str, over: str, out: str, format: str, **given: Any) -> None:
    """Tell which outputs and gradients of FILE split over the rows of a dim, and which line mixes.

    What splits is computed chunk by chunk: the module that is written has for each derived function
    f also `partial_f` of some of the rows, `combine_f` of what these contribute, and `finish_f`.
    """
    from graphc.compile.stages import Compilation, Options, compile_source
    from graphc.syntax.parse.parser import read_source
    from graphc.views.split import judge

    target = target_of(file, out, ".py") if out else None
    if target is not None:
        check_name(target)
    try:
        source, folder = read_source(*read_bytes(file)), folder_of(file)
        verdict = judge(Compilation(source, Options(**given), folder), over)
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise Exit(1) from None
    if format == "json":
        click.echo(json.dumps(record_of(verdict), indent=2))
    else:
        from graphc.cli.tables import terminal

        print_verdict(terminal(error=out == STANDARD), verdict)
    if verdict.wrong:
        print_diagnostics(verdict.wrong)
        raise Exit(1)
    if not out:
        return
    try:
        text = compile_source(source, Options(split=verdict.over, **given), folder).text
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise Exit(1) from None
    if target is None:
        click.echo(text, nl=False)
    else:
        write(target, text)


def record_of(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON has it."""
    return {
        "over": verdict.over,
        "splits": not verdict.wrong,
        "results": [
            {
                "function": line.function,
                "result": line.result,
                "how": line.how,
                "written": line.written,
                "statistics": [] if line.outcome is None else [*line.outcome.statistics],
                "wrong": None if line.wrong is None else line.wrong.message,
                "place": None if line.wrong is None else str(line.wrong.span),
            }
            for line in verdict.lines
        ],
    }


def print_verdict(console: Console, verdict: Verdict) -> None:
    """Print a row for what becomes of results of a function: of those alike one row."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("function", "result", f"over {verdict.over}"):
        table.add_column(name, overflow="fold")
    before = ""
    for (function, said), lines in groupby(verdict.lines, lambda one: (one.function, one.said)):
        results = [line.result for line in lines]
        alike = [results[0], *(name.removeprefix("by ") for name in results[1:])]
        table.add_row("" if function == before else function, ", ".join(alike), said)
        before = function
    console.print(table)
