"""Subscripts: positions, ranges, new axes and gathers; bounds are proved or checked at entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.elaborate.names.scope import Context, FamilyValue, Mistake, mistake
from graphc.elaborate.values.conditions import check_at_entry
from graphc.elaborate.values.remedies import quotient_remedy
from graphc.elaborate.values.values import describe_value
from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.items import Item, whole
from graphc.ir.types import Mismatch, Type, known_facts
from graphc.limits import RANK
from graphc.ops import Function
from graphc.ops.select.gathering import gather, named_shape
from graphc.ops.select.indexing import declared_so
from graphc.ops.shape.shaping import choose, expand, transpose
from graphc.source import Span
from graphc.syntax import tree
from graphc.syntax.format.canonical import one_line_of

IndexValue = tuple[tree.Index, Any]


def evaluate_subscript(
    context: Context, expr: tree.Subscript, value: Any, parts: Sequence[IndexValue]
) -> Any:
    """Evaluate `value[parts]`, of a tensor or of a list known at compile time."""
    if isinstance(value, tuple):
        return _list_item(context, expr, value, parts)
    if not isinstance(value, Node):
        help = None
        if isinstance(value, FamilyValue):
            member = ", ".join(part.span.text for part, _ in parts)
            help = f"an iteration is a member: `{expr.value.span.text}.{member}`"
        elif isinstance(value, Function):
            help = f"arguments stand in parentheses: `{value.name}(...)`"
        raise mistake("E211", f"{describe_value(value)} has no elements to index", expr.span, help)
    return _tensor(context, expr.span, value, _expand_dots(expr.span, value, parts))


def _list_item(
    context: Context, expr: tree.Subscript, value: tuple[Any, ...], parts: Sequence[IndexValue]
) -> Any:
    if len(parts) != 1 or isinstance(parts[0][0], tree.Dots | tree.NewAxis):
        raise mistake("E308", "a list takes one index", expr.span)
    part, index_value = parts[0]
    if isinstance(part, tree.Slice):
        return value[
            slice(*(None if b is None else _integer(context, b, part.span) for b in index_value))
        ]
    position = _integer(context, index_value, part.span)
    if not -len(value) <= position < len(value):
        raise mistake("E308", f"index {position} is outside a list of {len(value)}", expr.span)
    return value[position]


def _integer(context: Context, value: Any, span: Span) -> int:
    known = context.known(value) if isinstance(value, Dim) else None
    if known is None:
        help = (
            "elements of a list by a tensor: `take(list, ids)`" if isinstance(value, Node) else None
        )
        raise mistake("E404", "this index must be an integer known at compile time", span, help)
    return known


def _expand_dots(span: Span, value: Node, parts: Sequence[IndexValue]) -> list[IndexValue]:
    """Write `...` out, behind itself, so that there is a part for each axis and new axis."""
    given = sum(not isinstance(part, tree.Dots | tree.NewAxis) for part, _ in parts)
    dots = [i for i, (part, _) in enumerate(parts) if isinstance(part, tree.Dots)]
    if len(dots) > 1:
        raise mistake("E308", "a subscript has at most one `...`", span)
    if given > value.rank:
        raise mistake(
            "E308", f"{given} indices for {value.type}, which has {value.rank} axes", span
        )
    whole: list[IndexValue] = [(tree.Slice(span, None, None, None), (None, None, None))] * (
        value.rank - given
    )
    place = dots[0] + 1 if dots else len(parts)
    return [*parts[:place], *whole, *parts[place:]]


def _tensor(context: Context, span: Span, value: Node, parts: Sequence[IndexValue]) -> Node:
    """Take positions and ranges first, then gather by tensors, then insert new axes.

    Where the tensors stand one behind the other, what they name comes in their place; where
    something stands between them, it comes first, as in NumPy.
    """
    items: list[Item] = []
    tensors: list[Node] = []
    axes: list[int] = []  # of each tensor, counted where positions have taken theirs away
    kinds: list[str] = []  # what makes axes of the result, and `...`, in order
    for part, given in parts:
        if isinstance(part, tree.NewAxis | tree.Dots):
            kinds.append("new" if isinstance(part, tree.NewAxis) else "dots")
            continue
        axis = len(items)
        size = value.shape[axis]
        if isinstance(part, tree.Slice):
            items.append(("slice", _range(context, part.span, given, size, axis, value)))
            kinds.append("slice")
        elif isinstance(given, Node):
            _check_index(given, part.span)
            axes.append(sum(kind == "slice" for kind, _ in items))
            tensors.append(given)
            items.append(whole(size))
            kinds.append("tensor")
        elif isinstance(given, Dim):
            items.append(("at", _position(context, span, given, size, axis, value)))
        else:
            listed = f"`take(x, {describe_value(given).removeprefix('the list ')}, axis={axis})`"
            help = f"elements by a list: {listed}" if isinstance(given, tuple) else None
            message = f"an index is an integer, found {describe_value(given)}"
            raise mistake("E308", message, part.span, help or quotient_remedy(given))
    result = choose(value, tuple(items))
    if tensors:
        first = kinds.index("tensor")
        together = kinds[first : first + len(tensors)] == ["tensor"] * len(tensors)
        result = _gather(result, tensors, axes, together, span)
        kinds = [kind for kind in kinds if kind != "tensor"]
        named = len(named_shape(tensors))
        kinds[first if together else 0 : first if together else 0] = ["slice"] * named
    kinds = [kind for kind in kinds if kind != "dots"]
    if len(kinds) > RANK:
        raise mistake("E309", f"{len(kinds)} axes; NumPy has at most {RANK}", span)
    new_axes = tuple(place for place, kind in enumerate(kinds) if kind == "new")
    return expand(result, axes=new_axes) if new_axes else result


def _check_index(given: Node, span: Span) -> None:
    if given.type.dtype == "int":
        return
    mask = "shapes do not depend on values: a mask chooses by `where(mask, x, 0)`"
    help = mask if given.type.dtype == "bool" else quotient_remedy(given)
    help = help or declared_so(given, "int")
    found = given.type.beside(Type("int", ()))
    raise mistake("E308", f"an index is an integer, found {found}", span, help)


def _gather(
    value: Node, tensors: Sequence[Node], axes: Sequence[int], together: bool, span: Span
) -> Node:
    """Gather along these axes, which come first unless they stand together."""
    try:
        if together:
            return gather(value, *tensors, axis=axes[0])
        rest = (axis for axis in range(value.rank) if axis not in axes)
        return gather(transpose(value, axes=(*axes, *rest)), *tensors, axis=0)
    except Mismatch as wrong:
        raise mistake(wrong.code, wrong.message, span, wrong.help) from None


def _position(context: Context, span: Span, given: Dim, size: Dim, axis: int, value: Node) -> Dim:
    """Count an index from the front; it must lie inside its axis."""
    constant = given.constant
    position = size + given if constant is not None and constant < 0 else given
    message = f"index {given} is outside axis {axis} of {value.type}"
    outside = mistake("E308", message, span, _within(given, size, "positions", size - 1))
    _require(context, span, position, outside)
    _require(context, span, size - 1 - position, outside)
    return position


def _range(
    context: Context, span: Span, bounds: tuple[Any, Any, Any], size: Dim, axis: int, value: Node
) -> tuple[Dim, Dim, int]:
    """Return (start, length, step) of a slice whose bounds must lie inside its axis."""
    for bound in bounds:
        if bound is not None and not isinstance(bound, Dim):
            found = describe_value(bound)
            raise mistake(
                "E308",
                f"the bounds of a slice are integers known at compile time, found {found}",
                span,
                quotient_remedy(bound),
            )
    start, stop, step = bounds
    stride = 1 if step is None else _integer(context, step, span)
    if stride == 0:
        raise mistake("E308", "the step of a slice is not zero", span)
    first, last = (Dim.of(0), size) if stride > 0 else (size - 1, Dim.of(-1))
    start = first if start is None else _from_front(start, size)
    stop = last if stop is None else _from_front(stop, size)
    outside = mistake(
        "E308",
        f"the slice leaves axis {axis} of {value.type}",
        span,
        _within(stop, size, "bounds", size),
    )
    for inside in (
        (start, size - stop, stop - start)
        if stride > 0
        else (size - 1 - start, stop + 1, start - stop)
    ):
        _require(context, span, inside, outside)
    length = (
        (stop - start + (stride - 1)) // stride
        if stride > 0
        else (start - stop - stride - 1) // -stride
    )
    return start, known_facts().normal(length), stride


def _within(given: Dim, size: Dim, what: str, last: Dim) -> str | None:
    """Say which positions an axis has, or which steps of a loop stay among them."""
    if size.constant == 0:
        return "it is empty"
    if given.symbols <= size.symbols or given.offset <= 0:
        return f"its {what} are 0 to {last}"
    return f"over fewer steps it stays inside, such as `[t in {size - given.offset}]`"


def _from_front(bound: Dim, size: Dim) -> Dim:
    constant = bound.constant
    return size + bound if constant is not None and constant < 0 else bound


def _require(context: Context, span: Span, dim: Dim, otherwise: Mistake) -> None:
    """Demand `dim >= 0`: proved, refuted, or checked at entry."""
    proved = known_facts().nonnegative(dim)
    known = context.known(dim)
    if proved is False or (known is not None and known < 0):
        raise otherwise
    if proved is None and known is None:
        text = f"{one_line_of(span)} needs {dim} >= 0"
        if not check_at_entry(context, dim, False, text, span):
            raise otherwise
