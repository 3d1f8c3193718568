"""The rules: each sees one node and gives an equal one, bit for bit, or None."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from math import copysign
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, Op, as_node, with_args
from graphc.ir.items import choose_all
from graphc.ir.types import Mismatch, Shape, broadcast, same_shape
from graphc.ops.elementwise.arithmetic import accumulate, minus, negative, over, plus, power, times
from graphc.ops.select.indexing import unpick
from graphc.ops.shape.shaping import (
    broadcast_to,
    concat,
    expand,
    index,
    reshape,
    transpose,
    unindex,
)
from graphc.optimise.exact.unit_vectors import product_of_unit_vectors, product_with_unit_columns

Rule = Callable[[Node], Node | None]


def product_with_one(node: Node) -> Node | None:
    """x * 1, 1 * x, x / 1 -> x."""
    if node.op is times or node.op is over:
        one, other = node.args
        for kept, unit in ((one, other), (other, one)):
            if node.op is over and kept is other:
                continue
            if unit.value == 1 and unit.rank == 0 and same_shape(kept.shape, node.shape):
                return kept if kept.type == node.type else None
    return None


def double_negative(node: Node) -> Node | None:
    """-(-x) -> x; a + (-b) -> a - b; a - (-b) -> a + b."""
    if node.op is negative and node.args[0].op is negative:
        return node.args[0].args[0]
    if node.op in (plus, minus) and node.args[1].op is negative:
        return (minus if node.op is plus else plus)(node.args[0], node.args[1].args[0])
    return None


def sum_with_nothing(node: Node) -> Node | None:
    """x + -0.0, x - 0 -> x. Of floats x + 0 stays: it makes -0.0 a 0."""
    if node.op not in (plus, minus, accumulate):
        return None
    first, *others = node.args
    terms = [first, *(x for x in others if not _is_nothing(x, node, node.op is minus))]
    if node.op is not minus and len(terms) > 1 and _is_nothing(first, node, subtracted=False):
        terms.remove(first)
    if len(terms) == len(node.args) or all(term.type != node.type for term in terms):
        return None
    return with_args(node, tuple(terms)) if len(terms) > 1 else terms[0]


def _is_nothing(term: Node, node: Node, subtracted: bool) -> bool:
    """True for the zero that leaves all numbers as they are, also -0.0."""
    if term.rank or term.value != 0 or term.type.dtype == "bool":
        return False
    return node.type.dtype != "float" or copysign(1, term.value) == (1 if subtracted else -1)


def broadcast_in_elementwise(node: Node) -> Node | None:
    """Operands repeated to fit need not be: elementwise operations stretch by themselves."""
    if (node.op.structure != "elementwise" and node.op is not accumulate) or len(node.args) < 2:
        return None
    if all(arg.op is not broadcast_to for arg in node.args):
        return None
    args = list(node.args)
    whole = sum(same_shape(arg.shape, node.shape) for arg in args)
    low = sum(arg.rank not in (0, node.rank) for arg in args)  # are stretched by a new axis
    for slot, arg in enumerate(node.args):
        if arg.op is not broadcast_to:
            continue
        inner = arg.args[0]
        if inner.rank and low:
            continue
        others = [other.shape for i, other in enumerate(args) if i != slot] if whole == 1 else []
        if whole > 1 or _broadcasts(others, node):
            args[slot] = inner
            whole -= not same_shape(inner.shape, node.shape)
            low += inner.rank not in (0, node.rank)
    return with_args(node, tuple(args)) if args != list(node.args) else None


def _broadcasts(shapes: Sequence[Shape], node: Node) -> bool:
    """True if these shapes alone give that of the node."""
    try:
        return same_shape(broadcast(shapes, node.op.name), node.shape)
    except Mismatch:  # only beside the repeated operand do they fit
        return False


def repeated_scalar(node: Node) -> Node | None:
    """Compute with a repeated number before it is repeated."""
    if node.op in (expand, reshape) and node.args[0].static and node.rank:
        return broadcast_to(node.args[0], shape=node.shape)  # a number of Python has no axes
    if all(arg.op is not broadcast_to for arg in node.args):
        return None
    inner = [_repeated_number(arg) for arg in node.args]
    if node.op in (expand, reshape):
        scalar = inner[0]
        return None if scalar is None else broadcast_to(scalar, shape=node.shape)
    if node.op is unpick and inner[0] is not None:
        return with_args(node, (inner[0], node.args[1]))
    if node.op.structure == "elementwise" and all(scalar is not None for scalar in inner):
        return broadcast_to(node.op(*inner, **node.attrs), shape=node.shape)
    return None


def _repeated_number(node: Node) -> Node | None:
    """Return the number that a node repeats or is."""
    if node.op is broadcast_to and not node.args[0].rank:
        return node.args[0]
    return None if node.rank else node


def no_change_of_shape(node: Node) -> Node | None:
    """Reshaping, repeating or permuting to what it was, or choosing all; two changes in one."""
    if node.op in (index, unindex):
        whole = node.args[0] if node.op is index else node
        if choose_all(node.attrs["items"], whole.shape):
            return node.args[0]
    if node.op in (reshape, broadcast_to) and same_shape(node.shape, node.args[0].shape):
        return node.args[0]
    if node.op is reshape and node.args[0].op in (reshape, expand):
        return reshape(node.args[0].args[0], shape=node.shape)
    if node.op is transpose:
        axes = node.attrs["axes"]
        if axes == tuple(range(node.rank)):
            return node.args[0]
        if node.args[0].op is transpose:
            inner = node.args[0].attrs["axes"]
            return transpose(node.args[0].args[0], axes=tuple(inner[axis] for axis in axes))
    return None


def parts_of_a_whole(node: Node) -> Node | None:
    """Replace a sum of arrays that are zero but for parts that tile an axis by a concatenation.

    Nothing is added to 0, so that a zero keeps its sign.
    """
    if node.op is not accumulate or any(term.op is not unindex for term in node.args):
        return None
    axes = {axis for term in node.args for axis in _narrow_axes(term)}
    if len(axes) != 1:
        return None
    axis = axes.pop()
    parts = [(*_range(term, axis), term.args[0]) for term in node.args]
    ordered: list[Node] = []
    position = Dim.of(0)
    while parts:
        found = next((part for part in parts if part[0] == position), None)
        if found is None:
            return None
        parts.remove(found)
        _, length, part = found
        ordered.append(part if part.rank == node.rank else expand(part, axes=(axis,)))
        position = position + length
    return concat(*ordered, axis=axis) if position == node.shape[axis] else None


def _narrow_axes(term: Node) -> list[int]:
    """List the axes along which an `unindex` is not whole; several where it takes other steps."""
    items = term.attrs["items"]
    if any(kind == "slice" and value[2] != 1 for kind, value in items):
        return [-1, -2]
    narrow = [
        kind == "at" or value[1] != n for (kind, value), n in zip(items, term.shape, strict=True)
    ]
    return [axis for axis, one in enumerate(narrow) if one]


def _range(term: Node, axis: int) -> tuple[Dim, Dim]:
    """Return where an `unindex` starts along an axis, and how many positions it has there."""
    kind, value = term.attrs["items"][axis]
    return (Dim.of(value), Dim.of(1)) if kind == "at" else (value[0], value[1])


_FOLDED: Mapping[Op, Callable[..., Any]] = {
    plus: operator.add,
    minus: operator.sub,
    times: operator.mul,
    over: operator.truediv,
    power: operator.pow,
    negative: operator.neg,
}


def folded(node: Node) -> Node | None:
    """Fold arithmetic of numbers; what Python refuses (1/0) is left to run time."""
    if node.op not in _FOLDED or node.rank or any(arg.value is None for arg in node.args):
        return None
    try:
        value = _FOLDED[node.op](*(arg.value for arg in node.args))
    except ArithmeticError:
        return None
    if isinstance(value, complex):
        return None
    return as_node(float(value) if node.type.dtype == "float" else value)


RULES: tuple[Rule, ...] = (
    product_with_one,
    double_negative,
    sum_with_nothing,
    broadcast_in_elementwise,
    repeated_scalar,
    no_change_of_shape,
    parts_of_a_whole,
    product_of_unit_vectors,
    product_with_unit_columns,
    folded,
)
