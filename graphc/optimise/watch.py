"""Watched graphs: each value is handed to a function of the module as soon as it is computed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import count

from graphc.ir.dims import Dim
from graphc.ir.graph import CONSTANT, SOURCES, Graph, Node, Op, arguments_first, intern, with_args
from graphc.ir.kernel import Attr, Call, Rest, X
from graphc.ir.loop import BOUND, LOOP, RESULT, body, everywhere, loop_of
from graphc.ir.mapping import map_graph
from graphc.ir.rebuild import rebuild
from graphc.ir.verify import verified
from graphc.ops.shape.shaping import full_array

WATCHED = Op(
    "watched",
    lambda value, *operands, **attrs: value,
    Call("watched", X, Attr("number"), Rest(1), Attr("steps")),
    lambda ct, node: (),
    "general",
    lambda node: Dim.of(0),
)
"""A value, after a look at it; the further arguments are what it was computed from."""

_GIVEN = (*SOURCES, CONSTANT, BOUND, LOOP, RESULT, full_array)


def watch_all(graphs: Iterable[Graph], also: Collection[Node] = ()) -> Iterator[Graph]:
    """Watch graphs one after the other: each value that is looked at in any has its own number."""
    first = 0
    for graph in graphs:
        looked = watch(graph, first, also)
        numbers = (
            n.attrs["number"] for n in everywhere(looked.results.values()) if n.op is WATCHED
        )
        first = max(numbers, default=first - 1) + 1
        yield looked


@verified
def watch(graph: Graph, first: int, also: Collection[Node] = ()) -> Graph:
    """Look at all floats that a graph computes, numbered from `first` on.

    Views compute nothing, and numbers that depend on dims alone are Python's; those of them that
    are to be looked at all the same are in `also`.
    """
    around = dict(_steps(graph.results.values()))
    numbers = count(first)

    def seen(node: Node, args: tuple[Node, ...]) -> Node:
        value = with_args(node, args)
        given = node.static or node.op in _GIVEN or node.op.view_of is not None
        if (given or node.type.dtype != "float") and node not in also:
            return value
        steps = tuple(map(Dim.symbol, around.get(node, ())))
        return intern(WATCHED, (value, *args), {"number": next(numbers), "steps": steps}, node.type)

    return map_graph(graph, rebuild(graph.results.values(), seen))


def _steps(results: Iterable[Node]) -> Iterator[tuple[Node, tuple[str, ...]]]:
    """Yield every node with the indices of the loops around it, the outermost first."""
    pending: list[tuple[Node, tuple[str, ...]]] = [(node, ()) for node in arguments_first(results)]
    while pending:
        node, around = pending.pop()
        yield node, around
        if node.op is LOOP:
            loop = loop_of(node)
            pending += [(inner, (*around, loop.index)) for inner in body(loop)]
