"""Sums over all steps of a loop: terms of one step, stacked -> their sum as few operations."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, with_args
from graphc.ops.define.families import normal_axes
from graphc.ops.elementwise.arithmetic import accumulate, negative, times
from graphc.ops.linear.products import matmul, outer
from graphc.ops.reduce.reduction import sum_
from graphc.ops.shape.shaping import broadcast_to, expand, reshape, transpose, unindex
from graphc.optimise.algebra.empty import may_stand_outside
from graphc.records import dataclass

MOVING = (reshape, transpose, expand, broadcast_to, unindex, negative)
"""What is linear and costs less when it is done to the sum."""


@dataclass(frozen=True, slots=True)
class StepStacks:
    """The stacked values of all steps, by the node of a step; how often a step reads a node."""

    stacks: Mapping[Node, Node]
    reads: Mapping[Node, int]
    changes: Collection[Node]
    count: Dim


def sum_over_steps(term: Node, steps: StepStacks) -> Node:
    """Sum a node's values over all steps."""
    found: dict[Node, Node] = {}
    pending = [term]
    while pending:
        node = pending[-1]
        parts = _parts(node, steps) if node not in found else []
        missing = [part for part in parts if part not in found]
        if missing:
            pending.extend(reversed(missing))
            continue
        pending.pop()
        if node not in found:
            found[node] = (
                with_args(node, tuple(found[part] for part in parts))
                if parts
                else _sum_stack(node, steps)
            )
    return found[term]


def _parts(node: Node, steps: StepStacks) -> list[Node]:
    """Return the sums that a node's sum is made of; none where its own values are summed.

    Where something else reads the values too, they are there to be summed.
    """
    args = list(node.args)
    if node not in steps.changes or not all(
        arg in steps.stacks or arg not in steps.changes for arg in args
    ):
        return []
    if node.op in MOVING and len(args) == 1:
        return args
    alone = node.op is accumulate and steps.reads[node] == 1
    return args if alone and all(arg.op in PRODUCTS for arg in args) else []


def _sum_stack(node: Node, steps: StepStacks) -> Node:
    if node not in steps.changes:
        if may_stand_outside(node, [steps.count], node):
            return node * steps.count
        repeated = broadcast_to(node, shape=(steps.count, *node.shape))
        return sum_(repeated, axis=(0,), keepdims=False)
    if node.op in PRODUCTS and steps.reads[node] == 1:
        found = PRODUCTS[node.op](node, steps)
        if found is not None:
            return found
    if node.op is sum_ and steps.reads[node] == 1 and node.args[0] in steps.stacks:
        x = node.args[0]
        axes = normal_axes(node.attrs["axis"], x.rank, "sum")
        whole = sum_(steps.stacks[x], axis=(0, *(axis + 1 for axis in axes)), keepdims=False)
        return reshape(whole, shape=node.shape) if node.attrs["keepdims"] else whole
    return sum_(steps.stacks[node], axis=(0,), keepdims=False)


def _sum_of_products(node: Node, steps: StepStacks) -> Node | None:
    """Σ_t x_t y_t is [x_1 x_2 …] [y_1; y_2; …], where both change."""
    x, y = node.args
    if x.rank > 2 or y.rank > 2 or x not in steps.stacks or y not in steps.stacks:
        return None
    left, right = steps.stacks[x], steps.stacks[y]
    inner = steps.count * x.shape[-1]
    if x.rank == 2:  # [T, M, K] -> [M, T*K]: where x is a transpose, its rows are together already
        left = transpose(left, axes=(0, 2, 1))
        left = reshape(left, shape=(inner, x.shape[0])).T
    else:
        left = reshape(left, shape=(inner,))
    right = reshape(right, shape=(inner, *y.shape[1:]))
    return matmul(left, right)


def _sum_of_outer_products(node: Node, steps: StepStacks) -> Node | None:
    x, y = node.args
    if x not in steps.stacks or y not in steps.stacks:
        return None
    return steps.stacks[x].T @ steps.stacks[y]


def _sum_of_numbers(node: Node, steps: StepStacks) -> Node | None:
    if node.rank or any(arg not in steps.stacks for arg in node.args):
        return None
    x, y = (steps.stacks[arg] for arg in node.args)
    return x @ y if x.type.dtype == y.type.dtype == "float" else None


PRODUCTS = {times: _sum_of_numbers, matmul: _sum_of_products, outer: _sum_of_outer_products}
