"""`graphc check`: what is wrong with `.graph` files, and whether their derivatives are right."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from graphc.cli.command import Converted, File, command
from graphc.cli.options import (
    AT,
    CONST,
    DERIVE,
    DIM,
    DTYPE,
    FORMAT,
    LEVELS,
    MEMORY,
    MODE,
    SEED,
    TRACE,
    folder_of,
    print_diagnostics,
    read_bytes,
)
from graphc.source import Diagnostic, GraphError

if TYPE_CHECKING:
    from graphc.check.derivatives import Checked, Compared
    from graphc.check.point import Start
    from graphc.compile.stages import Options


def levels_of(given: str) -> tuple[str, ...]:
    """Return the levels that a word names; raises ValueError where it names none."""
    if given == "all":
        return (*LEVELS.values(),)
    if given not in LEVELS:
        raise ValueError(f"`{given}` is not {', '.join(LEVELS)} or all")
    return (LEVELS[given],)


@command(
    "check",
    "graphc check net.graph",
    "graphc check --grad --level all net.graph",
    "graphc check --grad --at trained.npz net.graph",
)
@click.argument(
    "files",
    metavar="FILE…",
    type=File(),
    nargs=-1,
    required=True,
    help="The .graph files; - is standard input.",
)
@click.option("--grad", is_flag=True, help="Compare every derivative with numerical ones.")
@AT
@SEED
@FORMAT
@DIM
@CONST
@DTYPE
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
    format: str,
    levels: Sequence[str],
    **given: Any,
) -> None:
    """Check FILEs without writing anything; with --grad the very modules that compile writes."""
    from graphc.check.point import Start
    from graphc.compile.stages import Options

    if at and len(files) > 1:
        raise click.BadParameter("values are for one file", param_hint="--at")
    if not grad and (at or seed is not None):
        hint = "--at" if at else "--seed"
        raise click.BadParameter("it says where to compare: add --grad", param_hint=hint)
    options = Options(**given)
    place = Start(seed or 0) if grad else None
    found: list[dict[str, Any]] = []
    wrong = False
    for file in files:
        checked, diagnostics, failed = _check_file(file, options, levels, place, at)
        wrong = wrong or failed
        if format == "text":
            if found and diagnostics:
                click.echo("", err=True)
            print_diagnostics(diagnostics)
            if not failed:
                click.echo(f"{file}: ok")
            for line in _lines(checked):
                click.echo(f"  {line}")
        found += [record(diagnostic) for diagnostic in diagnostics]
        if grad and checked is not None:
            found.append(_summary(file, checked))
    if format == "json":
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    raise Exit(int(wrong))


def _check_file(
    file: str, options: Options, levels: Sequence[str], place: Start | None, at: str
) -> tuple[Checked | None, tuple[Diagnostic, ...], bool]:
    """Check a file: what was compared, what there is to say, and whether anything is wrong."""
    from graphc.check.derivatives import check_derivatives
    from graphc.cli.arrays import arrays_of
    from graphc.compile.stages import compile_source
    from graphc.syntax.parse.parser import read_source

    try:
        source = read_source(*read_bytes(file))
        if place is None:
            results = [
                compile_source(source, replace(options, level=level), folder_of(file))
                for level in levels
            ]
            return None, (*results[0].warnings, *results[0].model.notes), False
        place = replace(place, given=arrays_of(at) if at else None)
        checked = check_derivatives(source, options, folder_of(file), levels, place)
    except GraphError as error:
        return None, error.diagnostics, True
    first = checked.results[0]
    told = (*first.warnings, *first.model.notes, *checked.mistakes)
    return checked, told, bool(checked.mistakes)


def _lines(checked: Checked | None) -> list[str]:
    """Write the worst path by function and level; a path that could not be compared is said."""
    lines = []
    by_function: dict[tuple[str, str], list[Compared]] = {}
    for one in checked.compared if checked else ():
        by_function.setdefault((one.level, one.function), []).append(one)
    several = checked is not None and len(checked.results) > 1
    if checked is not None and not checked.compared and not checked.mistakes:
        meant = "a surrogate or `stop` differs from the true derivative on purpose"
        surrogate = checked.results[0].model.surrogate
        lines.append(f"nothing compared: {meant if surrogate else 'there are no derivatives'}")
    for (level, name), paths in by_function.items():
        called = f"{level} {name}" if several else name
        gaps = [one.gap for one in paths if not math.isnan(one.gap)]
        if gaps:
            lines.append(f"{called}: largest error against numerical derivatives {max(gaps):.1e}")
        lines += [
            f"{called}: not compared by `{one.path}`: {one.why_not}" for one in paths if one.why_not
        ]
    return lines


def _summary(file: str, checked: Checked) -> dict[str, Any]:
    """Build a record of all comparisons, to stand beside the diagnostics; without nan, for JSON."""
    count = len(checked.compared)
    message = f"{count} derivatives compared, {sum(one.wrong for one in checked.compared)} wrong"
    whole = record(Diagnostic("N420", message, checked.results[0].model.span))
    derivatives = [
        {
            name: value if not isinstance(value, float) or math.isfinite(value) else str(value)
            for name, value in asdict(one).items()
        }
        | {"wrong": one.wrong, "why_not": one.why_not}
        for one in checked.compared
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
