"""J_θ f as a row of blocks: for each path the products of Jacobians along all ways to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphc.ir.graph import PARAMETER, Node
from graphc.views.explain.derivation import Block, Edge
from graphc.views.explain.expression import Expression, derivative
from graphc.views.explain.setting import Region, Setting
from graphc.views.explain.stations import children_of, reached

MOST_WAYS = 4
"""Ways from an output to a path that are written out."""
LONGEST = 12
"""Factors of one."""


def blocks(
    setting: Setting, outputs: Iterable[Node], paths: Iterable[Node], found: Region
) -> tuple[Block, ...]:
    """Return a block for each output and each path that it depends on."""
    made = []
    paths = list(dict.fromkeys(paths))
    for output in outputs:
        below = reached(output, found.edges)
        for path in paths:
            if path not in below or path is output:
                continue
            ways, more = _ways(output, path, found.edges)
            rows, columns = output.type.size, path.type.size
            shape = (rows, columns) if setting.layout == "numerator" else (columns, rows)
            of, by = found.symbols[output], found.symbols[path]
            turned = setting.layout == "denominator"
            made.append(
                Block(
                    derivative("total", of, by, shape),
                    path.op is PARAMETER,
                    tuple(tuple(reversed(way)) if turned else way for way in ways),
                    more,
                )
            )
    return tuple(made)


def _ways(
    output: Node, path: Node, edges: Mapping[Node, Mapping[Node, Edge]]
) -> tuple[list[tuple[Expression, ...]], bool]:
    """Return the ways down from an output to a path, as Jacobians; and if there are more."""
    reaching = reached(path, children_of(edges))
    found: list[tuple[Expression, ...]] = []
    pending: list[tuple[Node, tuple[Expression, ...]]] = [(output, ())]
    while pending:
        node, way = pending.pop()
        if node is path:
            found.append(way)
            if len(found) > MOST_WAYS:
                return found[:MOST_WAYS], True
            continue
        if len(way) > LONGEST:
            return found, True
        pending.extend(
            (parent, (*way, edge.symbol))
            for parent, edge in edges.get(node, {}).items()
            if parent in reaching
        )
    return found, False
