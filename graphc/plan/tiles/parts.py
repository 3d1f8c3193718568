"""The parts of nodes that a block has: its nodes once more, with its size in place of the axis."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, intern, stamped
from graphc.ir.items import Item, Items, along
from graphc.ir.types import Mismatch, Shape, same, same_shape
from graphc.names import Identifiers
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.shape.assemble import assemble
from graphc.ops.shape.members import family_of, is_of_family
from graphc.ops.shape.shaping import arange, expand, full_array, index, unindex
from graphc.plan.program import Program, Step
from graphc.plan.tiles.axis_classes import Axis, Classes, Extent

WHOLE: Mapping[int, Dim] = {}


class Parts:
    """The nodes of a block, and what it reads from outside: all of an array, or a slice of it."""

    def __init__(
        self, program: Program, classes: Classes, chosen: Axis, names: Identifiers
    ) -> None:
        self.program, self.classes, self.chosen, self.names = program, classes, chosen, names
        self.start, self.size = names.fresh("start"), names.fresh("size")
        self.new: dict[Node, Node] = {}
        self.variables: dict[Node, str] = {}
        self.slices: list[Step] = []
        self.before: list[Step] = []
        self.reads: dict[Node, None] = {}

    def resize(self, node: Node) -> None:
        if node.op is assemble and node.attrs["block"] is None:
            raise Mismatch("E301", "an array of numbers is made at once")
        counting = node.op.counting(node)
        args = tuple(
            self._count(arg) if arg in counting else self.operand(arg) for arg in node.args
        )
        mine = self.classes.axes(node, self.chosen) if node.op.part else []
        starts = {axis: self._start(node, axis) for axis in mine}
        with stamped(node.origin, node.place):
            self.new[node] = make_part(node, args, self.shape(node), starts)

    def _count(self, arg: Node) -> Node:
        """Count the positions of a block from 0, as they are in the parts of arrays."""
        if not self.classes.axes(arg, self.chosen):
            return self.operand(arg)
        if arg.op is expand:
            return expand(self._count(arg.args[0]), axes=arg.attrs["axes"])
        (many,) = self.shape(arg)
        return arange(n=many)

    def operand(self, arg: Node) -> Node:
        """Return an argument: of the block, a part of an array from outside, or all of it."""
        if arg in self.new:
            return self.new[arg]
        mine = self.classes.axes(arg, self.chosen)
        variables = self.program.variables
        if arg.op is full_array and arg not in variables and mine:
            self.resize(arg)
            return self.new[arg]
        if arg not in variables and not arg.static and arg.rank and not arg.args and mine:
            name = self.names.fresh(f"{arg.op.name}_of_axis")
            self.before.append(Step(name, arg))
            self.variables[arg] = name
        pending = [arg]
        while pending:
            one = pending.pop()
            if one in variables:
                self.variables[one] = variables[one]
                self.reads[one] = None
            elif one not in self.variables:
                pending += one.args
        if not mine:
            return arg
        if is_of_family(arg) and family_of(arg) is arg:
            raise Mismatch("E301", "a family is a list of arrays, which have no axis together")
        part = index(arg, items=self.items(arg))
        name = self.variables.get(arg, f"{arg.op.name}")
        self.variables[part] = self.names.fresh(f"{name}_part")
        self.slices.append(Step(self.variables[part], part))
        self.new[arg] = part
        return part

    def shape(self, node: Node) -> tuple[Dim, ...]:
        """Return the shape that a node has in a block."""
        return tuple(
            n if (extent := self._extent(node, axis)) is None else self._many(extent)
            for axis, n in enumerate(node.shape)
        )

    def _extent(self, node: Node, axis: int) -> Extent | None:
        """Return how an axis is made of the positions of the block's axis, if it is."""
        if axis not in self.classes.axes(node, self.chosen):
            return None
        return self.classes.extent(node, axis, self.chosen)

    def _many(self, extent: Extent) -> Dim:
        return extent.outer * Dim.symbol(self.size) * extent.inner

    def items(self, node: Node) -> Items:
        """Return the part of a whole array that the block has."""
        mine = self.classes.axes(node, self.chosen)
        if len(mine) > 1:
            raise Mismatch("E301", "a block is a part of two axes")
        size = self._many(self.classes.extent(node, mine[0], self.chosen))
        return along(node.shape, mine[0], ("slice", (self._start(node, mine[0]), size, 1)))

    def _start(self, node: Node, axis: int) -> Dim:
        """Return the first position of an axis that the block has."""
        extent = self.classes.extent(node, axis, self.chosen)
        if extent.outer.constant != 1:
            raise Mismatch("E301", "the positions of a block are not side by side")
        return Dim.symbol(self.start) * extent.inner


def make_part(
    node: Node, args: tuple[Node, ...], shape: Shape, starts: Mapping[int, Dim] = WHOLE
) -> Node:
    """Make the same operation on parts of its arguments, of which this shape comes.

    `starts` are where its axes begin: a slice may depend on its position. Mismatch where the
    operation does not give this shape.
    """
    attrs = dict(node.attrs)
    for axis, start in starts.items():
        attrs |= node.op.part(node, axis, start) if node.op.part else {}
    if "shape" in attrs:
        attrs["shape"] = shape
    if node.op in (index, unindex):
        whole, part = (node, shape) if node.op is unindex else (node.args[0], args[0].shape)
        attrs["items"] = tuple(
            item if same(before, after) else _all_of(item, before, after)
            for item, before, after in zip(attrs["items"], whole.shape, part, strict=True)
        )
    if node.op.structure != "elementwise" and node.op is not accumulate:
        found = node.op.infer(*(arg.type for arg in args), **attrs)
        if not same_shape(found.shape, shape) or found.dtype != node.type.dtype:
            raise Mismatch("E301", "a part of this operation is not of the expected shape")
    return intern(node.op, args, attrs, node.type.with_shape(shape), node.salt)


def _all_of(item: Item, before: Dim, after: Dim) -> Item:
    """Return the item that chooses all of a part of an axis, for one that chooses all of it."""
    kind, value = item
    if kind != "slice" or value[2] != 1 or not same(value[1], before):
        raise Mismatch("E301", "a part of the axis is chosen")
    return "slice", (value[0], after, 1)
