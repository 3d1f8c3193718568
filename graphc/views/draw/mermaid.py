"""A picture in the language of Mermaid, which sites of code and notebooks draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphc.views.draw.records.layout import heading
from graphc.views.draw.records.picture import Edge, Kind, Node, Picture, Role

SHAPES: Mapping[Kind, tuple[str, str]] = {
    "input": ("[", "]"),
    "parameter": ("([", "])"),
    "value": ("[", "]"),
    "output": ("[[", "]]"),
    "carried": ("(", ")"),
    "folded": ("[", "]"),
    "reference": ("(", ")"),
    "unknown": ("(", ")"),
    "mistake": ("{{", "}}"),
}
ARROWS: Mapping[Role, str] = {
    "data": "-->",
    "residual": "==>",
    "parameter": "-->",
    "carried": "-.->",
    "adjoint": "-->",
    "idle": "---",
}
STYLES: Mapping[Kind, str] = {
    "input": "fill:#dbeafe,stroke:#3b76c4,color:#1b1f24",
    "parameter": "fill:#fdf0d0,stroke:#b7791f,color:#1b1f24",
    "value": "fill:#ffffff,stroke:#8a94a0,color:#1b1f24",
    "output": "fill:#dcf3e1,stroke:#2f855a,color:#1b1f24",
    "carried": "fill:#f3f0fb,stroke:#9a84cf,color:#1b1f24,stroke-dasharray:4 3",
    "folded": "fill:#f6f8fa,stroke:#57606a,color:#1b1f24,stroke-width:2px",
    "reference": "fill:#ffffff,stroke:#c6ccd3,color:#1b1f24,stroke-dasharray:2 3",
    "unknown": "fill:#ffffff,stroke:#c53030,color:#1b1f24,stroke-dasharray:2 3",
    "mistake": "fill:#fde2e0,stroke:#c53030,color:#1b1f24,stroke-width:2px",
}


def mermaid(picture: Picture) -> str:
    """Print a picture as a flowchart."""
    back = any(edge.against for edge in picture.edges)
    used = dict.fromkeys(node.kind for node in picture.nodes)
    lines = [
        *(f"%% {note}" for note in picture.notes),
        f"flowchart {'BT' if back else 'TB'}",
        *_nested(picture),
        *(f"  {_edge(edge, back)}" for edge in picture.edges),
        *(f"  classDef {kind} {STYLES[kind]}" for kind in used),
    ]
    for kind in used:
        ids = ",".join(name_of(node.id) for node in picture.nodes if node.kind == kind)
        lines.append(f"  class {ids} {kind}")
    return "\n".join(lines) + "\n"


def _nested(picture: Picture) -> Iterator[str]:
    """Yield the boxes inside of the groups that they lie in."""
    for depth, one, ends in picture.outline():
        indent = "  " * (depth + 1)
        if isinstance(one, Node):
            yield indent + _box(one)
        elif ends:
            yield f"{indent}end"
        else:
            yield f'{indent}subgraph {name_of(one.id)}["{escaped(one.title)}"]'


def _box(node: Node) -> str:
    label, shape = heading(node)
    first = f"<b>{escaped(label)}</b>" + (f" {escaped(shape)}" if shape else "")
    opening, closing = SHAPES[node.kind]
    text = "<br/>".join([first, *map(escaped, node.lines)])
    return f'{name_of(node.id)}{opening}"{text}"{closing}'


def _edge(edge: Edge, back: bool) -> str:
    ends = (name_of(edge.tail), name_of(edge.head))
    tail, head = reversed(ends) if back else ends
    label = f'|"{escaped(edge.label)}"|' if edge.label else ""
    return f"{tail} {ARROWS[edge.role]}{label} {head}"


def name_of(id: str) -> str:
    """Write an id as Mermaid takes it."""
    return id.replace("-", "_")


def escaped(text: str) -> str:
    """Write a text between quotes, where neither quotes nor tags may stand.

    >>> escaped('a "b" <c> #1')
    'a #quot;b#quot; #lt;c#gt; #35;1'
    """
    signs = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}
    return "".join(signs.get(character, character) for character in " ".join(text.split()))
