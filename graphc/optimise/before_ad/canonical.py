"""Before calculus: forms of which the derivatives cost less, too.

Like the stable forms they are applied to what the user wrote; they are equal up to rounding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from graphc.elaborate.names.model import Model, verified_model
from graphc.ir.graph import Node, intern, with_args
from graphc.ir.rebuild import rebuild
from graphc.ir.use_counts import Rules, reads_of
from graphc.ops.elementwise.arithmetic import over, plus, times
from graphc.ops.elementwise.elementary import sqrt
from graphc.optimise.algebra.factors import scalar_in_front, scalar_of_quotient
from graphc.optimise.algebra.matrices import scalar_of_matmul
from graphc.optimise.algebra.powers import function_of_number
from graphc.optimise.before_ad.diagonals import diagonal_beside_matrix
from graphc.optimise.before_ad.stabilise import with_nodes

ROUNDS = 4
DEPTH = 8
"""What a rule reads or makes is so many arguments away, or nearer."""


EARLY: Rules = {
    sqrt: (function_of_number,),
    over: (scalar_of_quotient,),
    times: (scalar_in_front, scalar_of_matmul),
    plus: (diagonal_beside_matrix,),
}


@verified_model
def prepare(model: Model) -> Model:
    """Rewrite a model in forms that cost less, but for what is differentiated by."""
    for _ in range(ROUNDS):
        before, model = model, _round(model)
        if model is before:
            break
    return model


def _round(model: Model) -> Model:
    roots = model.roots
    reads = reads_of(roots)
    differentiated = model.differentiated_by
    kept: set[Node] = set()
    changed = False

    def once(node: Node) -> bool:
        return reads[node] == 1

    def rewrite(node: Node, args: tuple[Node, ...]) -> Node:
        nonlocal changed
        new = with_args(node, args)
        for rule in EARLY.get(node.op, ()):
            better = rule(new, once)
            if better is None or better.type != new.type or _hides(new, better, kept):
                continue
            new = intern(better.op, better.args, better.attrs, better.type, node.salt)
            changed = True
            break
        if node in differentiated:
            kept.add(new)
        return new

    nodes = rebuild(roots, rewrite)
    return with_nodes(model, nodes) if changed else model


def _hides(node: Node, better: Node, kept: Collection[Node]) -> bool:
    """True if a form no longer reads what is differentiated by."""
    read = _near([node]) & set(kept)
    return bool(read) and not read <= _near([better])


def _near(nodes: Iterable[Node]) -> set[Node]:
    found = set(nodes)
    for _ in range(DEPTH):
        found |= {arg for node in found for arg in node.args}
    return found
