"""`graphc check`: what is wrong with `.graph` files, and whether their derivatives are right."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from graphc.cli.command import Converted, File, Words, command
from graphc.cli.messages import print_diagnostics
from graphc.cli.options import (
    AT,
    DERIVE,
    LEVELS,
    MEMORY,
    MODE,
    MODEL,
    SEED,
    TRACE,
    folder_of,
    read_bytes,
)
from graphc.cli.settings import take_settings
from graphc.records import replace
from graphc.source import Diagnostic, GraphError

if TYPE_CHECKING:
    from graphc.api.checking import CheckResult
    from graphc.checking.point import Start
    from graphc.compile.stages import Options


def levels_of(given: str) -> tuple[str, ...]:
    """Return the levels that a word names; raises ValueError where it names none."""
    if given == "all":
        return (*LEVELS.values(),)
    if given not in LEVELS:
        raise ValueError(f"`{given}` is not {', '.join(LEVELS)} or all")
    return (LEVELS[given],)


UNCOMPARED = ", no derivative compared (--grad does)"


@command(
    "check",
    "graphc check net.graph",
    "graphc check --grad --level all net.graph",
    "graphc check --grad --at trained.npz net.graph",
    "graphc check --module edited.py net.graph",
)
@click.argument(
    "files",
    metavar="FILE…",
    type=File(),
    nargs=-1,
    required=True,
    is_eager=True,
    callback=take_settings,
    help="The .graph files; - is standard input.",
)
@click.option("--grad", is_flag=True, help="Compare every derivative with numerical ones.")
@AT
@SEED
@click.option(
    "--module",
    "edited",
    metavar="FILE.py",
    type=File(),
    default="",
    help="Run this module, edited or written by hand, and compare it with what FILE computes.",
)
@click.option(
    "--format",
    metavar="FORMAT",
    type=Words("text", "json", "github"),
    default="text",
    show_default=True,
    help="text, json, or github: annotations for its workflows.",
)
@MODEL
@DERIVE
@MODE
@click.option(
    "-O",
    "--level",
    "levels",
    metavar="LEVEL",
    type=Converted(levels_of),
    default="2",
    show_default=True,
    help="Of the module that is checked: 0, 2, or all.",
)
@MEMORY
@TRACE
def check(
    files: Sequence[str],
    grad: bool,
    at: str,
    seed: int | None,
    edited: str,
    format: str,
    levels: Sequence[str],
    **given: Any,
) -> None:
    """Check FILEs without writing anything; with --grad the very modules that compile writes."""
    from graphc.checking.point import Start
    from graphc.compile.stages import Options

    if at and len(files) > 1:
        raise click.BadParameter("values are for one file", param_hint="--at")
    if edited and (len(files) > 1 or grad):
        raise click.BadParameter("it is of one file, and without --grad", param_hint="--module")
    if not grad and (at or seed is not None):
        hint = "--at" if at else "--seed"
        raise click.BadParameter("it says where to compare: add --grad", param_hint=hint)
    options = Options(**given)
    place = Start(seed or 0) if grad else None
    found: list[dict[str, Any]] = []
    wrong = False
    for file in files:
        checked = _check_file(file, options, levels, place, at, edited)
        wrong = wrong or not checked.ok
        if format == "github":
            print_diagnostics(checked.diagnostics, format)
        if format == "text":
            if found and checked.diagnostics:
                click.echo("", err=True)
            print_diagnostics(checked.diagnostics)
            if checked.ok:
                click.echo(f"{file}: ok{'' if grad or edited else UNCOMPARED}")
            for line in checked.lines():
                click.echo(f"  {line}")
        found += [record(diagnostic) for diagnostic in checked.diagnostics]
        if checked.source is not None and grad:
            found.append(_summary(file, checked))
    if format == "json":
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    raise Exit(int(wrong))


def _check_file(
    file: str,
    options: Options,
    levels: Sequence[str],
    place: Start | None,
    at: str,
    edited: str,
) -> CheckResult:
    """Check a file, which may not be there, at what another holds."""
    from graphc.api.checking import CheckResult, check_module, check_source
    from graphc.cli.arrays import arrays_of
    from graphc.syntax.parse.parser import read_source

    try:
        source = read_source(*read_bytes(file))
        given = arrays_of(at) if at else None
        if edited:
            read_bytes(edited)
            return check_module(source, folder_of(file), options, Path(edited))
    except GraphError as wrong:
        return CheckResult(file, wrong.diagnostics)
    place = replace(place, given=given) if place else None
    return check_source(source, folder_of(file), options, levels, place)


def _summary(file: str, checked: CheckResult) -> dict[str, Any]:
    """Build a record of all comparisons, to stand beside the diagnostics; without nan, for JSON."""
    count, wrong = len(checked.derivatives), sum(one.wrong for one in checked.derivatives)
    message = f"{count} derivatives compared, {wrong} wrong"
    place = checked.source.whole if checked.source else None
    whole = record(Diagnostic("N420", message, place))
    derivatives = [
        {
            name: value if not isinstance(value, float) or math.isfinite(value) else str(value)
            for name, value in asdict(one).items()
        }
        | {"wrong": one.wrong, "why_not": one.why_not}
        for one in checked.derivatives
    ]
    return whole | {"file": file, "derivatives": derivatives}


def record(diagnostic: Diagnostic) -> dict[str, Any]:
    """Convert a diagnostic to what an editor reads; lines and columns count from 1."""
    span = diagnostic.span
    place: dict[str, Any] = dict.fromkeys(("file", "line", "column", "end_line", "end_column"))
    if span is not None:
        (line, column), (end_line, end_column) = map(span.source.position, (span.start, span.end))
        place = {"file": span.source.name, "line": line, "column": column}
        place |= {"end_line": end_line, "end_column": end_column}
    return {
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "message": diagnostic.message,
        **place,
        "notes": [{"kind": note.kind, "message": note.message} for note in diagnostic.notes],
    }
