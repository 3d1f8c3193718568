"""Statements: a body, in the order that its names need, into nodes and declarations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.elaborate.calls.axis_labels import label
from graphc.elaborate.calls.ports import check_type
from graphc.elaborate.calls.rules import run_rule
from graphc.elaborate.expressions.expressions import evaluate, evaluate_entry
from graphc.elaborate.names.definitions import define
from graphc.elaborate.names.references import Cycle, defined_names, names_used, order_by_use, walk
from graphc.elaborate.names.scope import (
    Context,
    InstanceValue,
    Mistake,
    Scope,
    Silent,
    limit_mistake,
    mistake,
)
from graphc.elaborate.statements.chains import run_chain
from graphc.elaborate.statements.declarations import (
    declare_const,
    declare_dims,
    declare_input,
    declare_output,
    declare_param,
    define_instance,
    require,
)
from graphc.elaborate.statements.loops import run_collect, run_next, run_repeat, run_scan, run_until
from graphc.elaborate.values.values import name_each, to_node
from graphc.ir.graph import Node, stamped
from graphc.limits import EXPANDED, Exceeded
from graphc.ops import FUNCTIONS
from graphc.source import Origin, Span, error
from graphc.syntax import tree


def run_body(context: Context, scope: Scope, statements: Sequence[tree.Statement]) -> None:
    """Elaborate the statements of a file, a block or an iteration into its scope.

    In a file every mistake is kept and what depends on it is passed over; inside a block or a
    loop the first mistake stops it, and the use that it belongs to reports it.
    """
    if scope.block or scope.outer:
        _check_level(statements)
    chosen = _choose(context, scope, statements)
    _check_names(context, scope, chosen)
    rest = [s for s in chosen if not isinstance(s, _EARLY)]
    _run(context, scope, rest)


_EARLY = (tree.DimDeclaration, tree.Const, tree.Require)


def _choose(
    context: Context, scope: Scope, statements: Iterable[tree.Statement]
) -> list[tree.Statement]:
    """Replace every `if` by the branch that holds.

    Dims, constants and requirements come first: they decide the conditions and what holds of the
    dims. A branch may declare more.
    """
    pending = list(statements)
    chosen: list[tree.Statement] = []
    while pending:
        _run(context, scope, _select_early(context, scope, pending))
        following: list[tree.Statement] = []
        late = {name.text for s in pending for name in defined_names(s)}
        for statement in pending:
            if not isinstance(statement, tree.If):
                chosen.append(statement)
                continue
            with _guard(context, scope, statement):
                needed = names_used([statement.condition]) - scope.entries.keys()
                known = late.isdisjoint(needed)
                holds = evaluate(context, scope, statement.condition) if known else None
                if not isinstance(holds, bool):
                    sized = isinstance(holds, Node) and all(arg.static for arg in holds.args)
                    why = ": a dim in it has no value" if sized else ""
                    raise mistake(
                        "E404",
                        f"`if` needs a value known at compile time{why}",
                        statement.condition.span,
                        "for tensors use where(cond, a, b)",
                    )
                branch = statement.body if holds else statement.orelse
                _check_level(branch)
                following.extend(branch)
        pending = following
    return sorted(chosen, key=lambda s: s.span.start)


_TOP_LEVEL = {
    tree.Block: "blocks are",
    tree.Derive: "`derive` clauses are",
    tree.Import: "imports are",
    tree.FromImport: "imports are",
}


def _check_level(statements: Iterable[tree.Statement]) -> None:
    """Refuse in braces what only a file as a whole has."""
    for statement in statements:
        what = _TOP_LEVEL.get(statement.__class__)
        if what is not None:
            raise mistake("E216", f"{what} written at top level, not in braces", statement.span)


_LATE = {tree.Input: "an input", tree.Param: "a parameter", tree.Instance: "an instance"}
_REMEDIES = {
    tree.Const: "a `const` is a number, a list or a truth value; for a node write `{name} = ...`",
    tree.DimDeclaration: "a dim is made of numbers, dims and integer constants",
    tree.Require: "`require` states what holds of dims; for values use where(cond, a, b)",
}


def _select_early(
    context: Context, scope: Scope, pending: Sequence[tree.Statement]
) -> list[tree.Statement]:
    """Select the statements to run first; those that read run-time values are mistakes."""
    late = {
        name.text: _LATE.get(s.__class__, "computed by the module")
        for s in pending
        if not isinstance(s, (*_EARLY, tree.If))
        for name in defined_names(s)
        if name.text not in scope.entries
    }
    found: list[tree.Statement] = []
    for statement in pending:
        if not isinstance(statement, _EARLY):
            continue
        with _guard(context, scope, statement):
            for item in walk([statement]):
                if isinstance(item, tree.Name) and item.text in late:
                    own = defined_names(statement)
                    raise mistake(
                        "E404",
                        f"`{item.text}` is {late[item.text]}: its value is not known at compile"
                        " time",
                        item.span,
                        _REMEDIES[statement.__class__].format(name=own[0].text if own else ""),
                    )
            found.append(statement)
    return found


def _check_names(context: Context, scope: Scope, statements: Sequence[tree.Statement]) -> None:
    """Check that each name is defined once, and that none is an operation's."""
    first: dict[str, tree.Ident] = {}
    for statement in statements:
        for name in defined_names(statement):
            with _guard(context, scope, statement):
                if name.text in first:
                    again = mistake(
                        "E201", f"`{name.text}` is defined twice", name.span,
                        "a name is defined once; inside a repeat use `next`, else another name",
                    )  # fmt: skip
                    place = first[name.text].span
                    raise Mistake(again.diagnostic.with_note(f"first defined at {place}"))
                first[name.text] = name
                if name.text in FUNCTIONS and _may_be_called(statement, name):
                    raise _operation_name(context, statement, name)
                if name.text.startswith("__"):
                    raise mistake(
                        "E215", f"`{name.text}`: a name does not begin with `__`", name.span
                    )
                if scope.block and name.text in {port.name.text for port in scope.block.ports}:
                    raise mistake(
                        "E201", f"`{name.text}` is already a port of this block", name.span
                    )


def _may_be_called(statement: tree.Statement, name: tree.Ident) -> bool:
    """True if a name would be called as the operation is, or stands where that is called."""
    if isinstance(statement, tree.Chain):
        return name in statement.targets
    return isinstance(statement, tree.Instance | tree.Const)


def _operation_name(context: Context, statement: tree.Statement, name: tree.Ident) -> Mistake:
    if isinstance(statement, tree.Chain) and name in statement.targets:
        return mistake(
            "E203",
            f"`{name.text}` is an operation; a chain ends in the name it defines",
            name.span,
            f"write `-> {name.text} -> y`",
        )
    free = f"{name.text}_"
    while free in context.file_names:
        free += "_"
    return mistake(
        "E203",
        f"`{name.text}` is an operation and cannot be defined",
        name.span,
        f"call it `{free}`",
    )


@contextmanager
def _guard(context: Context, scope: Scope, statement: tree.Statement) -> Iterator[None]:
    """Keep mistakes inside and poison the names of the statement, where it stands in a file."""
    try:
        try:
            yield
        except Exceeded as much:
            raise limit_mistake(much, statement.span) from None
    except (Mistake, Silent) as wrong:
        if not scope.is_file:
            raise
        if isinstance(wrong, Mistake):
            context.diagnostics.append(wrong.diagnostic)
        scope.poison(defined_names(statement))
    except RecursionError:
        if not scope.is_file:
            raise
        message = "blocks, loops and branches are nested too deeply here"
        context.diagnostics.append(error("E503", message, statement.span))
        scope.poison(defined_names(statement))


def _run(context: Context, scope: Scope, statements: Sequence[tree.Statement]) -> None:
    """Elaborate statements in the order that their names need."""
    pending = list(statements)
    while True:
        try:
            order = order_by_use(pending)
            break
        except Cycle as cycle:
            wrong = _cycle_mistake(scope, pending, cycle.places)
            if not scope.is_file:
                raise wrong from None
            names = [name for place in cycle.places for name in defined_names(pending[place])]
            known = [scope.entries[name.text] for name in names if name.text in scope.entries]
            if not any(entry.is_poisoned for entry in known):
                context.diagnostics.append(wrong.diagnostic)
            scope.poison(names)
            pending = [s for i, s in enumerate(pending) if i not in cycle.places]
    for place in order:
        statement = pending[place]
        handler = _HANDLERS.get(statement.__class__)
        if handler is None:
            continue
        if not scope.is_file:
            _count_statement(context, statement)
        declares = isinstance(statement, tree.Input | tree.Param)  # and computes nothing
        origin = None if declares else Origin(statement.span, context.origin)
        with _guard(context, scope, statement), stamped(origin):
            handler(context, scope, statement)


def _count_statement(context: Context, statement: tree.Statement) -> None:
    """Count a statement of a block or a step, of which there are as many as there are uses."""
    context.expanded += 1
    if context.expanded > EXPANDED:
        raise mistake(
            "E503",
            f"blocks and steps are written out to more than {EXPANDED} statements",
            context.uses[0][1] if context.uses else statement.span,
            "blocks that use blocks multiply their uses; `repeat` and `scan` make loops of them",
        )


def _cycle_mistake(
    scope: Scope, statements: Sequence[tree.Statement], places: Sequence[int]
) -> Mistake:
    names = [defined_names(statements[place])[0].text for place in places]
    help = "a graph has no cycles; write recurrence as `scan ... carry`"
    if scope.outer is not None:
        carried = "h" if scope.outer.find(names[0]) else names[0]
        help = (
            f"a loop hands on what it carries: `carry {carried} = ... {{ next {carried} = ... }}`"
        )
    for name in names:
        if name in scope.carried:
            help = f"`{name}` is carried: write `next {name} = ...`"
    return mistake(
        "E202", f"cycle: {' -> '.join([*names, names[0]])}", statements[places[0]].span, help
    )


def _equation(context: Context, scope: Scope, statement: tree.Equation) -> None:
    feeds = statement.targets[0].text if len(statement.targets) == 1 else None
    value, instance = evaluate_entry(context, scope, statement.value, feeds)
    if isinstance(statement.value, tree.Name):
        instance = None
    _define_all(
        context, scope, statement.targets, statement.type, value, instance, statement.value.span
    )


def _chain(context: Context, scope: Scope, statement: tree.Chain) -> None:
    flow, instance = run_chain(context, scope, statement)
    if statement.targets:
        value = flow[0] if len(flow) == 1 else flow
        _define_all(
            context, scope, statement.targets, statement.type, value, instance, statement.span
        )


def _define_all(
    context: Context,
    scope: Scope,
    targets: Sequence[tree.Ident],
    written: tree.TypeOf | None,
    value: Any,
    instance: InstanceValue | None,
    span: Span,
) -> None:
    values = value if len(targets) > 1 and isinstance(value, tuple) else (value,)
    if len(values) != len(targets):
        raise mistake("E214", f"{len(targets)} names for {len(values)} values", span)
    for target, item in zip(targets, values, strict=True):
        if isinstance(item, tuple) and item and isinstance(item[0], Node):
            stem = target.text.rstrip("0123456789")
            several = f"one name for {len(item)} values"
            raise mistake("E214", several, span, name_each(stem, len(item)))
        node = to_node(item, span)
        check_type(context, scope, target, written, node)
        label(scope, define(context, scope, target, node, instance), written)


_HANDLERS: dict[type, Callable[[Context, Scope, Any], None]] = {
    tree.DimDeclaration: declare_dims,
    tree.Const: declare_const,
    tree.Input: declare_input,
    tree.Param: declare_param,
    tree.Output: declare_output,
    tree.Equation: _equation,
    tree.Chain: _chain,
    tree.Instance: define_instance,
    tree.Require: require,
    tree.Repeat: run_repeat,
    tree.Next: run_next,
    tree.Collect: run_collect,
    tree.Scan: run_scan,
    tree.Until: run_until,
    tree.Rule: run_rule,
}
