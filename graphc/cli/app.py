"""The command line: its commands, and how errors end it."""

from __future__ import annotations

import sys
import traceback

import typer

from graphc import __version__
from graphc.cli.check import check
from graphc.cli.compile import compile_
from graphc.cli.cost import cost
from graphc.cli.explain import explain
from graphc.cli.fmt import fmt
from graphc.cli.ops import ops
from graphc.cli.show import show_

app = typer.Typer(
    help="Compile declarative computation graphs to plain NumPy modules with their derivatives.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("compile")(compile_)
app.command("check")(check)
app.command("cost")(cost)
app.command("explain")(explain)
app.command("fmt")(fmt)
app.command("ops")(ops)
app.command("show")(show_)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"graphc {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Take the options before the command."""


def main() -> None:
    """Run the command line; what escapes a command is a bug of graphc, and says so."""
    try:
        app()
    except Exception:
        traceback.print_exc()
        typer.echo("graphc: this is a bug of graphc, not of your file; please report it", err=True)
        sys.exit(1)
