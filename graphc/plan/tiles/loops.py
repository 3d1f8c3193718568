"""Loops in blocks: which axes their steps leave apart, and their statements for a block of one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, stamped
from graphc.ir.loop import BOUND, LOOP, RESULT, Loop, bound, loop_of, make_loop, mentions, result
from graphc.ir.order import topological
from graphc.ir.sizes import typical
from graphc.ir.types import product
from graphc.ops.linear.products import matmul
from graphc.ops.shape.shaping import broadcast_to
from graphc.plan.buffers.report import LOOPED
from graphc.plan.lower import made
from graphc.plan.order import arguments_first
from graphc.plan.program import LoopStep, Program, Step
from graphc.plan.tiles.axis_classes import Axis, Classes, axis_along, is_heavy
from graphc.plan.tiles.parts import Parts
from graphc.records import dataclass, replace

STACKED = 64
"""So many times the elements of a step may loops stack: more, and the blocks that stay in the cache
are so short that it is the calls that take the time."""


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A loop of a program: its statement, and what a step computes, arguments first.

    `kept` are the results that something reads, `inner` the loops inside by their nodes.
    """

    step: LoopStep
    nodes: tuple[Node, ...]
    kept: tuple[Node, ...]
    inner: Mapping[Node, Body]

    @property
    def loop(self) -> Loop:
        return loop_of(self.step.node)

    @property
    def results(self) -> tuple[Node, ...]:
        """Return what a step computes for: the next carried values, then what is stacked."""
        return tuple(self.step.body.results.values())[: len(self.loop.results)]

    @property
    def computed(self) -> Iterator[tuple[Node, Dim]]:
        """Yield the arrays that a step computes, also in loops inside, with how often it does."""
        for node in self.nodes:
            if node in self.inner:
                for one, times in self.inner[node].computed:
                    yield one, times * self.loop.count
            elif node.rank and node.op is not RESULT and node.op.view_of is None:
                yield node, self.loop.count

    @property
    def stacks(self) -> Iterator[Node]:
        """Yield what is stacked and read, also in loops inside."""
        for one in self.all_bodies:
            count = len(one.loop.carried)
            yield from (end for end in one.kept if end.attrs["number"] >= count)

    @property
    def all_bodies(self) -> Iterator[Body]:
        """Yield the loop and those inside it."""
        yield self
        for inner in self.inner.values():
            yield from inner.all_bodies


def bodies(program: Program) -> dict[Node, Body]:
    """Return the loops of a program by their nodes."""
    return {
        step.node: _body(step, program.variables)
        for step in program.steps
        if isinstance(step, LoopStep)
    }


def _body(step: LoopStep, outer: Mapping[Node, str]) -> Body:
    """Return a loop's body, which has variables of outside."""
    loop = loop_of(step.node)
    stated = dict.fromkeys(node for one in step.body.steps for node in made(one))
    computed: dict[Node, None] = dict.fromkeys(loop.carried)
    for node in topological([*step.body.results.values(), *stated], outer):
        if node in outer or node.op is BOUND:
            continue
        own = node in stated or mentions(node, loop.index)
        if own or any(arg in computed for arg in node.args):
            computed[node] = None
    ends = [result(step.node, number) for number in range(len(loop.results))]
    return Body(
        step,
        tuple(computed)[len(loop.carried) :],
        tuple(end for end in ends if end in outer),
        bodies(step.body),
    )


def _handed_on(body: Body) -> Iterator[tuple[Axis, Axis]]:
    """Yield the axes that a loop joins: of a carried value with those of what it starts from, what
    it becomes and what it ends as, of what is stacked with those of the stack."""
    loop, node = body.loop, body.step.node
    for number, one in enumerate(loop.carried):
        for other in (node.args[number], body.results[number], result(node, number)):
            yield from (((one, axis), (other, axis)) for axis in range(one.rank))
    for number, item in enumerate(body.results[len(loop.carried) :], len(loop.carried)):
        stack = result(node, number)
        yield from (((item, axis), (stack, axis + 1)) for axis in range(item.rank))
    for inner in body.inner.values():
        yield from _handed_on(inner)


def classes_of(nodes: Iterable[Node], loops: Collection[Body], ends: Collection[Node]) -> Classes:
    """Join the axes of a program's nodes, through loops that can run for a part of them.

    Those that stack much together stay outside of blocks, but for what the program `ends` with,
    which goes to memory anyway.
    """
    own = list(nodes)
    if not loops:
        return Classes(own)
    joined = {body: [*_handed_on(body)] for body in loops}
    pairs_of_all = [pair for pairs in joined.values() for pair in pairs]
    found = Classes([*own, *_inside(loops)], pairs_of_all)
    apart: dict[Axis, list[Body]] = {}
    for body, pairs in joined.items():
        for chosen in dict.fromkeys(found.of(*one) for one, _ in pairs):
            length = chosen[0].shape[chosen[1]].constant
            if (length is None or length > LOOPED) and leaves_apart(body, found, chosen):
                apart.setdefault(chosen, []).append(body)
    inside = dict.fromkeys(
        (body, chosen)
        for chosen, several in apart.items()
        if _stay_cached(several, ends, found, chosen)
        for body in several
    )
    kept = [
        (one, other)
        for body, pairs in joined.items()
        for one, other in pairs
        if (body, found.of(*one)) in inside
    ]
    return Classes([*own, *_inside(dict.fromkeys(body for body, _ in inside))], kept)


def _inside(loops: Iterable[Body]) -> Iterator[Node]:
    """Yield what the steps of loops compute, also in loops inside."""
    for body in loops:
        for one in body.all_bodies:
            yield from one.nodes


def _stay_cached(
    loops: Iterable[Body], ends: Collection[Node], classes: Classes, chosen: Axis
) -> bool:
    """True if blocks of enough positions stay in the cache with what loops stack in them."""

    def size(node: Node) -> int:
        """Count the elements of a position."""
        own = classes.axes(node, chosen)
        return typical(product([n for axis, n in enumerate(node.shape) if axis not in own]))

    stacks = [stack for body in loops for stack in body.stacks if stack not in ends]
    known = all(loop_of(stack.args[0]).count.constant is not None for stack in stacks)
    widest = max((size(one) for body in loops for one, _ in body.computed), default=1)
    return known and sum(map(size, stacks)) <= STACKED * widest


def leaves_apart(body: Body, classes: Classes, chosen: Axis) -> bool:
    """True if a loop can run for a part of an axis: no step mixes its positions or counts them.

    What does not have the axis is computed for each block again, and read by nobody else.
    """
    loop = body.loop
    if loop.limited or loop.until is not None or body.step.steps:
        return False
    axes = [len(classes.axes(one, chosen)) for one in (*loop.carried, *body.results)]
    if not any(axes) or max(axes) > 1:
        return False
    mine = classes.extents(chosen)
    return (
        all((classes.of(*a) in mine) == (classes.of(*b) in mine) for a, b in _handed_on(body))
        and all(len(classes.axes(end, chosen)) == 1 for end in body.kept)
        and all(_leaves_apart(node, body, classes, chosen) for node in body.nodes)
    )


def _leaves_apart(node: Node, body: Body, classes: Classes, chosen: Axis) -> bool:
    if node.op is LOOP:
        return leaves_apart(body.inner[node], classes, chosen)
    if node.op is matmul and min(arg.rank for arg in node.args) > 1:
        return False  # the products take the time, and the more the fewer rows they have
    if is_heavy(node, classes, chosen):
        return False
    own = classes.axes(node, chosen)
    if node.op is RESULT:
        return len(own) < 2
    if not own and not any(classes.axes(arg, chosen) for arg in node.args):
        return True
    if node.op is broadcast_to and not classes.axes(node.args[0], chosen):
        return len(own) == 1
    return axis_along(node, classes, chosen) is not None


# ---- for a block --------------------------------------------------------------------------------


def resize_loop(body: Body, parts: Parts) -> None:
    """Make the nodes of a loop for a block; Mismatch where that is none of its parts."""
    loop, node = body.loop, body.step.node
    for one in loop.carried:
        if one not in parts.new:
            parts.new[one] = bound(one.attrs["name"], one.type.with_shape(parts.shape(one)))
    for one in body.nodes:
        if one.op is LOOP:
            resize_loop(body.inner[one], parts)
        elif one.op is RESULT:
            parts.new[one] = result(parts.new[one.args[0]], one.attrs["number"])
        elif one.args or one.rank:
            parts.resize(one)
        else:  # the index
            parts.new[one] = one
    made_for = [parts.operand(one) for one in body.results]
    for _, source in body.step.items:
        parts.operand(source)
    count = len(loop.carried)
    part = replace(
        loop,
        carried=tuple(parts.new[one] for one in loop.carried),
        elements=(),  # which are parts of what is captured
        nexts=tuple(made_for[:count]),
        collected=tuple(made_for[count:]),
        adjoints=(),
    )
    with stamped(node.origin, node.place):
        parts.new[node] = make_loop(part, [parts.operand(one) for one in node.args[:count]], ())


def loop_for_block(
    body: Body, parts: Parts, variables: Mapping[Node, str], taken: Collection[str]
) -> LoopStep:
    """Write a loop once more for a block, in which these nodes have `variables`.

    What it calls by a name that is `taken` gets another.
    """
    return _rewrite(body, parts, variables, {}, taken)


def _rewrite(
    body: Body,
    parts: Parts,
    variables: Mapping[Node, str],
    renamed: dict[str, str],
    taken: Collection[str],
) -> LoopStep:
    step, loop, new = body.step, body.loop, parts.new

    def named(name: str) -> str:
        if name in taken and name not in renamed:
            renamed[name] = parts.names.fresh(f"{name}_part")
        return renamed.get(name, name)

    inside = dict(variables)
    for node in (*loop.carried, *body.nodes):
        if node in step.body.variables:
            inside.setdefault(new[node], named(step.body.variables[node]))
    once: dict[Node, Step | LoopStep] = {}
    for one in step.body.steps:
        if isinstance(one, Step):
            node = parts.operand(one.node)
            once.setdefault(node, replace(one, target=inside[node], node=node, frees=()))
        elif isinstance(one, LoopStep) and new[one.node] not in once:
            part = _rewrite(body.inner[one.node], parts, inside, renamed, taken)
            once[part.node] = part
    program = replace(
        step.body,
        steps=tuple(arguments_first([*once.values()], inside)),
        variables=inside,
        results={key: parts.operand(node) for key, node in step.body.results.items()},
    )
    node = new[step.node]
    ends = [result(node, number) for number in range(len(loop.results))]
    count = len(loop.carried)
    carried = [inside[new[one]] for one in loop.carried]
    return replace(
        step,
        node=node,
        body=program,
        carries=tuple(zip(carried, node.args[:count], strict=True)),
        stacks=tuple(
            (variables[end], parts.operand(item), end)
            for item, end in zip(body.results[count:], ends[count:], strict=True)
            if end in variables
        ),
        ends=tuple(
            (variables[end], name)
            for name, end in zip(carried, ends, strict=False)
            if end in variables and variables[end] != name
        ),
        frees=(),
        items=tuple((named(name), parts.operand(source)) for name, source in step.items),
    )
