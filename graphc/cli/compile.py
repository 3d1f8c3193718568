"""`graphc compile`: a `.graph` file to a Python module, written whole or not at all."""

from __future__ import annotations

import keyword
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from graphc.cli.command import Words, command
from graphc.cli.messages import print_diagnostics
from graphc.cli.options import (
    COMPILED,
    FILE,
    MEMORY,
    SPLIT,
    STANDARD,
    TARGET,
    TRACE,
    cite,
    fail,
    folder_of,
    read_bytes,
    reason_of,
)
from graphc.cli.write import replace
from graphc.names import hides_a_library
from graphc.provenance import is_generated
from graphc.source import GraphError, error

if TYPE_CHECKING:
    from graphc.compile.stages import Options
    from graphc.optimise.memory.bound import Planned


LANGUAGES = {".py": "Python", ".c": "C", ".h": "a header of C", ".html": "a page of HTML"}
"""What commands write, by endings: none is written under the ending of another."""

WITH_OTHERS = (".c", ".h")
"""Endings of what stands beside files that are called alike, so that it has no other ending."""


@command(
    "compile",
    "graphc compile net.graph",
    "graphc compile -O0 net.graph -o -",
    "graphc compile --target c net.graph",
    "graphc compile --target jax net.graph -o net_jax.py",
    'graphc compile net.graph --dim B=32 --derive "grad loss wrt params"',
)
@FILE
@click.option(
    "-o",
    "--out",
    metavar="OUT",
    default="",
    help="File or folder; - is standard output. Default: FILE.py or FILE.c beside FILE.",
)
@COMPILED
@MEMORY
@TRACE
@SPLIT
@TARGET
@click.option("--watch", is_flag=True, help="Compile again whenever the file changes.")
@click.option(
    "--format",
    metavar="FORMAT",
    type=Words("text", "github"),
    default="text",
    show_default=True,
    help="Of messages: text, or github: annotations for its workflows.",
)
def compile_(file: str, out: str, watch: bool, format: str, **given: Any) -> None:
    """Compile FILE to a Python module that imports only NumPy, to C, or to a module of JAX."""
    from graphc.compile.stages import Options

    options = Options(**given)
    _check_options(options)

    if watch and STANDARD in (file, out):
        raise click.BadParameter(
            "standard input and output cannot be watched", param_hint="--watch"
        )
    target = target_of(file, out, options.to.suffix)
    if target is not None and options.to.suffix == ".py" and target.suffix == ".py":
        check_name(target)
    if not watch or not os.path.exists(file):
        raise Exit(_compile(file, target, options, format))
    seen: int | None = 0
    while True:
        stamp = os.stat(file).st_mtime_ns if os.path.exists(file) else None
        if stamp != seen:
            seen = stamp
            if stamp is None:
                what = "waiting for"
            else:
                what = "errors in" if _compile(file, target, options, format) else "compiled"
            click.echo(f"{time.strftime('%H:%M:%S')} {what} {file}", err=True)
        time.sleep(0.2)


def _check_options(options: Options) -> None:
    """Refuse what only some targets do."""
    alone = {
        "--memory": (options.memory, ("numpy",)), "--trace-nan": (options.trace, ("numpy",)),
        "--split": (options.split, ("numpy", "jax")),
    }  # fmt: skip
    for option, (used, targets) in alone.items():
        if used and options.target not in targets:
            said = (
                "the target numpy alone"
                if len(targets) == 1
                else f"the targets {' and '.join(targets)}"
            )
            raise click.BadParameter(f"it is of {said}", param_hint=option)


def target_of(file: str, out: str, suffix: str) -> Path | None:
    """Choose the file to write; None is standard output."""
    if out == STANDARD or (file == STANDARD and not out):
        return None
    stem = "graph" if file == STANDARD else Path(file).stem
    _check_graph(file)
    try:
        return _check_target(file, out, stem, suffix)
    except (OSError, ValueError) as why:
        what = f"write {cite(out)}" if out else f"read {cite(file)}"
        raise fail(f"cannot {what}: {reason_of(why)}") from None


def _check_graph(file: str) -> None:
    """Report a folder, or a file that is no graph, before there is a word of what is written."""
    from graphc.syntax.lexing.characters import is_another, read_source

    if os.path.isdir(file) or is_another(file):
        try:
            read_source(*read_bytes(file))
        except GraphError as wrong:
            print_diagnostics(wrong.diagnostics)
            raise Exit(1) from None


def _check_target(file: str, out: str, stem: str, suffix: str) -> Path:
    """Choose the path to write: in a folder that is there, and not the input."""
    target = Path(out) if out else Path(file).with_name(f"{stem}{suffix}")
    if target.is_dir() or out.endswith(os.sep):
        target = target / f"{stem}{suffix}"
    if file != STANDARD and target.exists() and Path(file).exists() and target.samefile(file):
        raise fail(f"the output {target} is the input itself; choose another with -o")
    ending = target.suffix.lower()
    if ending != suffix and (ending in LANGUAGES or suffix in WITH_OTHERS):
        raise fail(
            f"{LANGUAGES[suffix]} is to be written, and {cite(target)} does not end in `{suffix}`; "
            f"write `-o {cite(target.with_suffix(suffix))}`"
        )
    if not target.parent.is_dir():
        raise fail(f"cannot write {target}: there is no folder {target.parent}")
    return target


def check_name(target: Path) -> None:
    """Refuse a module that hides another; warn where `import` cannot say its name."""
    name = target.stem
    inside = (target.parent / "__init__.py").exists()  # a package, whose modules hide nothing
    if not inside and hides_a_library(name):
        better = cite(target.with_name(f"{name}_net.py"))
        raise fail(
            f"{cite(target)} would hide Python's or NumPy's `{name}` from what stands beside it;"
            f" write `-o {better}`"
        )
    if not name.isidentifier() or keyword.iskeyword(name):
        word = re.sub(r"\W", "_", name) + ("_" if keyword.iskeyword(name) else "")
        better = word if word.isidentifier() else f"net_{word}"
        print_diagnostics(
            [
                error(
                    "W002",
                    f"`import {name}` is no Python: {cite(target)} can only be loaded by its path",
                    None,
                    help=f"write `-o {cite(target.with_name(f'{better}.py'))}`",
                )
            ]
        )


def _compile(file: str, target: Path | None, options: Options, format: str) -> int:
    """Compile once; returns the exit code."""
    from graphc.compile.stages import compile_source
    from graphc.syntax.parse.parser import read_source

    try:
        result = compile_source(read_source(*read_bytes(file)), options, folder_of(file))
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics, format)
        return 1
    print_diagnostics(result.warnings, format)
    report(result.planned)
    if target is None:
        click.echo(result.text, nl=False)
        return 0
    write(target, result.text)
    for suffix, text in result.beside.items():
        write(target.with_suffix(suffix), text)
    return 0


def report(planned: Sequence[Planned]) -> None:
    """Print to standard error what a bound on memory came to, function by function."""
    from graphc.optimise.memory.budget import amount

    width = max((len(one.name) for one in planned), default=0)
    for one in planned:
        click.echo(
            f"{one.name:{width}}  {amount(one.unplanned):>8} -> {amount(one.planned):>8}, "
            f"{100 * one.more:.0f} % more multiply-adds",
            err=True,
        )


def write(target: Path, text: str) -> None:
    """Replace a generated file; what graphc has not generated itself is not replaced."""
    try:
        foreign = target.is_file() and not is_generated(target.read_bytes())
    except OSError as why:
        raise fail(f"cannot write {target}: {reason_of(why)}") from None
    if foreign:
        raise fail(
            f"{target} exists and was not generated by graphc; remove it or choose another with -o"
        )
    replace(target, text)
