"""Reverse mode through a loop: the pullback is a loop from the last step to the first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from graphc.ir.graph import Adjoint, Node, uses, with_args
from graphc.ir.loop import (
    BOUND,
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
    same_steps,
)
from graphc.ir.rebuild import map_adjoints, rebuild
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.shape.shaping import filled, transpose
from graphc.records import replace

Pullback = Callable[..., dict[Node, Adjoint]]


def pull_loop(
    node: Node, cotangents: Mapping[int, Node], wanted: Collection[Node], pullback: Pullback
) -> list[Node | None]:
    """Return the cotangents of a loop's arguments from those of its results (by number).

    With D the cotangent of the carried values, a step backwards does

        save D · ∂step/∂element;   sum D · ∂step/∂captured;   D = D · ∂step/∂carried

    over what the forward steps computed, which they now stack: the forward loop with more
    collected values takes the place of the loop itself (`merge_loops`). D is of the carried values
    that these results come of: others would bring back a zero, and of nan more than that.
    """
    loop = loop_of(node)
    initials, sources, outer = loop_arguments(node)
    behind = _carried_behind(loop, cotangents)
    floats = [i for i, one in enumerate(loop.carried) if i in behind and one.type.dtype == "float"]
    adjoint_of = {
        i: bound(f"d_{loop.carried[i].attrs['name']}", loop.carried[i].type) for i in floats
    }
    stacked = {
        j: bound("ct", item.type)
        for j, item in enumerate(loop.collected)
        if len(loop.carried) + j in cotangents
    }
    elements = [e for e, s in zip(loop.elements, sources, strict=True) if s in wanted]
    shared = [n for n in outer if n in wanted]
    seeds = [(loop.nexts[i], ct) for i, ct in adjoint_of.items()]
    seeds += [(loop.collected[j], ct) for j, ct in stacked.items()]
    leaves = [*(loop.carried[i] for i in floats), *(e.node for e in elements), *shared]
    adjoints = pullback(seeds, leaves, given=outer)

    def cotangent_of(of: Node) -> Node:
        return adjoints[of].value if of in adjoints else filled(0.0, of.shape)

    sums = {n: bound(f"d_{n.attrs.get('name', 'sum')}", n.type) for n in shared if n in adjoints}
    nexts = [cotangent_of(loop.carried[i]) for i in floats]
    nexts += [accumulate(total, adjoints[n].value) for n, total in sums.items()]
    saved = [e for e in elements if e.node in adjoints]
    results = [*nexts, *(adjoints[e.node].value for e in saved)]

    cached = _residuals(loop, results, outer)
    more = replace(loop, collected=(*loop.collected, *cached))
    forward = make_loop(more, initials, sources, limit(node))
    steps = result(forward, STEPS) if loop.until is not None else limit(node)
    start = len(loop.carried) + len(loop.collected)
    read = {item: bound(_hint(item), item.type) for item in cached}
    new = rebuild(results, with_args, {**{n: n for n in outer}, **read})
    substituted = [new[n] for n in results]

    names = [loop.carried[i] for i in floats]
    backward = Loop(
        index=loop.index,
        first=loop.first,
        count=loop.count,
        backwards=not loop.backwards,
        carried=(*adjoint_of.values(), *sums.values()),
        elements=(
            *loop.elements,
            *(Element(inner, 0, of) for of, inner in read.items()),
            *(Element(ct, 0) for ct in stacked.values()),
        ),
        nexts=tuple(substituted[: len(nexts)]),
        collected=tuple(substituted[len(nexts) :]),
        adjoints=map_adjoints(adjoints.values(), new),
    )
    first = [cotangents.get(i) or filled(0.0, c.shape) for i, c in zip(floats, names, strict=True)]
    pulled = make_loop(
        backward,
        [*first, *(filled(0.0, n.shape) for n in sums)],
        [
            *sources,
            *(result(forward, start + k) for k in range(len(cached))),
            *(cotangents[len(loop.carried) + j] for j in stacked),
        ],
        steps,
    )
    ends = {i: result(pulled, number) for number, i in enumerate(floats)}
    totals = {n: result(pulled, number) for number, n in enumerate(sums, len(floats))}
    stacks = {
        e: _to_axis(result(pulled, number), e.axis)
        for number, e in enumerate(saved, len(backward.carried))
    }
    return [
        *(ends.get(i) for i in range(len(initials))),
        *(stacks.get(element) for element in loop.elements),
        *([None] if loop.limited else []),
        *(totals.get(n) for n in outer),
    ]


def _carried_behind(loop: Loop, numbers: Iterable[int]) -> set[int]:
    """Return which carried values these results come of, step after step, themselves included."""
    places = {carried: number for number, carried in enumerate(loop.carried)}
    found = {number for number in numbers if number < len(places)}
    pending = [loop.results[number] for number in numbers]
    seen = set(pending)
    inside = {*body(loop), *places}
    while pending:
        node = pending.pop()
        below: Iterable[Node] = node.args if node in inside else ()
        if node in places:
            found.add(places[node])
            below = [loop.follow[node]]
        new = [one for one in below if one not in seen]
        seen.update(new)
        pending += new
    return found


def _hint(node: Node) -> str:
    return str(node.attrs.get("name", "saved"))


def _residuals(loop: Loop, results: Sequence[Node], outer: Collection[Node]) -> list[Node]:
    """Return the residuals of a step: what the backward step reads, but for elements read again.

    A loop in the step counts as computed also where it collects more for its own pullback: its
    stacks are stacked again, and `merge_loops` makes one loop of the two.
    """
    changes = changing(loop.results, loop.bound, loop.index)
    again = {element.node for element in loop.elements}
    computed = {n for n in uses(loop.results, given=set(outer)) if n in changes} - again
    inner = {same_steps(n) for n in computed if n.op is LOOP}
    read: dict[Node, None] = {}
    seen: set[Node] = set()
    pending = list(reversed(results))
    while pending:
        node = pending.pop()
        if node in seen or node in outer or node in again:
            continue
        seen.add(node)
        kept = node.op is BOUND or (node.args and node.op.view_of is None and not node.static)
        found = node in computed or (node.op is RESULT and same_steps(node.args[0]) in inner)
        stackable = all(loop.index not in size.symbols for size in node.shape)
        if found and kept and stackable:
            read[node] = None
        else:
            pending.extend(reversed(node.args))
    return sorted(read, key=lambda n: n.index)


def _to_axis(stacked: Node, axis: int) -> Node:
    """Move items stacked on the first axis to the axis that they were taken from."""
    if axis == 0:
        return stacked
    order = [*range(1, axis + 1), 0, *range(axis + 1, stacked.rank)]
    return transpose(stacked, axes=tuple(order))
