"""Values known at compile time: their arithmetic, their comparison, and when they become nodes."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from graphc.elaborate.names.scope import BlockValue, Context, FamilyValue, InstanceValue, mistake
from graphc.ir.dims import Dim
from graphc.ir.graph import OPERATORS, Node, as_node
from graphc.ir.sizes import check_dim
from graphc.ir.types import known_facts, shape_text
from graphc.ops import Function
from graphc.source import Span

INTEGER: dict[str, Callable[[Dim, Dim], Dim]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
}
FLOAT: dict[str, Callable[[Any, Any], Any]] = {
    **INTEGER,
    "/": operator.truediv,
    "**": operator.pow,
}
COMPARISON: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def is_number(value: Any) -> bool:
    return isinstance(value, Dim | float) and not isinstance(value, bool)


def describe_value(value: Any) -> str:
    """Describe a value in the words of a message."""
    match value:
        case Node():
            return f"a tensor {value.type}"
        case bool():
            return "true" if value else "false"
        case Dim() | float():
            return f"the number {value}"
        case str():
            return "a string"
        case tuple() if value and all(isinstance(item, Node) for item in value):
            return f"a list of {len(value)} tensors"
        case tuple():
            return f"the list {shape_text(value)}" if all(map(is_number, value)) else "a list"
        case Function():
            return f"the operation `{value.name}`"
        case BlockValue():
            return f"the block `{value.tree.name.text}`"
        case InstanceValue():
            return "an instance"
        case FamilyValue():
            return "a loop"
    return "nothing"


def name_each(stem: str, count: int) -> str:
    """Return the remedy where several values get one name, or none."""
    names = ", ".join(f"{stem}{number}" for number in range(1, count + 1))
    return f"name each: `{names} = ...`"


def to_node(value: Any, span: Span, taker: str = "expected") -> Node:
    """Convert a value to a tensor; `taker` begins the sentence that says that it is none."""
    if isinstance(value, Node | Dim | float | bool):
        return as_node(value)
    if isinstance(value, tuple):
        try:
            return as_node(value)
        except ValueError:
            if not span.text.startswith("[") and isinstance(value[0], Node):
                several = f"{len(value)} values, where one stands"
                raise mistake("E214", several, span, name_each("a", len(value))) from None
            if any(isinstance(item, Node) for item in value):
                raise mistake(
                    "E310",
                    "a list holds numbers, not tensors",
                    span,
                    "tensors are given one by one: `concat(a, b)`, `stack(a, b)`, `add(a, b)`",
                ) from None
            raise mistake("E310", "the rows of this list differ in length or kind", span) from None
    help = None
    if isinstance(value, Function | BlockValue | InstanceValue):
        name = value.name if isinstance(value, Function) else span.text
        help = f"apply it: `{name}(...)`" if name.isidentifier() else None
    elif isinstance(value, FamilyValue):
        help = "what a loop ends with has the names of `carry` and `collect`"
    raise mistake("E211", f"{taker} a tensor, found {describe_value(value)}", span, help)


def evaluate_binary(
    context: Context, op: str, left: Any, right: Any, spans: tuple[Span, Span, Span]
) -> Any:
    """Evaluate `left op right`; the spans are those of the whole, the left and the right.

    Integers known at compile time stay dims, numbers stay numbers, and everything else is a
    node. Whether symbolic dims compare is asked of the facts; what they do not settle is
    settled by the dims' values where they are fixed, else it is a node too: the index of a loop
    differs from step to step, and the sizes of a call from call to call.
    """
    numeric = op in FLOAT or op in COMPARISON
    if numeric and isinstance(left, Dim) and isinstance(right, Dim):
        return _dims(context, op, left, right, spans[0])
    if numeric and is_number(left) and is_number(right):
        number, second = (_float(context, side) for side in (left, right))
        if number is not None and second is not None:
            return _floats(op, number, second, spans[0])
    if isinstance(left, bool | str) and isinstance(right, bool | str):
        if op in ("==", "!="):
            return COMPARISON[op](left, right)
        if op in ("and", "or") and isinstance(left, bool) and isinstance(right, bool):
            return (left and right) if op == "and" else (left or right)
    one, other = to_node(left, spans[1]), to_node(right, spans[2])
    if op in ("and", "or"):
        for side, span in ((one, spans[1]), (other, spans[2])):
            if side.type.dtype != "bool":
                raise mistake("E307", f"`{op}` takes truth values, found {side.type}", span)
    return OPERATORS[op](one, other)


def _dims(context: Context, op: str, left: Dim, right: Dim, span: Span) -> Any:
    if op in COMPARISON:
        decided = compare(context, op, left, right)
        return OPERATORS[op](as_node(left), as_node(right)) if decided is None else decided
    try:
        if op in ("//", "%") and context.known(right) == 0:
            raise ZeroDivisionError
        if op in INTEGER:
            return known_facts().normal(check_dim(INTEGER[op](left, right)))
        exponent = right.constant
        if op == "**" and exponent is not None and exponent >= 0:
            return check_dim(left**exponent)
        one, other = left.constant, right.constant
        if one is None or other is None:
            return OPERATORS[op](as_node(left), as_node(right))
        return _floats(op, one, other, span)
    except ZeroDivisionError:
        shown = "a constant" if right.constant == 0 else f"`{span.text}`, where {right} is 0"
        raise mistake("E310", f"division by zero in {shown}", span) from None


def _floats(op: str, left: float, right: float, span: Span) -> Any:
    if op in COMPARISON:
        return COMPARISON[op](left, right)
    try:
        result = FLOAT[op](left, right)
    except ZeroDivisionError:
        raise mistake("E310", "division by zero in a constant", span) from None
    except OverflowError:
        raise mistake("E310", "this constant is too large for a float", span) from None
    if isinstance(result, complex):
        raise mistake("E310", "a power of a negative number is not real here", span)
    return float(result)


def _float(context: Context, value: Dim | float) -> float | None:
    if isinstance(value, float):
        return value
    constant = value.constant
    return None if constant is None else float(constant)


def compare(context: Context, op: str, left: Dim, right: Dim) -> bool | None:
    """Compare dims: for every value of the symbols, else for their fixed values, else None."""
    difference = left - right
    facts = known_facts()
    proved: bool | None = None
    if op in ("==", "!="):
        if facts.equal(left, right):
            proved = True
        elif facts.nonnegative(difference - 1) or facts.nonnegative(-difference - 1):
            proved = False
        proved = proved if op == "==" or proved is None else not proved
    else:
        goal = {"<": -difference - 1, "<=": -difference, ">": difference - 1, ">=": difference}[op]
        proved = facts.nonnegative(goal)
    if proved is not None:
        return proved
    one, other = context.known(left), context.known(right)
    return None if one is None or other is None else bool(COMPARISON[op](one, other))
