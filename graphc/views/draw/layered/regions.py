"""A group with what stands directly in it, and the pieces of edges that lie there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from graphc.ir.components import strongly_connected
from graphc.records import dataclass, field, replace
from graphc.views.draw.records.picture import Picture

Unit = str
"""The id of a box, or of a group inside."""


@dataclass(slots=True)
class Region:
    """What lies directly in a group: units in their order, and pieces of edges by their number.

    `inner` are pieces from one unit to another, `entering` and `leaving` those through the border,
    `back` those that return to a unit from one that comes later.
    """

    units: dict[Unit, None] = field(default_factory=dict)
    inner: dict[int, tuple[Unit, Unit]] = field(default_factory=dict)
    entering: dict[int, Unit] = field(default_factory=dict)
    leaving: dict[int, Unit] = field(default_factory=dict)
    back: dict[int, tuple[Unit, Unit]] = field(default_factory=dict)


def regions_of(picture: Picture) -> dict[str, Region]:
    """Return the region of each group by its id, that of the whole picture by the empty one."""
    found = {"": Region(), **{group.id: Region() for group in picture.groups}}
    around = {node.id: ("", *picture.around(node.group)) for node in picture.nodes}
    for node in picture.nodes:
        chain = (*around[node.id], node.id)
        for outer, unit in pairwise(chain):
            found[outer].units[unit] = None
    for number, edge in enumerate(picture.edges):
        tail, head = (*around[edge.tail], edge.tail), (*around[edge.head], edge.head)
        shared = next(
            i for i, pair in enumerate(zip(tail, head, strict=False)) if pair[0] != pair[1]
        )
        common = found[tail[shared - 1]]
        pieces = common.back if edge.returns else common.inner
        pieces[number] = (tail[shared], head[shared])
        for outer, unit in zip(tail[shared:], tail[shared + 1 :], strict=False):
            found[outer].leaving[number] = unit
        for outer, unit in zip(head[shared:], head[shared + 1 :], strict=False):
            found[outer].entering[number] = unit
    return found


def untangled(picture: Picture) -> Picture:
    """Dissolve groups that an edge leaves and another one comes back to: they are no one box."""
    while True:
        tangled = set(_tangled(picture))
        if not tangled:
            return picture
        parents: Mapping[str, str] = {one.id: one.parent for one in picture.groups}
        picture = replace(
            picture,
            nodes=tuple(
                replace(n, group=_outside(n.group, tangled, parents)) for n in picture.nodes
            ),
            groups=tuple(
                replace(g, parent=_outside(g.parent, tangled, parents))
                for g in picture.groups
                if g.id not in tangled
            ),
        )


def _tangled(picture: Picture) -> Iterator[str]:
    for region in regions_of(picture).values():
        onward: dict[Unit, list[Unit]] = {unit: [] for unit in region.units}
        for tail, head in region.inner.values():
            onward[tail].append(head)
        for circle in strongly_connected(onward):
            if len(circle) > 1:
                yield from (unit for unit in circle if unit in picture.group)


def _outside(group: str, gone: set[str], parents: Mapping[str, str]) -> str:
    while group in gone:
        group = parents[group]
    return group
