"""`graphc explain`: the derivation of a graph: its Jacobians, the chain rule, and the reasons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from graphc.cli.command import Converted, Words, command
from graphc.cli.messages import print_diagnostics
from graphc.cli.options import (
    AT,
    DERIVE,
    FILE,
    MODEL,
    SEED,
    STANDARD,
    folder_of,
    format_said_by,
    read_bytes,
)
from graphc.cli.tables import ROOMY, terminal
from graphc.cli.write import replace
from graphc.source import GraphError
from graphc.views.explain.choices import LAYOUTS, MODES, Layout, detail_of

if TYPE_CHECKING:
    from graphc.views.explain.document import Document

FORMATS = ("text", "markdown", "latex", "html")
ENDINGS = {".txt": "text", ".md": "markdown", ".tex": "latex", ".html": "html", ".htm": "html"}


@command(
    "explain",
    "graphc explain net.graph",
    "graphc explain net.graph --node h --layout numerator",
    "graphc explain net.graph -o net.html",
    "graphc explain net.graph --at trained.npz",
)
@FILE
@click.option("--node", metavar="NAME", default="", help="This value alone.")
@click.option(
    "--layout",
    metavar="LAYOUT",
    type=Words(*LAYOUTS),
    default="denominator",
    show_default=True,
    help="numerator or denominator, throughout.",
)
@click.option(
    "--mode",
    "direction",
    metavar="MODE",
    type=Words(*MODES),
    default="reverse",
    show_default=True,
    help="reverse, forward or both.",
)
@click.option(
    "--level",
    metavar="LEVEL",
    type=Converted(detail_of),
    default="reasons",
    show_default=True,
    help="1 or sentence, 2 or formulas, 3 or reasons, 4 or everything.",
)
@click.option(
    "--format",
    metavar="FORMAT",
    type=Words(*FORMATS),
    help="text, markdown, latex or html. Default: as OUT ends.",
)
@click.option("-o", "out", metavar="OUT", default="", help="Write to this file.")
@AT
@SEED
@MODEL
@DERIVE
def explain(
    file: str,
    node: str,
    layout: Layout,
    direction: str,
    level: int,
    format: str | None,
    out: str,
    at: str,
    seed: int | None,
    **given: Any,
) -> None:
    """Tell how the derivatives of FILE come about: Jacobians, the chain rule, forms, reasons."""
    from graphc.checking.point import Start
    from graphc.cli.arrays import arrays_of
    from graphc.compile.stages import Compilation, Options
    from graphc.syntax.parse.parser import read_source
    from graphc.views.explain.asked import NoSuchValue, told
    from graphc.views.explain.wanted import Wanted
    from graphc.views.numbers.looking import look
    from graphc.views.numbers.telling import add_numbers

    options = Options(**given)
    kind = format or format_said_by(out, ENDINGS, "text")
    try:
        compilation = Compilation(read_source(*read_bytes(file)), options, folder_of(file))
        found = told(compilation, layout, Wanted(level, direction, node))
        if at or seed is not None:
            place = Start(seed or 0, arrays_of(at) if at else None)
            where = at or f"a point that was drawn (seed {seed})"
            found = add_numbers(found, look(compilation, place), where, node)
    except NoSuchValue as wrong:
        raise click.BadParameter(str(wrong), param_hint="--node") from None
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise Exit(1) from None
    if out in ("", STANDARD):
        click.echo(printed(found, kind, terminal().width), nl=False)
    else:
        replace(Path(out), printed(found, kind))


def printed(told: Document, kind: str, width: int = ROOMY) -> str:
    """Print a document in a format; text is at most as wide as this."""
    from graphc.views.explain.html import page
    from graphc.views.explain.latex import paper
    from graphc.views.explain.markdown import markdown
    from graphc.views.explain.plain import plain

    if kind == "text":
        return plain(told, width)
    return {"markdown": markdown, "latex": paper, "html": page}[kind](told)
