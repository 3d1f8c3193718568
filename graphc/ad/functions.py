"""The graphs of the functions that a module offers: forward and backward, and what is derived."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from graphc.ad.request import Request
from graphc.ad.reverse import pullback
from graphc.ir.graph import (
    COTANGENT,
    INPUT,
    PARAMETER,
    SOURCES,
    TANGENT,
    Adjoint,
    Graph,
    Node,
    as_node,
    source,
    uses,
    with_args,
)
from graphc.ir.loop import LOOP, RESULT
from graphc.ir.rebuild import rebuild
from graphc.ir.results import ResultKey, Role, gradient_by, value_of
from graphc.ir.verify import verified, verifying
from graphc.kinds import BACKWARD, FORWARD
from graphc.ops.elementwise.python_floats import to_number
from graphc.ops.shape.members import family_of
from graphc.ops.shape.shaping import filled
from graphc.records import dataclass, replace


@dataclass(frozen=True, slots=True)
class CutGraph:
    """Forward and backward as two graphs; `cached` are the nodes that backward reads of forward."""

    forward: Graph
    backward: Graph
    cached: tuple[Node, ...]


@verified
def value(asked: Request) -> Graph:
    """Build the graph of the outputs alone."""
    return Graph(asked.name, values(asked.outputs), asked.names)


@verified
def gradient(asked: Request) -> Graph:
    """Build the gradients of a scalar output by path, perhaps with its value first."""
    return _pull_back(asked, [(asked.output[1], as_node(1.0))])


@verified
def products(asked: Request) -> Graph:
    """Build the outputs, and their cotangents (new sources, by output) pulled back to the paths."""
    outputs = asked.outputs.items()
    return _pull_back(asked, [(node, source(COTANGENT, name, node.type)) for name, node in outputs])


def _pull_back(asked: Request, seeds: Sequence[tuple[Node, Node]]) -> Graph:
    """Build the graph that pulls cotangents of outputs back to the paths."""
    adjoints = pullback(seeds, [family_of(node) for node in asked.wrt.values()])
    results = values(asked.outputs if asked.with_values else {})
    results |= {gradient_by(path): adjoint_of(adjoints, node) for path, node in asked.wrt.items()}
    texts = labels(adjoints.values(), asked.names)
    return Graph(asked.name, results, asked.names, tuple(adjoints.values()), texts)


@verified
def build_halves(
    outputs: Mapping[str, Node],
    of: Collection[str],
    wrt: Mapping[str, Node],
    names: Mapping[Node, str],
) -> Graph:
    """Build both halves of reverse mode: outputs, and gradients for cotangents `of` these."""
    seeds = [(outputs[name], source(COTANGENT, name, outputs[name].type)) for name in of]
    adjoints = pullback(seeds, [family_of(node) for node in wrt.values()])
    results = values(outputs)
    results |= {gradient_by(path): adjoint_of(adjoints, node) for path, node in wrt.items()}
    texts = labels(adjoints.values(), names)
    return Graph("", results, names, tuple(adjoints.values()), texts, Role.HALVES)


@verified
def perturb(
    outputs: Mapping[str, Node], nodes: Mapping[str, Node], names: Mapping[Node, str]
) -> Graph:
    """Build the outputs with a new source added to each of these nodes: its perturbation."""
    paths = {node: path for path, node in nodes.items()}

    def add_source(node: Node, args: tuple[Node, ...]) -> Node:
        value = with_args(node, args)
        return value + source(TANGENT, paths[node], node.type) if node in paths else value

    new = rebuild(outputs.values(), add_source)
    called = {new[node]: name for node, name in names.items() if node in new}
    return Graph("moved", values({name: new[node] for name, node in outputs.items()}), called)


def values(outputs: Mapping[str, Node]) -> dict[ResultKey, Node]:
    """Key outputs as results."""
    return {value_of(name): node for name, node in outputs.items()}


def _halves(split: CutGraph) -> tuple[Graph, Graph]:
    return split.forward, split.backward


@verifying(_halves)
def cut(graph: Graph, fast: bool = False) -> CutGraph:
    """Split a graph in two halves: forward has what the outputs need.

    Backward computes the rest from the cotangents and from those forward nodes that it reads,
    which are cached. A `fast` module computes what depends on the dims alone once for each half.
    """
    outputs = {key: node for key, node in graph.results.items() if key.kind == "value"}
    rest = {key: node for key, node in graph.results.items() if key not in outputs}
    forward = Graph(FORWARD.name, outputs, graph.names, role=Role.FORWARD)
    backward = replace(graph, name=BACKWARD.name, results=rest, role=Role.BACKWARD)
    made = set(_depending_on_sources(forward) if fast else uses(forward.results.values()))
    return CutGraph(forward, backward, _residuals(backward, made))


def adjoint_of(adjoints: Mapping[Node, Adjoint], node: Node) -> Node:
    whole = family_of(node)
    found = adjoints.get(whole)
    if found is None:
        return filled(0.0, node.shape)
    return found.value if whole is node else with_args(node, (found.value,))


def labels(adjoints: Iterable[Adjoint], names: Mapping[Node, str]) -> dict[Node, str]:
    """Name each differentiated node, else by the named node that it is a part of."""
    found: dict[Node, str] = {}
    for adjoint in adjoints:
        for term in adjoint.terms:
            if term.child is not None and term.child.op is LOOP:
                found[term.child] = f"the loop over {term.child.attrs['loop'].index}"
        children = [found[term.child] for term in adjoint.terms if term.child in found]
        found[adjoint.of] = names.get(adjoint.of) or (children[0] if children else "the output")
    return found


def _depending_on_sources(graph: Graph) -> Iterator[Node]:
    """Yield the nodes of a graph that depend on its sources, and its loops."""
    found: set[Node] = set()
    for node in graph.nodes:
        if node.op in (*SOURCES, LOOP) or any(arg in found for arg in node.args):
            found.add(node)
            yield node


def _residuals(backward: Graph, forward: set[Node]) -> tuple[Node, ...]:
    """Return the residuals: the forward nodes that backward reads, by index.

    Numbers, constant arrays and views cost little: backward makes them again.
    """
    read: set[Node] = set()
    seen: set[Node] = set()
    pending = list(backward.results.values())
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        made = node in forward or (node.op is RESULT and node.args[0] in forward)
        costs = bool(node.args) and not node.static and node.op.view_of is None
        computed = made and costs and node.op is not to_number
        if computed or node.op in (INPUT, PARAMETER):
            read.add(node)
        else:
            pending.extend(node.args)
    return tuple(sorted(read, key=lambda node: node.index))
