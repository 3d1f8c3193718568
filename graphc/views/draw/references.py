"""Far edges: past many layers a reference stands for the box that one comes from."""

from __future__ import annotations

from collections import Counter

from graphc.records import replace
from graphc.views.draw.records.picture import Edge, Node, Picture

FAR = 18
"""Layers that an edge leads past; of the one residual edge of a box three times as many."""


def shorten(picture: Picture) -> Picture:
    """Return the picture with references in place of far edges."""
    layer = _layers(picture)
    node = {one.id: one for one in picture.nodes}
    branches = Counter(edge.tail for edge in picture.edges if edge.role == "residual")
    before: dict[str, list[Node]] = {}
    edges: list[Edge] = []
    for edge in picture.edges:
        far = FAR * 3 if edge.role == "residual" and branches[edge.tail] == 1 else FAR
        if edge.returns or layer[edge.head] - layer[edge.tail] <= far:
            edges.append(edge)
            continue
        tail, head = node[edge.tail], node[edge.head]
        id = f"{head.id}-{tail.id}"
        at = f"line {tail.line}" if tail.line is not None else tail.kind
        before.setdefault(head.id, []).append(
            Node(id, tail.name, tail.label, "reference", (at,), tail.told, "", tail.line,
                 head.group)
        )  # fmt: skip
        edges.append(replace(edge, tail=id))
    if not before:
        return picture
    nodes = [one for each in picture.nodes for one in (*before.get(each.id, ()), each)]
    many = sum(map(len, before.values()))
    note = f"A dotted box stands for one far above: {many} of them."
    return replace(picture, nodes=tuple(nodes), edges=tuple(edges), notes=(*picture.notes, note))


def _layers(picture: Picture) -> dict[str, int]:
    """Count for each box the most edges that lead to it, one behind the other."""
    above: dict[str, list[str]] = {node.id: [] for node in picture.nodes}
    for edge in picture.edges:
        if not edge.returns:
            above[edge.head].append(edge.tail)
    layer: dict[str, int] = {}
    pending = [node.id for node in reversed(picture.nodes)]
    while pending:
        id = pending[-1]
        missing = [one for one in above[id] if one not in layer]
        if id in layer or not missing:
            layer.setdefault(id, max((layer[one] + 1 for one in above[id]), default=0))
            pending.pop()
        else:
            pending += missing
    read: dict[str, int] = {}
    for edge in picture.edges:
        if not above[edge.tail] and not edge.returns:
            read[edge.tail] = min(read.get(edge.tail, layer[edge.head]), layer[edge.head])
    return layer | {id: first - 1 for id, first in read.items()}
