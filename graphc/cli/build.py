"""`graphc build`: a `.graph` file to a Python module over compiled C, here or elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit

from graphc.cli.command import Words, command
from graphc.cli.compile import check_name, target_of, write
from graphc.cli.messages import print_diagnostics
from graphc.cli.options import (
    COMPILED,
    FILE,
    STANDARD,
    fail,
    folder_of,
    read_bytes,
    reason_of,
)
from graphc.source import GraphError

MACHINES = ("wasm32-wasi", "aarch64-linux", "cortex-m4")


@command(
    "build",
    "graphc build net.graph",
    "graphc build net.graph --dtype float32 -o package/",
    "graphc build net.graph --for wasm32-wasi",
)
@FILE
@click.option(
    "-o",
    "--out",
    metavar="OUT",
    default="",
    help="The module, or a folder. Default: FILE.py beside FILE.",
)
@click.option(
    "--for",
    "machine",
    metavar="MACHINE",
    type=Words(*MACHINES),
    help="wasm32-wasi, aarch64-linux or cortex-m4: C compiled for it, and its header.",
)
@COMPILED
def build(file: str, out: str, machine: str | None, **given: Any) -> None:
    """Compile FILE to C, and that to a Python module which takes and returns what that of
    `graphc compile` does."""
    from graphc.build.compilers import CompilerError, NoCompilerError
    from graphc.compile.stages import Compilation, Options
    from graphc.syntax.parse.parser import read_source

    if STANDARD in (file, out):
        raise click.BadParameter("what is built are files", param_hint="FILE")
    target = target_of(file, out, ".py" if machine is None else ".h")
    assert target is not None
    try:
        source = read_source(*read_bytes(file))
        compilation = Compilation(source, Options(target="c", **given), folder_of(file))
        _ = compilation.text
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise Exit(1) from None
    print_diagnostics(compilation.warnings)
    try:
        if machine is None:
            check_name(target)
            _build_module(compilation, target)
        else:
            _build_for(machine, compilation, target)
    except NoCompilerError as why:
        raise fail(f"{why}; the module that `graphc compile` writes needs none") from None
    except CompilerError as why:
        raise fail(f"the compiler of C refuses what graphc wrote:\n{why}") from None
    except OSError as why:
        raise fail(f"cannot write beside {target}: {reason_of(why)}") from None


def _build_module(compilation: Any, target: Path) -> None:
    """Write an extension and the module that loads it; that which it loaded before is gone."""
    from graphc.api.cache import own_folder
    from graphc.build.extension import build, loaded_by, texts_of
    from graphc.files import replace

    texts = texts_of(compilation)
    kept = own_folder() / "built"
    kept.mkdir(exist_ok=True)
    made = build(texts, os.environ, kept)
    beside = target.with_name(made.path.name)
    if not beside.exists():
        replace(beside, made.path.read_bytes())
    before = loaded_by(target)
    write(target, texts.python(made.name))
    if before and before != made.name:
        beside.with_name(beside.name.replace(made.name, before)).unlink(missing_ok=True)


def _build_for(machine: str, compilation: Any, target: Path) -> None:
    """Write what is compiled for another machine, and the header."""
    from graphc.build import machines
    from graphc.files import replace
    from graphc.targets.c.contract import contract

    with compilation.open():
        module = contract(compilation.programs)
    content = machines.compile_for(machine, compilation.text, module, os.environ)
    replace(target.with_name(machines.MACHINES[machine].file.format(target.stem)), content)
    write(target, compilation.beside[".h"])
