"""`graphc fmt`: `.graph` files in their canonical form."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

import click
from click.exceptions import Exit

from graphc.cli.command import File, command
from graphc.cli.messages import print_diagnostics
from graphc.cli.options import STANDARD, fail, read_bytes
from graphc.cli.write import replace
from graphc.source import GraphError


@command("fmt", "graphc fmt net.graph", "graphc fmt --check examples/*.graph")
@click.argument(
    "files",
    metavar="FILE…",
    type=File(),
    nargs=-1,
    required=True,
    help="The .graph files; - is standard input, to standard output.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; list the files that would change, and exit with 1.",
)
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
def fmt(files: Sequence[str], check: bool, diff: bool) -> None:
    """Rewrite FILEs in their canonical form: only white space changes."""
    from graphc.syntax.format.formatter import format_source
    from graphc.syntax.parse.parser import read_source

    wrong = False
    for file in files:
        try:
            name, data = read_bytes(file)
            written = format_source(read_source(name, data))
        except GraphError as error:
            print_diagnostics(error.diagnostics)
            wrong = True
            continue
        changed = written.encode() != data
        if check or diff:
            wrong = wrong or (check and changed)
            if check and changed:
                click.echo(name)
            if diff and changed:
                click.echo(_difference(name, data.decode(), written), nl=False)
        elif file == STANDARD:
            click.echo(written.encode(), nl=False)
        elif changed:
            _rewrite(Path(file), written)
    raise Exit(int(wrong))


def _rewrite(file: Path, text: str) -> None:
    """Replace a file, unless it is read-only."""
    if not os.access(file, os.W_OK):
        raise fail(f"cannot write {file}: it is read-only")
    replace(file, text)


def _difference(name: str, before: str, after: str) -> str:
    """Return a unified diff; a line end other than LF shows as a changed line."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), name, f"{name} formatted"
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
