"""Works -> loop nests: works over the same axis share a loop where none waits for another's end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphc.ir.dims import Dim
from graphc.ir.types import same
from graphc.nests.nest import For, Tree, Turns, Value, Work, counter

REACH = 40
"""How many loops back a work looks for one that it can share."""


@dataclass(slots=True)
class Group:
    """Works that share a loop over an axis; without one, statements in a row.

    `slices` are by value the axes of which each turn touches its own position alone, `written` the
    values that some work writes.
    """

    axis: Dim | None
    works: list[Work] = field(default_factory=list)
    slices: dict[Value, frozenset[int]] = field(default_factory=dict)
    written: set[Value] = field(default_factory=set)


def fuse(works: Sequence[Work], depth: int = 0) -> list[Tree]:
    """Put works into loops, which keep their order where one needs what another writes."""
    for work in works:
        if depth == 0:
            for one in work.statements:
                if isinstance(one, Turns):
                    one.body = fuse(one.works)
    trees: list[Tree] = []
    for group in _groups(works, depth):
        if group.axis is None:
            trees += group.works
        else:
            trees.append(For(depth, group.axis, fuse(group.works, depth + 1)))
    return trees


def _groups(works: Sequence[Work], depth: int) -> list[Group]:
    groups: list[Group] = []
    touched: dict[Value, int] = {}  # by value the last group that touches it, or that writes it
    written: dict[Value, int] = {}
    for work in works:
        axis = work.axes[depth] if len(work.axes) > depth else None
        writes = {one.value for one in work.touches if one.writes}
        values = dict.fromkeys(one.value for one in work.touches)
        after = max(((touched if v in writes else written).get(v, -1) for v in values), default=-1)
        place = _place(groups, work, axis, after, depth, writes)
        if place == len(groups):
            groups.append(Group(axis))
        _join(groups[place], work, depth, writes)
        for value in values:
            touched[value] = max(touched.get(value, -1), place)
            if value in writes:
                written[value] = max(written.get(value, -1), place)
    return groups


def _place(
    groups: Sequence[Group],
    work: Work,
    axis: Dim | None,
    after: int,
    depth: int,
    writes: set[Value],
) -> int:
    """Return the number of the group that a work goes to: the last that it can share, or a new."""
    first = max(after, 0, len(groups) - REACH)
    for number in range(len(groups) - 1, first - 1, -1):
        group = groups[number]
        if (group.axis is None) != (axis is None):
            continue
        if axis is None or group.axis is None:
            return number
        if same(axis, group.axis) and _shares(group, work, depth, writes):
            return number
    return len(groups)


def _shares(group: Group, work: Work, depth: int, writes: set[Value]) -> bool:
    """True if each turn of the group's loop gives a work all that it needs, and spoils nothing."""
    own = _slices(work, depth)
    return all(
        own[value] & group.slices[value]
        for value in own
        if value in group.slices and (value in writes or value in group.written)
    )


def _slices(work: Work, depth: int) -> dict[Value, frozenset[int]]:
    """Return by value the axes on which a work touches the loop's own position alone."""
    position = counter(depth)
    found: dict[Value, frozenset[int]] = {}
    for one in work.touches:
        axes = frozenset(axis for axis, at in enumerate(one.index) if at == position)
        found[one.value] = found.get(one.value, axes) & axes
    return found


def _join(group: Group, work: Work, depth: int, writes: set[Value]) -> None:
    group.works.append(work)
    group.written |= writes
    if group.axis is None:
        return
    for value, axes in _slices(work, depth).items():
        group.slices[value] = group.slices.get(value, axes) & axes
