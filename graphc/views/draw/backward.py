"""The picture of what flows back: the same boxes, their derivatives, and what multiplies them.

Edges have formulas, so boxes have shapes: a derivative is shaped as what it is by.
"""

from __future__ import annotations

from graphc.records import replace
from graphc.views.draw.records.picture import Adjoint, Edge, Node, Picture

NOTHING = "Nothing is differentiated."
LEGEND = "δ: what has come back to the box that an edge comes from."


def backward(picture: Picture) -> Picture:
    """Return the picture with derivatives in the boxes, and edges along which they flow back."""
    adjoints = picture.adjoints
    legend = tuple(filter(None, (LEGEND, picture.target))) if adjoints else (NOTHING,)
    return replace(
        picture,
        nodes=tuple(_node(node, adjoints.get(node.id)) for node in picture.nodes),
        edges=tuple(_edge(edge) for edge in picture.edges),
        notes=(*legend, *picture.notes),
    )


def _node(node: Node, adjoint: Adjoint | None) -> Node:
    if adjoint is None:
        return node if node.kind == "folded" else replace(node, lines=())
    told = f"the sum of {adjoint.terms}" if adjoint.terms > 1 else ""
    return replace(node, lines=tuple(filter(None, (adjoint.name, told))), shaped=True)


def _edge(edge: Edge) -> Edge:
    if not edge.pulled:
        return replace(edge, role="idle", label="")
    role = edge.role if edge.role in ("residual", "carried") else "adjoint"
    label = "" if edge.returns else edge.pulled
    return replace(edge, role=role, label=label, against=True)
