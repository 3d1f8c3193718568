"""`graphc export`: a graph, or a derived function of it, as an ONNX model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit

from graphc.cli.command import File, Words, command
from graphc.cli.messages import print_diagnostics
from graphc.cli.options import (
    DERIVE,
    FILE,
    MODE,
    MODEL,
    STANDARD,
    cite,
    fail,
    folder_of,
    read_bytes,
    reason_of,
)
from graphc.source import GraphError


@command(
    "export",
    "graphc export --onnx net.graph",
    "graphc export --onnx net.graph --function value_and_grad_loss -o gradient.onnx",
    "graphc export --onnx net.graph --params net.npz --names casadi",
)
@FILE
@click.option("--onnx", "kind", flag_value="onnx", default="onnx", help="As an ONNX model.")
@click.option("-o", "out", metavar="OUT", default="", help="Default: FILE.onnx beside FILE.")
@click.option(
    "--function",
    metavar="NAME",
    default="forward",
    show_default=True,
    help="forward, or one that is derived.",
)
@click.option(
    "--params",
    metavar="FILE.npz",
    type=File(),
    default="",
    help="Values of parameters that become a part of the model. Others are inputs.",
)
@click.option(
    "--names",
    metavar="WORD",
    type=Words("graphc", "casadi"),
    default="graphc",
    show_default=True,
    help="Of derivatives: graphc (d.W, ct.y) or casadi (adj_W, fwd_y).",
)
@MODEL
@DERIVE
@MODE
def export(
    file: str, kind: str, out: str, function: str, params: str, names: str, **given: Any
) -> None:
    """Export FILE, or a derived function of it, as a model that other runtimes run."""
    from graphc.cli.arrays import arrays_of
    from graphc.compile.stages import Compilation, Options
    from graphc.syntax.parse.parser import read_source

    try:
        import onnx
    except ImportError:
        raise fail("this needs onnx: pip install graphc[onnx]") from None
    from graphc.exporting.onnx.model import export_onnx

    try:
        compilation = Compilation(read_source(*read_bytes(file)), Options(**given), folder_of(file))
        held = arrays_of(params) if params else {}
        made = export_onnx(compilation, function, held, names == "casadi")
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise Exit(1) from None
    stem = "graph" if file == STANDARD else Path(file).stem
    target = Path(out) if out else Path(file).with_name(f"{stem}.{kind}")
    try:
        onnx.save(made, target)
    except OSError as why:
        raise fail(f"cannot write {cite(target)}: {reason_of(why)}") from None
