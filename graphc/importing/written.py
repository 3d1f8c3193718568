"""From a sheet to the syntax tree of a file: what is needed, under the source's names, in order.

A value that is used once, and that the source gives no name, is written into the expression which
uses it, as far as that stays short; all others are statements.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from graphc.importing.sheet import Computed, Given, Item, Looped, Sheet, Value
from graphc.importing.terms import expression_of, type_of
from graphc.ops import FUNCTIONS
from graphc.records import dataclass, field, replace
from graphc.source import Span
from graphc.syntax import tree
from graphc.syntax.format.print import print_expression

LONGEST = 56
"""Columns of an expression that is written into another."""
DEEPEST = 12
KEYWORDS = """
    and as block carry collect const derive dim else false from if import in input instance next not
    or output param per repeat require residual rule scan true until wrt inf params inputs
"""
WORDS = frozenset(KEYWORDS.split())
"""What no value is called: keywords, and what clauses and numbers are written with."""
GREEK = "αβγδεζηθικλμνξπρςστυφχψωΓΔΘΛΞΠΣΦΨΩ"
OPERATORS = {
    "+": "total", "-": "difference", "*": "product", "/": "ratio", "@": "product", "**": "power",
    "//": "quotient", "%": "remainder",
}  # fmt: skip


def name_for(wanted: str) -> str:
    """Return the nearest name that a file may define: `layers.0.weight` is `layers_0_weight`."""
    plain = re.sub(rf"[^A-Za-z0-9_{GREEK}]", "_", wanted)
    plain = plain.lstrip("_") or "value"
    if plain[0].isdigit():
        plain = f"n{plain}"
    return f"{plain}_" if plain in WORDS else plain


@dataclass(slots=True)
class Names:
    """The names that are taken, in the file and in all its loops."""

    taken: set[str]

    def fresh(self, wanted: str, numbered: bool = False) -> str:
        """Return a name that is near to the wanted one, and take it."""
        word = name_for(wanted)
        found, number = f"{word}_1" if numbered else word, 1
        while found in self.taken:
            number += 1
            found = f"{word}_{number}"
        self.taken.add(found)
        return found


def file_of(
    sheet: Sheet, outputs: Sequence[tuple[str, Value]], doc: str, derive: Sequence[tree.Derive] = ()
) -> tuple[tree.File, dict[str, str]]:
    """Return the tree of a sheet with these outputs, and the names of parameters by key."""
    place = sheet.place
    dims = [info.name for info in sheet.book.context.dims.values()]
    names = Names({*dims})
    written = Writing(sheet.book.names, names)
    written.take_given(sheet)
    named = dict(written.output_names(sheet, outputs))
    body = written.statements(sheet, [value for _, value in outputs], named)
    statements: list[tree.Statement] = [tree.Doc(place, doc)] if doc else []
    used = {one.text for one in _walk(body) if isinstance(one, tree.Name)}
    idents = tuple((tree.Ident(place, dim), None) for dim in dims if dim in used)
    if idents:
        statements.append(tree.DimDeclaration(place, idents, None))
    body = _in_order(body, list(named.values()), place)
    file = tree.File(place, (*statements, *body, *derive))
    return file, {key: written.called[key] for key in sheet.book.arrays if key in written.called}


def _in_order(
    body: Sequence[tree.Statement], names: Sequence[str], place: Span
) -> list[tree.Statement]:
    """Return the statements with the outputs in the order that the source has them."""
    shown = [one for one in body if isinstance(one, tree.Output)]
    if [name.text for one in shown for name in one.names] == [*names]:
        return [*body]
    found = list[tree.Statement]()
    for one in body:
        if not isinstance(one, tree.Output):
            found.append(one)
        elif one.value is not None:
            found.append(tree.Equation(place, one.names, None, one.value, None))
    idents = tuple(tree.Ident(place, name) for name in names)
    return [*found, tree.Output(place, idents, None, None, None)]


@dataclass(slots=True)
class Writing:
    """The state of one writing: what values are called so far, and what they are written as."""

    wanted: Mapping[str, str]
    names: Names
    called: dict[str, str] = field(default_factory=dict)
    inlined: dict[str, tree.Expr] = field(default_factory=dict)

    def take_given(self, sheet: Sheet) -> None:
        """Give inputs, parameters and indices of loops their names before all others."""
        self.names.taken |= {item.index for item in _loops(sheet)}
        for item in sheet.items:
            if isinstance(item, Given) and item.kind != "const":
                self.called[item.keys[0]] = self.names.fresh(self.wanted[item.keys[0]])

    def output_names(
        self, sheet: Sheet, outputs: Sequence[tuple[str, Value]]
    ) -> Iterator[tuple[str, str]]:
        """Yield the key and the name of each output; one that is given, or twice, is a copy."""
        given = {key for item in sheet.items if isinstance(item, Given) for key in item.keys}
        seen = set[str]()
        for name, value in outputs:
            key = value.key
            if key in given or key in seen or key not in _made(sheet.items):
                copy = sheet.value(expression_of(value, value.place))
                key = copy.key
            seen.add(key)
            yield key, self.names.fresh(name)

    def statements(
        self, sheet: Sheet, wanted: Sequence[Value], outputs: Mapping[str, str]
    ) -> list[tree.Statement]:
        """Return the statements of what is needed for these values, and for the outputs."""
        live = _live(sheet, {value.key for value in wanted} | set(outputs))
        uses = Counter(key for item in live for key in _reads(item))
        kept = {value.key for value in wanted} | set(outputs)
        found = list[tree.Statement]()
        for item in live:
            if isinstance(item, Computed):
                found += self.computed(item, sheet, uses, kept, outputs)
            elif isinstance(item, Looped):
                found.append(self.loop(item, sheet.place, outputs))
                found += self.shown(item.keys, sheet.place, outputs)
            else:
                found.append(self.given(item, sheet.place))
        return found

    def computed(
        self,
        item: Computed,
        sheet: Sheet,
        uses: Mapping[str, int],
        kept: set[str],
        outputs: Mapping[str, str],
    ) -> list[tree.Statement]:
        expr = self.resolved(item.expr)
        place = sheet.place
        key = item.keys[0]
        alone = len(item.keys) == 1 and key not in kept
        trivial = item.literal or isinstance(expr, tree.Name)
        once = uses[key] == 1 and key not in self.wanted
        if alone and (trivial or (once and _is_short(expr))):
            self.inlined[key] = expr
            return []
        for one in item.keys:
            hint = outputs.get(one) or self.wanted.get(one)
            if one in outputs:
                self.called[one] = outputs[one]
            elif hint:
                self.called[one] = self.names.fresh(hint)
            else:
                self.called[one] = self.names.fresh(_word(item.expr), numbered=True)
        targets = tuple(tree.Ident(place, self.called[one]) for one in item.keys)
        if len(targets) == 1 and key in outputs:
            return [tree.Output(place, targets, None, expr, None)]
        return [
            tree.Equation(place, targets, None, expr, None),
            *self.shown(item.keys, place, outputs),
        ]

    def shown(
        self, keys: Iterable[str], place: Span, outputs: Mapping[str, str]
    ) -> list[tree.Statement]:
        """Return the statements that make outputs of what is defined."""
        names = tuple(tree.Ident(place, self.called[key]) for key in keys if key in outputs)
        return [tree.Output(place, names, None, None, None)] if names else []

    def loop(self, item: Looped, place: Span, outputs: Mapping[str, str]) -> tree.Scan:
        ends = item.keys[: len(item.carries)]
        for (key, _), end in zip(item.carries, ends, strict=True):
            name = outputs.get(end) or self.names.fresh(self.wanted.get(key, "carried"))
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
        wanted = [*item.nexts, *item.collects, *([item.until] if item.until else [])]
        body = self.statements(item.body, wanted, {})
        if item.until is not None:
            body.append(tree.Until(place, self.reading(item.until)))
        for (key, _), following in zip(item.carries, item.nexts, strict=True):
            carried = tree.Ident(place, self.called[key])
            body.append(tree.Next(place, (carried,), (self.reading(following),)))
        for key, value in zip(item.keys[len(ends) :], item.collects, strict=True):
            stack = tree.Ident(place, self.called[key])
            body.append(tree.Collect(place, stack, self.reading(value)))
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

    def reading(self, value: Value) -> Any:
        return self.resolved(expression_of(value, value.place))

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


def _walk(part: Any) -> Iterator[Any]:
    """Yield all records below a part of a tree."""
    pending = [part]
    while pending:
        one = pending.pop()
        if isinstance(one, list | tuple):
            pending += one
        elif is_dataclass(one) and not isinstance(one, Span):
            yield one
            pending += [getattr(one, f.name) for f in fields(one) if f.name != "span"]


def _keys(expr: Any) -> list[str]:
    """List the keys that an expression names, each as often as it does."""
    names = [one.text for one in _walk(expr) if isinstance(one, tree.Name)]
    return [name for name in names if name.startswith("%")]


def _live(sheet: Sheet, needed: set[str]) -> list[Item]:
    """Return the items that are needed, in order; inputs are kept."""
    found = list[Item]()
    for item in reversed(sheet.items):
        inputs = isinstance(item, Given) and item.kind == "input"
        if inputs or not needed.isdisjoint(item.keys):
            found.append(item)
            needed = needed.union(_reads(item))
    return found[::-1]


def _loops(sheet: Sheet) -> Iterator[Looped]:
    """Yield all loops, also those in others."""
    for item in sheet.items:
        if isinstance(item, Looped):
            yield item
            yield from _loops(item.body)


def _made(items: Iterable[Item]) -> set[str]:
    return {key for item in items for key in item.keys}


def _reads(item: Item) -> list[str]:
    """List the keys that an item reads; a loop reads as if twice, so that nothing moves into it."""
    if isinstance(item, Given):
        return []
    if isinstance(item, Computed):
        return _keys(item.expr)
    inside = {value.key for value in (*item.nexts, *item.collects)}
    inside |= {item.until.key} if item.until else set()
    inside |= {key for one in _live(item.body, inside) for key in _reads(one)}
    inside -= _made(item.body.items) | {key for key, _ in item.carries}
    starts = [key for _, start in item.carries for key in _keys(start)]
    return [*starts, *sorted(inside), *sorted(inside)]


def _is_short(expr: tree.Expr) -> bool:
    """True if an expression may stand in another."""
    return _depth(expr) < DEEPEST and len(print_expression(expr)) < LONGEST


def _depth(expr: Any) -> int:
    parts = [one for one in _walk(expr) if isinstance(one, tree.Binary | tree.Call | tree.Unary)]
    return len(parts)


def _word(expr: tree.Expr) -> str:
    """Return what a value without a name is called."""
    match expr:
        case tree.Call(function=tree.Name(text=text)):
            return text
        case tree.Binary(op=op):
            return OPERATORS.get(op, "mask")
        case tree.Subscript():
            return "part"
        case tree.Unary(op="not"):
            return "mask"
        case tree.Unary():
            return "negated"
        case tree.Member():
            return "transposed"
    return "value"
