"""Horizontal fusion: products and sums of parts of one array -> one for all, and its parts.

The gates of a cell are products of one state with parts of a matrix, and a bias is added to each.
Written by `split` or gate by gate, that is one product and one sum. What is no linear function of
the parts stays apart: one call for several gates costs back what it saves where their cotangents
have to be joined. Sums have the same bits; a product with a larger matrix may round otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from graphc.elaborate.names.model import Model, verified_model
from graphc.ir.dims import Dim
from graphc.ir.graph import Node, Op, intern, with_args
from graphc.ir.items import ZERO, every
from graphc.ir.loop import inside_first
from graphc.ir.rebuild import rebuild
from graphc.ir.sizes import typical
from graphc.ir.types import is_one, known_facts, same
from graphc.ops.cost import CALL
from graphc.ops.elementwise.arithmetic import minus, plus
from graphc.ops.linear.products import matmul
from graphc.optimise.before_ad.parts import Part, adjacent_parts, chosen_part, part_along
from graphc.optimise.before_ad.side_by_side import lay_side_by_side
from graphc.optimise.before_ad.stabilise import with_nodes
from graphc.records import dataclass

ROUNDS = 12
"""So many operations, one on the other, are fused."""
LARGE = 32 * CALL
"""Of so many elements the time of a call is nothing."""


class Form(NamedTuple):
    """What operations side by side have in common.

    `operands` are nodes, or the parts that each node has its own of: these begin at the distance
    from the first of them, and have no length. The result has its parts along `axis`.
    """

    op: Op
    attrs: tuple[tuple[str, Any], ...]
    operands: tuple[Node | Part, ...]
    axis: int
    at: bool


@dataclass(frozen=True, slots=True)
class Joint:
    """Operations on parts that follow each other: the nodes, and where their parts lie."""

    form: Form
    starts: tuple[Dim, ...]
    lengths: tuple[Dim, ...]
    nodes: tuple[Node, ...]


@verified_model
def fuse_horizontally(model: Model) -> Model:
    """Compute products with parts of an array, and sums of parts, at once."""
    for _ in range(ROUNDS):
        before, model = model, _round(lay_side_by_side(model))
        if model is before:
            break
    return model


def _round(model: Model) -> Model:
    roots = model.roots
    wanted = model.differentiated_by
    joints = _joints([node for node in inside_first(roots) if node not in wanted], wanted)
    if not joints:
        return model
    places = {node: (joint, n) for joint in joints for n, node in enumerate(joint.nodes)}
    wholes: dict[tuple[Node, ...], Node] = {}

    def rewrite(node: Node, args: tuple[Node, ...]) -> Node:
        if node not in places:
            return with_args(node, args)
        joint, number = places[node]
        if joint.nodes not in wholes:
            wholes[joint.nodes] = _whole(joint, args)
        form, start = joint.form, joint.starts[number] - joint.starts[0]
        whole = wholes[joint.nodes]
        length = joint.lengths[number]
        found = chosen_part(Part(whole, every(whole.shape), form.axis, start, length, form.at))
        return intern(found.op, found.args, found.attrs, found.type, node.salt)

    return with_nodes(model, rebuild(roots, rewrite))


def _joints(nodes: Sequence[Node], wanted: Collection[Node]) -> list[Joint]:
    """Find nodes of one form on parts that follow each other."""
    groups: dict[Form, dict[Dim, tuple[Dim, Node]]] = {}
    for node in nodes:
        found = _form(node, wanted)
        if found is not None:
            form, part = found
            groups.setdefault(form, {})[part.start] = part.length, node
    joints = [Joint(form, *row) for form, group in groups.items() for row in adjacent_parts(group)]
    return [joint for joint in joints if _pays(joint)]


def _pays(joint: Joint) -> bool:
    """True for products, which are one in less time, and where the time of a call counts."""
    size = sum(typical(node.type.size) for node in joint.nodes)
    return joint.form.op is matmul or size <= LARGE


def _form(node: Node, wanted: Collection[Node]) -> tuple[Form, Part] | None:
    """Return the form of an operation on parts of arrays, and the first part."""
    if node.static or node.type.dtype != "float" or not node.rank:
        return None
    if node.op not in (matmul, plus, minus):
        return None
    parts = [None if arg in wanted else part_along(arg) for arg in node.args]
    first = next((part for part in parts if part is not None), None)
    if first is None:
        return None
    if node.op is matmul:
        return _form_of_product(node, parts)
    behind = first.of.rank - first.axis  # axes are counted from the right: others broadcast
    operands: list[Node | Part] = []
    for arg, part in zip(node.args, parts, strict=True):
        if part is None:
            if arg.rank >= behind - first.at and not _is_stretched(arg, behind, first.at):
                return None
            operands.append(arg)
            continue
        fits = part.of.rank - part.axis == behind and part.at == first.at
        if not fits or not same(part.length, first.length):
            return None
        distance = known_facts().normal(part.start - first.start)
        operands.append(part._replace(start=distance, length=ZERO))
    rank = max(one.of.rank for one in operands if isinstance(one, Part))
    if any(arg.rank + first.at > rank for arg in node.args):
        return None
    form = Form(node.op, tuple(node.attrs.items()), tuple(operands), rank - behind, first.at)
    return form, first


def _is_stretched(arg: Node, behind: int, at: bool) -> bool:
    """True if an operand is the same along the axis of the parts."""
    return not at and is_one(arg.shape[arg.rank - behind])


def _form_of_product(node: Node, parts: Sequence[Part | None]) -> tuple[Form, Part] | None:
    """Return the form of a product with columns of a matrix, or of its rows with another."""
    for slot, other in enumerate(reversed(node.args)):
        matrix = node.args[slot]
        part = None if parts[slot] is None else part_along(matrix, 1 if slot else 0)
        if part is None or part.at or part.of.rank != 2 or matrix.rank != 2:
            continue
        first = part._replace(start=ZERO, length=ZERO)
        axis = node.rank - 1 if slot or other.rank < 2 else node.rank - 2
        return Form(matmul, (), (other, first) if slot else (first, other), axis, False), part
    return None


def _whole(joint: Joint, args: Sequence[Node]) -> Node:
    """Make the operation for all parts, from the arguments that one of its nodes has now."""
    form = joint.form
    length = joint.starts[-1] + joint.lengths[-1] - joint.starts[0]
    operands: list[Node] = []
    for arg, one in zip(args, form.operands, strict=True):
        if isinstance(one, Part):
            start = joint.starts[0] + one.start
            arg = chosen_part(one._replace(of=arg.args[0], start=start, length=length, at=False))
        operands.append(arg)
    return form.op(*operands, **dict(form.attrs))
