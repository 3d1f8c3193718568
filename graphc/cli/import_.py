"""`graphc import`: a model of another kind to a `.graph` file under its own names."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from graphc.cli.command import File, Words, command
from graphc.cli.messages import print_diagnostics
from graphc.cli.options import STANDARD, cite, fail, reason_of
from graphc.source import GraphError, near_or_all

if TYPE_CHECKING:
    from graphc.api.imports import ImportedGraph

KINDS = ("numpy", "jax", "onnx", "torch")
ENDINGS = {".onnx": "onnx", ".pt2": "torch"}
"""Files of models, by how their names end."""


@command(
    "import",
    'graphc import model.py:loss --declare "input x: [B, 3]" -o loss.graph',
    'graphc import package.module:f --declare "input x: [N]; const n = 3"',
    "graphc import model.onnx -o model.graph",
    "graphc import program.pt2 -o model.graph",
)
@click.argument(
    "source",
    metavar="SOURCE",
    help="MODEL.onnx, PROGRAM.pt2, FILE.py:FUNCTION or MODULE:FUNCTION.",
)
@click.option("-o", "out", metavar="OUT", default="", help="Write to this file.")
@click.option(
    "--declare",
    metavar="TEXT",
    multiple=True,
    help='What arguments are: "input x: [B, 3]; param w: [3]". Repeatable.',
)
@click.option(
    "--params",
    metavar="FILE",
    default="",
    help="Where parameters go, npz or safetensors. Default: OUT.npz.",
)
@click.option(
    "--from",
    "kind",
    metavar="KIND",
    type=Words(*KINDS),
    help="numpy, jax, onnx or torch. Default: as the name of a file ends; of a function jax where "
    "its module imports that, else numpy.",
)
@click.option(
    "--at",
    metavar="FILE.npz",
    type=File(),
    default="",
    help="Values of inputs of a model on which shapes depend, by name.",
)
def import_(
    source: str, out: str, declare: Sequence[str], params: str, kind: str | None, at: str
) -> None:
    """Import SOURCE, a model of ONNX or PyTorch, or a function of NumPy or JAX, which is run."""
    from graphc.cli.arrays import arrays_of

    try:
        kind = kind or ENDINGS.get(Path(source).suffix)
        if kind in ENDINGS.values():
            found = _model(source, kind, arrays_of(at) if at else {})
        else:
            found = _function(source, kind, "\n".join(declare))
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise Exit(1) from None
    write(found, out, params)


def _model(source: str, kind: str | None, given: Mapping[str, Any]) -> ImportedGraph:
    from graphc.api.imports import import_onnx, import_torch

    try:
        return import_torch(source) if kind == "torch" else import_onnx(source, **given)
    except ImportError:
        raise fail(f"this needs {kind}: pip install graphc[{kind}]") from None
    except OSError as why:
        raise fail(f"cannot read {cite(source)}: {reason_of(why)}") from None


def _function(source: str, kind: str | None, declared: str) -> ImportedGraph:
    from graphc.api.imports import import_jax, import_numpy

    function = function_of(source)
    run = import_jax if (kind or kind_of(function)) == "jax" else import_numpy
    return run(function, declared)


def kind_of(function: Callable[..., Any]) -> str:
    """Return the library that a function is written with: JAX where its module knows that."""
    plain = inspect.unwrap(function)
    held = getattr(plain, "__globals__", {}).values()
    modules = {one.__name__.partition(".")[0] for one in held if isinstance(one, ModuleType)}
    return "jax" if "jax" in modules else "numpy"


def write(found: ImportedGraph, out: str, params: str) -> None:
    """Print a graph, or write it and its parameters."""
    if out in ("", STANDARD):
        click.echo(found.text, nl=False)
        if found.params:
            click.echo(
                f"graphc: {len(found.params)} parameters have values; -o writes them", err=True
            )
        return
    try:
        found.write(out, params)
    except (OSError, ValueError) as why:
        raise fail(f"cannot write {cite(out)}: {reason_of(why)}") from None


def function_of(source: str) -> Callable[..., Any]:
    """Import the module that a source names, and return its function; ends the command if none."""
    module, colon, name = source.rpartition(":")
    if not colon or not module or not name:
        raise fail(f"`{cite(source)}` is not FILE.py:FUNCTION or MODULE:FUNCTION")
    try:
        found: Any = (
            _file(Path(module)) if module.endswith(".py") else importlib.import_module(module)
        )
    except (ImportError, OSError) as why:
        raise fail(f"cannot import {cite(module)}: {why}") from None
    for word in name.split("."):
        if not hasattr(found, word):
            public = [one for one in vars(found) if not one.startswith("_")]
            raise fail(
                f"{cite(module)} has no `{cite(word)}`; {near_or_all(word, public, 'it has')}"
            )
        found = getattr(found, word)
    if not callable(found):
        raise fail(f"`{cite(name)}` of {cite(module)} is no function")
    function: Callable[..., Any] = found
    return function


def _file(path: Path) -> ModuleType:
    """Run a file as a module of its name, which imports what stands beside it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise OSError(f"there is no file {cite(path)}")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    return module
