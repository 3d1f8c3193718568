"""Names that statements define and use; the order of statements, and cycles."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import fields
from functools import cache
from heapq import heappop, heappush
from operator import attrgetter
from typing import Any

from graphc.ad.jacobian.derivatives import DERIVATIVES
from graphc.ir.components import strongly_connected
from graphc.ir.memo import memoised_by_identity
from graphc.ops import FUNCTIONS
from graphc.syntax import tree

LOOPS = (tree.Repeat, tree.Scan)


@memoised_by_identity
def defined_names(statement: tree.Statement) -> list[tree.Ident]:
    """List the names that a statement gives to its scope, in the order of the text."""
    match statement:
        case tree.Equation(targets=targets, value=value):
            return [*targets, *_as_names([value])]
        case tree.Chain(sources=sources, stages=stages, targets=targets):
            return [*_as_names([*sources, *stages]), *targets]
        case tree.Output(names=names, value=value):
            return [*names, *_as_names([value])] if value is not None else []
        case tree.Input(names=names) | tree.Param(names=names):
            return list(names)
        case tree.Const(name=name) | tree.Instance(name=name):
            return [name]
        case tree.DimDeclaration(dims=dims):
            return [name for name, _ in dims]
        case tree.Next(values=values):
            return _as_names(values)
        case tree.Collect(value=value) | tree.Until(condition=value):
            return _as_names([value])
        case (
            tree.Repeat(family=family, carries=carries, body=body)
            | tree.Scan(family=family, carries=carries, body=body)
        ):
            collected = [s.name for s in body if isinstance(s, tree.Collect)]
            return [family.name, *(carry.name for carry in carries), *collected]
        case tree.If():
            return [name for inner in _branches(statement) for name in defined_names(inner)]
    return []


def _branches(statement: tree.If) -> Iterator[tree.Statement]:
    """Yield the statements that an `if` may come to, through all that it contains."""
    pending: list[tree.Statement] = [statement]
    while pending:
        inner = pending.pop()
        if isinstance(inner, tree.If):
            pending.extend(reversed((*inner.body, *inner.orelse)))
        else:
            yield inner


@memoised_by_identity
def used_names(statement: tree.Statement) -> set[str]:
    """Collect the names of the surrounding scope that a statement reads."""
    if isinstance(statement, LOOPS):
        inner = {name.text for s in statement.body for name in defined_names(s)}
        inner |= {statement.family.index.text, *(carry.name.text for carry in statement.carries)}
        outside = names_used([statement.family, *(carry.start for carry in statement.carries)])
        return outside | ({name for s in statement.body for name in used_names(s)} - inner)
    if isinstance(statement, tree.If):
        branches = {name for inner in _branches(statement) for name in used_names(inner)}
        conditions = [s.condition for s in walk([statement]) if isinstance(s, tree.If)]
        return branches | names_used(conditions)
    if isinstance(statement, tree.Block | tree.Derive | tree.Doc):
        return set()
    if isinstance(statement, tree.Output) and statement.value is None:
        return {name.text for name in statement.names} | names_used([statement.type])
    return names_used([statement]) - {name.text for name in _as_names([statement])}


@cache
def _below(kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
    """Return what takes the parts of a record, the last first; None for what is no record."""
    if not hasattr(kind, "span"):
        return None
    names = [f.name for f in fields(kind) if f.name != "span"][::-1]
    if len(names) < 2:
        return lambda record: tuple(getattr(record, name) for name in names)
    return attrgetter(*names)


def walk(roots: Iterable[Any]) -> Iterator[Any]:
    """Yield every record below these, in the order of the text."""
    pending = list(roots)[::-1]
    while pending:
        item = pending.pop()
        if item.__class__ is tuple:
            pending += item[::-1]
        elif (below := _below(item.__class__)) is not None:
            yield item
            pending += below(item)


def names_read(roots: Iterable[Any]) -> set[str]:
    """Collect the names that stand as values below these."""
    return {item.text for item in walk(roots) if isinstance(item, tree.Name)}


def names_used(roots: Iterable[Any]) -> set[str]:
    """Collect the same without operations that are called: a node may have their names, too."""
    pending = [*walk(roots)]
    called = {id(item.function) for item in pending if isinstance(item, tree.Call)}
    return {
        item.text
        for item in pending
        if isinstance(item, tree.Name) and not (id(item) in called and item.text in FUNCTIONS)
    }


def takes_gradients(roots: Iterable[Any]) -> bool:
    """True if an operation that differentiates stands below these."""
    return not DERIVATIVES.isdisjoint(names_read(roots))


def _as_names(roots: Iterable[Any]) -> list[tree.Ident]:
    """List the names given by `as`, but for those in a repeated stage, which has its own scope."""
    found = [item.name for item in walk(roots) if isinstance(item, tree.Call) and item.name]
    hidden = {
        item.name
        for stage in walk(roots)
        if isinstance(stage, tree.RepeatStage)
        for item in walk(stage.stages)
        if isinstance(item, tree.Call) and item.name
    }
    return [name for name in found if name not in hidden]


class Cycle(Exception):
    """Statements that need each other: their places in the scope, in the order of the flow."""

    def __init__(self, places: list[int]) -> None:
        super().__init__(places)
        self.places = places


def order_by_use(statements: Sequence[tree.Statement]) -> list[int]:
    """Order statements so that names are defined before use, else as in the text; raises Cycle."""
    makers: dict[str, int] = {}  # of a name that is defined twice, the first
    for i, statement in enumerate(statements):
        for name in defined_names(statement):
            makers.setdefault(name.text, i)
    users: list[list[int]] = [[] for _ in statements]
    missing = [0] * len(statements)
    for i, statement in enumerate(statements):
        own = {name.text for name in defined_names(statement) if makers[name.text] == i}
        needed = used_names(statement)
        before = {makers[name] for name in needed - own if name in makers}
        if isinstance(statement, tree.Chain):  # what `as` names in it comes before what reads it
            own -= {name.text for name in _as_names([*statement.sources, *statement.stages])}
        if own & needed and not isinstance(statement, LOOPS):
            before.add(i)
        missing[i] = len(before)
        for one in before:
            users[one].append(i)
    ready = [i for i, count in enumerate(missing) if not count]
    order: list[int] = []
    while ready:
        order.append(heappop(ready))
        for user in users[order[-1]]:
            missing[user] -= 1
            if not missing[user]:
                heappush(ready, user)
    if len(order) < len(statements):
        raise Cycle(_cycle(users))
    return order


def _cycle(users: Sequence[Collection[int]]) -> list[int]:
    """Return the shortest cycle through the first statement that is in one."""
    groups = strongly_connected({one: sorted(after) for one, after in enumerate(users)})
    rings = (ring for ring in groups if len(ring) > 1 or ring[0] in users[ring[0]])
    inside = {*min(rings, key=min)}
    start = min(inside)
    before: dict[int, int] = {}
    pending = deque([start])
    while start not in before:
        one = pending.popleft()
        for after in sorted({*users[one]} & inside - before.keys()):
            before[after] = one
            pending.append(after)
    backwards = [before[start]]
    while backwards[-1] != start:
        backwards.append(before[backwards[-1]])
    return backwards[::-1]
