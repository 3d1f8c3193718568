"""How diagnostics are shown: to readers, and to the workflows of GitHub."""

from __future__ import annotations

from collections.abc import Iterable

import click

from graphc.source import Diagnostic

COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
KINDS = {"error": "error", "warning": "warning", "note": "notice"}


def print_diagnostics(diagnostics: Iterable[Diagnostic], format: str = "text") -> None:
    """Print diagnostics to standard error: with colour on a terminal, or as annotations."""
    for number, diagnostic in enumerate(diagnostics):
        if format == "github":
            click.echo(annotation(diagnostic), err=True)
            continue
        head, *rest = str(diagnostic).split("\n")
        colour = COLOURS[diagnostic.severity]
        if number:
            click.echo("", err=True)
        click.secho(head, err=True, fg=colour, bold=True)
        for line in rest:
            carets = set(line) <= set(" |^") and "^" in line
            click.secho(line, err=True, fg=colour if carets else None)


def annotation(diagnostic: Diagnostic) -> str:
    """Write a diagnostic as a command to GitHub's runner, which shows it at its line.

    >>> from graphc.source import Source, error
    >>> print(annotation(error("E200", "unknown `z`", Source("a.graph", "z").whole, help="5 %")))
    ::error file=a.graph,line=1,endLine=1,col=1,endColumn=2,title=E200::unknown `z`%0Ahelp: 5 %25
    """
    place: dict[str, object] = {}
    span = diagnostic.span
    if span is not None:
        (line, column), (last, end) = map(span.source.position, (span.start, span.end))
        place = {"file": span.source.name, "line": line, "endLine": last}
        if line == last:  # columns are of one line
            place |= {"col": column, "endColumn": end}
    place["title"] = diagnostic.code
    words = ",".join(
        f"{name}={_escaped(str(value)).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in place.items()
    )
    lines = [diagnostic.message, *(f"{note.kind}: {note.message}" for note in diagnostic.notes)]
    return f"::{KINDS[diagnostic.severity]} {words}::{_escaped(chr(10).join(lines))}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
