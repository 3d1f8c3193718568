"""Chains: values flow through stages; residual branches, forks and repeated stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.elaborate.calls.binding import evaluate_call
from graphc.elaborate.expressions.expressions import evaluate
from graphc.elaborate.names.references import takes_gradients
from graphc.elaborate.names.scope import Context, InstanceValue, Scope, mistake
from graphc.elaborate.statements.loops import Repetition, run_steps
from graphc.elaborate.values.values import to_node
from graphc.ir.graph import OPERATORS, Node
from graphc.ir.types import same_shape, shape_text
from graphc.syntax import tree

Flow = tuple[Any, ...]


def run_chain(
    context: Context, scope: Scope, chain: tree.Chain
) -> tuple[Flow, InstanceValue | None]:
    """Evaluate a chain; returns also the instance where its last stage is the use of a block."""
    flow: Flow = tuple(evaluate(context, scope, source) for source in chain.sources)
    feeds = chain.targets[0].text if len(chain.targets) == 1 else None
    return run_stages(context, scope, flow, chain.stages, feeds)


def run_stages(
    context: Context, scope: Scope, flow: Flow, stages: Sequence[tree.Stage], feeds: str | None
) -> tuple[Flow, InstanceValue | None]:
    """Pass a flow through stages; `feeds` names a block in the last one."""
    instance: InstanceValue | None = None
    for number, stage in enumerate(stages, 1):
        instance = None
        name = feeds if number == len(stages) else None
        match stage:
            case tree.Call():
                flow, instance = _call(context, scope, flow, stage, name)
            case tree.Residual():
                flow = (_residual(context, scope, flow, stage),)
            case tree.Fork():
                flow = tuple(
                    _single(run_stages(context, scope, flow, b, None)[0], b[-1])
                    for b in stage.branches
                )
            case tree.RepeatStage():
                flow = _repeat(context, scope, flow, stage)
            case tree.NextStage(name=ident):
                if scope.nexts is None or ident.text not in scope.carried:
                    raise mistake(
                        "E206",
                        f"`next {ident.text}` but `{ident.text}` is not carried by a loop here",
                        ident.span,
                    )
                scope.nexts[ident.text] = _single(flow, stage)
    return flow, instance


def _call(
    context: Context, scope: Scope, flow: Flow, stage: tree.Call, feeds: str | None
) -> tuple[Flow, InstanceValue | None]:
    given = [(a.name, evaluate(context, scope, a.value), a) for a in stage.arguments]
    value, instance = evaluate_call(context, scope, stage, given, feeds, flow)
    return (value if isinstance(value, tuple) else (value,)), instance


def _single(flow: Flow, stage: tree.Stage) -> Any:
    if len(flow) != 1:
        raise mistake(
            "E214",
            f"one value is wanted here, {len(flow)} arrive",
            stage.span,
            "join them: -> add, or -> concat()",
        )
    return flow[0]


def _residual(context: Context, scope: Scope, flow: Flow, stage: tree.Residual) -> Node:
    """Add what the branch makes of the input to it: the skip edge is the first operand."""
    skip = to_node(_single(flow, stage), stage.span)
    branch = to_node(
        _single(run_stages(context, scope, flow, stage.stages, None)[0], stage), stage.span
    )
    if not same_shape(skip.shape, branch.shape):
        raise mistake(
            "E304",
            f"residual branch maps {shape_text(skip.shape)} to {shape_text(branch.shape)}; "
            "the skip edge needs equal shapes",
            stage.span,
            "project the skip: -> (dense(n) as proj, branch) -> add",
        )
    return OPERATORS["+"](skip, branch)


def _repeat(context: Context, scope: Scope, flow: Flow, stage: tree.RepeatStage) -> Flow:
    """Run stages once for each index; a bare block at the end takes the family's name."""

    def step(inner: Scope, carried: Sequence[Node]) -> tuple[list[Node], list[Node]]:
        out, _ = run_stages(context, inner, tuple(carried), stage.stages, "")
        if len(out) != len(starts):
            raise mistake("E214", f"{len(starts)} values go in, {len(out)} come out", stage.span)
        return [to_node(value, stage.span) for value in out], []

    starts = tuple(to_node(value, stage.span) for value in flow)
    names = tuple(["h"] if len(starts) == 1 else [f"h{i}" for i in range(1, len(starts) + 1)])
    steps = Repetition(stage.family, names, starts, step, takes_gradients(stage.stages))
    ends, _ = run_steps(context, scope, steps)
    return tuple(ends)
