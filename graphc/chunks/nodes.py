"""How one node lies over an axis, by how its arguments do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from graphc.ad.positions import Apart, axis_in_reshape
from graphc.chunks.layout import (
    COUNT,
    COUNTING,
    FINISHED,
    LINEAR,
    WHOLE,
    Counting,
    Finished,
    Layout,
    Merged,
    Mixed,
    Rows,
    Whole,
)
from graphc.chunks.operations import ONE_BY_ONE, Places, merge_of, said_of
from graphc.ir.dims import Dim
from graphc.ir.graph import DIM, Node
from graphc.ir.kernel import SAME
from graphc.ir.loop import symbols_of
from graphc.ir.types import same
from graphc.ops.define.families import CAST
from graphc.ops.elementwise.arithmetic import (
    accumulate,
    minus,
    negative,
    over,
    plus,
    times,
    where,
)
from graphc.ops.reduce.reduction import logsumexp, softmax
from graphc.ops.shape.shaping import (
    arange,
    broadcast_to,
    expand,
    full_array,
    index,
    reshape,
    unindex,
)

BEHIND = "sum over the rows first, and let what is made of the sum come behind"
AFTERWARDS = "multiply and divide behind the sum over the rows"
_FIXES = {
    times: AFTERWARDS,
    over: AFTERWARDS,
    minus: "`var` and `std` along the rows are merged; else give what is subtracted as an input",
}
"""What to do where each row needs what all of them make, by operation."""


def layout_of(node: Node, args: Sequence[Layout], axis: Dim) -> Layout:
    """Return how a node lies over an axis; `args` are the layouts of its arguments."""
    if not node.args:
        return _of_source(node, axis)
    mixed = next((lie for lie in args if isinstance(lie, Mixed)), None)
    if mixed is not None:
        return mixed
    if node.op.kernel == SAME:
        return args[0]
    counted = {arg for arg, lie in zip(node.args, args, strict=True) if isinstance(lie, Counting)}
    if counted and node.op is expand:
        return COUNTING
    if not counted <= set(node.op.counting(node)):
        return _mixed(next(iter(counted)))
    rows = {slot: lie for slot, lie in enumerate(args) if isinstance(lie, Rows)}
    if rows:
        return _of_rows(node, rows, args, axis)
    return _of_no_rows(node, args, axis)


def has(node: Node, axis: Dim) -> bool:
    """True if the axis stands in the shape or the attributes of a node."""
    return not axis.symbols.isdisjoint(symbols_of(node))


def _mixed(node: Node) -> Mixed:
    return Mixed(node, *said_of(node))


def _axes(node: Node, axis: Dim) -> list[int]:
    """List the axes of a node whose size depends on the number of rows."""
    return [place for place, size in enumerate(node.shape) if axis.symbols & size.symbols]


def _of_source(node: Node, axis: Dim) -> Layout:
    if not has(node, axis):
        return WHOLE
    if node.op is DIM:
        return FINISHED
    if node.op is arange and same(node.attrs["n"], axis):
        return COUNTING
    places = _axes(node, axis)
    if len(places) == 1:
        size = node.shape[places[0]]
        if same(size, axis):
            return Rows(Apart(places[0]))
        if node.op is full_array and same(size // axis * axis, size):
            return Rows(Apart(places[0], inner=size // axis))  # in whatever order
    if node.op.structure != "source":
        return _mixed(node)
    name = node.attrs["name"]
    if len(places) > 1:
        return Mixed(node, f"`{name}`: {node.type} has the axis {axis} twice", ONE_BY_ONE)
    said = f"`{name}`: nothing says which rows of {node.shape[places[0]]} belong together"
    return Mixed(node, said, f"give it the axis {axis}, and others beside it")


# ---- without rows ------------------------------------------------------------------------------


def _of_no_rows(node: Node, args: Sequence[Layout], axis: Dim) -> Layout:
    shares = any(isinstance(lie, Whole) and lie.share for lie in args)
    whole = all(isinstance(lie, Whole) for lie in args)
    if has(node, axis):
        places = _axes(node, axis)
        if not (whole and node.op is broadcast_to and len(places) == 1):
            return _of_rows_made(node, args, axis)
        size = node.shape[places[0]]
        inner = size // axis
        if not same(inner * axis, size):
            return _mixed(node)
        return Rows(Apart(places[0], inner=inner), COUNT if shares else None)
    if whole and not shares:
        return WHOLE
    counted = node.op is over and _counts(node.args[1], axis)
    first = args[0]
    if counted and first == WHOLE:
        return Whole(share=True)
    if counted and first == Merged("summed"):
        return Merged("averaged")
    if node.op is times and set(args) == {Merged("summed"), Whole(share=True)}:
        return Merged("averaged")
    moving = [slot for slot, lie in enumerate(args) if lie != WHOLE]
    lies = {args[slot] for slot in moving}
    if len(lies) != 1:
        return FINISHED
    (lie,) = lies
    if isinstance(lie, Merged) and lie.merge in LINEAR and _is_linear(node, moving):
        return lie
    if lie == Merged("averaged") and node.op in (plus, minus, accumulate):
        return lie  # averages of what is the same everywhere are that
    if lie == Whole(share=True) and _is_linear(node, moving):
        return lie
    return FINISHED


def _of_rows_made(node: Node, args: Sequence[Layout], axis: Dim) -> Mixed:
    """Say why rows cannot be made of what has none."""
    late = any(isinstance(lie, Merged | Finished) for lie in args)
    return _late(node, args) if late else _mixed(node)


def _counts(node: Node, axis: Dim) -> bool:
    """True for the number of rows, or so many times that."""
    node = node.args[0] if node.op is CAST else node
    if node.op is not DIM:
        return False
    size: Dim = node.attrs["value"]
    times_ = size // axis
    return same(times_ * axis, size) and axis.symbols.isdisjoint(times_.symbols)


def is_zero(node: Node) -> bool:
    """True for an array of zeros."""
    while node.op in (broadcast_to, expand, reshape, CAST):
        node = node.args[0]
    return bool((node.attrs["value"] if node.op is full_array else node.value) == 0)


def _is_linear(node: Node, moving: Collection[int]) -> bool:
    """True if a node is linear in these arguments together, and zero where they are."""
    floats = [slot for slot, arg in enumerate(node.args) if arg.type.dtype == "float"]
    everything = len([slot for slot in moving if slot in floats]) == len(floats)
    others = [arg for slot, arg in enumerate(node.args) if slot not in moving]
    if node.op in (plus, minus, accumulate):
        return all(map(is_zero, others))
    if node.op is where:
        return 0 not in moving and all(map(is_zero, others[1:]))
    if node.op is times or node.op.structure == "bilinear":
        return len(moving) == 1
    if node.op is over:
        return 1 not in moving
    if node.op in (negative, CAST):
        return True
    return node.op.structure == "linear" and everything


# ---- of rows -----------------------------------------------------------------------------------


def _of_rows(node: Node, rows: Mapping[int, Rows], args: Sequence[Layout], axis: Dim) -> Layout:
    weights = {lie.weight for lie in rows.values() if lie.weight is not None}
    weighted = {slot for slot, lie in rows.items() if lie.weight is not None}
    for slot, lie in enumerate(args):
        if lie == Whole(share=True):
            weights.add(COUNT)
            weighted.add(slot)
        elif node.op is over and slot == 1 and 0 not in weighted and _counts(node.args[1], axis):
            weights.add(COUNT)
            weighted.add(0)
        elif isinstance(lie, Merged | Finished):
            return _late(node, args)
    if weights and (len(weights) > 1 or not _is_linear(node, weighted)):
        return _late(node, args)
    weight = next(iter(weights), None)
    places = {slot: lie.place for slot, lie in rows.items()}
    moved = {slot: _place_in_result(node, slot, place, axis) for slot, place in places.items()}
    agreed = set(moved.values())
    if agreed == {None}:
        return _together(node, places, weight)
    if len(agreed) > 1 or not _rows_alone(node, agreed, axis):
        return _mixed(node)
    (place,) = agreed
    assert place is not None
    return Rows(place, weight)


def _together(node: Node, places: Places, weight: Node | str | None) -> Layout:
    """Return the layout of a node in which no axis is that of the rows any more."""
    if node.op is softmax and weight is None:
        total = logsumexp(node.args[0], axis=node.attrs["axis"], keepdims=False)
        return Rows(places[0], total) if total.type.size.constant == 1 else _mixed(node)
    merge = merge_of(node, places)
    if merge is None:
        return _mixed(node)
    if weight is None:
        return Merged(merge)
    if merge != "summed":
        return _mixed(node)
    return Merged("averaged") if isinstance(weight, str) else Merged("weighted", weight)


def _place_in_result(node: Node, slot: int, place: Apart, axis: Dim) -> Apart | None:
    if node.op is reshape:
        return axis_in_reshape(node, place, axis)
    if node.op is softmax and place.axis in {n % node.rank for n in node.attrs["axis"]}:
        return None
    moved = node.op.axes(node)[slot][place.axis]
    return None if moved is None else place.at(moved)


def _rows_alone(node: Node, agreed: Collection[Apart | None], axis: Dim) -> bool:
    """True if a node has the rows in one axis alone, and no slice depends on its position."""
    (place,) = agreed
    if place is None or _axes(node, axis) != [place.axis]:
        return False
    if node.op in (index, unindex):
        items = [item for n, item in enumerate(node.attrs["items"]) if n != _item(node, place.axis)]
        if any(axis.symbols & _symbols(item) for item in items):
            return False
    if node.op.part is not None:
        start = Dim.symbol("start")
        return all(
            node.attrs[name] == value or same(Dim.of(node.attrs[name]), value)
            for name, value in node.op.part(node, place.axis, start).items()
        )
    return True


def _item(node: Node, place: int) -> int:
    """Return which item of an index chooses of the axis that becomes this one of the result."""
    if node.op is unindex:
        return place
    slices = [n for n, (kind, _) in enumerate(node.attrs["items"]) if kind == "slice"]
    return slices[place]


def _symbols(item: object) -> frozenset[str]:
    if isinstance(item, Dim):
        return item.symbols
    if isinstance(item, tuple):
        return frozenset().union(*map(_symbols, item))
    return frozenset()


def _late(node: Node, args: Sequence[Layout]) -> Mixed:
    """Say that rows need what is known only once all of them have been seen."""
    late = [
        arg
        for arg, lie in zip(node.args, args, strict=True)
        if isinstance(lie, Merged | Finished) or (isinstance(lie, Rows) and lie.weight is not None)
    ]
    what = "what all rows make together"
    for arg in late:
        while arg.args and arg.op in (broadcast_to, expand, reshape, CAST):
            arg = arg.args[0]
        if arg.op is DIM:
            what = "the number of all rows"
        elif arg.op.name in ("sum", "mean", "max", "min", "var", "std", "softmax", "logsumexp"):
            what = f"`{arg.op.name}` of all rows"
    return Mixed(node, f"each row needs {what}", _FIXES.get(node.op, BEHIND))
