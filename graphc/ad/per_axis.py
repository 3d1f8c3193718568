"""Contributions of each position of an axis: sums over the axis that are not taken.

A node is *apart* along an axis of length P if slice p of it depends on position p of the data
alone. A sum of such slices over p is what the positions contribute to it; everything that is
linear in such a sum has contributions too. Nothing is computed twice for that: where a product
sums over the axis, the product of each position is kept instead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from graphc.ad.batch import batch
from graphc.ad.positions import Apart, axis_in_reshape, positions_first, slices_of, spread_rows
from graphc.ir.dims import Dim
from graphc.ir.graph import SOURCES, Node, Op, arguments_first, as_node, uses
from graphc.ir.loop import BOUND, LOOP, RESULT, RULED, STEPS, Loop, bound, loop_arguments, loop_of
from graphc.ir.order import topological
from graphc.ir.types import Mismatch, is_one
from graphc.ops.define.families import normal_axes
from graphc.ops.elementwise.arithmetic import (
    accumulate,
    hold,
    identity,
    minus,
    negative,
    over,
    plus,
    times,
    where,
)
from graphc.ops.linear.products import matmul
from graphc.ops.reduce.reduction import count, mean, sum_
from graphc.ops.select.gathering import scatter
from graphc.ops.shape.shaping import broadcast_to, expand, full_array, reshape
from graphc.records import dataclass, field

WORDS = {RULED: "a rule", hold: "a rule", LOOP: "what a loop carries"}
"""How what mixes positions is called where it is no operation of the language."""
LONGEST = 60  # characters of a statement that a refusal cites


@dataclass(slots=True)
class AxisTrace:
    """What is known of a graph's nodes: who is apart, who moves, and who is a sum of positions.

    `moving` are the nodes whose contributions are asked for; others are data. `contributions` has
    for nodes that sum over the axis what each position contributes, with a leading axis. What is
    `open` moves, has the axis more than once, and may be apart along each of these: which one it is
    shows where it meets what is apart, or where all others are summed over.
    """

    per: Dim
    linear: bool  # is everything that moves linear in it, as in a pullback?
    apart: dict[Node, Apart] = field(default_factory=dict)
    moving: set[Node] = field(default_factory=set)
    summed: set[Node] = field(default_factory=set)
    contributions: dict[Node, Node] = field(default_factory=dict)
    open: dict[Node, frozenset[Apart]] = field(default_factory=dict)

    def rows(self, node: Node) -> Node:
        """Return what each position contributes to a node, with the positions first."""
        if node in self.apart:
            return positions_first(node, self.apart[node], self.per)
        carried = (n for n in arguments_first([node], self.contributions) if n.op is BOUND)
        if node not in self.summed or any(n in self.summed for n in carried):
            raise self.doubt(node) if node in self.open else mixing_error(node, self.per)
        return batch([node], self.contributions, self.per, among=self.summed)[node]

    def doubt(self, node: Node) -> Mismatch:
        """Build the refusal that nothing says which axis of an open node is meant."""
        while any(arg in self.open for arg in node.args):
            node = next(arg for arg in node.args if arg in self.open)
        times = sum(axis == self.per for axis in node.shape)
        named = "" if node.op not in SOURCES else f"`{node.attrs['name']}`: "
        return Mismatch(
            "E408",
            f"axis {self.per} cannot be kept apart: {named}{node.type} has {times} axes {self.per},"
            f" and nothing says which of them is meant{_cite(node)}",
            "give one of them a dim of its own",
        )


def mixing_error(node: Node, per: Dim, instead: str | None = None) -> Mismatch:
    """Build the refusal, which names the operation that mixes the axis."""
    while node.op in (identity, RESULT):
        node = node.args[0]
    what = WORDS.get(node.op, f"`{node.op.name}`")
    return Mismatch(
        "E408",
        f"axis {per} cannot be kept apart: {what} mixes its positions{_cite(node)}",
        instead or f"leave out `per {per}`, or let each position be computed without the others",
    )


def _cite(node: Node) -> str:
    """Cite the statement that a node comes from."""
    text = "" if node.origin is None else " ".join(node.origin.span.text.split())
    cited = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return cited and f", here: `{cited}`"


def follow_axis(found: AxisTrace, results: Iterable[Node], given: Collection[Node] = ()) -> None:
    """Follow the axis through everything that the results reach."""
    for node in topological(results, set(given)):
        if node in found.apart or node in found.summed or node in given:
            continue
        if node.op is LOOP:
            _trace_loop(found, node)
        elif node.op is RESULT:
            _trace_end(found, node)
        elif node.op is RULED:
            if node.args[0] in found.summed and not found.linear:
                raise mixing_error(
                    node, found.per
                )  # its rule is for the sum, not for what it is made of
            _copy(found, node.args[0], node)
        else:
            _trace_node(found, node)


def _copy(found: AxisTrace, old: Node, new: Node) -> None:
    if old in found.apart:
        found.apart[new] = found.apart[old]
    if old in found.open:
        found.open[new] = found.open[old]
    for group in (found.moving, found.summed):
        if old in group:
            group.add(new)


def _trace_node(found: AxisTrace, node: Node) -> None:
    moving = [arg for arg in node.args if arg in found.moving]
    if node.type.dtype != "float" or node in found.moving:
        moving = []
    if moving:
        found.moving.add(node)
    if any(arg in found.summed for arg in moving):
        if not found.linear and node.op in (plus, minus):
            if not all(arg in found.summed for arg in node.args):
                found.contributions[node] = _share(found, node)
        elif not found.linear and not _linear_in(node, moving, found.summed):
            raise mixing_error(_mixer(found, node), found.per)
        for arg in moving:
            if arg in found.apart:  # beside a sum: each position alone, zeros elsewhere
                found.contributions[arg] = spread_rows(arg, found.apart[arg], found.per)
        found.summed.add(node)
        return
    places = {
        slot: _axis_in_result(node, slot, found.apart[arg], found.per)
        for slot, arg in enumerate(node.args)
        if arg in found.apart and (arg in moving or not found.linear)
    }
    undecided = [
        {_axis_in_result(node, slot, place, found.per) for place in found.open[arg]} - {None}
        for slot, arg in enumerate(node.args)
        if arg in moving and arg in found.open
    ]
    agreed = set(places.values())
    if len(agreed) == 1 and None not in agreed:
        if not all(agreed <= may for may in undecided):
            raise mixing_error(node, found.per)
        found.apart[node] = next(place for place in agreed if place is not None)
        return
    if not moving or not places:
        _trace_own(found, node, moving, undecided)
        return
    if undecided:
        raise found.doubt(node)
    whole = [arg for arg in moving if arg in found.apart]
    if not whole or any(places[node.args.index(arg)] is not None for arg in whole):
        raise mixing_error(node, found.per)
    if node.op in _SUMS:
        found.contributions[node] = _SUMS[node.op](found, node)
    elif found.linear or node.op.structure == "linear":
        for arg in whole:
            found.contributions[arg] = spread_rows(arg, found.apart[arg], found.per)
    else:
        raise mixing_error(node, found.per)
    found.summed.add(node)


def _trace_own(
    found: AxisTrace, node: Node, moving: Collection[Node], undecided: Sequence[set[Apart | None]]
) -> None:
    """Trace a node that has the axis of itself, or of what is open (`undecided`: its places)."""
    may: set[Apart | None] = {Apart(a) for a, size in enumerate(node.shape) if size == found.per}
    if undecided:
        has, may = bool(may), set.intersection(*undecided)
        if not may:
            raise mixing_error(node, found.per) if has else found.doubt(node)
    elif any(found.per in arg.shape for arg in moving):
        return
    places = frozenset(place for place in may if place is not None)
    if len(places) == 1:
        (found.apart[node],) = places
    elif places and node in found.moving:
        found.open[node] = places


def _share(found: AxisTrace, node: Node) -> Node:
    """Add the contributions of terms; one of no position is shared equally among all."""
    rows = []
    for arg in node.args:
        if arg in found.summed:
            rows.append(found.rows(arg))
        elif any(found.per in below.shape for below in arguments_first([arg])):
            raise mixing_error(_mixer(found, node), found.per)
        else:
            whole = broadcast_to(arg, shape=(found.per, *arg.shape))
            rows.append(whole / as_node(found.per))
    assert node.op.batch is not None
    return node.op.batch(node, tuple(rows), (True,) * len(rows), found.per)


def _mixer(found: AxisTrace, node: Node) -> Node:
    """Find what put the positions together: the node, or what it reads if it has the axis."""
    while found.per in node.shape:
        before = [arg for arg in node.args if arg in found.summed and arg in found.moving]
        if not before:
            break
        node = before[0]
    return node


def _linear_in(node: Node, moving: Collection[Node], summed: Collection[Node]) -> bool:
    """True if a node is linear in its moving arguments together, and zero where they are."""
    if not all(arg in summed for arg in moving):
        return False
    floats = [arg for arg in node.args if arg.type.dtype == "float"]
    if node.op in (plus, minus, accumulate):
        return len(moving) == len(floats)
    if node.op is times:
        return len(moving) == 1
    if node.op is over:
        return node.args[1] not in moving
    if node.op is where:
        return len(moving) == len(floats)
    return node.op is negative or (node.op.structure == "linear" and len(moving) == len(floats))


def _axis_in_result(node: Node, slot: int, place: Apart, per: Dim) -> Apart | None:
    """Return the place in the result of an argument's axis, None where it is mixed."""
    if node.op is reshape:
        return axis_in_reshape(node, place, per)
    axis = node.op.axes(node)[slot][place.axis]
    return None if axis is None else place.at(axis)


# ---- loops --------------------------------------------------------------------------------------


def _trace_loop(found: AxisTrace, node: Node) -> None:
    """Trace a loop's body: what is known of a carried value holds from first to last step."""
    loop = loop_of(node)
    initials, sources, outer = loop_arguments(node)
    for element, source in zip(loop.elements, sources, strict=True):
        if source in found.open:
            raise found.doubt(source)
        if source in found.apart:
            place = found.apart[source]
            if place.axis == element.axis:
                if source in found.moving:
                    raise mixing_error(node, found.per)
                continue
            found.apart[element.node] = place.at(place.axis - (place.axis > element.axis))
        if source in found.moving:
            found.moving.add(element.node)
        if source in found.summed:
            found.summed.add(element.node)
    for carried, initial in zip(loop.carried, initials, strict=True):
        _copy(found, initial, carried)
    while True:
        before = _state_of(found, loop)
        inside = [n for n in uses(loop.results, given={*outer, *loop.bound}) if n not in outer]
        for n in set(inside) - set(loop.bound):
            found.apart.pop(n, None)
            found.contributions.pop(n, None)
            found.open.pop(n, None)
            found.moving.discard(n)
            found.summed.discard(n)
        follow_axis(found, loop.results, given={*outer, *loop.bound})
        for one in (*initials, *loop.results):
            if one in found.open:
                raise found.doubt(one)
        for carried, following in zip(loop.carried, loop.nexts, strict=True):
            places = {found.apart[n] for n in (carried, following) if n in found.apart}
            if len(places) > 1:
                raise mixing_error(node, found.per)
            _copy(found, following, carried)
            if carried in found.summed:
                found.apart.pop(carried, None)
        if _state_of(found, loop) == before:
            break
    for carried, initial in zip(loop.carried, initials, strict=True):
        for one in (initial, loop.follow[carried]) if carried in found.summed else ():
            if one in found.apart:  # each position alone, zeros elsewhere
                found.contributions[one] = spread_rows(one, found.apart[one], found.per)
            elif one not in found.summed and not (found.linear or _is_zero(one)):
                add = "let the loop start from 0.0, and add what it starts from behind it"
                raise mixing_error(node, found.per, add)


def _is_zero(node: Node) -> bool:
    value = node.attrs["value"] if node.op is full_array else node.value
    return isinstance(value, int | float) and value == 0


def _state_of(found: AxisTrace, loop: Loop) -> list[tuple[object, ...]]:
    return [(found.apart.get(c), c in found.moving, c in found.summed) for c in loop.carried]


def _trace_end(found: AxisTrace, node: Node) -> None:
    loop = loop_of(node.args[0])
    number = node.attrs["number"]
    if number == STEPS:
        return
    stacked = number >= len(loop.carried)
    inner = loop.results[number] if stacked else loop.carried[number]
    if inner in found.apart:
        place = found.apart[inner]
        found.apart[node] = place.at(place.axis + 1) if stacked else place
    for group in (found.moving, found.summed):
        if inner in group:
            group.add(node)


# ---- contributions ------------------------------------------------------------------------------


def _apply_apart(found: AxisTrace, node: Node, axes: Mapping[int, Apart]) -> Node:
    """Apply a node's operation to each position alone; `axes` are where its arguments have them."""
    slices = [
        slices_of(arg, axes[slot], found.per) if slot in axes else arg
        for slot, arg in enumerate(node.args)
    ]
    parts = [
        bound("slice", arg.type.with_shape(slices[slot].shape[1:])) if slot in axes else arg
        for slot, arg in enumerate(node.args)
    ]
    one = node.op(*parts, **node.attrs)
    leads = tuple(slot in axes for slot in range(len(node.args)))
    assert one.op.batch is not None
    return reshape(
        one.op.batch(one, tuple(slices), leads, found.per), shape=(found.per, *node.shape)
    )


def _sum_apart(found: AxisTrace, node: Node) -> Node:
    x = node.args[0]
    place = found.apart[x]
    rest = [a for a in normal_axes(node.attrs["axis"], x.rank, "sum") if a != place.axis]
    rows = slices_of(x, place, found.per)
    if place == Apart(place.axis):
        rows = positions_first(x, place, found.per)
        axes = [a + (a < place.axis) for a in rest]
    else:
        axes = [a + 1 for a in sorted([*rest, place.axis])]
    total = sum_(rows, axis=tuple(axes), keepdims=False) if axes else rows
    return reshape(total, shape=(found.per, *node.shape))


def _mean_apart(found: AxisTrace, node: Node) -> Node:
    x, axis = node.args[0], node.attrs["axis"]
    return _sum_apart(found, node) / count(x, axis)


def _product_apart(found: AxisTrace, node: Node) -> Node:
    """Multiply matrices summed over the axis: of both factors the same positions."""
    x, y = node.args
    inner = {0: x.rank - 1, 1: max(y.rank - 2, 0)}
    place = next(found.apart[arg] for arg in node.args if arg in found.moving)
    for slot, arg in enumerate(node.args):
        if arg in found.moving and arg in found.apart and found.apart[arg] != place.at(inner[slot]):
            raise mixing_error(node, found.per)
    if place == Apart(place.axis) and max(x.rank, y.rank) <= 2:
        rows = [positions_first(n, place.at(inner[i]), found.per) for i, n in enumerate(node.args)]
        return _outer_products(found, node, rows)
    return _apply_apart(found, node, {slot: place.at(axis) for slot, axis in inner.items()})


def _outer_products(found: AxisTrace, node: Node, factors: Sequence[Node]) -> Node:
    """Multiply matrices and vectors by position: rows by columns."""
    x, y = factors
    if x.rank == y.rank == 2:
        x, y = expand(x, axes=(2,)), expand(y, axes=(1,))
    elif x.rank < y.rank:
        x = expand(x, axes=(1,))
    elif y.rank < x.rank:
        y = expand(y, axes=(1,))
    return reshape(x * y, shape=(found.per, *node.shape))


def _scatter_apart(found: AxisTrace, node: Node) -> Node:
    """Add rows up by index: of the rows and their indices the same positions."""
    rows, *indices = node.args
    place = found.apart[rows]
    after = node.attrs["axis"] + rows.rank - node.rank + len(indices)
    axes = {0: place}
    for slot, one in enumerate(indices, 1):
        axis = place.axis - after + one.rank
        if axis >= 0 and not is_one(one.shape[axis]):
            axes[slot] = place.at(axis)
    return _apply_apart(found, node, axes)


_SUMS: dict[Op, Callable[[AxisTrace, Node], Node]] = {
    sum_: _sum_apart,
    mean: _mean_apart,
    matmul: _product_apart,
    scatter: _scatter_apart,
}
"""Operations that sum over an axis, and what each position contributes to the sum."""
