"""The session that the stages of one compilation share: interned nodes, facts, limits as errors."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy

from graphc.ir.facts import Facts
from graphc.ir.graph import Table, table
from graphc.ir.types import assuming, known_facts
from graphc.limits import Exceeded
from graphc.source import GraphError, error


class Session:
    """The nodes of one compilation, and what is known of its dims from one stage to the next."""

    def __init__(self) -> None:
        self._table = Table()
        self._facts = Facts.empty

    def fork(self) -> Session:
        """Return a session that goes on from here, as another does, with nodes of its own."""
        made = Session()
        made._table = Table(dict(self._table.nodes), numbers=copy(self._table.numbers))
        made._facts = self._facts
        return made

    def forget(self) -> None:
        """Let go of nodes that no stage holds, and of memos."""
        self._table.forget()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Intern nodes in this session inside, where passing a limit is a GraphError.

        Cyclic garbage waits: a compilation keeps nearly all that it makes.
        """
        if table.get(None) is self._table:
            yield
            return
        token = table.set(self._table)
        enabled = gc.isenabled()
        gc.disable()
        try:
            with assuming(self._facts):
                yield
                self._facts = known_facts()
        except Exceeded as much:
            wrong = error("E503", much.message, much.span, help=much.help)
            raise GraphError([wrong]) from None
        finally:
            table.reset(token)
            if enabled:
                gc.enable()
