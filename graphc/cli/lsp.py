"""`graphc lsp`: the language server, which an editor starts."""

from __future__ import annotations

from importlib.util import find_spec

from graphc.cli.command import command
from graphc.cli.options import fail


@command("lsp", "graphc lsp")
def lsp() -> None:
    """Serve an editor on standard input and output, by the Language Server Protocol.

    It needs what `pip install 'graphc[lsp]'` brings.
    """
    if find_spec("pygls") is None:
        raise fail("the language server needs pygls: pip install 'graphc[lsp]'")
    from graphc.editor.server import serve

    serve()
