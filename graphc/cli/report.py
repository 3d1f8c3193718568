"""`graphc report`: all views of a graph as one page, linked, without a network."""

from __future__ import annotations

from typing import Any

import click
from click.exceptions import Exit

from graphc.cli.command import Words, command
from graphc.cli.compile import target_of, write
from graphc.cli.messages import print_diagnostics
from graphc.cli.options import (
    AT,
    COMPILED,
    FILE,
    SEED,
    folder_of,
    read_bytes,
)
from graphc.source import GraphError
from graphc.views.explain.choices import LAYOUTS, Layout


@command(
    "report",
    "graphc report net.graph",
    "graphc report net.graph --at trained.npz -o net.html",
    "graphc report -O0 net.graph --layout numerator -o -",
)
@FILE
@click.option(
    "-o",
    "out",
    metavar="OUT",
    default="",
    help="File or folder; - is standard output. Default: FILE.html beside FILE.",
)
@AT
@SEED
@click.option(
    "--layout",
    metavar="LAYOUT",
    type=Words(*LAYOUTS),
    default="denominator",
    show_default=True,
    help="numerator or denominator, of the derivation.",
)
@click.option("--no-check", "unchecked", is_flag=True, help="Without the gradient check.")
@COMPILED
def report(
    file: str,
    out: str,
    at: str,
    seed: int | None,
    layout: Layout,
    unchecked: bool,
    **given: Any,
) -> None:
    """Write a page on FILE: picture, source, derivation, code, schedule, cost, gradient check.

    A graph with mistakes gets a page as far as it is known, and status 1.
    """
    from graphc.checking.point import Start
    from graphc.cli.arrays import arrays_of
    from graphc.compile.stages import Compilation, Options
    from graphc.syntax.parse.parser import read_source
    from graphc.views.report.reported import PageOptions, reported

    target = target_of(file, out, ".html")
    try:
        place = Start(seed or 0, arrays_of(at) if at else None)
        source = read_source(*read_bytes(file))
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise Exit(1) from None
    where = at or f"a point that was drawn (seed {seed or 0})"
    compilation = Compilation(source, Options(**given), folder_of(file))
    found = reported(compilation, PageOptions(place, where, layout, check=not unchecked))
    if target is None:
        click.echo(found.text, nl=False)
    else:
        write(target, found.text)
    print_diagnostics(found.mistakes)
    raise Exit(int(bool(found.mistakes)))
