"""Carried values that each step joins of parts, and reads in parts -> a value for each part.

So a state that is stacked costs what several states do, and parts may wait for different steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphc.elaborate.names.model import Model, verified_model
from graphc.ir.graph import Node, arguments_first, stamped, with_args
from graphc.ir.items import ZERO, Item, along
from graphc.ir.loop import (
    LOOP,
    RESULT,
    STEPS,
    Loop,
    bound,
    everywhere,
    inside_first,
    limit,
    loop_arguments,
    loop_of,
    make_loop,
    result,
)
from graphc.ops.shape.shaping import concatenate, expand, index
from graphc.optimise.before_ad.moved_selections import Mover, Stuck
from graphc.optimise.before_ad.stabilise import with_nodes
from graphc.records import replace

Joined = Mapping[Node, Node]
"""Carried values that are joined, and what joins them."""


@verified_model
def take_states_apart(model: Model) -> Model:
    """Carry the parts of what is joined in every step, where a step reads no more than parts."""
    while True:
        roots = model.roots
        results = {node.args[0] for node in model.differentiated_by if node.op is RESULT}
        joined = {
            carried: after
            for node in inside_first(roots)
            if node.op is LOOP and node not in results
            for carried, after in _joined(loop_of(node))
        }
        if not joined:
            return model
        model = with_nodes(model, _apart(roots, {}, joined))


def _joined(loop: Loop) -> Iterable[tuple[Node, Node]]:
    """Yield the carried values that a step joins, and reads in parts of what is joined."""
    readers: dict[Node, list[Node]] = {carried: [] for carried in loop.carried}
    for node in everywhere(loop.roots):
        for arg in node.args:
            if arg in readers:
                readers[arg].append(node)
    for carried, after in loop.follow.items():
        if after.op is not concatenate or len(after.args) < 2 or carried in loop.roots:
            continue
        mover = Mover({after}, ())
        try:
            for node in readers[carried]:
                if node.op is not index:
                    raise Stuck
                mover.chosen(after, node.attrs["items"])
        except Stuck:
            continue
        yield carried, after


def _apart(results: Iterable[Node], known: Mapping[Node, Node], joined: Joined) -> dict[Node, Node]:
    new = dict(known)
    ends: dict[Node, Sequence[Node]] = {}
    for node in arguments_first(results, new):
        with stamped(node.origin, node.place):
            if node.op is LOOP:
                new[node], ends[node] = _loop_of_parts(node, new, joined)
            elif node.op is index and node.args[0] in joined:
                whole = new[node.args[0]]
                new[node] = Mover({whole}, ()).chosen(whole, node.attrs["items"])
            elif node.op is RESULT and node.attrs["number"] == STEPS:
                new[node] = result(new[node.args[0]], STEPS)
            elif node.op is RESULT:
                new[node] = ends[node.args[0]][node.attrs["number"]]
            else:
                new[node] = with_args(node, tuple(new[arg] for arg in node.args))
    return new


def _loop_of_parts(
    node: Node, new: dict[Node, Node], joined: Joined
) -> tuple[Node, Sequence[Node]]:
    """Make the loop that carries parts, and return its results with the parts joined."""
    loop = loop_of(node)
    initials, sources, outer = loop_arguments(node)
    parts = {c: _parts(c, joined[c]) for c in loop.carried if c in joined}
    inside = {n: n for n in loop.bound} | {n: new[n] for n in outer}
    inside |= {c: _whole(several, joined[c]) for c, several in parts.items()}
    moved = _apart(loop.roots, inside, joined)
    carried, starts, nexts = list[Node](), list[Node](), list[Node]()
    for c, initial in zip(loop.carried, initials, strict=True):
        after = loop.follow[c]
        carried += parts.get(c, [c])
        starts += _cut(new[initial], after) if c in parts else [new[initial]]
        ones = [_alone(arg, after) for arg in after.args] if c in parts else [after]
        if all(one in moved for one in ones):
            nexts += [moved[one] for one in ones]
        else:  # no step makes it
            nexts += _cut(moved[after], after)
    made = replace(loop.map_roots(moved), carried=tuple(carried), nexts=tuple(nexts), adjoints=())
    new.update(moved)
    steps = limit(node)
    whole = make_loop(
        made, starts, [new[n] for n in sources], None if steps is None else new[steps]
    )
    found = iter([result(whole, number) for number in range(len(made.results))])
    ends = [
        _whole([next(found) for _ in parts[c]], joined[c]) if c in parts else next(found)
        for c in loop.carried
    ]
    return whole, [*ends, *found]


def _alone(part: Node, after: Node) -> Node:
    """Return a part without the axis along which it is joined, if it has that to be stacked."""
    stacked = part.op is expand and part.attrs["axes"] == (after.attrs["axis"],)
    return part.args[0] if stacked else part


def _parts(carried: Node, after: Node) -> list[Node]:
    name = carried.attrs["name"]
    return [
        bound(f"{name}_{number}", _alone(arg, after).type) for number, arg in enumerate(after.args)
    ]


def _whole(parts: Sequence[Node], after: Node) -> Node:
    axis = after.attrs["axis"]
    pairs = zip(parts, after.args, strict=True)
    return concatenate(
        *(one if one.rank == arg.rank else expand(one, axes=(axis,)) for one, arg in pairs),
        axis=axis,
    )


def _cut(initial: Node, after: Node) -> list[Node]:
    """Take an array apart as another one is joined."""
    axis, start, found = after.attrs["axis"], ZERO, list[Node]()
    for arg in after.args:
        length = arg.shape[axis]
        item: Item = ("slice", (start, length, 1))
        if _alone(arg, after) is not arg:
            item = ("at", start)
        found.append(index(initial, items=along(initial.shape, axis, item)))
        start = start + length
    return found
