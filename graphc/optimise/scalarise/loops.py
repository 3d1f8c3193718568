"""Loops over states of a few numbers -> loops over Python's own floats, component by component.

A call of NumPy takes as long as some twenty operations on two of Python's numbers, and one on
NumPy's scalars as several. So a step that computes with a handful of numbers is a handful of
assignments; what it reads of arrays, position by position, comes out of their memory as numbers.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from graphc.ir.dims import Dim
from graphc.ir.graph import Graph, Node, arguments_first, intern, stamped, with_args
from graphc.ir.items import whole as whole_axis
from graphc.ir.loop import (
    LOOP,
    RESULT,
    STEPS,
    Element,
    Loop,
    body,
    bound,
    changing,
    limit,
    loop_arguments,
    loop_of,
    make_loop,
    result,
)
from graphc.ir.mapping import map_graph
from graphc.ir.rebuild import map_adjoints, rebuild
from graphc.ir.sizes import typical
from graphc.ir.types import Type
from graphc.ir.verify import verified
from graphc.later import Later
from graphc.ops.cost import CALL, NUMBER, calls
from graphc.ops.elementwise.python_floats import guarded, numbers_of, to_number, to_scalar
from graphc.ops.fused import limit as limit_of_dtype
from graphc.ops.shape.members import is_of_family
from graphc.ops.shape.shaping import index
from graphc.optimise.scalarise.cells import Cells, Grid, assembled, cells_shape, repeat
from graphc.optimise.scalarise.python_floats import FEW, is_tiny
from graphc.optimise.scalarise.small_axes import Expansion, operations
from graphc.records import dataclass, field, replace

if TYPE_CHECKING:
    import numpy as np
else:
    np = Later("numpy")

MOST = 4 * FEW
"""Operations on numbers of a step, at most, before what structure makes zero is left out."""


class Stuck(Exception):
    """An operation is none on numbers, or arrays are faster."""


@verified
def loops_in_numbers(graph: Graph) -> Graph:
    """Compute the steps of loops with Python's own floats where that pays."""
    rewriting = _Rewriting(graph.names)
    rewriting.rewrite(graph.results.values())
    if not rewriting.grids:
        return graph
    moved = map_graph(graph, rewriting.told)
    return replace(moved, names={**rewriting.spoken, **moved.names})


@dataclass(frozen=True, slots=True)
class _Rewriting:
    """A graph on its way: `ends` are the values that loops end with, `grids` the components of the
    arrays that loops in numbers make, `numbers` what is told of in the place of scalars of their
    steps, which may be those of other loops, too; `spoken` are the names of components."""

    names: Mapping[Node, str]
    new: dict[Node, Node] = field(default_factory=dict)
    ends: dict[Node, Sequence[Node]] = field(default_factory=dict)
    grids: dict[Node, Grid] = field(default_factory=dict)
    numbers: dict[Node, Node] = field(default_factory=dict)
    spoken: dict[Node, str] = field(default_factory=dict)

    @property
    def told(self) -> ChainMap[Node, Node]:
        """Return what comments and names are about in the place of each node."""
        return ChainMap(self.new, self.numbers)

    def rewrite(self, roots: Iterable[Node]) -> None:
        """Find what takes the place of each node that the roots reach."""
        for node in arguments_first(roots, self.new):
            with stamped(node.origin, node.place):
                if node.op is LOOP:
                    self.new[node] = self.loop(node)
                elif node.op is RESULT and node.attrs["number"] == STEPS:
                    self.new[node] = result(self.new[node.args[0]], STEPS)
                elif node.op is RESULT:
                    self.new[node] = self.ends[node.args[0]][node.attrs["number"]]
                else:
                    self.new[node] = with_args(node, tuple(self.new[arg] for arg in node.args))

    def loop(self, node: Node) -> Node:
        """Return a loop in numbers, or with those in numbers that stand inside; note its ends."""
        loop = loop_of(node)
        if _is_tiny(loop):
            try:
                return self.in_numbers(node)
            except Stuck:
                pass
        self.new.update({one: one for one in loop.bound})
        self.rewrite(loop.roots)
        initials, sources, _ = loop_arguments(node)
        elements = [self.element(one.of, one.node, one.axis) for one in loop.elements]
        spoken = map_adjoints(loop.adjoints, self.told)
        made = self.make(
            node,
            replace(loop.map_roots(self.new), elements=tuple(elements), adjoints=spoken),
            [self.new[one] for one in initials],
            [self.new[one] for one in sources],
        )
        self.ends[node] = [result(made, number) for number in range(len(loop.results))]
        return made

    def element(self, of: Node | None, node: Node, axis: int) -> Element:
        return Element(node, axis, None if of is None else self.told.get(of, of))

    def make(
        self, node: Node, loop: Loop, initials: Sequence[Node], sources: Sequence[Node]
    ) -> Node:
        steps = limit(node)
        return make_loop(loop, initials, sources, None if steps is None else self.new[steps])

    def in_numbers(self, node: Node) -> Node:
        """Return a loop by component; raises Stuck."""
        loop = loop_of(node)
        initials, sources, outer = loop_arguments(node)
        inside = Expansion(set(body(loop)), dict(self.grids))
        rows = dict(zip((one.node for one in loop.elements), sources, strict=True))
        members = {one for one, source in rows.items() if is_of_family(source)}
        bounds = {one: _bound_cells(one) for one in loop.bound if one not in members}
        inside.grids.update({one: Grid(cells, None) for one, cells in bounds.items()})
        known = {one: one for one in loop.bound} | {one: self.new[one] for one in outer}
        parted = rebuild(loop.roots, inside.replaced, known)
        cells = {root: inside.grid(parted[root]).cells for root in loop.roots}
        given = [cell for every in bounds.values() for cell in every.reshape(-1)]
        ends = [cell for every in cells.values() for cell in every.reshape(-1)]
        numbers = _numbers(ends, given, [*bounds], members, loop)
        if not _pays(loop, numbers, members):
            raise Stuck

        def of(roots: Sequence[Node]) -> tuple[Node, ...]:
            return tuple(numbers[cell] for root in roots for cell in cells[root].reshape(-1))

        nexts = tuple(_as_number(one) if one.static else one for one in of(loop.nexts))

        elements, vectors = list[Element](), list[Node]()
        for one, source in zip(loop.elements, sources, strict=True):
            if one.node in members:
                elements.append(self.element(one.of, one.node, one.axis))
                vectors.append(self.new[source])
            else:
                parts = bounds[one.node].reshape(-1)
                elements += [self.element(one.of, cell, 0) for cell in parts]
                vectors += self.vectors(self.new[source], one.axis)
        scalars = self.name(loop, parted, inside, numbers)
        made = self.make(
            node,
            replace(
                loop,
                carried=tuple(cell for one in loop.carried for cell in bounds[one].reshape(-1)),
                elements=tuple(elements),
                nexts=nexts,
                collected=of(loop.collected),
                until=None if loop.until is None else of([loop.until])[0],
                adjoints=map_adjoints(loop.adjoints, self.told.new_child(scalars)),
            ),
            [_as_number(cell) for one in initials for cell in inside.grid(self.new[one]).nodes],
            vectors,
        )
        self.ends[node] = self.whole(loop, made)
        return made

    def vectors(self, source: Node, axis: int) -> list[Node]:
        """List the components of what a loop runs over, as vectors of Python's numbers."""
        grid, length = self.grids.get(source), source.shape[axis]
        if grid is not None and grid.block == axis:
            return [numbers_of(repeat(cell, length)) for cell in grid.nodes]
        short = tuple(n for other, n in enumerate(source.shape) if other != axis)
        found = []
        for place in np.ndindex(cells_shape(short, None)):
            items = [("at", Dim.of(i)) for i in place]
            items.insert(axis, whole_axis(length))
            found.append(index(source, items=tuple(items)) if place else source)
        return [numbers_of(vector) for vector in found]

    def name(
        self,
        loop: Loop,
        parted: Mapping[Node, Node],
        inside: Expansion,
        numbers: Mapping[Node, Node],
    ) -> dict[Node, Node]:
        """Return what numbers take the place of scalars; note them, and the names of components."""
        scalars = {}
        for node in (*loop.bound, *body(loop)):
            array = parted.get(node, node)
            if not node.rank and array in numbers:
                scalars[node] = numbers[array]
            for cell, place in inside.parts(array) if node in self.names else ():
                if cell in numbers:
                    self.spoken.setdefault(numbers[cell], f"{self.names[node]}{place}")
        for one, number in numbers.items():
            if number.op is to_number and one in self.names:
                self.spoken.setdefault(number, self.names[one])
        self.numbers.update(scalars)
        return scalars

    def whole(self, loop: Loop, made: Node) -> list[Node]:
        """List what a loop ends with, of the components that it ends with now."""
        ends, number = list[Node](), 0
        for place, item in enumerate(loop.results):
            stacked = place >= len(loop.carried)
            shape = cells_shape(item.shape, None)
            cells: Cells = np.empty(shape, object)
            for at in np.ndindex(shape):
                cells[at] = result(made, number) if stacked else to_scalar(result(made, number))
                number += 1
            grid = Grid(cells[None] if stacked else cells, 0 if stacked else None)
            ends.append(assembled(grid, _stacked(item, loop) if stacked else item.type))
            self.grids[ends[-1]] = grid
        return ends


def _stacked(item: Node, loop: Loop) -> Type:
    return item.type.with_shape((loop.count, *item.shape))


def _bound_cells(node: Node) -> Cells:
    """Return a number for each component of what a loop binds."""
    shape = cells_shape(node.shape, None)
    cells: Cells = np.empty(shape, object)
    for place in np.ndindex(shape):
        cells[place] = bound(
            "_".join([node.attrs["name"], *map(str, place)]), Type(node.type.dtype)
        )
    return cells


def _numbers(
    roots: Sequence[Node],
    given: Sequence[Node],
    whole: Sequence[Node],
    members: Collection[Node],
    loop: Loop,
) -> dict[Node, Node]:
    """Map the nodes of a step to the same on Python's numbers; raises Stuck.

    `given` are numbers already, the components of what the loop binds as a `whole`, which nothing
    may read any more; the members of lists are arrays.
    """
    changes = changing(roots, [*given, *whole, *members], loop.index)
    found = {one: one for one in given}
    fixed = {arg for one in changes for arg in one.args} | set(roots)
    for one in sorted(fixed - changes, key=lambda node: node.index):
        found[one] = one if one.static else _as_number(one)
    for one in arguments_first(roots, found):
        if one in members or (one.op is index and one.args[0] in members):
            found[one] = _as_number(one)
            continue
        op = None if one.type.dtype == "int" else guarded(one)
        if op is None and not one.static:
            raise Stuck
        with stamped(one.origin, one.place):
            args = tuple(found[arg] for arg in one.args)
            found[one] = one if op is None else intern(op, args, one.attrs, one.type)
    return found


def _as_number(node: Node) -> Node:
    """Return what is carried or captured as a number of Python; a truth value is one anyway."""
    known = node.op.numbers or node.op is limit_of_dtype
    return node if known or node.type.dtype != "float" else to_number(node)


# ---- which loops ---------------------------------------------------------------------------------


def _is_tiny(loop: Loop) -> bool:
    """True if all that a step computes with are arrays of a few numbers."""
    nodes = body(loop)
    if any(node.op in (LOOP, RESULT) for node in nodes):
        return False
    arrays = {*loop.roots, *loop.bound, *nodes, *(arg for node in nodes for arg in node.args)}
    plain = all(is_tiny(one) and not is_of_family(one) and one.type.size.constant for one in arrays)
    return plain and sum(map(operations, nodes)) <= MOST


def _pays(loop: Loop, numbers: Mapping[Node, Node], members: Collection[Node]) -> bool:
    """True if numbers take half the time of the calls of NumPy, or less.

    To put a number into an array takes as long as to compute it; to take one out of an array, of a
    list in a step or before the first one, or to make one of NumPy's after the last, half a call.
    """
    made = [one.op for one in numbers.values() if one.op.numbers]
    computed = sum(1 for op in made if op is not to_number)
    converted = len(made) - computed + 2 * _elements(loop.carried)
    steps = typical(loop.count)
    step = (computed + _elements(loop.collected)) * NUMBER + _elements(members) * CALL // 2
    work = step * steps + converted * CALL // 2
    return computed <= FEW and 2 * work <= steps * sum(map(_time, body(loop)))


def _elements(nodes: Iterable[Node]) -> int:
    return sum(int(one.type.size.constant or 0) for one in nodes)


def _time(node: Node) -> int:
    """Estimate what NumPy takes for a node: a scalar costs a quarter of a call, a view half."""
    if node.op.view_of is not None:
        return CALL // 2
    whole = node.rank or any(arg.rank for arg in node.args)
    return calls(node) * CALL // (1 if whole else 4)
