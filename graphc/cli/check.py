"""`graphc check`: what is wrong with `.graph` files, and whether their derivatives are right."""

from __future__ import annotations

import json
import math
from typing import Any

import typer

from graphc.cli.options import (
    CONST,
    DERIVE,
    DIM,
    DTYPE,
    dims,
    fail,
    float_dtype,
    folder,
    pairs,
    read_bytes,
    show,
)
from graphc.source import Diagnostic, GraphError


def check(
    files: list[str] = typer.Argument(
        ..., metavar="FILE…", help="The .graph files; - is standard input."
    ),
    grad: bool = typer.Option(
        False, "--grad", help="Compare every derivative with numerical ones."
    ),
    format: str = typer.Option(
        "text", "--format", metavar="FORMAT", help="text, or json for editors."
    ),
    dim: list[str] = DIM,
    const: list[str] = CONST,
    dtype: str = DTYPE,
    derive: list[str] = DERIVE,
) -> None:
    """Check FILEs without writing anything."""
    from graphc.pipeline import Options, compile_source
    from graphc.syntax.parse import read_source

    if format not in ("text", "json"):
        raise typer.BadParameter(f"`{format}` is not text or json", param_hint="--format")
    options = Options(dims(dim), pairs(const, "--const"), float_dtype(dtype), derive)
    found: list[dict[str, Any]] = []
    wrong = False
    for file in files:
        errors: dict[str, float] = {}
        try:
            result = compile_source(read_source(*read_bytes(file)), options, folder(file))
            diagnostics = (*result.warnings, *result.model.notes)
            failed = False
            if grad:
                errors = _gradients(file, result)
        except GraphError as error:
            diagnostics, failed = error.diagnostics, True
        wrong = wrong or failed
        found += [record(diagnostic) for diagnostic in diagnostics]
        if format == "text":
            if found and diagnostics and len(found) > len(diagnostics):
                typer.echo("", err=True)
            show(diagnostics)
            if not failed:
                typer.echo(f"{file}: ok")
                for name, gap in errors.items():
                    said = f"largest error against numerical derivatives {gap:.1e}"
                    typer.echo(f"  {name}: {'not compared' if math.isnan(gap) else said}")
    if format == "json":
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    raise typer.Exit(int(wrong))


def _gradients(file: str, result: Any) -> dict[str, float]:
    """The module's own comparison with numerical derivatives, on random arguments."""
    from graphc.pipeline import load
    from graphc.sample import arguments

    module = load(result.text, result.model.name)
    if not hasattr(module, "check"):
        return {}
    try:
        return dict(module.check(**arguments(result.model)))
    except (ArithmeticError, ValueError) as why:
        raise fail(f"{file}: {why}") from None


def record(diagnostic: Diagnostic) -> dict[str, Any]:
    """A diagnostic as an editor reads it; lines and columns count from 1."""
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
