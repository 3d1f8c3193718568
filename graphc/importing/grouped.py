"""The parts of a source in the items of a sheet: modules and functions, which become blocks.

A part stays where it holds parameters, or is several statements that are used more than once; the
statements of all others stand in the part around them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby

from graphc.importing.items import (
    Computed,
    Given,
    Item,
    Looped,
    ModuleCall,
    Repeated,
    Used,
    loops,
    made,
    names_in,
    reads,
)
from graphc.importing.sheet import Book
from graphc.records import dataclass, replace

CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict"})
"""Parts that only hold others, which stand in the part around them under both names."""
WORTH = 3
"""Statements of a part without parameters that is worth a block where it is used again."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """What is known of all items of a sheet when their parts are looked for."""

    makers: Mapping[str, Item]
    readers: Mapping[str, Collection[int]]  # places of the items that read a value
    paths: Mapping[str, str]  # of parameters, by key
    homes: Mapping[str, Collection[str]]  # of parameters, the parts in which all stand that read it
    indices: frozenset[str]  # of the loops around
    kinds: Mapping[ModuleCall, int]  # how often a part of this kind is used
    needed: Collection[str]
    book: Book


def grouped(
    items: Sequence[Item],
    needed: Collection[str],
    book: Book,
    indices: frozenset[str] = frozenset(),
) -> list[Item]:
    """Return the items, with those of parts in Used and Repeated; declarations come first."""
    inside = [
        replace(one, body=grouped(one.body, _ends(one), book, indices | {one.index}))
        if isinstance(one, Looped)
        else one
        for one in items
    ]
    if not any(_parts(one) for one in inside):
        return inside
    given = [one for one in inside if isinstance(one, Given)]
    others = [one for one in inside if not isinstance(one, Given)]
    readers = defaultdict[str, set[int]](set)
    for place, one in enumerate(others):
        for key in reads(one):
            readers[key].add(place)
    paths = {one.keys[0]: book.names[one.keys[0]] for one in given if one.kind == "param"}
    homes = {
        key: frozenset.intersection(*(_paths(others[at]) for at in readers[key]))
        for key in paths
        if readers[key]
    }
    kinds = Counter(part.kind for part in {part for one in others for part in _parts(one)})
    uses = {part: kinds[part.kind] for one in others for part in _parts(one)}
    makers = {key: one for one in others for key in one.keys}
    grouping = Grouping(makers, readers, paths, homes, indices, uses, needed, book)
    built = _built([*enumerate(others)], 0, grouping)
    return [*given, *_repeated([one for _, one in built], grouping)]


def _parts(item: Item) -> tuple[ModuleCall, ...]:
    return item.parts if isinstance(item, Computed | Looped) else ()


def _paths(item: Item) -> frozenset[str]:
    return frozenset(part.path for part in _parts(item))


def _ends(loop: Looped) -> set[str]:
    ends = {value.key for value in (*loop.nexts, *loop.collects)}
    return ends | ({loop.until.key} if loop.until else set())


def _built(
    items: Sequence[tuple[int, Item]], depth: int, grouping: Grouping
) -> list[tuple[int, Item]]:
    """Return the items with their places; what is in a part at this depth has that of its last."""

    def part(placed: tuple[int, Item]) -> ModuleCall | None:
        parts = _parts(placed[1])
        return parts[depth] if len(parts) > depth else None

    found = list[tuple[int, Item]]()
    runs = [(one, [*run]) for one, run in groupby(items, part)]
    often = Counter(one for one, _ in runs)
    for one, listed in runs:
        if one is None:
            found += listed
            continue
        inner = _built(listed, depth + 1, grouping)
        places = range(listed[0][0], listed[-1][0] + 1)
        whole = often[one] == 1 and one.kind.rpartition(".")[2] not in CONTAINERS
        used = _used(one, inner, places, grouping) if whole else None
        found += inner if used is None else [(places[-1], used)]
    return found


def _used(
    part: ModuleCall, inner: Sequence[tuple[int, Item]], places: range, grouping: Grouping
) -> Used | None:
    """Return the use of a part, None where it is not worth a block or cannot be one."""
    items = _with_literals([one for _, one in inner], grouping)
    inside = made(items)
    outside = [*dict.fromkeys(key for one in items for key in reads(one) if key not in inside)]
    own = [
        key for key in outside
        if key in grouping.paths and part.path
        and grouping.paths[key].startswith(f"{part.path}.") and part.path in grouping.homes[key]
    ]  # fmt: skip
    holds = own or any(isinstance(one, Used | Repeated) and _holds(one) for one in items)
    statements = sum(not (isinstance(one, Computed) and one.literal) for one in items)
    rules = tuple(grouping.book.rules.get(part, ()))
    if not (holds or rules or (statements >= WORTH and grouping.kinds[part] > 1)):
        return None
    if not grouping.indices.isdisjoint(_names(items)):
        return None
    results = [
        key for one in items for key in one.keys
        if key in grouping.needed or any(at not in places for at in grouping.readers.get(key, ()))
        if not (isinstance(one, Computed) and one.literal)
    ]  # fmt: skip
    if not results:
        return None
    own.sort(key=[*grouping.paths].index)
    arguments = [key for key in outside if key not in own]
    order = grouping.book.ports.get(part, ())
    arguments.sort(
        key=lambda key: order.index(key) if key in order else len(order) + (key in grouping.paths)
    )
    body = tuple(_repeated(items, grouping))
    return Used(tuple(results), part, body, tuple(arguments), tuple(own), rules)


def _holds(item: Used | Repeated) -> bool:
    uses = item.uses if isinstance(item, Repeated) else (item,)
    return any(
        use.own or any(isinstance(one, Used | Repeated) and _holds(one) for one in use.items)
        for use in uses
    )


def _with_literals(items: Sequence[Item], grouping: Grouping) -> list[Item]:
    """Return items with the numbers from outside that they name: these are written anywhere."""
    found, inside = [*items], made(items)
    pending = [key for one in items for key in reads(one)]
    while pending:
        maker = grouping.makers.get(key := pending.pop())
        if key not in inside and isinstance(maker, Computed) and maker.literal:
            found.insert(0, maker)
            inside |= {*maker.keys}
            pending += reads(maker)
    return found


def _names(items: Sequence[Item]) -> Iterator[str]:
    for one in items:
        if isinstance(one, Computed):
            yield from names_in(one.expr)
        elif isinstance(one, Looped):
            yield from names_in([one.first, one.last])
            yield from _names(one.body)
        elif isinstance(one, Used):
            yield from _names(one.items)
        elif isinstance(one, Repeated):
            yield from _names(one.uses)


# ---- parts that are numbered --------------------------------------------------------------------


def _repeated(items: Sequence[Item], grouping: Grouping) -> list[Item]:
    """Return the items, where uses one after the other of numbered parts are joined."""
    found = list[Item]()
    for one in items:
        before = found[-1] if found else None
        joined = None
        if isinstance(one, Used) and isinstance(before, Used | Repeated):
            joined = _joined(before, one, grouping)
        if joined is None:
            found.append(one)
        else:
            found[-1] = joined
    return found


def _joined(before: Used | Repeated, one: Used, grouping: Grouping) -> Repeated | None:
    """Return a use joined to those before it, None where it does not go on from them."""
    uses = before.uses if isinstance(before, Repeated) else (before,)
    family = one.part.path.rpartition(".")[0]
    if one.part.path != f"{family}.{len(uses)}" or uses[0].part.path != f"{family}.0":
        return None
    last = uses[-1]
    if len(last.keys) != 1 or len(one.keys) != 1 or last.part.kind != one.part.kind:
        return None
    (handed,) = last.keys
    if handed in grouping.needed or handed not in one.arguments:
        return None
    if len(grouping.readers[handed]) > _reading(one, handed):
        return None
    common = [key for key in one.arguments if key != handed]
    first = [key for key in uses[0].arguments if key not in common]
    if len(first) != 1 or len(uses[0].arguments) != len(one.arguments):
        return None
    if len(uses) > 1 and [*uses[-1].arguments[1:]] != common:
        return None
    start = replace(uses[0], arguments=(first[0], *common))
    following = replace(one, arguments=(handed, *common))
    return Repeated(one.keys, family, (start, *uses[1:], following))


def _reading(used: Used, key: str) -> int:
    """Return how many items in a use read a value from outside."""
    count = 0
    for one in used.items:
        if isinstance(one, Used):
            count += _reading(one, key) if key in one.arguments else 0
        elif isinstance(one, Repeated):
            count += sum(_reading(use, key) for use in one.uses if key in use.arguments)
        else:
            count += key in reads(one)
    return count


def uses_in(items: Sequence[Item]) -> Iterator[Used]:
    """Yield all uses, those inside before what they stand in."""
    for one in items:
        if isinstance(one, Used):
            yield from uses_in(one.items)
            yield one
        elif isinstance(one, Repeated):
            yield from uses_in(one.uses)
        elif isinstance(one, Looped):
            yield from uses_in(one.body)


def loop_indices(items: Sequence[Item]) -> set[str]:
    """Return what the indices of all loops are called."""
    found = {one.index for one in loops(items)}
    return found | {name for used in uses_in(items) for name in loop_indices(used.items)}
