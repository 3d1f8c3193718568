"""Batching: what a graph computes, with a leading axis wherever it depends on chosen nodes."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, arguments_first, intern, stamped
from graphc.ir.loop import (
    LOOP,
    RESULT,
    RULED,
    STEPS,
    Element,
    body,
    bound,
    limit,
    loop_arguments,
    loop_of,
    make_loop,
    result,
)
from graphc.ir.rebuild import map_adjoints
from graphc.ir.types import Mismatch, Type, same_shape
from graphc.ops.define.batching import first
from graphc.ops.shape.shaping import broadcast_to, filled, full_array
from graphc.records import replace


def batch(
    results: Iterable[Node],
    leading: Mapping[Node, Node],
    size: Dim,
    given: Collection[Node] = (),
    among: Container[Node] | None = None,
) -> dict[Node, Node]:
    """Give what the results reach a leading axis of `size` wherever it depends on `leading`.

    `leading` maps nodes to what stands for them, of shape (size, *shape), also nodes inside loops.
    The answer has those and every node that depends on them, or of these such as are `among` some;
    a node that it lacks is the same for all positions.
    What is `given` is not looked behind. Raises Mismatch where a loop would have to end at a
    different step for each position.

    Stated derivatives are left out: derivatives are taken before.
    """
    new = dict(leading)
    for node in arguments_first(results, {*given, *leading}):
        if _depends(node, new) if among is None else _is_among(node, among):
            with stamped(node.origin, node.place):
                new[node] = batch_node(node, new, leading, size, among)
    return new


def _is_among(node: Node, among: Container[Node]) -> bool:
    """True for one of these nodes, or a loop with one of them in its step."""
    if node.op is not LOOP:
        return node in among
    loop = loop_of(node)
    return any(one in among for one in (*loop.bound, *loop.results))


def _depends(node: Node, known: Container[Node]) -> bool:
    """True if the value depends on the batch; all positions take the same steps."""
    if node.op is RESULT and node.attrs["number"] == STEPS:
        return False
    if any(arg in known for arg in (node.args[:1] if node.op is RULED else node.args)):
        return True
    inside = body(loop_of(node)) if node.op is LOOP else ()
    return any(n in known or _depends(n, known) for n in inside)


def batch_node(
    node: Node,
    new: Mapping[Node, Node],
    leading: Mapping[Node, Node],
    size: Dim,
    among: Container[Node] | None = None,
) -> Node:
    """Batch a node: its arguments in `new` have a leading axis already."""
    if node.op is LOOP:
        return _batch_loop(node, new, leading, size, among)
    if node.op is RESULT:
        return _batch_result(node, new[node.args[0]], size)
    if node.op is RULED:
        return new[node.args[0]]
    assert node.op.batch is not None, node
    args = tuple(new.get(arg, arg) for arg in node.args)
    leads = tuple(arg in new for arg in node.args)
    return with_type(node.op.batch(node, args, leads, size), _with_lead(node.type, size))


def with_type(node: Node, type: Type) -> Node:
    """Write the node's shape as in the type: equal dims need not be written alike."""
    if node.type == type:
        return node
    assert node.type.dtype == type.dtype, (node, type)
    assert same_shape(node.shape, type.shape), (node, type)
    return intern(node.op, node.args, node.attrs, type, node.salt)


def _with_lead(type: Type, size: Dim) -> Type:
    return type.with_shape((size, *type.shape))


def _repeat(node: Node, size: Dim) -> Node:
    return broadcast_to(node, shape=(size, *node.shape))


# ---- loops -----------------------------------------------------------------------------------


def _batch_loop(
    node: Node,
    new: Mapping[Node, Node],
    leading: Mapping[Node, Node],
    size: Dim,
    among: Container[Node] | None,
) -> Node:
    """Build the loop that takes the steps of all positions at once."""
    loop = loop_of(node)
    initials, sources, outer = loop_arguments(node)
    if among is None:
        moving, reached = _moving(node, new, leading)
    else:
        moving, reached = {n for n in loop.bound if n in among}, among
    steps = limit(node)
    if loop.until in reached or (among is None and steps in new):
        raise Mismatch(
            "E408",
            f"the loop over {loop.index} ends when a condition holds that differs from one "
            "position of a batch to the next",
            "leave out `until`",
        )
    inside = {
        n: bound(n.attrs["name"], _with_lead(n.type, size)) for n in loop.bound if n in moving
    }
    outside = {n: new[n] for n in outer if n in new}
    stepped = batch(loop.roots, {**leading, **outside, **inside}, size, outer, among)
    made = replace(
        loop,
        carried=tuple(inside.get(n, n) for n in loop.carried),
        elements=tuple(
            Element(inside[e.node], e.axis + 1, e.of) if e.node in inside else e
            for e in loop.elements
        ),
        nexts=tuple(
            stepped.get(n) or (_repeat(n, size) if c in inside else n)
            for c, n in zip(loop.carried, loop.nexts, strict=True)
        ),
        collected=tuple(stepped.get(n, n) for n in loop.collected),
        adjoints=map_adjoints(loop.adjoints, {a.value: a.value for a in loop.adjoints} | stepped),
    )
    return make_loop(
        made,
        [
            new.get(n) or (_start(n, size) if c in inside else n)
            for c, n in zip(loop.carried, initials, strict=True)
        ],
        [new.get(n, n) for n in sources],
        _steps(steps, new),
    )


def _steps(steps: Node | None, new: Mapping[Node, Node]) -> Node | None:
    """Return the number of steps that a loop is to take, from the loop that replaces another."""
    if steps is None or steps.op is not RESULT:
        return steps
    return result(new.get(steps.args[0], steps.args[0]), STEPS)


def _start(node: Node, size: Dim) -> Node:
    """Batch what a carried value starts from; a constant is an array of its own, to be added to."""
    constant = node.value if node.op is not full_array else node.attrs["value"]
    if isinstance(constant, float):
        return filled(constant, (size, *node.shape))
    return _repeat(node, size)


def _batch_result(node: Node, loop: Node, size: Dim) -> Node:
    """Batch an end of a loop; what is collected has the leading axis second, behind the steps."""
    number: int = node.attrs["number"]
    end = result(loop, number)
    if end.rank == node.rank:
        return _repeat(end, size)
    return first(end, 1) if number >= len(loop_of(loop).carried) else end


def _moving(
    node: Node, known: Container[Node], leading: Container[Node]
) -> tuple[Container[Node], Container[Node]]:
    """Return the bound nodes of a loop that depend on `known`, and all such nodes of its body.

    A carried value that comes to depend in some step does from the start.
    """
    loop = loop_of(node)
    initials, sources, outer = loop_arguments(node)
    moving = {c for c, initial in zip(loop.carried, initials, strict=True) if initial in known}
    moving |= {e.node for e, of in zip(loop.elements, sources, strict=True) if of in known}
    start = {n for n in outer if n in known}
    while True:
        reached = moving | start
        for inner in arguments_first(loop.roots, {*outer, *reached}):
            if inner in leading or _depends(inner, reached):
                reached.add(inner)
        more = {c for c, n in zip(loop.carried, loop.nexts, strict=True) if n in reached} - moving
        if not more:
            return moving, reached
        moving |= more
