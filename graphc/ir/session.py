"""What surrounds a compilation: interned nodes, no waiting for garbage, limits as errors."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from graphc.ir.graph import building
from graphc.limits import Exceeded
from graphc.source import GraphError, error


@contextmanager
def compilation() -> Iterator[None]:
    """Inside, nodes are interned, and passing a limit is a GraphError.

    Cyclic garbage waits: a compilation keeps nearly all that it makes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        with building():
            yield
    except Exceeded as much:
        wrong = error("E503", much.message, much.span, help=much.help)
        raise GraphError([wrong]) from None
    finally:
        if enabled:
            gc.enable()
