"""`graphc completion`: what makes a shell complete commands, options, their words and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from graphc.cli.command import Words, command

VARIABLE = "_GRAPHC_COMPLETE"  # a shell sets it to ask the command line, which looks for it


@command(
    "completion",
    'eval "$(graphc completion bash)"   # in ~/.bashrc',
    'eval "$(graphc completion zsh)"    # in ~/.zshrc',
    "graphc completion fish > ~/.config/fish/completions/graphc.fish",
)
@click.argument("shell", metavar="SHELL", type=Words("bash", "zsh", "fish"), help="Of which shell.")
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script by which a shell completes what follows `graphc`."""
    known = get_completion_class(shell)
    assert known is not None
    click.echo(known(context.find_root().command, {}, "graphc", VARIABLE).source())
