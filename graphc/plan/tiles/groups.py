"""A program -> its regions: which of its nodes run together, block by block along one axis."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from graphc.ir.dims import Dim, sum_dims
from graphc.ir.graph import Node
from graphc.ir.loop import LOOP, RESULT
from graphc.ir.sizes import typical
from graphc.ops.cost import CALL, FAR, WRITTEN, calls
from graphc.ops.fused import vdot
from graphc.ops.linear.products import matmul
from graphc.ops.reduce.reduction import sum_
from graphc.plan.program import Program, Step
from graphc.plan.tiles.axis_classes import Axis, Classes, axis_along, heaviest, is_heavy
from graphc.plan.tiles.loops import Body, leaves_apart
from graphc.records import dataclass

LEAST_STEPS = 4
"""So many passes over arrays are worth a function of their own."""
LEAST_POSITIONS = 8
"""An axis that is known to be shorter has no blocks."""
CACHED = 2**17
"""Elements of arrays that stay in the cache by themselves."""
CANDIDATES, FIRST = 8, 4
"""So many classes are looked at, and so many tried as the one that most nodes run along."""
POSITIONS = 1024
"""How long an axis is taken to be whose blocks are judged."""
GAIN = 0.1
"""So much of the time has to be expected to be saved, where no cache holds all of it."""
NEGLIGIBLE = 0.02
"""A region that saves less than this share of what all save is not worth a function."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Nodes that run together, and along which axes; `level` puts regions in their order.

    `totals` are sums over the axis, which leave the region; so do the values in `read`.
    """

    level: int
    chosen: Axis
    nodes: tuple[Node, ...]
    totals: frozenset[Node]
    read: frozenset[Node]


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of a program, and of every node how many regions are through before it."""

    regions: tuple[Region, ...]
    levels: Mapping[Node, int]


class _Whole:
    """What is the same whatever the regions are."""

    def __init__(
        self,
        program: Program,
        ends: Sequence[Node],
        nodes: Sequence[Node],
        given: Collection[Node],
        classes: Classes,
        loops: Mapping[Node, Body],
        outside: Collection[Node],
    ) -> None:
        self.nodes, self.given, self.classes, self.outside = nodes, given, classes, outside
        self.ends = frozenset(ends)
        self.loops = {node: body for node, body in loops.items() if _can_be_inside(body, classes)}
        self.apart = [body for node, body in loops.items() if node not in self.loops]
        self.variables = program.variables
        self.computed = {
            step.node
            for step in program.steps
            if isinstance(step, Step) and step.node.op.view_of is None and step.node.rank
        }
        self.computed.update(self.loops)
        self.computed.update(end for body in self.loops.values() for end in body.kept if end.rank)
        self.known: Mapping[str, int] = {}
        self.size = {node: typical(node.type.size) for node in nodes}
        self.steps = {node: _count_steps(body, {}) for node, body in self.loops.items()}
        self.reads = {node: _computed_behind(node, self) for node in self.computed}
        self.users: dict[Node, list[Node]] = {node: [] for node in nodes}
        for node in nodes:
            for arg in () if node in given else node.args:
                self.users[arg].append(node)

    def stretch(self, chosen: Axis) -> None:
        """Set sizes to those where this axis is long."""
        length = chosen[0].shape[chosen[1]]
        known = dict.fromkeys(length.symbols, POSITIONS)
        self.size = {node: typical(node.type.size, known) for node in self.nodes}
        self.steps = {node: _count_steps(body, known) for node, body in self.loops.items()}
        self.known = known

    def time(self) -> int:
        """Estimate the time that all takes, with what is read and written going to memory."""
        moved = sum(self.steps.values()) + sum(
            self.size[node] + sum(self.size[arg] for arg in self.reads[node] & self.computed)
            for node in self.computed
        )
        moved += sum(_count_steps(body, self.known) for body in self.apart)
        bodies = (*self.loops.values(), *self.apart)
        alone = ((node, Dim.of(1)) for node in self.computed - self.loops.keys())
        stepped = (each for body in bodies for each in body.computed)
        work = sum_dims(
            (node.op.flops(node) + calls(node) * CALL * WRITTEN) * times
            for node, times in (*alone, *stepped)
        )
        return typical(work, self.known) + moved * (WRITTEN + FAR)


def _can_be_inside(body: Body, classes: Classes) -> bool:
    """True if there is an axis that a loop can run for a part of."""
    axes = {one for end in (*body.loop.carried, *body.results) for one in classes.all(end)}
    return any(leaves_apart(body, classes, one) for one in axes)


def _count_steps(body: Body, known: Mapping[str, int]) -> int:
    """Count the elements that all steps of a loop read and write."""
    return sum(
        typical(times, known) * sum(typical(one.type.size, known) for one in (node, *node.args))
        for node, times in body.computed
    )


def regions(
    program: Program,
    ends: Sequence[Node],
    nodes: Sequence[Node],
    given: Collection[Node],
    classes: Classes,
    loops: Mapping[Node, Body],
    outside: Collection[Node] = (),
) -> Regions:
    """Choose the regions that save most time by keeping values in the cache, if it is worth it.

    Each choice is judged by sizes for which it is made: its axis is long. Where memory is bounded,
    whatever is kept is worth it. What has to be `outside` is in none.
    """
    whole = _Whole(program, ends, nodes, given, classes, loops, outside)
    candidates = _candidates(whole)
    best, most = Regions((), {}), 0.0 if program.bounded else GAIN
    for chosen, _ in candidates[:FIRST]:
        first = sorted(candidates, key=lambda one: one[0] != chosen)
        whole.stretch(chosen)
        found = _form(whole, *_assign(first, whole))
        saved = sum(_count_saved(whole, region) * _ease(whole, region) for region in found.regions)
        gain = saved * FAR / whole.time()
        if gain > most:
            best, most = found, gain
    return best


def _candidates(whole: _Whole) -> list[tuple[Axis, list[Node]]]:
    """Classes with the nodes that may run along them, those with most elements first."""
    weights = {node: whole.size[node] for node in whole.nodes if node in whole.computed}
    for body in whole.loops.values():
        weights |= {one: typical(one.type.size * times) for one, times in body.computed}
    return [
        (
            chosen,
            [
                node
                for node in whole.nodes
                if node not in whole.given
                and node not in whole.outside
                and _can_run(node, whole, chosen)
            ],
        )
        for chosen in heaviest(weights, whole.classes, LEAST_STEPS, CANDIDATES)
        if (length := chosen[0].shape[chosen[1]].constant) is None or length >= LEAST_POSITIONS
    ]


def _can_run(node: Node, whole: _Whole, chosen: Axis) -> bool:
    """True if a node can be computed for a part of an axis."""
    if node.op is RESULT:
        (loop,) = node.args
        own = len(whole.classes.axes(node, chosen)) == 1
        return own and loop not in whole.outside and _can_run(loop, whole, chosen)
    if node.op is LOOP:
        return node in whole.loops and leaves_apart(whole.loops[node], whole.classes, chosen)
    slices = axis_along(node, whole.classes, chosen) is not None
    return slices and not is_heavy(node, whole.classes, chosen)


def _assign(
    candidates: Sequence[tuple[Axis, list[Node]]], whole: _Whole
) -> tuple[dict[Node, Axis], dict[Node, Axis]]:
    """Assign to each node the first class along which it can run, and that which it sums over."""
    places: dict[Node, Axis] = {}
    totals: dict[Node, Axis] = {}
    for chosen, along_it in candidates:
        mine = [node for node in along_it if node not in places and node not in totals]
        places.update(dict.fromkeys(mine, chosen))
        users = dict.fromkeys(user for node in mine for user in whole.users[node])
        taken = (places, totals, whole.outside)
        summing = [node for node in users if not any(node in one for one in taken)]
        totals.update(
            (node, chosen) for node in summing if _is_total(node, chosen, places, whole.classes)
        )
    return places, totals


# ---- which run together -------------------------------------------------------------------------


def _form(whole: _Whole, places: dict[Node, Axis], totals: dict[Node, Axis]) -> Regions:
    """Form the regions of an assignment, without those that save little."""
    while True:
        levels = _levels(whole, places, totals)
        _sink(whole, places, totals, levels)
        found = _group(whole, places, totals, levels)
        saved = [_count_saved(whole, region) for region in found]
        dropped = [
            region
            for region, one in zip(found, saved, strict=True)
            if one < NEGLIGIBLE * sum(saved) or not _is_long(whole, region)
        ]
        if not dropped:
            return Regions(tuple(found), levels)
        for node in (node for region in dropped for node in region.nodes):
            places.pop(node, None)
            totals.pop(node, None)


def _levels(
    whole: _Whole, places: Mapping[Node, Axis], totals: Mapping[Node, Axis]
) -> dict[Node, int]:
    """Return when each node can run, counted in regions that must be through before."""
    levels: dict[Node, int] = dict.fromkeys(whole.given, 0)
    for node in whole.nodes:
        if node in whole.given:
            continue
        own = _own(node, places, totals)
        level = 0
        for arg in node.args:
            crosses = arg in places and places[arg] != own
            level = max(level, levels[arg] + crosses)
        levels[node] = level + (node in totals)
    return levels


def _own(node: Node, places: Mapping[Node, Axis], totals: Mapping[Node, Axis]) -> Axis | None:
    return places.get(node) or totals.get(node)


def _sink(
    whole: _Whole,
    places: Mapping[Node, Axis],
    totals: Mapping[Node, Axis],
    levels: dict[Node, int],
) -> None:
    """Move what only a later region reads there, unless more would have to be kept for it."""

    def region(node: Node) -> int:
        return levels[node] - (node in totals)

    def leaves(node: Node, level: int) -> bool:
        """True if a node is read outside of the region at this level."""
        return node in whole.ends or any(
            _own(user, places, totals) != places[node] or region(user) != level
            for user in whole.users[node]
        )

    for node in reversed(whole.nodes):
        users = whole.users.get(node)
        if node not in places or not users or node in whole.ends or node.op in (LOOP, RESULT):
            continue
        latest = min(region(user) - (_own(user, places, totals) != places[node]) for user in users)
        if latest <= levels[node]:
            continue
        more = {
            arg
            for arg in _computed_behind(node, whole)
            if places.get(arg) == places[node]
            and levels[arg] < latest
            and not leaves(arg, levels[arg])
        }
        if node not in whole.computed or sum(whole.size[n] for n in more) <= whole.size[node]:
            levels[node] = latest


def _computed_behind(node: Node, whole: _Whole) -> set[Node]:
    """Return the computed nodes that a node reads, also through views."""
    found: set[Node] = set()
    pending = list(node.args)
    while pending:
        one = pending.pop()
        if one in whole.computed or one in whole.given or one.op is RESULT:
            found.add(one)
        else:
            pending += one.args
    return found


def _group(
    whole: _Whole,
    places: Mapping[Node, Axis],
    totals: Mapping[Node, Axis],
    levels: Mapping[Node, int],
) -> list[Region]:
    """Group what runs at one level along one class, in the order of levels."""
    grouped: dict[tuple[int, Axis], list[Node]] = {}
    for node in whole.nodes:
        if node in places:
            grouped.setdefault((levels[node], places[node]), []).append(node)
        elif node in totals:
            grouped.setdefault((levels[node] - 1, totals[node]), []).append(node)
    inside = {node: key for key, group in grouped.items() for node in group}
    return [
        Region(
            level,
            chosen,
            tuple(group),
            frozenset(node for node in group if node in totals),
            frozenset(node for node in group if _is_read_outside(node, whole, inside)),
        )
        for (level, chosen), group in sorted(grouped.items(), key=lambda one: one[0][0])
    ]


def _is_read_outside(node: Node, whole: _Whole, inside: Mapping[Node, tuple[int, Axis]]) -> bool:
    """True if something outside of its region reads a variable, also in what is written there."""
    if node not in whole.variables:
        return False
    pending, own = [node], inside[node]
    while pending:
        one = pending.pop()
        if one in whole.ends:
            return True
        for user in whole.users[one]:
            if user in whole.variables:
                if inside.get(user) != own:
                    return True
            else:
                pending.append(user)
    return False


def _count_saved(whole: _Whole, region: Region) -> int:
    """Count the elements that need not go to memory and back, being read where written."""
    members = {node for node in region.nodes if node in whole.computed}
    total = sum(whole.steps.get(node, 0) for node in members)
    for node in members:
        total += sum(whole.size[arg] for arg in whole.reads[node] & members)
        if node not in region.read and node not in region.totals:
            total += whole.size[node]
    return total


def _ease(whole: _Whole, region: Region) -> float:
    """Less where the axis is seldom the first, so that a block is no piece of memory."""
    members = [node for node in region.nodes if node in whole.computed and node.rank]
    first = sum(whole.classes.axes(node, region.chosen) == [0] for node in members)
    return 0.85 + 0.15 * first / max(len(members), 1)


def _is_long(whole: _Whole, region: Region) -> bool:
    """True if there is enough to do, on arrays that may be too large for the cache."""
    members = [n for n in region.nodes if n in whole.computed and n.op not in (LOOP, RESULT)]
    members += [one for n in region.nodes if n in whole.loops for one, _ in whole.loops[n].computed]
    known = [node.type.size.constant for node in members]
    elements = [size for size in known if size is not None]
    return len(members) >= LEAST_STEPS and (len(elements) < len(known) or sum(elements) > CACHED)


def _is_total(node: Node, chosen: Axis, places: Mapping[Node, Axis], classes: Classes) -> bool:
    """True if a node only sums over a class, so that it is the sum of what its blocks give."""
    if classes.axes(node, chosen):
        return False
    if node.op is sum_:
        axes, (arg,) = node.attrs["axis"], node.args
        summed = range(arg.rank) if axes is None else {axis % arg.rank for axis in axes}
        mine = classes.axes(arg, chosen)
        return places.get(arg) == chosen and len(mine) == 1 and mine[0] in summed
    if node.op is vdot:
        return all(len(classes.axes(arg, chosen)) == 1 for arg in node.args)
    if node.op is not matmul or is_heavy(node, classes, chosen):
        return False
    left, right = node.args
    return classes.axes(left, chosen) == [left.rank - 1] and classes.axes(right, chosen) == [
        max(right.rank - 2, 0)
    ]
