"""The statements of a Program -> works, with the values that they write."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.kernel import Call, Put, Reduce, Running, Take
from graphc.ir.loop import STEPS, limit, loop_of, result
from graphc.nests.expressions import Writer, apply, is_local
from graphc.nests.nest import (
    Access,
    Expr,
    Index,
    Leave,
    Number,
    Size,
    Turns,
    Value,
    Work,
)
from graphc.nests.parts import extremes, joined, put, triangle
from graphc.nests.products import MATRICES, argsort, matmul, of_matrices, searched
from graphc.nests.reductions import dots, recurrence, reduced, running
from graphc.nests.works import EXTREMES, SAME, Works
from graphc.plan.program import BlockStep, LoopStep, Program, Step
from graphc.records import replace

CALLED = frozenset(
    {"matmul", "vecdot", "vdot", "concatenate", "recurrence", "argsort", "searchsorted", *EXTREMES}
)
"""What has works of its own, beside what is computed element by element."""

Comment = Callable[[Step, Program], str]
"""What is said beside a statement."""


def statements(
    program: Program,
    works: Works,
    pins: Mapping[Node, Value],
    comment: Comment,
) -> None:
    """Add the works of a program; nodes with a pin are computed into that value."""
    for step in (*program.constants, *program.steps):
        if isinstance(step, LoopStep):
            _loop(step, works, pins, comment)
        elif isinstance(step, Step):
            _step(step, program, works, pins, comment)
        else:
            assert not isinstance(step, BlockStep), "tiles are of targets that have no loops"


def _step(
    step: Step, program: Program, works: Works, pins: Mapping[Node, Value], comment: Comment
) -> None:
    node = step.node
    if is_local(node) and not (node.rank == 0 and node.static):
        return
    value = pins.get(node) or Value(works.context.fresh(step.target), node.type.dtype, node.shape)
    compute(works, value, node, comment(step, program))
    works.context.values[node] = value


def compute(works: Works, value: Value, node: Node, comment: str) -> None:
    """Add the works of a node."""
    kernel = node.op.kernel
    works.prepare(node)
    match kernel:
        case Reduce():
            reduced(works, value, kernel, node, comment)
        case Running():
            running(works, value, kernel, node, comment)
        case Put():
            put(works, value, kernel, node, comment)
        case Take("triangle"):
            triangle(works, value, node, comment, put=False)
        case Call("matmul"):
            matmul(works, value, node, comment)
        case Call("vecdot" | "vdot"):
            dots(works, value, node, comment)
        case Call("concatenate"):
            joined(works, value, node, comment)
        case Call("recurrence"):
            recurrence(works, value, node, comment)
        case Call("argsort"):
            argsort(works, value, node, comment)
        case Call("searchsorted"):
            searched(works, value, node, comment)
        case Call(name) if name in EXTREMES:
            extremes(works, value, name, node, comment)
        case Call(name) if name in MATRICES:
            of_matrices(works, value, node, comment)
        case _:
            works.each(
                node.shape, value, SAME,
                lambda writer, at: works.pointwise(writer, node, at), comment,
            )  # fmt: skip


def _loop(step: LoopStep, works: Works, pins: Mapping[Node, Value], comment: Comment) -> None:
    """Add a loop of the language as one work; what it carries and stacks are values outside."""
    context, loop = works.context, loop_of(step.node)
    holds: list[Value] = []
    for number, ((name, initial), carried) in enumerate(
        zip(step.carries, loop.carried, strict=True)
    ):
        end = result(step.node, number)
        hold = pins.get(end) or Value(context.fresh(name), carried.type.dtype, carried.shape)
        works.copied(hold, initial)
        holds.append(hold)
    stacks: list[Value] = []
    for name, item, end in step.stacks:
        stack = pins.get(end) or Value(context.fresh(name), item.type.dtype, end.shape)
        if loop.limited or loop.until is not None:
            works.filled(stack, 0)
        stacks.append(stack)
    counted = None
    if step.steps:
        counted = pins.get(result(step.node, STEPS)) or Value(context.fresh(step.steps), "int", ())
        works.filled(counted, 0)
    taken = limit(step.node)
    writer = works.writer()
    count = Size(loop.count) if taken is None else writer.element(taken, ())
    body = _body(step, works, dict(zip(loop.carried, holds, strict=True)), stacks, counted, comment)
    kept = (*holds, *stacks, *([counted] if counted else []))
    turns = Turns(loop.index, loop.first, count, loop.count, loop.backwards, body, kept)
    writer.touches += _touched(body, kept)
    works.finish((), writer, turns)
    for number, hold in enumerate(holds):
        context.values[result(step.node, number)] = hold
    for (_, _, end), stack in zip(step.stacks, stacks, strict=True):
        context.values[end] = stack
    if counted is not None:
        context.values[result(step.node, STEPS)] = counted


def _touched(body: list[Work], kept: tuple[Value, ...]) -> list[Access]:
    """List what a loop touches, all of each."""
    written = {one.value: False for work in body for one in work.touches}
    for work in body:
        for one in work.touches:
            written[one.value] = written[one.value] or one.writes
    for value in kept:
        written[value] = True
    return [Access(v, (None,) * len(v.shape), writes) for v, writes in written.items()]


def _body(
    step: LoopStep,
    works: Works,
    holds: Mapping[Node, Value],
    stacks: list[Value],
    counted: Value | None,
    comment: Comment,
) -> list[Work]:
    """Make the works of one step of a loop, at whose end the next values take their places."""
    loop = loop_of(step.node)
    context = replace(
        works.context,
        values={**works.context.values, **holds},
        checked=dict(works.context.checked),
    )
    inner = Works(context)
    statements(step.body, inner, {}, comment)
    position = Dim.symbol(loop.index) - loop.first
    for (_, item, _), stack in zip(step.stacks, stacks, strict=True):
        inner.copied(stack, item, place=lambda _, at: (position, *at))
    done = None
    if step.until is not None:
        done = Value(context.fresh("done"), "bool", ())
        inner.copied(done, step.until)
    _hand_on(inner, list(holds.values()), list(step.body.results.values()))
    if counted is not None:
        inner.each((), counted, SAME, _one_more(counted))
    if done is not None:
        writer = inner.writer()
        for kept in (*holds.values(), *stacks, *([counted] if counted else [])):
            writer.touches.append(Access(kept, (None,) * len(kept.shape), writes=True))
        inner.finish((), writer, Leave(writer.read(done, ())))
    return inner.made


def _one_more(counted: Value) -> Callable[[Writer, Index], Expr]:
    """Return what a counter becomes in a step."""
    return lambda writer, _: apply("add", [writer.read(counted, ()), Number(1, "int")], "int")


def _hand_on(inner: Works, holds: list[Value], nexts: list[Node]) -> None:
    """Add the works by which carried values become the next ones, all at once.

    What reads carried values where it is handed on is computed before any of them changes.
    """
    late: list[tuple[Value, Value]] = []
    ready: list[tuple[Value, Node]] = []
    for hold, node in zip(holds, nexts, strict=False):
        value = inner.context.values.get(node)
        if value is hold:
            continue
        writer = inner.writer()
        writer.element(node, tuple(Dim.symbol(f"<{i}>") for i in range(node.rank)))
        if {one.value for one in writer.touches} & {*holds}:
            between = Value(inner.context.fresh(f"{hold.name}_next"), hold.dtype, hold.shape)
            inner.copied(between, node)
            late.append((hold, between))
        else:
            ready.append((hold, node))
    for hold, node in ready:
        inner.copied(hold, node)
    for hold, between in late:
        inner.moved(hold, between)
