"""Numbers in a picture: ranges in the boxes, norms along the edges, where gradients go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from graphc.records import replace
from graphc.views.draw.records.picture import Edge, Node, Picture
from graphc.views.numbers.telling import counted, norm, short

if TYPE_CHECKING:
    from graphc.views.numbers.looking import Known, Numbers

FORWARD = "In boxes the least and the most; along edges the norm of what goes on."
BACKWARD = "In boxes the norm of the derivative; along edges that of what comes back."


def with_numbers(picture: Picture, numbers: Numbers, back: bool) -> Picture:
    """Return a picture with the numbers at a point: values, or what flows back."""
    names = {node.id: node.name for node in picture.nodes}
    return replace(
        picture,
        nodes=tuple(
            _node(node, numbers.known.get(node.name), back)
            if not back or node.id in picture.adjoints
            else node
            for node in picture.nodes
        ),
        edges=tuple(_edge(edge, names, numbers) for edge in picture.edges),
        notes=(*picture.notes, BACKWARD if back else FORWARD),
    )


def _node(node: Node, known: Known | None, back: bool) -> Node:
    if known is None or node.kind in ("folded", "carried"):
        return node
    if back:
        if known.adjoint is None:
            return node
        kind = f", {known.flow.kind}" if known.flow is not None else ""
        return replace(node, lines=(*node.lines, f"norm {norm(known.adjoint)}{kind}"))
    value = known.value
    same = value.least == value.most
    told = short(value.least) if same else f"{short(value.least)} … {short(value.most)}"
    wrong = counted(value)
    lines = [told] if value.finite else []
    return replace(node, lines=(*node.lines, *lines, *([wrong] if wrong else [])))


def _edge(edge: Edge, names: Mapping[str, str], numbers: Numbers) -> Edge:
    tail, head = names.get(edge.tail, ""), names.get(edge.head, "")
    if edge.role in ("idle", "carried") or not edge.label:
        return edge
    if edge.against:
        flowing = numbers.flowing.get((tail, head))
    else:
        known = numbers.known.get(tail)
        flowing = None if known is None or known.steps else known.value
    return edge if flowing is None else replace(edge, label=f"{edge.label}, norm {norm(flowing)}")
