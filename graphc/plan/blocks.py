"""A program -> the same program, where what passes over long arrays runs in blocks of an axis.

A chain of elementwise operations, with the reductions that end it, reads and writes memory once an
operation. In blocks of a few thousand elements the arrays between stay in the cache.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphc.dims import Dim
from graphc.graph import Node, intern, stamped, topological
from graphc.loop import RESULT
from graphc.names import Scope
from graphc.ops.arithmetic import accumulate
from graphc.ops.linalg import matmul
from graphc.ops.reduction import sum_
from graphc.ops.shaping import index, unindex
from graphc.plan.classes import Axis, Classes, along, sizes
from graphc.plan.schedule import BlockStep, LoopStep, Program, Step
from graphc.types import Mismatch, same, same_shape

LEAST_STEPS = 4
"""So many passes over arrays are worth a function of their own."""
LEAST_ELEMENTS = 4096
"""An axis that is known to be shorter is not worth it."""


@dataclass(frozen=True, slots=True)
class _Region:
    """The nodes that run together, and along which axes."""

    level: int
    chosen: Axis
    nodes: tuple[Node, ...]
    totals: frozenset[Node]  # sums over the axis, which leave the region


def in_blocks(
    program: Program, kept: Collection[Node] = (), taken: Collection[str] = ()
) -> Program:
    """The program with its long chains in blocks; `kept` outlives the function."""
    made = list(dict.fromkeys(s.node for s in program.steps if not isinstance(s, BlockStep)))
    given = set(program.variables) - set(made)
    given = {n for n in given if n.op is not RESULT}
    ends = [*program.results.values(), *kept]
    nodes = list(topological([*ends, *made], given))
    classes = Classes(nodes)
    places = _assigned(nodes, given, classes)
    levels, totals = _levels(nodes, given, places, classes)
    regions = _regions(nodes, program, places, levels, totals)
    if not regions:
        return program
    names = Scope({*taken, *program.variables.values()})
    inside = {node: region for region in regions for node in region.nodes}
    read = _read_outside(program, ends, inside)
    blocks = [_Builder(region, program, classes, names, read).step() for region in regions]
    built = {r: b for r, b in zip(regions, blocks, strict=True) if b is not None}
    return replace(program, steps=tuple(_in_order(program, levels, inside, built)))


def _in_order(
    program: Program,
    levels: Mapping[Node, int],
    inside: Mapping[Node, _Region],
    built: Mapping[_Region, Sequence[Step | BlockStep]],
) -> Iterable[Step | LoopStep | BlockStep]:
    """The steps by level; of one level what is in no region first."""
    numbered: list[tuple[int, int, int, Step | LoopStep | BlockStep]] = []
    for number, step in enumerate(program.steps):
        region = None if isinstance(step, BlockStep) else inside.get(step.node)
        if isinstance(step, BlockStep) or region in built:
            continue
        level = levels[step.node] if region is None else region.level
        numbered.append((level, region is not None, number, step))
    for number, (region, steps) in enumerate(built.items()):
        numbered += [(region.level, 2, number, step) for step in steps]
    return [step for *_, step in sorted(numbered, key=lambda one: one[:3])]


# ---- which nodes --------------------------------------------------------------------------------


def _assigned(nodes: Sequence[Node], given: Collection[Node], classes: Classes) -> dict[Node, Axis]:
    """By node the class along which it may run in blocks: the one along which most do."""
    candidates = []
    for chosen, count in sizes(nodes, classes).items():
        length = chosen[0].shape[chosen[1]].constant
        if count >= LEAST_STEPS and (length is None or length >= LEAST_ELEMENTS):
            along_it = [
                node
                for node in nodes
                if node not in given
                and not _heavy(node)
                and along(node, classes, chosen) is not None
            ]
            candidates.append((-len(along_it), chosen[1], chosen, along_it))
    places: dict[Node, Axis] = {}
    for _, _, chosen, along_it in sorted(candidates, key=lambda one: one[:2]):
        for node in along_it:
            places.setdefault(node, chosen)
    return places


def _heavy(node: Node) -> bool:
    """A product of whole matrices: in blocks it would be slower, and its operand read again."""
    return node.op is matmul and all(arg.rank <= 2 for arg in node.args)


def _levels(
    nodes: Sequence[Node], given: Collection[Node], places: Mapping[Node, Axis], classes: Classes
) -> tuple[dict[Node, int], dict[Node, Axis]]:
    """When each node can run, counted in regions that must be through before; and the totals."""
    levels: dict[Node, int] = dict.fromkeys(given, 0)
    totals: dict[Node, Axis] = {}
    for node in nodes:
        if node in given:
            continue
        own = places.get(node)
        if own is None:
            total = _totalled(node, places, classes)
            if total is not None:
                totals[node] = own = total
        level = 0
        for arg in node.args:
            crosses = arg in places and places[arg] != own
            level = max(level, levels[arg] + crosses)
        levels[node] = level + (node in totals)
    return levels, totals


def _totalled(node: Node, places: Mapping[Node, Axis], classes: Classes) -> Axis | None:
    """The class that a node sums over, if it only sums over it."""
    if node.op is not sum_ and not (node.op is matmul and not _heavy(node)):
        return None
    for arg, moved in zip(node.args, node.op.axes(node), strict=True):
        if arg not in places:
            continue
        chosen = places[arg]
        mine = classes.axes(arg, chosen)
        summed = all(moved[axis] is None for axis in mine) and not classes.axes(node, chosen)
        others = [other for other in node.args if other is not arg]
        whole = node.op is sum_ or all(len(classes.axes(n, chosen)) == 1 for n in others)
        if len(mine) == 1 and summed and whole and _contracted(node, chosen, classes):
            return chosen
    return None


def _contracted(node: Node, chosen: Axis, classes: Classes) -> bool:
    """Is the axis the one that a sum, or the product of both operands, runs over?"""
    if node.op is sum_:
        axes = node.attrs["axis"]
        summed = {axis % node.args[0].rank for axis in axes or ()}
        return axes is None or set(classes.axes(node.args[0], chosen)) <= summed
    left, right = node.args
    return classes.axes(left, chosen) == [left.rank - 1] and classes.axes(right, chosen) == [
        max(right.rank - 2, 0)
    ]


def _regions(
    nodes: Sequence[Node],
    program: Program,
    places: Mapping[Node, Axis],
    levels: Mapping[Node, int],
    totals: Mapping[Node, Axis],
) -> list[_Region]:
    """What runs at one level along one class, where it is long enough."""
    grouped: dict[tuple[int, Axis], list[Node]] = {}
    for node in nodes:
        if node in places:
            grouped.setdefault((levels[node], places[node]), []).append(node)
        elif node in totals:
            grouped.setdefault((levels[node] - 1, totals[node]), []).append(node)
    computed = {step.node for step in program.steps if isinstance(step, Step)}
    return [
        _Region(level, chosen, tuple(group), frozenset(n for n in group if n in totals))
        for (level, chosen), group in sorted(grouped.items(), key=lambda one: one[0][0])
        if sum(n in computed and n.rank > 0 and n.op.view_of is None for n in group) >= LEAST_STEPS
    ]


def _read_outside(
    program: Program, ends: Sequence[Node], inside: Mapping[Node, _Region]
) -> set[Node]:
    """The nodes of regions that something outside of their own region reads."""
    read: set[Node] = set()
    roots: list[tuple[_Region | None, Node]] = [(None, end) for end in ends]
    for step in program.steps:
        if not isinstance(step, BlockStep):
            roots += [(inside.get(step.node), arg) for arg in step.node.args]
    seen: set[tuple[int, Node]] = set()
    while roots:
        region, node = roots.pop()
        if (id(region), node) in seen:
            continue
        seen.add((id(region), node))
        if node in program.variables:
            if node in inside and inside[node] is not region:
                read.add(node)
        else:
            roots += [(region, arg) for arg in node.args]
    return read


# ---- the function of a block --------------------------------------------------------------------


class _Builder:
    """One region as a step: its nodes once more, with the size of a block in place of the axis."""

    def __init__(
        self, region: _Region, program: Program, classes: Classes, names: Scope, read: set[Node]
    ) -> None:
        self.region, self.program, self.classes = region, program, classes
        self.names, self.read = names, read
        node, axis = region.chosen
        self.length = node.shape[axis]
        self.start, self.size = names.fresh("start"), names.fresh("size")
        self.new: dict[Node, Node] = {}
        self.variables: dict[Node, str] = {}
        self.slices: list[Step] = []
        self.before: list[Step] = []
        self.reads: dict[Node, None] = {}

    def step(self) -> list[Step | BlockStep] | None:
        """None where a node cannot be computed for a part of the axis after all."""
        try:
            for node in self.region.nodes:
                self._resize(node)
        except Mismatch:
            return None
        members = set(self.region.nodes)
        steps, outputs, totals = [], [], []
        for step in self.program.steps:
            if not isinstance(step, Step) or step.node not in members:
                continue
            node, name = step.node, step.target
            new = self.new[node]
            crossing = node in self.region.totals or node in self.read
            self.variables[new] = inner = self.names.fresh(f"{name}_part") if crossing else name
            steps.append(Step(inner, new, step.adjoints))
            if node in self.region.totals:
                totals.append((name, node, new))
            elif node in self.read:
                outputs.append((name, node, new, self.classes.axes(node, self.region.chosen)[0]))
        name = self.names.fresh("block")
        results = {str(number): new for number, (_, _, new) in enumerate(totals)}
        used = {arg for step in steps for arg in self._behind(step.node)}
        slices = [one for one in self.slices if one.node in used]
        body = Program(
            "", (*slices, *steps), self.variables, results,
            self.program.labels, self.program.adjoints, label=f"{self.program.label}_{name}",
        )  # fmt: skip
        block = BlockStep(
            name, self.length, self.start, self.size, body,
            tuple(self.reads), tuple(outputs), tuple(totals),
        )  # fmt: skip
        return [*self.before, block]

    def _behind(self, node: Node) -> Iterable[Node]:
        """What the statement of a node reads, also in what is written inside it."""
        pending = list(node.args)
        while pending:
            one = pending.pop()
            yield one
            if one not in self.variables:
                pending += one.args

    def _resize(self, node: Node) -> None:
        args = tuple(self._operand(arg) for arg in node.args)
        mine = self.classes.axes(node, self.region.chosen)
        attrs = self._attrs(node, mine)
        size = Dim.symbol(self.size)
        shape = [size if axis in mine else n for axis, n in enumerate(node.shape)]
        if node.op is not accumulate:  # which may have numbers for arrays that repeat them
            found = node.op.infer(*(arg.type for arg in args), **attrs)
            if not same_shape(found.shape, shape) or found.dtype != node.type.dtype:
                raise Mismatch("E301", "a block of this operation is not of the expected shape")
        with stamped(node.origin, node.index[0]):
            self.new[node] = intern(node.op, args, attrs, node.type.with_shape(shape), node.salt)

    def _operand(self, arg: Node) -> Node:
        """An argument: of the block, a part of an array from outside, or all of it."""
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
        if len(mine) > 1:
            raise Mismatch("E301", "two axes run along the blocks")
        start, size = Dim.symbol(self.start), Dim.symbol(self.size)
        items = [("slice", (Dim.of(0), n, 1)) for n in arg.shape]
        items[mine[0]] = ("slice", (start, size, 1))
        part = index(arg, items=tuple(items))
        name = self.variables.get(arg, f"{arg.op.name}")
        self.variables[part] = self.names.fresh(f"{name}_part")
        self.slices.append(Step(self.variables[part], part))
        self.new[arg] = part
        return part

    def _attrs(self, node: Node, mine: Sequence[int]) -> dict[str, Any]:
        """Attributes with the size of a block where they speak of the axis."""
        size = Dim.symbol(self.size)
        attrs = dict(node.attrs)
        if "shape" in attrs and mine:
            attrs["shape"] = tuple(
                size if axis in mine else n for axis, n in enumerate(attrs["shape"])
            )
        if node.op in (index, unindex):
            whole = node.args[0] if node.op is index else node
            places = self.classes.axes(whole, self.region.chosen)
            items = list(attrs["items"])
            for place in places:
                kind, value = items[place]
                if kind != "slice" or value[2] != 1 or not same(value[1], whole.shape[place]):
                    raise Mismatch("E301", "a part of the axis is chosen")
                items[place] = ("slice", (value[0], size, 1))
            attrs["items"] = tuple(items)
        return attrs
