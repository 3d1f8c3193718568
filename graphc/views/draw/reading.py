"""A picture in words, for who hears it: what each box is, and what leads to it."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.views.draw.records.picture import Node, Picture

KINDS: Mapping[str, str] = {
    "input": "input",
    "parameter": "parameter",
    "output": "output",
    "carried": "carried from step to step",
    "folded": "folded",
    "reference": "stands for a box that is far away",
    "mistake": "mistake",
    "unknown": "not known",
}


def summary(picture: Picture) -> str:
    """Say what is in a picture, and how it is gone through."""
    parts = [_several(len(picture.nodes), "box", "boxes")]
    if picture.groups:
        parts.append(f"{_several(len(picture.groups), 'group', 'groups')}, which fold")
    return f"{', '.join(parts)}. Each box says what it is and what leads to it."


def readings(picture: Picture) -> dict[str, str]:
    """Return what is read of each box by its id: its name and lines, and its edges."""
    labels = {node.id: node.label for node in picture.nodes}
    leading: dict[str, list[str]] = {node.id: [] for node in picture.nodes}
    for edge in picture.edges:
        if edge.role == "idle":
            continue
        end, start = (edge.tail, edge.head) if edge.against else (edge.head, edge.tail)
        what = f" ({edge.label})" if edge.against and edge.label else ""
        how = " by a residual edge" if edge.role == "residual" else ""
        leading[end].append(f"{labels[start]}{what}{how}")
    return {node.id: _reading(node, leading[node.id]) for node in picture.nodes}


def _reading(node: Node, leading: list[str]) -> str:
    parts = [node.label, KINDS.get(node.kind, ""), node.shape, ", ".join(node.lines)]
    if leading:
        parts.append(f"from {', '.join(leading)}")
    return "; ".join(filter(None, parts))


def _several(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
