"""A program -> the same program, where what passes over long arrays runs in blocks of an axis.

A chain of elementwise operations, with the reductions that end it, reads and writes memory once an
operation. In blocks of a few thousand elements the arrays between stay in the cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, intern, stamped
from graphc.ir.loop import RESULT
from graphc.ir.order import topological
from graphc.ir.results import BLOCKS, result_number
from graphc.ir.types import Mismatch, Shape, same, same_shape
from graphc.names import Identifiers
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.shape.assemble import assemble
from graphc.ops.shape.shaping import (
    Item,
    expand,
    in_rows,
    index,
    reshape,
    transpose,
    unindex,
)
from graphc.plan.lower import every_name, made
from graphc.plan.program import AnyStep, BlockStep, LoopStep, Output, Program, Step
from graphc.plan.tiles.axis_classes import Classes, Extent
from graphc.plan.tiles.groups import Region, Regions, regions
from graphc.plan.tiles.memory_order import Order, orders
from graphc.records import replace

ATTEMPTS = 8
"""So often what cannot be computed for a part of an axis after all is left outside."""


WHOLE: Mapping[int, Dim] = {}


def in_blocks(
    program: Program, kept: Collection[Node] = (), taken: Collection[str] = ()
) -> Program:
    """Lower a program's long chains to blocks; `kept` outlives the function."""
    whole, program = program, _without_views(program, kept)
    own = dict.fromkeys(node for step in program.steps for node in made(step))
    given = set(program.variables) - set(own)
    given = {n for n in given if n.op is not RESULT or n.args[0] not in own}
    ends = [*program.results.values(), *kept]
    nodes = list(topological([*ends, *own], given))
    classes = Classes(nodes)
    free = _free(program, kept)
    outside: set[Node] = set()
    for _ in range(ATTEMPTS):
        found = regions(program, ends, nodes, given, classes, outside)
        names = Identifiers({*taken, *every_name(program)})
        built: dict[Region, _Builder] = {}
        lying: dict[Node, Order] = {}
        for region in found.regions:
            built[region] = builder = _Builder(region, program, classes, names)
            outside |= builder.resized()
            builder.lie(free, lying)
            lying |= {node: builder.lying[node] for node in region.read & builder.lying.keys()}
        if not outside & {node for region in built for node in region.nodes}:
            break
    else:
        return whole
    if not built:
        return whole
    steps = {region: builder.steps() for region, builder in built.items()}
    return replace(program, steps=tuple(_in_order(program, found, steps)), orders=lying)


def _without_views(program: Program, kept: Collection[Node]) -> Program:
    """Move changes of shape to where arrays are read: outside of blocks too.

    So a block computes the array itself where it is to lie, or its elements row by row.
    """
    bound = {*kept, *_read_by_loops(program)}
    everything = topological([node for step in program.steps for node in made(step)])
    reads = Counter(arg for node in everything for arg in node.args)
    steps: list[AnyStep] = []
    variables = dict(program.variables)
    for step in program.steps:
        if not isinstance(step, Step) or step.node in bound or not _is_view(step.node):
            steps.append(step)
            continue
        rows = step.node.args[0]
        if rows.op is in_rows and rows not in variables:
            if reads[rows] > 1:
                steps.append(step)
                continue
            variables[rows] = step.target
            steps.append(replace(step, node=rows))
        del variables[step.node]
    return replace(program, steps=tuple(steps), variables=variables)


def _is_view(node: Node) -> bool:
    """True if a node has the elements of its argument as they lie, or those permuted."""
    if node.op is reshape:
        return node.args[0].op is in_rows or node.args[0].op.view_of is None
    return node.op in (transpose, expand)


def _read_by_loops(program: Program) -> set[Node]:
    """Collect what the bodies of loops call by name, and what that is a view of."""
    found: set[Node] = set()
    pending = [arg for s in program.steps if isinstance(s, LoopStep) for arg in s.node.args]
    while pending:
        node = pending.pop()
        found.add(node)
        if node.op.view_of is not None:
            pending.append(node.args[node.op.view_of])
    return found


def _free(program: Program, kept: Collection[Node]) -> set[Node]:
    """Results whose axes may lie in any order: blocks of Jacobians and Hessians, and permuted ones.

    Nothing else that outlives the function may share their memory.
    """
    found: set[Node] = set()
    bound = set(kept)
    for key, node in program.results.items():
        if key.kind in BLOCKS:
            while node.op is transpose:
                node = node.args[0]
            found.add(node)
        else:
            bound.add(node)
    for node in (*bound, *(node for node in found if node.op.view_of is not None)):
        while node.op.view_of is not None:
            node = node.args[node.op.view_of]
            bound.add(node)
    return found - bound


def _in_order(
    program: Program, found: Regions, built: Mapping[Region, Sequence[Step | BlockStep]]
) -> Iterable[AnyStep]:
    """Yield the steps by level; of one level what is in no region first."""
    inside = {node for region in built for node in region.nodes}
    numbered: list[tuple[int, int, int, AnyStep]] = []
    for number, step in enumerate(program.steps):
        (node, *_) = made(step)
        if node not in inside:
            numbered.append((found.levels[node], 0, number, step))
    for region, steps in built.items():
        numbered += [(region.level, 1, number, step) for number, step in enumerate(steps)]
    return [step for *_, step in sorted(numbered, key=lambda one: one[:2])]


def _behind(nodes: Iterable[Node], variables: Container[Node]) -> Iterable[Node]:
    """Yield what statements read that read these nodes, also in what is written inside them."""
    pending = list(nodes)
    while pending:
        one = pending.pop()
        yield one
        if one not in variables:
            pending += one.args


# ---- the function of a block --------------------------------------------------------------------


class _Builder:
    """One region as a step: its nodes once more, with the size of a block in place of the axis."""

    def __init__(
        self, region: Region, program: Program, classes: Classes, names: Identifiers
    ) -> None:
        self.region, self.program, self.classes, self.names = region, program, classes, names
        node, axis = region.chosen
        self.length = node.shape[axis]
        self.start, self.size = names.fresh("start"), names.fresh("size")
        self.new: dict[Node, Node] = {}
        self.variables: dict[Node, str] = {}
        self.slices: list[Step] = []
        self.before: list[Step] = []
        self.reads: dict[Node, None] = {}
        self.lying: dict[Node, Order] = {}
        self.own: list[Step] = []

    def resized(self) -> set[Node]:
        """Make the nodes of a block; returns those that cannot be made for a part of the axis."""
        failed: set[Node] = set()
        for node in self.region.nodes:
            try:
                if node in self.region.read - self.region.totals:
                    self._items(node)
                self._resize(node)
            except Mismatch:
                failed.add(node)
                self.new[node] = node
        return failed

    def lie(self, free: Collection[Node], known: Mapping[Node, Order]) -> None:
        """Choose how values lie in memory: `free` results in any order, `known` ones as outside."""
        members = set(self.region.nodes)
        self.own = [s for s in self.program.steps if isinstance(s, Step) and s.node in members]
        nodes = [step.node for step in self.own]
        computed = [node for node in nodes if node.op.view_of is None and node.rank]
        bound = (self.region.read - set(free)) | self.region.totals
        self.lying = orders(computed, self.classes, self.region.chosen, known, bound)
        for node in self._by_place():
            long = node.attrs["block"]
            small = tuple(axis for axis in range(node.rank) if axis != long)
            self.lying[node] = (*small, long) if node in free else tuple(range(node.rank))

    def steps(self) -> list[Step | BlockStep]:
        """Return the function of a block, and what it needs before."""
        steps: list[Step] = []
        outputs: list[Output] = []
        totals: list[tuple[str, Node, Node]] = []
        by_place = self._by_place()
        for step in self.own:
            node, name = step.node, step.target
            new = self.new[node]
            if node in by_place:
                outputs += self._components(name, node)
                continue
            crossing = node in self.region.totals or node in self.region.read
            self.variables[new] = inner = self.names.fresh(f"{name}_part") if crossing else name
            steps.append(Step(inner, new, step.adjoints))
            if node in self.region.totals:
                totals.append((name, node, new))
            elif node in self.region.read:
                outputs.append((name, node, new, self._items(node)))
        # Functions of modes stand together.
        name = self.names.fresh("_".join(("block", *self.program.part)))
        results = {result_number(place): new for place, (_, _, new) in enumerate(totals)}
        read = [arg for step in steps for arg in step.node.args]
        used = {*_behind([*read, *(new for _, _, new, _ in outputs)], self.variables)}
        slices = [one for one in self.slices if one.node in used]
        body = Program(
            self.program.name, (*slices, *steps), self.variables, results,
            self.program.labels, self.program.adjoints, part=(*self.program.part, name),
            orders={self.new[node]: order for node, order in self.lying.items()},
        )  # fmt: skip
        block = BlockStep(
            name, self.length, self.start, self.size, body,
            tuple(self.reads), tuple(outputs), tuple(totals),
        )  # fmt: skip
        return [*self.before, block]

    def _by_place(self) -> set[Node]:
        """Arrays whose components are computed where they stand: nothing here reads the whole."""
        here = {*_behind((n for s in self.own for n in s.node.args), self.program.variables)}
        crossing = self.region.read - self.region.totals
        return {node for node in crossing if node.op is assemble and node not in here}

    def _components(self, name: str, node: Node) -> Iterable[Output]:
        """Yield each component of an array as an output."""
        long = node.attrs["block"]
        for component, place in zip(self.new[node].args, node.attrs["places"], strict=True):
            chosen: list[Item] = [("at", Dim.of(position)) for position in place]
            chosen.insert(long, self._items(node)[long])
            yield name, node, component, tuple(chosen)

    def _resize(self, node: Node) -> None:
        if node.op is assemble and node.attrs["block"] is None:
            raise Mismatch("E301", "an array of numbers is made at once")
        args = tuple(self._operand(arg) for arg in node.args)
        mine = self.classes.axes(node, self.region.chosen) if node.op.part else []
        starts = {axis: self._start(node, axis) for axis in mine}
        with stamped(node.origin, node.index[0]):
            self.new[node] = part_of(node, args, self._shape(node), starts)

    def _operand(self, arg: Node) -> Node:
        """Return an argument: of the block, a part of an array from outside, or all of it."""
        if arg in self.new:
            return self.new[arg]
        mine = self.classes.axes(arg, self.region.chosen)
        variables = self.program.variables
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
        part = index(arg, items=self._items(arg))
        name = self.variables.get(arg, f"{arg.op.name}")
        self.variables[part] = self.names.fresh(f"{name}_part")
        self.slices.append(Step(self.variables[part], part))
        self.new[arg] = part
        return part

    def _shape(self, node: Node) -> tuple[Dim, ...]:
        """Return the shape that a node has in a block."""
        return tuple(
            n if (extent := self._extent(node, axis)) is None else self._many(extent)
            for axis, n in enumerate(node.shape)
        )

    def _extent(self, node: Node, axis: int) -> Extent | None:
        """Return how an axis is made of the positions of the block's axis, if it is."""
        if axis not in self.classes.axes(node, self.region.chosen):
            return None
        return self.classes.extent(node, axis, self.region.chosen)

    def _many(self, extent: Extent) -> Dim:
        return extent.outer * Dim.symbol(self.size) * extent.inner

    def _items(self, node: Node) -> tuple[Item, ...]:
        """Return the part of a whole array that the block has."""
        items: list[Item] = [("slice", (Dim.of(0), n, 1)) for n in node.shape]
        mine = self.classes.axes(node, self.region.chosen)
        if len(mine) > 1:
            raise Mismatch("E301", "a block is a part of two axes")
        size = self._many(self.classes.extent(node, mine[0], self.region.chosen))
        items[mine[0]] = ("slice", (self._start(node, mine[0]), size, 1))
        return tuple(items)

    def _start(self, node: Node, axis: int) -> Dim:
        """Return the first position of an axis that the block has."""
        extent = self.classes.extent(node, axis, self.region.chosen)
        if extent.outer.constant != 1:
            raise Mismatch("E301", "the positions of a block are not side by side")
        return Dim.symbol(self.start) * extent.inner


def part_of(
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
