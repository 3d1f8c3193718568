"""A program -> the same program, where what passes over long arrays runs in blocks of an axis.

A chain of elementwise operations, with the reductions that end it, reads and writes memory once an
operation. In blocks of a few thousand elements the arrays between stay in the cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.items import Item
from graphc.ir.loop import LOOP, RESULT, result
from graphc.ir.order import topological
from graphc.ir.results import BLOCKS, result_number
from graphc.ir.types import Mismatch
from graphc.names import Identifiers
from graphc.ops.shape.assemble import assemble
from graphc.ops.shape.shaping import expand, in_rows, reshape, transpose
from graphc.plan.lower import every_name, made
from graphc.plan.order import arguments_first
from graphc.plan.program import AnyStep, BlockStep, LoopStep, Output, Program, Step, reached
from graphc.plan.tiles.axis_classes import Classes
from graphc.plan.tiles.groups import Region, Regions, regions
from graphc.plan.tiles.loops import Body, bodies, classes_of, loop_for_block, resize_loop
from graphc.plan.tiles.memory_order import Order, orders
from graphc.plan.tiles.parts import Parts
from graphc.records import replace

ATTEMPTS = 8
"""So often what cannot be computed for a part of an axis after all is left outside."""


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
    loops = bodies(program)
    classes = classes_of(nodes, loops.values(), ends)
    free = _free(program, kept)
    outside: set[Node] = set()
    for _ in range(ATTEMPTS):
        found = regions(program, ends, nodes, given, classes, loops, outside)
        names = Identifiers({*taken, *every_name(program)})
        built: dict[Region, _Builder] = {}
        lying: dict[Node, Order] = {}
        for region in found.regions:
            built[region] = builder = _Builder(region, program, classes, names, loops)
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


# ---- the function of a block --------------------------------------------------------------------


class _Builder:
    """One region as a step: its nodes once more, with the size of a block in place of the axis."""

    def __init__(
        self,
        region: Region,
        program: Program,
        classes: Classes,
        names: Identifiers,
        loops: Mapping[Node, Body],
    ) -> None:
        self.region, self.program, self.classes, self.names = region, program, classes, names
        self.loops = loops
        node, axis = region.chosen
        self.length = node.shape[axis]
        self.parts = Parts(program, classes, region.chosen, names)
        self.lying: dict[Node, Order] = {}
        self.own: list[Step | LoopStep] = []

    def resized(self) -> set[Node]:
        """Make the nodes of a block; returns those that cannot be made for a part of the axis."""
        failed: set[Node] = set()
        new = self.parts.new
        for node in self.region.nodes:
            try:
                if node in self.region.read - self.region.totals:
                    self.parts.items(node)
                if node.op is LOOP:
                    resize_loop(self.loops[node], self.parts)
                elif node.op is RESULT:
                    new[node] = result(new[node.args[0]], node.attrs["number"])
                else:
                    self.parts.resize(node)
            except Mismatch:
                failed.add(node.args[0] if node.op is RESULT else node)
                new[node] = node
        return failed

    def lie(self, free: Collection[Node], known: Mapping[Node, Order]) -> None:
        """Choose how values lie in memory: `free` results in any order, `known` ones as outside."""
        members = set(self.region.nodes)
        steps = (s for s in self.program.steps if not isinstance(s, BlockStep))
        self.own = [step for step in steps if step.node in members]
        nodes = [step.node for step in self.own if isinstance(step, Step)]
        computed = [node for node in nodes if node.op.view_of is None and node.rank]
        bound = (self.region.read - set(free)) | self.region.totals
        self.lying = orders(computed, self.classes, self.region.chosen, known, bound)
        for node in self._by_place():
            long = node.attrs["block"]
            small = tuple(axis for axis in range(node.rank) if axis != long)
            self.lying[node] = (*small, long) if node in free else tuple(range(node.rank))

    def steps(self) -> list[Step | BlockStep]:
        """Return the function of a block, and what it needs before."""
        parts, variables = self.parts, self.parts.variables
        steps: list[Step | LoopStep] = []
        outputs: list[Output] = []
        totals: list[tuple[str, Node, Node]] = []
        by_place = self._by_place()
        crossing = self.region.totals | self.region.read

        def name_part(node: Node, name: str) -> None:
            """Name what is computed of a node; and where it goes, if it leaves the region."""
            new = parts.new[node]
            if new not in variables:
                variables[new] = self.names.fresh(f"{name}_part") if node in crossing else name
            if node in self.region.totals:
                totals.append((name, node, new))
            elif node in self.region.read:
                outputs.append((name, node, new, parts.items(node)))

        # Nodes may differ in the whole, as loops in what their elements are, and be one here.
        once: dict[Node, Step | LoopStep] = {}
        for step in self.own:
            if isinstance(step, LoopStep):
                for end in self.loops[step.node].kept:
                    name_part(end, self.program.variables[end])
            elif step.node in by_place:
                outputs += self._components(step.target, step.node)
                continue
            else:
                name_part(step.node, step.target)
            once.setdefault(parts.new[step.node], step)
        outer = self._outer_names()
        for new, step in once.items():
            if isinstance(step, LoopStep):
                steps.append(loop_for_block(self.loops[step.node], parts, variables, outer))
            else:
                steps.append(Step(variables[new], new, step.adjoints, chain=step.chain))
        steps = arguments_first(steps, variables)
        # Functions of modes stand together.
        name = self.names.fresh("_".join(("block", *self.program.part)))
        results = {result_number(place): new for place, (_, _, new) in enumerate(totals)}
        read = [arg for step in steps for arg in step.node.args]
        read += [one for s in steps if isinstance(s, LoopStep) for _, one in s.items]
        used = {*reached([*read, *(new for _, _, new, _ in outputs)], variables)}
        slices = [one for one in parts.slices if one.node in used]
        body_ = Program(
            self.program.name, (*slices, *steps), variables, results,
            self.program.labels, self.program.adjoints, part=(*self.program.part, name),
            orders={parts.new[node]: order for node, order in self.lying.items()},
            bounded=self.program.bounded,
        )  # fmt: skip
        block = BlockStep(
            name, self.length, parts.start, parts.size, body_,
            tuple(parts.reads), tuple(outputs), tuple(totals),
        )  # fmt: skip
        return [*parts.before, block]

    def _outer_names(self) -> set[str]:
        """Collect the names that the function around has for itself."""
        inside = set(self.region.nodes) - self.region.read
        return {name for node, name in self.program.variables.items() if node not in inside}

    def _by_place(self) -> set[Node]:
        """Arrays whose components are computed where they stand: nothing here reads the whole."""
        here = {*reached((n for s in self.own for n in s.node.args), self.program.variables)}
        crossing = self.region.read - self.region.totals
        return {node for node in crossing if node.op is assemble and node not in here}

    def _components(self, name: str, node: Node) -> Iterable[Output]:
        """Yield each component of an array as an output."""
        long = node.attrs["block"]
        for component, place in zip(self.parts.new[node].args, node.attrs["places"], strict=True):
            chosen: list[Item] = [("at", Dim.of(position)) for position in place]
            chosen.insert(long, self.parts.items(node)[long])
            yield name, node, component, tuple(chosen)
