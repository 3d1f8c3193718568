"""`graphc draw`: the graph as a picture, forward or backward."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit

from graphc.cli.command import Words, command
from graphc.cli.messages import print_diagnostics
from graphc.cli.options import (
    AT,
    FILE,
    MODEL,
    SEED,
    STANDARD,
    fail,
    folder_of,
    format_said_by,
    read_bytes,
)
from graphc.cli.write import replace
from graphc.source import Diagnostic, GraphError
from graphc.views.draw.choices import (
    DIRECTIONS,
    ENDINGS,
    FORMATS,
    LAYOUTERS,
    Direction,
    Format,
    Layouter,
)


@command(
    "draw",
    "graphc draw net.graph -o net.svg",
    "graphc draw net.graph --pass backward -o back.svg",
    "graphc draw net.graph --depth 1 --fold att -o net.svg",
    "graphc draw net.graph --focus h --near 3 -o h.svg",
    "graphc draw net.graph -o net.mmd",
    "graphc draw net.graph --pass backward --at trained.npz -o back.svg",
)
@FILE
@click.option(
    "--pass",
    "direction",
    metavar="PASS",
    type=Words(*DIRECTIONS),
    default="forward",
    show_default=True,
    help="forward, or backward: what flows back.",
)
@click.option("--focus", metavar="NAME", default="", help="This value and what is near.")
@click.option(
    "--near",
    metavar="STEPS",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="How many edges near is.",
)
@click.option(
    "--fold", metavar="PATH", multiple=True, help="A block or loop as one box. Repeatable."
)
@click.option(
    "--depth",
    metavar="N",
    type=click.IntRange(min=0),
    help="Fold what lies in more than N blocks and loops.",
)
@click.option("--detail", is_flag=True, help="Every operation is a box of its own.")
@click.option(
    "--format",
    metavar="FORMAT",
    type=Words(*FORMATS),
    help="svg, dot or mermaid. Default: as OUT ends, else svg.",
)
@click.option(
    "--layout",
    metavar="LAYOUT",
    type=Words(*LAYOUTERS),
    default="own",
    show_default=True,
    help="own, the same on every machine; or dot, which Graphviz does.",
)
@click.option("-o", "out", metavar="OUT", default="", help="Write to this file.")
@AT
@SEED
@MODEL
def draw(
    file: str,
    direction: Direction,
    focus: str,
    near: int,
    fold: tuple[str, ...],
    depth: int | None,
    detail: bool,
    format: Format | None,
    layout: Layouter,
    out: str,
    at: str,
    seed: int | None,
    **given: Any,
) -> None:
    """Draw the graph of FILE: its values, blocks and loops, and the shapes along its edges.

    A file with mistakes is drawn as far as it is known, with their places marked.
    """
    from graphc.checking.point import Start
    from graphc.cli.arrays import arrays_of
    from graphc.compile.stages import Compilation, Options
    from graphc.syntax.parse.parser import read_source
    from graphc.views.draw.asked import NoSuchPart, Wanted, part_of
    from graphc.views.draw.depict import picture_of
    from graphc.views.draw.drawing import drawn
    from graphc.views.draw.graphviz import NoGraphviz
    from graphc.views.draw.mistaken import picture_of_known
    from graphc.views.numbers.looking import look
    from graphc.views.numbers.picturing import with_numbers

    options = Options(**given)
    kind = format or format_said_by(out, ENDINGS, "svg")
    try:
        compilation = Compilation(read_source(*read_bytes(file)), options, folder_of(file))
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise Exit(1) from None
    mistakes: Sequence[Diagnostic] = ()
    try:
        picture = picture_of(compilation, detail)
    except GraphError as wrong:
        mistakes = wrong.diagnostics
        picture = picture_of_known(compilation, detail)
    try:
        picture = part_of(picture, Wanted(direction, focus, near, fold, depth))
    except NoSuchPart as wrong:
        raise click.BadParameter(str(wrong), param_hint=f"--{wrong.option}") from None
    try:
        if not mistakes and (at or seed is not None):
            numbers = look(compilation, Start(seed or 0, arrays_of(at) if at else None))
            picture = with_numbers(picture, numbers, direction == "backward")
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise Exit(1) from None
    try:
        text = drawn(picture, kind, layout)
    except NoGraphviz as wrong:
        raise fail(str(wrong)) from None
    if out in ("", STANDARD):
        click.echo(text, nl=False)
    else:
        replace(Path(out), text)
    if mistakes:
        print_diagnostics(mistakes)
        raise Exit(1)
