"""A picture as SVG: one file, light and dark, whose groups fold by a click or a key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from graphc.views.draw.records.layout import (
    LINE,
    Box,
    Layout,
    Point,
    Route,
    heading,
)
from graphc.views.draw.records.measure import FONT, SMALL, width
from graphc.views.draw.records.picture import Group, Node

EDGE = 16
"""Pixels around all."""

STYLE = """
.graphc-picture { --paper: #ffffff; --ink: #1b1f24; --soft: #57606a; --line: #8a94a0;
  --group: #f6f8fa; --loop: #f3f0fb; --rim: #c6ccd3; --loop-rim: #9a84cf;
  --input: #dbeafe; --input-rim: #3b76c4; --parameter: #fdf0d0; --parameter-rim: #b7791f;
  --value: #ffffff; --output: #dcf3e1; --output-rim: #2f855a; --mistake: #fde2e0;
  --mistake-rim: #c53030; --skip: #b8327a; --back: #b4510a; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { .graphc-picture { --paper: #0d1117; --ink: #e6edf3;
  --soft: #9aa4af; --line: #7d8894; --group: #151b23; --loop: #1b1730; --rim: #3d4752;
  --loop-rim: #8d78c9; --input: #132c4a; --input-rim: #6aa5f0; --parameter: #3a2c0c;
  --parameter-rim: #d9a441; --value: #0d1117; --output: #11331f; --output-rim: #57b97a;
  --mistake: #451512; --mistake-rim: #f2726b; --skip: #f07ab5; --back: #f0a05a; } }
.graphc-picture .paper { fill: var(--paper); }
.graphc-picture text { font-family: FONT; font-size: 11px; fill: var(--ink); }
.graphc-picture .name { font-size: 13px; font-weight: bold; }
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
.graphc-picture .idle path { stroke: var(--rim); }
.graphc-picture .idle polygon { fill: var(--rim); }
.graphc-picture .title, .graphc-picture .cover { cursor: pointer; }
.graphc-picture .title:focus { outline: 2px solid var(--soft); outline-offset: 2px; }
.graphc-picture .cover { display: none; }
.graphc-picture .cover.shut { display: inline; }
.graphc-picture .cover > rect { fill: var(--group); stroke: var(--rim); stroke-width: 2.5; }
.graphc-picture .cover text { font-weight: bold; }
""".replace("FONT", FONT)


SCRIPT = """
(() => {
  const root = document.currentScript.ownerSVGElement;
  for (const title of root.querySelectorAll('.title')) {
    const cover = root.querySelector(`[data-cover="${title.parentNode.id}"]`);
    const turn = event => {
      if (event.type === 'keydown' ? !['Enter', ' '].includes(event.key) : false) return;
      event.preventDefault();
      title.setAttribute('aria-expanded', String(!cover.classList.toggle('shut')));
    };
    title.addEventListener('click', turn);
    title.addEventListener('keydown', turn);
    cover.addEventListener('click', turn);
  }
})();
"""
"""Folds a group where it stands, by its title: it is covered, and edges end at its border."""


def svg(layout: Layout, prefix: str = "", script: bool = True) -> str:
    """Print a picture as a file; ids begin with `prefix`, where several are in one page.

    Without the `script` covers are shown by whoever gives them the class `shut`.
    """
    picture = layout.picture
    legend = [*picture.notes]
    wide = max([layout.width, *(width(note, SMALL) for note in legend)]) + 2 * EDGE
    high = layout.height + 2 * EDGE + (len(legend) * 16 + 8 if legend else 0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graphc-picture" role="img" '
        f'width="{_n(wide)}" height="{_n(high)}" viewBox="0 0 {_n(wide)} {_n(high)}" '
        f'aria-label="{escape(f"the graph {picture.title}")}">',
        f"<title>{escape(picture.title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{_n(wide)}" height="{_n(high)}"/>',
        f'<g transform="translate({EDGE} {EDGE})">',
        *_groups(layout, prefix),
        *(_edge(route, prefix) for route in layout.routes),
        *(_node(node, layout.boxes[node.id], prefix) for node in picture.nodes),
        *_covers(layout, prefix),
        "</g>",
    ]
    for number, note in enumerate(legend):
        y = layout.height + 2 * EDGE + 12 + 16 * number
        parts.append(f'<text class="note" x="{EDGE}" y="{_n(y)}">{escape(note)}</text>')
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
            f'<g class="group {group.kind}" id="{prefix}{group.id}"{_data(group)}>'
            f'<rect class="frame" x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" '
            f'height="{_n(box.height)}" rx="8"/>'
            f'<g class="title" tabindex="0" role="button" aria-expanded="true">'
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
            f'<g class="cover {group.kind}" data-cover="{prefix}{group.id}">'
            f'<rect x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" '
            f'height="{_n(box.height)}" rx="8"/>'
            f'<text x="{_n(x)}" y="{_n(y - 2)}" text-anchor="middle">{escape(group.title)}</text>'
            f'<text x="{_n(x)}" y="{_n(y + 14)}" text-anchor="middle">{inside} boxes</text></g>'
        )


def _data(one: Node | Group) -> str:
    """Write what other views find a box by: its path, and its line of the file."""
    path = one.name if isinstance(one, Node) else one.path
    called = "data-node" if isinstance(one, Node) else "data-group"
    line = "" if one.line is None else f' data-line="{one.line}"'
    return f' {called}="{escape(path)}"{line}'


def _node(node: Node, box: Box, prefix: str) -> str:
    round_ = {"parameter": 14, "input": 4, "carried": 10}.get(node.kind, 4)
    x, _ = box.middle
    label, shape = heading(node)
    lines = [_first(label, shape, x, box.y + 18)]
    lines += [
        f'<text x="{_n(x)}" y="{_n(box.y + 18 + LINE * number)}" text-anchor="middle">'
        f"{escape(line)}</text>"
        for number, line in enumerate(node.lines, 1)
    ]
    return (
        f'<g class="node {node.kind}" id="{prefix}{node.id}"{_data(node)}>'
        f"<title>{escape(node.told)}</title>"
        f'<rect x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" '
        f'height="{_n(box.height)}" rx="{round_}"/>{"".join(lines)}</g>'
    )


def _first(label: str, shape: str, x: float, y: float) -> str:
    """Write the first line of a box: the name, perhaps the shape behind it."""
    name = f'<tspan class="name">{escape(label)}</tspan>'
    behind = f'<tspan class="shape" dx="8">{escape(shape)}</tspan>' if shape else ""
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="middle">{name}{behind}</text>'


def _edge(route: Route, prefix: str) -> str:
    edge = route.edge
    points = route.points[::-1] if edge.against else route.points
    tip, points = _arrow(points)
    label = ""
    if route.label is not None and edge.label:
        x, y = route.label.x, route.label.middle[1] + 4
        label = f'<text x="{_n(x)}" y="{_n(y)}">{escape(edge.label)}</text>'
    told = f"<title>{escape(edge.told)}</title>" if edge.told else ""
    return (
        f'<g class="edge {edge.role}" data-from="{prefix}{edge.tail}" '
        f'data-to="{prefix}{edge.head}">{told}'
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
