"""Reverse mode: outputs and their cotangents -> the cotangents of chosen nodes, as a graph."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphc.ad.custom import pull_rule
from graphc.ad.holding import release_holds
from graphc.ad.reverse_loops import pull_loop
from graphc.ir.graph import (
    Adjoint,
    Node,
    Term,
    Uses,
    intern,
    stamped,
    uses,
)
from graphc.ir.loop import LOOP, RESULT, RULED
from graphc.ir.order import topological
from graphc.ir.rebuild import map_adjoints
from graphc.ir.types import same_shape
from graphc.ops.elementwise.arithmetic import total
from graphc.ops.shape.shaping import broadcast_to, unbroadcast


def pullback(
    seeds: Sequence[tuple[Node, Node]],
    wrt: Collection[Node],
    given: Collection[Node] = (),
    *,
    apart: bool = False,
) -> dict[Node, Adjoint]:
    """Build the adjoint of every node between `wrt` and the seeded outputs, seeds first.

    A seed is an output with its cotangent. In reverse topological order,

        adjoint(x_i) = Σ over children j of (∂x_j/∂x_i)ᵀ adjoint(x_j)

    (Griewank and Walther 2008, §3.2), where the children are the out-edges of the DAG: an
    operand that occurs twice is two edges. A node that no seeded output depends on, or only
    through what has no derivative, is left out: its adjoint is zero. What is `given` is not
    looked behind: inside a loop, that is what comes from outside. Where what is built may be
    differentiated by nodes between, rules are kept `apart` from the values that they are of.
    """
    outputs = [output for output, _ in seeds]
    readers = uses(outputs, given=set(given))
    active = float_descendants(readers, wrt)
    cotangents: dict[Node, list[Node]] = {}
    for output, cotangent in seeds:
        cotangents.setdefault(output, []).append(cotangent)
    adjoints: dict[Node, Adjoint] = {}
    pulled: dict[Node, Sequence[Node | None]] = {}
    for node in reversed([n for n in topological(outputs, set(given)) if n in active]):
        if node.op is LOOP:
            ends = {c.attrs["number"]: adjoints[c].value for c, _ in readers[node] if c in adjoints}
            if ends:
                with stamped(node.origin):
                    pulled[node] = pull_loop(node, ends, active, pullback)
            continue
        with stamped(node.origin):
            terms = [Term(cotangent, None, 0) for cotangent in cotangents.get(node, ())]
            for child, slot in _children(readers, node):
                value = pulled[child][slot] if child in pulled else None
                if value is not None:
                    with stamped(child.origin):  # what is declared has no statement of its own
                        terms.append(Term(fit_cotangent(value, node), child, slot))
            if terms:
                adjoints[node] = Adjoint(node, tuple(terms), total([term.value for term in terms]))
                if node.op is not RESULT and node not in given:
                    value_of = value_apart(node) if apart else node
                    pulled[node] = _pull(adjoints[node].value, value_of)
    if any(node.op is RULED for node in active):
        new = release_holds(adjoint.value for adjoint in adjoints.values())
        moved = map_adjoints(adjoints.values(), new) if new else ()
        adjoints |= zip(adjoints, moved, strict=False)
    return adjoints


def value_apart(node: Node) -> Node:
    """Return a node of its own with the value of this one, for the derivative rule of it.

    The rule of tanh is written in terms of its value, 1 - y²; a derivative by y moves y for its
    children, and not for the derivative of y itself.
    """
    if not node.args:
        return node
    return intern(node.op, node.args, node.attrs, node.type, f"{node.salt}'")


def _pull(ct: Node, node: Node) -> Sequence[Node | None]:
    return pull_rule(ct, node, pullback) if node.op is RULED else node.op.vjp(ct, node)


def float_descendants(readers: Uses, wrt: Collection[Node]) -> set[Node]:
    """Return the float nodes that some node of `wrt` reaches through float nodes."""
    reached: set[Node] = set()
    pending = [node for node in wrt if node in readers]
    while pending:
        node = pending.pop()
        if node not in reached and node.type.dtype == "float":
            reached.add(node)
            pending.extend(child for child, _ in readers[node])
    return reached


def _children(readers: Uses, node: Node) -> list[tuple[Node, int]]:
    """List the uses of a node, the last one first, as their cotangents become known."""
    return sorted(readers[node], key=lambda edge: (edge[0].index, -edge[1]), reverse=True)


def fit_cotangent(cotangent: Node, node: Node) -> Node:
    """Fit a cotangent to the node's shape: summed where the node was stretched, else repeated."""
    fitted = unbroadcast(cotangent, node.type) if cotangent.rank >= node.rank else cotangent
    if not same_shape(fitted.shape, node.shape):
        fitted = broadcast_to(fitted, shape=node.shape)
    assert fitted.type.dtype == "float", (cotangent, node)
    assert same_shape(fitted.shape, node.shape), (cotangent, node)
    return fitted
