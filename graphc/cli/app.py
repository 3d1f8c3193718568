"""The command line: its commands, and how errors end it."""

from __future__ import annotations

import gc
import sys

import click

from graphc import __version__
from graphc.cli.command import Commands

COMMANDS = {
    "build": "graphc.cli.build:build",
    "compile": "graphc.cli.compile:compile_",
    "check": "graphc.cli.check:check",
    "completion": "graphc.cli.completion:completion",
    "cost": "graphc.cli.cost:cost",
    "draw": "graphc.cli.draw:draw",
    "explain": "graphc.cli.explain:explain",
    "export": "graphc.cli.export:export",
    "fmt": "graphc.cli.fmt:fmt",
    "help": "graphc.cli.help:help_",
    "import": "graphc.cli.import_:import_",
    "lsp": "graphc.cli.lsp:lsp",
    "new": "graphc.cli.new:new",
    "ops": "graphc.cli.ops:ops",
    "report": "graphc.cli.report:report",
    "show": "graphc.cli.show:show_",
    "split": "graphc.cli.split:split",
}

GARBAGE = 100_000
"""New objects before the first search for cycles: most commands end before they make so many."""


@click.group("graphc", cls=Commands, places=COMMANDS)
@click.version_option(__version__, message="graphc %(version)s")
def app() -> None:
    """Compile declarative computation graphs to plain NumPy modules with their derivatives."""


def main() -> None:
    """Run the command line; what escapes a command is a bug of graphc, and says so."""
    gc.set_threshold(GARBAGE)
    try:
        app(prog_name="graphc")
    except Exception:
        import traceback

        traceback.print_exc()
        click.echo("graphc: this is a bug of graphc, not of your file; please report it", err=True)
        sys.exit(1)
    finally:
        gc.freeze()  # else Python ends with a search for cycles among all that there is: 50 ms
