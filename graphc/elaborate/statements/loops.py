"""Loops: `repeat` as a rolled loop where its steps are alike, else written out; and `scan`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from graphc.elaborate.calls.axis_labels import inherit
from graphc.elaborate.names.definitions import define
from graphc.elaborate.names.references import defined_names, takes_gradients
from graphc.elaborate.names.scope import (
    Context,
    Entry,
    FamilyValue,
    Mistake,
    Scope,
    Silent,
    mistake,
)
from graphc.elaborate.values.conditions import learn_conditions
from graphc.elaborate.values.remedies import quotient_remedy
from graphc.elaborate.values.values import describe_value, to_node
from graphc.ir.dims import Dim
from graphc.ir.graph import Node, with_args
from graphc.ir.loop import bound as bound_value
from graphc.ir.loop import make_loop, result
from graphc.ir.rebuild import rebuild
from graphc.ir.types import Mismatch, Type, known_facts, learn, same_shape, shape_text
from graphc.limits import COPIES, MEMBERS
from graphc.ops.loops import roll_steps
from graphc.ops.shape.shaping import stack
from graphc.paths import family
from graphc.records import dataclass
from graphc.source import decimals, did_you_mean
from graphc.syntax import tree


@dataclass(frozen=True, slots=True)
class Repetition:
    """What a loop does: `step` gives the next carried values and the collected items.

    A step that is `differentiated` takes gradients itself.
    """

    family: tree.Family
    names: tuple[str, ...]
    starts: tuple[Node, ...]
    step: Callable[[Scope, Sequence[Node]], tuple[list[Node], list[Node]]]
    differentiated: bool
    collects: tuple[tree.Ident, ...] = ()


def run_steps(context: Context, scope: Scope, steps: Repetition) -> tuple[list[Node], list[Node]]:
    """Run a repeat: returns the carried values after it, and its collected values, stacked.

    A rolled loop where every carried shape stays the same and the index stands only where it
    need not be known when compiling (inside another one, where it also declares no parameters);
    else a copy for each index.
    """
    first, last = index_bounds(context, scope, steps.family)
    path = scope.join(steps.family.name.text)
    nested = context.rolling is not None
    if last > first:
        before, declared = context.snapshot(), len(context.params)
        try:
            ends = _roll(
                context, scope, steps, Dim.of(first), Dim.of(last - first + 1), path, not nested
            )
        except (Mistake, Mismatch, Silent):
            pass
        else:
            if not nested or len(context.params) == declared:
                _count_members(context, steps.family, declared)
                return ends
        context.restore(before)
    carried = list(steps.starts)
    collected: list[list[Node]] = []
    around = context.copies
    try:
        for inner in _copies(context, scope, steps.family, path, first, last):
            if steps.differentiated:
                carried, items = _run_closed(context, steps, inner, carried)
            else:
                carried, items = steps.step(inner, carried)
            collected.append(items)
    finally:
        context.copies = around
    if path is not None:
        scope.entries[steps.family.name.text] = Entry(FamilyValue(path), steps.family.name.span)
    items_of = zip(*collected, strict=True)
    return carried, [
        _stacked(*both) for both in zip(steps.collects, items_of, strict=bool(collected))
    ]


def _stacked(name: tree.Ident, items: Sequence[Node]) -> Node:
    """Stack what the copies of a step collect, which is alike in each."""
    first = items[0].type
    for item in items:
        if item.type.dtype != first.dtype or not same_shape(item.shape, first.shape):
            raise mistake(
                "E311",
                f"collected `{name.text}` is {_shown(first)} first and then {_shown(item.type)}",
                name.span,
                "a collected value keeps its shape from step to step",
            )
    return stack(*items)


def _count_members(context: Context, family: tree.Family, declared: int) -> None:
    """Count the parameters of a loop, those of each index, and refuse too many."""
    for one in islice(context.params.values(), declared, None):
        context.members += len(one.family or ())
    if context.members > MEMBERS:
        message = f"{context.members} parameters in loops, each iteration's counted"
        help = "an array of a parameter's own, with an axis more, is one parameter"
        raise mistake("E503", f"{message}; at most {MEMBERS}", family.span, help)


def _run_closed(
    context: Context, steps: Repetition, inner: Scope, carried: Sequence[Node]
) -> tuple[list[Node], list[Node]]:
    """Copy a step that takes gradients: what is carried into it is its own, as in a loop."""
    places = [bound_value(n, c.type) for n, c in zip(steps.names, carried, strict=True)]
    for place, before in zip(places, carried, strict=True):
        inherit(inner, place, before)
    known = set(context.nodes)
    nexts, items = steps.step(inner, places)
    made = {path: node for path, node in context.nodes.items() if path not in known}
    start = dict(zip(places, carried, strict=True))
    new = rebuild([*nexts, *items, *made.values()], with_args, start)
    context.rename(new, known)
    context.nodes.update((path, new[node]) for path, node in made.items())
    return [new[node] for node in nexts], [new[node] for node in items]


def _copies(
    context: Context, scope: Scope, family: tree.Family, path: str | None, first: int, last: int
) -> Iterator[Scope]:
    """Yield a scope for each index, in order; its parameters are below `path.index`."""
    context.copies *= last - first + 1
    if context.copies > COPIES:
        raise mistake(
            "E503",
            f"{context.copies} copies; at most {COPIES} are written out",
            family.span,
            "a repeat is a loop where what it carries keeps its shape",
        )
    for index in range(first, last + 1):
        inner = _iteration_scope(scope, None if path is None else f"{path}.{index}")
        inner.entries[family.index.text] = Entry(Dim.of(index), family.index.span)
        yield inner


def _iteration_scope(scope: Scope, path: str | None) -> Scope:
    """Build the scope of an iteration."""
    return Scope(path, scope.space, scope, reusing=scope.reusing, unnamed=scope.unnamed)


def _roll(
    context: Context,
    scope: Scope,
    steps: Repetition,
    first: Dim,
    count: Dim,
    path: str | None,
    per_step: bool,
) -> tuple[list[Node], list[Node]]:
    """Build the loop as a node; parameters exist once for each index if `per_step`, else once."""
    symbol = context.fresh_index(steps.family.index.text)
    index = Dim.symbol(symbol)
    context.ranges[symbol] = (first, first + count - 1)
    facts = known_facts()
    learn(facts.with_nonnegative(index - first).with_nonnegative(first + count - 1 - index))
    inner = _iteration_scope(scope, path)
    inner.entries[steps.family.index.text] = Entry(index, steps.family.index.span)
    before, known, checked = context.rolling, set(context.nodes), len(context.conditions)
    if per_step:
        inner.path = None if path is None else family(path)
        context.rolling = (symbol, first, count)
    carried = [bound_value(n, s.type) for n, s in zip(steps.names, steps.starts, strict=True)]
    for value, start in zip(carried, steps.starts, strict=True):
        inherit(inner, value, start)
    try:
        nexts, items = steps.step(inner, carried)
    finally:
        context.rolling = before
        context.ranges.pop(symbol)
        learn(known_facts().without(symbol))
        learn_conditions(context.conditions[checked:])
    for name, start, following in zip(steps.names, steps.starts, nexts, strict=True):
        if following not in context.names:
            context.name_node(following, inner.join(f"{name}_next"))
        if start.type.dtype != following.type.dtype or not same_shape(start.shape, following.shape):
            types = [_shown(one.type) for one in (start, following)]
            raise mistake(
                "E311",
                f"carried `{name}` starts as {types[0]} but becomes {types[1]}",
                steps.family.span,
                _start_help(start, following.type, symbol),
            )
    for collected, item in zip(steps.collects, items, strict=True):
        if any(symbol in axis.symbols for axis in item.shape):
            raise mistake(
                "E311",
                f"the shape of collected `{collected.text}` depends on the index of the loop: "
                f"{shape_text(item.shape)}",
                collected.span,
                "a collected value keeps its shape from step to step",
            )
    loop, sources, new = roll_steps(symbol, first, count, carried, nexts, items, inner.until)
    context.rename(new, known)
    node = make_loop(loop, steps.starts, sources)
    if path is not None:
        scope.entries[steps.family.name.text] = Entry(FamilyValue(path), steps.family.name.span)
    ends = [result(node, number) for number in range(len(nexts) + len(items))]
    return ends[: len(nexts)], ends[len(nexts) :]


def _shown(of: Type) -> str:
    return str(of) if of.rank else of.dtype


def _start_help(start: Node, following: Type, index: str) -> str:
    """Say what a carried value should start with, to stay as it is."""
    varies = any(index in axis.symbols for axis in following.shape)
    if following.rank and not start.rank and following.dtype == "float" and not varies:
        return f"start with its shape: `zeros({shape_text(following.shape)})`"
    if (start.type.dtype, following.dtype) == ("int", "float") and start.rank == following.rank:
        return "start with a float: `0.0` instead of `0`"
    return "a carried value keeps its shape from step to step"


def index_bounds(context: Context, scope: Scope, family: tree.Family) -> tuple[int, int]:
    """Return the first and the last index: `a..b` includes both, `n` alone is `0..n-1`."""
    _check_index(family)
    if family.last is None:
        return 0, _bound_of(context, scope, family.first) - 1
    return _bound_of(context, scope, family.first), _bound_of(context, scope, family.last)


def _check_index(family: tree.Family) -> None:
    if family.index.text.startswith("__"):
        message = f"`{family.index.text}`: a name does not begin with `__`"
        raise mistake("E215", message, family.index.span)


def _bound_of(context: Context, scope: Scope, expr: tree.Expr) -> int:
    value = context.evaluate(context, scope, expr)
    known = context.known(value) if isinstance(value, Dim) else None
    if known is None:
        found = "a dim without a value" if isinstance(value, Dim) else describe_value(value)
        help = "give the dim a value: `dim L = 4`, or --dim L=4; for a run-time length use `scan`"
        if isinstance(value, tuple):
            help = "by position: `k in len(list)`, and `list[k]` in the body"
        message = f"the range of a repeat is known at compile time, found {found}"
        raise mistake("E404", message, expr.span, help)
    return known


def _range(context: Context, scope: Scope, family: tree.Family) -> tuple[Dim, Dim]:
    """Return the first index and the number of steps of a scan: dims, known or not."""
    _check_index(family)
    values = []
    for expr in (family.first, family.last):
        value = Dim.of(0) if expr is None else context.evaluate(context, scope, expr)
        if not isinstance(value, Dim):
            each = "a loop goes over positions: `t in T`; the element is `x[t]`"
            help = each if isinstance(value, Node) and value.rank else quotient_remedy(value)
            message = f"a range is of integers, found {describe_value(value)}"
            raise mistake("E404", message, family.span, help)
        values.append(value)
    first, last = values
    return (Dim.of(0), first) if family.last is None else (first, last - first + 1)


# ---- statements ----------------------------------------------------------------------------


def run_repeat(context: Context, scope: Scope, statement: tree.Repeat) -> None:
    """Run `repeat`: the body once for each index, the carried values handed on."""
    ends, stacks = run_steps(context, scope, _steps(context, scope, statement))
    _define_ends(context, scope, statement, ends, stacks)


def run_scan(context: Context, scope: Scope, statement: tree.Scan) -> None:
    """Run `scan`: one body for every step, its parameters shared; the length may be symbolic."""
    steps = _steps(context, scope, statement)
    first, count = _range(context, scope, statement.family)
    known = context.known(count)
    if known is not None and known < 0:
        raise mistake("E308", f"this range has {known} steps", statement.family.span)
    path = scope.join(statement.family.name.text)
    ends, stacks = _roll(context, scope, steps, first, count, path, False)
    _define_ends(context, scope, statement, ends, stacks)


def _steps(context: Context, scope: Scope, statement: tree.Repeat | tree.Scan) -> Repetition:
    index = statement.family.index
    own = [carry.name for carry in statement.carries]
    for name in (*own, *(name for s in statement.body for name in defined_names(s))):
        if name.text == index.text:
            raise mistake("E201", f"`{name.text}` is the index of this loop", name.span)
    starts = [
        to_node(context.evaluate(context, scope, carry.start), carry.start.span)
        for carry in statement.carries
    ]
    names = [carry.name.text for carry in statement.carries]
    collected = tuple(s.name for s in statement.body if isinstance(s, tree.Collect))

    def step(inner: Scope, carried: Sequence[Node]) -> tuple[list[Node], list[Node]]:
        inner.carried = frozenset(names)
        inner.nexts = {}
        inner.collects = bool(collected)
        inner.copied = isinstance(statement, tree.Repeat)
        for carry, node in zip(statement.carries, carried, strict=True):
            inner.entries[carry.name.text] = Entry(node, carry.name.span)
        context.body(context, inner, statement.body)
        for carry in statement.carries:
            name = carry.name.text
            if name not in inner.nexts:
                raise mistake("E206", f"carried `{name}` gets no `next {name} = ...`", carry.span)
        items = [inner.entries[f"collect {name.text}"].value for name in collected]
        return [inner.nexts[name] for name in names], items

    differentiated = takes_gradients(statement.body)
    return Repetition(
        statement.family, tuple(names), tuple(starts), step, differentiated, collected
    )


def _define_ends(
    context: Context,
    scope: Scope,
    statement: tree.Repeat | tree.Scan,
    ends: Sequence[Node],
    stacks: Sequence[Node],
) -> None:
    for carry, end in zip(statement.carries, ends, strict=True):
        define(context, scope, carry.name, end)
    collected = [s for s in statement.body if isinstance(s, tree.Collect)]
    if collected and not stacks:
        raise mistake("E207", "nothing to collect: the range is empty", collected[0].span)
    for inside, stacked in zip(collected, stacks, strict=True):
        define(context, scope, inside.name, stacked)


def run_next(context: Context, scope: Scope, statement: tree.Next) -> None:
    """Set what the next iteration gets as its carried values."""
    if scope.nexts is None:
        raise mistake("E206", "`next` stands in the body of a loop", statement.span)
    values = [context.evaluate(context, scope, value) for value in statement.values]
    flat = list(values[0]) if len(values) == 1 and isinstance(values[0], tuple) else values
    if len(flat) != len(statement.names):
        names = "one name" if len(statement.names) == 1 else f"{len(statement.names)} names"
        told = decimals(statement.span.text)
        raise mistake("E214", f"{names} for {len(flat)} values", statement.span, told)
    for name, value in zip(statement.names, flat, strict=True):
        if name.text not in scope.carried:
            raise mistake(
                "E206",
                f"`next {name.text}` but `{name.text}` is not carried by this loop",
                name.span,
                did_you_mean(name.text, scope.carried) or _only(scope.carried),
            )
        if name.text in scope.nexts:
            raise mistake("E206", f"`{name.text}` has its next value twice", name.span)
        scope.nexts[name.text] = to_node(value, statement.span)


def _only(names: frozenset[str]) -> str | None:
    return f"did you mean `{next(iter(names))}`?" if len(names) == 1 else None


def run_until(context: Context, scope: Scope, statement: tree.Until) -> None:
    """Set the condition that makes a step of a scan the last one."""
    if scope.nexts is None or scope.copied:
        raise mistake("E207", "`until` stands in the body of a scan", statement.span)
    if scope.until is not None:
        raise mistake("E207", "a scan has one `until`", statement.span)
    node = to_node(context.evaluate(context, scope, statement.condition), statement.condition.span)
    if node.rank or node.type.dtype != "bool":
        raise mistake("E307", f"`until` takes one truth value, found {node.type}", statement.span)
    scope.until = node


def run_collect(context: Context, scope: Scope, statement: tree.Collect) -> None:
    """Add one item to what the loop stacks."""
    if scope.nexts is None:
        raise mistake("E207", "`collect` stands in the body of a loop", statement.span)
    value = context.evaluate(context, scope, statement.value)
    node = to_node(value, statement.value.span)
    scope.entries[f"collect {statement.name.text}"] = Entry(node, statement.name.span)
