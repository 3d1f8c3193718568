"""`graphc check`: what is wrong with `.graph` files, and whether their derivatives are right."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import typer

from graphc.cli.arrays import arrays_of
from graphc.cli.options import (
    CONST,
    DERIVE,
    DIM,
    DTYPE,
    MEMORY,
    MODE,
    TRACE,
    check_dtype,
    check_memory,
    check_mode,
    folder_of,
    level_of,
    parse_dims,
    parse_pairs,
    print_diagnostics,
    read_bytes,
)
from graphc.source import Diagnostic, GraphError

if TYPE_CHECKING:
    from graphc.check.derivatives import Checked, Compared, Start
    from graphc.compile.stages import Options


def check(
    files: list[str] = typer.Argument(
        ..., metavar="FILE…", help="The .graph files; - is standard input."
    ),
    grad: bool = typer.Option(
        False, "--grad", help="Compare every derivative with numerical ones."
    ),
    at: str = typer.Option(
        "",
        "--at",
        metavar="FILE.npz",
        help="Compare at these inputs and parameters, by name. Others are drawn.",
    ),
    seed: int | None = typer.Option(
        None, "--seed", min=0, metavar="INT", help="Of the point that is drawn. Default: 0."
    ),
    format: str = typer.Option(
        "text", "--format", metavar="FORMAT", help="text, or json for editors."
    ),
    dim: list[str] = DIM,
    const: list[str] = CONST,
    dtype: str = DTYPE,
    derive: list[str] = DERIVE,
    mode: str = MODE,
    level: str = typer.Option(
        "2", "-O", "--level", metavar="LEVEL", help="Of the module that is checked: 0, 2, or all."
    ),
    within: str = MEMORY,
    trace: bool = TRACE,
) -> None:
    """Check FILEs without writing anything; with --grad the very modules that compile writes."""
    from graphc.check.derivatives import LEVELS, Start
    from graphc.compile.stages import Options

    if format not in ("text", "json"):
        raise typer.BadParameter(f"`{format}` is not text or json", param_hint="--format")
    if at and len(files) > 1:
        raise typer.BadParameter("values are for one file", param_hint="--at")
    if not grad and (at or seed is not None):
        hint = "--at" if at else "--seed"
        raise typer.BadParameter("it says where to compare: add --grad", param_hint=hint)
    options = Options(
        parse_dims(dim),
        parse_pairs(const, "--const"),
        check_dtype(dtype),
        derive,
        mode=check_mode(mode),
        memory=check_memory(within),
        trace=trace,
    )
    levels = LEVELS if level == "all" else (_level(level),)
    place = Start(seed or 0) if grad else None
    found: list[dict[str, Any]] = []
    wrong = False
    for file in files:
        checked, diagnostics, failed = _check_file(file, options, levels, place, at)
        wrong = wrong or failed
        if format == "text":
            if found and diagnostics:
                typer.echo("", err=True)
            print_diagnostics(diagnostics)
            if not failed:
                typer.echo(f"{file}: ok")
            for line in _lines(checked):
                typer.echo(f"  {line}")
        found += [record(diagnostic) for diagnostic in diagnostics]
        if grad and checked is not None:
            found.append(_summary(file, checked))
    if format == "json":
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    raise typer.Exit(int(wrong))


def _level(given: str) -> str:
    if given not in ("0", "2"):
        raise typer.BadParameter(f"`{given}` is not 0, 2 or all", param_hint="-O")
    return level_of(int(given))


def _check_file(
    file: str, options: Options, levels: Sequence[str], place: Start | None, at: str
) -> tuple[Checked | None, tuple[Diagnostic, ...], bool]:
    """Check a file: what was compared, what there is to say, and whether anything is wrong."""
    from graphc.check.derivatives import check_derivatives
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
