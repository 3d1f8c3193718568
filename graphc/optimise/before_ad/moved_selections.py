"""Selections moved through elementwise operations and changes of shape, to what was joined."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, stamped
from graphc.ir.items import ZERO, Item, Items, choose_all, chosen_shape, extent, whole
from graphc.ir.types import Shape, known_facts, product, same, same_shape
from graphc.ops.shape.shaping import (
    broadcast_to,
    choose,
    concatenate,
    expand,
    in_order,
    index,
    reshape,
    transpose,
)
from graphc.records import dataclass, field

FEW = 16
"""Of so many parts of unknown size it is tried in which a selection is."""
VIEWS = (index, reshape, transpose, expand)
MOVING = (*VIEWS, broadcast_to)


class Stuck(Exception):
    """A selection that does not reach what was joined."""


@dataclass(frozen=True, slots=True)
class Mover:
    """Makes parts of nodes, on what stands for those that stay; on themselves without `new`."""

    through: Collection[Node]
    wanted: Collection[Node]
    new: Mapping[Node, Node] = field(default_factory=dict)
    made: dict[tuple[Node, Items], Node] = field(default_factory=dict)
    starts: dict[Node, dict[Dim, int]] = field(default_factory=dict)

    def chosen(self, node: Node, items: Items) -> Node:
        """Return what items choose of a node. Raises Stuck where a join would remain."""
        key = node, items
        if key not in self.made:
            self.made[key] = self._chosen(node, items)
        return self.made[key]

    def _chosen(self, node: Node, items: Items) -> Node:
        if node in self.through:
            with stamped(node.origin, node.place):
                found = self._moved(node, items)
            same_numbers = found.type.dtype == node.type.dtype
            if not same_numbers or not same_shape(found.shape, chosen_shape(items)):
                raise Stuck
            return found
        if node.op in VIEWS and node not in self.wanted:
            with suppress(Stuck):
                found = self._moved(node, items)
                if found.op is not reshape:
                    return found
        return choose(self.new.get(node, node), items)

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
            return broadcast_to(*args, shape=chosen_shape(items))
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
                item if same(n, size) else _only(item)
                for item, n, size in zip(own, arg.shape, shape, strict=True)
            ),
        )

    def _joined(self, node: Node, items: Items) -> Node:
        """Return the parts that a selection takes whole, or some of one of them."""
        axis = node.attrs["axis"]
        kind, _ = items[axis]
        start, length, step = extent(items[axis])
        if step != 1:
            raise Stuck
        number, inside = self._place(node, start, length)
        size = node.args[number].shape[axis]
        if _known(size - inside - length):
            chosen: Item = ("at", inside) if kind == "at" else ("slice", (inside, length, 1))
            return self.chosen(node.args[number], (*items[:axis], chosen, *items[axis + 1 :]))
        if inside.terms:
            raise Stuck
        found, left = list[Node](), length
        for arg in node.args[number:]:
            size = arg.shape[axis]
            if not _known(left - size):
                break
            found.append(self.chosen(arg, (*items[:axis], whole(size), *items[axis + 1 :])))
            left = left - size
            if same(left, ZERO):
                place = sum(kind == "slice" for kind, _ in items[:axis])
                return concatenate(*found, axis=place)
        raise Stuck

    def _place(self, node: Node, start: Dim, length: Dim) -> tuple[int, Dim]:
        """Return the number of the part in which a selection of a join starts, and where."""
        axis = node.attrs["axis"]
        if node not in self.starts:
            sizes = [arg.shape[axis] for arg in node.args[:-1]]
            firsts = map(known_facts().normal, accumulate(sizes, initial=ZERO))
            self.starts[node] = {first: number for number, first in enumerate(firsts)}
        starts = self.starts[node]
        found = starts.get(known_facts().normal(start))
        if found is not None:
            return found, ZERO
        first = start.constant
        if first is not None and all(one.constant is not None for one in starts):
            known = [*starts]
            before = known[bisect([one.constant or 0 for one in known], first) - 1]
            return starts[before], start - before
        for one, number in starts.items() if len(starts) <= FEW else ():
            inside = start - one
            if _known(inside) and _known(node.args[number].shape[axis] - inside - length):
                return number, inside
        raise Stuck

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
            elif choose_all(own, shape):
                inner += [whole(x.shape[axis]) for axis in before]
            elif len(before) == 1 and choose_all(own[1:], shape[1:]):
                rest = product(shape[1:])
                start, length, step = extent(own[0])
                if step != 1:
                    raise Stuck
                inner.append(("slice", (start * rest, length * rest, 1)))
            else:
                raise Stuck
        part, wanted = self.chosen(x, tuple(inner)), chosen_shape(items)
        return part if same_shape(part.shape, wanted) else reshape(part, shape=wanted)


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
            raise Stuck
        yield range(one, end[0]), range(other, end[1])
        one, other = end


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
    return ("at", ZERO) if kind == "at" else whole(Dim.of(1))


def _known(dim: Dim) -> bool:
    return known_facts().nonnegative(dim) is True
