"""`graphc help`: the documentation that comes with graphc, by page, heading, command, operation."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from graphc.cli.command import command
from graphc.cli.options import fail
from graphc.resources import docs_folder
from graphc.source import did_you_mean

HEADING = re.compile(r"(#+) (.*)")


@command("help", "graphc help", "graphc help language", "graphc help scan", "graphc help chains")
@click.argument(
    "topic",
    metavar="[TOPIC]",
    default="",
    help="A page, a heading in one, a command, or an operation.",
)
def help_(topic: str) -> None:
    """Show the documentation: what pages there are, one of them, or what stands below a heading."""
    pages = {path.stem: path for path in sorted(docs_folder().glob("*.md"))}
    if not topic:
        for name, path in pages.items():
            title = path.read_text(encoding="utf-8").partition("\n")[0]
            click.echo(f"{name:14}{title.lstrip('# ')}")
        click.echo("\n`graphc help NAME` shows one; a heading of any will do, too.")
        click.echo("So will a command, or an operation; `graphc ops` lists these.")
        return
    if topic.lower() in pages:
        _show(pages[topic.lower()].read_text(encoding="utf-8"))
        return
    sections = [one for page in pages.values() for one in _sections(page)]
    words = topic.casefold().strip()
    exactly = [one for one in sections if one[0].casefold() == words]
    within = [one for one in sections if words in one[0].casefold()]
    if not exactly and _elsewhere(topic):
        return
    if not within:
        from graphc.ops import FUNCTIONS

        near = did_you_mean(topic, {*(one[0] for one in sections), *_commands(), *FUNCTIONS})
        raise fail(f"nothing is called `{topic}`{f'; {near}' if near else ''}: see `graphc help`")
    lines = [line for _, page, text in exactly or within for line in (f"({page.stem})", *text)]
    _show("\n".join(lines))


def _show(text: str) -> None:
    if sys.stdout.isatty():
        click.echo_via_pager(text)
    else:
        click.echo(text, nl=not text.endswith("\n"))


def _commands() -> dict[str, click.Command]:
    """Return the commands, by name."""
    context = click.get_current_context().find_root()
    group = context.command
    assert isinstance(group, click.Group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def _elsewhere(topic: str) -> bool:
    """Show what a command or an operation says of itself, where a topic is one."""
    from graphc.ops import FUNCTIONS

    commands, context = _commands(), click.get_current_context()
    if topic in commands:
        about = click.Context(commands[topic], context.parent, topic)
        _show(commands[topic].get_help(about))
        return True
    if topic in FUNCTIONS:
        context.invoke(commands["ops"], name=topic, format="text")
        return True
    return False


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
