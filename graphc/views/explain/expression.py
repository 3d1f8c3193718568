"""Formulas of matrices as data: what a printer prints and a test evaluates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from graphc.ir.dims import Dim
from graphc.ir.types import Shape, same
from graphc.records import dataclass

Expressions = tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Expression:
    """A number, a matrix, or a stack of matrices along leading axes; a vector is a column.

    `kind` says what it is made of, `data` what is not an expression itself:

    symbol     `data` is (name, index): a value of the graph, perhaps that of a step of a loop
    total      the derivative of args[0] by args[1], through all that leads from one to the other
    share      what one step of a loop contributes to a total derivative; `data` is its index
    position   its arg, an array that has no name, at a position; `data` is its index
    partial    the derivative of args[0] by its operand args[1], every other operand held
    number     `data` is its value
    size       `data` is a Dim
    sum        of its args; negative: minus its arg
    product    of matrices, or of a number with a matrix
    hadamard   element by element, as quotient and power are
    transpose  of the last two axes
    ones       a column of ones; identity: the identity matrix; zero: a matrix of zeros
    diagonal   a matrix with the elements of its arg, row by row, on the diagonal
    kronecker  the Kronecker product of its args
    blocks     a matrix with the matrices of its arg, a stack, on the diagonal
    rows       its arg with all axes but the last as one
    matrix     the matrix of a linear map of elements, a Call, whatever its entries are called
    total_sum  the sum of all elements of its arg
    stretched  its arg, repeated along the axes that it lacks
    steps      the sum of its arg over the steps of a loop; `data` is its index
    stack      its arg of each step along an axis; `data` is (index, axis, axes of the arg)
    taken      the number of steps that a loop took
    seed       what is given as the derivative by args[0], an output
    call       any other operation: `data` is a Call
    """

    kind: str
    args: Expressions = ()
    shape: Shape = ()
    data: Any = None

    @property
    def is_number(self) -> bool:
        """True for one number."""
        return not self.shape


@dataclass(frozen=True, slots=True)
class Call:
    """An operation on arrays: its name, its attributes, and the shapes of arguments and result."""

    name: str
    attributes: tuple[tuple[str, Any], ...]
    arguments: tuple[Shape, ...]
    result: Shape


def symbol(name: str, shape: Shape, index: str = "") -> Expression:
    return Expression("symbol", (), shape, (name, index))


def number(value: float) -> Expression:
    return Expression("number", (), (), value)


def size(dim: Dim) -> Expression:
    constant = dim.constant
    return Expression("size", (), (), dim) if constant is None else number(constant)


def ones(count: Dim) -> Expression:
    return Expression("ones", (), (count, Dim.of(1)))


def identity(count: Dim) -> Expression:
    return Expression("identity", (), (count, count))


def turned(shape: Shape) -> Shape:
    """Return the shape of the transpose."""
    return (*shape[:-2], shape[-1], shape[-2]) if shape else ()


def column(shape: Shape) -> Shape:
    """Return the shape in which an array stands in formulas: a vector is a column."""
    return (shape[0], Dim.of(1)) if len(shape) == 1 else shape


def added(terms: Sequence[Expression]) -> Expression:
    """Build the sum of terms of one shape."""
    flat: list[Expression] = []
    for term in terms:
        flat.extend(term.args if term.kind == "sum" else (term,))
    shape = max((term.shape for term in flat), key=len)  # a number is added to every element
    return flat[0] if len(flat) == 1 else Expression("sum", tuple(flat), shape)


def negative(of: Expression) -> Expression:
    if of.kind == "negative":
        return of.args[0]
    return Expression("negative", (of,), of.shape)


def product(*factors: Expression) -> Expression:
    """Build a product of matrices, where numbers stand for multiples; identities go."""
    flat: list[Expression] = []
    sign = False
    for factor in factors:
        if factor.kind == "negative":
            sign, factor = not sign, factor.args[0]
        flat.extend(factor.args if _is_open(factor) else (factor,))
    shape: Shape = ()
    for factor in flat:
        shape = _product_shape(shape, factor.shape)
    value, kept = _multiplied([factor for factor in flat if factor.kind != "identity"])
    if value < 0:
        sign = not sign
    if not value and shape:
        return Expression("zero", (), shape)
    if not kept:
        kept = [f for f in flat if f.kind == "identity"][:1] or [number(1)]
    elif all(f.is_number for f in kept) and shape and not same(shape[0], 1):
        kept += [next(f for f in flat if f.kind == "identity")]
    made = kept[0] if len(kept) == 1 else Expression("product", tuple(kept), shape)
    return negative(made) if sign else made


def dot(row: Expression, column: Expression) -> Expression:
    """Build the product of a row with a column, which is a number."""
    return Expression("product", (row, column), ())


def _is_open(factor: Expression) -> bool:
    """May the factors of a factor stand among others? Not those of a number that they make."""
    numbers = all(arg.is_number for arg in factor.args)
    return factor.kind == "product" and (bool(factor.shape) or numbers)


def _multiplied(factors: Sequence[Expression]) -> tuple[float, list[Expression]]:
    """Return the number in a product, and the factors: of numbers one in front, without a sign."""
    value: float = 1
    below: list[Expression] = []
    rest: list[Expression] = []
    for factor in factors:
        if factor.kind == "number" and math.isfinite(factor.data):
            value *= factor.data
        elif factor.kind == "quotient" and factor.is_number and factor.args[0].kind == "number":
            value *= factor.args[0].data
            below.append(factor.args[1])
        else:
            rest.append(factor)
    if len(rest) == len(factors):
        return value, rest
    known = [one for one in below if one.kind == "number" and value % one.data == 0]
    for one in known:
        value /= one.data
    below = [one for one in below if one not in known]
    top = number(abs(value))
    if below:
        return value, [Expression("quotient", (top, product(*below)), ()), *rest]
    return value, rest if abs(value) == 1 else [top, *rest]


def _product_shape(one: Shape, other: Shape) -> Shape:
    if not one or not other:
        return one or other
    lead = max(one[:-2], other[:-2], key=len)
    return (*lead, one[-2], other[-1])


def hadamard(*factors: Expression) -> Expression:
    """Build a product element by element; what is a number is a multiple."""
    flat: list[Expression] = []
    for factor in factors:
        flat.extend(factor.args if factor.kind == "hadamard" else (factor,))
    numbers = [factor for factor in flat if factor.is_number]
    arrays = [factor for factor in flat if not factor.is_number]
    if not arrays:
        return product(*flat)
    made = (
        arrays[0]
        if len(arrays) == 1
        else Expression("hadamard", tuple(arrays), max((a.shape for a in arrays), key=len))
    )
    return product(*numbers, made) if numbers else made


def transposed(of: Expression) -> Expression:
    """Transpose as far inside as it goes: of a product the product turned round."""
    args, shape = of.args, turned(of.shape)
    match of.kind:
        case _ if not of.shape or of.kind in ("identity", "diagonal"):
            return of
        case "transpose":
            return args[0]
        case "product":
            return product(*map(transposed, reversed(args)))
        case "kronecker" | "blocks" | "negative" | "steps" | "stretched":
            return Expression(of.kind, tuple(map(transposed, args)), shape, of.data)
        case "sum" | "hadamard" | "quotient" | "power":
            inside = Expression(of.kind, tuple(map(transposed, args)), shape, of.data)
            outside = Expression("transpose", (of,), shape)
            return inside if _turns(inside) <= _turns(outside) else outside
        case "zero":
            return Expression("zero", (), shape)
        case _:
            return Expression("transpose", (of,), shape)


def _turns(of: Expression) -> int:
    """Count the transposes in a formula."""
    return (of.kind == "transpose") + sum(map(_turns, of.args))


def kronecker(one: Expression, other: Expression) -> Expression:
    """Build a Kronecker product; a factor that is the number 1 goes."""
    if all(same(axis, 1) for axis in one.shape) and one.kind in ("identity", "ones"):
        return other
    if all(same(axis, 1) for axis in other.shape) and other.kind in ("identity", "ones"):
        return one
    shape = (one.shape[0] * other.shape[0], one.shape[1] * other.shape[1])
    if one.kind == other.kind == "identity":
        return identity(shape[0])
    if one.kind == other.kind == "ones":
        return ones(shape[0])
    return Expression("kronecker", (one, other), shape)


def derivative(kind: str, of: Expression, by: Expression, shape: Shape) -> Expression:
    """Build a derivative as a symbol, partial or total."""
    return Expression(kind, (of, by), shape)
