"""Doc strings where they describe nothing."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.source import Diagnostic, error
from graphc.syntax import tree


def misplaced_docs(statements: Sequence[tree.Statement]) -> list[Diagnostic]:
    """Report the doc strings that stand anywhere but first in a file or a block."""
    found = []
    pending = [(statements, True)]
    while pending:
        body, described = pending.pop()
        for number, statement in enumerate(body):
            if isinstance(statement, tree.Doc) and not (described and number == 0):
                message = "a doc string stands first in a file or a block, or ends a declaration"
                remedy = "put it on the line of what it describes, or make it a comment: `# …`"
                found.append(error("E101", message, statement.span, help=remedy))
            elif isinstance(statement, tree.Block):
                pending.append((statement.body, True))
            elif isinstance(statement, tree.Repeat | tree.Scan):
                pending.append((statement.body, False))
            elif isinstance(statement, tree.If):
                pending += [(statement.body, False), (statement.orelse, False)]
    return found
