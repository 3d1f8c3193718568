"""Options that several commands share, and how diagnostics are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import typer

from graphc.files import read, read_standard_input
from graphc.kinds import MODES
from graphc.source import Diagnostic, GraphError, error

STANDARD = "-"
COLOURS = {
    "error": typer.colors.RED,
    "warning": typer.colors.YELLOW,
    "note": typer.colors.CYAN,
}

DIM = typer.Option([], "--dim", metavar="NAME=INT", help="Fix a dim. Repeatable.")
CONST = typer.Option([], "--const", metavar="NAME=VALUE", help="Override a const. Repeatable.")
DTYPE = typer.Option("float64", "--dtype", metavar="DTYPE", help="float64 or float32.")
DERIVE = typer.Option(
    [],
    "--derive",
    metavar='"KIND OUT wrt …"',
    help="Derive this instead of what the file says. Repeatable.",
)

MODE = typer.Option(
    "",
    "--mode",
    metavar="MODE",
    help="forward, reverse or mixed, for Jacobians and Hessians. Default: the cheapest.",
)

LEVEL = typer.Option(2, "-O", metavar="LEVEL", help="0: one readable statement a node; 2: fast.")


MEMORY = typer.Option(
    "",
    "--memory",
    metavar="BYTES",
    help="At most this for each function, as 256MB or 50%: the rest is computed again.",
)

TRACE = typer.Option(
    False,
    "--trace-nan",
    help="Add `trace`, which names the first node that makes nan or an infinity.",
)


def read_bytes(path: str) -> tuple[str, bytes]:
    """Read a file, or standard input for `-`; returns the name to cite and the content.

    A file that cannot be read is a GraphError as one that is wrong.
    """
    try:
        if path == STANDARD:
            return "<stdin>", read_standard_input()
        return path, read(Path(path))
    except (OSError, ValueError) as why:
        message = f"cannot read {cite(path)}: {reason_of(why)}"
        raise GraphError([error("E001", message, None)]) from None


def cite(path: str | Path) -> str:
    """Write a path for a message: no control characters, not without end."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(path))
    return plain if len(plain) <= 200 else plain[:199] + "…"


def reason_of(why: OSError | ValueError) -> str:
    return str(getattr(why, "strerror", None) or why)


def check_dtype(given: str) -> str:
    if given not in ("float64", "float32"):
        raise typer.BadParameter(f"`{given}` is not float64 or float32", param_hint="--dtype")
    return given


def check_mode(given: str) -> str:
    if given not in ("", *MODES):
        raise typer.BadParameter(f"`{given}` is not forward, reverse or mixed", param_hint="--mode")
    return given


def check_memory(given: str) -> str:
    from graphc.optimise.memory.budget import budget

    if given:
        try:
            budget(given)
        except ValueError as wrong:
            raise typer.BadParameter(str(wrong), param_hint="--memory") from None
    return given


def level_of(given: int) -> str:
    if given not in (0, 2):
        raise typer.BadParameter(
            f"there is no level {given}; 0 is the readable one, 2 the fast one", param_hint="-O"
        )
    return f"-O{given}"


def folder_of(path: str) -> Path:
    """Return the folder for imports of a file: its own; for standard input the working one."""
    return Path() if path == STANDARD else Path(path).parent


def parse_pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """Parse `NAME=VALUE` options; wrong usage where one is not of that form."""
    parsed = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"`{one}` is not NAME=VALUE", param_hint=option)
        parsed[name.strip()] = value.strip()
    return parsed


def parse_dims(given: Sequence[str]) -> dict[str, int]:
    found = {}
    for name, value in parse_pairs(given, "--dim").items():
        if not (value.isascii() and value.isdigit() and len(value) < 19 and int(value) > 0):
            raise typer.BadParameter(f"`{value}` is not a positive integer", param_hint="--dim")
        found[name] = int(value)
    return found


def fail(message: str, code: int = 1) -> typer.Exit:
    """Print one line of error; returns the exit to raise."""
    typer.echo(f"graphc: {message}", err=True)
    return typer.Exit(code)


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Print diagnostics to standard error, with colour on a terminal."""
    for number, diagnostic in enumerate(diagnostics):
        head, *rest = str(diagnostic).split("\n")
        colour = COLOURS[diagnostic.severity]
        if number:
            typer.echo("", err=True)
        typer.secho(head, err=True, fg=colour, bold=True)
        for line in rest:
            typer.secho(
                line, err=True, fg=colour if set(line) <= set(" |^") and "^" in line else None
            )
