"""A picture in the language of Graphviz: to be drawn by it, or to be laid out and drawn here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from graphc.views.draw.records.layout import TITLE, heading, label_size, node_size, title_width
from graphc.views.draw.records.picture import Edge, Group, Kind, Node, Picture, Role

INCH = 72

BOXES: Mapping[Kind, str] = {
    "input": 'style=filled, fillcolor="#dbeafe", color="#3b76c4"',
    "parameter": 'style="filled,rounded", fillcolor="#fdf0d0", color="#b7791f"',
    "value": 'style=filled, fillcolor="#ffffff"',
    "output": 'style=filled, fillcolor="#dcf3e1", color="#2f855a", penwidth=2',
    "carried": 'style="filled,rounded,dashed", fillcolor="#ffffff", color="#9a84cf"',
    "folded": 'style=filled, fillcolor="#f6f8fa", penwidth=2',
    "reference": "style=dotted",
    "unknown": "style=dotted",
    "mistake": 'style=filled, fillcolor="#fde2e0", color="#c53030", penwidth=2',
}
EDGES: Mapping[Role, str] = {
    "data": "",
    "residual": 'color="#b8327a", penwidth=2.4',
    "parameter": 'color="#b7791f"',
    "carried": 'color="#9a84cf", style=dashed',
    "adjoint": 'color="#b4510a", fontcolor="#b4510a"',
    "idle": 'color="#c6ccd3"',
}


def dot(picture: Picture) -> str:
    """Print a picture with the texts of its boxes, for Graphviz to draw."""
    lines = [
        f"digraph {quoted(picture.title)} {{",
        '  graph [rankdir=TB, fontname="DejaVu Sans", fontsize=11];',
        '  node [shape=box, fontname="DejaVu Sans", fontsize=11];',
        '  edge [color="#8a94a0", fontname="DejaVu Sans", fontsize=11];',
        *_nested(picture, _written, lambda group: f"label={quoted(group.title)}; labeljust=l;"),
        *(f"  {_edge(edge)}" for edge in picture.edges),
    ]
    if picture.notes:
        lines.append(f"  label={quoted(chr(10).join(picture.notes))};")
    return "\n".join([*lines, "}"]) + "\n"


def sized_dot(picture: Picture) -> str:
    """Print a picture with the sizes of its boxes and labels and no text, to be laid out.

    Edges that return are turned around: so they are led past boxes, as others are.
    """
    lines = [
        "digraph {",
        "  graph [rankdir=TB, nodesep=0.3, ranksep=0.32, nslimit=4, nslimit1=4, mclimit=2];",
        '  node [shape=box, fixedsize=true, label=""];',
        *_nested(picture, _sized, _titled),
        *(
            f"  {quoted(title_of(one.group))} -> {quoted(one.id)} [style=invis, weight=0];"
            for one in _first(picture)
        ),
    ]
    for number, edge in enumerate(picture.edges):
        wide, high = label_size(edge.label)
        label = f", label={_blank(wide, high)}" if edge.label else ""
        upper, lower = (edge.head, edge.tail) if edge.returns else (edge.tail, edge.head)
        lines.append(f'  {quoted(upper)} -> {quoted(lower)} [number="{number}"{label}];')
    return "\n".join([*lines, "}"]) + "\n"


def _nested(
    picture: Picture, box: Callable[[Node], str], titled: Callable[[Group], str]
) -> Iterator[str]:
    """Yield the boxes inside of the groups that they lie in."""
    for depth, one, ends in picture.outline():
        indent = "  " * (depth + 1)
        if isinstance(one, Node):
            yield f"{indent}{quoted(one.id)} [{box(one)}];"
        elif ends:
            yield f"{indent}}}"
        else:
            yield f"{indent}subgraph {quoted(f'cluster_{one.id}')} {{ {titled(one)}"


def _written(node: Node) -> str:
    label, shape = heading(node)
    first = f"{label}  {shape}" if shape else label
    text = "\n".join([first, *node.lines])
    return f"label={quoted(text)}, tooltip={quoted(node.told)}, {BOXES[node.kind]}"


def _edge(edge: Edge) -> str:
    attributes = [EDGES[edge.role]] if EDGES[edge.role] else []
    if edge.returns:
        attributes.append("constraint=false")
    if edge.label:
        attributes.append(f"label={quoted(edge.label)}")
    if edge.against:
        attributes.append("dir=back")
    ends = f"{quoted(edge.tail)} -> {quoted(edge.head)}"
    return f"{ends} [{', '.join(attributes)}];" if attributes else f"{ends};"


def _sized(node: Node) -> str:
    wide, high = node_size(node)
    return f"width={wide / INCH:.6f}, height={high / INCH:.6f}"


def _titled(group: Group) -> str:
    """Make a title a box, which edges go around."""
    size = f"width={title_width(group) / INCH:.6f}, height={TITLE / INCH:.6f}"
    return f"label={_blank(1, 1)}; {quoted(title_of(group.id))} [{size}];"


def title_of(group: str) -> str:
    """Return the id of the box that stands for the title of a group."""
    return f"title_{group}"


def _first(picture: Picture) -> Iterator[Node]:
    """Yield the boxes of groups that are made of none of the same group."""
    group = {node.id: node.group for node in picture.nodes}
    later = {
        edge.head
        for edge in picture.edges
        if not edge.returns and group[edge.tail] == group[edge.head]
    }
    return (node for node in picture.nodes if node.group and node.id not in later)


def _blank(wide: int, high: int) -> str:
    """Write a label of a size and without text, which no font can change."""
    size = f'FIXEDSIZE="TRUE" WIDTH="{wide}" HEIGHT="{high}"'
    flat = 'BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0"'
    return f"<<TABLE {flat} {size}><TR><TD></TD></TR></TABLE>>"


def quoted(text: str) -> str:
    r"""Write a string of the language; lines end in its own way.

    >>> quoted('say "a"')
    '"say \\"a\\""'
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
