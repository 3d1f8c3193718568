"""Commands: what each must say of itself, and parameters of few words, checked and completed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from graphc.source import did_you_mean

CommandFunction = Callable[..., None]


class Command(click.Command):
    """A command with examples below its help."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **others: Any) -> None:
        super().__init__(*args, **others)
        self.examples = tuple(examples)

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return the first sentence of the help, whole."""
        return super().get_short_help_str(limit=len(self.help or ""))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")


def command(name: str, *examples: str) -> Callable[[CommandFunction], Command]:
    """Return a decorator that makes a command of this name; its help is the docstring."""
    return click.command(name, cls=Command, examples=examples)


class Commands(click.Group):
    """Commands that are imported when they are called; `places` tells where each is."""

    def __init__(self, *args: Any, places: Mapping[str, str], **others: Any) -> None:
        super().__init__(*args, **others)
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.places]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.places:
            return None
        module, _, name = self.places[cmd_name].partition(":")
        found = getattr(import_module(module), name)
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called; of a file say what can be done with it."""
        name = args[0]
        if name not in self.places and not name.startswith("-"):
            near = did_you_mean(name, self.places)
            if name.endswith(".graph"):
                near = f"to compile a file: `graphc compile {name}`"
            ctx.fail(f"there is no command `{name}`; {near or '`graphc --help` lists them'}")
        return super().resolve_command(ctx, args)


class Words(click.ParamType[str]):
    """One of a few words; shells complete them."""

    name = "word"

    def __init__(self, *words: str) -> None:
        self.words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in self.words:
            return str(value)
        *others, last = self.words
        near = did_you_mean(str(value), self.words)
        why = f"`{value}` is not {', '.join(others)} or {last}"
        self.fail(f"{why}; {near}" if near else why, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(word) for word in self.words if word.startswith(incomplete)]


class File(click.ParamType[str]):
    """A path, which shells complete; what cannot be read is told when it is read."""

    name = "file"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


class Converted(click.ParamType[Any]):
    """What a function makes of a text; a ValueError tells the user what is wrong with it."""

    name = "text"

    def __init__(self, check: Callable[[str], Any]) -> None:
        self.check = check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.check(value) if isinstance(value, str) else value
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)
