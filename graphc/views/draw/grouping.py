"""Which groups the boxes of a picture lie in: uses of blocks, and loops."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphc.ir.graph import PARAMETER, Node
from graphc.ir.loop import loop_of
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

    def within(self, box: Node) -> str:
        """Return the path of the innermost group of a box, empty outside of all."""
        return next((g.path for g in self.made.values() if g.id == self.of.get(box)), "")


def prefixes(path: str) -> Iterator[str]:
    """Yield the paths around a path, the outermost first; an index belongs to what it is of.

    >>> list(prefixes("layer.*.up.W"))
    ['layer.*', 'layer.*.up']
    """
    words = path.split(".")
    for end in range(1, len(words)):
        if not (words[end] == "*" or words[end].isdigit()):
            yield ".".join(words[:end])


def grouping(values: Values, names: Mapping[Node, str]) -> Grouping:
    """Find the groups of all boxes: by their paths, their loops, and the uses of their blocks."""
    found = Grouping()
    around = {names[box]: [*prefixes(names[box])] for box in values.boxes if box in names}
    scopes = {path for paths in around.values() for path in paths}
    loops = _loops(values, names)
    blocks = scopes - {str(key[1]) for key in loops.values() if key[0] == "path"}
    blocks -= {path for path in scopes if path.split(".")[-1].isdigit()}
    uses = {box: _unnamed_use(box, names, blocks) for box in values.boxes}
    crowded = {use for use, number in Counter(uses.values()).items() if use and number > 1}
    for box in values.boxes:
        keys: list[Key] = [("path", path) for path in around.get(names.get(box, ""), ())]
        if names.get(box) in scopes:  # the result of a block lies in it
            keys.append(("path", names[box]))
        if uses[box] in crowded:
            keys.append(uses[box])
        keys = _with_loops(keys, [loops[one] for one in values.loops[box]])
        parent = ""
        for key in keys:
            if key not in found.made:
                found.made[key] = _group(key, f"g{len(found.made) + 1}", parent, box)
            parent = found.made[key].id
        found.of[box] = parent
    for node, key in loops.items():
        if key in found.made:
            found.made[key] = _of_loop(found.made[key], node)
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


def _uses(box: Node) -> tuple[Span, ...]:
    """Return the uses of blocks that a box comes from, the outermost first."""
    found: list[Span] = []
    origin = box.origin if box.op is PARAMETER or box.origin is None else box.origin.used
    while origin is not None:
        found.append(origin.span)
        origin = origin.used
    return tuple(reversed(found))


def _unnamed_use(box: Node, names: Mapping[Node, str], blocks: Collection[str]) -> Key:
    """Return the use of a block that a box comes from, if the block has no path; empty if none."""
    path = names.get(box, "")
    around = [*prefixes(path)]
    uses = _uses(box)
    if not path or not uses or path in blocks or any(one in blocks for one in around):
        return ()
    return ("use", around[-1] if around else "", uses[0])


def _group(key: Key, id: str, parent: str, member: Node) -> Group:
    """Make the group of a block by one of its members."""
    uses = _uses(member)
    line = uses[0].line if uses else member.origin.outermost.line if member.origin else None
    if key[0] == "use":
        return Group(id, "", call_of(uses[0]), "block", parent, line)
    path = str(key[1]) if key[0] == "path" else ""
    label = path.removesuffix(".*").split(".")[-1]
    depth = [*prefixes(path), path].index(path) if path else 0
    use = uses[min(depth, len(uses) - 1)] if uses else None
    return Group(id, path, f"{label} = {call_of(use)}" if use else label, "block", parent, line)


def call_of(use: Span) -> str:
    """Write a use of a block, without its arguments where these are long."""
    text = one_line_of(use, 40)
    function = text.split("(")[0]
    return text if len(text) <= LONGEST_TITLE else f"{function}(…)"


def _of_loop(group: Group, node: Node) -> Group:
    """Make a group that of a loop."""
    loop = loop_of(node)
    written = _written(node)
    times = "until" if loop.until is not None else f"× {loop.count}"
    over = f"{loop.index} in {loop.first}..{loop.first + loop.count - 1}"
    word = f"{written[1]} {written[2] or ''}".strip() if written else "loop"
    line = node.origin.outermost.line if node.origin else None
    return Group(group.id, group.path, f"{word}[{over}]  {times}", "loop", group.parent, line)
