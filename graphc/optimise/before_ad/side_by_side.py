"""Small arrays that no step of a loop changes -> parts of one array, for horizontal fusion.

A cell with a matrix for each gate multiplies its state with each of them, in each step. Laid side
by side before the loop, the matrices make one product, and likewise the biases one sum.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from graphc.elaborate.names.model import Model, verified_model
from graphc.ir.dims import Dim
from graphc.ir.graph import Node, with_args
from graphc.ir.items import Items
from graphc.ir.loop import LOOP, RESULT, RULED, body, inside_first, loop_of
from graphc.ir.rebuild import rebuild
from graphc.ir.sizes import typical
from graphc.ir.types import same
from graphc.ops.cost import CALL
from graphc.ops.elementwise.arithmetic import plus
from graphc.ops.linear.products import matmul
from graphc.ops.shape.shaping import concat, concatenate, index, part_of
from graphc.optimise.before_ad.parts import adjacent_parts, part_along
from graphc.optimise.before_ad.stabilise import with_nodes

SMALL = 16 * CALL
"""So many elements are laid side by side in less time than the steps of a loop save."""


class Beside(NamedTuple):
    """Operations of a loop's body that each read an array of their own, which no step changes.

    `slot` is where they read it; side by side along their last axis, the arrays are one.
    """

    nodes: tuple[Node, ...]
    slot: int

    @property
    def arrays(self) -> list[Node]:
        return [node.args[self.slot] for node in self.nodes]


@verified_model
def lay_side_by_side(model: Model) -> Model:
    """Lay the matrices side by side that a loop multiplies one value with, and what is added."""
    roots = model.roots
    wanted = model.differentiated_by
    loops = [node for node in inside_first(roots) if node.op is LOOP]
    found = [one for node in loops for one in _found(node, wanted)]
    if not found:
        return model
    places = {node: (one, n) for one in found for n, node in enumerate(one.nodes)}
    new: dict[Node, Node] = {}
    wholes: dict[Beside, Node] = {}

    def rewrite(node: Node, args: tuple[Node, ...]) -> Node:
        if node in places:
            one, number = places[node]
            if one not in wholes:
                wholes[one] = concat(*(new[array] for array in one.arrays), axis=-1)
            part = _part_of(wholes[one], one.arrays, number)
            args = (*args[: one.slot], part, *args[one.slot + 1 :])
        new[node] = with_args(node, args)
        return new[node]

    return with_nodes(model, rebuild(roots, rewrite))


def _part_of(whole: Node, arrays: Sequence[Node], number: int) -> Node:
    start = sum((array.shape[-1] for array in arrays[:number]), Dim.of(0))
    return part_of(whole, whole.rank - 1, start, arrays[number].shape[-1])


def _found(node: Node, wanted: Collection[Node]) -> Iterator[Beside]:
    """Yield the products of one value with several matrices in a loop's body, and sums of parts
    with several vectors."""
    changing = {*body(loop_of(node)), *loop_of(node).bound}
    products: dict[Node, list[Node]] = {}
    sums: dict[tuple[int, Node, Items], dict[Dim, tuple[Dim, Node]]] = {}
    for one in body(loop_of(node)):
        if one in wanted or one.op not in (matmul, plus):
            continue
        for slot in _slots_of_fixed(one, changing):
            other, array = one.args[1 - slot], one.args[slot]
            part = part_along(other, other.rank - 1)
            if one.op is matmul:
                products.setdefault(other, []).append(one)
            elif part is not None and not part.at and same(array.shape[0], part.length):
                sums.setdefault((slot, part.of, part.rest), {})[part.start] = part.length, one
    for group in products.values():
        yield from _fitting(group, 1)
    for (slot, _, _), parts in sums.items():
        for *_, nodes in adjacent_parts(parts):
            yield from _fitting(nodes, slot)


def _slots_of_fixed(node: Node, changing: Collection[Node]) -> list[int]:
    """List the factors on the right, or the terms, that are of rank 2, or 1, and fixed."""
    return [
        slot
        for slot, array in enumerate(node.args)
        if (slot == 1 or node.op is plus)
        and array.rank == (2 if node.op is matmul else 1)
        and not array.static
        and array.type.dtype == "float"
        and array not in changing
        and array.op not in (LOOP, RESULT, RULED, concatenate, index)
        and node.args[1 - slot] in changing
    ]


def _fitting(nodes: Sequence[Node], slot: int) -> Iterator[Beside]:
    """Yield the operations together if their arrays are several, and small."""
    arrays = dict.fromkeys(node.args[slot] for node in nodes)
    small = sum(typical(array.type.size) for array in arrays) <= SMALL
    if small and len(arrays) == len(nodes) > 1:
        yield Beside(tuple(nodes), slot)
