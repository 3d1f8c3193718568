"""The picture of a file with mistakes: what is known of it, and marks where something is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.compile.stages import Compilation
from graphc.elaborate.build import Elaborated
from graphc.elaborate.names.references import defined_names, used_names
from graphc.ir.graph import PARAMETER, SOURCES, Node
from graphc.ir.loop import everywhere
from graphc.records import replace
from graphc.source import Diagnostic, Span
from graphc.syntax import tree
from graphc.views.draw.depict import Subject, depict
from graphc.views.draw.records.measure import SMALL, shortened, wrap
from graphc.views.draw.records.picture import Edge, Picture
from graphc.views.draw.records.picture import Node as Box

WIDEST = 240
"""Pixels of a line that says what is wrong."""
LINES = 4


def picture_of_known(compilation: Compilation, every: bool = False) -> Picture:
    """Depict what could be made of a file with mistakes, with the place of each one marked."""
    file, found = compilation.parsed.file, compilation.elaborated
    # What a line that cannot be read would have named counts as unknown to those below it.
    told = compilation.parsed.diagnostics or found.diagnostics
    mistakes = [one for one in told if one.severity == "error"]
    with compilation.open():
        return _marked(depict(_known(file, found), every), file, mistakes)


def _known(file: tree.File, found: Elaborated) -> Subject:
    """Return what there is of a file, under its own names."""
    known = {
        entry.value: name
        for name, entry in found.names.items()
        if isinstance(entry.value, Node) and not entry.value.static
    }
    sources = {one: str(one.attrs["name"]) for one in everywhere(known) if one.op in SOURCES}
    outputs = {
        name.text for one in file.statements if isinstance(one, tree.Output) for name in one.names
    }
    ends = tuple(node for node, name in known.items() if name in outputs)
    wrt = tuple(node for node in known if node.op is PARAMETER)
    return Subject("with mistakes", tuple(known), frozenset(ends), sources | known, ends, wrt, "L")


def _marked(picture: Picture, file: tree.File, mistakes: Sequence[Diagnostic]) -> Picture:
    """Add a box for each statement that came to nothing, and for what is wrong elsewhere."""
    ids = {node.name: node.id for node in picture.nodes if node.name}
    shapes = {node.id: node.shape for node in picture.nodes if node.kind != "parameter"}
    placed: dict[Diagnostic, None] = {}
    boxes, reads = [], []
    for number, statement in enumerate(file.statements, 1):
        wrong = [one for one in mistakes if _lies_in(one.span, statement.span)]
        names = [name.text for name in defined_names(statement)]
        lost = isinstance(statement, DEFINING) and any(name not in ids for name in names)
        if not wrong and not lost:
            continue
        placed.update(dict.fromkeys(wrong))
        id = f"m{number}"
        label = ", ".join(names) or f"line {statement.span.line}"
        boxes.append(_mark(id, label, wrong, statement.span))
        reads.append((id, used_names(statement)))
        if lost:
            ids.update(dict.fromkeys((name for name in names if name not in ids), id))
    others = [one for one in mistakes if one not in placed]
    boxes += [
        _mark(f"m0{number}", f"line {one.span.line}", [one], one.span)
        for number, one in enumerate(others, 1)
        if one.span is not None
    ]
    order = {box.id: place for place, box in enumerate(boxes)}
    edges = [
        _edge(ids[name], id, order, shapes.get(ids[name], ""))
        for id, names in reads
        for name in sorted(names)
        if name in ids and ids[name] != id
    ]
    return replace(
        picture,
        nodes=(*picture.nodes, *boxes),
        edges=(*picture.edges, *dict.fromkeys(edges)),
        notes=(*picture.notes, *(one.message for one in others if one.span is None)),
    )


DEFINING = (tree.Equation, tree.Chain, tree.Output, tree.Repeat, tree.Scan, tree.If, tree.Input,
            tree.Param)  # fmt: skip
"""Statements whose names are boxes."""


def _lies_in(span: Span | None, whole: Span) -> bool:
    return (
        span is not None
        and span.source is whole.source
        and whole.start <= span.start
        and span.start <= whole.end
    )


def _edge(tail: str, head: str, order: Mapping[str, int], shape: str) -> Edge:
    """Make an edge to a mark; in a circle of names one returns."""
    if order.get(tail, -1) >= order[head]:
        return Edge(tail, head, "carried", returns=True)
    return Edge(tail, head, "data", shape)


def _mark(id: str, label: str, wrong: Sequence[Diagnostic], span: Span) -> Box:
    """Make the box of what is wrong, or of what waits for it."""
    if not wrong:
        told = "known when what is wrong is mended"
        return Box(id, label, label, "unknown", (told,), told, "", span.line)
    lines = [line for one in wrong for line in _lines(one)]
    at = "" if label.startswith("line ") else f"line {span.line}"
    told = "\n".join(f"{one.code}: {one.message}" for one in wrong)
    return Box(id, label, label, "mistake", tuple(lines), told, at, span.line)


def _lines(one: Diagnostic) -> tuple[str, ...]:
    message = one.message.replace("`", "")
    return wrap(message, SMALL, WIDEST, LINES) or (shortened(message, SMALL, WIDEST),)
