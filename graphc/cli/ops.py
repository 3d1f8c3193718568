"""`graphc ops`: the operations of the language, and what one of them compiles to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

from graphc.cli.command import Words, command
from graphc.cli.options import fail

if TYPE_CHECKING:
    from graphc.syntax import tree


@command(
    "ops",
    "graphc ops",
    "graphc ops softmax",
    "graphc ops dense",
    "graphc ops einsum --format markdown",
)
@click.argument(
    "name",
    metavar="[NAME]",
    default="",
    help="Tell everything about one operation, or a standard block.",
)
@click.option(
    "--format",
    metavar="FORMAT",
    type=Words("text", "json", "markdown"),
    default="text",
    show_default=True,
    help="text, json, markdown.",
)
def ops(name: str, format: str) -> None:
    """List the operations, or show what one of them computes and prints."""
    if name:
        _one(name, format)
    elif format == "markdown":
        from graphc.views.reference.markdown import markdown

        click.echo(markdown(), nl=False)
    else:
        _all(format)


def _all(format: str) -> None:
    from graphc.views.reference.table import rows

    found = rows()
    if format == "json":
        click.echo(json.dumps([asdict(row) for row in found], ensure_ascii=False, indent=2))
        return
    module = ""
    for row in sorted(found, key=lambda row: row.module):
        if row.module != module:
            click.echo(f"{chr(10) if module else ''}{row.module}:")
            module = row.module
        click.echo(f"  {row.signature}\n      {row.doc}")


def _block(block: tree.Block, format: str) -> None:
    """Show a standard block as it is written."""
    text = block.span.text
    if format == "json":
        click.echo(
            json.dumps({"block": block.name.text, "text": text}, ensure_ascii=False, indent=2)
        )
    elif format == "markdown":
        click.echo(f"```graph\n{text}\n```")
    else:
        click.echo(f"{text}\n\na standard block, as a file would write it")


def _indented(statements: Sequence[str]) -> str:
    return "".join(f"{indent(one, '    ')}\n" for one in statements)


def _one(name: str, format: str) -> None:
    from graphc.elaborate.build import standard
    from graphc.elaborate.names.hints import name_remedy
    from graphc.ir.graph import OPERATORS
    from graphc.ops import FUNCTIONS
    from graphc.source import did_you_mean
    from graphc.syntax import tree
    from graphc.views.reference.latex import formulas
    from graphc.views.reference.markdown import function_entry
    from graphc.views.reference.table import FAMILIES, details

    if name in OPERATORS and not name.isidentifier():
        called = getattr(OPERATORS[name], "name", name)
        if called not in FUNCTIONS:
            raise fail(
                f"`{name}` is an operator, element by element: see `graphc help expressions`"
            )
        name = called
    blocks = {s.name.text: s for s in standard().statements if isinstance(s, tree.Block)}
    if name in blocks:
        _block(blocks[name], format)
        return
    if name not in FUNCTIONS:
        near = name_remedy(name) or did_you_mean(name, (*FUNCTIONS, *blocks))
        raise fail(f"no operation `{name}`; {near or '`graphc ops` lists them'}")
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
        click.echo(json.dumps(record, ensure_ascii=False, indent=2))
        return
    if format == "markdown":
        click.echo("\n".join(function_entry(FUNCTIONS[name])), nl=False)
        return
    click.echo(f"{told.row.signature}\n    {told.row.doc}\n")
    click.echo(f"family: {FAMILIES[told.row.family]}")
    if told.shapes:
        click.echo(f"shapes: {told.shapes}")
    if told.conventions:
        click.echo(f"conventions: {told.conventions}")
    click.echo(f"\n{told.sample.call}, for {told.types}:" if told.types else told.sample.call)
    click.echo(_indented(told.value), nl=False)
    if told.pullback:
        click.echo("pulled back:")
        click.echo(_indented(told.pullback), nl=False)
    click.echo(f"multiply-adds: {told.multiply_adds}")
    click.echo(f"bytes in and out: {told.bytes}")
