"""Pictures that show less: folded groups, a long file in stretches, the vicinity of one box."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from graphc.records import replace
from graphc.source import did_you_mean
from graphc.views.draw.records.picture import Edge, Group, Node, Picture, Role

MOST = 320
"""Boxes that are drawn if nothing else is asked for."""
STRETCHES = 24
"""Boxes that a long file without groups becomes."""


def fold(picture: Picture, groups: Collection[str]) -> Picture:
    """Return the picture with the groups of these ids as one box each."""
    parents = {group.id: group.parent for group in picture.groups}
    stands: dict[str, str] = {}
    members: dict[str, list[Node]] = {}
    for node in picture.nodes:
        folded = next((id for id in picture.around(node.group) if id in groups), "")
        stands[node.id] = folded or node.id
        if folded:
            members.setdefault(folded, []).append(node)
    if not members:
        return picture
    boxes: dict[str, Node] = {}
    for node in picture.nodes:
        id = stands[node.id]
        if id == node.id:
            boxes[id] = node
        elif id not in boxes:
            boxes[id] = _folded(picture.group[id], members[id])
    return replace(
        picture,
        nodes=tuple(boxes.values()),
        edges=_merged(picture.edges, stands),
        groups=tuple(
            group
            for group in picture.groups
            if group.id not in groups and not _inside(group.id, groups, parents)
        ),
        adjoints={id: one for id, one in picture.adjoints.items() if id in boxes},
    )


def _inside(id: str, groups: Collection[str], parents: dict[str, str]) -> bool:
    while id:
        id = parents[id]
        if id in groups:
            return True
    return False


def _folded(group: Group, members: Iterable[Node]) -> Node:
    """Make the box of a folded group, which says what is in it."""
    kinds = [node.kind for node in members]
    parameters = kinds.count("parameter")
    values = len(kinds) - parameters
    told = [_many(values, "value"), _many(parameters, "parameter")] if parameters else [
        _many(values, "value")
    ]  # fmt: skip
    return Node(
        group.id, group.path, group.title, "folded", (", ".join(told),), group.title, "",
        group.line, group.parent,
    )  # fmt: skip


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _merged(edges: Iterable[Edge], stands: dict[str, str]) -> tuple[Edge, ...]:
    """Return the edges between boxes that stand for others, one for each pair."""
    found: dict[tuple[str, str], list[Edge]] = {}
    for edge in edges:
        tail, head = stands[edge.tail], stands[edge.head]
        if tail != head:
            found.setdefault((tail, head), []).append(replace(edge, tail=tail, head=head))
    return tuple(_one(many) for many in found.values())


def _one(edges: list[Edge]) -> Edge:
    """Return one edge for several, which says what they have in common."""
    if len(edges) == 1:
        return edges[0]
    first = edges[0]
    roles = {edge.role for edge in edges}
    role: Role = first.role if len(roles) == 1 else "data"
    labels = list(dict.fromkeys(edge.label for edge in edges if edge.label))
    pulled = list(dict.fromkeys(edge.pulled for edge in edges if edge.pulled))
    return replace(
        first,
        role=role,
        label=labels[0] if len(labels) == 1 else f"{len(labels)} values" if labels else "",
        pulled=pulled[0] if len(pulled) == 1 else "Σ" if pulled else "",
        told="",
        returns=all(edge.returns for edge in edges),
    )


# ---- what to fold -------------------------------------------------------------------------------


def fold_below(picture: Picture, depth: int) -> Picture:
    """Return the picture with what lies in more than this many groups folded."""
    deep = {group.id for group in picture.groups if len(picture.around(group.id)) == depth + 1}
    return fold(picture, deep)


def fold_paths(picture: Picture, paths: Iterable[str]) -> Picture:
    """Return the picture with the groups of these paths folded; ValueError where one is unknown."""
    known = {group.path or group.title: group.id for group in picture.groups}
    known |= {path.replace(".*", ""): id for path, id in known.items()}
    for path in paths:
        if path not in known:
            near = did_you_mean(path, known)
            raise ValueError(f"there is no group `{path}`; {near or _all(known)}")
    return fold(picture, {known[path] for path in paths})


def _all(names: Collection[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in sorted(names)[:12])
    return f"there are {listed}" if listed else "there are none"


def fold_crowd(picture: Picture, most: int = MOST) -> Picture:
    """Return the picture with so much folded that at most so many boxes are left, and a note."""
    total = len(picture.nodes)
    if total <= most:
        return picture
    depth = max((len(picture.around(group.id)) for group in picture.groups), default=0)
    shown = picture
    while depth and len(shown.nodes) > most:
        depth -= 1
        shown = fold_below(picture, depth)
    if len(shown.nodes) > most:
        shown = _in_stretches(shown)
    note = f"{total} values are folded to {len(shown.nodes)} boxes; --focus NAME shows a part."
    return replace(shown, notes=(*shown.notes, note))


def _in_stretches(picture: Picture) -> Picture:
    """Fold a picture without groups to stretches of boxes that follow each other."""
    order = _sources_late(picture)
    size = -(-len(order) // STRETCHES)
    groups, nodes = [], []
    for number, start in enumerate(range(0, len(order), size), 1):
        part = order[start : start + size]
        lines = sorted(node.line for node in part if node.line is not None)
        title = f"lines {lines[0]} to {lines[-1]}" if lines else f"part {number}"
        group = Group(f"s{number}", "", title, "stretch", "", lines[0] if lines else None)
        groups.append(group)
        nodes += [replace(node, group=group.id) for node in part]
    stretched = replace(picture, nodes=tuple(nodes), groups=tuple(groups))
    return fold(stretched, {group.id for group in groups})


def _sources_late(picture: Picture) -> list[Node]:
    """Return the boxes, what is made of nothing just before what reads it first."""
    place = {node.id: number for number, node in enumerate(picture.nodes)}
    made = {edge.head for edge in picture.edges if not edge.returns}
    first: dict[str, int] = {}
    for edge in picture.edges:
        if edge.tail not in made:
            first[edge.tail] = min(first.get(edge.tail, len(place)), place[edge.head])
    return sorted(
        picture.nodes,
        key=lambda node: (first.get(node.id, place[node.id]), node.id in made, place[node.id]),
    )


def focus(picture: Picture, name: str, steps: int) -> Picture:
    """Return what is at most so many edges from a box; ValueError where none has the name."""
    names = {node.name or node.label: node.id for node in picture.nodes}
    if name not in names:
        near = did_you_mean(name, names)
        raise ValueError(f"there is no value `{name}`; {near or _all(names)}")
    onward: dict[str, list[str]] = {}
    back: dict[str, list[str]] = {}
    for edge in picture.edges:
        onward.setdefault(edge.tail, []).append(edge.head)
        back.setdefault(edge.head, []).append(edge.tail)
    kept = {names[name]}
    for way in (onward, back):
        reached = {names[name]}
        for _ in range(steps):
            reached |= {end for one in reached for end in way.get(one, ())}
        kept |= reached
    left = len(picture.nodes) - len(kept)
    nodes = tuple(node for node in picture.nodes if node.id in kept)
    used = {id for node in nodes for id in picture.around(node.group)}
    are = "is" if left == 1 else "are"
    note = f"{_many(left, 'value')} farther from {name} {are} not shown."
    notes = (note,) if left else ()
    return replace(
        picture,
        nodes=nodes,
        edges=tuple(e for e in picture.edges if e.tail in kept and e.head in kept),
        groups=tuple(group for group in picture.groups if group.id in used),
        notes=(*picture.notes, *notes),
    )
