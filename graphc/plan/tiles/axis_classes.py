"""Classes of axes that correspond one to one through a graph: what one block can run along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.loop import LOOP, RESULT
from graphc.ir.types import Shape, is_one, product, same
from graphc.ops.cost import LONG
from graphc.ops.fused import vdot, vecdot
from graphc.ops.linear.products import matmul
from graphc.ops.linear.solving import solution
from graphc.ops.shape.shaping import expand, reshape

Axis = tuple[Node, int]


class Extent(NamedTuple):
    """How an axis is made of positions of another: `outer` times over, `inner` of its own each."""

    outer: Dim
    inner: Dim


ALONE = Extent(Dim.of(1), Dim.of(1))


class Classes:
    """The axes of nodes, joined where slice by slice one becomes the other or meets the other.

    A reshape merges axes into one: what is joined with that is made of parts of each of them.
    `handed_on` are axes that loops join: of what they carry, stack and end with.
    """

    def __init__(self, nodes: Iterable[Node], handed_on: Iterable[tuple[Axis, Axis]] = ()) -> None:
        self._parent: dict[Axis, Axis] = {}
        self._of: dict[Node, tuple[Axis, ...]] = {}
        merged: list[tuple[Axis, Axis, Extent]] = []
        self._extents: dict[Axis, dict[Axis, Extent]] = {}
        for node in nodes:
            if node.op in (LOOP, RESULT):
                continue
            for arg, moved in zip(node.args, node.op.axes(node), strict=False):
                for axis, to in enumerate(moved):
                    if to is not None:
                        self._join((node, to), (arg, axis))
            if node.op is matmul:
                left, right = node.args
                self._join((left, left.rank - 1), (right, max(right.rank - 2, 0)))
            if node.op in (vdot, vecdot):
                left, right = node.args
                for axis in range(left.rank):
                    self._join((left, axis), (right, axis))
            if node.op is reshape:
                merged += _reshape_merges(node)
        for one, other in handed_on:
            self._join(one, other)
        self._unite(merged)
        self._wholes: dict[Axis, list[tuple[Axis, Extent]]] = {}  # by part, what it is merged in
        self._parts: dict[Axis, dict[Axis, None]] = {}
        for whole, part, extent in merged:
            self._wholes.setdefault(self.of(*part), []).append((self.of(*whole), extent))
            self._parts.setdefault(self.of(*whole), {})[self.of(*part)] = None

    def of(self, node: Node, axis: int) -> Axis:
        """Return the axis that stands for all that this one is joined with."""
        here: Axis = (node, axis)
        path = []
        while (up := self._parent.get(here, here)) != here:
            path.append(here)
            here = up
        for one in path:
            self._parent[one] = here
        return here

    def _join(self, one: Axis, other: Axis) -> None:
        self._parent[self.of(*other)] = self.of(*one)

    def _unite(self, merged: Sequence[tuple[Axis, Axis, Extent]]) -> None:
        """Parts that lie alike in one whole are one: it was merged, and is split again."""
        changed = True
        while changed:
            changed = False
            parts: dict[tuple[Axis, Extent], Axis] = {}
            for whole, part, extent in merged:
                other = parts.setdefault((self.of(*whole), extent), part)
                if self.of(*other) != self.of(*part):
                    self._join(other, part)
                    changed = True

    def all(self, node: Node) -> tuple[Axis, ...]:
        """Return the class of each axis of a node."""
        found = self._of.get(node)
        if found is None:
            found = tuple(self.of(node, axis) for axis in range(node.rank))
            self._of[node] = found
        return found

    def parts(self, whole: Axis) -> list[Axis]:
        """List a class, and those of the axes that are merged in it."""
        return [whole, *self._parts.get(whole, ())]

    def axes(self, node: Node, chosen: Axis) -> list[int]:
        """List the axes of a node that are of a class, or made of parts of it."""
        extents = self.extents(chosen)
        return [axis for axis, one in enumerate(self.all(node)) if one in extents]

    def extent(self, node: Node, axis: int, chosen: Axis) -> Extent:
        """Return how an axis is made of the positions of a class."""
        return self.extents(chosen)[self.all(node)[axis]]

    def extents(self, chosen: Axis) -> Mapping[Axis, Extent]:
        """Map the classes that are made of parts of one to how, where that is one way only."""
        if chosen not in self._extents:
            found = {chosen: ALONE}
            unclear: set[Axis] = set()
            pending = [chosen]
            while pending:
                part = pending.pop()
                inside = found[part]
                for whole, extent in self._wholes.get(part, ()):
                    new = Extent(extent.outer * inside.outer, inside.inner * extent.inner)
                    if whole not in found:
                        found[whole] = new
                        pending.append(whole)
                    elif not all(map(same, found[whole], new)):
                        unclear.add(whole)
            self._extents[chosen] = {
                one: extent for one, extent in found.items() if one not in unclear
            }
        return self._extents[chosen]


def _reshape_merges(node: Node) -> list[tuple[Axis, Axis, Extent]]:
    """List where a reshape makes one axis of several, or several of one: whole, part, and how."""
    x = node.args[0]
    before = [axis for axis, n in enumerate(x.shape) if not is_one(n)]
    after = [axis for axis, n in enumerate(node.shape) if not is_one(n)]
    found: list[tuple[Axis, Axis, Extent]] = []
    for left, right in _groups([x.shape[i] for i in before], [node.shape[i] for i in after]):
        ones = [(x, before[i]) for i in left]
        others = [(node, after[i]) for i in right]
        for whole, parts in ((ones, others), (others, ones)):
            if len(whole) == 1 and len(parts) > 1:
                sizes = [one.shape[axis] for one, axis in parts]
                found += [
                    (whole[0], part, Extent(product(sizes[:i]), product(sizes[i + 1 :])))
                    for i, part in enumerate(parts)
                ]
    return found


def _groups(before: Shape | list[Dim], after: Shape | list[Dim]) -> list[tuple[range, range]]:
    """Consecutive axes that have as many elements together, as few at a time as can be."""
    groups: list[tuple[range, range]] = []
    i = j = 0
    for end in range(1, len(before) + 1):
        here = product(before[i:end])
        for other in range(j + 1, len(after) + 1):
            if same(here, product(after[j:other])):
                groups.append((range(i, end), range(j, other)))
                i, j = end, other
                break
    return groups


def outer(node: Node, axis: int, extent: Extent) -> Dim:
    """Count how often the positions that an axis is made of are passed over, row by row."""
    return product(node.shape[:axis]) * extent.outer


def axis_along(node: Node, classes: Classes, chosen: Axis) -> int | None:
    """Return the one axis of a class along which a node is computed by slices, if there is one."""
    own = classes.axes(node, chosen)
    if len(own) != 1 or not node.args or node.op in (LOOP, RESULT):
        return None
    if node.op is reshape:
        (x,) = node.args
        theirs = classes.axes(x, chosen)
        if len(theirs) != 1:
            return None
        sides = [
            outer(one, axis, classes.extent(one, axis, chosen))
            for one, axis in ((x, theirs[0]), (node, own[0]))
        ]
        return own[0] if same(*sides) else None
    comes = node.op is expand  # which repeats what it has
    for arg, moved in zip(node.args, node.op.axes(node), strict=False):
        theirs = classes.axes(arg, chosen)
        if theirs and [moved[axis] for axis in theirs] != own:
            return None
        comes = comes or bool(theirs)
    return own[0] if comes else None


def is_heavy(node: Node, classes: Classes, chosen: Axis) -> bool:
    """True for what every block would do again for few own rows: read a matrix, or factor it."""
    if node.op is solution:
        return not classes.axes(node.args[0], chosen)
    if node.op is not matmul or min(arg.rank for arg in node.args) < 2 or node.rank > 2:
        return False
    again = [arg for arg in (*node.args, node) if not classes.axes(arg, chosen)]
    return any((size := arg.type.size.constant) is None or size > LONG for arg in again)


def heaviest(weights: Mapping[Node, int], classes: Classes, least: int, number: int) -> list[Axis]:
    """List the classes whose nodes, at least so many, weigh most; of equals what was met first."""
    total: dict[Axis, int] = {}
    count: dict[Axis, int] = {}
    for node, weight in weights.items():
        for one in dict.fromkeys(
            part for axis in classes.all(node) for part in classes.parts(axis)
        ):
            total[one] = total.get(one, 0) + weight
            count[one] = count.get(one, 0) + 1
    enough = [one for one in total if count[one] >= least]
    return sorted(enough, key=lambda one: -total[one])[:number]
