"""`graphc explain`: the derivation of a graph: its Jacobians, the chain rule, and the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from graphc.cli.options import (
    CONST,
    DIM,
    DTYPE,
    check_dtype,
    folder_of,
    parse_dims,
    parse_pairs,
    print_diagnostics,
    read_bytes,
)
from graphc.cli.write import replace
from graphc.source import GraphError, did_you_mean

if TYPE_CHECKING:
    from graphc.compile.stages import Compilation
    from graphc.views.explain.derivation import Layout
    from graphc.views.explain.document import Document

Word = TypeVar("Word", bound=str)

LAYOUTS: tuple[Layout, ...] = ("numerator", "denominator")
MODES = ("reverse", "forward", "both")
LEVELS = {"sentence": 1, "formulas": 2, "reasons": 3, "everything": 4}
FORMATS = ("text", "markdown", "latex", "html")
ENDINGS = {".md": "markdown", ".tex": "latex", ".html": "html", ".htm": "html"}


def explain(
    file: str = typer.Argument(..., metavar="FILE", help="The .graph file; - is standard input."),
    node: str = typer.Option("", "--node", metavar="NAME", help="This value alone."),
    layout: str = typer.Option(
        "denominator", "--layout", metavar="LAYOUT", help="numerator or denominator, throughout."
    ),
    mode: str = typer.Option("reverse", "--mode", metavar="MODE", help="reverse, forward or both."),
    level: str = typer.Option(
        "reasons",
        "--level",
        metavar="LEVEL",
        help="1 or sentence, 2 or formulas, 3 or reasons, 4 or everything.",
    ),
    format: str = typer.Option(
        "",
        "--format",
        metavar="FORMAT",
        help="text, markdown, latex or html. Default: as OUT ends.",
    ),
    out: str = typer.Option("", "-o", metavar="OUT", help="Write to this file."),
    dim: list[str] = DIM,
    const: list[str] = CONST,
    dtype: str = DTYPE,
) -> None:
    """Tell how the derivatives of FILE come about: Jacobians, the chain rule, forms, reasons.

    Example: graphc explain examples/net321.graph --node h --layout numerator
    """
    from graphc.compile.stages import Compilation, Options
    from graphc.syntax.parse.parser import read_source

    chosen = _one_of(layout, LAYOUTS, "--layout")
    kind = _one_of(format, FORMATS, "--format") if format else _by_ending(out)
    asked = _level(level), _one_of(mode, MODES, "--mode"), node
    options = Options(parse_dims(dim), parse_pairs(const, "--const"), check_dtype(dtype))
    try:
        compilation = Compilation(read_source(*read_bytes(file)), options, folder_of(file))
        told = _told(compilation, chosen, *asked)
    except GraphError as wrong:
        print_diagnostics(wrong.diagnostics)
        raise typer.Exit(1) from None
    text = printed(told, kind)
    if out:
        replace(Path(out), text)
    else:
        typer.echo(text, nl=False)


def _told(compilation: Compilation, layout: Layout, level: int, mode: str, node: str) -> Document:
    """Build the document of a graph, or of one of its values."""
    from graphc.views.explain.explained import Unknown, crowded, explained
    from graphc.views.explain.telling import crowd, document
    from graphc.views.explain.wanted import EVERYTHING, Wanted

    if not node and crowded(compilation):
        names = list(dict.fromkeys(compilation.stated.names.values()))
        return crowd(compilation.stated.name, names[::-1])
    try:
        found = explained(compilation, layout, level == EVERYTHING, node)
    except Unknown as unknown:
        near = did_you_mean(node, unknown.names)
        why = f"no value `{node}`"
        raise typer.BadParameter(f"{why}; {near}" if near else why, param_hint="--node") from None
    return document(found, Wanted(level, mode, node))


def printed(told: Document, kind: str) -> str:
    """Print a document in a format."""
    from rich.console import Console

    from graphc.views.explain.html import page
    from graphc.views.explain.latex import paper
    from graphc.views.explain.markdown import markdown
    from graphc.views.explain.plain import WIDTH, plain

    if kind == "text":
        console = Console()
        return plain(told, max(40, console.width) if console.is_terminal else WIDTH)
    return {"markdown": markdown, "latex": paper, "html": page}[kind](told)


def _one_of(given: str, words: Sequence[Word], option: str) -> Word:
    for word in words:
        if word == given:
            return word
    near = did_you_mean(given, words)
    why = f"`{given}` is not {', '.join(words[:-1])} or {words[-1]}"
    raise typer.BadParameter(f"{why}; {near}" if near else why, param_hint=option)


def _by_ending(out: str) -> str:
    return ENDINGS.get(Path(out).suffix, "text")


def _level(given: str) -> int:
    if given in LEVELS:
        return LEVELS[given]
    if given in map(str, LEVELS.values()):
        return int(given)
    words = ", ".join(f"{number} ({word})" for word, number in LEVELS.items())
    raise typer.BadParameter(
        f"there is no level `{given}`; there are {words}", param_hint="--level"
    )
