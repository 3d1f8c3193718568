"""Options that several commands share, and how diagnostics are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit

from graphc.cli.command import Converted, File, Words
from graphc.cli.settings import take_settings
from graphc.files import Format, format_of, read, read_standard_input
from graphc.kinds import MODES
from graphc.source import GraphError, error

STANDARD = "-"
LEVELS = {"0": "-O0", "2": "-O2"}


def level_of(given: str) -> str:
    """Return the level that a number names; raises ValueError where it names none."""
    if given not in LEVELS:
        raise ValueError(f"there is no level {given}; 0 is the readable one, 2 the fast one")
    return LEVELS[given]


def pair_of(given: str) -> tuple[str, str]:
    """Parse `NAME=VALUE`; raises ValueError where it is not of that form."""
    name, equals, value = given.partition("=")
    if not equals or not name:
        raise ValueError(f"`{given}` is not NAME=VALUE")
    return name.strip(), value.strip()


def dim_of(given: str) -> tuple[str, int]:
    """Parse `NAME=INT`; raises ValueError where the number is not positive, or none."""
    name, value = pair_of(given)
    if not (value.isascii() and value.isdigit() and len(value) < 19 and int(value) > 0):
        raise ValueError(f"`{value}` is not a positive integer")
    return name, int(value)


def memory_of(given: str) -> str:
    """Return a bound on memory as it is; raises ValueError where it is none."""
    from graphc.optimise.memory.budget import budget

    if given:
        budget(given)
    return given


def _mapping(ctx: click.Context, param: click.Parameter, pairs: Iterable[tuple[str, Any]]) -> Any:
    return dict(pairs)


Decorator = Callable[[Any], Any]


def together(*options: Decorator) -> Decorator:
    """Return the decorator that gives a command these options, in this order."""
    return lambda command: reduce(lambda made, option: option(made), reversed(options), command)


FILE = click.argument(
    "file",
    metavar="FILE",
    type=File(),
    is_eager=True,
    callback=take_settings,
    help="The .graph file; - is standard input.",
)

AT = click.option(
    "--at",
    metavar="FILE.npz",
    type=File(),
    default="",
    help="At these inputs and parameters, by name. Others are drawn.",
)

SEED = click.option(
    "--seed",
    metavar="INT",
    type=click.IntRange(min=0),
    help="Of the point that is drawn. Default: 0.",
)

# The names of these are those of the fields of Options: a command takes them as `**given`.

DIM = click.option(
    "--dim",
    "dims",
    metavar="NAME=INT",
    type=Converted(dim_of),
    multiple=True,
    callback=_mapping,
    help="Fix a dim. Repeatable.",
)

CONST = click.option(
    "--const",
    "consts",
    metavar="NAME=VALUE",
    type=Converted(pair_of),
    multiple=True,
    callback=_mapping,
    help="Override a const. Repeatable.",
)

DTYPE = click.option(
    "--dtype",
    metavar="DTYPE",
    type=Words("float64", "float32"),
    default="float64",
    show_default=True,
    help="float64 or float32.",
)

DERIVE = click.option(
    "--derive",
    metavar='"KIND OUT wrt …"',
    multiple=True,
    help="Derive this instead of what the file says, of any value with a name. Repeatable.",
)

MODE = click.option(
    "--mode",
    metavar="MODE",
    type=Words(*MODES),
    callback=lambda ctx, param, word: word or "",
    help="forward, reverse or mixed, for Jacobians and Hessians. Default: the cheapest.",
)

LEVEL = click.option(
    "-O",
    "level",
    metavar="LEVEL",
    type=Converted(level_of),
    default="2",
    show_default=True,
    help="0: one readable statement a node; 2: fast.",
)

MODEL = together(DIM, CONST, DTYPE)
"""What a graph is read with."""

COMPILED = together(MODEL, DERIVE, MODE, LEVEL)
"""What it is compiled with."""

MEMORY = click.option(
    "--memory",
    metavar="BYTES",
    type=Converted(memory_of),
    default="",
    help="At most this for each function, as 256MB or 50%: the rest is computed again.",
)

TRACE = click.option(
    "--trace-nan",
    "trace",
    is_flag=True,
    help="Add `trace`, which names the first node that makes nan or an infinity.",
)

SPLIT = click.option(
    "--split",
    metavar="DIM",
    default="",
    help="Add functions that compute the derived ones chunk by chunk of the rows of a dim; of JAX"
    " one that spreads them over devices.",
)

TARGETS_NAMED = ("numpy", "c", "jax")
TARGET = click.option(
    "--target",
    metavar="TARGET",
    type=Words(*TARGETS_NAMED),
    default="numpy",
    show_default=True,
    help="numpy: a Python module; c: a file of C99 and its header; jax: a module of JAX.",
)

FORMAT = click.option(
    "--format",
    metavar="FORMAT",
    type=Words("text", "json"),
    default="text",
    show_default=True,
    help="text or json.",
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


def format_said_by(out: str, endings: Mapping[str, Format], usual: Format) -> Format:
    """Return the format that the name of a file to write says; a mistake of usage if none."""
    try:
        return format_of(out, endings, usual)
    except ValueError as wrong:
        message = f"{cite(out)}: {wrong}; --format says it whatever it ends in"
        raise click.BadParameter(message, param_hint="-o") from None


def cite(path: str | Path) -> str:
    """Write a path for a message: no control characters, not without end."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(path))
    return plain if len(plain) <= 200 else plain[:199] + "…"


def reason_of(why: OSError | ValueError) -> str:
    if isinstance(why, IsADirectoryError):
        return "it is a folder"
    return str(getattr(why, "strerror", None) or why)


def folder_of(path: str) -> Path:
    """Return the folder for imports of a file: its own; for standard input the working one."""
    return Path() if path == STANDARD else Path(path).parent


def fail(message: str, code: int = 1) -> Exit:
    """Print one line of error; returns the exit to raise."""
    click.echo(f"graphc: {message}", err=True)
    return Exit(code)
