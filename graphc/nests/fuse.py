"""Works -> loop nests: works over the same axis share a loop where none waits for another's end."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dims import Dim
from graphc.ir.types import same
from graphc.nests.nest import For, Tree, Turns, Value, Work, counter
from graphc.records import dataclass, field


@dataclass(eq=False, slots=True)
class Group:
    """Works that share a loop over an axis; without one, statements in a row.

    `number` is its place among the groups. `slices` are by value the axes of which each turn
    touches its own position alone, `written` the values that some work writes.
    """

    axis: Dim | None
    number: int
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
    touched: dict[Value, Group] = {}  # by value the last group that touches it, or that writes it
    written: dict[Value, Group] = {}
    for work in works:
        axis = work.axes[depth] if len(work.axes) > depth else None
        writes = {one.value for one in work.touches if one.writes}
        values = dict.fromkeys(one.value for one in work.touches)
        before = [(touched if value in writes else written).get(value) for value in values]
        after = max((group.number for group in before if group is not None), default=-1)
        group = _place(groups, work, axis, after, depth, writes)
        _join(group, work, depth, writes)
        for value in values:
            touched[value] = _later(touched.get(value), group)
            if value in writes:
                written[value] = _later(written.get(value), group)
    _sink(groups, depth)
    return [group for group in groups if group.works]


def _sink(groups: list[Group], depth: int) -> None:
    """Move what begins a value into the loop that goes on with it, where they can share that."""
    for group in groups:
        for work in [*group.works] if group.axis is not None else ():
            if not _begins(work):
                continue
            (value,) = {one.value for one in work.touches}
            users = [one for one in groups if value in one.slices and one is not group]
            if not users or sum(value in _slices(one, depth) for one in group.works) > 1:
                continue
            first = users[0]
            shares = first.slices[value] & _slices(work, depth)[value]
            if first.axis is not None and same(first.axis, group.axis or 0) and shares:
                group.works.remove(work)
                first.works.insert(0, work)


def _begins(work: Work) -> bool:
    """True if a work only begins one value."""
    return all(one.writes for one in work.touches) and len({t.value for t in work.touches}) == 1


def _later(one: Group | None, other: Group) -> Group:
    return other if one is None or one.number < other.number else one


def _place(
    groups: list[Group],
    work: Work,
    axis: Dim | None,
    after: int,
    depth: int,
    writes: set[Value],
) -> Group:
    """Return the group that a work goes to, perhaps a new one.

    It stands as late as it can, but what others begin with stands first: so it is in nobody's way.
    """
    begins = axis is None or _begins(work)
    order = range(max(after, 0), len(groups))
    for number in order if begins else reversed(order):
        group = groups[number]
        if axis is None or group.axis is None:
            if axis is None and group.axis is None:
                return group
        elif same(axis, group.axis) and _shares(group, work, depth, writes):
            return group
    place = after + 1 if begins else len(groups)
    groups.insert(place, Group(axis, place))
    for number in range(place + 1, len(groups)):
        groups[number].number = number
    return groups[place]


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
    for value, axes in _slices(work, depth).items():
        group.slices[value] = group.slices.get(value, axes) & axes
