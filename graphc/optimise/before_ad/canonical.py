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
from graphc.ops.linear.products import matmul
from graphc.ops.reduce.reduction import sum_
from graphc.ops.shape.shaping import index, reshape
from graphc.optimise.algebra.factors import scalar_in_front, scalar_of_quotient
from graphc.optimise.algebra.matrices import scalar_of_matmul
from graphc.optimise.algebra.powers import function_of_number
from graphc.optimise.before_ad.contractions import (
    batch_as_columns,
    change_of_shape,
    only_position,
    product_of_stretched,
)
from graphc.optimise.before_ad.diagonals import diagonal_beside_matrix
from graphc.optimise.before_ad.stabilise import with_nodes

ROUNDS = 4
DEPTH = 8
"""What a rule reads is so many arguments away, or nearer; in what it makes, twice as many."""


EARLY: Rules = {
    sqrt: (function_of_number,),
    over: (scalar_of_quotient,),
    times: (scalar_in_front, scalar_of_matmul),
    plus: (diagonal_beside_matrix,),
    sum_: (product_of_stretched,),
    matmul: (batch_as_columns,),
    index: (only_position,),
    reshape: (change_of_shape,),
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
            if node.salt and (better.salt or not better.args):  # it has a name already
                continue
            salt = node.salt or better.salt
            new = intern(better.op, better.args, better.attrs, better.type, salt)
            changed = True
            break
        if node in differentiated and node.args:  # what has none is read by whatever depends on it
            kept.add(new)
        return new

    nodes = rebuild(roots, rewrite)
    return with_nodes(model, nodes) if changed else model


def _hides(node: Node, better: Node, kept: Collection[Node]) -> bool:
    """True if a form no longer reads what is differentiated by."""
    read = _near([node], DEPTH) & set(kept)
    return bool(read) and not read <= _near([better], 2 * DEPTH)


def _near(nodes: Iterable[Node], depth: int) -> set[Node]:
    found = set(nodes)
    for _ in range(depth):
        found |= {arg for node in found for arg in node.args}
    return found
