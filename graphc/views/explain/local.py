"""One step by itself: its formula, its Jacobians, and what it pulls back and pushes forward."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from graphc.ad.forward import pushforward
from graphc.ad.reverse import pullback
from graphc.ir.graph import Graph, Node, arguments_first, with_args
from graphc.ir.loop import bound
from graphc.ir.rebuild import rebuild
from graphc.ir.results import result_number
from graphc.ir.types import Mismatch
from graphc.ops.reduce.reduction import logsumexp, slope_of_logsumexp, softmax
from graphc.optimise.passes import simplify
from graphc.records import dataclass
from graphc.views.explain.expression import Expression
from graphc.views.explain.jacobians import Jacobian, along
from graphc.views.explain.writing import write_formula


@dataclass(frozen=True, slots=True)
class Local:
    """What a step does with the steps below it, as formulas in the shape of arrays.

    `pulled` are the terms that flow back to each, `pushed` those of its tangent, by step below;
    both by the symbols of an adjoint and of tangents that were given.
    """

    value: Expression
    jacobians: Mapping[Node, Jacobian]
    pulled: Mapping[Node, Expression]
    pushed: Mapping[Node, Expression]


def local(
    node: Node,
    parents: Sequence[Node],
    active: Collection[Node],
    symbols: Mapping[Node, Expression],
    adjoint: Expression,
    tangents: Mapping[Node, Expression],
) -> Local:
    """Derive a step in terms of the steps below it, as if these were given.

    `adjoint` is the derivative by the step, `tangents` are those of the steps below; what moves
    with what is asked for is `active`.
    """
    places = {parent: bound("place", parent.type) for parent in parents}
    alone = rebuild([node], with_args, places)[node]
    itself = bound("itself", node.type)
    known = {place: symbols[parent] for parent, place in places.items()} | {itself: symbols[node]}
    value = write_formula(alone, known)
    moving = [parent for parent in parents if parent in active]
    if not moving or node not in active:
        return Local(value, {}, {}, {})
    as_symbol = {} if alone in known else {alone: itself, **_by_name(alone)}

    def write(one: Node) -> Expression:
        return write_formula(_plain(rebuild([one], with_args, as_symbol)[one]), known)

    cotangent = bound("cotangent", node.type)
    known[cotangent] = adjoint
    flown = pullback([(alone, cotangent)], [places[parent] for parent in moving])
    pulled = {
        parent: write(flown[places[parent]].value)
        for parent in moving
        if places[parent] in flown and alone is not places[parent]
    }
    directions = {places[parent]: bound("tangent", parent.type) for parent in pulled}
    known |= {directions[places[parent]]: tangents[parent] for parent in pulled}
    pushed = {}
    for parent in pulled:
        place = places[parent]
        try:
            moved = pushforward({place: directions[place]}, [alone]).get(alone)
        except Mismatch:
            continue  # a surrogate has no forward derivative
        if moved is not None:
            pushed[parent] = write(moved)
    jacobians = {parent: along(alone, places[parent], write) for parent in pulled}
    return Local(value, jacobians, pulled, pushed)


def _by_name(root: Node) -> dict[Node, Node]:
    """Name what derivatives are written with, as the function that it is.

    So the slope of a logsumexp is a softmax.

    So the slope of a logsumexp is a softmax.
    """
    found = {}
    for node in arguments_first([root]):
        if node.op is logsumexp:
            (x,), axis = node.args, node.attrs["axis"]
            axes = tuple(range(x.rank)) if axis is None else axis
            found[slope_of_logsumexp(x, axis)] = softmax(x, axis=axes)
    return found


def _plain(node: Node) -> Node:
    """Remove from a node what leaves no trace in a formula, such as a product with 1."""
    return simplify(Graph("", {result_number(0): node}, {})).results[result_number(0)]
