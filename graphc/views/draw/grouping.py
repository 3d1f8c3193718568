"""Which groups the boxes of a picture lie in: uses of blocks, and loops."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from graphc.ir.graph import PARAMETER, Node
from graphc.ir.loop import loop_of
from graphc.records import dataclass, field
from graphc.source import Span
from graphc.syntax.format.canonical import one_line_of
from graphc.views.draw.records.picture import Group
from graphc.views.draw.values import Values

Key = tuple[object, ...]
LONGEST_TITLE = 36

_LOOP = re.compile(r"\b(repeat|scan)\s+(\w+)?\s*\[\s*(\w+)\s+in\s+([^\]]+)\]")


@dataclass(slots=True)
class Grouping:
    """Groups by what they are of, and the innermost one of each box."""

    made: dict[Key, Group] = field(default_factory=dict)
    of: dict[Node, str] = field(default_factory=dict)


def prefixes(path: str) -> Iterator[str]:
    """Yield the paths around a path, the outermost first; an index belongs to what it is of.

    >>> list(prefixes("layer.*.up.W"))
    ['layer.*', 'layer.*.up']
    """
    words = path.split(".")
    for end in range(1, len(words)):
        if not (words[end] == "*" or words[end].isdigit()):
            yield ".".join(words[:end])


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of boxes: those around each, and which of these are of uses of blocks."""

    names: Mapping[Node, str]
    scopes: frozenset[str]
    blocks: frozenset[str]

    def around(self, box: Node) -> list[str]:
        """Return the paths around a box; the result of a block lies in it."""
        path = self.names.get(box, "")
        return [*prefixes(path), *([path] if path in self.scopes else [])]

    def uses(self, box: Node) -> dict[str, Span]:
        """Return the uses of the blocks around a box that have a path; the inner ones match."""
        blocks = [path for path in self.around(box) if path in self.blocks]
        return dict(zip(reversed(blocks), reversed(uses_of(box)), strict=False))

    def use_without_path(self, box: Node) -> Key:
        """Return the use of a block that a box comes from, if no block around it has a path."""
        around, uses = self.around(box), uses_of(box)
        if box not in self.names or not uses or any(path in self.blocks for path in around):
            return ()
        return ("use", around[-1] if around else "", uses[0])


def grouping(
    values: Values, names: Mapping[Node, str], parents: Mapping[Node, Sequence[Node]]
) -> Grouping:
    """Find the groups of all boxes: by their paths, their loops, and the uses of their blocks."""
    scopes = {path for box in values.boxes if box in names for path in prefixes(names[box])}
    loops = _loops(values, names)
    blocks = scopes - {str(key[1]) for key in loops.values() if key[0] == "path"}
    blocks -= {path for path in scopes if path.split(".")[-1].isdigit()}
    paths = Paths(names, frozenset(scopes), frozenset(blocks))
    crowds = Counter(map(paths.use_without_path, values.boxes))
    named = _named_uses(values, paths)
    keys: dict[Node, list[Key]] = {}
    for box in values.boxes:
        if box in names:
            keys[box] = [("path", path) for path in paths.around(box)]
            use = paths.use_without_path(box)
            if use and (use in named or crowds[use] > 1):
                keys[box].append(named.get(use, use))
    _place_nameless(values, parents, keys, loops)
    return _made(values, paths, keys, loops)


def _place_nameless(
    values: Values,
    parents: Mapping[Node, Sequence[Node]],
    keys: dict[Node, list[Key]],
    loops: Mapping[Node, Key],
) -> None:
    """Put a box without a name where all that read it are, no deeper than its statement is, and in
    no loop of which it is no step.

    What a loop carries lies where all that has a name in the loop does, no deeper than the loop.
    """
    readers: dict[Node, list[Node]] = {}
    for box, above in parents.items():
        for parent in above:
            readers.setdefault(parent, []).append(box)
    named = [*keys]
    for box in values.starts:
        around = values.loops[box]
        inside = [keys[one] for one in named if values.loops[one][: len(around)] == around]
        keys[box] = _shared(inside, len(uses_of(around[-1])), loops, around)
    for box in reversed(values.boxes):
        if box not in keys:
            known = [keys[one] for one in readers.get(box, ()) if one in keys]
            keys[box] = _shared(known, len(uses_of(box)), loops, values.loops[box])


def _shared(
    known: Sequence[Sequence[Key]], depth: int, loops: Mapping[Node, Key], around: Collection[Node]
) -> list[Key]:
    """Return the groups that all lie in, of blocks at most so many, of loops those around."""
    found: list[Key] = []
    every, mine = set(loops.values()), {loops[loop] for loop in around}
    for common in zip(*known, strict=False):
        in_block = common[0] not in every
        left_out = not depth if in_block else common[0] not in mine
        if any(key != common[0] for key in common) or left_out:
            break
        depth -= in_block
        found.append(common[0])
    return found


def _made(
    values: Values, paths: Paths, keys: Mapping[Node, Sequence[Key]], loops: Mapping[Node, Key]
) -> Grouping:
    """Make the groups, numbered in the order of the boxes."""
    found = Grouping()
    of_key = {key: node for node, key in loops.items()}
    for box in values.boxes:
        chain = _with_loops(keys[box], [loops[one] for one in values.loops[box]])
        parent = ""
        for end, key in enumerate(chain, 1):
            whole = tuple(chain[:end])  # a block outside of a loop and inside of it are two
            if whole not in found.made:
                group = _group(key, f"g{len(found.made) + 1}", parent, box, paths)
                found.made[whole] = _of_loop(group, of_key[key]) if key in of_key else group
            parent = found.made[whole].id
        found.of[box] = parent
    return found


def _named_uses(values: Values, paths: Paths) -> dict[Key, Key]:
    """Map uses of blocks, as boxes without a path have them, to the groups of those with one."""
    found: dict[Key, Key] = {}
    for box in values.boxes:
        around = ["", *paths.around(box)]
        for path, use in paths.uses(box).items():
            scope = around[around.index(path) - 1]
            found.setdefault(("use", scope, use), ("path", path))
    return found


def _with_loops(keys: Sequence[Key], loops: Sequence[Key]) -> list[Key]:
    """Put the loops around a box among its groups, each behind those around it."""
    made = list(keys)
    place = 0
    for loop in loops:
        if loop in made:
            place = made.index(loop) + 1
        else:
            made.insert(place, loop)
            place += 1
    return made


def _loops(values: Values, names: Mapping[Node, str]) -> dict[Node, Key]:
    """Say of each loop what its group is: its path, where its boxes have one."""
    inside: dict[Node, list[str]] = {}
    for box, around in values.loops.items():
        for loop in around:
            inside.setdefault(loop, [])
            if box in names:
                inside[loop].append(names[box])
    found: dict[Node, Key] = {}
    for number, (loop, paths) in enumerate(inside.items()):
        written = _written(loop)
        word = written[2] if written else None
        scopes = list(prefixes(paths[0])) if paths and word else []
        own = [one for one in scopes if one.removesuffix(".*").split(".")[-1] == word]
        found[loop] = ("path", own[-1]) if own else ("loop", number)
    return found


def _written(loop: Node) -> re.Match[str] | None:
    return None if loop.origin is None else _LOOP.search(loop.origin.span.text)


def uses_of(box: Node) -> tuple[Span, ...]:
    """Return the uses of blocks that a box comes from, the outermost first."""
    found: list[Span] = []
    origin = box.origin if box.op is PARAMETER or box.origin is None else box.origin.used
    while origin is not None:
        found.append(origin.span)
        origin = origin.used
    return tuple(reversed(found))


def _group(key: Key, id: str, parent: str, member: Node, paths: Paths) -> Group:
    """Make the group of a block by one of its members."""
    uses = uses_of(member)
    line = uses[0].line if uses else member.origin.outermost.line if member.origin else None
    if key[0] == "use":
        return Group(id, "", call_of(uses[0]), "block", parent, line)
    path = str(key[1]) if key[0] == "path" else ""
    words = path.removesuffix(".*").split(".")
    use = paths.uses(member).get(path)
    if words[-1].isdigit():
        return Group(id, path, f"{words[-2]}[{words[-1]}]", "block", parent, line)
    called = words[-1] if use is None else call_of(use)
    title = called if called == words[-1] else f"{words[-1]} = {called}"
    return Group(id, path, title, "block", parent, line)


def call_of(use: Span) -> str:
    """Write a use of a block, without its arguments where these are long."""
    text = one_line_of(use, 40)
    function = text.split("(")[0]
    return text if len(text) <= LONGEST_TITLE else f"{function}(…)"


def _of_loop(group: Group, node: Node) -> Group:
    """Make a group that of a loop."""
    loop = loop_of(node)
    written = _written(node)
    count = str(loop.count)
    times = "until" if loop.until is not None else f"× ({count})" if " " in count else f"× {count}"
    over = f"{loop.index} in {loop.first}..{loop.first + loop.count - 1}"
    word = f"{written[1]} {written[2] or ''}".strip() if written else "loop"
    line = node.origin.outermost.line if node.origin else None
    return Group(group.id, group.path, f"{word}[{over}]  {times}", "loop", group.parent, line)
