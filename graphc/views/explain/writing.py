"""Nodes as formulas of matrices, each of them and its transpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, arguments_first
from graphc.ir.types import Shape, is_one, product, same, same_shape
from graphc.ops.define.families import normal_axes
from graphc.records import dataclass
from graphc.views.explain.expression import (
    Call,
    Expression,
    added,
    column,
    dot,
    hadamard,
    identity,
    negative,
    number,
    ones,
    size,
    transposed,
)
from graphc.views.explain.expression import product as times


@dataclass(frozen=True, slots=True)
class NodeFormula:
    """A node as a formula, and the shape of its array."""

    formula: Expression
    shape: Shape
    node: Node


def write_formula(root: Node, symbols: Mapping[Node, Expression]) -> Expression:
    """Write the formula of a node in terms of the nodes that have a symbol."""
    found: dict[Node, NodeFormula] = {}
    for node in arguments_first([root], symbols):
        found[node] = NodeFormula(_formula(node, found, symbols), node.shape, node)
    return symbols[root] if root in symbols else found[root].formula


def _formula(
    node: Node, found: Mapping[Node, NodeFormula], symbols: Mapping[Node, Expression]
) -> Expression:
    if node.op.name == "constant" and not node.rank:
        return number(node.value)
    if node.op.name == "dim":
        return size(node.attrs["value"])
    args = [
        NodeFormula(symbols[arg], arg.shape, arg) if arg in symbols else found[arg]
        for arg in node.args
    ]
    rule = RULES.get(node.op.name)
    made = rule(node, args) if rule is not None else None
    if made is None and node.op.structure == "elementwise":
        made = called(node, [stretched(arg, node.shape) for arg in args])
    return called(node, [arg.formula for arg in args]) if made is None else made


def called(node: Node, args: Sequence[Expression]) -> Expression:
    """Write an operation by its name."""
    return Expression("call", tuple(args), column(node.shape), call_of(node))


def call_of(node: Node) -> Call:
    """Return what an operation is called with, its arguments apart."""
    shapes = tuple(arg.shape for arg in node.args)
    return Call(node.op.name, tuple(sorted(node.attrs.items())), shapes, node.shape)


# ---- stretching ---------------------------------------------------------------------------------


def stretched(arg: NodeFormula, shape: Shape) -> Expression:
    """Write an operand in the shape of the result: ones say along which axis it is repeated.

    A number fits everything as it is.
    """
    if not arg.shape or same_shape(arg.shape, shape):
        return arg.formula
    if len(shape) <= 2:
        if len(arg.shape) == 1 and len(shape) == 2:
            row = transposed(arg.formula)
            row = times(row, transposed(ones(shape[1]))) if _grows(arg.shape[0], shape[1]) else row
            return times(ones(shape[0]), row) if not is_one(shape[0]) else row
        formula = arg.formula
        if _grows(arg.shape[0], shape[0]):
            formula = times(ones(shape[0]), formula)
        if len(shape) == 2 and _grows(arg.shape[1], shape[1]):
            formula = times(formula, transposed(ones(shape[1])))
        return formula
    formula = transposed(arg.formula) if len(arg.shape) == 1 else arg.formula
    return Expression("stretched", (formula,), shape)


def _grows(axis: Dim, to: Dim) -> bool:
    return is_one(axis) and not same(axis, to)


def _filled(arg: NodeFormula, shape: Shape) -> Expression:
    """Write a number or an array repeated to a shape, also a number."""
    if arg.shape or not shape:
        return stretched(arg, shape)
    if len(shape) > 2:
        return Expression("stretched", (arg.formula,), shape)
    rows = ones(shape[0])
    whole = rows if len(shape) == 1 else times(rows, transposed(ones(shape[1])))
    return times(arg.formula, whole)


# ---- rules --------------------------------------------------------------------------------------


def _as_it_is(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    return args[0].formula


def _plus(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    return added(_alike(node, args))


def _alike(node: Node, args: Sequence[NodeFormula]) -> list[Expression]:
    """Operands of a sum in one shape."""
    return [_filled(arg, node.shape) if not arg.node.static and not arg.shape and node.rank
            else stretched(arg, node.shape) for arg in args]  # fmt: skip


def _minus(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    first, second = _alike(node, args)
    made = added([first, negative(second)])
    return Expression("sum", made.args, column(node.shape))


def _times(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    first, second = args
    if first.node is second.node:
        return Expression("power", (first.formula, number(2)), column(node.shape))
    return hadamard(*(stretched(arg, node.shape) for arg in args))


def _where(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    """Write a choice between something and nothing as a product with 1 or 0."""
    chosen = node.args[1]
    if node.args[2].value != 0:
        return None
    condition = stretched(args[0], node.shape)
    if chosen.value == 1 and same_shape(args[0].shape, node.shape):
        return condition
    return hadamard(stretched(args[1], node.shape), condition)


def _over(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    first, second = (stretched(arg, node.shape) for arg in args)
    return Expression("quotient", (first, second), column(node.shape))


def _power(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    if args[1].shape:
        return None
    return Expression("power", (args[0].formula, args[1].formula), column(node.shape))


def _matmul(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    (a, b), (left, right) = args, (len(arg.shape) for arg in args)
    if left == 1 and right == 1:
        return dot(transposed(a.formula), b.formula)
    if left == 1 and right == 2:
        return times(transposed(b.formula), a.formula)
    if (left == 2 and right <= 2) or (left > 1 and right > 1):
        return times(a.formula, b.formula)
    return None


def _outer(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    return times(args[0].formula, transposed(args[1].formula))


def _permute(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    rank = node.rank
    swap = (*range(rank - 2), rank - 1, rank - 2)
    return transposed(args[0].formula) if rank > 1 and node.attrs["axes"] == swap else None


def _sum(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    (x,) = args
    axes = normal_axes(node.attrs["axis"], len(x.shape), "sum")
    if not axes:
        return x.formula
    if len(axes) == len(x.shape) and not node.rank:
        return Expression("total_sum", (x.formula,), ())
    if len(x.shape) == 1:
        return times(transposed(ones(x.shape[0])), x.formula)
    if len(x.shape) != 2 or len(axes) == 2:
        return None
    row = transposed(ones(x.shape[0]))
    if axes == (1,):
        return times(x.formula, ones(x.shape[1]))
    made = times(row, x.formula)
    return made if node.attrs["keepdims"] else transposed(made)


def _mean(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    summed = _sum(node, args)
    axes = normal_axes(node.attrs["axis"], len(args[0].shape), "mean")
    count = size(product([args[0].shape[i] for i in axes]))
    return summed and Expression("quotient", (summed, count), summed.shape)


def _expand(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    if node.rank != 2:
        return None
    (x,) = args
    if not x.shape:
        return None
    return x.formula if node.attrs["axes"] == (1,) else transposed(x.formula)


def _reshape(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    (x,) = args
    if same_shape(x.shape, node.shape):
        return x.formula
    if len(x.shape) == 2 and node.rank == 1:
        if is_one(x.shape[1]):
            return x.formula
        if is_one(x.shape[0]):
            return transposed(x.formula)
    return None


def _broadcast(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    return _filled(args[0], node.shape)


def _full(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    value = NodeFormula(number(node.attrs["value"]), (), node)
    return _filled(value, node.shape)


def _identity(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    rows, columns = node.shape
    square = same(rows, columns) and same(node.attrs["k"], 0)
    return identity(rows) if square else None


def _accumulate(node: Node, args: Sequence[NodeFormula]) -> Expression | None:
    return added([_filled(arg, node.shape) for arg in args])


RULES: Mapping[str, Callable[[Node, Sequence[NodeFormula]], Expression | None]] = {
    "+": _plus,
    "accumulate": _accumulate,
    "-": _minus,
    "negative": lambda node, args: negative(args[0].formula),
    "*": _times,
    "/": _over,
    "where": _where,
    "**": _power,
    "matmul": _matmul,
    "outer": _outer,
    "permute": _permute,
    "sum": _sum,
    "mean": _mean,
    "expand": _expand,
    "reshape": _reshape,
    "broadcast_to": _broadcast,
    "full": _full,
    "identity": _identity,
    **dict.fromkeys(("id", "held", "ruled", "cast_float", "in_rows"), _as_it_is),
}
"""How operations stand in formulas; what makes None of its operands is called by its name."""
