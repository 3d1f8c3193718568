"""What the functions of `graphc` are asked about: a graph in any form, and a point of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from graphc.api.compiling import CompiledGraph, source_of
from graphc.api.noting import MADE, Made
from graphc.api.options import canonical, options_of
from graphc.source import Source

if TYPE_CHECKING:
    from graphc.compile.options import Options

Graph = str | os.PathLike[str] | CompiledGraph | ModuleType
"""A file, what was compiled, or a module that was imported here."""


NOTHING: tuple[Any, ...] = ("", (), [], {})
"""Options that say nothing; 0 and False do."""


def point_of(at: Mapping[str, Any] | None, seed: int | None) -> str:
    """Say at which point something is shown."""
    return "the point that was given" if at is not None else f"a point that was drawn (seed {seed})"


def asked_of(graph: Graph, options: Mapping[str, Any]) -> tuple[Source, Path | None, Options]:
    """Return the source of a graph, its folder, and the options.

    What was compiled has its own options where no others are given. Raises TypeError where a module
    does not come from here.
    """
    source, folder, said = said_of(graph, options)
    return source, folder, options_of(said)


def said_of(graph: Graph, options: Mapping[str, Any]) -> tuple[Source, Path | None, dict[str, Any]]:
    """Return the source of a graph, its folder, and the options as JSON can say them."""
    made = _made_of(graph)
    given = {name: value for name, value in options.items() if value not in NOTHING}
    said = canonical({**made.options, **given})
    source = source_of(made.graph) if isinstance(made.graph, Path) else made.graph
    return source, made.folder, said


def _made_of(graph: Graph) -> Made:
    if isinstance(graph, CompiledGraph):
        return Made(graph.source, graph.folder, graph.options)
    if not isinstance(graph, ModuleType):
        return Made(Path(graph), Path(graph).parent, {})
    if graph.__name__ in MADE:
        return MADE[graph.__name__]
    raise TypeError(
        f"graphc did not import the module `{graph.__name__}` itself, by `graphc.load`, the import "
        "hook or a cell: give the path of its graph"
    )
