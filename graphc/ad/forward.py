"""Forward mode: tangents of chosen nodes -> the tangents of what depends on them, as a graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from graphc.ad.custom import push_rule
from graphc.ad.forward_loops import push_loop
from graphc.ad.holding import release_holds
from graphc.ad.reverse import fit_cotangent, float_descendants, pullback, value_apart
from graphc.ir.graph import Node, stamped, uses
from graphc.ir.loop import LOOP, RESULT, RULED, STEPS, bound
from graphc.ir.order import topological
from graphc.ir.types import same_shape
from graphc.ops.elementwise.arithmetic import total
from graphc.ops.shape.shaping import broadcast_to


def pushforward(
    seeds: Mapping[Node, Node],
    results: Iterable[Node],
    given: Collection[Node] = (),
    moving: dict[Node, Node] | None = None,
    *,
    apart: bool = False,
) -> dict[Node, Node]:
    """Build the tangent of every node between the seeds and the results, in topological order.

    A seed is a node with its tangent. In topological order,

        tangent(x_j) = Σ over arguments i of (∂x_j/∂x_i) tangent(x_i)

    (Griewank and Walther 2008, §3.1), to which a seed of x_j itself is added: derivatives are
    total. A node that no seed reaches, or only through what has no derivative, is left out: its
    tangent is zero. What is `given` is not looked behind. `moving` are the tangents in loops: two
    loops that take the same steps carry the same tangents, and so become one. Where what is
    built may be differentiated by nodes between, rules are kept `apart`, as by `pullback`.
    """
    moving = {} if moving is None else moving
    results = list(results)
    active = float_descendants(uses(results, given=set(given)), seeds)
    tangents: dict[Node, Node] = {}
    pushed: dict[Node, Sequence[Node | None]] = {}
    for node in topological(results, set(given)):
        if node not in active:
            continue
        with stamped(node.origin):
            if node.op is LOOP:
                known = {arg: tangents[arg] for arg in node.args if arg in tangents}
                pushed[node] = push_loop(node, known, moving, pushforward)
                continue
            terms = [seeds[node]] if node in seeds else []
            if node not in given:
                terms += _push(node, tangents, pushed, apart)
            if terms:
                tangents[node] = total([_stretch(term, node) for term in terms])
    if any(node.op is RULED for node in active):
        new = release_holds(tangents.values())
        tangents = {node: new.get(tangent, tangent) for node, tangent in tangents.items()}
    return tangents


def _push(
    node: Node,
    tangents: Mapping[Node, Node],
    loops: Mapping[Node, Sequence[Node | None]],
    apart: bool,
) -> list[Node]:
    """Return the terms of a node's tangent that come from its arguments."""
    if node.op is RESULT:
        number = node.attrs["number"]
        found = loops.get(node.args[0], ())
        term = None if number == STEPS or not found else found[number]
        return [] if term is None else [term]
    moving = [tangents.get(arg) for arg in node.args]
    if not any(moving):
        return []
    node = value_apart(node) if apart else node
    if node.op is RULED:
        return push_rule(moving, node, pullback)
    if node.op.jvp is None:
        return [_transpose(node, moving)]
    return list(node.op.jvp(moving, node))


def _transpose(node: Node, tangents: Sequence[Node | None]) -> Node:
    """Return ∂node · tangents by the pullback alone: it is pulled back itself.

    The pullback c ↦ Jᵀc is linear in its cotangent c, so its own pullback by c at the tangents is
    J · tangents, and does not contain c any more (Townsend 2017, "A new trick for calculating
    Jacobian vector products").
    """
    cotangent = bound("cotangent", node.type)
    pulled = node.op.vjp(cotangent, node)
    seeds = [
        (fit_cotangent(value, arg), tangent)
        for arg, value, tangent in zip(node.args, pulled, tangents, strict=True)
        if value is not None and tangent is not None
    ]
    adjoints = pullback(seeds, [cotangent], given={node, *node.args})
    if cotangent in adjoints:
        return adjoints[cotangent].value
    return broadcast_to(0.0, shape=node.shape)


def _stretch(term: Node, node: Node) -> Node:
    """Broadcast a term to the node's shape: an operand that was stretched has a smaller tangent."""
    assert term.type.dtype == "float", (term, node)
    return term if same_shape(term.shape, node.shape) else broadcast_to(term, shape=node.shape)
