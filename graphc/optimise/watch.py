"""Watched graphs: each value is handed to a function of the module as soon as it is computed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
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


def watch_all(graphs: Iterable[Graph]) -> Iterator[Graph]:
    """Watch graphs one after the other: each value that is looked at in any has its own number."""
    graphs = tuple(graphs)
    first = max(map(_numbered, graphs), default=0)
    for graph in graphs:
        looked = watch(graph, first)
        first = max(first, _numbered(looked))
        yield looked


def _numbered(graph: Graph) -> int:
    """Return how many numbers the looks of a graph take."""
    looks = (node for node in everywhere(graph.results.values()) if node.op is WATCHED)
    return max((node.attrs["number"] + 1 for node in looks), default=0)


@verified
def watch(graph: Graph, first: int) -> Graph:
    """Look at all floats that a graph computes, numbered from `first` on.

    Views compute nothing, and numbers that depend on dims alone are Python's. What is looked at
    already stays so.
    """
    nodes = everywhere(graph.results.values())
    done = {one for node in nodes if node.op is WATCHED for one in (node, node.args[0])}

    def is_computed(node: Node) -> bool:
        given = node.static or node.op in _GIVEN or node.op.view_of is not None
        return node.type.dtype == "float" and not given and node not in done

    return _watch(graph, first, is_computed)


@verified
def watch_steps(graph: Graph, chosen: Collection[Node]) -> Graph:
    """Look at these nodes in the steps of loops, at what the loops bind, too: numbered from 0."""
    return _watch(graph, 0, lambda node: node in chosen)


def _watch(graph: Graph, first: int, chosen: Callable[[Node], bool]) -> Graph:
    around = dict(_steps(graph.results.values()))
    numbers = count(first)

    def look(node: Node, value: Node, args: tuple[Node, ...]) -> Node:
        steps = tuple(map(Dim.symbol, around.get(node, ())))
        return intern(WATCHED, (value, *args), {"number": next(numbers), "steps": steps}, node.type)

    def seen(node: Node, args: tuple[Node, ...]) -> Node:
        value = with_args(node, args)
        return look(node, value, args) if chosen(node) and node.op is not BOUND else value

    def read(node: Node, value: Node) -> Node:
        return look(node, value, ()) if chosen(node) else value

    return map_graph(graph, rebuild(graph.results.values(), seen, read=read))


def _steps(results: Iterable[Node]) -> Iterator[tuple[Node, tuple[str, ...]]]:
    """Yield every node with the indices of the loops around it, the outermost first."""
    pending: list[tuple[Node, tuple[str, ...]]] = [(node, ()) for node in arguments_first(results)]
    while pending:
        node, around = pending.pop()
        yield node, around
        if node.op is LOOP:
            loop = loop_of(node)
            pending += [(inner, (*around, loop.index)) for inner in (*loop.bound, *body(loop))]
