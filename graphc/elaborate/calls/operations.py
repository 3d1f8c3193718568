"""Operations applied: arguments bound to parameters, in the form that an operation takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from graphc.ad.jacobian.derivatives import DERIVATIVES
from graphc.elaborate.calls.axis_labels import axes_labelled
from graphc.elaborate.calls.ports import check_compile_time
from graphc.elaborate.names.hints import argument_remedy
from graphc.elaborate.names.scope import Context, Scope, mistake
from graphc.elaborate.values.conditions import check_at_entry
from graphc.elaborate.values.remedies import explain_shapes
from graphc.elaborate.values.values import describe_value, to_node
from graphc.ir.dims import Dim
from graphc.ir.graph import Node, table
from graphc.ir.types import Mismatch, demand, demanding, shape_text
from graphc.limits import DERIVED, DERIVED_EACH
from graphc.ops import Function, Parameter
from graphc.ops.define.functions import REQUIRED
from graphc.records import dataclass
from graphc.source import Span, decimals
from graphc.syntax import tree

LONGEST_CITATION = 60


@dataclass(frozen=True, slots=True)
class Positional:
    """An argument by position; `expr` is None for one that comes along a chain."""

    value: Any
    span: Span
    expr: tree.Expr | None


def check_names(scope: Scope, function: Function, named: Iterable[str], span: Span) -> None:
    """Refuse arguments by name that are no parameters; a node's name was meant as a comparison."""
    known = [p.name for p in function.parameters if not p.positional_only]
    if any(p.keywords for p in function.parameters):
        return
    for name in named:
        if name not in known:
            near = "equality is `==`" if scope.find(name) else argument_remedy(name, known)
            near = near or f"it is called {function.signature}"
            raise mistake("E209", f"`{function.name}` has no argument `{name}`", span, near)


def apply(
    context: Context,
    scope: Scope,
    function: Function,
    positional: Sequence[Positional],
    named: dict[str, tuple[Any, tree.Argument]],
    span: Span,
) -> Any:
    """Apply an operation to its arguments."""
    tensors: list[Node] = []
    attrs: dict[str, Any] = {}
    pending = list(positional)
    taker = f"`{function.name}` takes"
    for parameter in function.parameters:
        if parameter.variadic:
            tensors.extend(to_node(given.value, given.span, taker) for given in pending)
            pending = []
            continue
        if parameter.keywords:
            attrs[parameter.name] = {
                name: check_compile_time(
                    context, parameter.kind, value, argument.span, f"`{name}` of `{function.name}`"
                )
                for name, (value, argument) in named.items()
                if all(name != other.name for other in function.parameters)
            }
            continue
        if pending:
            if parameter.name in named:
                raise mistake("E209", f"`{function.name}` gets `{parameter.name}` twice", span)
            given = pending.pop(0)
            value, place, expr = given.value, given.span, given.expr
        elif parameter.name in named:
            value, argument = named[parameter.name]
            place, expr = argument.span, argument.value
        elif parameter.default is REQUIRED:
            bare = not positional and not named
            alone = f"as an argument or a stage it is written `{function.name}`" if bare else None
            message = f"`{function.name}` needs `{parameter.name}`: {function.signature}"
            raise mistake("E209", message, span, alone)
        elif parameter.kind in ("axis", "axes") and isinstance(parameter.default, int):
            attrs[parameter.name] = (
                parameter.default if parameter.kind == "axis" else (parameter.default,)
            )
            continue
        else:
            attrs[parameter.name] = parameter.default
            continue
        if parameter.kind == "tensor":
            tensors.append(to_node(value, place, taker))
        else:
            first = tensors[0] if tensors else None
            attrs[parameter.name] = _attribute(
                context, scope, function, parameter, value, expr, place, first, span
            )
    if pending:
        most = len(function.parameters)
        count = "one argument" if most == 1 else f"{most} arguments"
        message = f"`{function.name}` takes at most {count}: {function.signature}"
        raise mistake("E209", message, span, decimals(span.text))
    if function.name == "stop":
        context.surrogate = True
    try:
        with demanding() as demands:
            before = len(table.get().nodes)
            result = function.build(*tensors, **attrs)
            if function.name in DERIVATIVES:
                _count_derived(context, len(table.get().nodes) - before, span)
            _demand_lengths(function, result, tensors)
    except Mismatch as wrong:
        named_already = re.search(rf"\b{function.name}\b", wrong.message)
        message = wrong.message if named_already else f"in `{function.name}`: {wrong.message}"
        told = mistake(wrong.code, message, span, wrong.help)
        raise explain_shapes(told, scope, _arguments(positional, named)) from None
    for dim, otherwise in demands:
        text = f"{_cite(function, span)} needs {dim} >= 0"
        if not check_at_entry(context, dim, False, text, span):
            raise mistake(otherwise.code, otherwise.message, span, otherwise.help)
    return result


def _count_derived(context: Context, made: int, span: Span) -> None:
    """Count the operations of a derivative: one of a derivative has several times as many."""
    context.derived += made
    most = DERIVED + DERIVED_EACH * (len(table.get().nodes) - context.derived)
    if context.derived > most:
        raise mistake(
            "E503",
            f"derivatives up to here have more than {most} operations",
            span,
            "each derivative of a derivative is several times as long: take fewer, one of another",
        )


def _arguments(
    positional: Sequence[Positional], named: Mapping[str, tuple[Any, tree.Argument]]
) -> Iterator[tuple[Any, tree.Expr | None]]:
    """Yield the arguments of a call, with what is written for them."""
    yield from ((given.value, given.expr) for given in positional)
    yield from ((value, argument.value) for value, argument in named.values())


def _demand_lengths(function: Function, result: Any, tensors: Sequence[Node]) -> None:
    """Demand that no axis of the result is negative; those of the arguments are not."""
    given = {axis for tensor in tensors for axis in tensor.shape}
    for value in result if isinstance(result, tuple) else (result,):
        for axis in value.shape if isinstance(value, Node) else ():
            if axis not in given:
                message = f"`{function.name}` makes {value.type}, which has an axis of {axis}"
                demand(axis, Mismatch("E301", message))


def _cite(function: Function, span: Span) -> str:
    """Cite a call in an error at run time: as it is written, if that is short."""
    text = " ".join(span.text.split())
    return text if len(text) <= LONGEST_CITATION else f"`{function.name}` in line {span.line}"


def _attribute(
    context: Context,
    scope: Scope,
    function: Function,
    parameter: Parameter,
    value: Any,
    expr: tree.Expr | None,
    place: Span,
    first: Node | None,
    span: Span,
) -> Any:
    """Convert an argument known at compile time to the form that the operation takes."""
    if parameter.kind not in ("axis", "axes"):
        first_of_all = parameter is function.parameters[0]
        if first_of_all and parameter.kind == "str" and isinstance(value, Node):
            raise mistake(
                "E212",
                f"`{function.name}` takes its text first, found {describe_value(value)}",
                place,
                f'write `{function.name}("...", x, y)`; so it is no stage of a chain',
            )
        return check_compile_time(
            context, parameter.kind, value, place, f"`{parameter.name}` of `{function.name}`"
        )
    if value is None:
        return None
    single = not isinstance(value, tuple)
    exprs = (
        [expr] if single else expr.items if isinstance(expr, tree.ListOf) else [None] * len(value)
    )
    axes = tuple(
        _axis(context, scope, function.name, v, e, first, place, span)
        for v, e in zip((value,) if single else value, exprs, strict=True)
    )
    if parameter.kind == "axes":
        return axes
    if not single:
        raise mistake("E305", f"`{function.name}` takes one axis here", place)
    return axes[0]


def _axis(
    context: Context,
    scope: Scope,
    function: str,
    value: Any,
    expr: tree.Expr | None,
    first: Node | None,
    place: Span,
    span: Span,
) -> int:
    """Return the number of an axis, given by number or by the dim that labels it."""
    if not isinstance(value, Dim):
        pair = isinstance(value, Node) and function in ("max", "min")
        help = f"of two values it is `{function}imum(a, b)`" if pair else None
        raise mistake(
            "E305", f"an axis is an integer or a dim, found {describe_value(value)}", place, help
        )
    entry = scope.find(expr.text) if isinstance(expr, tree.Name) else None
    if isinstance(expr, tree.Name) and entry and entry.is_dim and first is not None:
        places = axes_labelled(scope, expr.text, value, first)
        if len(places) == 1:
            return places[0]
        called = expr.text if str(value) == expr.text else f"{expr.text} ({value})"
        shown = f"axis {called} appears {len(places)} times in {shape_text(first.shape)}"
        if not places:
            shown = f"{first.type} has no axis {called}"
        raise mistake("E305", shown, span, "give the axis as an integer")
    known = context.known(value)
    if known is None:
        raise mistake("E404", "an axis is an integer known at compile time", place)
    return known
