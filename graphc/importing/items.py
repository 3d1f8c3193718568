"""What a sheet holds: values, and the items that make them.

An item reads values by their keys, `%3`, which stand as names in its expressions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from graphc.ir.graph import Node
from graphc.ir.types import Shape, Type
from graphc.records import dataclass, replace
from graphc.source import Span
from graphc.syntax import tree


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A value on a sheet: its key, and the node that says its type."""

    key: str
    node: Node
    place: Span

    @property
    def type(self) -> Type:
        return self.node.type

    @property
    def shape(self) -> Shape:
        return self.node.shape

    @property
    def rank(self) -> int:
        return self.node.rank

    @property
    def dtype(self) -> str:
        return self.node.type.dtype


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """A call of a part of the source, such as a module or a function that is compiled on its own.

    `path` is that of the part, in which its parameters lie, and empty for a function.
    """

    path: str
    kind: str
    call: str = ""  # tells the calls of one part apart


@dataclass(frozen=True, slots=True)
class Stated:
    """A derivative that a part states: `vjp` of an argument or `jvp` of a result, by their keys."""

    kind: str
    of: str
    rule: str


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """Values that one expression makes; several where it is a `split`."""

    keys: tuple[str, ...]
    expr: tree.Expr
    literal: bool = False  # is it known when compiling, and so written where it is used?
    parts: tuple[ModuleCall, ...] = ()  # of the source that it stands in, from the outside


@dataclass(frozen=True, slots=True, eq=False)
class Looped:
    """A loop: the ends of what it carries, then what it collects."""

    keys: tuple[str, ...]
    name: str
    index: str
    first: tree.Expr
    last: tree.Expr | None
    carries: tuple[tuple[str, tree.Expr], ...]  # the key inside, and the start
    body: list[Item]
    nexts: tuple[Value, ...]
    collects: tuple[Value, ...]
    until: Value | None
    parts: tuple[ModuleCall, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """An input, a parameter or a constant array of the file."""

    keys: tuple[str, ...]
    kind: str  # input, param, const
    type: Type
    start: tree.Expr | None = None  # of a constant its value, of a parameter its initialiser
    doc: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Used:
    """A part of the source with what it computes, which becomes the use of a block.

    `arguments` are the keys of values from outside, `own` those of its parameters.
    """

    keys: tuple[str, ...]
    part: ModuleCall
    items: tuple[Item, ...]
    arguments: tuple[str, ...]
    own: tuple[str, ...]
    rules: tuple[Stated, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Repeated:
    """Uses of parts that are numbered, each of which takes what the one before makes."""

    keys: tuple[str, ...]
    name: str
    uses: tuple[Used, ...]


Item = Computed | Looped | Given | Used | Repeated


def walk(part: Any) -> Iterator[Any]:
    """Yield all records below a part of a tree."""
    pending = [part]
    while pending:
        one = pending.pop()
        if isinstance(one, list | tuple):
            pending += one
        elif is_dataclass(one) and not isinstance(one, Span):
            yield one
            pending += [getattr(one, f.name) for f in fields(one) if f.name != "span"]


def names_in(expr: Any) -> list[str]:
    """List the names in an expression, each as often as it stands there."""
    return [one.text for one in walk(expr) if isinstance(one, tree.Name)]


def keys_in(expr: Any) -> list[str]:
    """List the keys that an expression names, each as often as it does."""
    return [name for name in names_in(expr) if name.startswith("%")]


def made(items: Iterable[Item]) -> set[str]:
    """Return the keys of all values that items make."""
    return {key for item in items for key in item.keys}


def keys_of(items: Iterable[Item]) -> set[str]:
    """Return the keys of all values that items make, also in loops."""
    found = made(items)
    for one in loops(items):
        found |= made(one.body) | {key for key, _ in one.carries}
    return found


def reads(item: Item) -> list[str]:
    """List the keys that an item reads; a loop reads as if twice, so that nothing moves into it."""
    match item:
        case Given():
            return []
        case Computed():
            return keys_in(item.expr)
        case Used():
            return [*item.arguments]
        case Repeated():
            first, *others = item.uses
            joined = {key for one in item.uses for key in one.keys}
            return [key for one in (first, *others) for key in one.arguments if key not in joined]
    inside = {value.key for value in (*item.nexts, *item.collects)}
    inside |= {item.until.key} if item.until else set()
    inside |= {key for one in live(item.body, inside) for key in reads(one)}
    inside -= made(item.body) | {key for key, _ in item.carries}
    starts = [key for _, start in item.carries for key in keys_in(start)]
    return [*starts, *sorted(inside), *sorted(inside)]


def live(items: Iterable[Item], needed: set[str]) -> list[Item]:
    """Return the items that are needed, in order; inputs are kept."""
    found = list[Item]()
    for item in reversed([*items]):
        if isinstance(item, Looped):
            item = needed_part(item, needed)
        inputs = isinstance(item, Given) and item.kind == "input"
        if inputs or not needed.isdisjoint(item.keys):
            found.append(item)
            needed = needed.union(reads(item))
    return found[::-1]


def needed_part(loop: Looped, needed: Collection[str]) -> Looped:
    """Return a loop without what it hands on or collects for nothing."""
    count = len(loop.carries)
    ends, stacks = loop.keys[:count], loop.keys[count:]
    collects = [at for at, key in enumerate(stacks) if key in needed]
    kept = {at for at, key in enumerate(ends) if key in needed}
    while True:
        wanted = {loop.collects[at].key for at in collects} | {loop.nexts[at].key for at in kept}
        wanted |= {loop.until.key} if loop.until else set()
        read = {key for one in live(loop.body, wanted) for key in reads(one)} | wanted
        found = kept | {at for at, (key, _) in enumerate(loop.carries) if key in read}
        if found == kept:
            break
        kept = found
    if len(kept) == count and len(collects) == len(stacks):
        return loop
    carried = sorted(kept)
    return replace(
        loop,
        keys=(*(ends[at] for at in carried), *(stacks[at] for at in collects)),
        carries=tuple(loop.carries[at] for at in carried),
        nexts=tuple(loop.nexts[at] for at in carried),
        collects=tuple(loop.collects[at] for at in collects),
    )


def loops(items: Iterable[Item]) -> Iterator[Looped]:
    """Yield all loops, also those in others."""
    for item in items:
        if isinstance(item, Looped):
            yield item
            yield from loops(item.body)
