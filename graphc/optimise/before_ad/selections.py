"""Selections of joined arrays -> the arrays that were joined, before calculus.

`split(concat(x, h) * w + b, 2)` computes what two expressions of `x` and of `h` compute, and ties
them together: no half can be computed before the other. A selection therefore moves down through
what is computed element by element, and through changes of shape, to where arrays are joined, if
that takes all of the join away. It takes the same elements, so that no bit changes; what it selects
of a weight is a view. Where the weight is a matrix, the product is taken apart by its rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import reduce
from itertools import groupby

from graphc.elaborate.names.model import Model, verified_model
from graphc.ir.graph import Node, intern, with_args
from graphc.ir.items import ZERO, along, every, is_whole
from graphc.ir.loop import LOOP, inside_first, loop_of
from graphc.ir.rebuild import rebuild
from graphc.ir.types import is_one
from graphc.ops.cost import is_small
from graphc.ops.elementwise.arithmetic import plus
from graphc.ops.linear.products import matmul
from graphc.ops.shape.shaping import (
    concat,
    concatenate,
    index,
)
from graphc.optimise.before_ad.moved_selections import (
    MOVING,
    Mover,
    Stuck,
)
from graphc.optimise.before_ad.stabilise import with_nodes
from graphc.records import dataclass

DEEP = 64
"""Operations through which a selection moves: moving recurs on them."""


@verified_model
def select(model: Model) -> Model:
    """Move selections to what was joined, where the parts differ in what they wait for, or are
    large."""
    roots = model.roots
    nodes = [*inside_first(roots)]
    if not any(node.op is index or node.op is concatenate for node in nodes):
        return model
    wanted = {*model.differentiated_by, *_walls(nodes)}
    plan = _planned(nodes, {*roots, *wanted}, wanted)
    new: dict[Node, Node] = {}
    mover = Mover(plan.moved, wanted, new)
    known = {*nodes}

    def rewrite(node: Node, args: tuple[Node, ...]) -> Node:
        new.update(zip(node.args, args, strict=True))  # also ends of loops, which are not rewritten
        if node.op is index:
            found = mover.chosen(node.args[0], node.attrs["items"])
            new[node] = _named(found, node, known)
        elif node in plan.products:
            found = _product_of_parts(node, plan.products[node], plan.waits, mover)
            new[node] = _named(found, node, known)
        else:
            new[node] = with_args(node, args)
        known.add(new[node])
        return new[node]

    made = rebuild(roots, rewrite)
    return model if all(made[node] is node for node in roots) else with_nodes(model, made)


def _named(found: Node, node: Node, known: Collection[Node]) -> Node:
    """Return what stands for a node; where that has a name it is no other node of the graph."""
    if not node.salt:
        return found
    if found in known:
        return intern(index, (found,), {"items": every(found.shape)}, found.type, node.salt)
    return intern(found.op, found.args, found.attrs, found.type, node.salt)


# ---- which selections move -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plan:
    """What selections move through to what was joined, and the products that are taken apart."""

    moved: Collection[Node]
    products: Mapping[Node, int]
    waits: Mapping[Node, Collection[Node]]


def _planned(nodes: Sequence[Node], kept: Collection[Node], wanted: Collection[Node]) -> _Plan:
    """Find the selections that move: all that read a node, or none that do."""
    readers: dict[Node, list[Node]] = {node: [] for node in nodes}
    bound = set(kept)
    for node in nodes:
        for arg in node.args:
            readers[arg].append(node)
        if node.op is LOOP:
            bound.update((*loop_of(node).roots, *node.args))
    waits = _waits(nodes)
    bound.update(n for n in nodes if n.op is concatenate and not _pays(n, waits))
    moved: set[Node] = set()
    while True:
        before = len(bound)
        moved = _read_in_parts(nodes, readers, bound, waits)
        selections = [n for n in nodes if n.op is index and n.args[0] in moved]
        trial = Mover(moved, wanted)
        for node in selections:
            try:
                trial.chosen(node.args[0], node.attrs["items"])
            except Stuck:
                bound.add(node.args[0])
        if len(bound) == before:
            break
    products = {n: slot for n in nodes if (slot := _slot_of_join(n, waits, wanted)) is not None}
    return _Plan(moved, products, waits)


def _read_in_parts(
    nodes: Sequence[Node],
    readers: Mapping[Node, Sequence[Node]],
    bound: Collection[Node],
    waits: Mapping[Node, Collection[Node]],
) -> set[Node]:
    """Collect the joins of which nothing reads the whole, and what is between them and
    selections.

    In a step that waits, what stretches a value along the axis of parts joins them, too.
    """
    parted: set[Node] = set()  # nothing reads it but selections, and what is read so
    cut: dict[Node, set[int]] = {}  # the axes along which that is, from the right
    for node in reversed(nodes):
        if node in bound or not readers[node]:
            continue
        if all(one.op is index or (one in parted and _moves(one)) for one in readers[node]):
            parted.add(node)
            cut[node] = {axis for one in readers[node] for axis in _cut_by(one, node, cut)}
    found: set[Node] = set()
    for node in nodes:
        if node not in parted:
            continue
        joins = node.op is concatenate or (_moves(node) and any(arg in found for arg in node.args))
        if joins or (waits.get(node) and _stretches(node, cut[node])):
            found.add(node)
    return found


def _moves(node: Node) -> bool:
    """True if a part of the value is the same operation on parts of the arguments."""
    return node.op.structure == "elementwise" or node.op in MOVING


def _cut_by(reader: Node, node: Node, cut: Mapping[Node, Collection[int]]) -> Collection[int]:
    """Return the axes, counted from the right, along which a reader takes parts of a node."""
    if reader.op is not index:
        return cut[reader] if reader.op.structure == "elementwise" else ()
    items = enumerate(reader.attrs["items"])
    return [axis - node.rank for axis, item in items if not is_whole(item, node.shape[axis])]


def _stretches(node: Node, axes: Collection[int]) -> bool:
    """True if an argument is the same for all parts of an elementwise operation along an axis."""
    return node.op.structure == "elementwise" and any(
        -axis <= node.rank and (arg.rank < -axis or is_one(arg.shape[axis]))
        for arg in node.args
        if arg.rank
        for axis in axes
    )


def _walls(nodes: Iterable[Node]) -> set[Node]:
    """Collect the nodes at which selections stop, so that none moves through more than DEEP."""
    found: set[Node] = set()
    height: dict[Node, int] = {}
    for node in nodes:
        moves = _moves(node) or node.op is concatenate
        height[node] = moves + max((height[arg] for arg in node.args), default=0) if moves else 0
        if height[node] == DEEP:
            found.add(node)
            height[node] = 0
    return found


def _waits(nodes: Sequence[Node]) -> dict[Node, frozenset[Node]]:
    """For each node the carried values of loops that a step needs for it."""
    carried = {c for n in nodes if n.op is LOOP for c in loop_of(n).carried}
    if not carried:
        return {}
    waits: dict[Node, frozenset[Node]] = {}
    pending = list(nodes)[::-1]
    while pending:
        node = pending[-1]
        missing = [arg for arg in node.args if arg not in waits]
        if missing:
            pending += missing
            continue
        pending.pop()
        own = frozenset([node]) if node in carried else frozenset()
        waits[node] = own.union(*(waits[arg] for arg in node.args))
    return waits


def _pays(node: Node, waits: Mapping[Node, Collection[Node]]) -> bool:
    """True if parts of a join wait for different steps, so that some may be computed for all steps
    at once, or if there is much to copy."""
    differ = len({waits.get(arg, frozenset()) for arg in node.args}) > 1
    return differ or not is_small(node)


def _slot_of_join(
    node: Node, waits: Mapping[Node, Collection[Node]], kept: Collection[Node]
) -> int | None:
    """Return the factor of a product that joins what waits for different steps, where it is summed
    over."""
    if node.op is not matmul:
        return None
    for slot, arg in enumerate(node.args):
        if arg.op is not concatenate or arg.attrs["axis"] != _summed(arg, slot) or arg in kept:
            continue
        if len({waits.get(part, frozenset()) for part in arg.args}) > 1:
            return slot
    return None


def _summed(arg: Node, slot: int) -> int:
    """Return the axis of a factor that a product sums over."""
    return max(arg.rank - 2, 0) if slot else arg.rank - 1


def _product_of_parts(
    node: Node, slot: int, waits: Mapping[Node, Collection[Node]], mover: Mover
) -> Node:
    """[x, h] @ W -> x @ W_x + h @ W_h; parts that wait for the same steps stay together."""
    joined, other = node.args[slot], node.args[1 - slot]
    axis = _summed(other, 1 - slot)
    start, terms = ZERO, list[Node]()
    for _, group in groupby(joined.args, lambda part: waits.get(part, frozenset())):
        parts = [mover.new[part] for part in group]
        whole = concat(*parts, axis=joined.attrs["axis"])
        size = whole.shape[joined.attrs["axis"]]
        rows = mover.chosen(other, along(other.shape, axis, ("slice", (start, size, 1))))
        terms.append(rows @ whole if slot else whole @ rows)
        start = start + size
    return reduce(plus, terms)
