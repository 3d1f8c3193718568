"""Selections of joined arrays -> the arrays that were joined, before calculus.

`split(concat(x, h) * w + b, 2)` computes what two expressions of `x` and of `h` compute, and ties
them together: no half can be computed before the other. A selection therefore moves down through
what is computed element by element, and through changes of shape, to where arrays are joined, if
that takes all of the join away. It takes the same elements, so that no bit changes; what it selects
of a weight is a view. Where the weight is a matrix, the product is taken apart by its rows.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import reduce
from itertools import accumulate, groupby

from graphc.elaborate.names.model import Model, verified_model
from graphc.ir.dims import Dim
from graphc.ir.graph import Node, intern, stamped, with_args
from graphc.ir.loop import LOOP, inside_first, loop_of
from graphc.ir.rebuild import rebuild
from graphc.ir.types import Shape, known_facts, product, same, same_shape
from graphc.ops.elementwise.arithmetic import plus
from graphc.ops.linear.contraction import typical
from graphc.ops.linear.products import matmul
from graphc.ops.shape.shaping import (
    Item,
    broadcast_to,
    concat,
    concatenate,
    expand,
    in_order,
    index,
    reshape,
    transpose,
)
from graphc.optimise.before_ad.stabilise import with_nodes
from graphc.optimise.loops.partition import is_small
from graphc.records import dataclass, field

LARGE = 2**12
"""So many elements are worth a call for each part of them."""

FEW = 16
"""Of so many parts of unknown size it is tried in which a selection is."""
VIEWS = (index, reshape, transpose, expand)
MOVING = (*VIEWS, broadcast_to)

Items = tuple[Item, ...]
NONE = Dim.of(0)


class _Stuck(Exception):
    """A selection that does not reach what was joined."""


@verified_model
def select(model: Model) -> Model:
    """Move selections to what was joined, where the parts differ in what they wait for, or are
    large."""
    derived = [node for one in model.derivations for node in one.nodes]
    declared = [d.node for d in (*model.inputs, *model.params, *model.outputs)]
    roots = [*declared, *derived]
    nodes = [*inside_first(roots)]
    if not any(node.op is index or node.op is concatenate for node in nodes):
        return model
    wanted = {node for one in model.derivations for _, node in one.wrt}
    plan = _planned(nodes, {*roots, *wanted}, wanted)
    new: dict[Node, Node] = {}
    mover = _Mover(plan.moved, wanted, new)
    known = {*nodes}

    def rewrite(node: Node, args: tuple[Node, ...]) -> Node:
        if node.op is index:
            found = mover.chosen(node.args[0], node.attrs["items"])
            new[node] = _named(found, node, known)
        elif node in plan.products:
            new[node] = _product_of_parts(node, plan.products[node], plan.waits, mover)
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
        return intern(index, (found,), {"items": _every(found)}, found.type, node.salt)
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
        moved = _read_in_parts(nodes, readers, bound)
        selections = [n for n in nodes if n.op is index and n.args[0] in moved]
        for node in selections:
            try:
                _Mover(moved, wanted).chosen(node.args[0], node.attrs["items"])
            except _Stuck:
                bound.add(node.args[0])
        if len(bound) == before:
            break
    products = {n: slot for n in nodes if (slot := _slot_of_join(n, waits, wanted)) is not None}
    return _Plan(moved, products, waits)


def _read_in_parts(
    nodes: Sequence[Node], readers: Mapping[Node, Sequence[Node]], bound: Collection[Node]
) -> set[Node]:
    """Collect the joins of which nothing reads the whole, and what is between them and
    selections."""
    parted: set[Node] = set()  # nothing reads it but selections, and what is read so
    for node in reversed(nodes):
        if node in bound or not readers[node]:
            continue
        if all(one.op is index or (one in parted and _moves(one)) for one in readers[node]):
            parted.add(node)
    found: set[Node] = set()
    for node in nodes:
        joins = node.op is concatenate or (_moves(node) and any(arg in found for arg in node.args))
        if node in parted and joins:
            found.add(node)
    return found


def _moves(node: Node) -> bool:
    """True if a part of the value is the same operation on parts of the arguments."""
    return node.op.structure == "elementwise" or node.op in MOVING


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
    return differ or typical(node.type.size) > LARGE


def _slot_of_join(
    node: Node, waits: Mapping[Node, Collection[Node]], kept: Collection[Node]
) -> int | None:
    """Return the factor of a product that joins what waits for different steps, where it is summed
    over."""
    if node.op is not matmul or not is_small(node):
        return None  # it would be computed step by step in any case
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
    node: Node, slot: int, waits: Mapping[Node, Collection[Node]], mover: _Mover
) -> Node:
    """[x, h] @ W -> x @ W_x + h @ W_h; parts that wait for the same steps stay together."""
    joined, other = node.args[slot], node.args[1 - slot]
    axis = _summed(other, 1 - slot)
    start, terms = NONE, list[Node]()
    for _, group in groupby(joined.args, lambda part: waits.get(part, frozenset())):
        parts = [mover.new[part] for part in group]
        whole = concat(*parts, axis=joined.attrs["axis"])
        size = whole.shape[joined.attrs["axis"]]
        rows = mover.chosen(other, _range(other, axis, start, size))
        terms.append(rows @ whole if slot else whole @ rows)
        start = start + size
    return reduce(plus, terms)


# ---- where they move ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Mover:
    """Makes parts of nodes, on what stands for those that stay; on themselves without `new`."""

    through: Collection[Node]
    wanted: Collection[Node]
    new: Mapping[Node, Node] = field(default_factory=dict)
    made: dict[tuple[Node, Items], Node] = field(default_factory=dict)
    starts: dict[Node, dict[Dim, int]] = field(default_factory=dict)

    def chosen(self, node: Node, items: Items) -> Node:
        """Return what items choose of a node. Raises _Stuck where a join would remain."""
        key = node, items
        if key not in self.made:
            self.made[key] = self._chosen(node, items)
        return self.made[key]

    def _chosen(self, node: Node, items: Items) -> Node:
        if node in self.through:
            with stamped(node.origin, node.index[0]):
                found = self._moved(node, items)
            if not same_shape(found.shape, _shape(items)) or found.type.dtype != node.type.dtype:
                raise _Stuck
            return found
        if node.op in VIEWS and node not in self.wanted:
            with suppress(_Stuck):
                found = self._moved(node, items)
                if found.op is not reshape:
                    return found
        base = self.new.get(node, node)
        return base if _is_all(items, node.shape) else index(base, items=items)

    def _moved(self, node: Node, items: Items) -> Node:
        if node.op is concatenate:
            return self._joined(node, items)
        if node.op is index:
            return self.chosen(node.args[0], _composed(node.attrs["items"], items))
        if node.op is transpose:
            axes = node.attrs["axes"]
            inner = tuple(items[axes.index(axis)] for axis in range(node.rank))
            part = self.chosen(node.args[0], inner)
            left = [axis for axis, (kind, _) in zip(axes, items, strict=True) if kind == "slice"]
            return in_order(part, [sorted(left).index(axis) for axis in left])
        if node.op is expand:
            return self._expanded(node, items)
        if node.op is reshape:
            return self._reshaped(node, items)
        args = tuple(self._operand(arg, node, items) for arg in node.args)
        if node.op is broadcast_to:
            return broadcast_to(*args, shape=_shape(items))
        return node.op(*args, **node.attrs)

    def _operand(self, arg: Node, node: Node, items: Items) -> Node:
        """Return an argument's part for this part of what it is broadcast to."""
        if not arg.rank:
            return self.new.get(arg, arg)
        own = items[node.rank - arg.rank :]
        shape = node.shape[node.rank - arg.rank :]
        return self.chosen(
            arg,
            tuple(
                item if same(n, whole) else _only(item)
                for item, n, whole in zip(own, arg.shape, shape, strict=True)
            ),
        )

    def _joined(self, node: Node, items: Items) -> Node:
        """Return the parts that a selection takes whole, or some of one of them."""
        axis = node.attrs["axis"]
        kind, value = items[axis]
        start, length, step = (value, Dim.of(1), 1) if kind == "at" else value
        if step != 1:
            raise _Stuck
        number, inside = self._place(node, start, length)
        size = node.args[number].shape[axis]
        if _known(size - inside - length):
            chosen: Item = ("at", inside) if kind == "at" else ("slice", (inside, length, 1))
            return self.chosen(node.args[number], (*items[:axis], chosen, *items[axis + 1 :]))
        if inside.terms:
            raise _Stuck
        found, left = list[Node](), length
        for arg in node.args[number:]:
            size = arg.shape[axis]
            if not _known(left - size):
                break
            whole: Item = ("slice", (NONE, size, 1))
            found.append(self.chosen(arg, (*items[:axis], whole, *items[axis + 1 :])))
            left = left - size
            if same(left, NONE):
                place = sum(kind == "slice" for kind, _ in items[:axis])
                return concatenate(*found, axis=place)
        raise _Stuck

    def _place(self, node: Node, start: Dim, length: Dim) -> tuple[int, Dim]:
        """Return the number of the part in which a selection of a join starts, and where."""
        axis = node.attrs["axis"]
        if node not in self.starts:
            sizes = [arg.shape[axis] for arg in node.args[:-1]]
            firsts = map(known_facts().normal, accumulate(sizes, initial=NONE))
            self.starts[node] = {first: number for number, first in enumerate(firsts)}
        starts = self.starts[node]
        found = starts.get(known_facts().normal(start))
        if found is not None:
            return found, NONE
        first = start.constant
        if first is not None and all(one.constant is not None for one in starts):
            number = bisect([one.constant or 0 for one in starts], first) - 1
            return number, start - [*starts][number]
        for one, number in starts.items() if len(starts) <= FEW else ():
            inside = start - one
            if _known(inside) and _known(node.args[number].shape[axis] - inside - length):
                return number, inside
        raise _Stuck

    def _expanded(self, node: Node, items: Items) -> Node:
        axes = node.attrs["axes"]
        part = self.chosen(
            node.args[0], tuple(item for axis, item in enumerate(items) if axis not in axes)
        )
        left = [axis for axis, (kind, _) in enumerate(items) if kind == "slice"]
        new = tuple(place for place, axis in enumerate(left) if axis in axes)
        return expand(part, axes=new) if new else part

    def _reshaped(self, node: Node, items: Items) -> Node:
        (x,) = node.args
        inner: list[Item] = []
        for before, after in _groups(x.shape, node.shape):
            own = [items[axis] for axis in after]
            shape = [node.shape[axis] for axis in after]
            if not before:
                continue
            if len(before) == len(after) == 1:
                inner += own
            elif _is_all(own, shape):
                inner += [("slice", (NONE, x.shape[axis], 1)) for axis in before]
            elif len(before) == 1 and _is_all(own[1:], shape[1:]):
                rest = product(shape[1:])
                kind, value = own[0]
                start, length, step = (value, Dim.of(1), 1) if kind == "at" else value
                if step != 1:
                    raise _Stuck
                inner.append(("slice", (start * rest, length * rest, 1)))
            else:
                raise _Stuck
        part = self.chosen(x, tuple(inner))
        return part if same_shape(part.shape, _shape(items)) else reshape(part, shape=_shape(items))


def _groups(before: Shape, after: Shape) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    """Yield the axes of two shapes that have the same elements, in groups as small as they are."""
    one = other = 0
    while one < len(before) or other < len(after):
        ends = [(i, j) for i in range(one, len(before) + 1) for j in range(other, len(after) + 1)]
        equal = (
            (i, j)
            for i, j in sorted(ends, key=sum)
            if i + j > one + other and same(product(before[one:i]), product(after[other:j]))
        )
        end = next(equal, None)
        if end is None:
            raise _Stuck
        yield range(one, end[0]), range(other, end[1])
        one, other = end


def _range(x: Node, axis: int, start: Dim, length: Dim) -> Items:
    whole = _every(x)
    return (*whole[:axis], ("slice", (start, length, 1)), *whole[axis + 1 :])


def _every(x: Node) -> Items:
    return tuple(("slice", (NONE, n, 1)) for n in x.shape)


def _composed(inner: Items, outer: Items) -> Items:
    """Return the items that choose what `outer` chooses of what `inner` chooses."""
    left = iter(outer)
    found: list[Item] = []
    for kind, value in inner:
        if kind == "at":
            found.append((kind, value))
            continue
        start, _, step = value
        again, chosen = next(left)
        if again == "at":
            found.append(("at", start + chosen * step))
        else:
            begin, length, stride = chosen
            found.append(("slice", (start + begin * step, length, step * stride)))
    return tuple(found)


def _only(item: Item) -> Item:
    """Return the item that chooses the one position of an axis that is stretched."""
    kind, _ = item
    return ("at", NONE) if kind == "at" else ("slice", (NONE, Dim.of(1), 1))


def _shape(items: Items) -> Shape:
    return tuple(value[1] for kind, value in items if kind == "slice")


def _is_all(items: Sequence[Item], shape: Sequence[Dim]) -> bool:
    return all(
        kind == "slice" and value[2] == 1 and same(value[0], NONE) and same(value[1], n)
        for (kind, value), n in zip(items, shape, strict=True)
    )


def _known(dim: Dim) -> bool:
    return known_facts().nonnegative(dim) is True
