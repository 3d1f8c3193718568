"""`graphc help`: the documentation that comes with graphc, by page and by heading."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from graphc.cli.command import command
from graphc.cli.options import fail
from graphc.resources import docs_folder
from graphc.source import did_you_mean

HEADING = re.compile(r"(#+) (.*)")


@command("help", "graphc help", "graphc help language", "graphc help scan", "graphc help chains")
@click.argument("topic", metavar="[TOPIC]", default="", help="A page, or a heading in one.")
def help_(topic: str) -> None:
    """Show the documentation: what pages there are, one of them, or what stands below a heading."""
    pages = {path.stem: path for path in sorted(docs_folder().glob("*.md"))}
    if not topic:
        for name, path in pages.items():
            title = path.read_text(encoding="utf-8").partition("\n")[0]
            click.echo(f"{name:14}{title.lstrip('# ')}")
        click.echo("\n`graphc help NAME` shows one; a heading of any will do, too.")
        click.echo("Of an operation: `graphc ops NAME`. Of a command: `graphc COMMAND --help`.")
        return
    if topic.lower() in pages:
        text = pages[topic.lower()].read_text(encoding="utf-8")
    else:
        text = "\n".join(_below(pages.values(), topic))
    if sys.stdout.isatty():
        click.echo_via_pager(text)
    else:
        click.echo(text, nl=not text.endswith("\n"))


def _below(pages: Iterable[Path], topic: str) -> Iterator[str]:
    """Yield the lines below the headings that a topic is, else below those that it is part of."""
    sections = [one for page in pages for one in _sections(page)]
    words = topic.casefold().strip()
    found = [one for one in sections if one[0].casefold() == words]
    found = found or [one for one in sections if words in one[0].casefold()]
    if not found:
        near = did_you_mean(topic, {one[0] for one in sections})
        raise fail(f"nothing is called `{topic}`{f'; {near}' if near else ''}: see `graphc help`")
    for _, page, lines in found:
        yield f"({page.stem})"
        yield from lines


def _sections(page: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """Yield the headings of a page, each with its lines and those of the headings below it."""
    lines = page.read_text(encoding="utf-8").split("\n")
    heads: list[tuple[int, int, str]] = []
    inside = False
    for number, line in enumerate(lines):
        inside ^= line.startswith("```")
        found = None if inside else HEADING.fullmatch(line)
        if found:
            heads.append((number, len(found[1]), found[2].replace("`", "")))
    for at, (number, depth, title) in enumerate(heads):
        later = (start for start, other, _ in heads[at + 1 :] if other <= depth)
        yield title, page, lines[number : next(later, len(lines))]
