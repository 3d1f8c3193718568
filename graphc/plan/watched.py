"""Watched graphs -> programs that look at each value: what `trace` walks through."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from graphc.ir.graph import COTANGENT, TANGENT, Graph, Node
from graphc.ir.loop import everywhere
from graphc.names import Identifiers, flat
from graphc.plan.lower import plan
from graphc.plan.naming import Measure, indices
from graphc.plan.program import Program


def lower_watched(
    graphs: Iterable[Graph], sources: Mapping[Node, str], taken: Collection[str], measure: Measure
) -> tuple[Program, ...]:
    """Plan watched graphs on these inputs and parameters."""
    programs: list[Program] = []
    for looked in graphs:
        nodes = everywhere(looked.results.values())
        reserved = {*taken, *indices(looked.results.values())}
        scope = Identifiers({*reserved, *sources.values()})
        seeds = [node for node in nodes if node.op in (COTANGENT, TANGENT)]
        given = {node: scope.fresh(f"seed_{flat(node.attrs['name'])}") for node in seeds}
        programs.append(plan(looked, given | dict(sources), measure, taken=reserved))
    return tuple(programs)
