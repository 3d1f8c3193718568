"""A picture as SVG: one file, light and dark, whose groups fold by a click or a key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib import resources

from graphc.views.draw.reading import readings, summary
from graphc.views.draw.records.layout import (
    LINE,
    Layout,
    Point,
    Route,
    heading,
)
from graphc.views.draw.records.measure import FONT, SMALL, width, wrap
from graphc.views.draw.records.picture import Edge, Group, Node, Picture

EDGE = 16
"""Pixels around all."""
LEGEND = 330
"""Pixels that the notes below a picture may take, if it is narrower."""

LOWERED = re.compile(r"(?<=[𝟏Σ])_(\w)")
"""What Unicode has no small letter for."""

STYLE = """
.graphc-picture { --paper: #ffffff; --ink: #1b1f24; --soft: #57606a; --line: #8a94a0;
  --group: #f6f8fa; --loop: #f3f0fb; --rim: #c6ccd3; --loop-rim: #9a84cf;
  --input: #dbeafe; --input-rim: #3b76c4; --parameter: #fdf0d0; --parameter-rim: #b7791f;
  --value: #ffffff; --output: #dcf3e1; --output-rim: #2f855a; --mistake: #fde2e0;
  --mistake-rim: #c53030; --skip: #b8327a; --back: #b4510a; --focus: #0969da; --idle: #8e98a3;
  color-scheme: light dark; }
@media (prefers-color-scheme: dark) { .graphc-picture { --paper: #0d1117; --ink: #e6edf3;
  --soft: #9aa4af; --line: #7d8894; --group: #151b23; --loop: #1b1730; --rim: #3d4752;
  --loop-rim: #8d78c9; --input: #132c4a; --input-rim: #6aa5f0; --parameter: #3a2c0c;
  --parameter-rim: #d9a441; --value: #0d1117; --output: #11331f; --output-rim: #57b97a;
  --mistake: #451512; --mistake-rim: #f2726b; --skip: #f07ab5; --back: #f0a05a;
  --focus: #58a6ff; --idle: #626d79; } }
.graphc-picture .paper { fill: var(--paper); }
.graphc-picture text { font-family: FONT; font-size: 11px; fill: var(--ink); }
.graphc-picture .name { font-size: 13px; font-weight: bold; }
.graphc-picture .low { font-size: 9px; }
.graphc-picture .shape, .graphc-picture .note { fill: var(--soft); }
.graphc-picture .node > rect { fill: var(--value); stroke: var(--line); stroke-width: 1.2; }
.graphc-picture .input > rect { fill: var(--input); stroke: var(--input-rim); }
.graphc-picture .parameter > rect { fill: var(--parameter); stroke: var(--parameter-rim); }
.graphc-picture .output > rect { fill: var(--output); stroke: var(--output-rim);
  stroke-width: 2; }
.graphc-picture .carried > rect { stroke: var(--loop-rim); stroke-dasharray: 4 3; }
.graphc-picture .mistake > rect { fill: var(--mistake); stroke: var(--mistake-rim);
  stroke-width: 2; }
.graphc-picture .reference > rect { stroke: var(--rim); stroke-dasharray: 2 3; }
.graphc-picture .unknown > rect { stroke: var(--mistake-rim); stroke-dasharray: 2 3; }
.graphc-picture .folded > rect { fill: var(--group); stroke: var(--rim); stroke-width: 2.5; }
.graphc-picture .group > .frame { fill: var(--group); stroke: var(--rim); }
.graphc-picture .loop > .frame { fill: var(--loop); stroke: var(--loop-rim);
  stroke-dasharray: 6 4; }
.graphc-picture .group text { font-weight: bold; fill: var(--soft); }
.graphc-picture .edge path { fill: none; stroke: var(--line); stroke-width: 1.3; }
.graphc-picture .edge polygon { fill: var(--line); }
.graphc-picture .edge text { fill: var(--soft); }
.graphc-picture .parameter path { stroke: var(--parameter-rim); stroke-width: 1; }
.graphc-picture .parameter polygon { fill: var(--parameter-rim); }
.graphc-picture .residual path { stroke: var(--skip); stroke-width: 2.4; }
.graphc-picture .residual polygon { fill: var(--skip); }
.graphc-picture .carried path { stroke: var(--loop-rim); stroke-width: 1.6;
  stroke-dasharray: 5 3; }
.graphc-picture .carried polygon { fill: var(--loop-rim); }
.graphc-picture .adjoint path { stroke: var(--back); stroke-width: 1.6; }
.graphc-picture .adjoint polygon { fill: var(--back); }
.graphc-picture .adjoint text { fill: var(--back); }
.graphc-picture .idle path { stroke: var(--idle); stroke-width: 1; stroke-dasharray: 1.5 2.5; }
.graphc-picture .idle polygon { fill: var(--idle); }
.graphc-picture .title, .graphc-picture .cover { cursor: pointer; }
.graphc-picture .title:hover text, .graphc-picture .cover:hover text { text-decoration: underline; }
.graphc-picture .title:focus, .graphc-picture .cover:focus { outline: none; }
.graphc-picture .title:focus-visible { outline: 2px solid var(--focus); outline-offset: 3px; }
.graphc-picture .cover:focus-visible > rect { stroke: var(--focus); }
.graphc-picture .cover { visibility: hidden; }
.graphc-picture .cover.shut { visibility: visible; }
.graphc-picture .covered, .graphc-picture .cover.covered { visibility: hidden; }
.graphc-picture .cover > rect { fill: var(--group); stroke: var(--rim); stroke-width: 2.5; }
.graphc-picture .cover text { font-weight: bold; }
""".replace("FONT", FONT)


FOLDING = resources.files(__package__).joinpath("folding.js").read_text(encoding="utf-8")
"""Folds groups where they stand: they are covered, and edges end at their border."""
SCRIPT = f"(() => {{\n{FOLDING}foldable(document.currentScript.ownerSVGElement);\n}})();\n"


def svg(layout: Layout, prefix: str = "", script: bool = True) -> str:
    """Print a picture as a file; ids begin with `prefix`, where several are in one page.

    Without the `script` a page calls `foldable` of FOLDING.
    """
    picture = layout.picture
    widest = max(layout.width, LEGEND)
    legend = [line for note in picture.notes for line in wrap(note, SMALL, widest, 20) or (note,)]
    wide = max([layout.width, *(width(line, SMALL) for line in legend)]) + 2 * EDGE
    high = layout.height + 2 * EDGE + (len(legend) * 16 + 8 if legend else 0)
    read = readings(picture)
    around = _shared(picture, (route.edge for route in layout.routes))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graphc-picture" role="group" '
        f'width="{_n(wide)}" height="{_n(high)}" viewBox="0 0 {_n(wide)} {_n(high)}" '
        f'aria-labelledby="{prefix}title" aria-describedby="{prefix}about">',
        f'<title id="{prefix}title">{escape(f"The graph {picture.title}")}</title>',
        f'<desc id="{prefix}about">{escape(summary(picture))}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{_n(wide)}" height="{_n(high)}"/>',
        f'<g transform="translate({EDGE} {EDGE})">',
        *_groups(layout, prefix),
        *(
            _edge(route, prefix, inside)
            for route, inside in zip(layout.routes, around, strict=True)
        ),
        *(_node(node, layout, prefix, read[node.id]) for node in picture.nodes),
        *_covers(layout, prefix),
        "</g>",
    ]
    for number, note in enumerate(legend):
        y = layout.height + 2 * EDGE + 12 + 16 * number
        parts.append(f'<text class="note" x="{EDGE}" y="{_n(y)}">{_formula(note)}</text>')
    if script and layout.frames:
        parts.append(f"<script>{SCRIPT}</script>")
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _groups(layout: Layout, prefix: str) -> Iterator[str]:
    """Yield the frames of groups, those around others first."""
    picture = layout.picture
    shown = [group for group in picture.groups if group.id in layout.frames]
    for group in sorted(shown, key=lambda one: len(picture.around(one.id))):
        box, title = layout.frames[group.id], layout.titles[group.id]
        yield (
            f'<g class="group {group.kind}" id="{prefix}{group.id}"{_data(group)}'
            f"{_inside(picture.around(group.parent), prefix)}>"
            f'<rect class="frame" x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" '
            f'height="{_n(box.height)}" rx="8"/>'
            f'<g class="title" tabindex="0" role="button" aria-expanded="true" '
            f'aria-label="{escape(group.title)}">'
            f'<text x="{_n(title.x + 3)}" y="{_n(title.y + 13)}">{escape(group.title)}</text>'
            "</g></g>"
        )


def _covers(layout: Layout, prefix: str) -> Iterator[str]:
    """Yield what covers groups that are folded, inner ones first."""
    picture = layout.picture
    shown = [group for group in picture.groups if group.id in layout.frames]
    for group in sorted(shown, key=lambda one: len(picture.around(one.id)), reverse=True):
        box = layout.frames[group.id]
        x, y = box.middle
        inside = sum(group.id in picture.around(node.group) for node in picture.nodes)
        yield (
            f'<g class="cover {group.kind}" data-cover="{prefix}{group.id}" tabindex="0" '
            f'role="button" aria-expanded="false" '
            f'aria-label="{escape(group.title)}, {inside} boxes"'
            f"{_inside(picture.around(group.parent), prefix)}>"
            f'<rect x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" '
            f'height="{_n(box.height)}" rx="8"/>'
            f'<text x="{_n(x)}" y="{_n(y - 2)}" text-anchor="middle">{escape(group.title)}</text>'
            f'<text x="{_n(x)}" y="{_n(y + 14)}" text-anchor="middle">{inside} boxes</text></g>'
        )


def _inside(groups: Sequence[str], prefix: str) -> str:
    """Write which groups an element lies in: it is hidden where one of them is shut."""
    names = " ".join(f"{prefix}{group}" for group in groups)
    return f' data-inside="{names}"' if names else ""


def _shared(picture: Picture, edges: Iterable[Edge]) -> Iterator[tuple[str, ...]]:
    """Yield the groups that both ends of each edge lie in."""
    group = {node.id: node.group for node in picture.nodes}
    for edge in edges:
        tail, head = (picture.around(group[end]) for end in (edge.tail, edge.head))
        yield tuple(one for one in tail if one in head)


def _data(one: Node | Group) -> str:
    """Write what other views find a box by: its path, and its line of the file."""
    path = one.name if isinstance(one, Node) else one.path
    called = "data-node" if isinstance(one, Node) else "data-group"
    line = "" if one.line is None else f' data-line="{one.line}"'
    return f' {called}="{escape(path)}"{line}'


def _node(node: Node, layout: Layout, prefix: str, read: str) -> str:
    box = layout.boxes[node.id]
    round_ = {"parameter": 14, "input": 4, "carried": 10}.get(node.kind, 4)
    x, _ = box.middle
    label, shape = heading(node)
    lines = [_first(label, shape, x, box.y + 18)]
    lines += [
        f'<text x="{_n(x)}" y="{_n(box.y + 18 + LINE * number)}" text-anchor="middle">'
        f"{_formula(line)}</text>"
        for number, line in enumerate(node.lines, 1)
    ]
    return (
        f'<g class="node {node.kind}" id="{prefix}{node.id}"{_data(node)}'
        f"{_inside(layout.picture.around(node.group), prefix)}"
        f' role="img" aria-label="{escape(read)}">'
        f"<title>{escape(node.told)}</title>"
        f'<rect x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" '
        f'height="{_n(box.height)}" rx="{round_}"/>{"".join(lines)}</g>'
    )


def _first(label: str, shape: str, x: float, y: float) -> str:
    """Write the first line of a box: the name, perhaps the shape behind it."""
    name = f'<tspan class="name">{escape(label)}</tspan>'
    behind = f'<tspan class="shape" dx="8">{escape(shape)}</tspan>' if shape else ""
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="middle">{name}{behind}</text>'


def _formula(text: str) -> str:
    """Write a formula, the indices of its sums and columns of ones below their line.

    >>> _formula("x + 1")
    'x + 1'
    """
    parts = LOWERED.split(text)
    if len(parts) == 1:
        return escape(text)
    spans = []
    for place, part in enumerate(parts):
        low = ' class="low" dy="3"' if place % 2 else ' dy="-3"' if place else ""
        spans.append(f"<tspan{low}>{escape(part)}</tspan>" if part else "")
    return "".join(spans)


def _edge(route: Route, prefix: str, inside: Sequence[str]) -> str:
    edge = route.edge
    points = route.points[::-1] if edge.against else route.points
    tip, points = _arrow(points)
    label = ""
    if route.label is not None and edge.label:
        x, y = route.label.x, route.label.middle[1] + 4
        label = f'<text x="{_n(x)}" y="{_n(y)}">{_formula(edge.label)}</text>'
    told = f"<title>{escape(edge.told)}</title>" if edge.told else ""
    return (
        f'<g class="edge {edge.role}" data-from="{prefix}{edge.tail}" '
        f'data-to="{prefix}{edge.head}"{_inside(inside, prefix)} aria-hidden="true">{told}'
        f'<path d="{_path(points)}"/><polygon points="{tip}"/>{label}</g>'
    )


def _path(points: Sequence[Point]) -> str:
    """Write Bézier curves, those that are straight as lines."""
    (x, y), *rest = points
    parts = [f"M{_n(x)} {_n(y)}"]
    at = points[0]
    for one, two, end in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        if one == at and two == end:
            if end != at:
                parts.append(f"L{_n(end[0])} {_n(end[1])}")
        else:
            parts.append("C" + " ".join(f"{_n(px)} {_n(py)}" for px, py in (one, two, end)))
        at = end
    return "".join(parts)


def _arrow(points: Sequence[Point]) -> tuple[str, tuple[Point, ...]]:
    """Return the arrow at the end of a curve, and the curve up to it."""
    end = points[-1]
    before = next((point for point in reversed(points) if point != end), (end[0], end[1] - 1))
    dx, dy = end[0] - before[0], end[1] - before[1]
    length = (dx * dx + dy * dy) ** 0.5
    ux, uy = dx / length, dy / length
    back = end[0] - 7 * ux, end[1] - 7 * uy
    corners = (
        end,
        (back[0] - 3.5 * uy, back[1] + 3.5 * ux),
        (back[0] + 3.5 * uy, back[1] - 3.5 * ux),
    )
    tip = " ".join(f"{_n(x)},{_n(y)}" for x, y in corners)
    shorter = (end[0] - 5 * ux, end[1] - 5 * uy)
    return tip, (*points[:-2], shorter if points[-2] == end else points[-2], shorter)


def _n(number: float) -> str:
    """Write a number with at most one decimal.

    >>> _n(3.0), _n(2.25), _n(-0.01)
    ('3', '2.2', '0')
    """
    text = f"{number:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
