"""Batching: what a graph computes, with a leading axis wherever it depends on chosen nodes."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import replace

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, arguments_first, intern, stamped
from graphc.ir.loop import (
    LOOP,
    RESULT,
    RULED,
    STEPS,
    Element,
    Loop,
    arguments,
    body,
    bound,
    limit,
    make_loop,
    result,
)
from graphc.ir.rebuild import moved_adjoints
from graphc.ir.types import Mismatch, Type, same_shape
from graphc.ops.define.batching import first
from graphc.ops.shape.shaping import broadcast_to, filled, full_array


def batched(
    results: Iterable[Node],
    leading: Mapping[Node, Node],
    size: Dim,
    given: Collection[Node] = (),
    among: Container[Node] | None = None,
) -> dict[Node, Node]:
    """What the results reach, with a leading axis of `size` wherever it depends on `leading`.

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
            with stamped(node.origin, node.index[0]):
                new[node] = batched_node(node, new, leading, size, among)
    return new


def _is_among(node: Node, among: Container[Node]) -> bool:
    """Is it one of these nodes, or a loop with one of them in its step?"""
    if node.op is not LOOP:
        return node in among
    loop: Loop = node.attrs["loop"]
    return any(one in among for one in (*loop.bound, *loop.results))


def _depends(node: Node, known: Container[Node]) -> bool:
    """Does the value depend on the batch? All positions take the same steps."""
    if node.op is RESULT and node.attrs["number"] == STEPS:
        return False
    if any(arg in known for arg in (node.args[:1] if node.op is RULED else node.args)):
        return True
    inside = body(node.attrs["loop"]) if node.op is LOOP else ()
    return any(n in known or _depends(n, known) for n in inside)


def batched_node(
    node: Node,
    new: Mapping[Node, Node],
    leading: Mapping[Node, Node],
    size: Dim,
    among: Container[Node] | None = None,
) -> Node:
    """A node with a leading axis, of those of its arguments in `new` that have it."""
    if node.op is LOOP:
        return _batched_loop(node, new, leading, size, among)
    if node.op is RESULT:
        return _batched_result(node, new[node.args[0]], size)
    if node.op is RULED:
        return new[node.args[0]]
    assert node.op.batch is not None, node
    args = tuple(new.get(arg, arg) for arg in node.args)
    leads = tuple(arg in new for arg in node.args)
    return typed(node.op.batch(node, args, leads, size), _led(node.type, size))


def typed(node: Node, type: Type) -> Node:
    """The node with a shape written as in the type: equal dims need not be written alike."""
    if node.type == type:
        return node
    assert node.type.dtype == type.dtype, (node, type)
    assert same_shape(node.shape, type.shape), (node, type)
    return intern(node.op, node.args, node.attrs, type, node.salt)


def _led(type: Type, size: Dim) -> Type:
    return type.with_shape((size, *type.shape))


def _repeated(node: Node, size: Dim) -> Node:
    return broadcast_to(node, shape=(size, *node.shape))


# ---- loops -----------------------------------------------------------------------------------


def _batched_loop(
    node: Node,
    new: Mapping[Node, Node],
    leading: Mapping[Node, Node],
    size: Dim,
    among: Container[Node] | None,
) -> Node:
    """The loop that takes the steps of all positions at once."""
    loop: Loop = node.attrs["loop"]
    initials, sources, outer = arguments(node)
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
    inside = {n: bound(n.attrs["name"], _led(n.type, size)) for n in loop.bound if n in moving}
    outside = {n: new[n] for n in outer if n in new}
    stepped = batched(loop.roots, {**leading, **outside, **inside}, size, outer, among)
    made = replace(
        loop,
        carried=tuple(inside.get(n, n) for n in loop.carried),
        elements=tuple(
            Element(inside[e.node], e.axis + 1, e.of) if e.node in inside else e
            for e in loop.elements
        ),
        nexts=tuple(
            stepped.get(n) or (_repeated(n, size) if c in inside else n)
            for c, n in zip(loop.carried, loop.nexts, strict=True)
        ),
        collected=tuple(stepped.get(n, n) for n in loop.collected),
        adjoints=moved_adjoints(loop.adjoints, {a.value: a.value for a in loop.adjoints} | stepped),
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
    """The number of steps that a loop is to take, of the loop that stands for another."""
    if steps is None or steps.op is not RESULT:
        return steps
    return result(new.get(steps.args[0], steps.args[0]), STEPS)


def _start(node: Node, size: Dim) -> Node:
    """What a carried value starts from; zeros that a sum grows in are an array of their own."""
    constant = node.value if node.op is not full_array else node.attrs["value"]
    if isinstance(constant, float):
        return filled(constant, (size, *node.shape))
    return _repeated(node, size)


def _batched_result(node: Node, loop: Node, size: Dim) -> Node:
    """An end of a loop; what is collected has the leading axis second, behind that of steps."""
    number: int = node.attrs["number"]
    end = result(loop, number)
    if end.rank == node.rank:
        return _repeated(end, size)
    return first(end, 1) if number >= len(loop.attrs["loop"].carried) else end


def _moving(
    node: Node, known: Container[Node], leading: Container[Node]
) -> tuple[Container[Node], Container[Node]]:
    """The bound nodes of a loop that depend on what is known to, and all such nodes of its body.

    A carried value that comes to depend in some step does from the start.
    """
    loop: Loop = node.attrs["loop"]
    initials, sources, outer = arguments(node)
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
