"""The statements of a file, or of a block, for the items of a sheet, under the source's names.

A value that is used once, and that the source gives no name, is written into the expression which
uses it, as far as that stays short; all others are statements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from graphc.importing.blocks import Applied
from graphc.importing.grouped import loop_indices, uses_in
from graphc.importing.items import (
    Computed,
    Given,
    Item,
    Looped,
    ModuleCall,
    Repeated,
    Used,
    live,
    reads,
    walk,
)
from graphc.importing.naming import Names, word_for
from graphc.importing.sheet import Book
from graphc.importing.terms import type_of
from graphc.ops import FUNCTIONS
from graphc.records import dataclass, field, replace
from graphc.source import Span
from graphc.syntax import tree
from graphc.syntax.format.print import print_expression

LONGEST = 56
"""Columns of an expression that is written into another."""
DEEPEST = 12


@dataclass(slots=True)
class Shared:
    """What all writings of a file share, and what is known of the blocks that are written."""

    book: Book
    params: Collection[str]
    dims: Sequence[str]
    applied: dict[ModuleCall, Applied] = field(default_factory=dict)
    writings: dict[ModuleCall, Writing] = field(default_factory=dict)


@dataclass(slots=True)
class Writing:
    """The state of one writing: what values are called so far, and what they are written as."""

    wanted: Mapping[str, str]
    names: Names
    shared: Shared
    path: str = ""
    called: dict[str, str] = field(default_factory=dict)
    inlined: dict[str, tree.Expr] = field(default_factory=dict)
    instances: dict[str, str] = field(default_factory=dict)  # uses of blocks, by path of the part
    entered: dict[str, ModuleCall] = field(default_factory=dict)  # what stands under them

    def take_given(self, items: Sequence[Item]) -> None:
        """Give inputs, parameters and indices of loops their names before all others."""
        self.names.taken |= loop_indices(items)
        owned = {key for used in uses_in(items) for key in used.own}
        for item in items:
            if isinstance(item, Given) and item.kind != "const" and item.keys[0] not in owned:
                self.called[item.keys[0]] = self.names.fresh(self.wanted[item.keys[0]])

    def statements(
        self,
        items: Sequence[Item],
        place: Span,
        kept: set[str],
        outputs: Mapping[str, str],
        ends: Sequence[str] = (),
    ) -> list[tree.Statement]:
        """Return the statements of what is kept, and of what is read once more in the end."""
        needed = live(items, kept.union(ends))
        uses = Counter(key for item in needed for key in reads(item)) + Counter(ends)
        found = list[tree.Statement]()
        for item in needed:
            if isinstance(item, Given):
                found.append(self.given(item, place))
            elif isinstance(item, Looped):
                found.append(self.loop(item, place, outputs))
                found += self.shown(item.keys, place, outputs)
            elif isinstance(item, Repeated):
                found += self.repeated(item, place, uses, kept, outputs)
            else:
                expr = self.use(item, place) if isinstance(item, Used) else self.resolved(item.expr)
                found += self.defined(item, expr, place, uses, kept, outputs)
        return found

    def defined(
        self,
        item: Computed | Used,
        expr: tree.Expr,
        place: Span,
        uses: Mapping[str, int],
        kept: set[str],
        outputs: Mapping[str, str],
    ) -> list[tree.Statement]:
        """Return the statements that define values, none where they are written into another."""
        key = item.keys[0]
        alone = len(item.keys) == 1 and key not in kept
        trivial = isinstance(item, Computed) and (item.literal or isinstance(expr, tree.Name))
        once = uses[key] == 1 and key not in self.wanted
        if alone and (trivial or _is_of_rule(expr) or (once and _is_short(expr))):
            self.inlined[key] = expr
            return []
        for one in item.keys:
            hint = outputs.get(one) or self.wanted.get(one)
            if one in outputs:
                self.called[one] = outputs[one]
            elif hint:
                self.called[one] = self.names.fresh(hint)
            elif alone and isinstance(expr, tree.Call) and expr.name is not None:
                self.called[one] = expr.name.text
                expr = replace(expr, name=None)
            else:
                self.called[one] = self.names.fresh(word_for(expr), numbered=True)
        targets = tuple(tree.Ident(place, self.called[one]) for one in item.keys)
        if len(targets) == 1 and key in outputs:
            return [tree.Output(place, targets, None, expr, None)]
        return [
            tree.Equation(place, targets, None, expr, None),
            *self.shown(item.keys, place, outputs),
        ]

    # ---- uses of blocks --------------------------------------------------------------------------

    def use(self, item: Used, place: Span) -> tree.Call:
        """Return the use of a block; a part that is used again is what it was the first time."""
        applied = self.shared.applied[item.part]
        path = item.part.path
        values = [tree.Argument(place, None, self.reading(key, place)) for key in item.arguments]
        if path in self.instances:
            called = tree.Name(place, self.instances[path])
            return tree.Call(place, called, tuple(values), None, True)
        name = None
        if has_parameters(item):
            inner = path.removeprefix(f"{self.path}.") if self.path else path
            self.instances[path] = self.names.fresh(inner)
            self.entered[self.instances[path]] = item.part
            name = tree.Ident(place, self.instances[path])
        called = tree.Name(place, applied.block)
        return tree.Call(place, called, (*values, *_sizes(applied, place)), name, True)

    def repeated(
        self,
        item: Repeated,
        place: Span,
        uses: Mapping[str, int],
        kept: set[str],
        outputs: Mapping[str, str],
    ) -> list[tree.Statement]:
        """Return a chain through all uses, or each by itself where their blocks differ."""
        alike = {str(self.shared.applied[one.part]) for one in item.uses}
        if len(alike) > 1 or item.uses[0].part.path in self.instances:
            found = list[tree.Statement]()
            joined = {one.keys[0]: 1 for one in item.uses[:-1]}
            for one in item.uses:
                expr = self.use(one, place)
                found += self.defined(one, expr, place, {**uses, **joined}, kept, outputs)
            return found
        first = item.uses[0]
        applied = self.shared.applied[first.part]
        start, *others = (self.reading(key, place) for key in first.arguments)
        values = tuple(tree.Argument(place, None, one) for one in others)
        sizes = _sizes(applied, place)
        block = tree.Name(place, applied.block)
        stage = tree.Call(place, block, (*values, *sizes), None, bool(values or sizes))
        inner = item.name.removeprefix(f"{self.path}.") if self.path else item.name
        family = self.names.fresh(inner)
        for number, one in enumerate(item.uses):
            self.entered[f"{family}.{number}"] = one.part
        last = tree.Number(place, len(item.uses))
        index = tree.Ident(place, self.names.fresh("i"))
        loop = tree.Family(place, tree.Ident(place, family), index, last, None)
        key = item.keys[0]
        hint = outputs.get(key) or self.names.fresh(self.wanted.get(key) or f"{family}_out")
        self.called[key] = hint
        target = (tree.Ident(place, hint),)
        stages = (tree.RepeatStage(place, loop, (stage,)),)
        chain = tree.Chain(place, (start,), stages, target, None, None)
        return [chain, *self.shown(item.keys, place, outputs)]

    def paths(self, prefix: str = "") -> Iterator[tuple[str, str]]:
        """Yield the keys and paths of parameters, also of those in uses of blocks."""
        for key, name in self.called.items():
            yield key, f"{prefix}{name}"
        for name, part in self.entered.items():
            inner = self.shared.writings[part]
            for key, path in inner.paths(f"{prefix}{name}."):
                if key not in self.called:
                    yield key, path

    def shown(
        self, keys: Iterable[str], place: Span, outputs: Mapping[str, str]
    ) -> list[tree.Statement]:
        """Return the statements that make outputs of what is defined."""
        names = tuple(tree.Ident(place, self.called[key]) for key in keys if key in outputs)
        return [tree.Output(place, names, None, None, None)] if names else []

    def loop(self, item: Looped, place: Span, outputs: Mapping[str, str]) -> tree.Scan:
        ends = item.keys[: len(item.carries)]
        for (key, _), end in zip(item.carries, ends, strict=True):
            hint = self.wanted.get(end) or self.wanted.get(key, "carried")
            name = outputs.get(end) or self.names.fresh(hint)
            self.called[key] = self.called[end] = name
        for key, value in zip(item.keys[len(ends) :], item.collects, strict=True):
            hint = self.wanted.get(key) or f"{self.wanted.get(value.key, 'collected')}s"
            self.called[key] = outputs.get(key) or self.names.fresh(hint)
        family = tree.Family(
            place,
            tree.Ident(place, self.names.fresh(item.name)),
            tree.Ident(place, item.index),
            self.resolved(item.first),
            None if item.last is None else self.resolved(item.last),
        )
        carries = tuple(
            tree.Carry(place, tree.Ident(place, self.called[key]), self.resolved(start))
            for key, start in item.carries
        )
        ended = [item.until] if item.until else []
        read = [value.key for value in (*item.nexts, *item.collects, *ended)]
        body = self.statements(item.body, place, set(), {}, read)
        if item.until is not None:
            body.append(tree.Until(place, self.reading(item.until.key, place)))
        for (key, _), following in zip(item.carries, item.nexts, strict=True):
            carried = tree.Ident(place, self.called[key])
            body.append(tree.Next(place, (carried,), (self.reading(following.key, place),)))
        for key, value in zip(item.keys[len(ends) :], item.collects, strict=True):
            stack = tree.Ident(place, self.called[key])
            body.append(tree.Collect(place, stack, self.reading(value.key, place)))
        return tree.Scan(place, family, carries, tuple(body))

    def given(self, item: Given, place: Span) -> tree.Statement:
        key = item.keys[0]
        if item.kind == "const":
            wanted = self.wanted[key]
            self.called[key] = self.names.fresh(f"{wanted}_" if wanted in FUNCTIONS else wanted)
            assert item.start is not None
            return tree.Const(place, tree.Ident(place, self.called[key]), None, item.start, None)
        names = (tree.Ident(place, self.called[key]),)
        type = type_of(item.type, place) if item.type.rank or item.type.dtype != "float" else None
        doc = tree.Text(place, item.doc) if item.doc else None
        if item.kind == "input":
            return tree.Input(place, names, type, doc)
        return tree.Param(place, names, type, item.start, doc)

    def reading(self, key: str, place: Span) -> Any:
        return self.resolved(tree.Name(place, key))

    def resolved(self, expr: tree.Expr) -> Any:
        """Replace keys by what they are written as."""
        return _mapped(expr, self)


def _mapped(part: Any, writing: Writing) -> Any:
    if isinstance(part, tree.Name) and part.text.startswith("%"):
        if part.text in writing.inlined:
            return writing.inlined[part.text]
        return tree.Name(part.span, writing.called[part.text])
    if isinstance(part, tuple):
        return tuple(_mapped(one, writing) for one in part)
    if is_dataclass(part) and not isinstance(part, type | Span):
        changed = {
            one.name: _mapped(getattr(part, one.name), writing)
            for one in fields(part)
            if one.name != "span"
        }
        return replace(part, **changed)
    return part


def _is_of_rule(expr: tree.Expr) -> bool:
    """True if an expression may stand in a rule alone: it names a tangent or a cotangent."""
    called = (one.function for one in walk(expr) if isinstance(one, tree.Call))
    names = {one.text for one in called if isinstance(one, tree.Name)}
    return not names.isdisjoint({"tangent", "cotangent"})


def has_parameters(item: Used) -> bool:
    """True if a part has parameters, or one that is used in it."""
    return any(one.own for one in (item, *uses_in(item.items)))


def _sizes(applied: Applied, place: Span) -> tuple[tree.Argument, ...]:
    """Return the sizes that a block is given, by name where there are several."""
    several = len(applied.sizes) > 1
    return tuple(
        tree.Argument(place, tree.Ident(place, name) if several else None, size)
        for name, size in applied.sizes
    )


def _is_short(expr: tree.Expr) -> bool:
    """True if an expression may stand in another."""
    return _depth(expr) < DEEPEST and len(print_expression(expr)) < LONGEST


def _depth(expr: Any) -> int:
    parts = [one for one in walk(expr) if isinstance(one, tree.Binary | tree.Call | tree.Unary)]
    return len(parts)
