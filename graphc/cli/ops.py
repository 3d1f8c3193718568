"""`graphc ops`: the operations of the language, and what one of them compiles to."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import typer

from graphc.cli.options import fail


def ops(
    name: str = typer.Argument("", metavar="[NAME]", help="Tell everything about one operation."),
    format: str = typer.Option("text", "--format", metavar="FORMAT", help="text, json, markdown."),
) -> None:
    """List the operations, or show what one of them computes and prints."""
    if format not in ("text", "json", "markdown"):
        raise typer.BadParameter(f"`{format}` is not text, json or markdown", param_hint="--format")
    if name:
        _one(name, format)
    elif format == "markdown":
        from graphc.views.reference.markdown import markdown

        typer.echo(markdown(), nl=False)
    else:
        _all(format)


def _all(format: str) -> None:
    from graphc.views.reference.table import rows

    found = rows()
    if format == "json":
        typer.echo(json.dumps([asdict(row) for row in found], ensure_ascii=False, indent=2))
        return
    module = ""
    for row in sorted(found, key=lambda row: row.module):
        if row.module != module:
            typer.echo(f"{chr(10) if module else ''}{row.module}:")
            module = row.module
        typer.echo(f"  {row.signature}\n      {row.doc}")


def _one(name: str, format: str) -> None:
    from graphc.ops import FUNCTIONS
    from graphc.source import did_you_mean
    from graphc.views.reference.latex import formulas
    from graphc.views.reference.markdown import function_entry
    from graphc.views.reference.table import FAMILIES, details

    if name not in FUNCTIONS:
        near = did_you_mean(name, FUNCTIONS)
        raise fail(f"no operation `{name}`{f'; {near}' if near else ''}")
    told = details(FUNCTIONS[name])
    value, pullback = formulas(FUNCTIONS[name])
    if format == "json":
        record: dict[str, Any] = asdict(told.row)
        record |= {
            "call": told.sample.call,
            "types": told.types,
            "shapes": told.shapes,
            "value": list(told.value),
            "pullback": list(told.pullback),
            "latex": {"value": value, "pullback": list(pullback)},
            "conventions": told.conventions,
            "multiply_adds": told.multiply_adds,
            "bytes": told.bytes,
        }
        typer.echo(json.dumps(record, ensure_ascii=False, indent=2))
        return
    if format == "markdown":
        typer.echo("\n".join(function_entry(FUNCTIONS[name])), nl=False)
        return
    typer.echo(f"{told.row.signature}\n    {told.row.doc}\n")
    typer.echo(f"family: {FAMILIES[told.row.family]}")
    if told.shapes:
        typer.echo(f"shapes: {told.shapes}")
    if told.conventions:
        typer.echo(f"conventions: {told.conventions}")
    typer.echo(f"\n{told.sample.call}, for {told.types}:" if told.types else told.sample.call)
    typer.echo("".join(f"    {line}\n" for line in told.value), nl=False)
    if told.pullback:
        typer.echo("pulled back:")
        typer.echo("".join(f"    {line}\n" for line in told.pullback), nl=False)
    typer.echo(f"multiply-adds: {told.multiply_adds}")
    typer.echo(f"bytes in and out: {told.bytes}")
