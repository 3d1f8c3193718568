"""Statements: a body, in the order that its names need, into nodes and declarations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from graphc.dims import Dim
from graphc.elaborate.calls import declare_instance
from graphc.elaborate.chains import run_chain
from graphc.elaborate.expressions import evaluate, evaluate_entry
from graphc.elaborate.loops import iterations
from graphc.elaborate.model import Condition, Declared, DimInfo, Initialiser
from graphc.elaborate.ports import check_type, type_of
from graphc.elaborate.references import Cycle, defined, ordered
from graphc.elaborate.scope import (
    POISONED,
    Context,
    Entry,
    FamilyValue,
    Instance,
    Mistake,
    Scope,
    Silent,
    mistake,
)
from graphc.elaborate.values import compare, describe, to_node
from graphc.graph import INPUT, PARAMETER, Node, Origin, reaches_source, source, stamped
from graphc.names import identifier
from graphc.ops import FUNCTIONS
from graphc.ops.shaping import stack
from graphc.source import Note, Span, did_you_mean
from graphc.syntax import tree
from graphc.types import known_facts, learn, same_shape

INITIALISERS = {"glorot": 0, "he": 0, "zeros": 0, "ones": 0, "orthogonal": 0, "normal": 2, "uniform": 2}


def body(context: Context, scope: Scope, statements: Sequence[tree.Statement]) -> None:
    """Elaborate the statements of a file, a block or an iteration into its scope.

    In a file every mistake is kept and what depends on it is passed over; inside a block or a
    loop the first mistake stops it, and the use that it belongs to reports it.
    """
    chosen = _choose(context, scope, statements)
    _check_names(context, scope, chosen)
    rest = [s for s in chosen if not isinstance(s, _EARLY)]
    _run(context, scope, rest)


_EARLY = (tree.DimDeclaration, tree.Const)


def _choose(
    context: Context, scope: Scope, statements: Iterable[tree.Statement]
) -> list[tree.Statement]:
    """The statements with every `if` replaced by the branch that holds.

    Dims and constants come first: they decide the conditions. A branch may declare more.
    """
    pending = list(statements)
    chosen: list[tree.Statement] = []
    while pending:
        _run(context, scope, [s for s in pending if isinstance(s, _EARLY)])
        following: list[tree.Statement] = []
        for statement in pending:
            if not isinstance(statement, tree.If):
                chosen.append(statement)
                continue
            with _guarded(context, scope, statement):
                holds = evaluate(context, scope, statement.condition)
                if not isinstance(holds, bool):
                    raise mistake(
                        "E404", "`if` needs a value known at compile time", statement.condition.span,
                        "for tensors use where(cond, a, b)",
                    )  # fmt: skip
                following.extend(statement.body if holds else statement.orelse)
        pending = following
    return sorted(chosen, key=lambda s: s.span.start)


def _check_names(context: Context, scope: Scope, statements: Sequence[tree.Statement]) -> None:
    """Each name is defined once, and no name is an operation's."""
    first: dict[str, tree.Ident] = {}
    for statement in statements:
        for name in defined(statement):
            with _guarded(context, scope, statement):
                if name.text in first:
                    again = mistake(
                        "E201", f"`{name.text}` is defined twice", name.span,
                        "a name is defined once; inside a repeat use `next`",
                    )  # fmt: skip
                    raise _noted(again, f"first defined at {first[name.text].span}")
                first[name.text] = name
                if name.text in FUNCTIONS:
                    raise _taken(statement, name)
                if name.text.startswith("__"):
                    raise mistake("E215", f"`{name.text}`: a name does not begin with `__`", name.span)
                if scope.block and name.text in {port.name.text for port in scope.block.ports}:
                    raise mistake("E201", f"`{name.text}` is already a port of this block", name.span)


def _taken(statement: tree.Statement, name: tree.Ident) -> Mistake:
    if isinstance(statement, tree.Chain) and name in statement.targets:
        return mistake(
            "E203", f"`{name.text}` is an operation; a chain ends in the name it defines", name.span,
            f"write `-> {name.text} -> y`",
        )  # fmt: skip
    return mistake(
        "E203", f"`{name.text}` is an operation and cannot be defined", name.span, f"call it `{name.text}_`"
    )


def _noted(wrong: Mistake, note: str) -> Mistake:
    return Mistake(replace(wrong.diagnostic, notes=(*wrong.diagnostic.notes, Note("note", note))))


class _guarded:
    """In a file, a mistake is kept and the names of its statement are poisoned."""

    def __init__(self, context: Context, scope: Scope, statement: tree.Statement) -> None:
        self.context, self.scope, self.statement = context, scope, statement

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, wrong: BaseException | None, trace: object) -> bool:
        if self.scope.outer is not None or self.scope.block is not None:
            return False
        if not isinstance(wrong, Mistake | Silent):
            return False
        if isinstance(wrong, Mistake):
            self.context.diagnostics.append(wrong.diagnostic)
        for name in defined(self.statement):
            self.scope.entries.setdefault(name.text, Entry(POISONED, name.span))
        return True


def _run(context: Context, scope: Scope, statements: Sequence[tree.Statement]) -> None:
    """Elaborate statements in the order that their names need."""
    pending = list(statements)
    while True:
        try:
            order = ordered(pending)
            break
        except Cycle as cycle:
            wrong = _cycle(pending, cycle.places)
            if scope.outer is not None or scope.block is not None:
                raise wrong from None
            context.diagnostics.append(wrong.diagnostic)
            for place in cycle.places:
                for name in defined(pending[place]):
                    scope.entries.setdefault(name.text, Entry(POISONED, name.span))
            pending = [s for i, s in enumerate(pending) if i not in cycle.places]
    for place in order:
        statement = pending[place]
        handler = _HANDLERS.get(statement.__class__)
        if handler is None:
            continue
        with _guarded(context, scope, statement), stamped(Origin(statement.span, context.origin)):
            handler(context, scope, statement)


def _cycle(statements: Sequence[tree.Statement], places: Sequence[int]) -> Mistake:
    names = [defined(statements[place])[0].text for place in places]
    return mistake(
        "E202", f"cycle: {' -> '.join([*names, names[0]])}", statements[places[0]].span,
        "a graph has no cycles; write recurrence as `scan ... carry`",
    )  # fmt: skip


def _define(
    context: Context, scope: Scope, name: tree.Ident, value: Any, instance: Instance | None = None
) -> None:
    scope.entries[name.text] = Entry(value, name.span, instance)
    if isinstance(value, Node):
        context.name_node(value, scope.join(name.text))


# ---- declarations ---------------------------------------------------------------------------


def _dims(context: Context, scope: Scope, statement: tree.DimDeclaration) -> None:
    if scope.block or scope.outer:
        raise mistake("E216", "dims are declared at top level; a block binds them in its ports", statement.span)
    doc = statement.doc.value if statement.doc else ""
    for name, expr in statement.dims:
        symbol = Dim.symbol(identifier(name.text))
        fixed = context.dim_values.get(name.text)
        value = evaluate(context, scope, expr) if expr is not None else None
        if expr is not None and not isinstance(value, Dim):
            raise mistake("E309", f"a dim is an integer, found {describe(value)}", expr.span)
        if isinstance(value, Dim) and value.constant is None:
            if fixed is not None:
                raise mistake("E217", f"`{name.text}` is an alias of {value}; --dim cannot fix it", name.span)
            scope.entries[name.text] = Entry(value, name.span, is_dim=True)
            continue
        if fixed is None and isinstance(value, Dim):
            fixed = value.constant
        if fixed is not None and fixed < 1:
            raise mistake("E309", f"dim `{name.text}` is {fixed}; a dim is at least 1", name.span)
        context.dims[identifier(name.text)] = DimInfo(name.text, symbol, fixed, name.span, doc)
        scope.entries[name.text] = Entry(symbol, name.span, is_dim=True)


def _const(context: Context, scope: Scope, statement: tree.Const) -> None:
    name = statement.name.text
    outermost = not scope.block and not scope.outer
    if outermost and name in context.const_values:
        value = context.const_values[name]
    else:
        value = evaluate(context, scope, statement.value)
    if statement.type is not None:
        check_type(context, scope, statement.name, statement.type, to_node(value, statement.value.span))
    elif isinstance(value, Node) and reaches_source(value):
        raise mistake("E404", "a const is known at compile time", statement.value.span, "leave out `const`")
    scope.entries[name] = Entry(value, statement.name.span)


def _input(context: Context, scope: Scope, statement: tree.Input) -> None:
    if scope.block or scope.outer:
        raise mistake("E216", "inputs are declared at top level; a block has ports", statement.span)
    declared = type_of(context, scope, statement.type)
    doc = statement.doc.value if statement.doc else ""
    for name in statement.names:
        node = source(INPUT, name.text, declared)
        context.inputs[name.text] = Declared(name.text, node, declared, name.span, doc)
        _define(context, scope, name, node)


def _param(context: Context, scope: Scope, statement: tree.Param) -> None:
    declared = type_of(context, scope, statement.type)
    if declared.dtype != "float":
        raise mistake("E309", f"a parameter is float, not {declared.dtype}", statement.span)
    initialiser = _initialiser(context, scope, statement.initialiser, declared.rank)
    doc = statement.doc.value if statement.doc else ""
    for name in statement.names:
        path = scope.join(name.text)
        if path is None:
            raise mistake(
                "E204", "this block has parameters, so its use needs a name", scope.unnamed or name.span,
                "write `dense(...) as name`, or define a node: `h = dense(...)`".replace(
                    "dense", context.uses[-1][0] if context.uses else "block"
                ),
            )  # fmt: skip
        before = context.params.get(path)
        if before is None:
            node = source(PARAMETER, path, declared)
            context.params[path] = Declared(path, node, declared, name.span, doc, initialiser)
        elif not scope.reusing:
            raise mistake("E201", f"parameter `{path}` is defined twice", name.span)
        elif not same_shape(before.type.shape, declared.shape):
            raise mistake(
                "E205",
                f"shared parameter {path} is {before.type}, but this use needs {declared}",
                context.uses[-1][1] if context.uses else name.span,
                "reusing an instance shares its parameters; call the block again for fresh ones",
            )
        _define(context, scope, name, context.params[path].node)


def _initialiser(context: Context, scope: Scope, expr: tree.Expr | None, rank: int) -> Initialiser:
    """`~ glorot`, `~ normal(0, 0.02)`, `~ 0`; by default glorot for rank 2 and above, else zeros."""
    if expr is None:
        return Initialiser("glorot" if rank >= 2 else "zeros")
    if isinstance(expr, tree.Name) and scope.find(expr.text) is None:
        if INITIALISERS.get(expr.text) == 0:
            return Initialiser(expr.text)
        raise mistake(
            "E218", f"unknown initialiser `{expr.text}`", expr.span, did_you_mean(expr.text, INITIALISERS)
        )
    if isinstance(expr, tree.Call) and isinstance(expr.function, tree.Name):
        kind = expr.function.text
        if INITIALISERS.get(kind):
            numbers = [_plain(context, evaluate(context, scope, a.value), a.span) for a in expr.arguments]
            if len(numbers) != 2 or any(a.name for a in expr.arguments):
                raise mistake("E218", f"`{kind}` takes two numbers", expr.span)
            return Initialiser(kind, tuple(numbers))
    return Initialiser("constant", (_plain(context, evaluate(context, scope, expr), expr.span),))


def _plain(context: Context, value: Any, span: Span) -> float:
    if isinstance(value, float):
        return value
    known = context.known(value) if isinstance(value, Dim) else None
    if known is None:
        raise mistake("E218", f"an initialiser takes numbers known at compile time, found {describe(value)}", span)
    return float(known)


def _output(context: Context, scope: Scope, statement: tree.Output) -> None:
    if scope.block or scope.outer:
        raise mistake("E216", "outputs are declared at top level; a block has results", statement.span)
    if statement.value is not None:
        if len(statement.names) != 1:
            raise mistake("E219", "an output with a value has one name", statement.span)
        name = statement.names[0]
        value, instance = evaluate_entry(context, scope, statement.value, name.text)
        _define(context, scope, name, to_node(value, statement.value.span), instance)
    doc = statement.doc.value if statement.doc else ""
    for name in statement.names:
        entry = scope.entries.get(name.text)
        if entry is None:
            raise mistake("E200", f"unknown name `{name.text}`", name.span, did_you_mean(name.text, scope.visible()))
        if entry.value is POISONED:
            raise Silent
        if name.text in context.outputs:
            raise mistake("E201", f"`{name.text}` is an output twice", name.span)
        node = to_node(entry.value, name.span)
        check_type(context, scope, name, statement.type, node)
        context.read.add(name.text)
        context.outputs[name.text] = Declared(name.text, node, node.type, name.span, doc)


# ---- nodes --------------------------------------------------------------------------------------


def _equation(context: Context, scope: Scope, statement: tree.Equation) -> None:
    feeds = statement.targets[0].text if len(statement.targets) == 1 else None
    value, instance = evaluate_entry(context, scope, statement.value, feeds)
    if isinstance(statement.value, tree.Name):
        instance = None
    _define_all(context, scope, statement.targets, statement.type, value, instance, statement.value.span)


def _chain(context: Context, scope: Scope, statement: tree.Chain) -> None:
    flow, instance = run_chain(context, scope, statement)
    if statement.targets:
        value = flow[0] if len(flow) == 1 else flow
        _define_all(context, scope, statement.targets, statement.type, value, instance, statement.span)


def _define_all(
    context: Context,
    scope: Scope,
    targets: Sequence[tree.Ident],
    written: tree.TypeOf | None,
    value: Any,
    instance: Instance | None,
    span: Span,
) -> None:
    values = value if len(targets) > 1 and isinstance(value, tuple) else (value,)
    if len(values) != len(targets):
        raise mistake("E214", f"{len(targets)} names for {len(values)} values", span)
    for target, item in zip(targets, values, strict=True):
        if isinstance(item, tuple) and item and isinstance(item[0], Node):
            raise mistake("E214", f"one name for {len(item)} values", span)
        node = to_node(item, span)
        check_type(context, scope, target, written, node)
        _define(context, scope, target, node, instance)


def _instance(context: Context, scope: Scope, statement: tree.Instance) -> None:
    if not isinstance(statement.value, tree.Call):
        raise mistake("E208", "an instance is made of a block", statement.value.span)
    given = [(a.name, evaluate(context, scope, a.value), a) for a in statement.value.arguments]
    made = declare_instance(context, scope, statement.name.text, statement.value, given)
    scope.entries[statement.name.text] = Entry(made, statement.name.span)


def _require(context: Context, scope: Scope, statement: tree.Require) -> None:
    """A condition on dims: proved, refuted, or checked at entry; then it counts as known."""
    pending = [statement.condition]
    said = statement.doc.value if statement.doc else f"`{statement.condition.span.text}`"
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
                raise mistake("E404", "`require` takes comparisons known at compile time or of dims", condition.span)
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
    dim = {"==": difference, "<=": -difference, "<": -difference - 1, ">=": difference, ">": difference - 1}
    if condition.op not in dim:
        return
    fact = dim[condition.op]
    if fact.constant is None:
        facts = known_facts()
        learn(facts.with_zero(fact) if condition.op == "==" else facts.with_nonnegative(fact))
    if holds is None:
        context.conditions.append(Condition(fact, condition.op == "==", said, condition.span))


# ---- loops -----------------------------------------------------------------------------------------


def _repeat(context: Context, scope: Scope, statement: tree.Repeat) -> None:
    """The body once for each index, the carried values handed on."""
    family = statement.family
    path = scope.join(family.name.text)
    carried = {c.name.text: to_node(evaluate(context, scope, c.start), c.start.span) for c in statement.carries}
    collected: dict[str, list[Node]] = {s.name.text: [] for s in statement.body if isinstance(s, tree.Collect)}
    spans = {carry.name.text: carry.span for carry in statement.carries}
    for inner in iterations(context, scope, family, path):
        inner.carried = frozenset(carried)
        inner.nexts = {}
        for carry in statement.carries:
            inner.entries[carry.name.text] = Entry(carried[carry.name.text], carry.name.span)
        body(context, inner, statement.body)
        for name in carried:
            if name not in inner.nexts:
                raise mistake("E206", f"carried `{name}` gets no `next {name} = ...`", spans[name])
            carried[name] = inner.nexts[name]
        for name, items in collected.items():
            items.append(inner.entries[f"collect {name}"].value)
    for carry in statement.carries:
        _define(context, scope, carry.name, carried[carry.name.text])
    for statement_ in statement.body:
        if isinstance(statement_, tree.Collect):
            items = collected[statement_.name.text]
            if not items:
                raise mistake("E207", "nothing to collect: the range is empty", statement_.span)
            _define(context, scope, statement_.name, stack(*items))
    if path is not None:
        scope.entries[family.name.text] = Entry(FamilyValue(path), family.name.span)


def _next(context: Context, scope: Scope, statement: tree.Next) -> None:
    if scope.nexts is None:
        raise mistake("E206", "`next` stands in the body of a loop", statement.span)
    values = [evaluate_entry(context, scope, value, None)[0] for value in statement.values]
    flat = list(values[0]) if len(values) == 1 and isinstance(values[0], tuple) else values
    if len(flat) != len(statement.names):
        raise mistake("E214", f"{len(statement.names)} names for {len(flat)} values", statement.span)
    for name, value in zip(statement.names, flat, strict=True):
        if name.text not in scope.carried:
            raise mistake(
                "E206", f"`next {name.text}` but `{name.text}` is not carried by this loop", name.span,
                did_you_mean(name.text, scope.carried) or _only(scope.carried),
            )  # fmt: skip
        if name.text in scope.nexts:
            raise mistake("E206", f"`{name.text}` has its next value twice", name.span)
        scope.nexts[name.text] = to_node(value, statement.span)


def _only(names: frozenset[str]) -> str | None:
    return f"did you mean `{next(iter(names))}`?" if len(names) == 1 else None


def _collect(context: Context, scope: Scope, statement: tree.Collect) -> None:
    if scope.nexts is None:
        raise mistake("E207", "`collect` stands in the body of a loop", statement.span)
    value, _ = evaluate_entry(context, scope, statement.value, None)
    scope.entries[f"collect {statement.name.text}"] = Entry(to_node(value, statement.value.span), statement.name.span)


def _unavailable(what: str) -> Callable[[Context, Scope, Any], None]:
    def refuse(context: Context, scope: Scope, statement: tree.Statement) -> None:
        raise mistake("E500", f"this version of graphc does not compile {what}", statement.span)

    return refuse


_HANDLERS: dict[type, Callable[[Context, Scope, Any], None]] = {
    tree.DimDeclaration: _dims,
    tree.Const: _const,
    tree.Input: _input,
    tree.Param: _param,
    tree.Output: _output,
    tree.Equation: _equation,
    tree.Chain: _chain,
    tree.Instance: _instance,
    tree.Require: _require,
    tree.Repeat: _repeat,
    tree.Next: _next,
    tree.Collect: _collect,
    tree.Import: _unavailable("imports"),
    tree.FromImport: _unavailable("imports"),
    tree.Scan: _unavailable("`scan`"),
    tree.Until: _unavailable("`until`"),
    tree.Rule: _unavailable("`rule`"),
}

