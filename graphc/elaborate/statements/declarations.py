"""Declarations: dims, constants, inputs, parameters, outputs, instances and requirements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from graphc.elaborate.calls.axis_labels import label
from graphc.elaborate.calls.binding import declare_instance
from graphc.elaborate.calls.ports import check_type, evaluate_type
from graphc.elaborate.expressions.expressions import evaluate, evaluate_entry
from graphc.elaborate.names.definitions import declare, define
from graphc.elaborate.names.hints import initialiser_remedy
from graphc.elaborate.names.model import Declared, DimInfo, Initialiser
from graphc.elaborate.names.scope import (
    Context,
    Entry,
    Mistake,
    Scope,
    Silent,
    mistake,
)
from graphc.elaborate.values.conditions import check_at_entry
from graphc.elaborate.values.remedies import quotient_remedy
from graphc.elaborate.values.values import COMPARISON, compare, describe_value, to_node
from graphc.ir.dims import Dim
from graphc.ir.graph import INPUT, PARAMETER, Node, reaches_source, source
from graphc.ir.types import Type, known_facts, learn, same_shape
from graphc.names import identifier
from graphc.ops import FUNCTIONS
from graphc.ops.shape.members import family_node, member_node
from graphc.paths import is_family
from graphc.source import Span, did_you_mean, near_or_all
from graphc.syntax import tree
from graphc.syntax.format.canonical import one_line_of

INITIALISERS = {
    "glorot": 0,
    "he": 0,
    "zeros": 0,
    "ones": 0,
    "orthogonal": 0,
    "normal": 2,
    "uniform": 2,
}
NUMBERS = {
    "normal": "a mean and a deviation: `normal(0, 0.1)`",
    "uniform": "two bounds: `uniform(-0.1, 0.1)`",
}


def declare_dims(context: Context, scope: Scope, statement: tree.DimDeclaration) -> None:
    if not scope.is_file:
        raise mistake(
            "E216",
            "dims are declared at top level; a block binds them in its ports",
            statement.span,
        )
    doc = statement.doc.value if statement.doc else ""
    for name, expr in statement.dims:
        symbol = Dim.symbol(identifier(name.text))
        fixed = context.dim_values.get(name.text)
        value = evaluate(context, scope, expr) if expr is not None else None
        if expr is not None and not isinstance(value, Dim):
            help = quotient_remedy(value)
            raise mistake(
                "E309", f"a dim is an integer, found {describe_value(value)}", expr.span, help
            )
        if isinstance(value, Dim) and value.constant is None:
            if fixed is not None:
                raise mistake(
                    "E217", f"`{name.text}` is an alias of {value}; --dim cannot fix it", name.span
                )
            scope.entries[name.text] = Entry(value, name.span, is_dim=True)
            continue
        if fixed is None and isinstance(value, Dim):
            fixed = value.constant
        if fixed is not None and fixed < 1:
            raise mistake("E309", f"dim `{name.text}` is {fixed}; a dim is at least 1", name.span)
        context.dims[identifier(name.text)] = DimInfo(name.text, symbol, fixed, name.span, doc)
        scope.entries[name.text] = Entry(symbol, name.span, is_dim=True)


def declare_const(context: Context, scope: Scope, statement: tree.Const) -> None:
    name = statement.name.text
    if scope.is_file and name in context.const_values:
        value = context.const_values[name]
    else:
        value = evaluate(context, scope, statement.value)
    if statement.type is not None:
        check_type(
            context, scope, statement.name, statement.type, to_node(value, statement.value.span)
        )
    elif isinstance(value, Node) and reaches_source(value):
        raise mistake(
            "E404", "a const is known at compile time", statement.value.span, "leave out `const`"
        )
    scope.entries[name] = Entry(value, statement.name.span)


def declare_input(context: Context, scope: Scope, statement: tree.Input) -> None:
    if not scope.is_file:
        raise mistake("E216", "inputs are declared at top level; a block has ports", statement.span)
    declared = evaluate_type(context, scope, statement.type)
    doc = statement.doc.value if statement.doc else ""
    for name in statement.names:
        node = source(INPUT, name.text, declared)
        context.inputs[name.text] = Declared(name.text, node, declared, name.span, doc)
        label(scope, node, statement.type)
        declare(context, scope, name, node)


def declare_param(context: Context, scope: Scope, statement: tree.Param) -> None:
    declared = evaluate_type(context, scope, statement.type)
    if declared.dtype != "float":
        raise mistake("E309", f"a parameter is float, not {declared.dtype}", statement.span)
    initialiser = _initialiser(context, scope, statement.initialiser, declared.rank)
    doc = statement.doc.value if statement.doc else ""
    for name in statement.names:
        path = scope.join(name.text)
        if path is None:
            used = context.uses[-1][0] if context.uses else "block"
            raise mistake(
                "E204",
                "this block has parameters, so its use needs a name",
                scope.unnamed or name.span,
                f"write `{used}(...) as name`, or define a node: `h = {used}(...)`",
            )
        before = context.params.get(path)
        if before is None:
            context.params[path] = _new_parameter(
                context, path, declared, name.span, doc, initialiser
            )
        elif not scope.reusing:
            raise Silent  # it is told already that this name, or that of the use, is defined twice
        elif not same_shape(before.type.shape, declared.shape):
            raise mistake(
                "E205",
                f"shared parameter {path} is {before.type}, but this use needs {declared}",
                context.uses[-1][1] if context.uses else name.span,
                "reusing an instance shares its parameters; call the block again for fresh ones",
            )
        context.name_node(context.params[path].node, path)
        value = _value_of(context, context.params[path])
        label(scope, value, statement.type)
        declare(context, scope, name, value)


def _new_parameter(
    context: Context, path: str, type: Type, span: Span, doc: str, initialiser: Initialiser
) -> Declared:
    """Build a new parameter; inside a rolled repeat, one for each index."""
    if any(symbol in axis.symbols for axis in type.shape for symbol in context.ranges):
        raise mistake("E311", f"the shape of `{path}` depends on the index of the loop", span)
    if context.rolling is None or not is_family(path):
        return Declared(path, source(PARAMETER, path, type), type, span, doc, initialiser)
    _, first, count = context.rolling
    node = family_node(path, count, type)
    start, steps = first.constant, count.constant
    assert start is not None
    assert steps is not None
    return Declared(path, node, type, span, doc, initialiser, range(start, start + steps))


def _value_of(context: Context, declared: Declared) -> Node:
    """Return the parameter where it is declared: in a rolled repeat, that of the present index."""
    if declared.family is None or context.rolling is None:
        return declared.node
    symbol, first, _ = context.rolling
    return member_node(declared.node, Dim.symbol(symbol) - first)


def _initialiser(context: Context, scope: Scope, expr: tree.Expr | None, rank: int) -> Initialiser:
    """Read `~ glorot`, `~ normal(0, 0.02)`, `~ 0`; by default glorot from rank 2 on, else 0."""
    if expr is None:
        return Initialiser("glorot" if rank >= 2 else "zeros")
    if isinstance(expr, tree.Name) and scope.find(expr.text) is None:
        if INITIALISERS.get(expr.text) == 0:
            return Initialiser(expr.text)
        if expr.text in NUMBERS:
            raise _two_numbers(expr.text, expr.span)
        raise mistake(
            "E218",
            f"unknown initialiser `{expr.text}`",
            expr.span,
            initialiser_remedy(expr.text)
            or near_or_all(expr.text, INITIALISERS, "the initialisers"),
        )
    if isinstance(expr, tree.Call) and isinstance(expr.function, tree.Name):
        kind = expr.function.text
        if INITIALISERS.get(kind):
            numbers = [
                _number_of(context, evaluate(context, scope, a.value), a.span)
                for a in expr.arguments
            ]
            if len(numbers) != 2 or any(a.name for a in expr.arguments):
                raise _two_numbers(kind, expr.span)
            _check_range(kind, numbers, expr.span)
            return Initialiser(kind, tuple(numbers))
        if kind in INITIALISERS:
            raise mistake("E218", f"`{kind}` takes no numbers", expr.span, f"write `~ {kind}`")
        if kind not in FUNCTIONS:
            near = initialiser_remedy(kind) or near_or_all(kind, INITIALISERS, "the initialisers")
            raise mistake("E218", f"unknown initialiser `{kind}`", expr.span, near)
    return Initialiser(
        "constant", (_number_of(context, evaluate(context, scope, expr), expr.span),)
    )


def _two_numbers(kind: str, span: Span) -> Mistake:
    return mistake("E218", f"`{kind}` takes two numbers", span, NUMBERS[kind])


def _check_range(kind: str, numbers: Sequence[float], span: Span) -> None:
    """Refuse what NumPy would refuse when the parameters are drawn."""
    first, second = numbers
    if kind == "normal" and not second >= 0:
        raise mistake("E218", f"a deviation is at least 0, found {second:g}", span, NUMBERS[kind])
    if kind == "uniform" and not first <= second:
        message = f"the bounds {first:g} and {second:g} are in the wrong order"
        raise mistake("E218", message, span, f"write `uniform({second:g}, {first:g})`")


def _number_of(context: Context, value: Any, span: Span) -> float:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise mistake("E218", f"an initialiser takes finite numbers, found {value:g}", span)
        return value
    known = context.known(value) if isinstance(value, Dim) else None
    if known is None:
        raise mistake(
            "E218",
            f"an initialiser takes numbers known at compile time, found {describe_value(value)}",
            span,
            "one number is for all elements; an array that is given is a `const`, or an `input`"
            if isinstance(value, tuple)
            else None,
        )
    return float(known)


def declare_output(context: Context, scope: Scope, statement: tree.Output) -> None:
    if not scope.is_file:
        raise mistake(
            "E216", "outputs are declared at top level; a block has results", statement.span
        )
    if statement.value is not None:
        if len(statement.names) != 1:
            raise mistake("E219", "an output with a value has one name", statement.span)
        name = statement.names[0]
        value, instance = evaluate_entry(context, scope, statement.value, name.text)
        define(context, scope, name, to_node(value, statement.value.span), instance)
    wrong: list[Mistake | Silent] = []
    for name in statement.names:
        try:
            _declare_output(context, scope, statement, name)
        except (Mistake, Silent) as one:  # the other names are outputs all the same
            wrong.append(one)
    if wrong:
        raise min(wrong, key=lambda said: isinstance(said, Silent))


def _declare_output(
    context: Context, scope: Scope, statement: tree.Output, name: tree.Ident
) -> None:
    entry = scope.entries.get(name.text)
    if entry is None:
        raise mistake(
            "E200",
            f"unknown name `{name.text}`",
            name.span,
            did_you_mean(name.text, scope.visible()),
        )
    entry.require_sound()
    if name.text in context.outputs:
        raise mistake("E201", f"`{name.text}` is an output twice", name.span)
    node = to_node(entry.value, name.span)
    check_type(context, scope, name, statement.type, node)
    context.read.add(name.text)
    doc = statement.doc.value if statement.doc else ""
    context.outputs[name.text] = Declared(name.text, node, node.type, name.span, doc)


def define_instance(context: Context, scope: Scope, statement: tree.Instance) -> None:
    if not isinstance(statement.value, tree.Call):
        raise mistake("E208", "an instance is made of a block", statement.value.span)
    given = [(a.name, evaluate(context, scope, a.value), a) for a in statement.value.arguments]
    made = declare_instance(context, scope, statement.name.text, statement.value, given)
    scope.entries[statement.name.text] = Entry(made, statement.name.span)


def require(context: Context, scope: Scope, statement: tree.Require) -> None:
    """Prove, refute or check at entry a condition on dims; then it counts as known."""
    pending = [statement.condition]
    said = statement.doc.value if statement.doc else f"`{one_line_of(statement.condition.span)}`"
    while pending:
        condition = pending.pop()
        if not isinstance(condition, tree.Binary):
            raise mistake("E404", "`require` takes comparisons of dims", condition.span)
        if condition.op == "and":
            pending += [condition.right, condition.left]
            continue
        left = evaluate(context, scope, condition.left)
        right = evaluate(context, scope, condition.right)
        if not isinstance(left, Dim) or not isinstance(right, Dim):
            holds = evaluate(context, scope, condition)
            if not isinstance(holds, bool):
                raise mistake(
                    "E404",
                    "`require` takes comparisons known at compile time or of dims",
                    condition.span,
                )
        elif condition.op not in COMPARISON:
            raise mistake("E404", "`require` takes comparisons of dims", condition.span)
        else:
            holds = compare(context, condition.op, left, right)
            _learn(context, condition, left, right, holds, said)
        if holds is False:
            raise mistake("E303", f"requirement does not hold: {said}", condition.span)


def _learn(
    context: Context, condition: tree.Binary, left: Dim, right: Dim, holds: bool | None, said: str
) -> None:
    if holds is False:
        return
    difference = left - right
    dim = {
        "==": difference,
        "<=": -difference,
        "<": -difference - 1,
        ">=": difference,
        ">": difference - 1,
        "!=": difference * difference - 1,
    }
    fact = dim[condition.op]
    if fact.constant is None:
        facts = known_facts()
        learn(facts.with_zero(fact) if condition.op == "==" else facts.with_nonnegative(fact))
    if holds is None:
        check_at_entry(context, fact, condition.op == "==", said, condition.span)
