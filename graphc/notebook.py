"""For notebooks: `%load_ext graphc`, and then a cell that begins with `%%graph net`."""

from __future__ import annotations

import keyword
import shlex
from pathlib import Path
from typing import Any

import click

from graphc.api.compiling import CompiledGraph, compiled
from graphc.api.options import canonical
from graphc.cli.options import (
    COMPILED,
    MEMORY,
    TRACE,
)
from graphc.source import Source


@click.command("%%graph", add_help_option=False)
@click.argument("name", default="net")
@COMPILED
@MEMORY
@TRACE
def _line(name: str, level: str, **given: Any) -> tuple[str, dict[str, Any]]:
    """Read what stands behind `%%graph`: a name, and options of `graphc compile`."""
    said = {
        "level": int(level.removeprefix("-O")),
        "dim": given["dims"],
        "dtype": given["dtype"],
        "derive": given["derive"],
        "mode": given["mode"],
        "memory": given["memory"],
        "trace_nan": given["trace"],
    }
    return name, canonical(said) | {"const": given["consts"]}  # these are texts of the language


def compile_cell(line: str, cell: str) -> tuple[str, CompiledGraph]:
    """Compile a cell as its first line says; returns the name of its module, and what came of it.

    Its lines are counted as the notebook shows them. Imports are relative to the working folder.

    Raises GraphError, and UsageError where the line is wrong.
    """
    try:
        words = shlex.split(line)
    except ValueError as why:
        raise UsageError(f"%%graph {line}: {why}") from None
    try:
        name, said = _line.main(words, "%%graph", standalone_mode=False)
    except click.UsageError as wrong:
        raise UsageError(f"%%graph {line}: {wrong.format_message()}") from None
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError(f"%%graph {line}: `{name}` is no name of a variable")
    return name, compiled(Source(f"{name}.graph", f"\n{cell}"), Path(), said)


class UsageError(Exception):
    """The line of a magic is wrong; IPython shows what is said, and no traceback."""

    __module__ = "graphc"

    def _render_traceback_(self) -> list[str]:
        return str(self).split("\n")


def load_ipython_extension(shell: Any) -> None:
    """Give IPython the magic `%%graph NAME [OPTIONS]`; called by `%load_ext graphc`."""

    def graph(line: str, cell: str) -> CompiledGraph:
        """Compile the cell, a graph, and bind its module to NAME; shows what there is in it.

        %%graph NAME [-O LEVEL] [--dim NAME=INT] [--const NAME=VALUE] [--dtype DTYPE]
                     [--derive "KIND OUT wrt …"] [--mode MODE] [--memory BYTES] [--trace-nan]
        """
        name, made = compile_cell(line, cell)
        shell.user_ns[name] = made.module()
        return made

    shell.register_magic_function(graph, magic_kind="cell", magic_name="graph")
